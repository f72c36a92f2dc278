// From client to broker: finds each request, has it judged, and passes on, in one write a read, what may go.

import { Counter } from '../base/counters.ts'
import { NONE, type Plan, type RequestStream, type ResponseEdit } from '../policy/outcome.ts'
import { i16, i32, MalformedError } from '../protocol/wire.ts'
import type { Block } from './buffers.ts'
import { FrameReader, Stop } from './frame-reader.ts'
import { REQUEST } from './held.ts'
import { Holding } from './holding.ts'
import { foreignIn } from './not-kafka.ts'
import type { Session } from './session.ts'

const LOGIN_FRAME_BYTES = 256 * 1024
/** Key, version, correlation id and the length of the client id. */
const HEADER_BYTES = 10
const API_VERSIONS = 18
/** A request is passed on while it arrives only if it is worth it, and once so much of it is here that its names should be. */
const STREAM_BYTES = 64 * 1024
const STREAM_HEAD_BYTES = 2048
/** A frame may have to wait for a topic id, and then for the verdict on its topic. */
const MAX_WAITS = 2

export class Requests extends FrameReader {
  readonly holding: Holding
  readonly #session: Session
  #stream: RequestStream | null = null
  #streamTried = false
  #left = 0
  /** Of the principal when the stream was last judged. */
  #streamEpoch = -1
  #waits = 0

  constructor(session: Session) {
    super()
    this.#session = session
    this.holding = new Holding(session, this, REQUEST)
  }

  /** A request has been passed on in part: nothing else may be written to the broker before its end. */
  get streaming(): boolean {
    return this.#stream !== null
  }

  protected override arrived(count: number): void {
    this.#session.arrived(Counter.bytesFromClients!, count)
  }

  protected override scan(bytes: Buffer, block: Block | null, start: number, end: number): number {
    const session = this.#session
    session.toBroker.begin()
    session.toClient.begin()
    let at = start
    try {
      at = this.#walk(bytes, block, start, end)
    } catch (error) {
      session.leave() // what came before it was in order
      session.fail(error)
      return end
    }
    session.flush()
    return at
  }

  #walk(bytes: Buffer, block: Block | null, start: number, end: number): number {
    let at = start
    while (this.stopped === 0 && at < end) {
      if (this.#stream !== null) {
        if (this.#mayPassOn(this.#stream)) at = this.#passOn(bytes, block, at, end)
        continue
      }
      if (end - at < 4) {
        this.needBytes = 4
        break
      }
      const wholeBytes = this.#sizeAt(bytes, at) + 4
      if (end - at >= wholeBytes) {
        this.holding.end()
        this.#streamTried = false
        at = this.#take(bytes, block, at, wholeBytes)
        continue
      }
      this.needBytes = wholeBytes
      if (!this.#begin(bytes, at, end, wholeBytes)) break
    }
    return at
  }

  /** The size of the frame at `at`, its 4 bytes not counted. */
  #sizeAt(bytes: Buffer, at: number): number {
    const sizeBytes = i32(bytes, at)
    const limit = this.#session.loggedIn ? this.#session.gate.limits.requestBytes : LOGIN_FRAME_BYTES
    if (sizeBytes >= 0 && sizeBytes <= limit) return sizeBytes
    const foreign = foreignIn(bytes, at)
    if (foreign === 'TLS') throw new Refusal('tlsOnPlainPort', 'the client speaks TLS on a plain port')
    if (foreign !== null) throw new Refusal('notKafka', `the client does not speak Kafka, but ${foreign}`)
    throw new Refusal('oversized', `a frame of ${sizeBytes} bytes; the limit is ${limit}`)
  }

  /** One whole frame. Returns where the next one begins; its own start if it must wait. */
  #take(bytes: Buffer, block: Block | null, at: number, wholeBytes: number): number {
    const session = this.#session
    const next = at + wholeBytes
    const apiKey = i16(bytes, at + 4)
    if (session.sasl.wants(apiKey)) {
      if (wholeBytes > 4 + LOGIN_FRAME_BYTES) throw new Refusal('oversized', `a frame of SASL of ${wholeBytes} bytes`)
      session.login.take(bytes.subarray(at, next))
      this.#bound()
      return next
    }
    this.#admit(bytes, at, wholeBytes)
    const apiVersion = i16(bytes, at + 6)
    const correlationId = i32(bytes, at + 8)
    if (apiKey === API_VERSIONS) {
      session.answerApiVersions(bytes.subarray(at, next), apiVersion)
      this.#bound()
      return next
    }
    const plan = session.planFor(apiKey, apiVersion)
    session.caller!.concerns(apiKey, apiVersion, correlationId)
    const frame = at === 0 && next === bytes.length ? bytes : bytes.subarray(at, next)
    const outcome = plan.judge(frame, session.caller!, this.#waits >= MAX_WAITS)
    if (outcome.kind === 'wait') {
      this.#wait(outcome.ready, wholeBytes)
      return at
    }
    this.#waits = 0
    session.count(Counter.requestsJudged!)
    if (outcome.kind === 'close') {
      session.finish(outcome.cause)
      return next
    }
    if (outcome.kind === 'answer') {
      session.count(Counter.requestsAnswered!)
      if (outcome.frame !== null) session.answer(outcome.frame)
      this.#bound()
    } else {
      session.count(Counter.requestsForwarded!)
      if (outcome.frames === null) session.toBroker.pass(bytes, block, at, next)
      else for (const frame of outcome.frames) session.toBroker.put(frame)
      this.#expect(apiKey, apiVersion, correlationId, outcome.response)
      this.#bound()
    }
    if (outcome.thenClose) session.finish('answered by closing')
    return next
  }

