// Produce: WRITE on each topic, and on the transactional id if a batch is transactional. KafkaApis.scala handleProduceRequest (4.4).

import { resize, responseHeaderBytes } from '../../protocol/header.ts'
import { Produce } from '../../protocol/messages/00-produce.ts'
import { isTransactional } from '../../protocol/record-batch.ts'
import { countBytes, type Edit, splice } from '../../protocol/splice.ts'
import type { Visit } from '../../protocol/walk.ts'
import { i16, i32 } from '../../protocol/wire.ts'
import { REQUEST_TIMED_OUT, TOPIC_AUTHORIZATION_FAILED, TRANSACTIONAL_ID_AUTHORIZATION_FAILED, UNKNOWN_TOPIC_ID } from '../answers.ts'
import { Operation, Resource, Verdict } from '../authorizer.ts'
import { Edition } from '../edition.ts'
import { Judging } from '../judging.ts'
import type { Name } from '../names.ts'
import { type Answer, type Caller, type Forward, NONE, type Outcome, PASS, type Plan, type RequestStream } from '../outcome.ts'
import { mergeRefusals, TopicAnswers } from '../topic-answers.ts'
import { ProduceEdit } from './produce-response.ts'
import { ProduceHeads } from './produce-stream.ts'

const TRANSACTIONAL_ID = 0
const ACKS = 1
const COUNT = 2
const KEY = 3
const INDEX = 4
const RECORDS = 5
const TOPIC = 6

/** Allowed whole, and no response comes: acks=0. */
const PASS_UNANSWERED: Forward = { kind: 'forward', frames: null, response: NONE, thenClose: false }
const ONLY_CLOSE: Answer = { kind: 'answer', frame: null, thenClose: true }
const NOTHING = Buffer.alloc(0)

export const producePlan = (version: number): Plan => new ProducePlan(version)

/** One topic entry of a request that cannot pass whole. */
interface Entry {
  start: number
  end: number
  readonly keyEnd: number
  readonly partitions: number[]
  /** 0: allowed. */
  readonly errorCode: number
}
interface Found {
  readonly entries: readonly Entry[]
  readonly countStart: number
  readonly countEnd: number
}

export class ProducePlan implements Plan {
  readonly apiKey = Produce.key
  readonly apiVersion: number
  readonly edition: Edition
  /** Topics are named by id: KIP-516. */
  readonly byId: boolean
  readonly #walk: (frame: Buffer, visit: Visit) => void
  readonly #answers: TopicAnswers
  readonly #heads: ProduceHeads

  // What the visitor found in the frame that is being judged: judging is synchronous, so one place is enough.
  #caller!: Caller
  #transactionalId: Name | null = null
  #acks = 0
  #transactional = false
  #allAllowed = true

