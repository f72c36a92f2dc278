// The open connections of one worker: how many there may be, what is late, and how they end together.

import { performance } from 'node:perf_hooks'
import type { Plan } from '../policy/outcome.ts'
import type { Gate } from './gate.ts'
import type { Holding } from './holding.ts'
import type { Session } from './session.ts'

const ROUND_MS = 250

export type PlanFor = (apiKey: number, apiVersion: number) => Plan | null

/** One a worker, for all its listeners. One interval looks after all deadlines: no connection owns a timer. */
export class Sessions {
  readonly gate: Gate
  readonly planFor: PlanFor
  /** Monotonic, moved once a round: exact enough for deadlines of seconds. */
  nowMs = performance.now()
  /** Frames for which there is no room now. */
  readonly waiting = new Set<Holding>()
  /** Connections that are not sessions yet. */
  readonly arriving = new Set<{ drop(): void }>()
  draining = false
  readonly #open = new Set<Session>()
  readonly #timer: NodeJS.Timeout
  #ended: Promise<void> | null = null
  #drained: (() => void) | null = null

  constructor(gate: Gate, planFor: PlanFor) {
    this.gate = gate
    this.planFor = planFor
    this.#timer = setInterval(() => this.#round(), ROUND_MS)
    this.#timer.unref()
  }

  get size(): number {
    return this.#open.size
  }

  get full(): boolean {
    return this.#open.size + this.arriving.size >= this.gate.limits.connections
  }

  add(session: Session): void {
    this.#open.add(session)
  }

  delete(session: Session): void {
    this.#open.delete(session)
    if (this.#open.size === 0) this.#drained?.()
  }

  /** No more requests are read; what is owed is delivered. Resolves when every connection has ended, the last of them after `timeoutMs` by force. */
  async drain(timeoutMs: number): Promise<void> {
    this.draining = true
    this.#dropArriving()
    if (this.#open.size === 0) return
    this.#ended ??= new Promise<void>(resolve => {
      this.#drained = resolve
    })
    for (const session of this.#open) session.finish('drained')
    const timer = setTimeout(() => this.close(), timeoutMs)
    await this.#ended
    clearTimeout(timer)
  }

  /** Ends every connection now. */
  close(): void {
    clearInterval(this.#timer)
    this.#dropArriving()
    for (const session of this.#open) session.close('shut down')
  }

  #dropArriving(): void {
    for (const arrival of this.arriving) arrival.drop()
    this.arriving.clear()
  }

  #round(): void {
    this.nowMs = performance.now()
    for (const holding of this.waiting) holding.retry()
    for (const session of this.#open) {
      try {
        session.look(this.nowMs)
      } catch (error) {
        session.fail(error)
      }
    }
  }
}
