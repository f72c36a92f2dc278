// The broker's response to Fetch: what was stopped is put in front, the session is followed, addresses of brokers are replaced.

import { i16, i32, MalformedError } from '../../protocol/wire.ts'
import { Operation, Verdict } from '../authorizer.ts'
import { FetchSession, type TopicTable } from '../fetch-session.ts'
import type { Caller, ResponseEdit, ResponseStream } from '../outcome.ts'
import type { FetchSessions } from './fetch-sessions.ts'
import type { FetchResponses } from './fetch-stream.ts'

export interface Grafts {
  readonly bytes: Buffer
  readonly topics: number
}

/** One request's answer to be. */
export class FetchEdit implements ResponseEdit {
  readonly frames = 1
  readonly responses: FetchResponses
  readonly caller: Caller
  readonly #sessions: FetchSessions
  readonly table: TopicTable
  /** The session that the request belonged to; null: it was a full fetch. */
  readonly #session: FetchSession | null
  /** Number of the request in its session. */
  readonly number: number
  readonly grafts: Grafts
  /** The broker was asked to begin a session. */
  readonly #begins: boolean

  constructor(
    responses: FetchResponses,
    caller: Caller,
    sessions: FetchSessions,
    table: TopicTable,
    session: FetchSession | null,
    number: number,
    grafts: Grafts,
    begins: boolean,
  ) {
    this.responses = responses
    this.caller = caller
    this.#sessions = sessions
    this.table = table
    this.#session = session
    this.number = number
    this.grafts = grafts
    this.#begins = begins
  }

  whole([frame]: readonly Buffer[]): Buffer {
    const pieces: Buffer[] = []
    const complete = this.stream().push(frame!, 0, frame!.length, piece => pieces.push(piece))
    if (!complete) throw new MalformedError('Fetch response does not end with its frame', frame!.length)
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
  }

  stream(): ResponseStream {
    return this.#sessions.stream(this.responses).begin(this)
  }

  stillAllowed(): 'yes' | 'no' | 'unknown' {
    const { rights, names } = this.caller
    let all: 'yes' | 'unknown' = 'yes'
    for (const { name, lastSent } of this.table.topics) {
      if (name === null || lastSent < this.number) continue
      const verdict = rights.check(Operation.Read, names.current(name))
      if (verdict === Verdict.Refused) return 'no'
      if (verdict !== Verdict.Allowed) all = 'unknown'
    }
    return all
  }

  /**
   * The response's first bytes are here, its body begins at `at`, `count` topics are announced: follows the session. Returns whether grafts belong in it:
   * not beside an error of the whole, nor in a response that is empty because the client is throttled.
   * @throws {MalformedError}
   */
  headCame(frame: Buffer, at: number, count: number): boolean {
    const throttled = i32(frame, at) > 0 && count === 0
    if (!this.responses.hasSession) return this.grafts.topics > 0 && !throttled
    const errorCode = i16(frame, at + 4)
    const sessionId = i32(frame, at + 6)
    if (this.#session !== null) this.#followSession(this.#session, errorCode, sessionId, at)
    else if (this.#begins && errorCode === 0 && sessionId !== 0) {
      this.#sessions.begin(new FetchSession(sessionId, this.responses.version, this.table))
    }
    return this.grafts.topics > 0 && errorCode === 0 && !throttled
  }

  #followSession(session: FetchSession, errorCode: number, sessionId: number, at: number): void {
    if (errorCode !== 0) this.#sessions.forget(session)
    else if (sessionId === 0) this.#sessions.ended(session)
    else if (sessionId !== session.id) throw new MalformedError('Fetch response is of another session', at + 6)
  }

  /** A topic in the response, by name or id. @throws {MalformedError} it was not judged for this request: both sides are closed */
  mustBeAsked(bytes: Buffer, start: number, end: number): void {
    const topic = this.table.find(bytes, start, end)
    if (topic === null || topic.lastSent < this.number)
      throw new MalformedError('Fetch response brings a topic that was not asked for', start)
  }

  /** All of the response has been passed on. */
  complete(): void {
    this.#session?.passed(this.number)
  }
}
