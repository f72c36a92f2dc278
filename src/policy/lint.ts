// What is valid in a policy and yet hardly meant: rules that say nothing, grants nobody can use, rights that are wider than they look.

import { meant, type Problem } from '../base/errors.ts'
import { Operation, Resource } from './authorizer.ts'
import { holdsAt } from './hours.ts'
import type { OperationSet } from './operations.ts'
import { namesOf, SUPPORTED, setOf, withImplied } from './operations.ts'
import { containsPattern, listenersText, patternText, placeText, timeText } from './pattern-text.ts'
import type { Cover, Grant, Pattern, Place, PolicyDocument, Rule, Shadow, Subject } from './policy-document.ts'
import { subjectKey } from './subjects.ts'
import { isTimeWithin } from './within.ts'

export interface Finding extends Problem {
  readonly code: FindingCode
}
/** In the order of the table in docs/policy-guide.md. */
export const FINDING_CODES = [
  'unreachable-rule',
  'repeated-rule',
  'unusable-grant',
  'ended-grant',
  'shadowed-pattern',
  'repeated-grant',
  'wildcard-write',
  'write-for-anyone',
  'endless-break-glass',
  'ended-shadow',
  'long-shadow',
  'unknown-topic',
  'no-tests',
  'store-only',
] as const
export type FindingCode = (typeof FINDING_CODES)[number]

const { Write, Create, Delete, Alter, AlterConfigs } = Operation
/** What changes something when it is allowed. */
const CHANGES: OperationSet = setOf(Write, Create, Delete, Alter, AlterConfigs)
const BREAK_GLASS = /break-?glass|emergency|incident|notfall/i
const LONG_SHADOW_MS = 183 * 86_400_000

/** Which engine the policy is for. */
export interface Engine {
  readonly name: 'embedded' | 'openfga'
  readonly hasStore: boolean
}

/**
 * @param engine null: not known
 * @param topics of the cluster behind; null: not known
 */
export function lint(document: PolicyDocument, nowMs: number, engine: Engine | null, topics: readonly string[] | null = null): Finding[] {
  const findings = [
    ...document.grants.flatMap((grant, i) => lintGrant(grant, i, document, nowMs)),
    ...document.rules.flatMap((rule, i) => lintRule(rule, i, document)),
    ...document.shadows.flatMap(shadow => lintShadow(shadow, nowMs)),
    ...(topics === null ? [] : lintTopics(document, topics)),
    ...lintWhole(document, engine),
  ]
  return findings.sort((a, b) => (a.file === b.file ? a.line - b.line || a.col - b.col : a.file < b.file ? -1 : 1))
}

const finding = (
  code: FindingCode,
  { file, line, col = 1 }: Place,
  path: string,
  problem: string,
  hint: string | null = null,
): Finding => ({
  code,
  file,
  line,
  col,
  path,
  problem,
  hint,
})

function lintGrant(grant: Grant, i: number, { grants, rules }: PolicyDocument, nowMs: number): Finding[] {
  const found: Finding[] = []
  const add = (code: FindingCode, problem: string, hint: string | null) =>
    found.push(finding(code, grant.place, `grants.${grant.id}`, problem, hint))
  if (grant.untilMs !== null && grant.untilMs <= nowMs) add('ended-grant', `ended ${timeText(grant.untilMs)}`, 'take it out')
  else if (isNeverInForce(grant)) add('unusable-grant', 'its hours never come between since and until', null)
  const denied = rules.find(rule => isForAll(rule) && grant.covers.every(cover => isDenied(cover, rule)))
  if (denied !== undefined)
    add('unusable-grant', `rule ${denied.id} at ${placeText(denied.place)} refuses all of it to everybody`, 'take one of them out')
  for (const [inner, outer] of shadowedPatterns(grant.covers))
    add('shadowed-pattern', `${patternText(inner)} lies in ${patternText(outer)}, which it covers too`, 'leave the narrower one out')
  const wider = grants.find((other, j) => j !== i && isCovered(grant, other) && (j < i || !isCovered(other, grant)))
  if (wider !== undefined) add('repeated-grant', `gives nothing that ${wider.id} at ${placeText(wider.place)} does not give`, null)
  const wild = grant.covers.filter(({ resource, prefix, text }) => resource !== Resource.Cluster && prefix && text === '')
  const wildChanges = wild.reduce((set, cover) => set | (cover.operations & CHANGES & SUPPORTED[cover.resource]), 0)
  if (wildChanges !== 0)
    add('wildcard-write', `gives ${namesOf(wildChanges).join(', ')} on every name of ${wild.map(patternText).join(', ')}`, 'name a prefix')
  const changes = grant.covers.reduce((set, { operations }) => set | (operations & CHANGES), 0)
  if (changes !== 0 && grant.to.some(({ kind }) => kind === 'anyone'))
    add('write-for-anyone', `gives ${namesOf(changes).join(', ')} to whoever has a token`, 'name a role or a group')
  if (grant.untilMs === null && [grant.id, grant.why ?? ''].some(text => BREAK_GLASS.test(text)))
    add('endless-break-glass', 'is for emergencies and has no end', 'add until:')
  return found
}

