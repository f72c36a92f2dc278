// A port, or a name, for each broker on each listener: opened in every worker before any client is told of it, and open until the process ends.

import type { NamePlan, PortPlan } from '../base/config-listener.ts'
import type { AddressView } from '../policy/outcome.ts'

/** More brokers than this on an `auto` listener are not believed. */
const MAX_AUTO_NODES = 1000

export const isNamePlan = (plan: PortPlan | NamePlan): plan is NamePlan => typeof plan === 'object' && 'sni' in plan

/** The port of a node, 0 for any free one; undefined: the listener has none for it. */
export function portFor(plan: PortPlan, nodeId: number): number | undefined {
  if (nodeId < 0) return undefined
  if (plan === 'auto') return 0
  const port = plan.firstPort + nodeId - plan.firstNode
  return port >= plan.firstPort && port <= plan.lastPort ? port : undefined
}

/** The port that clients are told for a node's, which differ where something in between translates addresses. */
export function advertisedPort(plan: PortPlan, opened: number): number {
  return plan === 'auto' ? opened : opened - plan.firstPort + plan.firstAdvertised
}

/** Where one listener's clients reach each broker, in one worker. */
export class Addresses implements AddressView {
  readonly #known = new Map<number, { readonly host: string; readonly port: number }>()
  readonly #named: (nodeId: number, host: string, port: number) => Promise<void>

  constructor(named: (nodeId: number, host: string, port: number) => Promise<void>) {
    this.#named = named
  }

  get(nodeId: number): { readonly host: string; readonly port: number } | undefined {
    return this.#known.get(nodeId)
  }

  set(nodeId: number, host: string, port: number): void {
    this.#known.set(nodeId, { host, port })
  }

  learn(nodeId: number, host: string, port: number): Promise<void> {
    return this.#named(nodeId, host, port)
  }
}

export interface PortListener {
  readonly name: string
  readonly plan: PortPlan | NamePlan
}

export interface BrokerPortsOptions {
  readonly listeners: readonly PortListener[]
  /** Opens the port in every worker and tells them of it. @returns the port. @throws when it cannot be opened */
  open(listener: string, nodeId: number, port: number): Promise<number>
  /** A broker stays without a port: told once each. */
  onMissing(listener: string, nodeId: number, why: string): void
}

/** Main's book of them. */
export class BrokerPorts {
  readonly #options: BrokerPortsOptions
  readonly #open = new Map<string, Promise<number | null>>()
  readonly #missing = new Map<string, number>()

  constructor(options: BrokerPortsOptions) {
    this.#options = options
  }

  /** The cluster has these nodes and no others: what lacks a port and has gone is not missed. */
  keep(nodeIds: ReadonlySet<number>): void {
    for (const [key, nodeId] of this.#missing) if (!nodeIds.has(nodeId)) this.#missing.delete(key)
  }

  /** Brokers that some listener has no port for. */
  get missing(): number {
    return this.#missing.size
  }

  /** Resolves when the node has a port on every listener that has one for it. Never rejects; what failed is tried again by the next call. */
  async ensure(nodeId: number): Promise<void> {
    await Promise.all(this.#options.listeners.map(listener => this.#ensure(listener, nodeId)))
  }

  #ensure(listener: PortListener, nodeId: number): Promise<number | null> {
    const key = `${listener.name}/${nodeId}`
    let opening = this.#open.get(key)
    if (opening === undefined) {
      opening = this.#openPort(listener, nodeId, key)
      this.#open.set(key, opening)
    }
    return opening
  }

  async #openPort(listener: PortListener, nodeId: number, key: string): Promise<number | null> {
    // Names need no port of their own.
    const port = isNamePlan(listener.plan) ? portFor('auto', nodeId) : portFor(listener.plan, nodeId)
    if (port === undefined || this.#open.size >= MAX_AUTO_NODES * this.#options.listeners.length) {
      // Not before the map holds this promise, which is what `ensure` does next.
      await Promise.resolve()
      this.#fail(listener, nodeId, key, 'the listener has no port for this node id: widen its range of ports')
      return null
    }
    try {
      const opened = await this.#options.open(listener.name, nodeId, port)
      this.#missing.delete(key)
      return opened
    } catch (why) {
      this.#fail(listener, nodeId, key, (why as Error).message)
      return null
    }
  }

  #fail(listener: PortListener, nodeId: number, key: string, why: string): void {
    this.#open.delete(key)
    if (this.#missing.has(key)) return
    this.#missing.set(key, nodeId)
    this.#options.onMissing(listener.name, nodeId, why)
  }
}
