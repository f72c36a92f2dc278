// What each broker of the cluster offers, whether it answers and takes our logins, and whether asking it for a topic makes one.

import { LoginRefused } from '../auth/broker-login.ts'
import { DescribeConfigs } from '../protocol/messages/32-describe-configs.ts'
import { type BrokerClient, isSilence } from './broker-client.ts'
import { type BrokerProblem, type BrokerStanding, BrokerStandings, type Node } from './broker-problems.ts'
import { type BrokerOffer, type BrokerState, maxVersionOf } from './cluster-state.ts'
import { type CredentialSource, hello, logIn } from './hello.ts'
import type { Upstream } from './upstream.ts'

export interface BrokerStatesOptions {
  /** How brokers are reached and logged in to as the gate itself. */
  readonly upstream: Upstream
  readonly clientId: string
  readonly timeoutMs: number
  /** How clients' connections log in, where that is not how the gate itself does. */
  readonly clientsLogin?: CredentialSource | null
  /** The cluster names a broker on a host that may not be dialled: for the log, once each. */
  onForeign?(nodeId: number, host: string): void
  /** For the log: once per change. `problem` null: the broker is well again. */
  onProblem?(standing: BrokerStanding, problem: BrokerProblem | null): void
}

const BROKER_CONFIG = 4
const AUTO_CREATE = 'auto.create.topics.enable'
/** A broker is set anew only when it starts; one that was not seen to is asked again after so many rounds. */
const ROUNDS_SET = 20
const MAX_FOREIGN = 1000

export class BrokerStates {
  readonly #options: BrokerStatesOptions
  readonly #foreign = new Set<string>()
  readonly #standings = new BrokerStandings()
  #round = 0
  /** By `performance.now()`. */
  #doubtedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: BrokerStatesOptions) {
    this.#options = options
  }

  /** Brokers on hosts that may not be dialled. */
  get foreign(): number {
    return this.#foreign.size
  }

  /** Brokers that could not be asked, or do not take a login. */
  get problems(): readonly BrokerProblem[] {
    return this.#standings.problems
  }

  /** Each over a connection that lasts as long as the questions. @param known from the round before */
  async ask(nodes: readonly Node[], known: readonly BrokerState[]): Promise<BrokerState[]> {
    const isDue = this.#round++ % ROUNDS_SET === 0
    const before = (nodeId: number) => known.find(broker => broker.nodeId === nodeId)
    this.#standings.keep(nodes)
    return Promise.all(nodes.filter(node => this.#mayDial(node)).map(node => this.#askOne(node, before(node.nodeId), isDue)))
  }

  /** Clients' connections are refused somewhere: the next round sees whether the gate is too. */
  doubtLogins(): void {
    this.#doubtedAtMs = performance.now()
  }

  /** What was refused may work now, and the reverse. */
  credentialsChanged(): void {
    this.#standings.forgive()
    this.doubtLogins()
  }

  async #askOne(node: Node, before: BrokerState | undefined, isDue: boolean): Promise<BrokerState> {
    const { upstream } = this.#options
    const { nodeId, host, port } = node
    const told = this.#standings.problemOf(nodeId)
    const standing = this.#standings.of(node)
    const autoCreate = before?.autoCreate ?? true
    try {
      // What it offers a broker says also to whom it does not take.
      const { client, offer } = await hello(upstream, node, { ...this.#options, login: false })
      standing.asked(null)
      const logsIn = standing.mayLogIn(isDue || before?.alive !== true, this.#doubtedAtMs)
      const isSet = logsIn ? await this.#logIn(node, standing, client, offer) : autoCreate
      client.close()
      return { nodeId, host, port, alive: true, offer, autoCreate: isSet }
    } catch (why) {
      standing.asked(upstream.explain(why as Error))
      return { nodeId, host, port, alive: false, silent: isSilence(why as Error), offer: before?.offer ?? null, autoCreate }
    } finally {
      const { problem } = standing
      if (problem?.lastError !== told?.lastError) this.#options.onProblem?.(standing, problem)
    }
  }

  /** By every login that the gate has. @returns whether asking for a topic makes one: what cannot be asked is taken for on */
  async #logIn(node: Node, standing: BrokerStanding, client: BrokerClient, offer: BrokerOffer): Promise<boolean> {
    const { upstream, clientsLogin = null } = this.#options
    const [own, clients] = await Promise.all([
      this.#tryLogin(upstream, client, offer),
      clientsLogin === null ? null : this.#tryClientsLogin(clientsLogin, node),
    ])
    const whose = clientsLogin === null ? '' : 'cluster.control.sasl: '
    const problems = [own && whose + upstream.explain(own), clients && `cluster.sasl: ${upstream.explain(clients)}`]
    const why = problems.filter(problem => problem !== null).join('; ')
    standing.loggedIn(why || null, own instanceof LoginRefused || clients instanceof LoginRefused)
    return own === null ? this.#askAutoCreate(client, offer, node.nodeId) : true
  }

  async #tryClientsLogin(source: CredentialSource, at: Node): Promise<Error | null> {
    try {
      const { client, offer } = await hello(this.#options.upstream, at, { ...this.#options, login: false })
      const why = await this.#tryLogin(source, client, offer)
      client.close()
      return why
    } catch (why) {
      return why as Error
    }
  }

  #tryLogin(source: CredentialSource, client: BrokerClient, offer: BrokerOffer): Promise<Error | null> {
    return logIn(source, client, offer, this.#options.timeoutMs).then(
      () => null,
      (why: Error) => why,
    )
  }

  /** A broker tells its own settings only. What cannot be asked is taken for on. */
  async #askAutoCreate(client: BrokerClient, offer: BrokerOffer, nodeId: number): Promise<boolean> {
    const version = Math.min(maxVersionOf(offer, DescribeConfigs.key), DescribeConfigs.versions.max)
    if (version < 1) return true
    const resources = [{ resourceType: BROKER_CONFIG, resourceName: String(nodeId), configurationKeys: [AUTO_CREATE] }]
    try {
      const answer = await client.ask(DescribeConfigs, version, { resources }, this.#options.timeoutMs)
      return answer.results[0]?.configs?.find((config: any) => config.name === AUTO_CREATE)?.value !== 'false'
    } catch {
      return true
    }
  }

  #mayDial({ nodeId, host }: Node): boolean {
    if (this.#options.upstream.allows(host)) return true
    const key = `${nodeId} ${host}`
    if (!this.#foreign.has(key) && this.#foreign.size < MAX_FOREIGN) {
      this.#foreign.add(key)
      this.#options.onForeign?.(nodeId, host)
    }
    return false
  }
}
