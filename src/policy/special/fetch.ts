// Fetch: READ on each topic of the whole session, for every request of it. KafkaApis.scala handleFetchRequest, FetchManager.java (4.4).

import { resize } from '../../protocol/header.ts'
import { Fetch } from '../../protocol/messages/01-fetch.ts'
import { type Edit, splice } from '../../protocol/splice.ts'
import type { Visit } from '../../protocol/walk.ts'
import { i32 } from '../../protocol/wire.ts'
import { TOPIC_AUTHORIZATION_FAILED, UNKNOWN_TOPIC_ID } from '../answers.ts'
import { Operation, Resource, Verdict } from '../authorizer.ts'
import { Edition } from '../edition.ts'
import { type Changes, type FetchSession, type FetchTopic, MAX_PARTITIONS, TopicTable } from '../fetch-session.ts'
import { clusterName, isZeroId, Judging } from '../judging.ts'
import type { Name } from '../names.ts'
import type { Caller, Outcome, Plan } from '../outcome.ts'
import { FetchEdit } from './fetch-response.ts'
import { FETCH_MARKS, FetchScan } from './fetch-scan.ts'
import { type FetchSessions, sessionsOf } from './fetch-sessions.ts'
import { FetchResponses } from './fetch-stream.ts'
import { FetchWriter, NO_GRAFTS } from './fetch-writer.ts'

/** Told for what cannot be decided: the Java consumer asks for metadata anew and tries again. */
const NOT_LEADER_OR_FOLLOWER = 6
const FETCH_SESSION_ID_NOT_FOUND = 70
const INVALID_FETCH_SESSION_EPOCH = 71
const FETCH_SESSION_TOPIC_ID_ERROR = 106

/** FetchRequest.java: below it a debugger (-2) and a broker's own log (-3), which reads what is not committed. */
const CONSUMER = -1
const INITIAL_EPOCH = 0
const FINAL_EPOCH = -1
const ZERO = Buffer.alloc(4)
const MINUS_ONE = Buffer.alloc(4, 255)
const READ = [Operation.Read]

export const fetchPlan = (version: number): Plan => new FetchPlan(version)

class FetchPlan implements Plan {
  readonly apiKey = Fetch.key
  readonly apiVersion: number
  readonly #edition: Edition
  readonly #byId: boolean
  readonly #walk: (frame: Buffer, visit: Visit) => void
  readonly #writer: FetchWriter
  readonly #responses: FetchResponses
  readonly #scan = new FetchScan()

  // Of the request that is being judged.
  #caller!: Caller
  #last = false
  #judging: Judging | null = null

  constructor(version: number) {
    this.apiVersion = version
    this.#edition = new Edition(Fetch, version)
    this.#byId = version >= 13
    this.#walk = this.#edition.requestWalk(FETCH_MARKS(this.#byId))
    this.#writer = new FetchWriter(this.#edition)
    this.#responses = new FetchResponses(this.#edition)
  }

  judge(frame: Buffer, caller: Caller, last: boolean): Outcome {
    const scan = this.#scan
    scan.reset()
    this.#walk(frame, scan.visit)
    this.#caller = caller
    this.#last = last
    this.#judging = null
    const sessions = sessionsOf(caller)
    if (scan.replicaId !== CONSUMER) return this.#refuseFollower(frame, sessions)
    const full = scan.sessionEpoch === INITIAL_EPOCH || scan.sessionEpoch === FINAL_EPOCH
    return full ? this.#full(frame, sessions) : this.#incremental(frame, sessions)
  }

