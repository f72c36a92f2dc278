// What the audit says of shadows: who would break, on what, how often; and the grants that would keep them working.

import type { AuditLine } from '../base/audit.ts'
import { Resource } from './authorizer.ts'
import type { KindKey, OperationName } from './operations.ts'
import { KIND_KEYS, KIND_NAMES, KINDS, OPERATION_NAMES, OPERATIONS, SUPPORTED, VERB_NAMES, VERBS, withImplied } from './operations.ts'

/** One principal and one resource that a shadow let through. */
export interface WouldBreak {
  readonly principal: string
  readonly resource: { readonly kind: string; readonly name: string }
  readonly operations: readonly string[]
  readonly reason: string
  /** The rule in shadow that would refuse it; null: there is no grant. */
  readonly rule: string | null
  readonly count: number
  readonly first: string
  readonly last: string
}

export interface Report {
  readonly breaks: readonly WouldBreak[]
  /** Policy text, ready to paste; '': none is missing. */
  readonly grants: string
  /** By rule in shadow: the principals that it would stop. */
  readonly rules: Readonly<Record<string, readonly string[]>>
}

interface Tally {
  readonly line: AuditLine
  readonly operations: Set<string>
  count: number
  first: string
  last: string
}

/** Takes audit lines one by one, and keeps what matters of them. */
export class ShadowReport {
  readonly #tallies = new Map<string, Tally>()
  readonly #refusals: boolean

  /** @param withRefusals counts what was refused, too */
  constructor(withRefusals = false) {
    this.#refusals = withRefusals
  }

  add(line: AuditLine): void {
    const { verdict, principal, operation, resource, rule } = line
    if (principal === null || operation === null || resource === null) return
    if (verdict !== 'would_refuse' && !(this.#refusals && verdict === 'refused')) return
    const key = JSON.stringify([principal, resource.kind, resource.name, rule])
    const tally = this.#tallies.get(key)
    if (tally === undefined) {
      this.#tallies.set(key, { line, operations: new Set([operation]), count: 1, first: line.time, last: line.time })
      return
    }
    tally.operations.add(operation)
    tally.count++
    if (line.time < tally.first) tally.first = line.time
    if (line.time > tally.last) tally.last = line.time
  }

  /** Most often first. */
  report(): Report {
    const breaks = [...this.#tallies.values()]
      .map(({ line, operations, count, first, last }): WouldBreak => {
        const { principal, resource, reason, rule } = line
        return { principal: principal!, resource: resource!, operations: ordered(operations), reason, rule, count, first, last }
      })
      .sort((a, b) => b.count - a.count || (a.principal < b.principal ? -1 : 1))
    const rules: Record<string, string[]> = {}
    for (const { rule, principal } of breaks) {
      if (rule === null) continue
      const list = (rules[rule] ??= [])
      if (!list.includes(principal)) list.push(principal)
    }
    return { breaks, grants: missingGrants(breaks.filter(({ rule }) => rule === null)), rules }
  }
}

const ordered = (operations: ReadonlySet<string>): string[] => OPERATION_NAMES.filter(name => operations.has(name))

/** One principal's needs: by kind and name, the operations. */
type Needs = Map<KindKey, Map<string, Set<string>>>

function missingGrants(breaks: readonly WouldBreak[]): string {
  const byPrincipal = new Map<string, Needs>()
  for (const { principal, resource, operations } of breaks) {
    const kind = KIND_KEYS.find(key => KIND_NAMES[KINDS[key]] === resource.kind)
    if (kind === undefined) continue
    const needs = byPrincipal.get(principal) ?? new Map()
    byPrincipal.set(principal, needs)
    const names = needs.get(kind) ?? new Map()
    needs.set(kind, names)
    names.set(resource.name, new Set([...(names.get(resource.name) ?? []), ...operations]))
  }
  const ids = new Set<string>()
  const grants = [...byPrincipal].flatMap(([principal, needs]) => grantsFor(principal, needs, ids))
  return grants.length === 0 ? '' : `grants:\n${grants.join('')}`
}

/** A grant for each set of operations, and for names of all kinds where a verb says just that. */
function grantsFor(principal: string, needs: Needs, ids: Set<string>): string[] {
  const byWords = new Map<string, Map<KindKey, string[]>>()
  for (const [kind, names] of needs) {
    for (const [name, operations] of names) {
      const words = wordsFor(kind, operations)
      if (words === '') continue
      const kinds = byWords.get(words) ?? new Map<KindKey, string[]>()
      byWords.set(words, kinds)
      kinds.set(kind, [...(kinds.get(kind) ?? []), name])
    }
  }
  return [...byWords].flatMap(([words, kinds]) => {
    const isVerb = VERB_NAMES.some(verb => verb === words)
    const parts: [KindKey, string[]][][] = isVerb ? [[...kinds]] : [...kinds].map(one => [one])
    return parts.map(part => grantText(principal, words, part, ids))
  })
}

/** `consume` where the operations are just what the verb gives there; else the operations. */
function wordsFor(kind: KindKey, operations: ReadonlySet<string>): string {
  const resource = KINDS[kind]
  // IDEMPOTENT_WRITE comes with the right to write any topic.
  const named = OPERATION_NAMES.filter(
    name => operations.has(name) && name !== 'idempotent_write' && SUPPORTED[resource] & (1 << OPERATIONS[name]),
  )
  const set = named.reduce((all, name) => all | (1 << OPERATIONS[name]), 0)
  if (set === 0) return ''
  const verb = (['consume', 'produce'] as const).find(one => VERBS[one][kind] !== 0 && withImplied(set) === withImplied(VERBS[one][kind]))
  if (verb !== undefined) return verb
  const needed = named.filter(name => !isBrought(name, set))
  return needed.length === 1 ? needed[0]! : `[${needed.join(', ')}]`
}

const isBrought = (name: OperationName, set: number): boolean => {
  const bit = 1 << OPERATIONS[name]
  return (withImplied(set & ~bit) & bit) !== 0
}

function grantText(principal: string, words: string, kinds: readonly [KindKey, readonly string[]][], ids: Set<string>): string {
  const lines = [`  - id: ${freshId(principal, words, ids)}`, `    to: ${subjectOf(principal)}`, `    allow: ${words}`]
  for (const [kind, names] of kinds) {
    if (KINDS[kind] === Resource.Cluster) lines.push('    cluster: true')
    else lines.push(`    ${kind}: [${[...names].sort().map(patternOf).join(', ')}]`)
  }
  return lines.map(line => `${line}\n`).join('')
}

/** `service:corp/orders` -> `service:orders` with its issuer said, so that it means the same in every file. */
function subjectOf(principal: string): string {
  const [, type, issuer, name] = /^(user|service):([^/]*)\/(.*)$/s.exec(principal) ?? []
  return `{ ${type}: ${JSON.stringify(name)}, issuer: ${JSON.stringify(issuer)} }`
}

const patternOf = (name: string): string => (name.includes('*') ? `{ literal: ${JSON.stringify(name)} }` : JSON.stringify(name))

function freshId(principal: string, words: string, ids: Set<string>): string {
  const plain = (text: string): string =>
    text
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '')
  const base = `${plain(principal.slice(principal.indexOf('/') + 1)).slice(0, 40)}-${plain(words).slice(0, 16)}`.replace(
    /^sub-/,
    'the-sub-',
  )
  let id = base
  for (let n = 2; ids.has(id); n++) id = `${base}-${n}`
  ids.add(id)
  return id
}
