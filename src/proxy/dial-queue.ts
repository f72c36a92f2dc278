// Who may open a connection to one broker now, and who waits: a budget, a token bucket with a short queue, few under way at a time, and a pause after failures.

/** No queue holds more than this many seconds of dials. */
const QUEUE_S = 5
/** A full bucket: this part of a second's dials may come at once. */
const BURST_S = 0.5
/** After a connection that did not come about, and after a login that was refused. */
const AWAY_MS = { first: 50, most: 1_000 }
const REFUSED_MS = { first: 1_000, most: 30_000 }

export interface Turn {
  /** Its time has come; `waited`: not at once. It counts as under way until `settled`, and as open until `closed` is called. */
  go(waited: boolean): void
  /** The broker is away, or has no room: it will not be dialled. */
  fail(why: string): void
}

export interface DialLimits {
  readonly perSecond: number
  /** Connections that may be open at a time. */
  readonly budget: number
  /** Connections that may be in the middle of TLS and login: a broker that is slow at it gets no more, whatever the rate. */
  readonly underWay: number
}

export class DialQueue {
  readonly #perSecond: number
  readonly #budget: number
  readonly #mostUnderWay: number
  readonly #now: () => number
  #tokens: number
  #filledAtMs: number
  /** In order; it keeps its place when somebody leaves. */
  readonly #waiting = new Set<Turn>()
  #timer: NodeJS.Timeout | null = null
  #open = 0
  #underWay = 0
  #failures = 0
  #refusals = 0
  #shutUntilMs = 0
  #why = ''

  constructor({ perSecond, budget, underWay }: DialLimits, now: () => number = () => performance.now()) {
    this.#perSecond = perSecond
    this.#budget = budget
    this.#mostUnderWay = underWay
    this.#now = now
    this.#tokens = this.#most
    this.#filledAtMs = now()
  }

  get length(): number {
    return this.#waiting.size
  }
  /** Why one more has no place; null: it has one. */
  get full(): string | null {
    if (this.#open + this.#waiting.size >= this.#budget) return `the budget of ${this.#budget} connections to this broker is used up`
    return this.#waiting.size >= this.#perSecond * QUEUE_S ? `more than ${QUEUE_S} s of connections wait for this broker` : null
  }

  enter(turn: Turn): void {
    const { full } = this
    if (this.#now() < this.#shutUntilMs) turn.fail(this.#why)
    else if (full !== null) turn.fail(full)
    else if (this.#waiting.size === 0 && this.#take()) turn.go(false)
    else {
      this.#waiting.add(turn)
      this.#schedule()
    }
  }

  /** Who waited has gone. */
  leave(turn: Turn): void {
    this.#waiting.delete(turn)
  }

  /** A connection whose turn had come is ready, or will not be. */
  settled(): void {
    this.#underWay--
    if (this.#waiting.size > 0 && this.#timer === null) this.#next()
  }

  /** A connection whose turn had come is over. */
  closed(): void {
    this.#open--
  }

  reached(): void {
    this.#failures = 0
  }
  loggedIn(): void {
    this.#refusals = 0
  }

  /** No connection came about: nobody knocks for a moment, and those that wait are told. */
  away(why: string): void {
    if (this.#now() < this.#shutUntilMs) return
    this.#shut(why, AWAY_MS, this.#failures++)
  }

  /** Our own credentials were refused: knocking on could lock an account. */
  refused(why: string): void {
    if (this.#now() < this.#shutUntilMs) return
    this.#shut(why, REFUSED_MS, this.#refusals++)
  }

  /** Something has changed that may mend it. */
  open(): void {
    this.#shutUntilMs = 0
    this.#failures = this.#refusals = 0
  }

  #shut(why: string, { first, most }: { readonly first: number; readonly most: number }, before: number): void {
    this.#why = why
    this.#shutUntilMs = this.#now() + Math.min(first * 2 ** Math.min(before, 10), most) * (0.5 + Math.random() / 2)
    const turns = [...this.#waiting]
    this.#waiting.clear()
    for (const turn of turns) turn.fail(why)
  }

  get #most(): number {
    return Math.max(1, this.#perSecond * BURST_S)
  }

  #take(): boolean {
    const nowMs = this.#now()
    this.#tokens = Math.min(this.#most, this.#tokens + ((nowMs - this.#filledAtMs) / 1000) * this.#perSecond)
    this.#filledAtMs = nowMs
    if (this.#tokens < 1 || this.#underWay >= this.#mostUnderWay) return false
    this.#tokens--
    this.#underWay++
    this.#open++
    return true
  }

  /** Nothing to wait for while too many are under way: the next that settles makes room. */
  #schedule(): void {
    if (this.#underWay >= this.#mostUnderWay) return
    this.#timer ??= setTimeout(
      () => {
        this.#timer = null
        this.#next()
      },
      Math.max(1, (1 - this.#tokens) * (1000 / this.#perSecond)),
    )
  }

  #next(): void {
    for (const turn of this.#waiting) {
      if (!this.#take()) break
      this.#waiting.delete(turn)
      turn.go(true)
    }
    if (this.#waiting.size > 0) this.#schedule()
  }
}
