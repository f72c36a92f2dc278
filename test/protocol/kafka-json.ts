// Decoded messages in the JSON of Kafka's DataJsonConverter classes, and back.

import { defaultOf } from '../../src/protocol/encode.ts'
import type { Layout, Slot } from '../../src/protocol/schema.ts'

export function toKafkaJson(layout: Layout, value: any): any {
  const json: any = {}
  for (const s of layout.slots) {
    const v = value[s.name]
    if (s.tag >= 0 && (v === undefined || isDefault(s, v))) continue
    if (s.type === 'records' && v !== null) json[`${s.name}SizeInBytes`] = v.length
    else json[s.name] = slotToJson(s, v)
  }
  return json
}

function isDefault(s: Slot, v: any): boolean {
  if (s.type === 'struct') return (s.of as Layout).slots.every(f => v[f.name] === undefined || isDefault(f, v[f.name])) && !v.unknownTags
  if (s.type === 'list') return v !== null && v.length === 0
  return v === defaultOf(s)
}

function slotToJson(s: Slot, v: any): any {
  if (v === null) return null
  switch (s.type) {
    case 'int64':
      return Number.isSafeInteger(Number(v)) ? Number(v) : v
    case 'float64':
      return Number.isFinite(v) ? v : String(v)
    case 'uuid':
      return Buffer.from(v, 'hex').toString('base64url')
    case 'bytes':
      return v.toString('base64')
    case 'struct':
      return toKafkaJson(s.of as Layout, v)
    case 'list': {
      const of = s.of as Layout | Slot
      return v.map((e: any) => ('slots' in of ? toKafkaJson(of, e) : slotToJson(of, e)))
    }
    default:
      return v
  }
}

/** A value to encode. Records are as many zeros as the JSON says. */
export function fromKafkaJson(layout: Layout, json: any): any {
  const value: any = {}
  for (const s of layout.slots) {
    const records = json[`${s.name}SizeInBytes`]
    if (s.type === 'records' && records !== undefined) value[s.name] = Buffer.alloc(records)
    else if (json[s.name] !== undefined) value[s.name] = slotFromJson(s, json[s.name])
  }
  return value
}

function slotFromJson(s: Slot, json: any): any {
  if (json === null) return null
  switch (s.type) {
    case 'int64':
      return BigInt(json)
    case 'uuid':
      return Buffer.from(json, 'base64url').toString('hex')
    case 'bytes':
      return Buffer.from(json, 'base64')
    case 'struct':
      return fromKafkaJson(s.of as Layout, json)
    case 'list': {
      const of = s.of as Layout | Slot
      return json.map((e: any) => ('slots' in of ? fromKafkaJson(of, e) : slotFromJson(of, e)))
    }
    default:
      return json
  }
}
