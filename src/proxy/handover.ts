// The reads of a connection to a broker while our login is under way, and their passing on to whoever comes after it.

import { i32 } from '../protocol/wire.ts'
import type { ReadTarget } from './onread.ts'

const MAX_LOGIN_FRAME_BYTES = 256 * 1024

/** Reads frames of the login first, and then hands every read to the target that comes after it. */
export class Handover implements ReadTarget {
  readonly #after: ReadTarget
  readonly #take: (frame: Buffer | null) => void
  #own: Buffer | null = Buffer.allocUnsafeSlow(4096)
  #filled = 0
  /** The buffer that the socket was told last is ours. */
  #ours = true
  #over = false

  /** @param take is given each frame; null: bytes that are no frame of a login */
  constructor(after: ReadTarget, take: (frame: Buffer | null) => void) {
    this.#after = after
    this.#take = take
  }

  over(): void {
    this.#over = true
  }

  target(): Uint8Array {
    this.#ours = !this.#over
    return this.#over ? this.#after.target() : this.#own!.subarray(this.#filled)
  }

  filled(count: number): void {
    if (!this.#ours) this.#after.filled(count)
    else if (this.#over) {
      this.#after.took(Buffer.from(this.#own!.subarray(this.#filled, this.#filled + count)))
      this.#own = null
    } else {
      this.#filled += count
      this.#frames()
    }
  }

  took(chunk: Buffer): void {
    if (this.#over) {
      this.#after.took(chunk)
      return
    }
    if (this.#filled + chunk.length > this.#own!.length) this.#grow(this.#filled + chunk.length)
    this.#filled += chunk.copy(this.#own!, this.#filled)
    this.#frames()
  }

  /** A broker answers one frame at a time, since it is asked one at a time. */
  #frames(): void {
    const own = this.#own!
    if (this.#filled >= 4) {
      const wholeBytes = i32(own, 0) + 4
      if (wholeBytes < 8 || wholeBytes > MAX_LOGIN_FRAME_BYTES || this.#filled > wholeBytes) {
        this.#filled = 0
        this.#take(null)
        return
      }
      if (this.#filled === wholeBytes) {
        this.#filled = 0
        this.#take(Buffer.from(own.subarray(0, wholeBytes)))
        return
      }
      if (wholeBytes > own.length) this.#grow(wholeBytes)
    }
  }

  #grow(sizeBytes: number): void {
    const grown = Buffer.allocUnsafeSlow(sizeBytes)
    this.#own!.copy(grown, 0, 0, this.#filled)
    this.#own = grown
  }
}
