// A Fetch response on its way through: records are never copied, what was stopped goes first, the addresses in its tail are replaced.

import { countBytes } from '../../protocol/splice.ts'
import { compileStream, type StreamProgram, type StreamVisit, StreamWalk } from '../../protocol/stream-walk.ts'
import { i32, MalformedError, size, uvarint } from '../../protocol/wire.ts'
import type { Edition } from '../edition.ts'
import { fitNodeEndpoints } from '../node-endpoints.ts'
import type { AddressView, Caller, ResponseStream } from '../outcome.ts'
import type { Grafts } from './fetch-response.ts'

export const KEY = 0
export const RESPONSES_END = 1

/** Size, correlation id, header tags, throttleTimeMs, errorCode, sessionId and the count of `responses`, at their longest. */
const HEAD_BYTES = 24
/** A tail is a few addresses; a broker that announces more is not one. */
const MAX_TAIL_BYTES = 1 << 20
/** From here on the tail may carry addresses: KIP-951. */
const FIRST_WITH_ADDRESSES = 16

/** What the streams of one API and version share. */
export interface ResponseShape {
  readonly api: string
  readonly flexible: boolean
  readonly bodyAt: number
  /** All that stands before the topics, at its longest. */
  readonly headBytes: number
  /** Marks KEY and RESPONSES_END. */
  readonly program: StreamProgram
  /** Where the count of `responses` stands, in a body that begins at `at`; beyond `end`: it is not there yet. */
  countAt(bytes: Buffer, at: number, end: number): number
  /** What stands after the topics, in the same length, with our addresses; null: it carries none. */
  readonly fitTail: ((tail: Buffer, addresses: AddressView) => Buffer) | null
  /** Bytes of a tail that says nothing. */
  readonly bareTailBytes: number
}

/** The answer to be of one request. */
export interface StreamedEdit {
  readonly caller: Caller
  readonly grafts: Grafts
  /** The head is here: whether grafts go into it. @throws {MalformedError} */
  headCame(bytes: Buffer, bodyAt: number, count: number): boolean
  /** @throws {MalformedError} */
  mustBeAsked(bytes: Buffer, start: number, end: number): void
  complete(): void
}

export class FetchResponses implements ResponseShape {
  readonly api = 'Fetch'
  readonly version: number
  readonly flexible: boolean
  /** Versions from 7 say errorCode and sessionId at the top. */
  readonly hasSession: boolean
  readonly bodyAt: number
  readonly headBytes = HEAD_BYTES
  readonly program: StreamProgram
  readonly fitTail: ResponseShape['fitTail']
  readonly bareTailBytes = 1

  constructor(edition: Edition) {
    this.version = edition.version
    this.flexible = edition.flexible
    this.hasSession = edition.version >= 7
    this.bodyAt = edition.flexible ? 9 : 8
    this.fitTail = edition.version >= FIRST_WITH_ADDRESSES ? fitNodeEndpoints : null
    const key = edition.version >= 13 ? 'responses.topicId' : 'responses.topic'
    this.program = compileStream(
      edition.response,
      new Map([
        [key, KEY],
        ['responses[end]', RESPONSES_END],
      ]),
    )
  }

  /** throttleTimeMs, errorCode and sessionId stand before it. */
  countAt(_bytes: Buffer, at: number): number {
    return at + (this.hasSession ? 10 : 4)
  }
}

/**
 * One a connection and version, used again for each response:
 *
 *   | head … count | grafts | topics, as they come | tail, held if it may carry addresses |
 */
export class FetchStream implements ResponseStream {
  readonly responses: ResponseShape
  readonly #walk: StreamWalk
  #edit: StreamedEdit | null = null
  /** The head while it is not whole. */
  readonly #head: Buffer
  #headBytes = 0
  #inHead = true
  /** Offset into the body of what stands after `responses`; -1: not there yet. */
  #tailAt = -1
  #tail: Buffer | null = null
  #tailBytes = 0

  constructor(responses: ResponseShape) {
    this.responses = responses
    this.#head = Buffer.alloc(responses.headBytes)
    this.#walk = new StreamWalk(responses.program, this.#visit)
  }

  begin(edit: StreamedEdit): this {
    this.#edit = edit
    this.#headBytes = 0
    this.#inHead = true
    this.#tailAt = -1
    this.#tail = null
    return this
  }

