// Random expressions of simple shapes, each with what it means: written a second time, as CEL's specification says it in words.

import fc from 'fast-check'
import { Operation, Resource } from '../../src/policy/authorizer.ts'
import type { Question } from './reference.ts'

/** undefined: it fails. */
type Meaning = (q: Question) => boolean | undefined
interface Said {
  readonly text: string
  readonly means: Meaning
}

const OPERATIONS = Object.fromEntries(
  Object.entries(Operation).map(([name, code]) => [code, name.replace(/\B[A-Z]/g, '_$&').toLowerCase()]),
)
const KINDS = {
  [Resource.Topic]: 'topic',
  [Resource.Group]: 'consumerGroup',
  [Resource.Cluster]: 'cluster',
  [Resource.TransactionalId]: 'transactionalId',
}

const claim = (q: Question, name: string): unknown => q.principal.claims[name]
const address = (q: Question): string | undefined => (q.address === '' ? undefined : q.address)

const atoms: readonly Said[] = [
  { text: 'claims.acr == "gold"', means: q => (claim(q, 'acr') === undefined ? undefined : claim(q, 'acr') === 'gold') },
  { text: 'claims["azp"] != true', means: q => (claim(q, 'azp') === undefined ? undefined : claim(q, 'azp') !== true) },
  { text: 'has(claims.acr)', means: q => claim(q, 'acr') !== undefined },
  { text: 'claims.acr in ["gold", "silver"]', means: q => (claim(q, 'acr') === undefined ? undefined : isMetal(claim(q, 'acr'))) },
  { text: 'claims.azp.exists(x, x == "gold")', means: q => listOf(claim(q, 'azp'))?.includes('gold') },
  { text: 'principal.groups.exists(g, g.startsWith("/a"))', means: q => q.principal.groups.some(group => group.startsWith('/a')) },
  { text: '"r" in principal.realmRoles', means: q => q.principal.realmRoles.includes('r') },
  { text: 'principal.type == "service" && principal.name == "x"', means: q => q.principal.type === 'service' && q.principal.name === 'x' },
  { text: 'principal.acting == ""', means: q => q.principal.acting === null },
  { text: 'principal.actor == "boss"', means: q => q.principal.acting?.by === 'boss' },
  { text: 'client.address == "10.20.1.1"', means: q => (address(q) === undefined ? undefined : q.address === '10.20.1.1') },
  { text: 'operation in ["write", "delete", "create"]', means: q => [4, 5, 6].includes(q.operation) },
  { text: 'operation == "describe"', means: q => OPERATIONS[q.operation] === 'describe' },
  { text: 'resource.kind == "topic"', means: q => KINDS[q.resource] === 'topic' },
  { text: 'resource.name.startsWith("a.")', means: q => q.name.toString().startsWith('a.') },
  { text: 'resource.name == principal.name + ".b"', means: q => q.name.toString() === `${q.principal.name}.b` },
  { text: 'resource.name.size() > 2', means: q => [...q.name.toString()].length > 2 },
  { text: 'now < timestamp("2026-10-25T08:00:00Z")', means: q => q.nowMs < Date.UTC(2026, 9, 25, 8) },
  { text: 'now.getHours() >= 12', means: q => new Date(q.nowMs).getUTCHours() >= 12 },
]

const isMetal = (value: unknown): boolean => value === 'gold' || value === 'silver'
const listOf = (value: unknown): readonly unknown[] | undefined => (Array.isArray(value) ? value : undefined)

const { said } = fc.letrec<{ said: Said }>(tie => ({
  said: fc.oneof(
    // Deeper ones may take more steps than an expression may.
    { maxDepth: 2 },
    fc.constantFrom(...atoms),
    tie('said').map(({ text, means }) => ({ text: `!(${text})`, means: (q: Question) => not(means(q)) })),
    fc
      .tuple(tie('said'), tie('said'))
      .map(([a, b]) => ({ text: `(${a.text}) && (${b.text})`, means: (q: Question) => and(a.means(q), b.means(q)) })),
    fc
      .tuple(tie('said'), tie('said'))
      .map(([a, b]) => ({ text: `(${a.text}) || (${b.text})`, means: (q: Question) => not(and(not(a.means(q)), not(b.means(q)))) })),
  ),
}))

const not = (truth: boolean | undefined): boolean | undefined => (truth === undefined ? undefined : !truth)
/** What is false decides, on whichever side it stands. */
const and = (a: boolean | undefined, b: boolean | undefined): boolean | undefined =>
  a === false || b === false ? false : a === undefined || b === undefined ? undefined : true

const meanings = new Map<string, Meaning>()

export const expression: fc.Arbitrary<string> = said.map(({ text, means }) => {
  meanings.set(text, q => (text.includes('client.address') && q.address === '' ? undefined : means(q)))
  return text
})

/** What an expression that was made here says to a question. */
export const meaningOf = (text: string, q: Question): boolean | undefined => meanings.get(text)!(q)
