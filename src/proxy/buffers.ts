// The memory that sockets read into: one small buffer that all quiet connections of a thread share, and pooled blocks for busy ones.

import { setDefaultHighWaterMark } from 'node:stream'

export const SMALL_BYTES = 64 * 1024
export const BIG_BYTES = 512 * 1024
/** Of the budget for held bytes: what blocks of all streams may amount to before further ones make do with small reads. */
const BUSY_SHARE = 1 / 8
/** What a stream reads at a time then. */
const SCARCE_BYTES = 16 * 1024
/** Of the same budget: what TLS may keep for the pieces of all connections, of which each takes a part of what is left. */
const KEPT_SHARE = 1 / 8
const KEPT_EACH = 1 / 16

// A socket with more than this to write wants no more, also where memory is scarce.
setDefaultHighWaterMark(false, SCARCE_BYTES)

// Slabs for what is copied out of the shared buffer: larger ones make fewer objects.
Buffer.poolSize = SMALL_BYTES

/** Every quiet connection reads into this; what was read is copied before the next read. */
const SHARED = Buffer.allocUnsafeSlow(SMALL_BYTES)
const SCARCE = SHARED.subarray(0, SCARCE_BYTES)

/** Memory with a count of those who still need it; back in the pool when that is none. */
export class Block {
  readonly bytes: Buffer
  refs = 0
  /** Callback for a write of a part of this block: one closure a block, not one a write. */
  readonly written: () => void
  constructor(sizeBytes: number) {
    this.bytes = Buffer.allocUnsafeSlow(sizeBytes)
    this.written = () => release(this)
  }
}

let mostBusyBytes = 64 * 1024 * 1024
let mostKeptBytes = 64 * 1024 * 1024
let keptBytes = 0

/** @param bytes this thread's part of the budget for held bytes */
export function budget(bytes: number): void {
  mostBusyBytes = bytes * BUSY_SHARE
  mostKeptBytes = bytes * KEPT_SHARE
}

/** A connection wants to encrypt `wantedBytes` at once, of which `hasBytes` are its own already: by how much that may grow. */
export function keepMore(wantedBytes: number, hasBytes: number): number {
  const mayBytes = Math.min(wantedBytes, BIG_BYTES, Math.floor((mostKeptBytes - keptBytes) * KEPT_EACH))
  const moreBytes = Math.max(0, mayBytes - hasBytes)
  keptBytes += moreBytes
  return moreBytes
}

export function keepLess(bytes: number): void {
  keptBytes -= bytes
}

const powerOf = (sizeBytes: number): number => Math.max(12, 32 - Math.clz32(sizeBytes - 1))
const spare: Block[][] = Array.from({ length: 32 }, () => [])
const scarce = spare[powerOf(SCARCE_BYTES)]!
let spareBytes = 0
let busyBytes = 0

/** A block of at least so many bytes, a power of two; held once. */
export function take(sizeBytes: number): Block {
  const power = powerOf(sizeBytes)
  const found = spare[power]!.pop()
  const block = found ?? new Block(2 ** power)
  if (found !== undefined) spareBytes -= block.bytes.length
  busyBytes += block.bytes.length
  block.refs = 1
  return block
}

/** One who needed it needs it no more. */
export function release(block: Block): void {
  if (--block.refs > 0) return
  const sizeBytes = block.bytes.length
  busyBytes -= sizeBytes
  if (sizeBytes < SCARCE_BYTES) return
  // Small ones come and go with every read where memory is scarce: as many may lie in the pool as may be in use, of the others half.
  const scarceBytes = scarce.length * SCARCE_BYTES
  if (sizeBytes === SCARCE_BYTES ? scarceBytes >= mostBusyBytes : spareBytes - scarceBytes + sizeBytes > mostBusyBytes / 2) return
  spareBytes += sizeBytes
  spare[powerOf(sizeBytes)]!.push(block)
}

/** May a stream take a block for speed alone? What must be held is not asked: it has its own budget. */
const plenty = (): boolean => busyBytes < mostBusyBytes

/** What a stream that is busy takes. */
export const busyBlockBytes = (): number => (plenty() ? BIG_BYTES : SCARCE_BYTES)

/** Where a connection without a block reads to. */
export const small = (): Buffer => (plenty() ? SHARED : SCARCE)

/** The first `count` bytes of the shared buffer behind those of `before`: a copy in a slab. */
export function copied(before: Buffer | null, count: number): Buffer {
  if (before === null) {
    const copy = Buffer.allocUnsafe(count)
    SHARED.copy(copy, 0, 0, count)
    return copy
  }
  const copy = Buffer.allocUnsafe(before.length + count)
  before.copy(copy, 0)
  SHARED.copy(copy, before.length, 0, count)
  return copy
}

export function copyShared(into: Buffer, count: number): void {
  SHARED.copy(into, 0, 0, count)
}

/** Bytes of blocks, in use and spare, and what TLS keeps. */
export const blockBytes = (): { readonly busy: number; readonly spare: number; readonly kept: number } => ({
  busy: busyBytes,
  spare: spareBytes,
  kept: keptBytes,
})
