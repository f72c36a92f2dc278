// The login of one session: carries frames to the SASL exchange and its steps back, in their turn.

import { SaslExchange, type SaslStep } from '../auth/sasl.ts'
import { Counter } from '../base/counters.ts'
import { Stop } from './frame-reader.ts'
import type { Session } from './session.ts'

export class Login {
  readonly sasl: SaslExchange
  /** The client's last token that was accepted, where it logs in at brokers too. */
  token: string | null = null
  readonly #session: Session
  /** The refusal under way has been counted and logged when its reason was known: the client still has to acknowledge it. */
  #told = false

  constructor(session: Session) {
    const { gate, listener, offer, client } = session
    this.#session = session
    this.sasl = new SaslExchange({
      verify: async token => {
        const verified = await gate.verify(token, listener, client.certificate)
        if (verified.kind === 'principal' && gate.dialer.upstream.passesThrough) this.token = token
        return verified
      },
      apiVersions: (frame, apiVersion) => {
        session.nameSoftware(frame)
        return offer.answer(frame, apiVersion, false)
      },
      sessionMaxMs: gate.limits.sessionMaxMs,
    })
  }

  /** One frame that the exchange wants. Reading stops until its step is done. */
  take(frame: Buffer): void {
    const session = this.#session
    if (session.client.id === null && frame.length >= 14) session.nameClient(frame, 0, frame.length)
    const step = this.sasl.take(frame)
    if (!(step instanceof Promise)) {
      this.#pace(step)
      return
    }
    session.requests.stop(Stop.Login)
    step
      .then(known => {
        if (!session.closed) this.#pace(known)
      })
      .catch(error => session.fail(error))
  }

  #pace(step: SaslStep): void {
    if (step.delayMs === 0) {
      this.#do(step)
      return
    }
    this.#session.requests.stop(Stop.Login)
    setTimeout(() => {
      try {
        if (!this.#session.closed) this.#do(step)
      } catch (error) {
        this.#session.fail(error)
      }
    }, step.delayMs)
  }

  #do(step: SaslStep): void {
    const session = this.#session
    this.#tell(step)
    if (step.reply !== null) session.answer(step.reply)
    if (step.session !== null) session.begin(step.session)
    if (step.close !== null) session.finish(step.close, step.why ?? '')
    session.requests.go(Stop.Login)
  }

  #tell(step: SaslStep): void {
    const session = this.#session
    switch (step.close) {
      case 'login undecided':
        session.count(Counter.loginsUndecided!)
        break
      case 'sessionsExpired':
        session.count(Counter.sessionsExpired!)
        break
      case 'illegal SASL state':
        session.count(Counter.closedApi!)
        break
      default:
        if ((step.close === null && step.why === null) || this.#told) {
          this.#told = false
          return
        }
        session.count(Counter.loginsRefused!)
        session.gate.log.loginRefused(session.client, step.why ?? '')
        this.#told = step.close === null
    }
  }
}
