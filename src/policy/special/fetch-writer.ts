// What is written of Fetch: requests with topics taken out and put in, answers of our own, and error entries; for one version.

import { resize, responseHeaderBytes } from '../../protocol/header.ts'
import { countBytes, type Edit, splice } from '../../protocol/splice.ts'
import type { Edition } from '../edition.ts'
import type { Changes, FetchSession, FetchTopic, TopicTable } from '../fetch-session.ts'
import type { Answer } from '../outcome.ts'
import { TopicAnswers } from '../topic-answers.ts'
import type { Grafts } from './fetch-response.ts'
import type { FetchScan } from './fetch-scan.ts'

const NOTHING = Buffer.alloc(0)
const NO_TAGS = Buffer.of(0)
export const NO_GRAFTS: Grafts = { bytes: NOTHING, topics: 0 }

export class FetchWriter {
  readonly #edition: Edition
  readonly #answers: TopicAnswers
  readonly #end: Buffer

  constructor(edition: Edition) {
    this.#edition = edition
    this.#end = edition.flexible ? NO_TAGS : NOTHING
    this.#answers = new TopicAnswers(edition, {
      highWatermark: -1n,
      lastStableOffset: -1n,
      logStartOffset: -1n,
      abortedTransactions: [],
      preferredReadReplica: -1,
      records: NOTHING,
    })
  }

  /** Error entries for what is answered here. */
  graftsOf(table: TopicTable): Grafts {
    const stopped = table.topics.filter(t => t.errorCode !== 0 && t.params.size > 0)
    return { bytes: this.#answers.write(stopped), topics: stopped.length }
  }

  /** Size, correlation id, header tags, throttleTimeMs, errorCode and sessionId (0), responses, tags. */
  answer(request: Buffer, errorCode: number, grafts: Grafts): Answer {
    const { flexible, version, api } = this.#edition
    const bodyAt = responseHeaderBytes(api.key, flexible)
    const head = Buffer.alloc(bodyAt + (version >= 7 ? 10 : 4))
    request.copy(head, 4, 8, 12)
    if (version >= 7) head.writeInt16BE(errorCode, bodyAt + 4)
    const frame = Buffer.concat([head, countBytes(grafts.topics, flexible), grafts.bytes, this.#end])
    return { kind: 'answer', frame: resize(frame), thenClose: false }
  }

  /** The frames of an incremental fetch for the broker, or null if it goes on as it came. */
  incremental(frame: Buffer, scan: FetchScan, session: FetchSession, { allowed, refused }: Changes): readonly Buffer[] | null {
    const edits: Edit[] = []
    if (session.stopped > 0 || allowed.length > 0) this.cutTopics(frame, scan, session.table, allowed, edits)
    if (refused.length > 0) {
      const count = countBytes(scan.forgotten + refused.length, this.#edition.flexible)
      const bytes = Buffer.concat([count, ...refused.map(topic => this.#forgottenElement(topic))])
      edits.push({ start: scan.forgottenCountStart, end: scan.forgottenCountEnd, bytes })
    }
    return edits.length === 0 ? null : [resize(splice(frame, edits))]
  }

  /** Takes out topics that must not pass, and those in `again`, which are put in front whole, as the table has them. */
  cutTopics(frame: Buffer, scan: FetchScan, table: TopicTable, again: readonly FetchTopic[], edits: Edit[]): void {
    const cuts: Edit[] = []
    const whole = new Set(again)
    for (let i = 0; i < scan.topics; i++) {
      const topic = table.find(frame, scan.keyStart[i]!, scan.keyEnd[i]!)!
      if (topic.errorCode !== 0 || whole.has(topic)) cuts.push({ start: scan.topicStart[i]!, end: scan.topicEnd[i]!, bytes: NOTHING })
    }
    if (cuts.length === 0 && again.length === 0) return
    const count = countBytes(scan.topics - cuts.length + again.length, this.#edition.flexible)
    const bytes = Buffer.concat([count, ...again.map(topic => this.#topicElement(topic))])
    edits.push({ start: scan.topicsCountStart, end: scan.topicsCountEnd, bytes }, ...cuts)
  }

  #topicElement(topic: FetchTopic): Buffer {
    const count = countBytes(topic.params.size, this.#edition.flexible)
    return Buffer.concat([topic.wireKey, count, ...topic.params.values(), this.#end])
  }

  #forgottenElement(topic: FetchTopic): Buffer {
    const indexes = Buffer.allocUnsafe(4 * topic.params.size)
    let at = 0
    for (const index of topic.params.keys()) at = indexes.writeInt32BE(index, at)
    return Buffer.concat([topic.wireKey, countBytes(topic.params.size, this.#edition.flexible), indexes, this.#end])
  }
}
