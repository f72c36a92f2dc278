// What OpenFGA said of single names to one principal: each is kept until it ends.

import type { NameAnswer } from './openfga-questions.ts'
import type { OperationSet } from './operations.ts'

export interface KeptName {
  readonly blocked: boolean
  readonly answered: OperationSet
  readonly allowed: OperationSet
  /** Asked, and no answer came in time; counts where `answered` says nothing. */
  readonly undecided: OperationSet
  /** Epoch ms. */
  readonly endsAtMs: number
}

const NOTHING: KeptName = { blocked: false, answered: 0, allowed: 0, undecided: 0, endsAtMs: Number.POSITIVE_INFINITY }

/** By the names' objects. */
export class KeptNames {
  readonly #byObject = new Map<string, KeptName>()

  get size(): number {
    return this.#byObject.size
  }

  /** Epoch ms at which the first of them ends. */
  get nextMs(): number {
    let nextMs = Number.POSITIVE_INFINITY
    for (const { endsAtMs } of this.#byObject.values()) nextMs = Math.min(nextMs, endsAtMs)
    return nextMs
  }

  has(object: string): boolean {
    return this.#byObject.has(object)
  }

  /** In which nothing stands, if nothing is kept. */
  get(object: string): KeptName {
    return this.#byObject.get(object) ?? NOTHING
  }

  /** Joins an answer with what is kept: all of it ends with the first. */
  keep(object: string, { blocked, answered, allowed }: NameAnswer, endsAtMs: number): void {
    if (answered === 0) return
    const kept = this.get(object)
    this.#byObject.set(object, {
      blocked: blocked || kept.blocked,
      answered: kept.answered | answered,
      allowed: kept.allowed | allowed,
      undecided: 0,
      endsAtMs: Math.min(endsAtMs, kept.endsAtMs),
    })
  }

  /** No answer came: undecided until then. */
  leaveOpen(object: string, operations: OperationSet, untilMs: number): void {
    const kept = this.get(object)
    this.#byObject.set(object, { ...kept, undecided: kept.undecided | operations, endsAtMs: Math.min(kept.endsAtMs, untilMs) })
  }

  expire(nowMs: number): void {
    for (const [object, { endsAtMs }] of this.#byObject) if (nowMs >= endsAtMs) this.#byObject.delete(object)
  }

  clear(): void {
    this.#byObject.clear()
  }
}
