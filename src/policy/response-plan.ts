// What is done to the broker's responses under one row: hidden elements cut, operations recomputed, addresses replaced, grafts put in.

import { slotAt } from '../protocol/schema.ts'
import { OPERATIONS_OMITTED } from './answers.ts'
import { Operation, Resource, Verdict } from './authorizer.ts'
import type { Edition, FrameWalk } from './edition.ts'
import { type Endpoints, endpointsOf } from './endpoints.ts'
import { type Graft, type ListAt, listFinder, mergedByName, type Span, withGrafts, without } from './graft.ts'
import { clusterName } from './judging.ts'
import type { Name } from './names.ts'
import { type Caller, type ResponseEdit, UndecidedError } from './outcome.ts'
import { type Bits, RESOURCE_OF, type Rule } from './rows.ts'

interface Field {
  readonly at: number
  readonly name: Name
}

export class ResponsePlan {
  readonly #rule: Rule
  readonly #edition: Edition
  readonly #endpoints: Endpoints | null
  readonly #bits: Bits | null
  readonly #walkBits: FrameWalk | null
  readonly #isNested: boolean
  readonly #findShown: ((frame: Buffer) => ListAt) | null
  readonly #walkShown: FrameWalk | null
  readonly #findList: ((frame: Buffer) => ListAt) | null

  constructor(rule: Rule, edition: Edition) {
    const { bits, shown, each } = rule
    this.#rule = rule
    this.#edition = edition
    this.#endpoints = endpointsOf(edition)
    this.#bits = bits !== null && slotAt(edition.response, bits.field) !== null ? bits : null
    this.#walkBits =
      this.#bits && edition.responseWalk([this.#bits.field, this.#bits.name ?? '', this.#bits.errorCode ?? '', `${listOf(this.#bits)}[]`])
    this.#isNested = shown?.list.includes('.') === true
    this.#findShown = shown && !this.#isNested ? listFinder(edition, 'response', shown.list) : null
    this.#walkShown = shown && edition.responseWalk([shown.paths[0]!])
    this.#findList = each && listFinder(edition, 'response', each.into)
  }

  /** Responses are changed even when nothing was refused. */
  get changes(): boolean {
    return this.#endpoints !== null || this.#bits !== null || this.#rule.shown !== null || this.#rule.blanks !== null
  }

  /** @param all the caller may see everything but what a rule denies; null: the response passes as it comes. */
  edit(caller: Caller, grafts: readonly Graft[], all: boolean): ResponseEdit | null {
    if (grafts.length === 0 && !this.changes) return null
    return { frames: 1, stream: () => null, whole: ([frame]) => this.#whole(frame!, caller, grafts, all) }
  }

  /** A verdict that is not known is asked for once; the broker's frame is kept meanwhile. */
  #whole(frame: Buffer, caller: Caller, grafts: readonly Graft[], all: boolean): Buffer | Promise<Buffer> {
    const done = this.#judged(frame, caller, all, false)
    if (done !== null) return this.#joined(done, caller, grafts)
    const kept = Buffer.from(frame)
    return caller.rights.settle().then(() => this.#joined(this.#judged(kept, caller, all, true)!, caller, grafts))
  }

  #joined(frame: Buffer, caller: Caller, grafts: readonly Graft[]): Buffer | Promise<Buffer> {
    const { blanks } = this.#rule
    if (blanks !== null) return this.#blanked(frame, blanks)
    const none = grafts.length === 0 || this.#isError(frame)
    const whole = none ? frame : this.#merged(withGrafts(frame, this.#findList!(frame), grafts, this.#edition.flexible))
    return this.#endpoints === null ? whole : this.#endpoints.rewrite(whole, caller.addresses)
  }

