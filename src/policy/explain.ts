// Why a verdict came out as it did: every rule, grant and shadow that could have spoken, and what kept each from it.

import { errorName } from '../protocol/error-codes.ts'
import { refusalOf } from './answers.ts'
import type { Operation, Reason } from './authorizer.ts'
import { Operation as Operations, Resource, Verdict } from './authorizer.ts'
import type { Asker } from './conditions.ts'
import { countsOn, PARSED_EACH_TIME, partsOf } from './conditions.ts'
import { holdsAt } from './hours.ts'
import { broughtBy, KIND_NAMES, namesOf, operationName } from './operations.ts'
import { hoursText, listenersText, patternText, placeText, timeText } from './pattern-text.ts'
import type { Condition, Cover, Coverage, Grant, InForce, Judged, Pattern, Rule, Shadow } from './policy-document.ts'
import { matchesAny, subjectText } from './subjects.ts'

/** What keeps a rule or a grant from applying: it is not for this principal, name, moment, place or condition. */
export interface Miss {
  readonly what: 'who' | 'what' | 'when' | 'where' | 'condition'
  readonly why: string
}

/** One rule, grant or shadow that was looked at. */
export interface Tried {
  readonly kind: 'rule' | 'grant' | 'shadow'
  readonly id: string
  /** `policy.yaml:12`; null: it stands in the store only. */
  readonly at: string | null
  readonly outcome: 'denies' | 'would deny' | 'allows' | 'lets through' | 'does not apply'
  readonly misses: readonly Miss[]
  /** How it speaks of the name: the pattern, or what a condition came to. */
  readonly how: string | null
}

/** What was asked, and by whom. */
export interface Case {
  readonly judged: Judged
  readonly asker: Asker
  /** Ids of the grants that the principal was given. */
  readonly given: ReadonlySet<string>
  readonly nowMs: number
  readonly operation: Operation
  readonly resource: Resource
  readonly name: string
}

export interface Explanation {
  readonly operation: string
  readonly resource: { readonly kind: string; readonly name: string }
  readonly verdict: 'allowed' | 'refused' | 'would_refuse' | 'undecided'
  readonly reason: string
  readonly grant: string | null
  readonly rule: string | null
  readonly shadow: string | null
  /** Where the rule or grant stands that it rests on. */
  readonly at: string | null
  /** The Kafka error that the client is told; null: none. */
  readonly error: string | null
  /** Those that are for this principal or for this name. */
  readonly tried: readonly Tried[]
  /** How many others there are. */
  readonly others: number
}

/** @param reason what the authorizer itself says: the trials only explain it */
export function explain(asked: Case, reason: Reason): Explanation {
  const { judged, operation, resource, name } = asked
  const all = [
    ...judged.rules.map(rule => tryRule(rule, asked)),
    ...judged.grants.map(grant => tryGrant(grant, asked)),
    ...judged.shadows.map(shadow => tryShadow(shadow, asked)),
  ]
  const tried = all.filter(concerns)
  const place = placeOf(judged, reason)
  return {
    operation: operationName(operation),
    resource: { kind: KIND_NAMES[resource], name },
    verdict: verdictText(reason),
    reason: reason.why,
    grant: reason.grant,
    rule: reason.rule,
    shadow: reason.shadow,
    at: place,
    error: reason.verdict === Verdict.Refused ? errorName(refusalOf(resource)) : null,
    tried,
    others: all.length - tried.length,
  }
}

function verdictText({ verdict, shadow }: Reason): Explanation['verdict'] {
  if (verdict === Verdict.Refused) return 'refused'
  if (verdict === Verdict.Allowed) return shadow === null ? 'allowed' : 'would_refuse'
  return 'undecided'
}

/** It is about this name, or a grant of this principal. */
const concerns = ({ kind, misses }: Tried): boolean =>
  misses.every(({ what }) => what !== 'what') || (kind === 'grant' && misses.every(({ what }) => what !== 'who'))

function placeOf({ rules, grants, shadows }: Judged, { rule, grant, shadow }: Reason): string | null {
  const owner =
    rule !== null
      ? rules.find(({ id }) => id === rule)
      : grant !== null
        ? grants.find(({ id }) => id === grant)
        : shadow === null
          ? undefined
          : (shadows.find(({ id }) => id === shadow) ?? rules.find(({ id }) => id === shadow))
  return owner?.place == null ? null : placeText(owner.place)
}

function tryRule(rule: Rule, asked: Case): Tried {
  const { asker, nowMs } = asked
  const about = coverOf(rule.denies, asked, 1 << asked.operation)
  const misses: Miss[] = about === null ? [{ what: 'what', why: 'it is about others' }] : []
  if (rule.for !== null && !matchesAny(rule.for, asker.keys))
    misses.push({ what: 'who', why: `it binds only ${rule.for.map(subjectText).join(', ')}` })
  const exempt = rule.except.find(subject => matchesAny([subject], asker.keys))
  if (exempt !== undefined) misses.push({ what: 'who', why: `${subjectText(exempt)} is exempt from it` })
  const conditions: string[] = []
  for (const key of ['when', 'unless'] as const) {
    const condition = rule[key]
    if (condition === null) continue
    const { parts } = partsOf(condition, asker, nowMs, PARSED_EACH_TIME, asked)
    const text = parts.map(({ part, truth }) => `${part} is ${truth === undefined ? 'not known' : truth}`).join(', ')
    const no = parts.some(({ truth }) => truth === false)
    const yes = parts.every(({ truth }) => truth === true)
    if (key === 'when' ? no : yes) misses.push({ what: 'condition', why: `${key}: ${text}; it wants ${conditionText(condition)}` })
    else conditions.push(`${key}: ${text}`)
  }
  const shadowed = rule.shadowUntilMs !== null && nowMs < rule.shadowUntilMs
  const how = [about, ...conditions, shadowed ? `in shadow until ${timeText(rule.shadowUntilMs)}` : null]
  return {
    ...tried('rule', rule, misses, shadowed ? 'would deny' : 'denies'),
    how: how.filter(part => part !== null).join('; ') || null,
  }
}