  /** Everything is named. */
  #full(frame: Buffer, sessions: FetchSessions): Outcome {
    const scan = this.#scan
    const table = new TopicTable()
    let stopped = 0
    for (let i = 0; i < scan.topics; i++) {
      if (table.find(frame, scan.keyStart[i]!, scan.keyEnd[i]!) !== null) continue
      const name = this.#nameOf(frame, scan.keyStart[i]!, scan.keyEnd[i]!)
      const errorCode = this.#codeOf(name)
      if (errorCode !== 0) {
        stopped++
        this.#note(name, errorCode, frame, scan.keyStart[i]!)
      }
      table.add(frame, scan.topicStart[i]!, scan.keyStart[i]!, scan.keyEnd[i]!, name ?? null, errorCode)
    }
    const judging = this.#judging as Judging | null
    if (judging?.mustWait) return judging.wait()
    judging?.tell()

    let begins = scan.sessionEpoch === INITIAL_EPOCH && scan.firstPartition[scan.topics]! <= MAX_PARTITIONS
    this.#keepParams(frame, table, begins)
    const grafts = stopped === 0 ? NO_GRAFTS : this.#writer.graftsOf(table)
    const closes = scan.sessionId !== 0 && sessions.mayClose(scan.sessionId)
    if (stopped > 0 && stopped === table.topics.length) {
      if (!closes) return this.#writer.answer(frame, 0, grafts)
      begins = false // what goes to the broker is only the end of the session that was named
    }
    const edits: Edit[] = []
    if (scan.sessionId !== 0 && !closes) edits.push({ start: scan.sessionIdAt, end: scan.sessionIdAt + 4, bytes: ZERO })
    if (!begins && scan.sessionEpoch === INITIAL_EPOCH) {
      edits.push({ start: scan.sessionEpochAt, end: scan.sessionEpochAt + 4, bytes: MINUS_ONE })
    }
    if (stopped > 0) this.#writer.cutTopics(frame, scan, table, [], edits)
    if (closes) sessions.end(scan.sessionId)
    const response = new FetchEdit(this.#responses, this.#caller, sessions, table, null, 0, grafts, begins)
    return { kind: 'forward', frames: edits.length === 0 ? null : [resize(splice(frame, edits))], response, thenClose: false }
  }

