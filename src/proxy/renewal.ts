// Logs in again on the broker's side before its session ends, between two requests and in their order (KIP-368).

import { performance } from 'node:perf_hooks'
import { type BrokerLogin, LoginRefused } from '../auth/broker-login.ts'
import { Counter } from '../base/counters.ts'
import type { ResponseEdit } from '../policy/outcome.ts'
import { Stop } from './frame-reader.ts'
import type { Session } from './session.ts'

/** Part of a session's life after which it is renewed: between these, so that not all renew at once. */
const EARLIEST = 0.8
const LATEST = 0.9
/** Brokers take no two logins within a second (KafkaChannel.MIN_REAUTH_INTERVAL_ONE_SECOND_NANOS). */
const LEAST_MS = 1_100
/** A token that could not be had is asked for again. */
const RETRY_MS = 2_000
/** Clocks differ, and a login takes its time. */
const TOKEN_SLACK_MS = 5_000
/** For the answers that are owed first, and the login behind them. */
const DONE_MS = 60_000
const NOTHING = Buffer.alloc(0)
const MAX_TIMER_MS = 2 ** 31 - 1

export class Renewal {
  readonly #session: Session
  readonly #open: () => Promise<BrokerLogin | null>
  #timer: NodeJS.Timeout | undefined
  /** Begins at the next end of a request. */
  #wanted: BrokerLogin | null = null
  #lastAtMs = 0

  /** @param open the login that is wanted now */
  constructor(session: Session, open: () => Promise<BrokerLogin | null>) {
    this.#session = session
    this.#open = open
  }

  /** A login has succeeded just now. @param lifetimeMs 0: it lasts */
  loggedIn(lifetimeMs: number): void {
    this.#lastAtMs = performance.now()
    if (lifetimeMs > 0 && !this.#endsWithToken(lifetimeMs)) this.#in(lifetimeMs * (EARLIEST + Math.random() * (LATEST - EARLIEST)))
  }

  /** The client has a newer token. */
  soon(): void {
    this.#in(0)
  }

  drop(): void {
    clearTimeout(this.#timer)
    this.#wanted = null
  }

  /** A request that was passed on piece by piece has ended: something may be said between it and the next. */
  boundary(): void {
    const login = this.#wanted
    if (login === null) return
    this.#wanted = null
    this.#begin(login)
  }

  /** The client's own token is the login, and ends it: only a newer one, from the client, makes it longer. */
  #endsWithToken(lifetimeMs: number): boolean {
    const { gate, caller } = this.#session
    return gate.dialer.upstream.passesThrough && caller!.rights.principal.expiresAtMs - Date.now() < lifetimeMs + TOKEN_SLACK_MS
  }

  #in(waitMs: number): void {
    clearTimeout(this.#timer)
    const leastMs = this.#lastAtMs + LEAST_MS - performance.now()
    this.#timer = setTimeout(() => void this.#prepare(), Math.min(Math.max(waitMs, leastMs), MAX_TIMER_MS))
  }

  async #prepare(): Promise<void> {
    const session = this.#session
    let login: BrokerLogin | null
    try {
      login = await this.#open()
    } catch {
      // The session that is there lasts a while; the broker ends it if this does not work out.
      if (!session.closed) this.#in(RETRY_MS)
      return
    }
    if (session.closed || login === null) return
    this.#wanted = login
    if (!session.requests.streaming) this.boundary()
  }

  #begin(login: BrokerLogin): void {
    this.#session.requests.stop(Stop.Renew)
    this.#timer = setTimeout(() => this.#session.close('broker login failed', `not renewed within ${DONE_MS} ms`), DONE_MS)
    this.#say(login, login.begin())
  }

  #say(login: BrokerLogin, frame: Buffer): void {
    const { pending, toBroker } = this.#session
    pending.asked(login.apiKey, 0, login.correlationId, new LoginAnswer(answer => this.#answered(login, answer)))
    toBroker.put(frame)
  }

  #answered(login: BrokerLogin, answer: Buffer): void {
    const session = this.#session
    login.take(answer).then(
      next => {
        if (session.closed) return
        if (next !== null) this.#say(login, next)
        else {
          clearTimeout(this.#timer)
          this.loggedIn(login.lifetimeMs)
          session.requests.go(Stop.Renew)
        }
      },
      (error: Error) => {
        if (error instanceof LoginRefused && !session.closed) session.count(Counter.brokerLoginsRefused!)
        session.close('broker login failed', error.message)
      },
    )
  }
}

/** What the broker says to the login, in its turn in the order book: nothing of it is for the client. */
class LoginAnswer implements ResponseEdit {
  readonly frames = 1
  readonly #take: (frame: Buffer) => void
  constructor(take: (frame: Buffer) => void) {
    this.#take = take
  }
  whole(frames: readonly Buffer[]): Buffer {
    this.#take(Buffer.from(frames[0]!))
    return NOTHING
  }
  stream(): null {
    return null
  }
}
