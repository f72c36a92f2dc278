// ShareFetch: READ on the group, and READ on each topic of the share session, for every request of it. KafkaApis.scala handleShareFetchRequest.

import { ShareFetch } from '../../protocol/messages/78-share-fetch.ts'
import { i32 } from '../../protocol/wire.ts'
import { INVALID_REQUEST, UNKNOWN_TOPIC_ID } from '../answers.ts'
import { Edition, type FrameWalk } from '../edition.ts'
import { type Changes, type FetchTopic, MAX_PARTITIONS, TopicTable } from '../fetch-session.ts'
import type { Caller, Outcome, Plan } from '../outcome.ts'
import { FINAL_EPOCH, INITIAL_EPOCH, ShareSession, type ShareSessions, shareSessionsOf } from '../share-session.ts'
import type { Grafts } from './fetch-response.ts'
import { ShareFetchEdit, ShareFetchResponses } from './share-fetch-response.ts'
import { bareElement, NO_GRAFTS, ShareWriter, type StoppedTopic } from './share-fetch-writer.ts'
import { INVALID_SHARE_SESSION_EPOCH, NOT_LEADER_OR_FOLLOWER, SHARE_SESSION_NOT_FOUND, ShareRequest } from './share-request.ts'

const NOTHING = Buffer.alloc(0)
const NO_CHANGES: Changes = { allowed: [], refused: [] }
/** With a renewal nothing is fetched, and these must be 0: KIP-1222. */
const FETCHING = ['maxWaitMs', 'minBytes', 'maxBytes', 'maxRecords']

export const shareFetchPlan = (version: number): Plan => new ShareFetchPlan(version)

class ShareFetchPlan implements Plan {
  readonly apiKey = ShareFetch.key
  readonly apiVersion: number
  readonly #edition: Edition
  readonly #request: ShareRequest
  readonly #walkFetching: FrameWalk
  readonly #writer: ShareWriter
  readonly #shape: ShareFetchResponses

  constructor(version: number) {
    this.apiVersion = version
    this.#edition = new Edition(ShareFetch, version)
    this.#request = new ShareRequest(this.#edition)
    this.#walkFetching = this.#edition.requestWalk(FETCHING)
    this.#writer = new ShareWriter(this.#edition)
    this.#shape = new ShareFetchResponses(this.#edition)
  }

  judge(frame: Buffer, caller: Caller, last: boolean): Outcome {
    const request = this.#request
    request.read(frame, caller, last)
    const sessions = shareSessionsOf(caller)
    const session = request.sessionIn(sessions, frame)
    const wasCurrent = session?.isCurrent(caller.rights) ?? false
    const { epoch } = caller.rights
    const errorCode = request.gateCode(frame) || this.#sessionCode(frame, session)
    if (errorCode === 0) this.#judgeTopics(frame, session, wasCurrent)
    const { judging } = request
    if (judging.mustWait) return judging.wait()
    judging.tell()
    if (errorCode !== 0) return this.#edition.answer(frame, { errorCode })
    if (request.epoch === INITIAL_EPOCH) return this.#begin(frame, sessions, epoch)
    if (request.epoch === FINAL_EPOCH) return this.#end(frame, sessions, session!)
    return this.#goOn(frame, sessions, session!, wasCurrent, epoch)
  }

  /** What is told of a request that does not fit its session: SharePartitionManager.java newContext. */
  #sessionCode(frame: Buffer, session: ShareSession | null): number {
    const { epoch, acknowledges } = this.#request
    if (!this.#renewsOnly(frame)) return INVALID_REQUEST
    if (epoch === INITIAL_EPOCH) return acknowledges ? INVALID_REQUEST : 0
    if (session === null) return SHARE_SESSION_NOT_FOUND
    return epoch === FINAL_EPOCH || epoch === session.epoch ? 0 : INVALID_SHARE_SESSION_EPOCH
  }