function lintRule(rule: Rule, i: number, { rules }: PolicyDocument): Finding[] {
  const found: Finding[] = []
  const add = (code: FindingCode, problem: string, hint: string | null) =>
    found.push(finding(code, rule.place, `rules.${rule.id}`, problem, hint))
  const keys = new Set(rule.except.map(subjectKey))
  if (rule.for?.every(subject => keys.has(subjectKey(subject))))
    add('unreachable-rule', 'binds nobody: everyone in for stands in except too', 'take them out of one')
  const both = contradiction(rule)
  if (both !== null) add('unreachable-rule', both, null)
  const wider = rules.find((other, j) => j !== i && isRuleCovered(rule, other) && (j < i || !isRuleCovered(other, rule)))
  if (wider !== undefined) add('repeated-rule', `refuses nothing that ${wider.id} at ${placeText(wider.place)} does not refuse`, null)
  return found
}

function lintShadow({ id, untilMs, patterns, listeners, place }: Shadow, nowMs: number): Finding[] {
  const on = `${patterns.map(patternText).join(', ')}${listeners === null ? '' : ` by ${listenersText(listeners)}`}`
  if (untilMs <= nowMs)
    return [finding('ended-shadow', place, id, `ended ${timeText(untilMs)}: grants are enforced on ${on}`, 'take it out')]
  if (untilMs - nowMs > LONG_SHADOW_MS)
    return [finding('long-shadow', place, id, `lets everything through on ${on} until ${timeText(untilMs)}`, 'end it within half a year')]
  return []
}

/** Patterns that fit no topic, but for those on which topics may be created. */
function lintTopics({ grants, rules, shadows }: PolicyDocument, topics: readonly string[]): Finding[] {
  const fits = ({ prefix, text }: Pattern): boolean => topics.some(topic => (prefix ? topic.startsWith(text) : topic === text))
  const unknown = (path: string, place: Place, patterns: readonly Pattern[]): Finding[] =>
    patterns
      .filter(pattern => pattern.resource === Resource.Topic && !fits(pattern))
      .map(({ prefix, text }) => {
        const near = meant(text, topics)
        const hint = prefix || !near.startsWith('did you mean') ? null : near
        return finding('unknown-topic', place, path, prefix ? `no topic begins with ${text}` : `there is no topic ${text}`, hint)
      })
  const creates = (cover: Cover): boolean => (cover.operations & setOf(Create)) !== 0
  return [
    ...grants.flatMap(({ id, place, covers }) => {
      const made = covers.filter(creates)
      const lies = (cover: Cover): boolean => made.some(one => containsPattern(one, cover))
      return unknown(
        `grants.${id}`,
        place,
        covers.filter(cover => !lies(cover)),
      )
    }),
    ...rules.flatMap(({ id, place, denies }) => unknown(`rules.${id}`, place, denies)),
    ...shadows.flatMap(({ id, place, patterns }) => unknown(id, place, patterns)),
  ]
}

