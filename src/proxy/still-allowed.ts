// Whether what is in flight is still allowed: judged again when the principal's rights have moved, before another byte of an answer leaves.

import { performance } from 'node:perf_hooks'
import { Counter } from '../base/counters.ts'
import { Stop } from './frame-reader.ts'
import { Refusal } from './requests.ts'
import type { Session } from './session.ts'

const UNDECIDED_MS = 1_000
const AGAIN_MS = 50

export class StillAllowed {
  readonly #session: Session
  #judgedEpoch = -1
  #settling = false

  constructor(session: Session) {
    this.#session = session
  }

  /** Other rights count from now on. */
  renew(): void {
    this.#judgedEpoch = -1
  }

  /**
   * May a byte of a response leave? False: this is not known yet (or the session is closed).
   * A verdict that was given before the principal's epoch moved is worth nothing any more.
   */
  check(): boolean {
    const { caller, pending } = this.#session
    if (caller === null) return false
    const { epoch } = caller.rights
    if (epoch === this.#judgedEpoch) return true
    const verdict = pending.stillAllowed()
    if (verdict === 'yes') this.#judgedEpoch = epoch
    else if (verdict === 'no') this.#lose()
    else this.#settle()
    return verdict === 'yes'
  }

  /** Called every round: a request may be out for long without a byte of its answer. */
  look(): void {
    if (this.#session.pending.size > 0 && !this.#settling) this.check()
  }

  #lose(): void {
    const session = this.#session
    session.count(Counter.rightsLost!)
    session.toClient.drop()
    session.close('rights lost', 'a request in flight is not allowed any more')
  }

  #settle(): void {
    if (this.#settling) return
    this.#settling = true
    this.#session.responses.stop(Stop.Ask)
    this.#ask(performance.now())
  }

  #ask(sinceMs: number): void {
    const session = this.#session
    if (session.closed) return
    session
      .caller!.rights.settle()
      .then(() => this.#again(sinceMs))
      .catch(error => session.fail(error))
  }

  #again(sinceMs: number): void {
    const session = this.#session
    if (session.closed) return
    const verdict = session.pending.stillAllowed()
    if (verdict === 'no') this.#lose()
    else if (verdict === 'yes') {
      this.#settling = false
      session.responses.go(Stop.Ask)
    } else if (performance.now() - sinceMs < UNDECIDED_MS) setTimeout(() => this.#ask(sinceMs), AGAIN_MS)
    else session.fail(new Refusal('undecided', 'whether a request in flight is still allowed could not be decided'))
  }
}
