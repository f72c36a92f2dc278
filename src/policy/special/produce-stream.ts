// A Produce request that is passed on while it arrives: one topic, judged by its head; the rest is walked as it comes.

import { HEAD_BYTES } from '../../protocol/header.ts'
import { compileStream, type StreamProgram, type StreamVisit, StreamWalk } from '../../protocol/stream-walk.ts'
import { i16, i32, uvarint } from '../../protocol/wire.ts'
import { Operation, Resource, Verdict } from '../authorizer.ts'
import type { Name } from '../names.ts'
import type { Caller, Forward, RequestStream } from '../outcome.ts'
import type { ProducePlan } from './produce.ts'

const TRANSACTIONAL_ID = 0
const ACKS = 1
const COUNT = 2
const KEY = 3

/** Judges heads of one version, one after the other. */
export class ProduceHeads {
  readonly #plan: ProducePlan
  readonly #program: StreamProgram
  readonly #walk: StreamWalk
  #caller!: Caller
  #acks = 0
  #topics = 0
  /** Nothing that was read so far forbids to pass the request on, and its name was among it. */
  #mayPass = true
  /** What the request rests on. */
  #transactionalId: Name | null = null
  #topic: Name | null = null

  constructor(plan: ProducePlan) {
    this.#plan = plan
    const key = plan.byId ? 'topicData.topicId' : 'topicData.name'
    const marks = ['transactionalId', 'acks', 'topicData', key]
    this.#program = compileStream(plan.edition.request, new Map(marks.map((path, mark) => [path, mark])))
    this.#walk = new StreamWalk(this.#program, this.#visit)
  }

  /**
   * The stream of a request that can no longer turn out refused: one topic that may be written, and a transactional id that is null
   * or may be written too. (A transactional batch without an id is refused by every broker, with or without an authorizer.)
   * null: it is held until it is whole. @throws {MalformedError}
   */
  open(head: Buffer, caller: Caller): RequestStream | null {
    const bodyAt = this.#bodyAt(head)
    if (bodyAt < 0 || bodyAt >= head.length) return null
    this.#caller = caller
    this.#mayPass = true
    this.#transactionalId = this.#topic = null
    const bodyBytes = i32(head, 0) + 4 - bodyAt
    this.#walk.start(bodyBytes)
    this.#walk.push(head, bodyAt, head.length)
    if (!this.#mayPass || this.#topic === null) return null
    const names = this.#transactionalId === null ? [this.#topic] : [this.#topic, this.#transactionalId]
    return new ProduceStream(this.#program, bodyAt, bodyBytes, this.#plan.passes(this.#acks, caller).response, caller, names)
  }

  /** Where the body begins; -1: not in these bytes, or behind tags. */
  #bodyAt(head: Buffer): number {
    if (head.length < HEAD_BYTES + 2) return -1
    const clientId = i16(head, HEAD_BYTES)
    const end = HEAD_BYTES + 2 + Math.max(clientId, 0)
    if (clientId < -1 || end >= head.length) return -1
    if (!this.#plan.edition.flexible) return end
    return head[end] === 0 ? end + 1 : -1
  }

  readonly #visit: StreamVisit = (mark, bytes, start, end) => {
    if (mark === KEY) {
      this.#topic = this.#plan.topicOf(bytes, start, end, this.#caller)
      this.#mayPass &&= this.#topics === 1 && this.#topic !== null && this.#mayWrite(this.#topic)
    } else if (mark === ACKS) this.#acks = i16(bytes, start)
    else if (mark === COUNT) this.#topics = this.#plan.edition.flexible ? uvarint(bytes, start) - 1 : i32(bytes, start)
    else if (mark === TRANSACTIONAL_ID && start >= 0) {
      this.#transactionalId = this.#caller.names.of(Resource.TransactionalId, bytes, start, end)
      this.#mayPass = this.#mayWrite(this.#transactionalId)
    }
  }

  #mayWrite(name: Name): boolean {
    return this.#caller.rights.check(Operation.Write, name) === Verdict.Allowed
  }
}

/** Lets everything through that walks; the last byte only with a message that is whole and valid. */
class ProduceStream implements RequestStream {
  readonly response: Forward['response']
  readonly #walk: StreamWalk
  readonly #caller: Caller
  readonly #names: readonly Name[]
  /** Bytes of size and header that are still to come. */
  #before: number

  constructor(
    program: StreamProgram,
    bodyAt: number,
    bodyBytes: number,
    response: Forward['response'],
    caller: Caller,
    names: readonly Name[],
  ) {
    this.response = response
    this.#caller = caller
    this.#names = names
    this.#before = bodyAt
    this.#walk = new StreamWalk(program, unmarked)
    this.#walk.start(bodyBytes)
  }

  push(bytes: Buffer, start: number, end: number): number {
    const header = Math.min(this.#before, end - start)
    this.#before -= header
    return header + this.#walk.push(bytes, start + header, end)
  }

  stillAllowed(): 'yes' | 'no' | 'unknown' {
    const { rights, names } = this.#caller
    const verdicts = this.#names.map(name => rights.check(Operation.Write, names.current(name)))
    if (verdicts.includes(Verdict.Refused)) return 'no'
    return verdicts.every(verdict => verdict === Verdict.Allowed) ? 'yes' : 'unknown'
  }
}
const unmarked: StreamVisit = () => {}
