// A policy that was made from another authorizer's rules: grants, rules, tests that show it equal, and what could not be said.

import { stringify } from 'yaml'
import { Resource } from './authorizer.ts'
import type { KindKey, OperationSet } from './operations.ts'
import { KIND_KEYS, KIND_NAMES, KINDS, namesOf, OPERATIONS, SUPPORTED } from './operations.ts'
import type { Pattern } from './policy-document.ts'
import type { PatternText } from './policy-schema.ts'

/** What an imported rule speaks of. */
export interface ImportedCover {
  readonly pattern: Pattern
  readonly operations: OperationSet
}

/** Sections of a policy file, as its schema has them. */
export interface ImportedPolicy {
  readonly grants: readonly object[]
  readonly rules: readonly object[]
  readonly tests: readonly object[]
  /** What could not be said, each with the text that it stands for. */
  readonly remarks: readonly Remark[]
}

export interface Remark {
  readonly text: string
  readonly why: string
}

/** The file, with its remarks at the top. */
export function importedText(source: string, { grants, rules, tests, remarks }: ImportedPolicy): string {
  const said = remarks.map(({ text, why }) => `#   ${oneLine(text)}\n#     ${oneLine(why)}\n`)
  const head = `# Imported from ${oneLine(source)}.\n`
  const unsaid = said.length === 0 ? '' : `# These could not be said:\n${said.join('')}`
  const body = { version: 1, grants, ...(rules.length > 0 && { rules }), ...(tests.length > 0 && { tests }) }
  return `${head}${unsaid}${stringify(body, { lineWidth: 0, aliasDuplicateObjects: false })}`
}

const oneLine = (text: string): string => text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim()

/** A pattern as policy files write it. */
export function patternText({ prefix, text }: Pattern): PatternText {
  if (!text.includes('*')) return prefix ? `${text}*` : text
  return prefix ? { prefix: text } : { literal: text }
}

/** Covers of one set of operations and one kind together, with the keys that grants and rules have for them. */
export function groupedCovers(
  covers: readonly ImportedCover[],
): { readonly kind: KindKey; readonly operations: OperationSet; readonly keys: object }[] {
  const groups = new Map<string, { kind: KindKey; operations: OperationSet; patterns: Pattern[] }>()
  for (const { pattern, operations } of covers) {
    const kind = KIND_KEYS.find(key => KINDS[key] === pattern.resource)!
    const key = `${kind} ${operations}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { kind, operations, patterns: [pattern] })
    else group.patterns.push(pattern)
  }
  return [...groups.values()].map(({ kind, operations, patterns }) => ({
    kind,
    operations,
    keys: { [kind]: kind === 'cluster' ? true : patterns.map(patternText) },
  }))
}

/** An id that a policy file takes, unlike all others of this import. */
export function importedId(words: string, number: number): string {
  const slug = words
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
  return `${slug.startsWith('sub-') ? 'of-' : ''}${slug}`.slice(0, 50).concat(`-${number}`)
}

/** A name that a pattern covers, to ask about. */
export function sampleName({ resource, prefix, text }: Pattern): string {
  if (resource === Resource.Cluster) return 'kafka-cluster'
  return prefix ? `${text}any` : text
}

/** Every operation on a name as questions of a test, by whether the former authorizer allows it. */
export function questionsOn(resource: Resource, name: string, allows: (operations: OperationSet) => boolean) {
  const kind = KIND_NAMES[resource]
  const asked = namesOf(SUPPORTED[resource]).map(operation => ({
    text: resource === Resource.Cluster ? `${operation} ${kind}` : `${operation} ${kind}:${name}`,
    allowed: allows(1 << OPERATIONS[operation]),
  }))
  return { can: asked.filter(one => one.allowed).map(one => one.text), cannot: asked.filter(one => !one.allowed).map(one => one.text) }
}

/** Who may create on the cluster may create every topic (ControllerApis.createTopics). */
export const isCreation = (resource: Resource, operations: OperationSet): boolean =>
  resource === Resource.Topic && operations === 1 << OPERATIONS.create
