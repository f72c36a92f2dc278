// A row laid over one version of its API: what it looks for in the bytes, and what becomes of the request.

import assert from 'node:assert/strict'
import { compileDecode, compileEncode } from '../protocol/codec.ts'
import { type Layout, slotAt } from '../protocol/schema.ts'
import type { Visit } from '../protocol/walk.ts'
import { refusalOf, UNKNOWN_TOPIC_ID } from './answers.ts'
import { Operation, Resource, Verdict } from './authorizer.ts'
import { Edition, elementOf, type FrameWalk } from './edition.ts'
import { IN_ORDER, type ListAt, listFinder, mergedByName, type Span, stringIn, without } from './graft.ts'
import { clusterName, isZeroId, Judging, UNDECIDED } from './judging.ts'
import type { Name } from './names.ts'
import { type Answer, type Caller, type Forward, type Outcome, PASS, type Plan, type ResponseEdit } from './outcome.ts'
import { ResponsePlan } from './response-plan.ts'
import { type Need, RESOURCE_OF, type Rule } from './rows.ts'
import { rules } from './rules.ts'

/** A field of the request that a plan looks for. */
interface Mark {
  readonly path: string
  readonly operation: Operation
  readonly resource: Resource
  readonly isId: boolean
  readonly role: 'present' | 'whole' | 'all' | 'each'
}

/** What was found of a request that cannot simply pass. */
interface Found {
  /** A field is null that must not be. */
  missing: boolean
  /** What the whole request rests on, in the broker's order. */
  readonly whole: { readonly mark: number; readonly operation: Operation; readonly name: Name }[]
  /** What the sender of each element is told: ALLOWED, a code, or NO_CODE. */
  readonly each: number[]
}

export class RowPlan implements Plan {
  readonly apiKey: number
  readonly apiVersion: number
  readonly #rule: Rule
  readonly #edition: Edition
  readonly #marks: readonly Mark[]
  readonly #walk: FrameWalk
  readonly #response: ResponsePlan
  readonly #findList: ((frame: Buffer) => ListAt) | null
  readonly #readElement: (frame: Buffer, element: Span) => any
  readonly #writeGraft: (element: object) => Buffer

  // Of the frame that is being judged: judging is synchronous, so one place is enough, and nothing is allocated.
  #caller!: Caller
  #clean = true

  constructor(rule: Rule, version: number) {
    this.apiKey = rule.api.key
    this.apiVersion = version
    this.#rule = rule
    this.#edition = new Edition(rule.api, version)
    this.#marks = marksOf(rule, this.#edition)
    this.#walk = this.#edition.requestWalk(this.#marks.map(m => m.path))
    const { each } = rule
    this.#findList = each && listFinder(this.#edition, 'request', each.list)
    this.#readElement = each ? elementReader(this.#edition.request, each.list) : () => null
    this.#writeGraft = each ? compileEncode(elementOf(this.#edition.response, each.into)) : () => Buffer.alloc(0)
    this.#response = new ResponsePlan(rule, this.#edition)
  }

  /** The fields whose names this plan takes to the authorizer. */
  get judges(): string[] {
    return this.#marks.filter(m => m.role !== 'present').map(m => m.path)
  }

