// OffsetFetch: one group or many, topics named, given by id, or all of them. KafkaApis.scala handleOffsetFetchRequest.

import { resize } from '../../protocol/header.ts'
import { OffsetFetch } from '../../protocol/messages/09-offset-fetch.ts'
import { countBytes, type Edit, splice } from '../../protocol/splice.ts'
import type { Visit } from '../../protocol/walk.ts'
import { COORDINATOR_NOT_AVAILABLE, refusalOf, TOPIC_AUTHORIZATION_FAILED, UNKNOWN_TOPIC_ID } from '../answers.ts'
import { Operation, Resource, Verdict } from '../authorizer.ts'
import { Edition, type FrameWalk } from '../edition.ts'
import type { Span } from '../graft.ts'
import { Judging } from '../judging.ts'
import type { Name } from '../names.ts'
import { type Caller, type Outcome, PASS, type Plan } from '../outcome.ts'
import { type GroupAnswer, type OffsetsShown, offsetFetchEdit } from './offset-fetch-response.ts'

const GROUPS = 0
const GROUP = 1
const GROUP_ID = 2
const TOPICS = 3
const TOPIC = 4
const TOPIC_NAME = 5
const TOPIC_ID = 6

/** From here on a request asks for many groups. */
const BATCH_VERSION = 8
/** From here on errors of a group stand beside its topics, and null asks for all topics. */
const GROUP_ERROR_VERSION = 2

/** One topic of a group: where it lies, and what its sender is told (0: nothing). */
interface Topic extends Span {
  readonly errorCode: number
}
interface Group extends Span {
  readonly errorCode: number
  /** null: all. */
  readonly topics: readonly Topic[] | null
  readonly topicCount: Span
}

export const offsetFetchPlan = (version: number): Plan => new OffsetFetchPlan(version)

class OffsetFetchPlan implements Plan {
  readonly apiKey = OffsetFetch.key
  readonly apiVersion: number
  readonly #edition: Edition
  readonly #batched: boolean
  readonly #walk: FrameWalk

  // Of the frame that is being judged.
  #caller!: Caller
  #clean = true

  constructor(version: number) {
    this.apiVersion = version
    this.#edition = new Edition(OffsetFetch, version)
    this.#batched = version >= BATCH_VERSION
    const at = this.#batched ? 'groups.' : ''
    this.#walk = this.#edition.requestWalk([
      'groups',
      'groups[]',
      `${at}groupId`,
      `${at}topics`,
      `${at}topics[]`,
      `${at}topics.name`,
      `${at}topics.topicId`,
    ])
  }

  judge(frame: Buffer, caller: Caller, last: boolean): Outcome {
    this.#caller = caller
    this.#clean = true
    this.#walk(frame, this.#visit)
    return this.#clean ? PASS : this.#decide(frame, new Judging(caller, last))
  }

  readonly #visit: Visit = (mark, bytes, start, end) => {
    const { names, rights, cluster } = this.#caller
    if (mark === TOPICS && start < 0) this.#clean = false
    if (mark !== GROUP_ID && mark !== TOPIC_NAME && mark !== TOPIC_ID) return
    const name =
      mark === TOPIC_ID ? cluster.topicOf(bytes, start) : names.of(mark === GROUP_ID ? Resource.Group : Resource.Topic, bytes, start, end)
    if (!name || rights.check(Operation.Describe, name) !== Verdict.Allowed) this.#clean = false
  }

  #decide(frame: Buffer, judging: Judging): Outcome {
    const { groups, count } = this.#find(frame, judging)
    if (judging.mustWait) return judging.wait()
    judging.tell()
    const answers = this.#answers(frame, groups)
    if (groups.length > 0 && groups.every(group => group.errorCode !== 0)) {
      return this.#edition.answer(frame, this.#batched ? { groups: answers.map(a => a.refused) } : answers[0]!.refused!)
    }
    const cut = groups.some(group => group.errorCode !== 0 || group.topics?.some(topic => topic.errorCode !== 0))
    const shown: OffsetsShown = { answers, filtered: groups.some(group => group.topics === null) }
    if (!cut && !shown.filtered) return PASS
    const frames = cut ? [this.#cut(frame, groups, count)] : null
    return { kind: 'forward', frames, response: offsetFetchEdit(this.#edition, this.#batched, judging.caller, shown), thenClose: false }
  }

  /** The groups of the request, each of their names asked for. */
  #find(frame: Buffer, judging: Judging): { groups: Group[]; count: Span } {
    const groups: Group[] = []
    let count: Span = { start: 0, end: 0 }
    let open = new OpenGroup(judging)
    this.#walk(frame, (mark, bytes, start, end) => {
      if (mark === GROUPS) count = { start, end }
      else if (mark === GROUP) {
        groups.push(open.close(start, end))
        open = new OpenGroup(judging)
      } else open.visit(mark, bytes, start, end)
    })
    if (!this.#batched) groups.push(open.close(0, frame.length))
    return { groups, count }
  }

  /** The request without refused groups and topics. The coordinator is asked even when no topic is left: it may have an error to tell. */
  #cut(frame: Buffer, groups: readonly Group[], count: Span): Buffer {
    const { flexible } = this.#edition
    const edits: Edit[] = []
    const kept = groups.filter(group => group.errorCode === 0)
    if (kept.length < groups.length) edits.push({ ...count, bytes: countBytes(kept.length, flexible) })
    for (const { errorCode, start, end, topics, topicCount } of groups) {
      if (errorCode !== 0) edits.push({ start, end, bytes: NOTHING })
      const refused = errorCode === 0 && topics !== null ? topics.filter(topic => topic.errorCode !== 0) : []
      if (refused.length === 0) continue
      edits.push({ ...topicCount, bytes: countBytes(topics!.length - refused.length, flexible) })
      for (const topic of refused) edits.push({ start: topic.start, end: topic.end, bytes: NOTHING })
    }
    return resize(splice(frame, edits))
  }

  /** What each group's sender is told by the gate, in the order of the request. */
  #answers(frame: Buffer, groups: readonly Group[]): GroupAnswer[] {
    const request = this.#edition.decodeRequest(frame)
    const asked: any[] = this.#batched ? request.groups : [request]
    return groups.map(({ errorCode, topics }, i) => {
      const { groupId } = asked[i]
      if (errorCode === 0) {
        const refused = (topics ?? []).flatMap((topic, t) =>
          topic.errorCode === 0 ? [] : [topicAnswer(asked[i].topics[t], topic.errorCode)],
        )
        return { groupId, refused: null, topics: refused }
      }
      const tellsGroup = this.apiVersion >= GROUP_ERROR_VERSION
      const refused = tellsGroup
        ? { groupId, errorCode, topics: [] }
        : { groupId, topics: asked[i].topics.map((topic: any) => topicAnswer(topic, errorCode)) }
      return { groupId, refused: this.#batched ? refused : withoutGroupId(refused), topics: [] }
    })
  }
}

