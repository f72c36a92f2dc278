// Metadata: DESCRIBE on each topic, CREATE on those that would be created by asking. KafkaApis.scala handleTopicMetadataRequest (4.4).

import { requestBodyAt, resize } from '../../protocol/header.ts'
import { Metadata } from '../../protocol/messages/03-metadata.ts'
import { countBytes } from '../../protocol/splice.ts'
import type { Visit } from '../../protocol/walk.ts'
import { INVALID_REQUEST, LEADER_NOT_AVAILABLE, TOPIC_AUTHORIZATION_FAILED } from '../answers.ts'
import { Operation, Resource, Verdict } from '../authorizer.ts'
import { Edition } from '../edition.ts'
import { isZeroId, Judging } from '../judging.ts'
import type { Name } from '../names.ts'
import type { Caller, Outcome, Plan } from '../outcome.ts'
import { type Asked, MetadataEdit } from './metadata-response.ts'

const TOPICS = 0
const TOPIC_ID = 1
const NAME = 2
const TOPIC = 3
const ALLOW_CREATION = 4

const UNKNOWN_SERVER_ERROR = -1
/** The first version that says whether topics may be created. */
const FIRST_WITH_FLAG = 4

export const metadataPlan = (version: number): Plan => new MetadataPlan(version)

/** A name that must be dealt with, or whose entry goes to one of two requests. */
interface Entry {
  readonly name: Name
  readonly start: number
  readonly end: number
  /** What is told instead of asking the broker; 0: it is asked. */
  readonly errorCode: number
  /** What is told if the topic is not there, because asking would create it; 0: it may be created. */
  readonly createCode: number
}

class MetadataPlan implements Plan {
  readonly apiKey = Metadata.key
  readonly apiVersion: number
  readonly #edition: Edition
  readonly #walk: (frame: Buffer, visit: Visit) => void

  // What the visitor found in the frame that is being judged.
  #caller!: Caller
  #topicsStart = -1
  #topicsEnd = -1
  #topics = 0
  #someId = false
  #someNull = false
  #creationAt = -1
  #nameStart: number[] = []
  #nameEnd: number[] = []
  #elementStart: number[] = []
  #elementEnd: number[] = []

  constructor(version: number) {
    this.apiVersion = version
    this.#edition = new Edition(Metadata, version)
    this.#walk = this.#edition.requestWalk(['topics', 'topics.topicId', 'topics.name', 'topics[]', 'allowAutoTopicCreation'])
  }

