// What ShareFetch and ShareAcknowledge have in common: a group and a member that must be right first, topics by id, batches to acknowledge.

import { compileDecode } from '../../protocol/codec.ts'
import type { Layout } from '../../protocol/schema.ts'
import type { Visit } from '../../protocol/walk.ts'
import { uvarint } from '../../protocol/wire.ts'
import { COORDINATOR_NOT_AVAILABLE, INVALID_REQUEST, TOPIC_AUTHORIZATION_FAILED, UNKNOWN_TOPIC_ID } from '../answers.ts'
import { Operation, Resource, Verdict } from '../authorizer.ts'
import { type Edition, elementOf, type FrameWalk } from '../edition.ts'
import type { FetchTopic, TopicTable } from '../fetch-session.ts'
import { isZeroId, Judging } from '../judging.ts'
import type { Name } from '../names.ts'
import type { Caller } from '../outcome.ts'
import type { ShareSession, ShareSessions } from '../share-session.ts'
import { FetchScan } from './fetch-scan.ts'
import { isMemberId } from './share-group-heartbeat.ts'

/** Told of a topic that cannot be decided: the share consumer asks for metadata anew and tries again. */
export const NOT_LEADER_OR_FOLLOWER = 6
export const SHARE_SESSION_NOT_FOUND = 122
export const INVALID_SHARE_SESSION_EPOCH = 123

/** At their places the marks of FetchScan; behind them what it does not know. */
const MARKS = [
  ...['', '', '', 'shareSessionEpoch', 'topics', 'topics.topicId', 'topics.partitions[]', 'topics[]'],
  ...['forgottenTopicsData', 'forgottenTopicsData.topicId', 'forgottenTopicsData.partitions[]'],
  ...['groupId', 'memberId', 'isRenewAck'],
]
const GROUP = 11
const MEMBER = 12
const RENEW = 13

const READ = [Operation.Read]
/** AcknowledgeType: up to 3, and RENEW (KIP-1222). */
const LAST_TYPE = 3
const RENEW_TYPE = 4

interface Batch {
  readonly firstOffset: bigint
  readonly lastOffset: bigint
  readonly acknowledgeTypes: readonly number[]
}

/** The request that is being judged; one a plan, filled anew for each. */
export class ShareRequest {
  readonly scan = new FetchScan()
  readonly #walk: FrameWalk
  readonly #readPartition: (frame: Buffer, at: number) => any
  readonly #apiVersion: number
  caller!: Caller
  judging!: Judging
  groupStart = -1
  groupEnd = -1
  memberStart = -1
  memberEnd = -1
  isRenewAck = false
  /** Some partition has batches to acknowledge. */
  acknowledges = false
  /** Of each topic of the request. */
  readonly names: (Name | null)[] = []
  readonly codes: number[] = []

  constructor(edition: Edition) {
    this.#walk = edition.requestWalk(MARKS)
    this.#apiVersion = edition.version
    const topic = elementOf(edition.request, 'topics')
    this.#readPartition = compileDecode(topic.slots.find(slot => slot.name === 'partitions')!.of as Layout)
  }

  read(frame: Buffer, caller: Caller, last: boolean): void {
    this.caller = caller
    this.judging = new Judging(caller, last)
    this.scan.reset()
    this.isRenewAck = this.acknowledges = false
    this.#walk(frame, this.#visit)
    for (let k = 0; k < this.scan.firstPartition[this.scan.topics]!; k++) this.acknowledges ||= this.hasBatches(frame, k)
  }

