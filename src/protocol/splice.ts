// Changes a message without reading it: cuts spans out, puts bytes in, leaves everything else where it lay.

import { putVarint, varintBytes } from './wire.ts'

export interface Edit {
  readonly start: number
  readonly end: number
  readonly bytes: Uint8Array
}

/** Applies edits that are in wire order and do not overlap, into fresh memory. Untouched bytes are copied once, in runs. */
export function splice(message: Buffer, edits: readonly Edit[]): Buffer {
  let length = message.length
  for (const { start, end, bytes } of edits) length += bytes.length - (end - start)
  const out = Buffer.allocUnsafeSlow(length)
  let from = 0
  let to = 0
  for (const { start, end, bytes } of edits) {
    if (start < from || end < start) throw new RangeError(`edits overlap at byte ${start}`)
    to += message.copy(out, to, from, start)
    out.set(bytes, to)
    to += bytes.length
    from = end
  }
  message.copy(out, to, from)
  return out
}

/** A list's length as the wire has it: int32, or uvarint of one more in flexible versions. */
export function countBytes(n: number, flexible: boolean): Buffer {
  const b = Buffer.allocUnsafe(flexible ? varintBytes(n + 1) : 4)
  if (flexible) putVarint(b, 0, n + 1)
  else b.writeInt32BE(n, 0)
  return b
}