  /** Once there is a graft, the broker's own answers for one name become one, too. */
  #merged(frame: Buffer): Buffer {
    const { into, merged } = this.#rule.each!
    if (merged === null) return frame
    const response = this.#edition.decodeResponse(frame)
    const elements = mergedByName(response[into], merged)
    return elements.length === response[into].length ? frame : this.#edition.withBody(frame, { ...response, [into]: elements })
  }

  #blanked(frame: Buffer, blanks: (response: any) => void): Buffer {
    const response = this.#edition.decodeResponse(frame)
    blanks(response)
    return this.#edition.withBody(frame, response)
  }

  /** The broker tells an error of the whole request: then it says nothing of elements (OffsetDeleteResponse.Builder.merge). */
  #isError(frame: Buffer): boolean {
    return this.#rule.each?.evenNone === true && this.#edition.decodeResponse(frame).errorCode !== 0
  }

  /** The frame with what the caller may see; null: ask first. */
  #judged(frame: Buffer, caller: Caller, all: boolean, last: boolean): Buffer | null {
    const shown = this.#rule.shown === null ? frame : this.#filtered(frame, caller, all, last)
    if (shown === null || this.#walkBits === null) return shown
    return this.#writeOperations(shown, caller, last) ? shown : null
  }

  #filtered(frame: Buffer, caller: Caller, all: boolean, last: boolean): Buffer | null {
    const { operation, paths } = this.#rule.shown!
    const resource = RESOURCE_OF[slotAt(this.#edition.response, paths[0]!)!.entity ?? '']!
    const names: Name[] = []
    this.#walkShown!(frame, (_mark, bytes, start, end) => names.push(caller.names.of(resource, bytes, start, end)))
    const { rights } = caller
    const verdicts = names.map(name => (all && !rights.denies(operation, name) ? Verdict.Allowed : rights.check(operation, name)))
    const unsure = names.filter((_, i) => verdicts[i] === Verdict.Unknown || verdicts[i] === Verdict.Undecided)
    if (!last && verdicts.includes(Verdict.Unknown)) return null
    if (unsure.length > 0) {
      for (const name of unsure) caller.undecided(operation, name)
      if (this.#rule.undecided === null) throw new UndecidedError()
      return this.#edition.withBody(
        frame,
        this.#rule.refusal(this.#rule.undecided, this.#edition.version, () => ({})),
      )
    }
    if (!verdicts.includes(Verdict.Refused)) return frame
    for (const name of names.filter((_, i) => verdicts[i] === Verdict.Refused)) caller.hidden(operation, name)
    if (this.#isNested) return this.#withoutNested(frame, verdicts)
    return without(frame, this.#findShown!(frame), i => verdicts[i] === Verdict.Refused, this.#edition.flexible)
  }

  /** The same where the list stands in the elements of another: verdicts come in the order of the wire. */
  #withoutNested(frame: Buffer, verdicts: readonly Verdict[]): Buffer {
    const [outer, inner] = this.#rule.shown!.list.split('.') as [string, string]
    const response = this.#edition.decodeResponse(frame)
    let at = 0
    for (const element of response[outer]) element[inner] = element[inner].filter(() => verdicts[at++] !== Verdict.Refused)
    return this.#edition.withBody(frame, response)
  }

  /** Writes the fields in place: an open broker says that everything is allowed. False: ask first. */
  #writeOperations(frame: Buffer, caller: Caller, last: boolean): boolean {
    const fields = this.#fields(frame, caller)
    const values = fields.map(({ name }) => this.#operations(name, caller))
    if (values.includes(-1)) {
      if (!last) return false
      for (const { name } of fields.filter((_, i) => values[i] === -1)) caller.undecided(Operation.Describe, name)
      throw new UndecidedError()
    }
    for (let i = 0; i < fields.length; i++) frame.writeInt32BE(values[i]!, fields[i]!.at)
    return true
  }

  /** Where operations were asked for: elsewhere the broker has left them out. */
  #fields(frame: Buffer, caller: Caller): Field[] {
    const fields: Field[] = []
    const resource = this.#bits!.resource
    let at = 0
    let name: Span = { start: 0, end: 0 }
    let errorCode = 0
    this.#walkBits!(frame, (mark, bytes, start, end) => {
      if (mark === 1) name = { start, end }
      else if (mark === 2) errorCode = bytes.readInt16BE(start)
      else if (mark === 0) at = start
      if (mark !== (this.#bits!.name === null ? 0 : 3)) return
      if (bytes.readInt32BE(at) === OPERATIONS_OMITTED || errorCode !== 0) return
      fields.push({
        at,
        name: resource === Resource.Cluster ? clusterName(caller) : caller.names.of(resource, bytes, name.start, name.end),
      })
    })
    return fields
  }

  /** AuthHelper.computeDescribeClusterResponse: without DESCRIBE on the cluster nothing is told of it. -1: not known. */
  #operations(name: Name, { rights }: Caller): number {
    if (name.resource !== Resource.Cluster) return rights.operations(name)
    const verdict = rights.check(Operation.Describe, name)
    if (verdict === Verdict.Refused) return 0
    const operations = rights.operations(name)
    return verdict === Verdict.Allowed ? operations : -1
  }
}

const listOf = ({ field }: Bits): string => field.slice(0, Math.max(field.lastIndexOf('.'), 0))
