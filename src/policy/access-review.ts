// Access reviews: whom a policy lets do something, and what it lets somebody do, with everything that this hangs on.

import type { Resource } from './authorizer.ts'
import { Operation as Operations, Resource as Resources } from './authorizer.ts'
import type { Asker } from './conditions.ts'
import { bindingOf, countsOn, expressionsOf, PARSED_EACH_TIME } from './conditions.ts'
import { holdsAt } from './hours.ts'
import type { OperationSet } from './operations.ts'
import { EVERY_OPERATION, namesOf, SUPPORTED, setOf, withImplied } from './operations.ts'
import { containsPattern, inForceText, listenersText, overlaps, patternText, placeText } from './pattern-text.ts'
import type { Cover, Coverage, Grant, InForce, Judged, Pattern, Question, Rule, Shadow } from './policy-document.ts'
import { ALWAYS } from './policy-document.ts'
import { subjectText } from './subjects.ts'

/** Now; not now, or never; or it hangs on what is not known here. */
export type State = 'yes' | 'no' | 'depends'

/** A rule that takes something of it away. */
export interface Limit {
  readonly rule: string
  readonly at: string
  readonly operations: readonly string[]
  /** On which names. */
  readonly on: string
  /** Whom it binds, and when; empty: everybody, always. */
  readonly binds: string
  readonly shadow: boolean
}

/** One who may do it, by one grant or shadow. */
export interface Holder {
  /** As policy files write it. */
  readonly who: string
  readonly issuer: string | null
  readonly by: 'grant' | 'shadow'
  readonly id: string
  readonly at: string | null
  /** What of that which was asked about. */
  readonly operations: readonly string[]
  readonly on: string
  /** `until …, from …`; empty: always, from anywhere. */
  readonly inForce: string
  readonly now: State
  readonly limits: readonly Limit[]
  readonly why: string | null
  readonly owner: string | null
}

/** What one principal may do on one pattern, by one grant, shadow or tuple; or, being blocked, may not. */
export interface Right extends Omit<Holder, 'who' | 'issuer' | 'by' | 'id'>, Partial<Way> {
  readonly kind: Resource
  readonly by: Holder['by'] | 'relationship' | 'blocked'
  /** Of the grant or shadow; null: a tuple says it. */
  readonly id: string | null
  /** Where being blocked takes some of it away. */
  readonly blocked: readonly (Pick<Way, 'relation' | 'object'> & { readonly on: string })[]
}

/** A tuple of a store, as the store writes it. `condition` '': it has none. */
export interface Way {
  readonly who: string
  readonly relation: string
  readonly object: string
  readonly condition: string
}

/** What a tuple says of the names of one pattern. */
export interface RelatedCover extends Cover, Way {
  readonly now: State
}

/** What a store says of a principal beside grants. */
export interface Beside {
  readonly rights: readonly RelatedCover[]
  readonly blocks: readonly RelatedCover[]
}

/** From where and when a review asks. `address` or `listener` '': not known. */
export interface Moment {
  readonly nowMs: number
  readonly address: string
  readonly listener: string
}

/** @param granteesOf whom a grant is given to */
export function whoCan(
  judged: Judged,
  { resource, name, operations }: Question,
  moment: Moment,
  granteesOf: (grant: Coverage) => readonly { readonly who: string; readonly issuer: string | null }[] = granteesInFile,
): Holder[] {
  const asked: Pattern = { resource, prefix: false, text: name }
  const beyondLooking = operations & ~LOOKING
  const limits = judged.rules.flatMap(rule => limitOf(rule, asked, operations, moment))
  const ofCluster = judged.rules.flatMap(rule => limitOf(rule, THE_CLUSTER, operations & CREATE, moment))
  const holders: Holder[] = []
  for (const grant of judged.grants) {
    const covers = grant.covers.filter(cover => coversSome(cover, asked, operations))
    for (const byCluster of [false, true]) {
      const mine = covers.filter(cover => (cover.resource !== resource) === byCluster)
      const set = mine.reduce((all, cover) => all | granted(cover, resource), 0) & operations
      if (set === 0 || (beyondLooking !== 0 && (set & beyondLooking) === 0)) continue
      const taken = byCluster ? [...limits, ...ofCluster] : limits
      for (const grantee of granteesOf(grant)) {
        holders.push({
          ...grantee,
          by: 'grant',
          id: grant.id,
          at: grant.place && placeText(grant.place),
          operations: namesOf(set),
          on: patternText(mine[0]!),
          inForce: inForceText(grant),
          now: stateOf(grant, taken, set, moment),
          limits: taken,
          why: (grant as Partial<Grant>).why ?? null,
          owner: (grant as Partial<Grant>).owner ?? null,
        })
      }
    }
  }
  for (const shadow of judged.shadows) {
    const { id, patterns, place } = shadow
    const pattern = patterns.find(one => containsPattern(one, asked))
    if (pattern === undefined) continue
    const base = { who: 'anyone', issuer: null, by: 'shadow' as const, id, at: placeText(place), operations: namesOf(operations) }
    const now = stateOn(shadow, stateOf(endOf(shadow), limits, operations, moment), moment)
    holders.push({ ...base, on: patternText(pattern), inForce: shadowText(shadow), now, limits, why: null, owner: null })
  }
  return holders
}

