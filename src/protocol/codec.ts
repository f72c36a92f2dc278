// A layout becomes decode: for fragments, SASL and tests, never for what is only passed on.

import { compileEncode } from './encode.ts'
import type { Layout, Slot } from './schema.ts'
import { counted, mustBeUtf8 } from './walk.ts'
import { FIXED, i16, i32, lengthAt, malformed, pastEnd, size, tagAt, tagBytesAt, uvarint } from './wire.ts'

export { compileEncode }

/** Reads a message that begins at p: numbers, strings, Buffers that view `b`, uuids as 32 hex digits. @throws {MalformedError} */
export type Decode = (b: Buffer, p: number) => any

let end = 0 // where the last decode stopped: a second return value without an allocation
/** Elements and unknown tags that the message may still have. */
let left = Number.POSITIVE_INFINITY

const READ: { readonly [type: string]: (b: Buffer, p: number) => unknown } = {
  bool: (b, p) => b[p] !== 0, // any byte but zero is true, as in Kafka
  int8: (b, p) => (b[p]! << 24) >> 24,
  int16: i16,
  uint16: (b, p) => i16(b, p) & 0xffff,
  int32: i32,
  uint32: (b, p) => i32(b, p) >>> 0,
  int64: (b, p) => b.readBigInt64BE(p), // exact; no request to produce or to fetch is decoded: those are walked
  float64: (b, p) => b.readDoubleBE(p),
  uuid: (b, p) => b.toString('hex', p, p + 16),
}

/**
 * What it accepts is what the walk accepts when all strings are marked: one that is not UTF-8 is malformed, for Java and Node put different
 * numbers of U+FFFD in its place, and would read two names.
 * Tagged fields that are not there are undefined; unknown ones stand in `unknownTags` as [tag, bytes].
 */
export function compileDecode(layout: Layout): Decode {
  const inline = layout.slots.filter(s => s.tag < 0)
  const names = inline.map(s => s.name)
  const gets = inline.map(s => getter(s, layout.flexible))
  const tags = layout.flexible ? tagGetter(layout) : null
  return (b, p) => {
    const o: any = {}
    end = p
    for (let i = 0; i < gets.length; i++) o[names[i]!] = gets[i]!(b, end)
    if (tags !== null) tags(b, end, o)
    return o
  }
}

/** Reads a message that must end where its buffer ends, and whose lists have no more elements than this, all together. @throws {MalformedError} */
export function decodeWhole(decode: Decode, b: Buffer, p: number, maxElements = Number.POSITIVE_INFINITY): any {
  left = maxElements
  try {
    const value = decode(b, p)
    if (end !== b.length) malformed(`${b.length - end} bytes left over`, end)
    return value
  } finally {
    left = Number.POSITIVE_INFINITY
  }
}

function tagGetter(layout: Layout): (b: Buffer, p: number, o: any) => void {
  const known = new Map(layout.slots.filter(s => s.tag >= 0).map(s => [s.tag, { name: s.name, get: getter(s, true) }]))
  return (b, p, o) => {
    let n = uvarint(b, p)
    p += size
    for (let last = -1; n > 0; n--) {
      last = tagAt(b, p, last)
      p += size
      const bytes = tagBytesAt(b, p)
      p += size
      const field = known.get(last)
      if (field !== undefined) {
        o[field.name] = field.get(b, p)
        if (end !== p + bytes) malformed(`tag ${last} is not as long as it says`, p)
      } else if (layout.refusedTags.has(last)) malformed(`tag ${last} is not valid for this version`, p)
      else if (--left < 0) malformed('too many unknown tags in one message', p)
      else (o.unknownTags ??= []).push([last, b.subarray(p, p + bytes)])
      p += bytes
    }
    end = p
  }
}

function getter(s: Slot, flexible: boolean): Decode {
  const wide = FIXED[s.type]
  if (wide !== undefined) {
    const read = READ[s.type]!
    return (b, p) => {
      if (p + wide > b.length) pastEnd(s.name, p)
      end = p + wide
      return read(b, p)
    }
  }
  if (s.type === 'struct') return structGetter(s)
  const c = counted(s, flexible, s.name)
  if (s.type === 'list') {
    const inner = s.of as Layout | Slot
    const each = 'slots' in inner ? compileDecode(inner) : getter(inner, flexible)
    return (b, p) => {
      const n = lengthAt(b, p, c)
      end = p + size
      if (n < 0) return null
      left -= n
      if (left < 0) malformed(`${s.name}: too many elements in one message`, p)
      const list = []
      for (let i = 0; i < n; i++) list.push(each(b, end))
      return list
    }
  }
  const text = s.type === 'string'
  return (b, p) => {
    const n = lengthAt(b, p, c)
    const start = p + size
    end = start
    if (n < 0) return null
    end = start + n
    if (!text) return b.subarray(start, end)
    mustBeUtf8(b, start, end, s.name)
    return b.utf8Slice(start, end)
  }
}

function structGetter(s: Slot): Decode {
  const inner = compileDecode(s.of as Layout)
  if (!s.nullable) return inner
  return (b, p) => {
    if (p >= b.length) pastEnd(s.name, p)
    if (b[p]! < 128) return inner(b, p + 1)
    end = p + 1
    return null
  }
}