function tryGrant(grant: Coverage, asked: Case): Tried {
  const about = coverOf(grant.covers, asked, broughtBy(asked.operation))
  const misses: Miss[] = []
  const { to } = grant as Partial<Grant>
  const isGiven = asked.given.has(grant.id)
  if (!isGiven)
    misses.push({ what: 'who', why: to === undefined ? 'it is given to others' : `it is given to ${to.map(subjectText).join(', ')}` })
  if (about === null) misses.push({ what: 'what', why: missedCover(grant.covers, asked) })
  misses.push(...missesOf(grant, asked))
  return { ...tried('grant', grant, misses, 'allows'), how: about }
}

function tryShadow(shadow: Shadow, asked: Case): Tried {
  const about = shadow.patterns.find(pattern => isIn(pattern, asked))
  const misses: Miss[] = about === undefined ? [{ what: 'what', why: 'it is about others' }] : []
  if (asked.nowMs >= shadow.untilMs) misses.push({ what: 'when', why: `it ended ${timeText(shadow.untilMs)}` })
  const { listener } = asked.asker
  if (shadow.listeners !== null && countsOn(shadow, listener) !== true) {
    const by = listener === '' ? 'no listener was given' : `${listener} is another`
    misses.push({ what: 'where', why: `it counts on ${listenersText(shadow.listeners)}: ${by}` })
  }
  return { ...tried('shadow', shadow, misses, 'lets through'), how: about === undefined ? null : `on ${patternText(about)}` }
}

function tried(
  kind: Tried['kind'],
  { id, place }: Coverage | Rule | Shadow,
  misses: readonly Miss[],
  outcome: Tried['outcome'],
): Omit<Tried, 'how'> {
  return { kind, id, at: place === null ? null : placeText(place), outcome: misses.length > 0 ? 'does not apply' : outcome, misses }
}

/** When and where something is in force. */
function missesOf({ sinceMs, untilMs, networks, hours }: InForce, { nowMs, asker }: Case): Miss[] {
  const misses: Miss[] = []
  if (untilMs !== null && nowMs >= untilMs) misses.push({ what: 'when', why: `it ended ${timeText(untilMs)}` })
  else if (sinceMs !== null && nowMs < sinceMs) misses.push({ what: 'when', why: `it begins ${timeText(sinceMs)}` })
  if (hours !== null && !holdsAt({ sinceMs: null, untilMs: null, hours }, nowMs).yes)
    misses.push({ what: 'when', why: `it holds at ${hours.map(hoursText).join(' or ')}` })
  if (networks !== null && PARSED_EACH_TIME.networksOf(networks).has(asker.address) !== true) {
    const from = asker.address === '' ? 'no address was given' : `${asker.address} is not`
    misses.push({ what: 'where', why: `it holds from ${networks.join(', ')}: ${from}` })
  }
  return misses
}

/** Which of the covers speaks of the name and the operations; Create on a topic counts the right to create anything. */
function coverOf(covers: readonly Cover[], asked: Case, operations: number): string | null {
  const found = covers.find(cover => cover.operations & operations && isIn(cover, asked))
  return found === undefined ? null : `${namesOf(found.operations & operations).join(', ')} on ${patternText(found)}`
}

function missedCover(covers: readonly Cover[], asked: Case): string {
  const named = covers.filter(cover => isIn(cover, asked))
  if (named.length > 0) return `there it gives ${[...new Set(named.flatMap(({ operations }) => namesOf(operations)))].join(', ')}`
  const [first, second, third, ...more] = covers
  const some = [first, second, third].filter(cover => cover !== undefined).map(patternText)
  return `it covers ${some.join(', ')}${more.length > 0 ? ` and ${more.length} more` : ''}`
}

function isIn(pattern: Pattern, { resource, name }: Case): boolean {
  if (pattern.resource !== resource) return false
  return pattern.prefix ? name.startsWith(pattern.text) : pattern.text === name
}

function conditionText({ acting, claims, networks, hours, expression }: Condition): string {
  const parts = [
    ...(acting === null ? [] : [`acting ${acting.join(' or ')}`]),
    ...Object.entries(claims ?? {}).map(([claim, values]) => `${claim} ${values.join(' or ')}`),
    ...(networks === null ? [] : [`from ${networks.join(', ')}`]),
    ...(hours === null ? [] : hours.map(hoursText)),
    ...(expression === null ? [] : [expression]),
  ]
  return parts.join(', ')
}

/** Whether Create on the cluster would do as well (KafkaApis.scala handleCreateTopicsRequest). */
export const isAlsoByCluster = (operation: Operation, resource: Resource): boolean =>
  operation === Operations.Create && resource === Resource.Topic