/** One group while its fields come by. */
class OpenGroup {
  readonly #judging: Judging
  readonly #topics: Topic[] = []
  #allTopics = false
  #topicCount: Span = { start: 0, end: 0 }
  #groupId: Name | null = null
  #topicCode = 0
  #undecided = false
  readonly #noted: { readonly name: Name; readonly refused: boolean }[] = []
  readonly #unknownIds: number[] = []
  #bytes: Buffer = NOTHING

  constructor(judging: Judging) {
    this.#judging = judging
  }

  visit(mark: number, bytes: Buffer, start: number, end: number): void {
    const { names } = this.#judging.caller
    this.#bytes = bytes
    if (mark === GROUP_ID) this.#groupId = names.of(Resource.Group, bytes, start, end)
    else if (mark === TOPICS) {
      this.#allTopics = start < 0
      this.#topicCount = { start, end }
    } else if (mark === TOPIC_NAME) this.#topicCode = this.#codeOf(names.of(Resource.Topic, bytes, start, end), start)
    else if (mark === TOPIC_ID) this.#topicCode = this.#codeOf(this.#judging.topicOf(bytes, start, [Operation.Describe]), start)
    else if (mark === TOPIC) this.#topics.push({ start, end, errorCode: this.#topicCode })
  }

  /** An undecided topic leaves its whole group undecided: clients take an error of a partition here for final, one of a group not. */
  #codeOf(name: Name | null | undefined, at: number): number {
    if (name === null) return UNKNOWN_TOPIC_ID
    const verdict = name === undefined ? Verdict.Undecided : this.#judging.check(Operation.Describe, name)
    if (verdict === Verdict.Allowed) return 0
    if (name !== undefined) this.#noted.push({ name, refused: verdict === Verdict.Refused })
    else this.#unknownIds.push(at)
    if (verdict === Verdict.Refused) return TOPIC_AUTHORIZATION_FAILED
    this.#undecided = true
    return COORDINATOR_NOT_AVAILABLE
  }

  close(start: number, end: number): Group {
    return { start, end, errorCode: this.#errorCode(), topics: this.#allTopics ? null : this.#topics, topicCount: this.#topicCount }
  }

  /** The group is asked for before its topics, and a group that is refused says nothing of them. */
  #errorCode(): number {
    const judging = this.#judging
    const groupId = this.#groupId!
    const verdict = judging.check(Operation.Describe, groupId)
    if (verdict === Verdict.Refused) {
      judging.refused(Operation.Describe, groupId)
      return refusalOf(Resource.Group)
    }
    if (verdict !== Verdict.Allowed) judging.undecided(Operation.Describe, groupId)
    for (const { name, refused } of this.#noted) {
      if (refused) judging.refused(Operation.Describe, name)
      else judging.undecided(Operation.Describe, name)
    }
    for (const at of this.#unknownIds) judging.undecidedId(Operation.Describe, this.#bytes, at)
    return verdict !== Verdict.Allowed || this.#undecided ? COORDINATOR_NOT_AVAILABLE : 0
  }
}

const NOTHING = Buffer.alloc(0)

const withoutGroupId = ({ groupId: _, ...rest }: { groupId: string; topics: unknown[] }) => rest

const topicAnswer = ({ name, topicId, partitionIndexes }: any, errorCode: number) => ({
  ...(topicId === undefined ? { name } : { topicId }),
  partitions: partitionIndexes.map((partitionIndex: number) => ({ partitionIndex, committedOffset: -1n, metadata: '', errorCode })),
})
