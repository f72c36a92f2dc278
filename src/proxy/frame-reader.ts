// One direction's memory: where reads go, and what of them is not consumed yet, always in one piece.

import type { Socket } from 'node:net'
import { BIG_BYTES, type Block, busyBlockBytes, copied, copyShared, release, SMALL_BYTES, small, take } from './buffers.ts'
import { type ReadTarget, retarget } from './onread.ts'

/** A rest up to here is carried over by copying; a longer one gets a block to grow in. */
const CARRY_BYTES = 1024
/** Less room than this behind what has arrived makes reads too small to be worth it. */
const ROOM_BYTES = 64 * 1024
/** What a record of TLS brings at most. RFC 8446 §5.1. */
const RECORD_BYTES = 16 * 1024
/** So many small reads in a row, and the connection counts as quiet again. */
const QUIET_READS = 8

/** Reasons to stop. */
export const Stop = {
  Login: 1,
  Dial: 2,
  Wait: 4,
  ClientFull: 8,
  BrokerFull: 16,
  InFlight: 32,
  Held: 64,
  Ask: 128,
  Closing: 256,
  Renew: 512,
} as const

/**
 * Reads of a quiet connection go to the thread's shared buffer and are copied out of it; a read that fills it moves the direction to
 * pooled blocks. What `scan` does not consume stays, contiguous, and grows with what arrives: never with what a size field announces.
 *
 *   block:   | passed on | start … not consumed … end | room for the next read |
 */
export abstract class FrameReader implements ReadTarget {
  socket: Socket | null = null
  /** Bytes come by TLS, a record at a time: one may lie behind the other, until the block is full or all of them have left. */
  byRecords = false
  /** Why nothing is read or scanned now: bits of `Stop`; 0: it flows. */
  stopped = 0
  /** How many bytes the frame at the stop has in all, as far as it is known: set by `scan`. */
  protected needBytes = 0
  #block: Block | null = null
  #start = 0
  #end = 0
  #carry: Buffer | null = null
  #quietReads = 0
  /** What the next read may bring at most. */
  #roomBytes = 0
  /** The longest frame that was held here: it has arrived before, so its like may have room from the start. */
  #provenBytes = 0
  #scanning = false
  #dropped = false

  /**
   * Consumes what it can of `bytes[start..end)` and says how far it came. `block` holds the bytes (null: memory of their own).
   * Must not throw: what goes wrong ends the session.
   */
  protected abstract scan(bytes: Buffer, block: Block | null, start: number, end: number): number
  /** Bytes came in. */
  protected abstract arrived(count: number): void

  /** Nothing that came in waits here. */
  get empty(): boolean {
    return this.#carry === null && (this.#block === null || this.#start === this.#end)
  }

  /** From here on nothing is read or scanned, until `go` has been called for every reason. */
  stop(reason: number): void {
    if (this.stopped === 0) this.socket?.pause()
    this.stopped |= reason
  }