  judge(sent: Buffer, caller: Caller, last: boolean): Outcome {
    const frame = this.#edition.flexible ? withoutLeftOver(sent, this.apiVersion) : sent
    this.#caller = caller
    this.#topics = 0
    this.#someId = false
    this.#someNull = false
    this.#creationAt = -1
    this.#walk(frame, this.#visit)

    const isAll = this.#topicsStart < 0 || (this.apiVersion === 0 && this.#topics === 0)
    if (isAll) return this.#asItCame('all', frame === sent ? null : [frame])
    if (this.apiVersion < 12 && (this.#someNull || this.#someId)) return this.#answerError(frame, INVALID_REQUEST)
    if (this.#someId) return this.#asItCame('ids')
    if (this.#someNull) return this.#answerError(frame, UNKNOWN_SERVER_ERROR)
    const creates = caller.cluster.autoCreates(caller.nodeId) && (this.#creationAt < 0 || frame[this.#creationAt] !== 0)
    if (this.#allAllowed(frame, creates)) return this.#asItCame('names')
    return this.#partly(frame, creates, last)
  }

  readonly #visit: Visit = (mark, bytes, start, end) => {
    const t = this.#topics
    if (mark === NAME) {
      this.#nameStart[t] = start
      this.#nameEnd[t] = end
      if (start < 0) this.#someNull = true
    } else if (mark === TOPIC) {
      this.#elementStart[t] = start
      this.#elementEnd[t] = end
      this.#topics++
    } else if (mark === TOPIC_ID) {
      if (!this.#someId && !isZeroId(bytes, start)) this.#someId = true
    } else if (mark === TOPICS) {
      this.#topicsStart = start
      this.#topicsEnd = end
    } else if (mark === ALLOW_CREATION) this.#creationAt = start
  }

  #asItCame(asked: Asked, frames: readonly Buffer[] | null = null): Outcome {
    const response = new MetadataEdit(this.#edition, this.#edition, this.#caller, asked, [], NOTHING_LACKING, 1)
    return { kind: 'forward', frames, response, thenClose: false }
  }

  #allAllowed(frame: Buffer, creates: boolean): boolean {
    const { names, rights } = this.#caller
    for (let i = 0; i < this.#topics; i++) {
      const name = names.of(Resource.Topic, frame, this.#nameStart[i]!, this.#nameEnd[i]!)
      if (rights.check(Operation.Describe, name) !== Verdict.Allowed) return false
      if (creates && rights.check(Operation.Create, name) !== Verdict.Allowed) return false
    }
    return true
  }

  #partly(frame: Buffer, creates: boolean, last: boolean): Outcome {
    const judging = new Judging(this.#caller, last)
    const entries: Entry[] = []
    for (let i = 0; i < this.#topics; i++) entries.push(this.#judgeEntry(frame, i, creates, judging))
    if (judging.mustWait) return judging.wait()
    judging.tell()

    const stopped = entries.filter(e => e.errorCode !== 0)
    const creating = entries.filter(e => e.errorCode === 0 && e.createCode === 0)
    const lacking = entries.filter(e => e.errorCode === 0 && e.createCode !== 0)
    const old = this.apiVersion < FIRST_WITH_FLAG && (lacking.length > 0 || (this.apiVersion === 0 && creating.length === 0))
    const edition = old ? editionOf(FIRST_WITH_FLAG) : this.#edition
    const frames: Buffer[] = []
    if (creating.length > 0 || lacking.length === 0) frames.push(this.#request(frame, creating, old, creates))
    if (lacking.length > 0) frames.push(this.#request(frame, lacking, old, false))
    const codes = new Map(lacking.map(e => [e.name, e.createCode]))
    const told = new Map(stopped.map(e => [e.name, e.errorCode]))
    const response = new MetadataEdit(edition, this.#edition, this.#caller, 'names', [...told], codes, frames.length === 2 ? 2 : 1)
    return { kind: 'forward', frames, response, thenClose: false }
  }

  #judgeEntry(frame: Buffer, i: number, creates: boolean, judging: Judging): Entry {
    const name = this.#caller.names.of(Resource.Topic, frame, this.#nameStart[i]!, this.#nameEnd[i]!)
    const span = { name, start: this.#elementStart[i]!, end: this.#elementEnd[i]! }
    const describe = judging.check(Operation.Describe, name)
    if (describe === Verdict.Refused) judging.refused(Operation.Describe, name)
    else if (describe !== Verdict.Allowed) judging.undecided(Operation.Describe, name)
    if (describe !== Verdict.Allowed) {
      return { ...span, errorCode: describe === Verdict.Refused ? TOPIC_AUTHORIZATION_FAILED : LEADER_NOT_AVAILABLE, createCode: 0 }
    }
    const create = creates ? judging.check(Operation.Create, name) : Verdict.Allowed
    if (create === Verdict.Allowed) return { ...span, errorCode: 0, createCode: 0 }
    return { ...span, errorCode: 0, createCode: create === Verdict.Refused ? TOPIC_AUTHORIZATION_FAILED : LEADER_NOT_AVAILABLE }
  }

  /**
   * The request for some of its topics. `old`: as version 4, since in its own one an empty list would mean all topics (version 0),
   * or nothing says that none may be created.
   */
  #request(frame: Buffer, entries: readonly Entry[], old: boolean, creates: boolean): Buffer {
    const pieces = [frame.subarray(0, this.#topicsStart), countBytes(entries.length, this.#edition.flexible)]
    for (const { start, end } of entries) pieces.push(frame.subarray(start, end))
    if (old) pieces.push(Buffer.of(creates ? 1 : 0))
    else pieces.push(frame.subarray(this.#topicsEndOfList()))
    const request = resize(Buffer.concat(pieces))
    if (old) request.writeInt16BE(FIRST_WITH_FLAG, 6)
    else if (this.#creationAt >= 0 && !creates) request[request.length - (frame.length - this.#creationAt)] = 0
    return request
  }

  #topicsEndOfList(): number {
    return this.#topics === 0 ? this.#topicsEnd : this.#elementEnd[this.#topics - 1]!
  }

  /** As MetadataRequest.getErrorResponse makes it. */
  #answerError(frame: Buffer, errorCode: number): Outcome {
    const { topics } = this.#edition.decodeRequest(frame) as { topics: { topicId: string; name: string | null }[] }
    const answered = topics.map(({ name, topicId }) => ({ errorCode, name: name ?? '', topicId, isInternal: false, partitions: [] }))
    const body = { brokers: [], topics: answered, ...(this.apiVersion >= 13 ? { errorCode } : {}) }
    return this.#edition.answer(frame, body)
  }
}

/**
 * librdkafka (seen in 2.16) asks for all topics with a null list of four bytes where one belongs; the three that are left over
 * at the end no broker looks at. They are taken off: what is forwarded is what was judged.
 */
function withoutLeftOver(frame: Buffer, version: number): Buffer {
  const at = requestBodyAt(frame, true)
  const end = at + (version <= 10 ? 5 : 4)
  if (frame.length !== end + 3 || frame[at] !== 0 || frame[end - 1] !== 0) return frame
  return resize(Buffer.from(frame.subarray(0, end)))
}

const NOTHING_LACKING: ReadonlyMap<Name, number> = new Map()

const editions = new Map<number, Edition>()
function editionOf(version: number): Edition {
  let edition = editions.get(version)
  if (edition === undefined) editions.set(version, (edition = new Edition(Metadata, version)))
  return edition
}
