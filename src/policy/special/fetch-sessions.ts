// Whose fetch sessions are whose: a broker's session ids serve only the connection, and are closed only by the principal, that made them.

import { type FetchSession, MAX_PARTITIONS } from '../fetch-session.ts'
import type { Caller } from '../outcome.ts'
import { FetchStream, type ResponseShape } from './fetch-stream.ts'

/** A client keeps one session with a broker; a few more than that, or more partitions in all than one may have, are forgotten, oldest first. */
const MAX_SESSIONS = 16
/** Ids whose makers are remembered, for all connections to one broker. */
const MAX_OWNERS = 10_000

export const sessionsOf = (caller: Caller): FetchSessions => {
  let sessions: FetchSessions | undefined = caller.state.get('fetch')
  if (sessions === undefined) caller.state.set('fetch', (sessions = new FetchSessions(caller)))
  return sessions
}

/** The sessions of one connection. */
export class FetchSessions {
  readonly #caller: Caller
  readonly #byId = new Map<number, FetchSession>()
  /** Session id -> principal id. A client that comes back closes the session that it had before. */
  readonly #owners: Map<number, string>

  #stream: FetchStream | null = null

  constructor(caller: Caller) {
    this.#caller = caller
    let owners = caller.brokerState.get('fetch')
    if (owners === undefined) caller.brokerState.set('fetch', (owners = new Map()))
    this.#owners = owners
  }

  /** Responses of a connection come one after the other: one stream serves them all. */
  stream(responses: ResponseShape): FetchStream {
    if (this.#stream?.responses !== responses) this.#stream = new FetchStream(responses)
    return this.#stream
  }

  get(id: number): FetchSession | undefined {
    return this.#byId.get(id)
  }

  mayClose(id: number): boolean {
    return this.#byId.has(id) || this.#owners.get(id) === this.#caller.rights.principal.id
  }

  begin(session: FetchSession): void {
    this.#byId.delete(session.id)
    let partitions = session.partitions
    for (const { partitions: others } of this.#byId.values()) partitions += others
    for (const [id, oldest] of this.#byId) {
      if (this.#byId.size < MAX_SESSIONS && partitions <= MAX_PARTITIONS) break
      this.#byId.delete(id)
      partitions -= oldest.partitions
    }
    this.#byId.set(session.id, session)
    if (this.#owners.size >= MAX_OWNERS) this.#owners.delete(this.#owners.keys().next().value!)
    this.#owners.set(session.id, this.#caller.rights.principal.id)
  }

  /** The broker has ended it, or is asked to. */
  end(id: number): void {
    this.#byId.delete(id)
    this.#owners.delete(id)
  }

  /** The broker says that it has ended. */
  ended(session: FetchSession): void {
    if (this.#byId.get(session.id) === session) this.end(session.id)
  }

  /** It serves no more, but the broker may still hold it: its client may close it. */
  forget(session: FetchSession): void {
    if (this.#byId.get(session.id) === session) this.#byId.delete(session.id)
  }
}
