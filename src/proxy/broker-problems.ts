// What keeps each broker from being asked or logged in to, and when a login may be tried there.

import { addressText } from '../base/config-address.ts'
import { clip } from '../base/text.ts'
import { backoffMs } from './waits.ts'

/** A broker that cannot be asked, or takes no login. */
export interface BrokerProblem {
  readonly nodeId: number
  readonly address: string
  readonly lastError: string
  readonly loginRefused: boolean
}

/** A node as Metadata names it. */
export interface Node {
  readonly nodeId: number
  readonly host: string
  readonly port: number
}

const MAX_TEXT = 512

/** How it stands with one broker at one address. */
export class BrokerStanding {
  readonly nodeId: number
  readonly address: string
  #unreachable: BrokerProblem | null = null
  #login: BrokerProblem | null = null
  #failures = 0
  /** By `performance.now()`: the last login, and when the next may be. */
  #triedAtMs = Number.NEGATIVE_INFINITY
  #notBeforeMs = Number.NEGATIVE_INFINITY

  constructor({ nodeId, host, port }: Node) {
    this.nodeId = nodeId
    this.address = addressText(host, port)
  }

  get problem(): BrokerProblem | null {
    return this.#unreachable ?? this.#login
  }

  /** @param why null: it has answered */
  asked(why: string | null): void {
    this.#unreachable = why === null ? null : this.#problem(why, false)
  }

  /** @param why null: it has taken the login */
  loggedIn(why: string | null, refused: boolean): void {
    this.#triedAtMs = performance.now()
    this.#login = why === null ? null : this.#problem(why, refused)
    this.#failures = why === null ? 0 : this.#failures + 1
    // Who only closes may not like the login either.
    if (why !== null) this.#notBeforeMs = this.#triedAtMs + backoffMs(this.#failures, Math.random(), true)
  }

  /** @param doubtedAtMs when clients' connections were refused last, at whatever broker */
  mayLogIn(wanted: boolean, doubtedAtMs: number): boolean {
    if (performance.now() < this.#notBeforeMs) return false
    return wanted || this.#login !== null || this.#triedAtMs < doubtedAtMs
  }

  /** What was refused may work now. */
  forgive(): void {
    this.#failures = 0
    this.#triedAtMs = this.#notBeforeMs = Number.NEGATIVE_INFINITY
  }

  #problem(why: string, loginRefused: boolean): BrokerProblem {
    return { nodeId: this.nodeId, address: this.address, lastError: clip(why, MAX_TEXT), loginRefused }
  }
}

/** All brokers that the cluster names. */
export class BrokerStandings {
  readonly #standings = new Map<number, BrokerStanding>()

  get problems(): readonly BrokerProblem[] {
    return [...this.#standings.values()].flatMap(({ problem }) => problem ?? [])
  }

  problemOf(nodeId: number): BrokerProblem | null {
    return this.#standings.get(nodeId)?.problem ?? null
  }

  /** A broker at another address is another broker. */
  of(node: Node): BrokerStanding {
    let standing = this.#standings.get(node.nodeId)
    if (standing?.address !== addressText(node.host, node.port)) this.#standings.set(node.nodeId, (standing = new BrokerStanding(node)))
    return standing
  }

  /** Forgets brokers that have gone. */
  keep(nodes: readonly Node[]): void {
    const named = new Set(nodes.map(({ nodeId }) => nodeId))
    for (const nodeId of this.#standings.keys()) if (!named.has(nodeId)) this.#standings.delete(nodeId)
  }

  forgive(): void {
    for (const standing of this.#standings.values()) standing.forgive()
  }
}
