// The control connection: the gate's own view of the cluster, asked of it again and again over one connection.

import { LoginRefused } from '../auth/broker-login.ts'
import { addressText } from '../base/config-address.ts'
import { Metadata } from '../protocol/messages/03-metadata.ts'
import { type BrokerClient, isSilence } from './broker-client.ts'
import type { BrokerProblem } from './broker-problems.ts'
import { BrokerStates, type BrokerStatesOptions } from './broker-states.ts'
import { type BrokerOffer, type ClusterState, maxVersionOf, type NamedTopics, type TopicFacts, UNKNOWN_CLUSTER } from './cluster-state.ts'
import { type Address, hello, type Known } from './hello.ts'
import { type AnsweredTopic, type AskedTopic, NO_ID, TopicQuestions } from './topic-questions.ts'
import { backoffMs } from './waits.ts'

export interface ControlOptions extends BrokerStatesOptions {
  readonly bootstrap: readonly Address[]
  readonly refreshMs: number
  /** The state changed, or was confirmed. */
  onState(state: ClusterState): void
  /** Topics that were not told before, and ids (with null) whose topics are gone. */
  onTopics(facts: TopicFacts): void
  /** For the log: once per change between reachable and not. */
  onReachable(reachable: boolean, why: string): void
}

const MAX_KNOWN_TOPICS = 1_000_000
const LOOKS = 2
const LOOK_SOON_MS = 100
const LOOK_AGAIN_MS = 1000

export class Control {
  state: ClusterState = UNKNOWN_CLUSTER
  readonly #options: ControlOptions
  #client: BrokerClient | null = null
  #offer: BrokerOffer | null = null
  #stopped = false
  #failures = 0
  /** Epoch ms: the broker's session ends soon after, and another connection takes over. */
  #renewAtMs = Number.POSITIVE_INFINITY
  #error: Error | null = null
  readonly #brokers: BrokerStates
  #wake: (() => void) | null = null
  #awaited = false
  /** How often the list of topics is asked for before the next round. */
  #looks = 0
  #isLooking = false
  readonly #topics = new Set<string>()
  readonly #questions = new TopicQuestions((topics, minVersion) => this.#askTopics(topics, minVersion))

  constructor(options: ControlOptions) {
    this.#options = options
    this.#brokers = new BrokerStates(options)
  }

  /** Resolves after the first round, whether the cluster was reached or not; goes on until `stop`. */
  async start(): Promise<void> {
    await this.#tryRound()
    void this.#keepOn()
  }

  /** What keeps the cluster from being reached; null: nothing does. */
  get lastError(): string | null {
    return this.#error?.message ?? null
  }
  /** The brokers do not take the gate's own login. */
  get refused(): boolean {
    return this.#error instanceof LoginRefused
  }
  /** Brokers on hosts that may not be dialled. */
  get foreign(): number {
    return this.#brokers.foreign
  }
  /** Brokers that could not be asked, or do not take a login. */
  get brokerProblems(): readonly BrokerProblem[] {
    return this.#brokers.problems
  }

  /** Credentials or certificates have changed: what was refused may work now. */
  credentialsChanged(): void {
    this.#failures = Math.min(this.#failures, 1)
    this.#error = null
    this.#renewAtMs = 0
    this.#brokers.credentialsChanged()
    this.wake()
  }

  /** Brokers refuse the login of clients' connections: the next round sees which, and why. */
  doubtLogins(): void {
    this.#brokers.doubtLogins()
    this.wake()
  }

  /** Looks again soon: something suggests that the cluster has changed. */
  wake(): void {
    if (this.refused) return
    this.#awaited = true
    this.#wake?.()
  }

  /** Topics are being made or deleted, somebody says. */
  topicsMoved(): void {
    this.#looks = LOOKS
    void this.#lookForTopics()
  }

  stop(): void {
    this.#stopped = true
    this.#client?.close()
    this.#wake?.()
  }

  topicsOf(ids: readonly string[]): Promise<TopicFacts> {
    return this.#questions.topicsOf(ids)
  }

  topicsNamed(names: readonly string[]): Promise<NamedTopics> {
    return this.#questions.topicsNamed(names)
  }

  async #keepOn(): Promise<void> {
    while (!this.#stopped) {
      const waitMs = this.#failures > 0 ? backoffMs(this.#failures, Math.random(), this.refused) : this.#options.refreshMs
      await this.#pause(waitMs)
      if (!this.#stopped) await this.#tryRound()
    }
  }

  /** Waits, but not longer than a quarter of a second once somebody calls `wake`. */
  #pause(waitMs: number): Promise<void> {
    return new Promise(resolve => {
      let timer = setTimeout(resolve, this.#awaited ? Math.min(250, waitMs) : waitMs)
      this.#awaited = false
      this.#wake = () => {
        clearTimeout(timer)
        timer = setTimeout(resolve, this.#stopped ? 0 : Math.min(250, waitMs))
        this.#wake = null
      }
    })
  }