  judge(frame: Buffer, caller: Caller, last: boolean): Outcome {
    const { cluster, here } = this.#rule
    this.#caller = caller
    this.#clean = here === null && (cluster === null || caller.rights.check(cluster, clusterName(caller)) === Verdict.Allowed)
    this.#walk(frame, this.#visit)
    if (this.#clean && !this.#response.changes) return PASS
    return this.#decide(frame, new Judging(caller, last))
  }

  readonly #visit: Visit = (mark, bytes, start, end) => {
    const { role, operation, resource, isId } = this.#marks[mark]!
    if (start < 0) {
      if (role === 'present') this.#clean = false
      return
    }
    if (role === 'present') return
    const name = isId ? topicOf(this.#caller, bytes, start) : this.#caller.names.of(resource, bytes, start, end)
    if (name === null || this.#caller.rights.check(operation, name) !== Verdict.Allowed) this.#clean = false
  }

  /** Not everything is allowed, or the response may be changed. Asks for all at once; then decides in the broker's order. */
  #decide(frame: Buffer, judging: Judging): Outcome {
    const { unless, present, shown, here } = this.#rule
    const { caller } = judging
    const probe = unless === null ? Verdict.Refused : judging.checkCluster(unless)
    const found = this.#find(frame, judging, probe)
    if (found.missing) return this.#answerWhole(frame, present!.errorCode)
    const whole = probe === Verdict.Allowed ? null : this.#decideWhole(frame, found, judging, probe)
    if (whole !== null) return whole
    if (judging.mustWait) return judging.wait()
    judging.tell()
    if (here !== null) return this.#edition.answer(frame, here(this.#edition.decodeRequest(frame), this.apiVersion, caller))
    if (shown !== null && probe === Verdict.Undecided) return this.#undecided(frame)
    if (found.each.some(errorCode => errorCode < 0)) return UNDECIDED
    const all = probe === Verdict.Allowed
    if (found.each.every(errorCode => errorCode === ALLOWED)) return this.#forward(this.#response.edit(caller, [], all))
    return this.#split(frame, found.each, caller, all)
  }

  /** The names of the request, each of them asked for. */
  #find(frame: Buffer, judging: Judging, probe: Verdict): Found {
    const found: Found = { missing: false, whole: [], each: [] }
    const { cluster } = this.#rule
    if (cluster !== null) {
      found.whole.push({ mark: -1, operation: cluster, name: clusterName(judging.caller) })
      judging.checkCluster(cluster)
    }
    this.#walk(frame, (mark, bytes, start, end) => {
      const { role, operation, resource, isId } = this.#marks[mark]!
      if (role === 'present') found.missing ||= start < 0
      if (role === 'present' || start < 0) return
      const name = isId ? judging.topicOf(bytes, start, [operation]) : judging.caller.names.of(resource, bytes, start, end)
      if (role === 'each') {
        if (name === undefined) judging.undecidedId(operation, bytes, start)
        found.each.push(name === null ? UNKNOWN_TOPIC_ID : this.#codeOf(operation, name, judging, probe))
      } else if (name) {
        found.whole.push({ mark, operation, name })
        judging.check(operation, name)
      }
    })
    found.whole.sort((a, b) => a.mark - b.mark)
    return found
  }

  /** What the sender of an element is told. A right on the cluster opens all but what a rule denies. */
  #codeOf(operation: Operation, name: Name | undefined, judging: Judging, probe: Verdict): number {
    if (probe === Verdict.Allowed && (name === undefined || !judging.caller.rights.denies(operation, name))) return ALLOWED
    const verdict = name === undefined ? Verdict.Undecided : judging.check(operation, name)
    if (verdict === Verdict.Allowed) return ALLOWED
    if (verdict === Verdict.Refused && probe !== Verdict.Undecided) {
      judging.refused(operation, name!)
      return refusalOf(name!.resource)
    }
    if (name !== undefined) judging.undecided(operation, name)
    return this.#rule.undecided ?? NO_CODE
  }

  /** The outcome if the request is refused or undecided as a whole, or must wait before that is known; null: it is not. */
  #decideWhole(frame: Buffer, found: Found, judging: Judging, probe: Verdict): Outcome | null {
    const { caller } = judging
    for (let i = 0; i < found.whole.length; ) {
      const { mark, operation } = found.whole[i]!
      const names: Name[] = []
      for (; found.whole[i]?.mark === mark; i++) names.push(found.whole[i]!.name)
      const verdicts = names.map(name => judging.check(operation, name))
      const refused = new Set(names.filter((_, n) => verdicts[n] === Verdict.Refused))
      if (refused.size > 0 && probe === Verdict.Refused) {
        const errorCode = refusalOf(names[0]!.resource)
        for (const name of refused) caller.refused(operation, name, errorCode)
        return this.#answerWhole(frame, errorCode)
      }
      if (verdicts.includes(Verdict.Unknown)) return judging.wait()
      const undecided = new Set(names.filter((_, n) => verdicts[n] !== Verdict.Allowed))
      for (const name of undecided) caller.undecided(operation, name)
      if (undecided.size > 0) return this.#undecided(frame)
    }
    return null
  }

  #undecided(frame: Buffer): Outcome {
    return this.#rule.undecided === null ? UNDECIDED : this.#answerWhole(frame, this.#rule.undecided)
  }

  /** Every element is told `errorCode`, or the response as a whole says it. */
  #answerWhole(frame: Buffer, errorCode: number): Answer {
    const { each, refusal, tellsWhole } = this.#rule
    if (each === null || tellsWhole)
      return this.#edition.answer(
        frame,
        refusal(errorCode, this.apiVersion, () => this.#edition.decodeRequest(frame)),
      )
    const elements = this.#findList!(frame).elements.map(element => each.graft(this.#readElement(frame, element), errorCode))
    return this.#edition.answer(frame, { [each.into]: elements })
  }

  /** Refused elements leave the request; what their sender is told joins the response, or is all of it. */
  #split(frame: Buffer, codes: readonly number[], caller: Caller, all: boolean): Outcome {
    const { into, graft, merged, place, evenNone } = this.#rule.each!
    const list = this.#findList!(frame)
    assert.equal(codes.length, list.elements.length)
    const before: number[] = []
    const refused = list.elements.flatMap((element, i) => {
      if (codes[i] === ALLOWED) return []
      before.push(place === IN_ORDER ? i - before.length : place)
      return [graft(this.#readElement(frame, element), codes[i]!)]
    })
    const answers = merged === null ? refused : mergedByName(refused, merged)
    if (refused.length === list.elements.length && !evenNone) return this.#edition.answer(frame, { [into]: answers })
    const grafts = answers.map((answer, i) => ({ before: before[i]!, bytes: this.#writeGraft(answer) }))
    const rest = without(frame, list, i => codes[i] !== ALLOWED, this.#edition.flexible)
    return { kind: 'forward', frames: [rest], response: this.#response.edit(caller, grafts, all), thenClose: false }
  }

  #forward(response: ResponseEdit | null): Forward {
    return response === null ? PASS : { kind: 'forward', frames: null, response, thenClose: false }
  }
}

const ALLOWED = 0
/** Undecided, and the API has no code that says so. */
const NO_CODE = -1

function topicOf(caller: Caller, bytes: Buffer, at: number): Name | null {
  return isZeroId(bytes, at) ? null : (caller.cluster.topicOf(bytes, at) ?? null)
}

/** Reads one element of a list; a list of strings gives strings. */
function elementReader(request: Layout, list: string): (frame: Buffer, element: Span) => any {
  const of = slotAt(request, list)!.of!
  if ('slots' in of) {
    const read = compileDecode(of)
    return (frame, { start }) => read(frame, start)
  }
  return (frame, element) => stringIn(frame, element, request.flexible)
}

function marksOf(rule: Rule, edition: Edition): Mark[] {
  const { whole, all, each, present } = rule
  const marks = whole.map(need => markOf(need, 'whole', edition))
  if (all !== null) marks.push(markOf(all, 'all', edition))
  if (each !== null) marks.push(markOf(each, 'each', edition))
  for (const path of present?.fields ?? []) {
    if (slotAt(edition.request, path) !== null)
      marks.push({ path, operation: Operation.Read, resource: Resource.Topic, isId: false, role: 'present' })
  }
  return marks
}

/** Where this version keeps what a need is about. A plan that cannot find it is not built: the API stays closed. */
function markOf({ paths, operation }: Need, role: Mark['role'], edition: Edition): Mark {
  for (const path of paths) {
    const slot = path.endsWith('[]') ? slotAt(edition.request, path.slice(0, -2))?.of : slotAt(edition.request, path)
    if (!slot || 'slots' in slot) continue
    const isId = slot.name === 'topicId'
    const resource = isId ? Resource.Topic : RESOURCE_OF[slot.entity ?? '']
    if (resource !== undefined) return { path, operation, resource, isId, role }
  }
  throw new TypeError(`${edition.api.name} v${edition.version} has none of ${paths.join(', ')}`)
}

/** The row of an API, served or not. */
export const ruleOf = (apiKey: number): Rule | null => rules.find(rule => rule.api.key === apiKey) ?? null

/** ApiVersions is answered by the gate itself, and is never judged. */
const isJudged = (rule: Rule): boolean => rule.api.key !== 18

type Ranges = ReadonlyMap<number, readonly [min: number, max: number]>
const rangesOf = (of: readonly Rule[]): Ranges =>
  new Map(of.map(({ api, versions }) => [api.key, [Math.max(api.versions.min, versions.min), Math.min(api.versions.max, versions.max)]]))

/** The versions that clients may be told of, by API key, where the configuration offers all that it can. */
export const offered: Ranges = rangesOf(rules.filter(isJudged))
const offeredUnasked: Ranges = rangesOf(rules.filter(rule => isJudged(rule) && !rule.configured))

/** The same, under this configuration. */
export const offeredBy = ({ clientTelemetry }: { readonly clientTelemetry: boolean }): Ranges =>
  clientTelemetry ? offered : offeredUnasked

const plans = new Map<number, Plan>()

/** The plan for one API key and version, or null: not offered, and a request for it closes the connection. */
export function planFor(apiKey: number, apiVersion: number): Plan | null {
  const id = (apiKey << 16) | apiVersion
  let plan = plans.get(id)
  if (plan === undefined) {
    const range = offered.get(apiKey)
    if (range === undefined || apiVersion < range[0] || apiVersion > range[1]) return null
    const rule = ruleOf(apiKey)!
    plan = rule.special !== null ? rule.special(apiVersion) : new RowPlan(rule, apiVersion)
    plans.set(id, plan)
  }
  return plan
}
