// The server's side of SASL: frames in, steps out; handshake, OAUTHBEARER tokens and re-authentication (KIP-43, KIP-152, KIP-368).
//
//   start ──ApiVersions ok──▶ versioned ──SaslHandshake──▶ token ──token ok──▶ done
//     └────────SaslHandshake──────────────────────────────▲  │ ▲                │
//                                       challenge answered ──┘ └─SaslHandshake──┘ (re-authentication)
//
// States, texts and order: SaslServerAuthenticator.java, OAuthBearerSaslServer.java, KafkaChannel.maybeBeginServerReauthentication (4.x).

import { apiKeyOf, apiVersionOf } from '../protocol/header.ts'
import { MalformedError } from '../protocol/wire.ts'
import { readInitialResponse } from './initial-response.ts'
import type { Principal, Verified } from './principal.ts'
import {
  API_VERSIONS,
  bareReply,
  defaultAnswer,
  ILLEGAL_SASL_STATE,
  lifetime,
  NO_BYTES,
  readRequest,
  respond,
  SASL_AUTHENTICATE,
  SASL_HANDSHAKE,
} from './sasl-frames.ts'

const UNSUPPORTED_SASL_MECHANISM = 33
const SASL_AUTHENTICATION_FAILED = 58
const MECHANISM = 'OAUTHBEARER'
/** KafkaChannel.MIN_REAUTH_INTERVAL_ONE_SECOND_NANOS. */
const REAUTH_INTERVAL_MS = 1000
/** What Kafka's own validator says of every token that it refuses; what is wrong with it stands in the log only. */
const CHALLENGE = '{"status":"invalid_token"}'

export interface SaslOptions {
  /** Judges a token; never rejects. */
  verify(token: string): Promise<Verified>
  /** The body of an ApiVersions answer (after the correlation id) for a whole request frame; its first two bytes are the error code. */
  apiVersions(frame: Buffer, apiVersion: number): Buffer
  /** No session lasts longer, however long its token does. */
  readonly sessionMaxMs: number
  /** How long a failure's answer and the close behind it are held back: `connection.failed.authentication.delay.ms`. */
  readonly failureDelayMs?: number
  /** Epoch ms. */
  now?(): number
  /**
   * The answer, with error 34, to a request that is none of SASL's in the middle of an exchange: a whole frame. Null: none is sent.
   * Left out: the API's answer with every field at its default, if it has an error code of its own.
   */
  illegalState?(frame: Buffer): Buffer | null
}

/** Who is logged in, and until when. */
export interface SaslSession {
  readonly principal: Principal
  /** Epoch ms: a frame that arrives later ends the connection, unless it begins a re-authentication. */
  readonly expiresAtMs: number
}

/** What the session is to do for one frame: wait, write, close, in this order. */
export interface SaslStep {
  /** A whole frame for the client (fresh memory), or null. */
  readonly reply: Buffer | null
  /** Reply and close wait this long; 0: at once. */
  readonly delayMs: number
  /** Close after the reply, counted under this cause; null: the connection goes on. */
  readonly close: null | 'login refused' | 'login undecided' | 'illegal SASL state' | 'sessionsExpired'
  /** A login or re-authentication that has just succeeded; also in `exchange.session`. */
  readonly session: SaslSession | null
  /** For the log: why it was refused or could not be decided. Never for the client. */
  readonly why: string | null
}

type State = 'start' | 'versioned' | 'token' | 'otherMechanism' | 'done' | 'closed'

/** The SASL exchange of one connection, for its whole life. Give it one frame at a time: the next only when the step is there. */
export class SaslExchange {
  /** Null until the first login has succeeded. During a re-authentication it is still the former one. */
  session: SaslSession | null = null
  /** The client's mechanism; null until it has named one that we speak. */
  mechanism: string | null = null
  #state: State = 'start'
  /** After SaslHandshake v0 tokens come and go as bare frames. */
  #bare = false
  #challenged = false
  #reauthAtMs = Number.NEGATIVE_INFINITY
  readonly #options: SaslOptions
  readonly #delayMs: number
  readonly #now: () => number

  constructor(options: SaslOptions) {
    this.#options = options
    this.#delayMs = options.failureDelayMs ?? 100
    this.#now = options.now ?? Date.now
  }