  #renewsOnly(frame: Buffer): boolean {
    if (!this.#request.isRenewAck) return true
    let fetches = false
    this.#walkFetching(frame, (_mark, bytes, start) => {
      fetches ||= i32(bytes, start) !== 0
    })
    return !fetches
  }

  #judgeTopics(frame: Buffer, session: ShareSession | null, wasCurrent: boolean): void {
    const request = this.#request
    const goesOn = session !== null && request.epoch > INITIAL_EPOCH
    if (goesOn && !wasCurrent) this.#judgeAgain(session)
    request.judgeTopics(frame, (start, end) => {
      const topic = goesOn ? session.table.find(frame, start, end) : null
      if (topic === null || topic.params.size === 0) return null
      return { name: topic.name, errorCode: wasCurrent ? topic.errorCode : topic.nextCode }
    })
  }

  #judgeAgain(session: ShareSession): void {
    const request = this.#request
    for (const topic of session.table.topics) {
      if (topic.params.size === 0) continue
      const name = topic.name ?? request.nameOf(topic.wireKey, 0)
      if (name != null) topic.name = name
      topic.nextCode = request.codeOf(name, topic.wireKey, 0, topic.errorCode)
    }
  }

  /** Everything is named. */
  #begin(frame: Buffer, sessions: ShareSessions, epoch: number): Outcome {
    const request = this.#request
    const table = this.#tableOf(frame)
    const member = Buffer.from(frame.subarray(request.memberStart, request.memberEnd))
    const session = new ShareSession(this.apiVersion, table, request.group(frame), member)
    if (session.partitions > MAX_PARTITIONS) return this.#edition.answer(frame, { errorCode: INVALID_REQUEST })
    session.judgedBy(request.caller.rights, epoch)
    sessions.begin(session)
    return this.#forward(frame, sessions, session, table, 0, NO_CHANGES)
  }

  /** Batches are acknowledged, nothing is fetched, and the session ends. */
  #end(frame: Buffer, sessions: ShareSessions, session: ShareSession): Outcome {
    sessions.end(session)
    return this.#forward(frame, sessions, session, this.#tableOf(frame), 0, NO_CHANGES)
  }

  /** The topics of the request alone. */
  #tableOf(frame: Buffer): TopicTable {
    const { scan, names, codes } = this.#request
    const table = new TopicTable()
    for (let i = 0; i < scan.topics; i++) {
      const [start, end] = [scan.keyStart[i]!, scan.keyEnd[i]!]
      this.#put(frame, table.find(frame, start, end) ?? table.add(frame, start, start, end, names[i]!, codes[i]!), i)
    }
    return table
  }

  /** Only what has changed is named. */
  #goOn(frame: Buffer, sessions: ShareSessions, session: ShareSession, wasCurrent: boolean, epoch: number): Outcome {
    const number = session.requests + 1
    // Before the client's changes: what is allowed now and forgotten in the same request is still answered by the broker.
    const changes = wasCurrent ? NO_CHANGES : session.turn(number)
    this.#apply(frame, session, number)
    if (session.partitions > MAX_PARTITIONS) {
      sessions.end(session)
      return this.#edition.answer(frame, { errorCode: SHARE_SESSION_NOT_FOUND })
    }
    session.judgedBy(this.#request.caller.rights, epoch)
    session.advance()
    return this.#forward(frame, sessions, session, session.table, number, changes)
  }

  /** First what is added, then what is forgotten: ShareSession.java update. */
  #apply(frame: Buffer, session: ShareSession, number: number): void {
    const { scan, names, codes } = this.#request
    if (scan.topics + scan.forgotten === 0) return
    for (let i = 0; i < scan.topics; i++) {
      const [start, end] = [scan.keyStart[i]!, scan.keyEnd[i]!]
      let topic = session.table.find(frame, start, end)
      if (topic === null) topic = session.table.add(frame, start, start, end, names[i]!, codes[i]!)
      else if (topic.params.size === 0) this.#comeBack(topic, names[i]!, codes[i]!, number)
      const added = this.#put(frame, topic, i)
      session.partitions += added
      if (added > 0) session.grafts = null
    }
    for (let i = 0; i < scan.forgotten; i++) {
      const topic = session.table.find(frame, scan.forgottenKeyStart[i]!, scan.forgottenKeyEnd[i]!)
      if (topic === null) continue
      for (let k = scan.firstForgotten[i]!; k < scan.firstForgotten[i + 1]!; k++) {
        if (topic.params.delete(scan.forgottenPartition[k]!)) session.partitions--
      }
      session.grafts = null
    }
    // What is acknowledged and forgotten in one request is still answered.
    for (const topic of session.table.topics) {
      if (topic.params.size > 0) continue
      session.emptied = true
      if (topic.sent) topic.unsend(number)
    }
  }

  #comeBack(topic: FetchTopic, name: FetchTopic['name'], errorCode: number, number: number): void {
    topic.name = name
    topic.errorCode = topic.nextCode = errorCode
    if (errorCode === 0) topic.send()
    else if (topic.sent) topic.unsend(number - 1)
  }

  #put(frame: Buffer, topic: FetchTopic, i: number): number {
    const { scan } = this.#request
    let added = 0
    for (let k = scan.firstPartition[i]!; k < scan.firstPartition[i + 1]!; k++) {
      const index = i32(frame, scan.partitionStart[k]!)
      if (!topic.params.has(index)) added += topic.put(index, bareElement(index), 0, 6)
    }
    return added
  }

  #forward(frame: Buffer, sessions: ShareSessions, session: ShareSession, table: TopicTable, number: number, changes: Changes): Outcome {
    const { scan, codes, caller } = this.#request
    const frames = this.#writer.request(frame, scan, codes, changes)
    const response = new ShareFetchEdit(this.#shape, caller, sessions, session, table, number, this.#graftsFor(frame, session, table))
    return { kind: 'forward', frames, response, thenClose: false }
  }

  /** Error entries are the same in each response of a session, but for what is told of batches. */
  #graftsFor(frame: Buffer, session: ShareSession, table: TopicTable): Grafts {
    const request = this.#request
    if (session.grafts === null) {
      session.grafts = this.#writer.grafts(stoppedTopics(session.table, true, NO_CODES))
      session.open = session.table.topics.filter(({ params, errorCode }) => params.size > 0 && isOpen(errorCode)).length
    }
    const fetches = request.epoch !== FINAL_EPOCH && !request.isRenewAck
    const told = request.acknowledges ? request.acknowledgeCodes(frame, table) : NO_CODES
    if (told.size === 0) return fetches ? session.grafts : NO_GRAFTS
    return this.#writer.grafts(stoppedTopics(table, fetches, told))
  }
}