  readonly #visit: Visit = (mark, bytes, start, end) => {
    if (mark < GROUP) this.scan.visit(mark, bytes, start, end)
    else if (mark === RENEW) this.isRenewAck = bytes[start] !== 0
    else if (mark === GROUP) {
      this.groupStart = start
      this.groupEnd = end
    } else if (mark === MEMBER) {
      this.memberStart = start
      this.memberEnd = end
    }
  }

  get epoch(): number {
    return this.scan.sessionEpoch
  }

  /** A count stands behind the partition's index. */
  hasBatches(frame: Buffer, partition: number): boolean {
    return uvarint(frame, this.scan.partitionStart[partition]! + 4) > 1
  }

  group(frame: Buffer): Name {
    return this.caller.names.of(Resource.Group, frame, this.groupStart, this.groupEnd)
  }

  /** The share session that the request goes on with, if this connection has it. */
  sessionIn(sessions: ShareSessions, frame: Buffer): ShareSession | null {
    if (this.groupStart < 0 || this.memberStart < 0) return null
    return sessions.find(this.group(frame), frame, this.memberStart, this.memberEnd)
  }

  /** What is told of group and member, before the session is looked at; 0: nothing. */
  gateCode(frame: Buffer): number {
    if (this.groupStart < 0) return INVALID_REQUEST
    const group = this.judging.codeOf(Operation.Read, this.group(frame), COORDINATOR_NOT_AVAILABLE)
    if (group !== 0) return group
    const member = this.memberStart < 0 ? null : frame.toString('utf8', this.memberStart, this.memberEnd)
    return isMemberId(member) ? 0 : INVALID_REQUEST
  }

  /** Asks for the topics of the request. `known`: what is told of a topic that a session holds already. */
  judgeTopics(frame: Buffer, known: (start: number, end: number) => { name: Name | null; errorCode: number } | null): void {
    const { scan } = this
    for (let i = 0; i < scan.topics; i++) {
      const held = known(scan.keyStart[i]!, scan.keyEnd[i]!)
      const name = held === null ? this.nameOf(frame, scan.keyStart[i]!) : held.name
      this.codes[i] = held === null ? this.codeOf(name, frame, scan.keyStart[i]!) : held.errorCode
      this.names[i] = name ?? null
    }
  }

  /** The topic's name; null: nobody knows that id; undefined: not known here, and asked for. */
  nameOf(bytes: Buffer, at: number): Name | null | undefined {
    const name = this.caller.cluster.topicOf(bytes, at)
    if (name != null) return name
    return isZeroId(bytes, at) ? null : this.judging.topicOf(bytes, at, READ)
  }

  /** What is told of a topic, and noted unless `before` said it already; 0: allowed. */
  codeOf(name: Name | null | undefined, id: Buffer, at: number, before = 0): number {
    if (name === null) return UNKNOWN_TOPIC_ID
    const { caller, judging } = this
    if (name === undefined) {
      if (before !== NOT_LEADER_OR_FOLLOWER) judging.undecidedId(Operation.Read, id, at)
      return NOT_LEADER_OR_FOLLOWER
    }
    const current = caller.names.current(name)
    const verdict = judging.check(Operation.Read, current)
    if (verdict === Verdict.Allowed) return 0
    const errorCode = verdict === Verdict.Refused ? TOPIC_AUTHORIZATION_FAILED : NOT_LEADER_OR_FOLLOWER
    if (errorCode === before) return errorCode
    if (verdict === Verdict.Refused) judging.refused(Operation.Read, current)
    else judging.undecided(Operation.Read, current)
    return errorCode
  }

  /** What is told of the batches of partitions that are answered here: one that is malformed is told so first (validateAcknowledgementBatches). */
  acknowledgeCodes(frame: Buffer, table: TopicTable): ReadonlyMap<FetchTopic, ReadonlyMap<number, number>> {
    const { scan, codes } = this
    const told = new Map<FetchTopic, Map<number, number>>()
    for (let i = 0; i < scan.topics; i++) {
      if (codes[i] === 0) continue
      const topic = table.find(frame, scan.keyStart[i]!, scan.keyEnd[i]!)!
      const ofTopic = told.get(topic) ?? new Map<number, number>()
      told.set(topic, ofTopic)
      for (let k = scan.firstPartition[i]!; k < scan.firstPartition[i + 1]!; k++) {
        const { partitionIndex, acknowledgementBatches } = this.#readPartition(frame, scan.partitionStart[k]!)
        const isTold = codes[i] === UNKNOWN_TOPIC_ID || this.#areValid(acknowledgementBatches)
        ofTopic.set(partitionIndex, isTold ? codes[i]! : INVALID_REQUEST)
      }
    }
    return told
  }

  #areValid(batches: readonly Batch[]): boolean {
    let before = -1n
    const lastType = this.#apiVersion >= 2 ? RENEW_TYPE : LAST_TYPE
    for (const { firstOffset, lastOffset, acknowledgeTypes: types } of batches) {
      if (firstOffset > lastOffset || firstOffset < before || types.length === 0) return false
      if (types.length > 1 && lastOffset - firstOffset !== BigInt(types.length - 1)) return false
      if (types.some(type => type < 0 || type > lastType || (type === RENEW_TYPE && !this.isRenewAck))) return false
      before = lastOffset
    }
    return true
  }
}
