// What is written of share sessions: requests with topics taken out and put in, and error entries; for one API and version.

import { compileEncode } from '../../protocol/codec.ts'
import { resize } from '../../protocol/header.ts'
import type { Layout } from '../../protocol/schema.ts'
import { countBytes, type Edit, splice } from '../../protocol/splice.ts'
import { i32 } from '../../protocol/wire.ts'
import { type Edition, elementOf } from '../edition.ts'
import type { Changes, FetchTopic } from '../fetch-session.ts'
import type { Grafts } from './fetch-response.ts'
import type { FetchScan } from './fetch-scan.ts'

const NOTHING = Buffer.alloc(0)
const NO_TAGS = Buffer.of(0)
export const NO_GRAFTS: Grafts = { bytes: NOTHING, topics: 0 }

/** A topic that is answered here: its id, and what is told of each of its partitions. */
export interface StoppedTopic {
  readonly wireKey: Buffer
  readonly partitions: readonly object[]
}

/** A partition of a session as it stands in a request that only keeps it: no batches, no tags. */
export function bareElement(index: number): Buffer {
  const element = Buffer.alloc(6)
  element.writeInt32BE(index)
  element[4] = 1
  return element
}

export class ShareWriter {
  readonly #encodePartition: (partition: object) => Buffer

  constructor(edition: Edition) {
    const topic = elementOf(edition.response, 'responses')
    this.#encodePartition = compileEncode(topic.slots.find(slot => slot.name === 'partitions')!.of as Layout)
  }

  /** Both APIs are flexible in all versions. */
  grafts(topics: readonly StoppedTopic[]): Grafts {
    if (topics.length === 0) return NO_GRAFTS
    const bytes = topics.flatMap(({ wireKey, partitions }) => [
      wireKey,
      countBytes(partitions.length, true),
      ...partitions.map(this.#encodePartition),
      NO_TAGS,
    ])
    return { bytes: Buffer.concat(bytes), topics: topics.length }
  }

  /**
   * The frame without the topics that `codes` stop; topics that are allowed again join it with all the partitions that it does not name,
   * and those that are refused now are forgotten. Null: as it came.
   */
  request(frame: Buffer, scan: FetchScan, codes: readonly number[], { allowed, refused }: Changes): readonly Buffer[] | null {
    const cuts: Edit[] = []
    for (let i = 0; i < scan.topics; i++) {
      if (codes[i] !== 0) cuts.push({ start: scan.topicStart[i]!, end: scan.topicEnd[i]!, bytes: NOTHING })
    }
    const again = allowed.map(topic => unnamed(topic, frame, scan)).filter(element => element !== null)
    const edits: Edit[] = []
    if (cuts.length > 0 || again.length > 0) {
      const count = countBytes(scan.topics - cuts.length + again.length, true)
      edits.push({ start: scan.topicsCountStart, end: scan.topicsCountEnd, bytes: Buffer.concat([count, ...again]) }, ...cuts)
    }
    if (refused.length > 0) {
      const count = countBytes(scan.forgotten + refused.length, true)
      const bytes = Buffer.concat([count, ...refused.map(forgotten)])
      edits.push({ start: scan.forgottenCountStart, end: scan.forgottenCountEnd, bytes })
    }
    return edits.length === 0 ? null : [resize(splice(frame, edits))]
  }
}

/** An element with the topic's partitions that the request does not name itself: batches stay where they are. */
function unnamed({ wireKey, params }: FetchTopic, frame: Buffer, scan: FetchScan): Buffer | null {
  const left = new Map(params)
  for (let i = 0; i < scan.topics; i++) {
    if (frame.compare(wireKey, 0, 16, scan.keyStart[i]!, scan.keyEnd[i]!) !== 0) continue
    for (let k = scan.firstPartition[i]!; k < scan.firstPartition[i + 1]!; k++) left.delete(i32(frame, scan.partitionStart[k]!))
  }
  return left.size === 0 ? null : Buffer.concat([wireKey, countBytes(left.size, true), ...left.values(), NO_TAGS])
}

function forgotten({ wireKey, params }: FetchTopic): Buffer {
  const indexes = Buffer.allocUnsafe(4 * params.size)
  let at = 0
  for (const index of params.keys()) at = indexes.writeInt32BE(index, at)
  return Buffer.concat([wireKey, countBytes(params.size, true), indexes, NO_TAGS])
}
