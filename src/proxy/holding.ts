// A frame that is held until it is whole: its place in the budget of the process, and how long it may take.

import type { FrameReader } from './frame-reader.ts'
import { Stop } from './frame-reader.ts'
import { reserve, type Side, unreserve } from './held.ts'
import type { Session } from './session.ts'

const RESERVE_MS = 5_000
const COMPLETE_MS = 30_000

/** One for each direction of a session. */
export class Holding {
  readonly #session: Session
  readonly #reader: FrameReader
  readonly #side: Side
  #wantedBytes = 0
  #reservedBytes = 0
  #share = 0
  #sinceMs = 0

  constructor(session: Session, reader: FrameReader, side: Side) {
    this.#session = session
    this.#reader = reader
    this.#side = side
  }

  /** A frame of this size has begun and is not whole. Asked again for the same frame it does nothing. */
  begin(sizeBytes: number): void {
    if (this.#wantedBytes >= sizeBytes) return
    this.end()
    this.#wantedBytes = sizeBytes
    this.#sinceMs = this.#session.sessions.nowMs
    if (!this.#reserve()) {
      this.#reader.stop(Stop.Held)
      this.#session.sessions.waiting.add(this)
    }
  }

  /** The frame is whole, or will never be. */
  end(): void {
    if (this.#wantedBytes === 0) return
    this.#wantedBytes = 0
    const { waiting } = this.#session.sessions
    if (this.#reservedBytes === 0) {
      waiting.delete(this)
      return
    }
    unreserve(this.#session.gate.held, this.#side, this.#share, this.#reservedBytes)
    this.#reservedBytes = 0
    for (const other of waiting) other.retry()
  }

  /** Bytes may have become free. */
  retry(): void {
    if (!this.#reserve()) return
    this.#session.sessions.waiting.delete(this)
    this.#sinceMs = this.#session.sessions.nowMs
    this.#reader.go(Stop.Held)
  }

  /** Null while all is in time, else what took too long. */
  late(nowMs: number): string | null {
    if (this.#wantedBytes === 0) return null
    const elapsedMs = nowMs - this.#sinceMs
    if (this.#reservedBytes === 0) return elapsedMs > RESERVE_MS ? `no room for a frame of ${this.#wantedBytes} bytes` : null
    // Nothing arrives while we do not read: only a frame that its sender keeps back is late.
    return elapsedMs > COMPLETE_MS && this.#reader.stopped === 0 ? `a frame of ${this.#wantedBytes} bytes is not whole` : null
  }

  #reserve(): boolean {
    const { gate, share } = this.#session
    if (!reserve(gate.held, gate.limits.heldBytes, this.#side, share, this.#wantedBytes)) return false
    this.#share = share
    this.#reservedBytes = this.#wantedBytes
    return true
  }
}
