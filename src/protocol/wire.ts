// The primitives of Kafka's wire: fixed-width numbers, varints, counted values; and what it means when bytes break them.

declare global {
  /** Node's own, faster than toString; not in its types. */
  interface Buffer {
    utf8Slice(start: number, end: number): string
    latin1Slice(start: number, end: number): string
  }
}

/** Bytes that break the protocol: the connection that they came on is closed. */
export class MalformedError extends Error {
  readonly code = 'MALFORMED'
  /** Offset into the buffer that was read. */
  readonly at: number
  constructor(what: string, at: number) {
    super(`${what} at byte ${at}`)
    this.name = 'MalformedError'
    this.at = at
  }
}

/** Throws; apart from its callers, so that what is hot stays small enough to be inlined. */
export function malformed(what: string, at: number): never {
  throw new MalformedError(what, at)
}
export const pastEnd = (name: string, at: number): never => malformed(`${name} runs past the end`, at)

/** Bytes taken by the length or varint read last: a second return value without an allocation. */
export let size = 0

/**
 * An unsigned varint, at most 2^31 - 1 and 5 bytes long. Kafka takes larger ones for negative numbers; here they are malformed.
 * Needlessly long forms pass, as they do in Kafka (ByteUtils.readUnsignedVarint).
 */
export function uvarint(b: Uint8Array, p: number): number {
  if (p >= b.length) pastEnd('varint', p)
  const x = b[p]!
  if (x < 0x80) {
    size = 1
    return x
  }
  return longVarint(b, p, x & 0x7f)
}
function longVarint(b: Uint8Array, p: number, low: number): number {
  let v = low
  for (let i = 1, shift = 7; i < 5; i++, shift += 7) {
    if (p + i >= b.length) pastEnd('varint', p)
    const x = b[p + i]!
    v |= (x & 0x7f) << shift
    if (x < 0x80) {
      if (i === 4 && x > 0x07) malformed('varint over 2^31 - 1', p)
      size = i + 1
      return v
    }
  }
  return malformed('varint longer than 5 bytes', p)
}

/** Big-endian numbers whose bytes the caller knows to be there. */
export const i16 = (b: Uint8Array, p: number): number => ((b[p]! << 24) >> 16) | b[p + 1]!
export const i32 = (b: Uint8Array, p: number): number => (b[p]! << 24) | (b[p + 1]! << 16) | (b[p + 2]! << 8) | b[p + 3]!

/** Bytes that each fixed-width type takes. */
export const FIXED: { readonly [type: string]: number | undefined } = {
  bool: 1,
  int8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  float64: 8,
  uuid: 16,
}

/** How a string, bytes, records or list says its length. */
export interface Counted {
  readonly name: string
  /** KIP-482: an unsigned varint of one more, 0 for null. */
  readonly compact: boolean
  /** Bytes of a length that is not compact. */
  readonly prefix: 2 | 4
  readonly nullable: boolean
  readonly max: number
}

/**
 * The length of a counted value at p, -1 for null; leaves its own size in `size`. Refuses what Kafka's generated classes refuse
 * (MessageDataGenerator.generateVariableLengthReader): null where there is none, strings over 32767 bytes, more than is there.
 * A list's elements take at least a byte each, so the last rule holds for lists too. Lengths under -1, null to Kafka, are refused.
 */
export function lengthAt(b: Uint8Array, p: number, c: Counted): number {
  let n: number
  if (c.compact) {
    n = uvarint(b, p) - 1
  } else if (c.prefix === 2) {
    if (p + 2 > b.length) pastEnd(c.name, p)
    n = i16(b, p)
    size = 2
  } else {
    if (p + 4 > b.length) pastEnd(c.name, p)
    n = i32(b, p)
    size = 4
  }
  if (n < 0) {
    if (n !== -1 || !c.nullable) malformed(`${c.name} has length ${n}`, p)
    return -1
  }
  if (n > b.length - p - size || n > c.max) malformed(`${c.name} has length ${n}`, p)
  return n
}

/** Bytes that an unsigned varint takes in its shortest form. */
export const varintBytes = (n: number): number => (n < 0x80 ? 1 : n < 0x4000 ? 2 : n < 0x200000 ? 3 : n < 0x10000000 ? 4 : 5)

/** Writes an unsigned varint in its shortest form; returns where it ends. */
export function putVarint(b: Uint8Array, p: number, n: number): number {
  for (; n > 127; n >>>= 7) b[p++] = (n & 127) | 128
  b[p++] = n
  return p
}

/** The next tag of a tag buffer; leaves its own size in `size`. KIP-482 has them ascend, which Kafka writes but does not check. */
export function tagAt(b: Uint8Array, p: number, last: number): number {
  const tag = uvarint(b, p)
  if (tag <= last) malformed(`tag ${tag} after tag ${last}`, p)
  return tag
}

/** The size of a tagged field; leaves its own size in `size`. */
export function tagBytesAt(b: Uint8Array, p: number): number {
  const bytes = uvarint(b, p)
  if (bytes > b.length - p - size) pastEnd('tagged field', p)
  return bytes
}

/** Steps over a tag buffer of which nothing is known; returns where it ends. @throws {MalformedError} */
export function skipTags(b: Uint8Array, p: number): number {
  if (p < b.length && b[p] === 0) return p + 1
  let n = uvarint(b, p)
  p += size
  for (let last = -1; n > 0; n--) {
    last = tagAt(b, p, last)
    p += size
    const bytes = tagBytesAt(b, p)
    p += size + bytes
  }
  return p
}
