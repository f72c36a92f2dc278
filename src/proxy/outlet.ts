// The writing side of one socket: neighbours in one read's memory leave in one write, whatever stands between them in their turn.

import type { Socket } from 'node:net'
import { type Block, release } from './buffers.ts'

/** More than this leaves at once. */
const SMALL_BYTES = 4096
/** With fewer than this in one turn of the loop nothing is gained by waiting, and for so many writes none waits. */
const FEW = 4
const WRITES_AT_ONCE = 64

/** So much gathers at most before it leaves. */
const GATHERED_BYTES = 512 * 1024

/** Who owns an outlet. */
export interface Owner {
  /** The socket has more than it wants. */
  pressure(): void
}

/**
 * Takes spans and frames in the order in which they leave. Between `begin` and `end` nothing is written that can wait for its neighbours.
 * What is small then waits for the end of the loop's turn, and leaves together with what other connections have: writes that follow each
 * other closely find their readers awake.
 */
export class Outlet {
  socket: Socket | null = null
  /** The socket has more than it wants: no more should come until it drains. */
  full = false
  /** What it is given comes in records of TLS: those of one turn of the loop leave together. */
  gathers = false
  #bytes: Buffer | null = null
  #block: Block | null = null
  #start = 0
  #end = 0
  #open = false
  #corked = false
  #due = false
  readonly #owner: Owner

  constructor(owner: Owner) {
    this.#owner = owner
  }

  begin(): void {
    this.#open = true
  }

  /** `bytes[start..end)` as they lie; `block` is what holds them, or null for memory of their own. */
  pass(bytes: Buffer, block: Block | null, start: number, end: number): void {
    if (this.#bytes === bytes && this.#end === start) {
      this.#end = end
      return
    }
    this.#flush(false)
    if (block !== null) block.refs++
    this.#bytes = bytes
    this.#block = block
    this.#start = start
    this.#end = end
  }

  /** Memory of its own. Not copied: it may not change any more. */
  put(piece: Buffer): void {
    this.pass(piece, null, 0, piece.length)
    if (!this.#open) this.#flush(true)
  }

  /** Everything that came since `begin` leaves, in this turn of the loop. */
  end(): void {
    if (this.#bytes !== null && this.#waits()) return
    this.#open = false
    if (this.gathers) this.#gather()
    else this.#flush(true)
  }

  /** Everything leaves now. */
  leave(): void {
    this.#open = false
    this.#flush(true)
  }

  /** What has not left does not leave. */
  drop(): void {
    this.#bytes = null
    this.#release()
  }

  #gather(): void {
    if (this.#bytes === null && !this.#corked) return
    const corkedBytes = this.#corked ? this.socket!.writableLength : 0
    if (corkedBytes + this.#end - this.#start > GATHERED_BYTES) this.#flush(true)
    else if (!this.#due) this.#enlist()
  }

  #release(): void {
    const block = this.#block
    this.#block = null
    if (block !== null) release(block)
  }

  #waits(): boolean {
    if (this.#block !== null || this.#corked || this.#end - this.#start > SMALL_BYTES) return false
    if (this.#due) return true
    if (due.length === 0) {
      if (atOnce > 0) {
        atOnce--
        return false
      }
    }
    this.#enlist()
    return true
  }

  #enlist(): void {
    if (due.length === 0) setImmediate(writeDue)
    this.#due = true
    due.push(this)
  }

  /** The turn of the loop ends. */
  turn(): void {
    this.#due = false
    this.leave()
    if (this.full) this.#owner.pressure()
  }

  #flush(last: boolean): void {
    const bytes = this.#bytes
    const { socket } = this
    this.#bytes = null
    if (bytes !== null && this.#end > this.#start && socket !== null && !socket.destroyed) {
      if (!last && !this.#corked) {
        this.#corked = true
        socket.cork()
      }
      const block = this.#block
      const whole = this.#start === 0 && this.#end === bytes.length
      const span = whole ? bytes : bytes.subarray(this.#start, this.#end)
      this.#block = null
      const more = block === null ? socket.write(span) : socket.write(span, block.written)
      // What the kernel has taken at once is no reason to stop, however much it was: stopping costs two system calls.
      this.full = !more && socket.writableLength > 0
    } else this.#release()
    if (last && this.#corked) {
      this.#corked = false
      socket?.uncork()
      this.full = socket?.writableNeedDrain === true && socket.writableLength > 0
    }
  }
}

/** Outlets of this thread that have something small to write. */
const due: Outlet[] = []
let atOnce = 0

function writeDue(): void {
  if (due.length < FEW) atOnce = WRITES_AT_ONCE
  for (const outlet of due) outlet.turn()
  due.length = 0
}
