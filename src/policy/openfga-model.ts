// The authorization model that comes with the gate (config/model.fga, as JSON), and what the gate demands of another.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Resource } from './authorizer.ts'
import { NAMED_RESOURCES, parseUser, TYPES } from './encode.ts'
import type { Tuple } from './grant-tuples.ts'
import { namesOf, SUPPORTED } from './operations.ts'

/** The store is there, but is not one that the gate can judge by. */
export class UnfitStoreError extends Error {
  readonly code = 'ERR_UNFIT_STORE'
  constructor(message: string) {
    super(message)
    this.name = 'UnfitStoreError'
  }
}

/** As the API takes it. */
export function shippedModel(): object {
  return JSON.parse(readFileSync(join(import.meta.dirname, '..', '..', 'config', 'model.json'), 'utf8')) as object
}

/** Whose tuples a relation takes: objects of a type, or only those of a userset, everybody of the type, or under a condition. */
interface UserType {
  readonly type: string
  readonly relation?: string
  readonly wildcard?: object | null
  readonly condition?: string
}

interface TypeDefinition {
  readonly type: string
  readonly relations?: Readonly<Record<string, unknown>>
  readonly metadata?: {
    readonly relations?: Readonly<Record<string, { readonly directly_related_user_types?: readonly UserType[] }>>
  } | null
}

interface Model {
  readonly type_definitions?: readonly TypeDefinition[]
  readonly conditions?: Readonly<Record<string, unknown>>
}

/** Whether this is the model that comes with the gate, so that its formulas are known. */
export function isShipped(model: object): boolean {
  const { type_definitions, conditions } = shippedModel() as Model
  const given = model as Model
  return sameJson({ type_definitions, conditions }, { type_definitions: given.type_definitions, conditions: given.conditions })
}

/** What `policy watch` and the admin API write or send along besides, as `type#relation`, with the type of its users where that counts. */
export const FOR_WATCH: readonly string[] = ['ledger#cluster', 'ledger#turn']
export const FOR_SUBSCRIPTIONS: readonly string[] = [
  ...FOR_WATCH,
  ...['org', 'topic', 'group_id', 'subscriber', 'requester', 'approved_by', 'revoked_by', 'state', 'can_approve', 'can_view'].map(
    relation => `subscription#${relation}`,
  ),
  ...['member', 'admin', 'auditor'].flatMap(relation => [`org#${relation}: [user]`, `org#${relation}: [service]`]),
]

/** What every name that is asked about has as contextual tuples: OpenFGA would fail the whole question if it did not know them. */
const LINKS: readonly string[] = NAMED_RESOURCES.flatMap(resource => {
  const { own, prefix } = TYPES[resource]
  return [`${own}#cluster: [cluster]`, `${own}#namespace: [namespace]`, `${own}#prefix: [${prefix}]`]
})

/**
 * What the gate asks for and sends along, and the model does not have: `type#relation`, `type#relation: [type of its users]`, `type …`.
 * @param also what is needed besides
 */
export function missingRelations(model: object, also: readonly string[] = []): string[] {
  const needed = ['grant#grantee', 'grant#holder', ...also]
  for (const resource of [Resource.Topic, Resource.Group, Resource.TransactionalId, Resource.Cluster]) {
    const type = resource === Resource.Cluster ? 'cluster' : TYPES[resource].own
    needed.push(`${type}#blocked`, ...namesOf(SUPPORTED[resource]).map(operation => `${type}#can_${operation}`))
  }
  const known = knownTo(model)
  return [...needed, ...LINKS, 'type user', 'type service'].filter(one => !known.has(one))
}

/** In the words of `missingRelations`. */
function knownTo(model: object): ReadonlySet<string> {
  const known = new Set<string>()
  for (const { type, relations, metadata } of (model as Model).type_definitions ?? []) {
    known.add(`type ${type}`)
    for (const relation of Object.keys(relations ?? {})) known.add(`${type}#${relation}`)
    for (const [relation, { directly_related_user_types: users }] of Object.entries(metadata?.relations ?? {})) {
      for (const user of users ?? []) if (isPlain(user)) known.add(`${type}#${relation}: [${user.type}]`)
    }
  }
  return known
}

const isPlain = ({ relation, wildcard, condition }: UserType): boolean => !relation && !wildcard && !condition

/** Whether OpenFGA takes a tuple of this kind along with a question; any other would fail the question, and nobody has anything by it. */
export type Takes = (tuple: Tuple) => boolean

export function takenBy(model: object): Takes {
  const known = knownTo(model)
  return ({ user, relation, object }) => known.has(`${parseUser(object).type}#${relation}: [${parseUser(user).type}]`)
}

/** @throws {UnfitStoreError} when the model lacks what the gate asks for */
export function demandFit(model: object, id: string, also: readonly string[] = []): void {
  const missing = missingRelations(model, also)
  if (missing.length > 0) throw new UnfitStoreError(`the model ${id} has no ${missing.join(', ')}`)
}

/** Types whose tuples nobody's rights can hang on: the gate does not ask about them, and no other type refers to them. */
export function typesAside(model: object): Set<string> {
  const types = (model as Model).type_definitions ?? []
  const named = [Resource.Topic, Resource.Group, Resource.TransactionalId] as const
  const kept = new Set(['grant', 'cluster', 'namespace', ...named.map(resource => TYPES[resource].own)])
  for (const { type, metadata } of types) {
    for (const { directly_related_user_types: users } of Object.values(metadata?.relations ?? {})) {
      for (const user of users ?? []) if (user.type !== type) kept.add(user.type)
    }
  }
  return new Set(types.map(({ type }) => type).filter(type => !kept.has(type)))
}

/** Whether OpenFGA says that it will not answer such a question, rather than that it cannot now. */
export function isUnfit(why: unknown): boolean {
  if (why instanceof UnfitStoreError) return true
  const status = (why as { statusCode?: number }).statusCode
  return status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 429
}

function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(plain(a)) === JSON.stringify(plain(b))
}

/** Without what a server fills in (empty texts and lists, null), keys in one order. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value)
    .filter(([key, one]) => one !== null && one !== '' && !(Array.isArray(one) && one.length === 0) && !FILLED_IN.includes(key))
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(kept.map(([key, one]) => [key, plain(one)]).filter(([key, one]) => key === 'this' || !isEmpty(one)))
}

const FILLED_IN = ['module', 'source_info']
const isEmpty = (value: unknown): boolean => typeof value === 'object' && value !== null && Object.keys(value).length === 0