function lintWhole({ grants, tests, files }: PolicyDocument, engine: Engine | null): Finding[] {
  const first = { file: files[0] ?? '', line: 1 }
  const found: Finding[] = []
  if (tests.length === 0 && grants.length > 0)
    found.push(finding('no-tests', first, 'tests', 'there is no test', 'add tests: they guard every change'))
  if (engine?.name === 'embedded' && engine.hasStore)
    found.push(finding('store-only', first, '', STORE_UNREAD, 'set authorizer.engine: openfga, or take authorizer.openfga out'))
  return found
}

const STORE_UNREAD =
  'the configuration names an OpenFGA store that the embedded engine does not read: relationships, teams and blocked count only there'

/** It binds everybody, always, and is not only recorded. */
const isForAll = ({ for: binds, except, when, unless, shadowUntilMs }: Rule): boolean =>
  binds === null && except.length === 0 && when === null && unless === null && shadowUntilMs === null

const isDenied = (cover: Cover, { denies }: Rule): boolean => {
  const set = withImplied(cover.operations) & SUPPORTED[cover.resource]
  const denied = denies.filter(one => containsPattern(one, cover)).reduce((all, one) => all | one.operations, 0)
  return (set & ~denied) === 0
}

/** Pairs of an inner pattern and one that contains it with all of its operations. */
function shadowedPatterns(covers: readonly Cover[]): [Cover, Cover][] {
  return covers.flatMap((inner, i): [Cover, Cover][] => {
    const outer = covers.find(
      (one, j) =>
        i !== j &&
        (one.operations & inner.operations) === inner.operations &&
        containsPattern(one, inner) &&
        !(containsPattern(inner, one) && i < j),
    )
    return outer === undefined ? [] : [[inner, outer]]
  })
}

/** Everything that one grant gives, another gives to the same subjects, at least as long and from as many places. */
function isCovered(inner: Grant, outer: Grant): boolean {
  const keys = new Set(outer.to.map(subjectKey))
  return (
    inner.to.every(subject => isWithin(subject, keys)) &&
    isTimeWithin(inner, outer) &&
    inner.covers.every(cover => {
      const set = outer.covers.filter(one => containsPattern(one, cover)).reduce((all, one) => all | one.operations, 0)
      return (cover.operations & ~set) === 0
    })
  )
}

const isWithin = (subject: Subject, keys: ReadonlySet<string>): boolean =>
  keys.has(subjectKey(subject)) || keys.has(subjectKey({ kind: 'anyone', issuer: subject.issuer }))

/** Whom one rule binds, and when, the other binds too, and it denies no less. */
function isRuleCovered(inner: Rule, outer: Rule): boolean {
  if (outer.shadowUntilMs !== null) return false
  const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)
  const binds = outer.for === null || same(inner.for, outer.for)
  const exempt = outer.except.every(subject => inner.except.some(one => subjectKey(one) === subjectKey(subject)))
  const conditions = (outer.when === null || same(inner.when, outer.when)) && (outer.unless === null || same(inner.unless, outer.unless))
  return (
    binds &&
    exempt &&
    conditions &&
    inner.denies.every(cover => {
      const set = outer.denies.filter(one => containsPattern(one, cover)).reduce((all, one) => all | one.operations, 0)
      return (cover.operations & SUPPORTED[cover.resource] & ~set) === 0
    })
  )
}

/** `when` and `unless` that are the same: whenever the one holds, the other exempts. */
function contradiction({ when, unless }: Rule): string | null {
  return when !== null && unless !== null && JSON.stringify(when) === JSON.stringify(unless)
    ? 'binds nobody: when and unless say the same'
    : null
}

/** A grant of a few days at most is tried hour by hour. */
function isNeverInForce({ sinceMs, untilMs, hours }: Grant): boolean {
  if (hours === null || sinceMs === null || untilMs === null || untilMs - sinceMs > 8 * 86_400_000) return false
  for (let at = sinceMs; at < untilMs; ) {
    const { yes, untilMs: next } = holdsAt({ sinceMs: null, untilMs: null, hours }, at)
    if (yes) return false
    if (next <= at) return false
    at = next
  }
  return true
}
