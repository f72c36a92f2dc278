// The way to OpenFGA: so many questions at a time, small ones first, none after its time; and none at all for a moment when it keeps failing.

/** Failures in a row after which nothing is asked for a moment. */
const FAILURES = 5
const OPEN_MS = 300
const WAIT_MS = 1_000

export interface LaneOptions {
  /** Questions at a time. */
  readonly width: number
  readonly maxWaiting: number
  /** Whether OpenFGA failed, rather than the question. */
  isFault(why: unknown): boolean
  now?(): number
}

interface Waiting {
  readonly sinceMs: number
  start(): void
  fail(why: Error): void
}

export class Lane {
  readonly #options: LaneOptions
  readonly #now: () => number
  readonly #urgent: Waiting[] = []
  readonly #others: Waiting[] = []
  #running = 0
  #failures = 0
  #openUntilMs = 0

  constructor(options: LaneOptions) {
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
  }

  /** Nothing is asked just now, for the last questions all failed. */
  get isOpen(): boolean {
    return this.#failures >= FAILURES
  }

  /** Questions that wait for their turn. */
  get waiting(): number {
    return this.#urgent.length + this.#others.length
  }

  /** @param urgent goes before all that are not. @throws when OpenFGA keeps failing, or too many wait, or the turn came too late */
  async run<T>(work: () => Promise<T>, urgent = true): Promise<T> {
    if (this.isOpen) this.#probe()
    if (this.#running >= this.#options.width) await this.#turn(urgent)
    else this.#running++
    try {
      const result = await work()
      this.#failures = 0
      return result
    } catch (why) {
      if (this.#options.isFault(why)) this.#failed()
      throw why
    } finally {
      this.#next()
    }
  }

  /** Lets one question a moment through, to find out whether it answers again. */
  #probe(): void {
    const nowMs = this.#now()
    if (nowMs < this.#openUntilMs) throw new Error('OpenFGA keeps failing: it is not asked for a moment')
    this.#openUntilMs = nowMs + OPEN_MS
  }

  #failed(): void {
    this.#failures++
    if (this.#failures !== FAILURES) return
    this.#openUntilMs = this.#now() + OPEN_MS
    for (const queue of [this.#urgent, this.#others]) {
      for (const waiting of queue.splice(0)) waiting.fail(new Error('OpenFGA keeps failing'))
    }
  }

  #turn(urgent: boolean): Promise<void> {
    if (this.waiting >= this.#options.maxWaiting) throw new Error('too many questions wait')
    return new Promise((start, fail) => (urgent ? this.#urgent : this.#others).push({ sinceMs: this.#now(), start, fail }))
  }

  #next(): void {
    const nowMs = this.#now()
    for (;;) {
      const waiting = this.#urgent.shift() ?? this.#others.shift()
      if (waiting === undefined) {
        this.#running--
        return
      }
      if (nowMs - waiting.sinceMs <= WAIT_MS) {
        waiting.start()
        return
      }
      waiting.fail(new Error('the question waited for too long'))
    }
  }
}
