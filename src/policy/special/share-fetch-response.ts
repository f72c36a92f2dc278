// The broker's response to ShareFetch on its way through: what was stopped goes first, brokers' addresses are replaced in its tail.

import { compileStream, type StreamProgram } from '../../protocol/stream-walk.ts'
import { i16, i32, MalformedError, size, uvarint } from '../../protocol/wire.ts'
import { Operation, Verdict } from '../authorizer.ts'
import type { Edition } from '../edition.ts'
import type { TopicTable } from '../fetch-session.ts'
import { fitEndpointList } from '../node-endpoints.ts'
import type { Caller, ResponseEdit, ResponseStream } from '../outcome.ts'
import type { ShareSession, ShareSessions } from '../share-session.ts'
import type { Grafts } from './fetch-response.ts'
import { KEY, RESPONSES_END, type ResponseShape, type StreamedEdit } from './fetch-stream.ts'

/** Size, correlation id, header tags, the fields before the topics and their count; an error's message is a sentence. */
const HEAD_BYTES = 2048

/** throttleTimeMs, errorCode, errorMessage, acquisitionLockTimeoutMs | responses | nodeEndpoints, tags */
export class ShareFetchResponses implements ResponseShape {
  readonly api = 'ShareFetch'
  readonly flexible = true
  readonly bodyAt = 9
  readonly headBytes = HEAD_BYTES
  readonly program: StreamProgram
  readonly fitTail = fitEndpointList
  readonly bareTailBytes = 2

  constructor(edition: Edition) {
    const marks = new Map([
      ['responses.topicId', KEY],
      ['responses[end]', RESPONSES_END],
    ])
    this.program = compileStream(edition.response, marks)
  }

  countAt(bytes: Buffer, at: number, end: number): number {
    const messageAt = at + 6
    if (messageAt >= end || (bytes[messageAt]! >= 128 && messageAt + 2 >= end)) return end
    const length = uvarint(bytes, messageAt)
    if (size > 2) throw new MalformedError('a message longer than the head of a response may be', messageAt)
    return messageAt + size + Math.max(0, length - 1) + 4
  }
}

/** One request's answer to be. */
export class ShareFetchEdit implements ResponseEdit, StreamedEdit {
  readonly frames = 1
  readonly caller: Caller
  readonly grafts: Grafts
  readonly #shape: ShareFetchResponses
  readonly #sessions: ShareSessions
  readonly #session: ShareSession
  readonly #table: TopicTable
  /** Number of the request in its session. */
  readonly #number: number

  constructor(
    shape: ShareFetchResponses,
    caller: Caller,
    sessions: ShareSessions,
    session: ShareSession,
    table: TopicTable,
    number: number,
    grafts: Grafts,
  ) {
    this.#shape = shape
    this.caller = caller
    this.#sessions = sessions
    this.#session = session
    this.#table = table
    this.#number = number
    this.grafts = grafts
  }

  whole([frame]: readonly Buffer[]): Buffer {
    const pieces: Buffer[] = []
    const complete = this.stream().push(frame!, 0, frame!.length, piece => pieces.push(piece))
    if (!complete) throw new MalformedError('ShareFetch response does not end with its frame', frame!.length)
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
  }

  stream(): ResponseStream {
    return this.#sessions.stream(this.#shape).begin(this)
  }

  stillAllowed(): 'yes' | 'no' | 'unknown' {
    const { rights, names } = this.caller
    let all: 'yes' | 'unknown' = 'yes'
    const still = (verdict: Verdict) => {
      if (verdict === Verdict.Unknown || verdict === Verdict.Undecided) all = 'unknown'
      return verdict !== Verdict.Refused
    }
    if (!still(rights.check(Operation.Read, names.current(this.#session.group)))) return 'no'
    for (const { name, lastSent } of this.#table.topics) {
      if (name !== null && lastSent >= this.#number && !still(rights.check(Operation.Read, names.current(name)))) return 'no'
    }
    return all
  }

  /** An error of the whole ends the session here: its client begins another. */
  headCame(frame: Buffer, at: number, count: number): boolean {
    const errorCode = i16(frame, at + 4)
    if (errorCode !== 0) this.#sessions.end(this.#session)
    const throttled = i32(frame, at) > 0 && count === 0
    return this.grafts.topics > 0 && errorCode === 0 && !throttled
  }

  mustBeAsked(bytes: Buffer, start: number, end: number): void {
    const topic = this.#table.find(bytes, start, end)
    if (topic === null || topic.lastSent < this.#number)
      throw new MalformedError('ShareFetch response brings a topic that was not asked for', start)
  }

  complete(): void {
    this.#session.passed(this.#number)
  }
}
