// One message in pieces: reads numbers and values whose bytes may lie in several of them.

import { uvarint } from './wire.ts'

/** What `varint` says when its last byte is not there yet. */
export const MORE = -2
const NOTHING = Buffer.alloc(0)

/** Values cut by the end of a piece are copied together: numbers into 16 bytes of its own, names into fresh memory. */
export class PieceReader {
  /** The piece at hand, the place in it, and where it stops. */
  b: Buffer = NOTHING
  p = 0
  stop = 0
  /** Offset in the message of the piece's byte 0. */
  base = 0
  /** Where the value lies that was read last. */
  from: Buffer = NOTHING
  start = 0
  width = 0
  readonly #scratch = Buffer.alloc(16)
  #held = 0
  #gather: Buffer | null = null
  #gathered = 0

  /** Forgets the message before. */
  reset(): void {
    this.#held = 0
    this.#gather = null
  }

  /** @param at bytes of the message before this piece */
  take(bytes: Buffer, start: number, stop: number, at: number): void {
    this.b = bytes
    this.p = start
    this.stop = stop
    this.base = at - start
  }

  /** Keeps nothing of the piece. */
  drop(): void {
    this.b = NOTHING
    this.from = NOTHING
  }

  /** Offset in the message of the next byte. */
  get at(): number {
    return this.base + this.p
  }

  /** The next varint, or MORE. @throws {MalformedError} */
  varint(): number {
    if (this.#held === 0 && this.p < this.stop && this.b[this.p]! < 128) {
      this.from = this.b
      this.start = this.p
      this.width = 1
      return this.b[this.p++]!
    }
    while (this.p < this.stop) {
      const x = this.b[this.p++]!
      this.#scratch[this.#held++] = x
      if (x > 127 && this.#held < 5) continue
      this.from = this.#scratch
      this.start = 0
      this.width = this.#held
      this.#held = 0
      return uvarint(this.#scratch, 0)
    }
    return MORE
  }

  /** A value of at most 16 bytes. */
  read(bytes: number): boolean {
    this.width = bytes
    if (this.#held === 0 && this.stop - this.p >= bytes) {
      this.from = this.b
      this.start = this.p
      this.p += bytes
      return true
    }
    while (this.p < this.stop && this.#held < bytes) this.#scratch[this.#held++] = this.b[this.p++]!
    if (this.#held < bytes) return false
    this.from = this.#scratch
    this.start = 0
    this.#held = 0
    return true
  }

  /** A value whose length is known: as it lies, or gathered. */
  content(bytes: number): boolean {
    const there = this.stop - this.p
    this.width = bytes
    if (this.#gather === null && there >= bytes) {
      this.from = this.b
      this.start = this.p
      this.p += bytes
      return true
    }
    if (this.#gather === null) {
      this.#gather = Buffer.allocUnsafe(bytes)
      this.#gathered = 0
    }
    const n = Math.min(there, bytes - this.#gathered)
    this.b.copy(this.#gather, this.#gathered, this.p, this.p + n)
    this.p += n
    this.#gathered += n
    if (this.#gathered < bytes) return false
    this.from = this.#gather
    this.start = 0
    this.#gather = null
    return true
  }
}
