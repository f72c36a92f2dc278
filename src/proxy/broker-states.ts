// What each broker of the cluster offers, whether it answers, and whether asking it for a topic makes one.

import { DescribeConfigs } from '../protocol/messages/32-describe-configs.ts'
import type { BrokerClient } from './broker-client.ts'
import { type BrokerOffer, type BrokerState, maxVersionOf } from './cluster-state.ts'
import { hello } from './hello.ts'
import type { Upstream } from './upstream.ts'

export interface BrokerStatesOptions {
  /** How brokers are reached and logged in to as the gate itself. */
  readonly upstream: Upstream
  readonly clientId: string
  readonly timeoutMs: number
  /** The cluster names a broker on a host that may not be dialled: for the log, once each. */
  onForeign?(nodeId: number, host: string): void
}

/** A node as Metadata names it. */
interface Node {
  readonly nodeId: number
  readonly host: string
  readonly port: number
}

const BROKER_CONFIG = 4
const AUTO_CREATE = 'auto.create.topics.enable'
/** A broker is set anew only when it starts; one that was not seen to is asked again after so many rounds. */
const ROUNDS_SET = 20
const MAX_FOREIGN = 1000

export class BrokerStates {
  readonly #options: BrokerStatesOptions
  readonly #foreign = new Set<string>()
  #round = 0

  constructor(options: BrokerStatesOptions) {
    this.#options = options
  }

  /** Brokers on hosts that may not be dialled. */
  get foreign(): number {
    return this.#foreign.size
  }

  /** Each over a connection that lasts as long as the questions. @param known from the round before */
  async ask(nodes: readonly Node[], known: readonly BrokerState[]): Promise<BrokerState[]> {
    const isDue = this.#round++ % ROUNDS_SET === 0
    const before = (nodeId: number) => known.find(broker => broker.nodeId === nodeId)
    return Promise.all(nodes.filter(node => this.#mayDial(node)).map(node => this.#askOne(node, before(node.nodeId), isDue)))
  }

  async #askOne({ nodeId, host, port }: Node, before: BrokerState | undefined, isDue: boolean): Promise<BrokerState> {
    const mayBeSetAnew = isDue || before?.alive !== true
    const autoCreate = before?.autoCreate ?? true
    try {
      const { client, offer } = await this.#hello({ host, port }, mayBeSetAnew)
      const state = { nodeId, host, port, alive: true, offer }
      const isSet = mayBeSetAnew ? await this.#askAutoCreate(client, offer, nodeId) : autoCreate
      client.close()
      return { ...state, autoCreate: isSet }
    } catch {
      return { nodeId, host, port, alive: false, offer: before?.offer ?? null, autoCreate }
    }
  }

  /** What it offers a broker says also to whom it does not take. */
  async #hello(at: { readonly host: string; readonly port: number }, login: boolean) {
    const { upstream } = this.#options
    if (!login) return hello(upstream, at, { ...this.#options, login })
    return hello(upstream, at, { ...this.#options, login }).catch(() => hello(upstream, at, { ...this.#options, login: false }))
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
