// A layout becomes encode: for answers, grafts, SASL and tests; bytes as Kafka's own classes write them.

import type { Layout, Slot } from './schema.ts'
import { FIXED, putVarint } from './wire.ts'

/**
 * Writes a message. What is not given is Kafka's default; a field that only other versions have is left out, one that no version has is an
 * error. Tagged fields are written when they differ from their default. @throws {TypeError | RangeError} the value does not fit the layout
 */
export type Encode = (value: any) => Buffer

const SMALL_BYTES = 64 * 1024
const KEPT_BYTES = 1024 * 1024
let out = Buffer.allocUnsafeSlow(SMALL_BYTES)
let at = 0

export function compileEncode(layout: Layout): Encode {
  const put = putLayout(layout)
  return value => {
    at = 0
    put(value)
    const b = Buffer.allocUnsafeSlow(at)
    out.copy(b, 0, 0, at)
    if (out.length > KEPT_BYTES) out = Buffer.allocUnsafeSlow(SMALL_BYTES)
    return b
  }
}

type Put = (value: any) => void

function room(bytes: number): void {
  if (at + bytes <= out.length) return
  const larger = Buffer.allocUnsafeSlow(Math.max(out.length * 2, at + bytes))
  out.copy(larger, 0, 0, at)
  out = larger
}
function putUvarint(n: number): void {
  room(5)
  at = putVarint(out, at, n)
}
function putBytes(bytes: Uint8Array): void {
  room(bytes.length)
  out.set(bytes, at)
  at += bytes.length
}

const WRITE: { readonly [type: string]: Put } = {
  bool: v => out.writeInt8(v ? 1 : 0, at),
  int8: v => out.writeInt8(v, at),
  int16: v => out.writeInt16BE(v, at),
  uint16: v => out.writeUInt16BE(v, at),
  int32: v => out.writeInt32BE(v, at),
  uint32: v => out.writeUInt32BE(v, at),
  int64: v => out.writeBigInt64BE(v, at),
  float64: v => out.writeDoubleBE(v, at),
  uuid: v => {
    if (typeof v !== 'string' || !/^[0-9a-f]{32}$/.test(v)) throw new TypeError(`not a uuid in 32 hex digits: ${v}`)
    out.write(v, at, 16, 'hex')
  },
}

function putLayout(layout: Layout): Put {
  const inline = layout.slots.filter(s => s.tag < 0)
  const names = inline.map(s => s.name)
  const puts = inline.map(s => putter(s, layout.flexible))
  const known = new Set([...layout.slots.map(s => s.name), ...layout.absent, ...(layout.flexible ? ['unknownTags'] : [])])
  const tags = layout.flexible ? putTags(layout) : null
  return value => {
    for (const key in value) if (!known.has(key)) throw new TypeError(`no field '${key}'`)
    for (let i = 0; i < puts.length; i++) puts[i]!(value[names[i]!])
    if (tags !== null) tags(value)
  }
}

function putTags(layout: Layout): Put {
  const tagged = layout.slots.filter(s => s.tag >= 0).map(s => ({ s, put: putter(s, true) }))
  return value => {
    const present: { tag: number; put: Put; value: unknown }[] = []
    for (const { s, put } of tagged) if (!isDefault(s, value[s.name])) present.push({ tag: s.tag, put, value: value[s.name] })
    for (const [tag, bytes] of value.unknownTags ?? []) {
      if (layout.refusedTags.has(tag) || tagged.some(t => t.s.tag === tag)) throw new TypeError(`tag ${tag} is not unknown`)
      present.push({ tag, put: putBytes, value: bytes })
    }
    present.sort((a, b) => a.tag - b.tag)
    putUvarint(present.length)
    for (const p of present) {
      putUvarint(p.tag)
      putSized(p.put, p.value)
    }
  }
}

/** A value with its size before it: written behind room for the longest size, then moved up. */
function putSized(put: Put, value: unknown): void {
  room(5)
  const from = at
  at += 5
  put(value)
  const bytes = at - from - 5
  at = putVarint(out, from, bytes)
  out.copyWithin(at, from + 5, from + 5 + bytes)
  at += bytes
}

const ZERO: { readonly [type: string]: unknown } = {
  bool: false,
  int64: 0n,
  uuid: '0'.repeat(32),
  string: '',
  bytes: Buffer.alloc(0),
  list: [],
  struct: {},
}

/** Kafka's rule: what is not given is the type's zero, even where null is allowed; only `= null`, and records, make it null. */
export function defaultOf(s: Slot): unknown {
  const text = s.fallback
  if (text === 'null') return null
  if (s.type === 'records') return s.nullable ? null : ZERO['bytes']
  if (text === undefined) return s.type in ZERO ? ZERO[s.type] : 0
  if (s.type === 'int64') return BigInt(text)
  if (s.type === 'bool') return text === 'true'
  return s.type === 'string' ? text : Number(text)
}

function isDefault(s: Slot, value: any): boolean {
  if (value === undefined) return true
  if (value === null) return s.fallback === 'null'
  if (s.type === 'list' || s.type === 'bytes' || s.type === 'records') return s.fallback !== 'null' && value.length === 0
  if (s.type !== 'struct') return value === defaultOf(s)
  return (s.of as Layout).slots.every(f => isDefault(f, value[f.name])) && !value.unknownTags?.length
}

function putter(s: Slot, flexible: boolean): Put {
  const given = putGiven(s, flexible)
  const absent = defaultOf(s)
  return value => {
    if (value === undefined) value = absent
    if (value === null && !s.nullable) throw new TypeError(`${s.name} must not be null`)
    given(value)
  }
}

function putGiven(s: Slot, flexible: boolean): Put {
  const wide = FIXED[s.type]
  if (wide !== undefined) {
    const write = WRITE[s.type]!
    return value => {
      room(wide)
      write(value)
      at += wide
    }
  }
  if (s.type === 'struct') return putStruct(s)
  if (s.type === 'list') {
    const inner = s.of as Layout | Slot
    const each = 'slots' in inner ? putLayout(inner) : putter(inner, flexible)
    return value => {
      putLength(value === null ? -1 : value.length, flexible, 4)
      if (value !== null) for (const element of value) each(element)
    }
  }
  if (s.type === 'string') return value => putString(s.name, value, flexible)
  return value => {
    putLength(value === null ? -1 : value.length, flexible, 4)
    if (value !== null) putBytes(value)
  }
}

function putLength(n: number, compact: boolean, prefix: 2 | 4): void {
  if (compact) {
    putUvarint(n + 1)
    return
  }
  room(prefix)
  if (prefix === 4) out.writeInt32BE(n, at)
  else out.writeInt16BE(n, at)
  at += prefix
}

function putString(name: string, value: string | null, compact: boolean): void {
  if (value === null) {
    putLength(-1, compact, 2)
    return
  }
  const bytes = Buffer.byteLength(value)
  if (bytes > 32767) throw new TypeError(`${name} is longer than 32767 bytes`)
  putLength(bytes, compact, 2)
  room(bytes)
  out.write(value, at, bytes, 'utf8')
  at += bytes
}

function putStruct(s: Slot): Put {
  const inner = putLayout(s.of as Layout)
  if (!s.nullable) return inner
  return value => {
    room(1)
    out[at++] = value === null ? 255 : 1
    if (value !== null) inner(value)
  }
}
