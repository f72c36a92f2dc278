// Messages made up from a seed: any value that a layout allows.

import type { Layout, Slot } from '../../src/protocol/schema.ts'

/** A number from 0 up to, not including, `below`. */
export type Random = (below: number) => number

/** mulberry32: small, and the same everywhere. */
export function seeded(seed: number): Random {
  let a = seed >>> 0
  return below => {
    a = (a + 0x6d2b79f5) >>> 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below)
  }
}

export function randomMessage(layout: Layout, random: Random, depth = 0): any {
  const value: any = {}
  for (const s of layout.slots) if (s.tag < 0 || random(2) === 0) value[s.name] = randomValue(s, random, depth)
  if (layout.flexible && random(8) === 0) {
    const free = [99, 7, 100_000].filter(tag => !layout.refusedTags.has(tag))
    value.unknownTags = [[free[random(free.length)]!, randomBytes(random)]]
  }
  return value
}

const randomBytes = (random: Random): Buffer => Buffer.from(Array.from({ length: random(4) === 0 ? 200 : random(5) }, () => random(256)))
const WORDS = ['orders', 'Zahlungen-ä', 'a', '', '__consumer_offsets', '测试', 'x'.repeat(140), 'payments.eu']
const long = (random: Random): bigint => BigInt.asIntN(64, (BigInt(random(2 ** 32)) << 32n) | BigInt(random(2 ** 32)))

function randomValue(s: Slot, random: Random, depth: number): unknown {
  if (s.nullable && random(4) === 0) return null
  switch (s.type) {
    case 'bool':
      return random(2) === 1
    case 'int8':
      return random(256) - 128
    case 'int16':
      return random(65536) - 32768
    case 'uint16':
      return random(65536)
    case 'int32':
      return random(2 ** 32) | 0
    case 'uint32':
      return random(2 ** 32)
    case 'int64':
      return long(random)
    case 'float64':
      return random(1000) / 8
    case 'uuid':
      return Array.from({ length: 32 }, () => random(16).toString(16)).join('')
    case 'string':
      return WORDS[random(WORDS.length)]
    case 'bytes':
    case 'records':
      return randomBytes(random)
    case 'struct':
      return randomMessage(s.of as Layout, random, depth)
    default: {
      const of = s.of as Layout | Slot
      const length = random(8) === 0 && depth === 0 && !('slots' in of) ? 130 : random(4)
      return Array.from({ length }, () => ('slots' in of ? randomMessage(of, random, depth + 1) : randomValue(of, random, depth)))
    }
  }
}
