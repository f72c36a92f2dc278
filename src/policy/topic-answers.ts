// Topics whose partitions all get one error: the grafts of Produce and Fetch, written without a codec.

import { compileEncode } from '../protocol/codec.ts'
import type { Layout } from '../protocol/schema.ts'
import { countBytes } from '../protocol/splice.ts'
import { type Edition, elementOf } from './edition.ts'

/** A topic to be answered here. */
export interface Refusal {
  /** Name with its length, or id: as it stood in the request, and stands in the response. */
  readonly wireKey: Buffer
  readonly errorCode: number
  readonly partitions: Iterable<number>
}

/** Writes elements of a response's `responses` list. In both APIs a partition begins with its index and its error code. */
export class TopicAnswers {
  readonly #flexible: boolean
  readonly #partition: Buffer

  /** @param fields those of a partition that are not their type's default; those that a version does not have are passed over */
  constructor(edition: Edition, fields: object) {
    this.#flexible = edition.flexible
    const list = elementOf(edition.response, 'responses').slots.find(s => s.type === 'list')!
    const partition = list.of as Layout
    const present = Object.entries(fields).filter(([field]) => partition.slots.some(s => s.name === field))
    this.#partition = compileEncode(partition)(Object.fromEntries(present))
  }

  write(refusals: Iterable<Refusal>): Buffer {
    const pieces: Buffer[] = []
    for (const { wireKey, errorCode, partitions } of refusals) {
      const indexes = [...partitions]
      const block = Buffer.allocUnsafe(indexes.length * this.#partition.length)
      for (let i = 0, at = 0; i < indexes.length; i++, at += this.#partition.length) {
        this.#partition.copy(block, at)
        block.writeInt32BE(indexes[i]!, at)
        block.writeInt16BE(errorCode, at + 4)
      }
      pieces.push(wireKey, countBytes(indexes.length, this.#flexible), block)
      if (this.#flexible) pieces.push(NO_TAGS)
    }
    return Buffer.concat(pieces)
  }
}
const NO_TAGS = Buffer.of(0)

/** One answer for a topic and partition, as in Kafka, also when a request names it twice. An element begins with its key. */
export function mergeRefusals(
  frame: Buffer,
  entries: readonly {
    readonly start: number
    readonly keyEnd: number
    readonly errorCode: number
    readonly partitions: readonly number[]
  }[],
): Refusal[] {
  const byKey = new Map<string, { wireKey: Buffer; errorCode: number; partitions: Set<number> }>()
  for (const { start, keyEnd, errorCode, partitions } of entries) {
    const wireKey = frame.subarray(start, keyEnd)
    const key = wireKey.toString('latin1')
    const known = byKey.get(key)
    if (known === undefined) byKey.set(key, { wireKey, errorCode, partitions: new Set(partitions) })
    else for (const p of partitions) known.partitions.add(p)
  }
  return [...byKey.values()]
}