  /** No exchange is under way, and somebody is logged in: frames of other APIs are the session's own. */
  get idle(): boolean {
    return this.#state === 'done'
  }

  /** Is this frame for `take`? `apiKey` is not looked at while an exchange is under way: the next frame may have no header. */
  wants(apiKey: number): boolean {
    return this.#state !== 'done' || apiKey === SASL_HANDSHAKE || apiKey === SASL_AUTHENTICATE
  }

  /**
   * One frame (size included) that `wants` has claimed. Keeps nothing of it.
   * @throws {MalformedError}
   */
  take(frame: Buffer): SaslStep | Promise<SaslStep> {
    switch (this.#state) {
      case 'start':
      case 'versioned':
        return this.#opening(frame)
      case 'token':
        return this.#bare ? this.#bareToken(frame) : this.#tokenRequest(frame)
      case 'otherMechanism':
        return this.#end('login refused', null, 'another mechanism on re-authentication')
      case 'done':
        return this.#afterLogin(frame)
      default:
        return { ...NOTHING, close: 'illegal SASL state' }
    }
  }

  #opening(frame: Buffer): SaslStep {
    const apiKey = frame.length < 8 ? -1 : apiKeyOf(frame)
    if (apiKey === SASL_HANDSHAKE) return this.#handshake(frame, false)
    if (apiKey !== API_VERSIONS || this.#state !== 'start') return this.#close(`API key ${apiKey} before login`)
    if (frame.length < 14) throw new MalformedError('no request header', 8)
    const body = this.#options.apiVersions(frame, apiVersionOf(frame))
    if (body.readInt16BE(0) === 0) this.#state = 'versioned'
    const reply = Buffer.allocUnsafeSlow(8 + body.length)
    reply.writeInt32BE(4 + body.length, 0)
    frame.copy(reply, 4, 8, 12)
    body.copy(reply, 8)
    return { ...NOTHING, reply }
  }

  #handshake(frame: Buffer, again: boolean): SaslStep {
    const request = readRequest(frame, 'mechanism')
    if (request === null) return this.#close(`SaslHandshake version ${apiVersionOf(frame)}`)
    const mechanism = request.value.toString()
    const answer = (errorCode: number) => respond(request, { errorCode, mechanisms: [MECHANISM] })
    if (mechanism !== MECHANISM) {
      const why = `mechanism ${JSON.stringify(mechanism.slice(0, 64))} is not offered; only ${MECHANISM} is`
      // On re-authentication Kafka's network thread trips over the exception, and closes before anything is answered.
      return again ? this.#close(why, 'login refused') : this.#end('login refused', answer(UNSUPPORTED_SASL_MECHANISM), why)
    }
    this.#bare = request.apiVersion === 0
    this.#challenged = false
    this.#state = again && this.mechanism !== mechanism ? 'otherMechanism' : 'token'
    if (this.#state === 'token') this.mechanism = mechanism
    return { ...NOTHING, reply: answer(0) }
  }