  push(bytes: Buffer, start: number, end: number, send: (piece: Buffer) => void): boolean {
    let from = start
    let at = start
    if (this.#inHead) {
      at = this.#readHead(bytes, start, end, send)
      if (this.#inHead) return false
      // A head that came whole and stays as it is leaves with what follows it.
      from = this.#headBytes < 0 ? start : at
    }
    const before = this.#walk.at
    this.#walk.push(bytes, at, end)
    const { done } = this.#walk
    if (this.responses.fitTail === null || this.#tailAt < 0) {
      if (end > from) send(from === 0 && end === bytes.length ? bytes : bytes.subarray(from, end))
    } else this.#passTail(bytes, from, Math.max(at, at + this.#tailAt - before), end, send)
    if (done) this.#finish()
    return done
  }

  /** Returns where the body goes on behind the head. */
  #readHead(bytes: Buffer, start: number, end: number, send: (piece: Buffer) => void): number {
    if (this.#headBytes === 0) {
      const headEnd = this.#headEnd(bytes, start, end)
      if (headEnd > 0) {
        if (this.#headCame(bytes, start, headEnd, send)) this.#headBytes = 0
        else this.#headBytes = -1
        return headEnd
      }
    }
    const held = this.#headBytes
    const more = Math.min(end - start, this.#head.length - held)
    bytes.copy(this.#head, held, start, start + more)
    this.#headBytes += more
    const headEnd = this.#headEnd(this.#head, 0, this.#headBytes)
    if (headEnd < 0) {
      if (this.#headBytes === this.#head.length) throw new MalformedError(`the head of a ${this.responses.api} response is too long`, start)
      return end
    }
    if (!this.#headCame(this.#head, 0, headEnd, send)) send(Buffer.from(this.#head.subarray(0, headEnd)))
    return start + headEnd - held
  }

  /** Where the head ends that begins at `start`; -1: beyond `end`. */
  #headEnd(bytes: Buffer, start: number, end: number): number {
    const { flexible, bodyAt } = this.responses
    if (flexible && end > start + 8 && bytes[start + 8] !== 0)
      throw new MalformedError(`tags in the header of a ${this.responses.api} response`, start + 8)
    const countAt = this.responses.countAt(bytes, start + bodyAt, end)
    if (!flexible) return countAt + 4 <= end ? countAt + 4 : -1
    for (let p = countAt; p < end; p++) {
      if (bytes[p]! < 128) return p + 1
      if (p - countAt === 4) throw new MalformedError('varint longer than 5 bytes', countAt)
    }
    return -1
  }

  /** Follows the session and sends the head if grafts go into it; false: the head stays as it is. */
  #headCame(bytes: Buffer, start: number, headEnd: number, send: (piece: Buffer) => void): boolean {
    const { flexible, bodyAt } = this.responses
    const body = start + bodyAt
    const countAt = this.responses.countAt(bytes, body, headEnd)
    const count = flexible ? uvarint(bytes, countAt) - 1 : i32(bytes, countAt)
    const countWidth = flexible ? size : 4
    const sizeBytes = i32(bytes, start)
    this.#inHead = false
    this.#walk.start(sizeBytes + 4 - bodyAt)
    this.#walk.push(bytes, body, headEnd)
    const edit = this.#edit!
    if (!edit.headCame(bytes, body, count)) return false

    const { grafts } = edit
    const counted = countBytes(count + grafts.topics, flexible)
    const head = Buffer.allocUnsafe(countAt - start + counted.length + grafts.bytes.length)
    bytes.copy(head, 0, start, countAt)
    counted.copy(head, countAt - start)
    grafts.bytes.copy(head, countAt - start + counted.length)
    head.writeInt32BE(sizeBytes + counted.length - countWidth + grafts.bytes.length, 0)
    send(head)
    return true
  }

  /** From `tailFrom` on nothing leaves before it is whole: then it leaves in the same length, with our addresses. */
  #passTail(bytes: Buffer, from: number, tailFrom: number, end: number, send: (piece: Buffer) => void): void {
    const whole = this.#walk.sizeBytes - this.#tailAt
    if (whole === this.responses.bareTailBytes && end > tailFrom) {
      send(bytes.subarray(from, end))
      return
    }
    if (tailFrom > from) send(bytes.subarray(from, tailFrom))
    if (whole > MAX_TAIL_BYTES) throw new MalformedError(`${whole} bytes after the topics of a ${this.responses.api} response`, tailFrom)
    if (this.#tail === null) {
      this.#tail = Buffer.allocUnsafe(whole)
      this.#tailBytes = 0
    }
    bytes.copy(this.#tail, this.#tailBytes, tailFrom, end)
    this.#tailBytes += end - tailFrom
    if (this.#tailBytes === whole) send(this.responses.fitTail!(this.#tail, this.#edit!.caller.addresses))
  }

  #finish(): void {
    const edit = this.#edit!
    this.#edit = null
    this.#tail = null
    edit.complete()
  }

  readonly #visit: StreamVisit = (mark, bytes, start, end, at) => {
    if (mark === KEY) this.#edit!.mustBeAsked(bytes, start, end)
    else this.#tailAt = at
  }
}