  constructor(version: number) {
    this.apiVersion = version
    this.edition = new Edition(Produce, version)
    this.byId = version >= 13
    this.#walk = this.edition.requestWalk([
      'transactionalId',
      'acks',
      'topicData',
      this.byId ? 'topicData.topicId' : 'topicData.name',
      'topicData.partitionData.index',
      'topicData.partitionData.records',
      'topicData[]',
    ])
    const nothing = { baseOffset: -1n, logAppendTimeMs: -1n, logStartOffset: -1n, recordErrors: [], errorMessage: null }
    this.#answers = new TopicAnswers(this.edition, nothing)
    this.#heads = new ProduceHeads(this)
  }

  judge(frame: Buffer, caller: Caller, last: boolean): Outcome {
    this.#caller = caller
    this.#transactionalId = null
    this.#transactional = false
    this.#allAllowed = true
    this.#walk(frame, this.#visit)
    if (this.#allAllowed && (!this.#transactional || this.#mayBeTransactional())) return this.passes(this.#acks, caller)

    const judging = new Judging(caller, last)
    const wholeCode = this.#transactional ? this.#judgeTransaction(judging) : 0
    const found = this.#judgeTopics(frame, judging, wholeCode)
    if (wholeCode !== TRANSACTIONAL_ID_AUTHORIZATION_FAILED && judging.mustWait) return judging.wait()
    judging.tell()
    return this.#partly(frame, caller, found)
  }

  stream(head: Buffer, caller: Caller): RequestStream | null {
    return this.#heads.open(head, caller)
  }

  /** What becomes of a request that is allowed whole. */
  passes(acks: number, caller: Caller): Forward {
    if (acks === 0) return PASS_UNANSWERED
    if (this.apiVersion < 10) return PASS // from 10 the response may carry addresses: KIP-951
    const key = this.apiVersion
    let byVersion: Map<number, Forward> | undefined = caller.state.get('produce')
    if (byVersion === undefined) caller.state.set('produce', (byVersion = new Map()))
    let pass = byVersion.get(key)
    if (pass === undefined) {
      pass = { kind: 'forward', frames: null, response: new ProduceEdit(this.edition, caller.addresses, NOTHING, 0), thenClose: false }
      byVersion.set(key, pass)
    }
    return pass
  }

  readonly #visit: Visit = (mark, bytes, start, end) => {
    if (mark === RECORDS) {
      if (start >= 0 && !this.#transactional) this.#transactional = isTransactional(bytes, start, end)
    } else if (mark === KEY) {
      if (this.#allAllowed) this.#allAllowed = this.mayWrite(bytes, start, end, this.#caller)
    } else if (mark === ACKS) this.#acks = i16(bytes, start)
    else if (mark === TRANSACTIONAL_ID && start >= 0) {
      this.#transactionalId = this.#caller.names.of(Resource.TransactionalId, bytes, start, end)
    }
  }

  /** Known now, and allowed. */
  mayWrite(bytes: Buffer, start: number, end: number, caller: Caller): boolean {
    const name = this.topicOf(bytes, start, end, caller)
    return name !== null && caller.rights.check(Operation.Write, name) === Verdict.Allowed
  }

  /** null: not known now. */
  topicOf(bytes: Buffer, start: number, end: number, caller: Caller): Name | null {
    return this.byId ? (caller.cluster.topicOf(bytes, start) ?? null) : caller.names.of(Resource.Topic, bytes, start, end)
  }

  #mayBeTransactional(): boolean {
    return this.#transactionalId !== null && this.#caller.rights.check(Operation.Write, this.#transactionalId) === Verdict.Allowed
  }

  /** The code for every partition, or 0. A transactional batch without a transactional id is refused. */
  #judgeTransaction(judging: Judging): number {
    const name = this.#transactionalId
    const verdict = name === null ? Verdict.Refused : judging.check(Operation.Write, name)
    if (verdict === Verdict.Allowed) return 0
    const told = name ?? this.#caller.names.text(Resource.TransactionalId, '')
    if (verdict === Verdict.Refused) {
      judging.refused(Operation.Write, told)
      return TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    }
    judging.undecided(Operation.Write, told)
    return REQUEST_TIMED_OUT
  }

  #judgeTopics(frame: Buffer, judging: Judging, wholeCode: number): Found {
    const entries: Entry[] = []
    let countStart = 0
    let countEnd = 0
    this.#walk(frame, (mark, bytes, start, end) => {
      if (mark === COUNT) {
        countStart = start
        countEnd = end
      } else if (mark === KEY) {
        const errorCode = wholeCode !== 0 ? wholeCode : this.#judgeTopic(bytes, start, end, judging)
        entries.push({ start, end, keyEnd: end, partitions: [], errorCode })
      } else if (mark === INDEX) entries.at(-1)!.partitions.push(i32(bytes, start))
      else if (mark === TOPIC) {
        entries.at(-1)!.start = start
        entries.at(-1)!.end = end
      }
    })
    return { entries, countStart, countEnd }
  }

  #judgeTopic(bytes: Buffer, start: number, end: number, judging: Judging): number {
    const { names } = this.#caller
    const name = this.byId ? judging.topicOf(bytes, start, WRITE) : names.of(Resource.Topic, bytes, start, end)
    if (name === null) return UNKNOWN_TOPIC_ID
    if (name === undefined) {
      judging.undecidedId(Operation.Write, bytes, start)
      return REQUEST_TIMED_OUT
    }
    const verdict = judging.check(Operation.Write, name)
    if (verdict === Verdict.Allowed) return 0
    if (verdict === Verdict.Refused) {
      judging.refused(Operation.Write, name)
      return TOPIC_AUTHORIZATION_FAILED
    }
    judging.undecided(Operation.Write, name)
    return REQUEST_TIMED_OUT
  }

  /** What must not pass is cut out: its sender is told in the broker's response, or here if nothing is left; with acks=0 by closing. */
  #partly(frame: Buffer, caller: Caller, found: Found): Outcome {
    const stopped = found.entries.filter(e => e.errorCode !== 0)
    const unanswered = this.#acks === 0
    if (stopped.length === 0) return this.passes(this.#acks, caller)
    const refusals = mergeRefusals(frame, stopped)
    const grafts = this.#answers.write(refusals)
    if (stopped.length === found.entries.length) {
      return unanswered ? ONLY_CLOSE : { kind: 'answer', frame: this.#answer(frame, grafts, refusals.length), thenClose: false }
    }
    const response = unanswered ? NONE : new ProduceEdit(this.edition, caller.addresses, grafts, refusals.length)
    return { kind: 'forward', frames: [this.#without(frame, stopped, found)], response, thenClose: unanswered }
  }

  #without(frame: Buffer, stopped: readonly Entry[], { entries, countStart, countEnd }: Found): Buffer {
    const count = countBytes(entries.length - stopped.length, this.edition.flexible)
    const edits: Edit[] = [{ start: countStart, end: countEnd, bytes: count }]
    for (const { start, end } of stopped) edits.push({ start, end, bytes: NOTHING })
    return resize(splice(frame, edits))
  }

  /** Size, correlation id, header tags, responses, throttleTimeMs, tags. */
  #answer(frame: Buffer, grafts: Buffer, topics: number): Buffer {
    const { flexible } = this.edition
    const head = Buffer.alloc(responseHeaderBytes(this.apiKey, flexible))
    frame.copy(head, 4, 8, 12)
    return resize(Buffer.concat([head, countBytes(topics, flexible), grafts, Buffer.alloc(flexible ? 5 : 4)]))
  }
}
const WRITE = [Operation.Write]