  /** Kept for all topics if a session begins, else for those that are answered here. */
  #keepParams(frame: Buffer, table: TopicTable, begins: boolean): void {
    const scan = this.#scan
    for (let i = 0; i < scan.topics; i++) {
      const topic = table.find(frame, scan.keyStart[i]!, scan.keyEnd[i]!)!
      if (begins || topic.errorCode !== 0) this.#put(frame, topic, i)
    }
  }

  #put(frame: Buffer, topic: FetchTopic, i: number): number {
    const scan = this.#scan
    let added = 0
    for (let k = scan.firstPartition[i]!; k < scan.firstPartition[i + 1]!; k++) {
      const start = scan.partitionStart[k]!
      added += topic.put(i32(frame, start), frame, start, scan.partitionEnd[k]!)
    }
    return added
  }

  /** Only what has changed is named. */
  #incremental(frame: Buffer, sessions: FetchSessions): Outcome {
    const scan = this.#scan
    const session = sessions.get(scan.sessionId)
    if (session === undefined) return this.#writer.answer(frame, FETCH_SESSION_ID_NOT_FOUND, NO_GRAFTS)
    if (session.epoch !== scan.sessionEpoch) return this.#writer.answer(frame, INVALID_FETCH_SESSION_EPOCH, NO_GRAFTS)
    if (session.apiVersion !== this.apiVersion) {
      if (session.apiVersion >= 13 !== this.#byId) return this.#writer.answer(frame, FETCH_SESSION_TOPIC_ID_ERROR, NO_GRAFTS)
      sessions.forget(session)
      return this.#writer.answer(frame, FETCH_SESSION_ID_NOT_FOUND, NO_GRAFTS)
    }
    const { rights } = this.#caller
    const epoch = rights.epoch
    const wasCurrent = session.isCurrent(rights)
    if (!wasCurrent) this.#judgeAgain(session)
    const added = scan.topics === 0 ? NO_TOPICS : this.#judgeAdded(frame, session)
    const judging = this.#judging as Judging | null
    if (judging?.mustWait) return judging.wait()
    judging?.tell()

    const number = session.requests + 1
    this.#apply(frame, session, added, number)
    const changes = wasCurrent ? NO_CHANGES : session.turn(number)
    if (session.partitions > MAX_PARTITIONS) {
      sessions.forget(session)
      return this.#writer.answer(frame, FETCH_SESSION_ID_NOT_FOUND, NO_GRAFTS)
    }
    if (session.grafts === null) this.#graft(session)
    session.judgedBy(rights, epoch)
    session.advance()
    const response = new FetchEdit(this.#responses, this.#caller, sessions, session.table, session, number, session.grafts!, false)
    return { kind: 'forward', frames: this.#writer.incremental(frame, scan, session, changes), response, thenClose: false }
  }

  #judgeAgain(session: FetchSession): void {
    for (const topic of session.table.topics) {
      if (topic.params.size === 0) continue
      const name = topic.name ?? this.#nameOf(topic.wireKey, topic.prefixBytes, topic.wireKey.length)
      if (name != null) topic.name = name
      topic.nextCode = this.#codeOf(name)
      if (topic.nextCode !== 0 && topic.nextCode !== topic.errorCode) this.#note(name, topic.nextCode, topic.wireKey, topic.prefixBytes)
    }
  }

  /** Verdicts on topics that the session does not hold yet; nothing is changed before all are known. */
  #judgeAdded(frame: Buffer, session: FetchSession): ReadonlyMap<number, Added> {
    const scan = this.#scan
    let added: Map<number, Added> | null = null
    for (let i = 0; i < scan.topics; i++) {
      const topic = session.table.find(frame, scan.keyStart[i]!, scan.keyEnd[i]!)
      if (topic !== null && topic.params.size > 0) continue
      const name = this.#nameOf(frame, scan.keyStart[i]!, scan.keyEnd[i]!)
      const errorCode = this.#codeOf(name)
      if (errorCode !== 0) this.#note(name, errorCode, frame, scan.keyStart[i]!)
      added ??= new Map()
      added.set(i, { name: name ?? null, errorCode })
    }
    return added ?? NO_TOPICS
  }

  /** The client's changes, in Kafka's order: first what is added and updated, then what is forgotten. */
  #apply(frame: Buffer, session: FetchSession, added: ReadonlyMap<number, Added>, number: number): void {
    const scan = this.#scan
    for (let i = 0; i < scan.topics; i++) {
      let topic = session.table.find(frame, scan.keyStart[i]!, scan.keyEnd[i]!)
      const fresh = added.get(i)
      if (topic === null) {
        topic = session.table.add(frame, scan.topicStart[i]!, scan.keyStart[i]!, scan.keyEnd[i]!, fresh!.name, fresh!.errorCode)
        if (fresh!.errorCode !== 0) session.grafts = null
      } else if (topic.params.size === 0 && fresh !== undefined) {
        topic.name = fresh.name
        topic.errorCode = topic.nextCode = fresh.errorCode
        if (fresh.errorCode === 0) topic.send()
        session.grafts = null
      }
      const partitions = this.#put(frame, topic, i)
      session.partitions += partitions
      if (partitions > 0 && topic.errorCode !== 0) session.grafts = null
      if (topic.params.size === 0) this.#empty(session, topic, number)
    }
    for (let i = 0; i < scan.forgotten; i++) {
      const topic = session.table.find(frame, scan.forgottenKeyStart[i]!, scan.forgottenKeyEnd[i]!)
      if (topic === null || topic.params.size === 0) continue
      for (let k = scan.firstForgotten[i]!; k < scan.firstForgotten[i + 1]!; k++) {
        if (topic.params.delete(scan.forgottenPartition[k]!)) session.partitions--
      }
      if (topic.errorCode !== 0) session.grafts = null
      if (topic.params.size === 0) this.#empty(session, topic, number)
    }
  }

  /** What is added and forgotten in one request may still be answered by a broker whose session ends with it. */
  #empty(session: FetchSession, topic: FetchTopic, number: number): void {
    session.emptied = true
    if (topic.sent) topic.unsend(number)
  }

  #graft(session: FetchSession): void {
    session.stopped = 0
    session.open = 0
    for (const { params, errorCode } of session.table.topics) {
      if (params.size === 0 || errorCode === 0) continue
      session.stopped++
      if (errorCode !== TOPIC_AUTHORIZATION_FAILED) session.open++
    }
    session.grafts = session.stopped === 0 ? NO_GRAFTS : this.#writer.graftsOf(session.table)
  }

  /** The topic's name; null: nobody knows that id; undefined: not known here, and asked for. */
  #nameOf(bytes: Buffer, start: number, end: number): Name | null | undefined {
    if (!this.#byId) return this.#caller.names.of(Resource.Topic, bytes, start, end)
    const name = this.#caller.cluster.topicOf(bytes, start)
    if (name != null) return name
    return isZeroId(bytes, start) ? null : this.#judge().topicOf(bytes, start, READ)
  }

  #judge(): Judging {
    return (this.#judging ??= new Judging(this.#caller, this.#last))
  }

  /** What is told of a topic; 0: allowed. */
  #codeOf(name: Name | null | undefined): number {
    if (name == null) return name === null ? UNKNOWN_TOPIC_ID : NOT_LEADER_OR_FOLLOWER
    const current = this.#caller.names.current(name)
    const verdict = this.#caller.rights.check(Operation.Read, current)
    if (verdict === Verdict.Allowed) return 0
    if (verdict === Verdict.Refused) return TOPIC_AUTHORIZATION_FAILED
    if (verdict === Verdict.Unknown) this.#judge().unknown()
    return NOT_LEADER_OR_FOLLOWER
  }

  #note(name: Name | null | undefined, errorCode: number, id: Buffer, idAt: number): void {
    if (errorCode === TOPIC_AUTHORIZATION_FAILED) this.#judge().refused(Operation.Read, name!)
    else if (errorCode === NOT_LEADER_OR_FOLLOWER) {
      if (name != null) this.#judge().undecided(Operation.Read, name)
      else this.#judge().undecidedId(Operation.Read, id, idAt)
    }
  }

  /** Fetches of replicas are not for clients: answered as a broker does that refuses CLUSTER_ACTION, whoever asks. */
  #refuseFollower(frame: Buffer, sessions: FetchSessions): Outcome {
    const scan = this.#scan
    this.#caller.refused(Operation.ClusterAction, clusterName(this.#caller), TOPIC_AUTHORIZATION_FAILED)
    const table = new TopicTable()
    for (let i = 0; i < scan.topics; i++) {
      const known = table.find(frame, scan.keyStart[i]!, scan.keyEnd[i]!)
      const topic = known ?? table.add(frame, scan.topicStart[i]!, scan.keyStart[i]!, scan.keyEnd[i]!, null, TOPIC_AUTHORIZATION_FAILED)
      this.#put(frame, topic, i)
    }
    const full = scan.sessionEpoch === INITIAL_EPOCH || scan.sessionEpoch === FINAL_EPOCH
    const session = sessions.get(scan.sessionId)
    if (session !== undefined) sessions.forget(session)
    if (!full) return this.#writer.answer(frame, FETCH_SESSION_ID_NOT_FOUND, NO_GRAFTS)
    return this.#writer.answer(frame, 0, this.#writer.graftsOf(table))
  }
}

interface Added {
  readonly name: Name | null
  readonly errorCode: number
}
const NO_TOPICS: ReadonlyMap<number, Added> = new Map()
const NO_CHANGES: Changes = { allowed: [], refused: [] }
