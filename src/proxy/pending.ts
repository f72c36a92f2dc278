// The order book of one connection: what its client is owed, oldest first; responses leave in the order of their requests.

import type { ResponseEdit } from '../policy/outcome.ts'

const FIELDS = 3
/** The broker has been asked. */
const ASKED = 0
/** So many requests that want no response are remembered. */
const QUIET_SLOTS = 1024
/** Answered here; the frame waits for its turn. */
const ANSWERED = 1

/**
 * A ring: numbers in one typed array, what is done with each response beside it.
 *
 *   numbers:  correlation id | API key and version | kind
 *   what:     ResponseEdit, null (streams through), or a whole answer frame
 */
export class Pending {
  size = 0
  #head = 0
  #slots = 4
  #numbers = new Int32Array(this.#slots * FIELDS)
  /** Correlation ids of requests that want no response, in a ring of its own: few connections need one. */
  #quiet: Int32Array | null = null
  #quietHead = 0
  #quietCount = 0
  #what: (ResponseEdit | Buffer | null)[] = new Array(this.#slots).fill(null)

  /** A request has gone to the broker. */
  asked(apiKey: number, apiVersion: number, correlationId: number, edit: ResponseEdit | null): void {
    this.#push((apiKey << 16) | apiVersion, correlationId, ASKED, edit)
  }

  /** A request has gone to the broker that wants no response (Produce with acks=0). */
  quiet(correlationId: number): void {
    this.#quiet ??= new Int32Array(QUIET_SLOTS)
    this.#quiet[(this.#quietHead + this.#quietCount) % QUIET_SLOTS] = correlationId
    if (this.#quietCount < QUIET_SLOTS) this.#quietCount++
    else this.#quietHead = (this.#quietHead + 1) % QUIET_SLOTS
  }

  /** Whether a response answers a request that wanted none: some brokers send one all the same, in its turn. */
  answersQuiet(correlationId: number): boolean {
    for (let i = 0; i < this.#quietCount; i++) {
      if (this.#quiet![(this.#quietHead + i) % QUIET_SLOTS] !== correlationId) continue
      this.#quietHead = (this.#quietHead + i + 1) % QUIET_SLOTS
      this.#quietCount -= i + 1
      return true
    }
    return false
  }

  /** A request was answered here, and others before it are not answered yet. */
  answered(frame: Buffer): void {
    this.#push(0, 0, ANSWERED, frame)
  }

  /** Is the oldest one an answer of ours? */
  get answerIsNext(): boolean {
    return this.size > 0 && this.#numbers[this.#head * FIELDS + 2] === ANSWERED
  }
  /** Of the oldest request that the broker was asked. */
  get correlationId(): number {
    return this.#numbers[this.#head * FIELDS]!
  }
  get apiKey(): number {
    return this.#numbers[this.#head * FIELDS + 1]! >> 16
  }
  get apiVersion(): number {
    return this.#numbers[this.#head * FIELDS + 1]! & 0xffff
  }
  get edit(): ResponseEdit | null {
    return this.#what[this.#head] as ResponseEdit | null
  }

  /** The oldest request's response will be treated so instead. */
  replace(edit: ResponseEdit): void {
    this.#what[this.#head] = edit
  }

  /** Removes the oldest entry. */
  shift(): ResponseEdit | Buffer | null {
    const what = this.#what[this.#head]!
    this.#what[this.#head] = null
    this.#head = (this.#head + 1) & (this.#slots - 1)
    this.size--
    return what
  }

  /** Judges again what in-flight answers may still carry: 'no' if one may not, 'unknown' if one is not known. */
  stillAllowed(): 'yes' | 'no' | 'unknown' {
    let all: 'yes' | 'unknown' = 'yes'
    for (let i = 0; i < this.size; i++) {
      const at = (this.#head + i) & (this.#slots - 1)
      if (this.#numbers[at * FIELDS + 2] !== ASKED) continue
      const verdict = (this.#what[at] as ResponseEdit | null)?.stillAllowed?.() ?? 'yes'
      if (verdict === 'no') return 'no'
      if (verdict === 'unknown') all = 'unknown'
    }
    return all
  }

  /** The connection has ended: tells every edit whose response will not come. */
  drop(): void {
    while (this.size > 0) {
      const asked = !this.answerIsNext
      const what = this.shift()
      if (asked) (what as ResponseEdit | null)?.dropped?.()
    }
  }

  #push(api: number, correlationId: number, kind: number, what: ResponseEdit | Buffer | null): void {
    if (this.size === this.#slots) this.#grow()
    const at = (this.#head + this.size++) & (this.#slots - 1)
    const number = at * FIELDS
    this.#numbers[number] = correlationId
    this.#numbers[number + 1] = api
    this.#numbers[number + 2] = kind
    this.#what[at] = what
  }

  #grow(): void {
    const numbers = new Int32Array(this.#numbers.length * 2)
    const what: (ResponseEdit | Buffer | null)[] = new Array(this.#slots * 2).fill(null)
    for (let i = 0; i < this.size; i++) {
      const at = (this.#head + i) & (this.#slots - 1)
      numbers.set(this.#numbers.subarray(at * FIELDS, (at + 1) * FIELDS), i * FIELDS)
      what[i] = this.#what[at]!
    }
    this.#head = 0
    this.#slots *= 2
    this.#numbers = numbers
    this.#what = what
  }
}
