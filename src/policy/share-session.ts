// Share sessions (KIP-932) of one connection: which topics each of them holds, and the epoch that its client must name next.

import { FetchSession, MAX_PARTITIONS, type TopicTable } from './fetch-session.ts'
import type { Name } from './names.ts'
import type { Caller } from './outcome.ts'
import { FetchStream, type ResponseShape } from './special/fetch-stream.ts'

/** A client keeps one session with a broker; a few more than that are forgotten, oldest first. */
const MAX_SESSIONS = 16
export const INITIAL_EPOCH = 0
export const FINAL_EPOCH = -1

/**
 * A broker names it by group and member, whoever asks; here it serves only the connection that opened it:
 *
 *   epoch 0 → open, next epoch 1 → … → epoch n: must be the one that is due → … → epoch -1: closed
 *                                   an error of the whole, or another session of the same name: forgotten
 */
export class ShareSession extends FetchSession {
  readonly group: Name
  readonly member: Buffer

  constructor(apiVersion: number, table: TopicTable, group: Name, member: Buffer) {
    super(0, apiVersion, table)
    this.group = group
    this.member = member
  }

  isOf(group: Name, bytes: Buffer, start: number, end: number): boolean {
    const { member } = this
    if (member.length !== end - start || bytes.compare(member, 0, member.length, start, end) !== 0) return false
    return group === this.group || group.bytes.equals(this.group.bytes)
  }
}

export const shareSessionsOf = (caller: Caller): ShareSessions => {
  let sessions: ShareSessions | undefined = caller.state.get('share')
  if (sessions === undefined) caller.state.set('share', (sessions = new ShareSessions()))
  return sessions
}

export class ShareSessions {
  readonly #sessions: ShareSession[] = []
  #stream: FetchStream | null = null

  /** Responses of a connection come one after the other: one stream serves them all. */
  stream(shape: ResponseShape): FetchStream {
    if (this.#stream?.responses !== shape) this.#stream = new FetchStream(shape)
    return this.#stream
  }

  /** The member's name lies in `bytes`. */
  find(group: Name, bytes: Buffer, start: number, end: number): ShareSession | null {
    for (const session of this.#sessions) if (session.isOf(group, bytes, start, end)) return session
    return null
  }

  /** In place of one of the same name. */
  begin(session: ShareSession): void {
    const { group, member } = session
    const before = this.find(group, member, 0, member.length)
    if (before !== null) this.end(before)
    let partitions = session.partitions
    for (const { partitions: others } of this.#sessions) partitions += others
    while (this.#sessions.length >= MAX_SESSIONS || (this.#sessions.length > 0 && partitions > MAX_PARTITIONS)) {
      partitions -= this.#sessions.shift()!.partitions
    }
    this.#sessions.push(session)
  }

  end(session: ShareSession): void {
    const at = this.#sessions.indexOf(session)
    if (at >= 0) this.#sessions.splice(at, 1)
  }
}