type AcknowledgeCodes = ReadonlyMap<FetchTopic, ReadonlyMap<number, number>>
const NO_CODES: AcknowledgeCodes = new Map()

/** Must be looked at again in each request. */
const isOpen = (errorCode: number): boolean => errorCode === NOT_LEADER_OR_FOLLOWER || errorCode === UNKNOWN_TOPIC_ID

/** Topics that are answered here. @param fetches their partitions in the session are told an error, whether batches came for them or not */
function stoppedTopics(table: TopicTable, fetches: boolean, told: AcknowledgeCodes): StoppedTopic[] {
  return table.topics.flatMap(topic => {
    const { wireKey, errorCode, params } = topic
    if (errorCode === 0) return []
    const codes = told.get(topic) ?? new Map<number, number>()
    const fetched = fetches ? [...params.keys()] : []
    const others = [...codes.keys()].filter(index => !fetches || !params.has(index))
    const partitions = [
      ...fetched.map(index => partitionOf(index, errorCode, codes.get(index) ?? 0)),
      ...others.map(index => partitionOf(index, 0, codes.get(index)!)),
    ]
    return partitions.length === 0 ? [] : [{ wireKey, partitions }]
  })
}

/** Kafka says leader 0 of epoch 0 where it does not mean it; where the error is about the leader, that would be believed. */
const partitionOf = (partitionIndex: number, errorCode: number, acknowledgeErrorCode: number): object => ({
  partitionIndex,
  errorCode,
  acknowledgeErrorCode,
  currentLeader: errorCode === NOT_LEADER_OR_FOLLOWER ? NO_LEADER : { leaderId: 0, leaderEpoch: 0 },
  records: NOTHING,
})
const NO_LEADER = { leaderId: -1, leaderEpoch: -1 }