  go(reason: number): void {
    if ((this.stopped & reason) === 0) return
    this.stopped &= ~reason
    if (this.stopped === 0) this.again()
    if (this.stopped === 0 && !this.#dropped) this.socket?.resume()
  }

  target(): Uint8Array {
    const block = this.#block
    const room = block === null ? small() : this.#end === 0 ? block.bytes : block.bytes.subarray(this.#end)
    this.#roomBytes = room.length
    return room
  }

  filled(count: number): void {
    if (this.#dropped) return
    this.arrived(count)
    let block = this.#block
    if (block === null) {
      const busy = count === (this.byRecords ? RECORD_BYTES : this.#roomBytes)
      if (!busy || this.#carry !== null) {
        const bytes = copied(this.#carry, count)
        this.#carry = null
        const consumed = this.#scan(bytes, null, 0, bytes.length)
        if (!this.#dropped) this.#keepSmall(bytes, consumed, busy)
        return
      }
      block = this.#begin(Math.max(busyBlockBytes(), count))
      copyShared(block.bytes, count)
    }
    this.#end += count
    if (!this.#scanBlock(block)) return
    const busyBytes = this.byRecords ? RECORD_BYTES : Math.min(SMALL_BYTES / 2, block.bytes.length)
    this.#quietReads = count < busyBytes ? this.#quietReads + 1 : 0
    this.#keepBlock(block)
  }

  took(chunk: Buffer): void {
    if (this.#dropped) return
    this.arrived(chunk.length)
    let block = this.#block
    if (block === null) {
      let bytes = chunk
      if (this.#carry !== null) {
        bytes = Buffer.allocUnsafe(this.#carry.length + chunk.length)
        this.#carry.copy(bytes, 0)
        chunk.copy(bytes, this.#carry.length)
        this.#carry = null
      }
      const consumed = this.#scan(bytes, null, 0, bytes.length)
      if (!this.#dropped) this.#keepSmall(bytes, consumed, false)
      return
    }
    const rest = this.#end - this.#start
    if (block.bytes.length - this.#end < chunk.length) block = this.#move(block, Math.max(rest * 2, rest + chunk.length))
    chunk.copy(block.bytes, this.#end)
    this.#end += chunk.length
    if (this.#scanBlock(block) && this.#start === this.#end) this.#letGo(block)
  }

  /** What was read before this direction had its socket. */
  early(bytes: Buffer): void {
    this.took(bytes)
    if (this.socket !== null && !this.#dropped) retarget(this.socket, this.target())
  }

  /** Scans again what had to wait. Where the next read goes has been said already: nothing moves. */
  again(): void {
    if (this.#scanning || this.#dropped) return
    const carry = this.#carry
    if (carry !== null) {
      const consumed = this.#scan(carry, null, 0, carry.length)
      this.#carry = consumed === carry.length || this.#dropped ? null : carry.subarray(consumed)
    } else if (this.#block !== null && this.#start < this.#end) this.#scanBlock(this.#block)
  }

  /** A quiet connection gives its block back. Called between reads. */
  rest(): void {
    const block = this.#block
    const room = small()
    if (block === null || this.#start < this.#end || this.socket === null || !retarget(this.socket, room)) return
    this.#roomBytes = room.length
    this.#letGo(block)
  }

  /** The session has ended, its socket is destroyed: nothing is read any more. */
  drop(): void {
    if (this.#dropped) return
    this.#dropped = true
    this.#carry = null
    if (!this.#scanning && this.#block !== null) this.#letGo(this.#block)
  }

  #scan(bytes: Buffer, block: Block | null, start: number, end: number): number {
    this.#scanning = true
    const consumed = this.scan(bytes, block, start, end)
    this.#scanning = false
    return consumed
  }

  /** False: the session has ended meanwhile. */
  #scanBlock(block: Block): boolean {
    this.#start = this.#scan(block.bytes, block, this.#start, this.#end)
    if (this.#dropped) this.#letGo(block)
    return !this.#dropped
  }

  #keepSmall(bytes: Buffer, consumed: number, busy: boolean): void {
    const rest = bytes.length - consumed
    if (rest === 0) {
      if (busy) this.#begin(busyBlockBytes())
    } else if (!busy && rest <= CARRY_BYTES) this.#carry = bytes.subarray(consumed)
    else {
      const block = this.#begin(Math.max(busy ? busyBlockBytes() : 4 * CARRY_BYTES, rest * 2))
      bytes.copy(block.bytes, 0, consumed)
      this.#end = rest
    }
  }

  #keepBlock(block: Block): void {
    const rest = this.#end - this.#start
    if (rest === 0) {
      const sizeBytes = block.bytes.length
      const busyBytes = busyBlockBytes()
      const suits = sizeBytes === busyBytes || (sizeBytes > busyBytes && busyBytes === BIG_BYTES)
      if (this.#quietReads > QUIET_READS) this.#letGo(block)
      else if (suits && block.refs === 1) this.#start = this.#end = 0
      else if (!suits || !this.byRecords || sizeBytes - this.#end < RECORD_BYTES) {
        if (!suits) this.#provenBytes = 0
        release(block)
        const quietReads = this.#quietReads
        this.#begin(Math.max(busyBytes, this.#provenBytes))
        this.#quietReads = quietReads
      }
      return
    }
    const room = block.bytes.length - this.#end
    const missing = this.needBytes - rest
    if (rest > BIG_BYTES / 2 && rest > this.#provenBytes / 2 && missing <= room) this.#provenBytes = this.needBytes + ROOM_BYTES
    if (room >= ROOM_BYTES || (room > 0 && room >= missing && rest > ROOM_BYTES)) return
    const whole = this.needBytes + ROOM_BYTES
    this.#move(block, whole <= Math.max(rest * 2, this.#provenBytes) ? whole : Math.max(rest * 2, Math.min(BIG_BYTES, block.bytes.length)))
  }

  #begin(sizeBytes: number): Block {
    const block = take(sizeBytes)
    this.#block = block
    this.#start = this.#end = 0
    this.#quietReads = 0
    return block
  }

  #letGo(block: Block): void {
    release(block)
    this.#block = null
    this.#start = this.#end = 0
    this.#provenBytes = 0
  }

  /** The rest moves to the front of another block. */
  #move(block: Block, sizeBytes: number): Block {
    const rest = this.#end - this.#start
    const next = take(Math.max(sizeBytes, rest + 1))
    block.bytes.copy(next.bytes, 0, this.#start, this.#end)
    release(block)
    this.#block = next
    this.#start = 0
    this.#end = rest
    return next
  }
}