  /** What holds for every request that is not SASL's. @throws */
  #admit(bytes: Buffer, at: number, wholeBytes: number): void {
    const session = this.#session
    if (wholeBytes < 4 + HEADER_BYTES) throw new MalformedError('a frame shorter than its header', at)
    if (session.expired) throw new Refusal('sessionsExpired', 'the session has expired', true)
    if (session.client.id === null) session.nameClient(bytes, at, wholeBytes)
  }

  #expect(apiKey: number, apiVersion: number, correlationId: number, response: ResponseEdit | null | typeof NONE): void {
    if (response === NONE) this.#session.pending.quiet(correlationId)
    else this.#session.pending.asked(apiKey, apiVersion, correlationId, response)
  }

  #bound(): void {
    if (this.#session.pending.size >= this.#session.gate.limits.inFlight) this.stop(Stop.InFlight)
  }

  #wait(ready: Promise<void>, wholeBytes: number): void {
    this.needBytes = wholeBytes
    this.#waits++
    this.stop(Stop.Wait)
    ready.then(
      () => this.go(Stop.Wait),
      error => this.#session.fail(error),
    )
  }

  /** A frame that is not whole yet. True: it is passed on while it arrives; false: it is held. */
  #begin(bytes: Buffer, at: number, end: number, wholeBytes: number): boolean {
    const { sasl, loggedIn } = this.#session
    const large = wholeBytes > STREAM_BYTES && !this.#streamTried && loggedIn
    if (large && end - at < HEADER_BYTES + 4) return this.#gather(HEADER_BYTES + 4)
    const apiKey = large ? i16(bytes, at + 4) : API_VERSIONS
    if (large && apiKey !== API_VERSIONS && !sasl.wants(apiKey)) {
      this.#admit(bytes, at, end - at)
      const plan = this.#session.planFor(apiKey, i16(bytes, at + 6))
      if (plan.stream !== undefined) {
        if (end - at < STREAM_HEAD_BYTES) return this.#gather(STREAM_HEAD_BYTES)
        this.holding.end()
        this.#streamTried = true
        if (this.#startStream(plan, bytes, at, end, wholeBytes)) return true
      }
    }
    this.holding.begin(wholeBytes)
    return false
  }

  /** So much of a frame must be here before anything can be said of it. */
  #gather(headBytes: number): false {
    this.needBytes = headBytes
    this.holding.begin(headBytes)
    return false
  }

  #startStream(plan: Plan, bytes: Buffer, at: number, end: number, wholeBytes: number): boolean {
    const session = this.#session
    const correlationId = i32(bytes, at + 8)
    session.caller!.concerns(plan.apiKey, plan.apiVersion, correlationId)
    const stream = plan.stream!(bytes.subarray(at, end), session.caller!)
    if (stream === null) return false
    this.#stream = stream
    this.#streamEpoch = session.caller!.rights.epoch
    this.#left = wholeBytes
    session.count(Counter.requestsJudged!)
    session.count(Counter.requestsForwarded!)
    this.#expect(plan.apiKey, plan.apiVersion, correlationId, stream.response)
    return true
  }

  /** Rights may be lost while a request is on its way. False: this is not known yet, and is asked. @throws {Refusal} they are lost */
  #mayPassOn(stream: RequestStream): boolean {
    const { rights } = this.#session.caller!
    const { epoch } = rights
    if (epoch === this.#streamEpoch) return true
    const verdict = stream.stillAllowed?.() ?? 'yes'
    if (verdict === 'no') throw new Refusal('rightsLost', 'a request on its way is not allowed any more')
    if (verdict === 'unknown') {
      if (this.#waits >= MAX_WAITS) throw new Refusal('undecided', 'whether a request on its way is still allowed could not be decided')
      this.#wait(rights.settle(), 1)
      return false
    }
    this.#waits = 0
    this.#streamEpoch = epoch
    return true
  }

  #passOn(bytes: Buffer, block: Block | null, at: number, end: number): number {
    const count = Math.min(this.#left, end - at)
    const granted = this.#stream!.push(bytes, at, at + count)
    if (granted < count) throw new MalformedError('a streamed request did not pass its walk', at)
    this.#session.toBroker.pass(bytes, block, at, at + count)
    this.#left -= count
    if (this.#left === 0) {
      this.#stream = null
      this.#streamTried = false
      this.#bound()
      this.#session.broker.renewal?.boundary()
    }
    return at + count
  }
}

/** Ends a connection for a cause that is counted: neither malformed nor a bug. */
export class Refusal extends Error {
  readonly counter:
    | 'notKafka'
    | 'tlsOnPlainPort'
    | 'oversized'
    | 'closedApi'
    | 'sessionsExpired'
    | 'undecided'
    | 'heldBytesRefused'
    | 'rightsLost'
    | 'unknownTopicInResponse'
  /** What the client is owed is delivered first. */
  readonly owed: boolean
  constructor(counter: Refusal['counter'], detail: string, owed = false) {
    super(detail)
    this.counter = counter
    this.owed = owed
  }
}