  #bareToken(frame: Buffer): SaslStep | Promise<SaslStep> {
    return this.#evaluate(frame.subarray(4), bareReply, null)
  }

  #tokenRequest(frame: Buffer): SaslStep | Promise<SaslStep> {
    if (frame.length < 8 || apiKeyOf(frame) !== SASL_AUTHENTICATE) return this.#strange(frame)
    const request = readRequest(frame, 'authBytes')
    if (request === null) return this.#close(`SaslAuthenticate version ${apiVersionOf(frame)}`)
    const answer = (bytes: Buffer, lifetimeMs: number) =>
      respond(request, { errorCode: 0, errorMessage: '', authBytes: bytes, ...lifetime(request, lifetimeMs) })
    const fail = (errorMessage: string) =>
      respond(request, { errorCode: SASL_AUTHENTICATION_FAILED, errorMessage, authBytes: NO_BYTES, ...lifetime(request, 0) })
    return this.#evaluate(request.value, answer, fail)
  }

  /** OAuthBearerSaslServer.evaluateResponse. `fail` is null where a failure has no frame. */
  #evaluate(bytes: Buffer, answer: Reply, fail: ((text: string) => Buffer) | null): SaslStep | Promise<SaslStep> {
    if (this.#challenged && bytes.length === 1 && bytes[0] === 1) {
      return this.#end('login refused', fail === null ? null : fail(CHALLENGE), null)
    }
    this.#challenged = false
    const first = readInitialResponse(bytes)
    if (first === null) {
      const during = this.session === null ? 'authentication' : 're-authentication'
      const text = `Authentication failed during ${during} due to invalid credentials with SASL mechanism ${MECHANISM}`
      return this.#end('login refused', fail === null ? null : fail(text), 'not a client first message of OAUTHBEARER (RFC 7628 §3.1)')
    }
    return this.#options.verify(first.token).then(verified => {
      if (verified.kind === 'unavailable') return this.#end('login undecided', null, verified.why)
      if (verified.kind === 'refused') {
        this.#challenged = true
        return { ...NOTHING, reply: answer(Buffer.from(CHALLENGE), 0), why: verified.why }
      }
      const text = this.#objection(verified.principal, first.authzid)
      if (text !== null) return this.#end('login refused', fail === null ? null : fail(text), text)
      return this.#succeed(verified.principal, answer)
    })
  }

  /** What stands against a principal whose token is good, in Kafka's words; null: nothing. */
  #objection(principal: Principal, authzid: string): string | null {
    if (authzid !== '' && authzid !== principal.name && authzid !== principal.id) {
      return `Authentication failed: Client requested an authorization id (${authzid}) that is different from the token's principal name (${principal.name})`
    }
    const former = this.session?.principal
    if (former === undefined || former.id === principal.id) return null
    return `Cannot change principals during re-authentication from ${kafkaName(former)}: ${kafkaName(principal)}`
  }

  #succeed(principal: Principal, answer: Reply): SaslStep {
    const now = this.#now()
    const lifetimeMs = Math.max(0, Math.floor(Math.min(principal.expiresAtMs - now, this.#options.sessionMaxMs)))
    this.session = { principal, expiresAtMs: now + lifetimeMs }
    this.#state = 'done'
    return { ...NOTHING, reply: answer(NO_BYTES, lifetimeMs), session: this.session }
  }

  #afterLogin(frame: Buffer): SaslStep {
    const now = this.#now()
    const handshake = apiKeyOf(frame) === SASL_HANDSHAKE
    if (handshake && now - this.#reauthAtMs >= REAUTH_INTERVAL_MS) {
      this.#reauthAtMs = now
      return this.#handshake(frame, true)
    }
    if (now >= this.session!.expiresAtMs) return this.#close(null, 'sessionsExpired')
    const request = readRequest(frame, handshake ? 'mechanism' : 'authBytes')
    if (request === null) return this.#close(`API key ${apiKeyOf(frame)} version ${apiVersionOf(frame)}`)
    const errorCode = ILLEGAL_SASL_STATE
    if (handshake) return { ...NOTHING, reply: respond(request, { errorCode, mechanisms: [] }) }
    const errorMessage = 'SaslAuthenticate request received after successful authentication'
    return { ...NOTHING, reply: respond(request, { errorCode, errorMessage, authBytes: NO_BYTES, ...lifetime(request, 0) }) }
  }

  #strange(frame: Buffer): SaslStep {
    const reply = (this.#options.illegalState ?? defaultAnswer)(frame)
    const why = `API key ${frame.length < 8 ? -1 : apiKeyOf(frame)} in the middle of a SASL exchange`
    return this.#end('illegal SASL state', reply, why)
  }

  /** An authentication failure: the answer, if any, and the close are paced. */
  #end(close: SaslStep['close'], reply: Buffer | null, why: string | null): SaslStep {
    this.#state = 'closed'
    return { reply, delayMs: this.#delayMs, close, session: null, why }
  }

  /** No authentication failure, only a client that speaks out of turn: closed at once, without a word. */
  #close(why: string | null, close: SaslStep['close'] = 'illegal SASL state'): SaslStep {
    this.#state = 'closed'
    return { ...NOTHING, close, why }
  }
}

type Reply = (bytes: Buffer, lifetimeMs: number) => Buffer
const NOTHING: SaslStep = { reply: null, delayMs: 0, close: null, session: null, why: null }

const kafkaName = (principal: Principal): string => `${principal.type === 'user' ? 'User' : 'Service'}.${principal.name}`