/** @param given ids of the grants that the principal was given */
export function whatCan(judged: Judged, asker: Asker, given: ReadonlySet<string>, nowMs: number, beside: Beside = NOTHING_BESIDE): Right[] {
  const moment = { nowMs, address: asker.address, listener: asker.listener }
  const binding = judged.rules.filter(rule => bindingOf(rule, asker, nowMs, PARSED_EACH_TIME, null).binds)
  const rightOf = (cover: Cover, owner: InForce, base: Pick<Right, 'by' | 'id' | 'at' | 'why' | 'owner'> & Partial<Way>): Right[] => {
    const set = withImplied(cover.operations) & SUPPORTED[cover.resource]
    const limits = binding.flatMap(rule => overlapping(rule, cover, set, nowMs))
    const gone = limits.filter(limit => limit.whole && !limit.shadow).reduce((all, limit) => all | limit.set, 0)
    const left = set & ~gone
    if (left === 0) return []
    const rest = limits.filter(limit => !limit.whole || limit.shadow).map(({ whole: _, set: __, ...limit }) => limit)
    const blocks = beside.blocks.filter(block => block.operations & left && overlaps(block, cover))
    const blocked = blocks.map(block => ({ on: patternText(block), relation: block.relation, object: block.object }))
    const lost = blocks.filter(block => containsPattern(block, cover)).reduce((all, { operations }) => all | operations, 0)
    const now = (left & ~lost) === 0 ? 'no' : stateOf(owner, [], left, moment)
    const what = { kind: cover.resource, on: patternText(cover), operations: namesOf(left), inForce: inForceText(owner), now }
    return [{ ...what, limits: rest, ...base, blocked }]
  }
  const rights = judged.grants
    .filter(({ id }) => given.has(id))
    .flatMap(grant => {
      const { why = null, owner = null } = grant as Partial<Grant>
      const base = { by: 'grant' as const, id: grant.id, at: grant.place && placeText(grant.place), why, owner }
      return grant.covers.flatMap(cover => rightOf(cover, grant, base))
    })
  const shadows = judged.shadows.flatMap(shadow => {
    const base = { by: 'shadow' as const, id: shadow.id, at: placeText(shadow.place), why: null, owner: null }
    return shadow.patterns
      .flatMap(pattern => rightOf({ ...pattern, operations: EVERY_OPERATION }, endOf(shadow), base))
      .map(right => ({ ...right, inForce: shadowText(shadow), now: stateOn(shadow, right.now, moment) }))
  })
  const related = beside.rights.flatMap(({ now, who, relation, object, condition, ...cover }) => {
    const way = { who, relation, object, condition }
    const found = rightOf(cover, ALWAYS, { by: 'relationship', id: null, at: null, why: null, owner: null, ...way })
    return found.map(right => ({ ...right, now: right.now === 'yes' ? now : right.now }))
  })
  return [...beside.blocks.map(blockedRight), ...rights, ...related, ...shadows]
}

const NOTHING_BESIDE: Beside = { rights: [], blocks: [] }

function blockedRight({ who, relation, object, condition, now: _, ...cover }: RelatedCover): Right {
  const what = { kind: cover.resource, on: patternText(cover), operations: namesOf(cover.operations), inForce: '', now: 'no' as const }
  return { ...what, limits: [], by: 'blocked', id: null, at: null, why: null, owner: null, who, relation, object, condition, blocked: [] }
}