  async #tryRound(): Promise<void> {
    try {
      await this.#round()
      this.#failures = 0
      this.#error = null
    } catch (why) {
      if (this.#stopped) return
      this.#client?.close()
      this.#client = null
      const before = this.lastError
      this.#error = why as Error
      if (this.#failures++ === 0 || this.lastError !== before) this.#options.onReachable(false, this.#error.message)
      const lost = { alive: false, ...(isSilence(why as Error) && { silent: true }) }
      this.#publish({ ...this.state, reachable: false, brokers: this.state.brokers.map(broker => ({ ...broker, ...lost })) })
    }
  }

  async #round(): Promise<void> {
    if (this.#client === null || this.#client.closed || Date.now() >= this.#renewAtMs) await this.#connect()
    const metadata = await this.#askMetadata(this.#client!, this.#offer!)
    const brokers = await this.#brokers.ask(metadata.brokers, this.state.brokers)
    this.#publish({
      reachable: true,
      clusterId: metadata.clusterId ?? null,
      controllerId: metadata.controllerId ?? -1,
      brokers,
    })
    this.#takeTopics(metadata)
  }

  async #askMetadata(client: BrokerClient, offer: BrokerOffer): Promise<any> {
    const version = Math.min(maxVersionOf(offer, Metadata.key), Metadata.versions.max)
    const everything = { topics: version === 0 ? [] : null, allowAutoTopicCreation: false }
    const metadata = await client.ask(Metadata, version, everything, this.#options.timeoutMs)
    if ((metadata.errorCode ?? 0) !== 0) throw new Error(`Metadata was answered with error ${metadata.errorCode}`)
    return metadata
  }

  async #askTopics(topics: readonly AskedTopic[], minVersion: number): Promise<readonly AnsweredTopic[]> {
    const client = this.#client
    const version = this.#offer === null ? -1 : Math.min(maxVersionOf(this.#offer, Metadata.key), Metadata.versions.max)
    if (client === null || client.closed || version < minVersion) return []
    return (await client.ask(Metadata, version, { topics, allowAutoTopicCreation: false }, this.#options.timeoutMs)).topics
  }

  /** Asks for the list of topics soon, and once more a second later: brokers learn of a change one after the other. */
  async #lookForTopics(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    for (let waitMs = LOOK_SOON_MS; this.#looks > 0 && !this.#stopped; waitMs = LOOK_AGAIN_MS) {
      this.#looks--
      await new Promise(resolve => setTimeout(resolve, waitMs).unref())
      const [client, offer] = [this.#client, this.#offer]
      if (client === null || client.closed || offer === null) continue
      // Whatever is wrong with this connection, the next round says so.
      await this.#askMetadata(client, offer).then(
        metadata => this.#takeTopics(metadata),
        () => undefined,
      )
    }
    this.#isLooking = false
  }

  #takeTopics(metadata: any): void {
    const facts = metadata.topics
      .filter((t: any) => t.name && t.topicId !== undefined && t.topicId !== NO_ID && !this.#topics.has(t.topicId))
      .map((t: any) => [t.topicId, t.name] as const)
    this.#remember(facts)
    const gone = this.#forgetBut(new Set(metadata.topics.map((t: any) => t.topicId)))
    if (facts.length + gone.length > 0) this.#options.onTopics([...facts, ...gone])
  }

  async #connect(): Promise<void> {
    const { bootstrap, upstream } = this.#options
    let why: Error = new Error('no bootstrap address')
    for (const { host, port } of [...shuffled<Address>(bootstrap), ...shuffled<Address>(this.state.brokers)]) {
      if (this.#stopped) throw why
      try {
        this.#use(await hello(upstream, { host, port }, { ...this.#options, login: true }))
        return
      } catch (e) {
        const text = `${addressText(host, port)}: ${upstream.explain(e as Error)}`
        // Others of the cluster have the same accounts.
        if (e instanceof LoginRefused) throw new LoginRefused(text)
        why = new Error(text, { cause: e })
      }
    }
    throw why
  }

  #use({ client, offer, lifetimeMs }: Known): void {
    if (this.#client !== null) {
      this.#client.onClosed = null
      this.#client.close()
    }
    client.onClosed = () => this.wake()
    this.#client = client
    this.#offer = offer
    this.#renewAtMs = lifetimeMs === 0 ? Number.POSITIVE_INFINITY : Date.now() + lifetimeMs * (0.7 + Math.random() * 0.1)
  }

  #remember(facts: TopicFacts): void {
    if (this.#topics.size + facts.length > MAX_KNOWN_TOPICS) this.#topics.clear()
    for (const [id] of facts) this.#topics.add(id)
  }

  /** Topics that are not there any more. */
  #forgetBut(ids: ReadonlySet<string>): TopicFacts {
    const gone = [...this.#topics].filter(id => !ids.has(id))
    for (const id of gone) this.#topics.delete(id)
    return gone.map(id => [id, null] as const)
  }

  #publish(state: ClusterState): void {
    if (state.reachable && !this.state.reachable) this.#options.onReachable(true, '')
    this.state = state
    this.#options.onState(state)
  }
}

function shuffled<T>(of: readonly T[]): T[] {
  return of
    .map(value => ({ value, order: Math.random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ value }) => value)
}
