// One client, one broker connection, and what passes between them, from accept to close.

import type { Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import type { SaslExchange, SaslSession } from '../auth/sasl.ts'
import { clock } from '../base/clock.ts'
import { Counter } from '../base/counters.ts'
import type { Rights } from '../policy/authorizer.ts'
import { type Plan, UndecidedError } from '../policy/outcome.ts'
import { MalformedError } from '../protocol/wire.ts'
import { BrokerSide } from './broker-side.ts'
import { SessionCaller } from './caller.ts'
import { clientIdOf, softwareOf } from './client-facts.ts'
import { Stop } from './frame-reader.ts'
import type { ClientFacts, Gate, ListenerView, Offer } from './gate.ts'
import { BEFORE_LOGIN, shareOf } from './held.ts'
import { Login } from './login.ts'
import { Outlet } from './outlet.ts'
import { Pending } from './pending.ts'
import { Refusal, Requests } from './requests.ts'
import { Responses } from './responses.ts'
import type { Sessions } from './sessions.ts'
import { StillAllowed } from './still-allowed.ts'

const OWED_MS = 30_000

/**
 *   accept → login → dial → requests and responses → finish (what is owed is delivered) → closed
 *                                                  → close at once: malformed, lost, rights lost
 */
export class Session {
  readonly sessions: Sessions
  readonly gate: Gate
  readonly listener: ListenerView
  readonly nodeId: number
  readonly offer: Offer
  readonly client: ClientFacts
  readonly requests: Requests
  readonly responses: Responses
  readonly toClient = new Outlet(this)
  readonly toBroker = new Outlet(this)
  readonly pending = new Pending()
  readonly login: Login
  readonly broker = new BrokerSide(this)
  readonly stillAllowed = new StillAllowed(this)
  /** Whose share of the held bytes this session's frames count in. */
  share = BEFORE_LOGIN
  caller: SessionCaller | null = null
  closed = false
  #expiresAtMs = Number.POSITIVE_INFINITY
  #read = true
  readonly #acceptedAtMs: number
  #quietSinceMs: number
  #finishing: string | null = null
  #finishByMs = 0
  #ended = false

  constructor(sessions: Sessions, listener: ListenerView, nodeId: number, offer: Offer, client: ClientFacts) {
    this.sessions = sessions
    this.gate = sessions.gate
    this.listener = listener
    this.nodeId = nodeId
    this.offer = offer
    this.client = client
    this.#acceptedAtMs = this.#quietSinceMs = performance.now()
    this.requests = new Requests(this)
    this.responses = new Responses(this)
    this.login = new Login(this)
    sessions.add(this)
    this.count(Counter.connectionsOpened!)
  }

  /** Serves the client on a socket that reads into `requests`. */
  serve(socket: Socket): void {
    this.toClient.socket = socket
    this.requests.socket = socket
    socket.on('drain', () => this.drained(Stop.ClientFull))
    socket.on('end', () => this.close('client closed'))
    socket.on('error', () => this.close('client lost'))
    socket.on('close', () => this.close('client closed'))
    socket.resume()
  }

  get sasl(): SaslExchange {
    return this.login.sasl
  }
  get loggedIn(): boolean {
    return this.caller !== null
  }
  get expired(): boolean {
    return clock.nowMs >= this.#expiresAtMs
  }

  count(counter: number): void {
    this.gate.counters[counter]!++
  }

  /** Bytes have been read: one look at the clock for all that they bring. */
  arrived(counter: number, count: number): void {
    clock.tick()
    this.#read = true
    this.gate.counters[counter]! += count
  }

  /** A login or re-authentication has succeeded. Requests behind it are judged by the new rights. */
  begin({ principal, expiresAtMs }: SaslSession): void {
    const { gate, listener, client } = this
    const rights: Rights = gate.authorizer.rights(principal, { listener: listener.name, address: client.address })
    this.#expiresAtMs = expiresAtMs
    this.stillAllowed.renew()
    this.share = shareOf(principal.id)
    this.count(Counter.loginsAccepted!)
    if (this.caller !== null) {
      this.caller.rights = rights
      if (gate.dialer.upstream.passesThrough) this.broker.renewal?.soon()
      return
    }
    this.caller = new SessionCaller(this, rights)
    gate.log.loggedIn(client, principal)
    this.broker.dial()
  }

  /** The plan of an API and version that was offered. @throws {Refusal} as a broker does, what is not offered is closed */
  planFor(apiKey: number, apiVersion: number): Plan {
    const plan = this.offer.serves(apiKey, apiVersion) ? this.sessions.planFor(apiKey, apiVersion) : null
    if (plan === null) throw new Refusal('closedApi', `API key ${apiKey} version ${apiVersion} is not offered`)
    return plan
  }

  /** A frame for the client, in its turn. */
  answer(frame: Buffer): void {
    if (this.pending.size > 0) this.pending.answered(frame)
    else this.toClient.put(frame)
    this.pressure()
  }

  answerApiVersions(request: Buffer, apiVersion: number): void {
    const body = this.offer.answer(request, apiVersion, true)
    this.nameSoftware(request)
    const frame = Buffer.allocUnsafeSlow(8 + body.length)
    frame.writeInt32BE(4 + body.length, 0)
    request.copy(frame, 4, 8, 12)
    body.copy(frame, 8)
    this.answer(frame)
  }

  /** The oldest request has got its response: answers of ours behind it have their turn now. */
  answered(): void {
    const { pending } = this
    while (pending.answerIsNext) this.toClient.put(pending.shift() as Buffer)
    if (pending.size < this.gate.limits.inFlight) this.requests.go(Stop.InFlight)
  }

  callerConcernsOldest(): void {
    const { pending } = this
    this.caller!.concerns(pending.apiKey, pending.apiVersion, pending.correlationId)
  }

  /** Everything that one read brought leaves. */
  flush(): void {
    this.toBroker.end()
    this.toClient.end()
    this.pressure()
    if (this.#finishing !== null && this.pending.size === 0) this.#end()
  }

  /** What has been said so far leaves before anything else happens. */
  leave(): void {
    this.toBroker.leave()
    this.toClient.leave()
  }

  /** No more requests are read; what the client is owed is delivered, then both sides close. */
  finish(cause: string, detail = ''): void {
    if (this.closed || this.#finishing !== null) return
    this.#finishing = cause
    this.#finishByMs = this.sessions.nowMs + OWED_MS
    this.requests.stop(Stop.Closing)
    this.requests.holding.end()
    this.gate.log.closed(this.client, this.caller?.rights.principal ?? null, cause, detail)
    if (this.pending.size === 0) this.flush()
  }

  /** What was thrown ends this connection, never the process. */
  fail(error: unknown): void {
    if (this.closed) return
    const about = this.caller === null ? '' : ` (${describe(this.caller)})`
    if (error instanceof Refusal) {
      this.count(Counter[error.counter]!)
      if (error.owed) this.finish(error.counter, error.message)
      else this.close(error.counter, error.message)
    } else if (error instanceof MalformedError) {
      this.count(Counter.malformed!)
      this.close('malformed', error.message + about)
    } else if (error instanceof UndecidedError) {
      this.close('undecided', `what a response may show could not be decided${about}`)
    } else {
      this.count(Counter.bugs!)
      this.close('bug', (error instanceof Error ? (error.stack ?? error.message) : String(error)) + about)
    }
  }

  /** Ends both sides now. */
  close(cause: string, detail = ''): void {
    if (this.closed) return
    this.closed = true
    this.sessions.delete(this)
    this.count(Counter.connectionsClosed!)
    if (this.#finishing === null) this.gate.log.closed(this.client, this.caller?.rights.principal ?? null, cause, detail)
    this.requests.holding.end()
    this.responses.holding.end()
    this.leave()
    this.toClient.socket?.pause()
    this.toClient.socket?.destroy()
    this.requests.drop()
    this.broker.close()
    this.responses.drop()
    this.pending.drop()
  }

  /** Called every round, for what is late or idle. */
  look(nowMs: number): void {
    if (this.#read) this.#quietSinceMs = nowMs
    else {
      this.requests.rest()
      this.responses.rest()
    }
    this.#read = false
    const { limits } = this.gate
    const late = this.requests.holding.late(nowMs) ?? this.responses.holding.late(nowMs)
    if (late !== null) this.fail(new Refusal('heldBytesRefused', late))
    else if (this.#finishing !== null) {
      if (nowMs >= this.#finishByMs) this.close(this.#finishing)
    } else if (this.caller === null) {
      if (nowMs - this.#acceptedAtMs > limits.loginTimeMs) this.close('login too slow')
    } else if (nowMs - this.#quietSinceMs > limits.idleMs) this.close('idle')
    else if (this.broker.hasGone(nowMs)) this.brokerEnded('broker lost', 'it owes an answer, and gives the gate no word either')
    else if (this.caller.isBlocked) this.close('blocked', 'the principal is blocked on the cluster')
    else this.stillAllowed.look()
  }

  nameClient(bytes: Buffer, at: number, wholeBytes: number): void {
    this.client.id = clientIdOf(bytes, at, at + wholeBytes)
  }
  nameSoftware(request: Buffer): void {
    this.client.software ??= softwareOf(request)
  }

  /** The broker's side has ended: what it has sent is delivered, more will not come. */
  brokerEnded(cause: string, detail = ''): void {
    if (this.closed || this.#ended) return
    this.count(Counter.brokerClosed!)
    this.pending.drop()
    this.finish(cause, detail)
    this.#end()
  }

  /** The client's part of what has been read is written out, then both sockets close. */
  #end(): void {
    if (this.#ended || this.closed) return
    this.#ended = true
    this.toClient.leave()
    const client = this.toClient.socket
    const done = () => this.close(this.#finishing ?? 'closed')
    if (client === null || client.destroyed) done()
    else client.end(done)
  }

  /** A socket has room again. */
  drained(reason: number): void {
    const outlet = reason === Stop.ClientFull ? this.toClient : this.toBroker
    outlet.full = false
    if (this.closed) return
    this.requests.go(reason)
    if (reason === Stop.ClientFull) this.responses.go(reason)
  }

  /** Who does not take what is written for him must not make us read more of it. */
  pressure(): void {
    if (this.closed) return
    if (this.toClient.full) {
      this.requests.stop(Stop.ClientFull)
      this.responses.stop(Stop.ClientFull)
    }
    if (this.toBroker.full) this.requests.stop(Stop.BrokerFull)
  }
}

const describe = (caller: SessionCaller): string => {
  const { apiKey, apiVersion, correlationId } = caller.request
  return `API key ${apiKey} version ${apiVersion}, correlation id ${correlationId}`
}