/** Create on a topic is had by Create on the cluster, too. */
function coversSome(cover: Cover, asked: Pattern, operations: OperationSet): boolean {
  if (cover.resource === Resources.Cluster && asked.resource === Resources.Topic) return (granted(cover, asked.resource) & operations) !== 0
  return containsPattern(cover, asked) && (granted(cover, asked.resource) & operations) !== 0
}

/** Who may only look is no answer to who may read. */
const LOOKING = setOf(Operations.Describe, Operations.DescribeConfigs)
const CREATE = 1 << Operations.Create
const THE_CLUSTER: Pattern = { resource: Resources.Cluster, prefix: true, text: '' }
const granted = (cover: Cover, resource: Resource): OperationSet =>
  cover.resource === resource ? withImplied(cover.operations) : cover.operations & CREATE

function granteesInFile(grant: Coverage): { who: string; issuer: string }[] {
  return ((grant as Partial<Grant>).to ?? []).map(subject => ({ who: subjectText(subject), issuer: subject.issuer }))
}

function limitOf(rule: Rule, asked: Pattern, operations: OperationSet, { nowMs }: Moment): Limit[] {
  const denies = rule.denies.filter(cover => cover.operations & operations && containsPattern(cover, asked))
  if (denies.length === 0) return []
  const set = denies.reduce((all, cover) => all | cover.operations, 0) & operations
  return [limit(rule, set, denies[0]!, nowMs)]
}

function limit(rule: Rule, set: OperationSet, on: Pattern, nowMs: number): Limit {
  const parts = [
    rule.for === null ? null : `for ${rule.for.map(subjectText).join(', ')}`,
    rule.except.length === 0 ? null : `except ${rule.except.map(subjectText).join(', ')}`,
    rule.when === null ? null : 'when',
    rule.unless === null ? null : 'unless',
  ]
  return {
    rule: rule.id,
    at: placeText(rule.place),
    operations: namesOf(set),
    on: patternText(on),
    binds: parts.filter(part => part !== null).join(', '),
    shadow: rule.shadowUntilMs !== null && nowMs < rule.shadowUntilMs,
  }
}

/** What a rule that binds takes from a cover: of all its names (`whole`), or of some. */
function overlapping(rule: Rule, cover: Cover, set: OperationSet, nowMs: number): (Limit & { whole: boolean; set: OperationSet })[] {
  const perhaps = readsAction(rule)
  return rule.denies
    .filter(denied => denied.operations & set && overlaps(denied, cover))
    .map(denied => ({
      ...limit(rule, denied.operations & set, denied, nowMs),
      whole: containsPattern(denied, cover) && !perhaps,
      set: denied.operations & set,
    }))
}

function stateOf(inForce: InForce, limits: readonly Limit[], set: OperationSet, { nowMs, address }: Moment): State {
  if (!holdsAt(inForce, nowMs).yes) return 'no'
  const inNetwork = inForce.networks === null ? true : PARSED_EACH_TIME.networksOf(inForce.networks).has(address)
  if (inNetwork === false) return 'no'
  const enforced = limits.filter(({ shadow }) => !shadow)
  const taken = enforced.filter(({ binds }) => binds === '').flatMap(({ operations }) => operations)
  if (namesOf(set).every(operation => taken.includes(operation))) return 'no'
  return inNetwork === undefined || enforced.length > 0 ? 'depends' : 'yes'
}

const endOf = ({ untilMs }: Shadow): InForce => ({ sinceMs: null, untilMs, networks: null, hours: null })

/** When a shadow counts, and where: `until …, on listener partners`. */
const shadowText = (shadow: Shadow): string =>
  `${inForceText(endOf(shadow))}${shadow.listeners === null ? '' : `, on ${listenersText(shadow.listeners)}`}`

/** What a shadow gives, to who comes by one listener. */
function stateOn(shadow: Shadow, state: State, { listener }: Moment): State {
  const counts = countsOn(shadow, listener)
  if (counts === false) return 'no'
  return counts === undefined && state === 'yes' ? 'depends' : state
}

/** One of its expressions reads the operation or the name: of a whole pattern it cannot be said whether it binds. */
const readsAction = (rule: Rule): boolean => expressionsOf(rule).some(text => PARSED_EACH_TIME.expressionOf(text).readsAction)
