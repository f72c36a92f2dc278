// Grants as tuples: a `grant` object a grant, with its grantees, its holders and what they cover; written by apply, read by the gate.

import { Resource } from './authorizer.ts'
import type { NamedResource } from './encode.ts'
import { clusterObject, grantObject, nameObject, prefixObject } from './encode.ts'
import { subjectUser } from './memberships.ts'
import type { OperationSet } from './operations.ts'
import { namesOf, OPERATIONS, SUPPORTED } from './operations.ts'
import type { Grant, Hours, InForce } from './policy-document.ts'

export interface TupleCondition {
  readonly name: string
  readonly context?: object
}

export interface Tuple {
  readonly user: string
  readonly relation: string
  readonly object: string
  readonly condition?: TupleCondition
}

/** What is not said stands in the store as these. */
const BEGINNING = '0001-01-01T00:00:00Z'
const END = '9999-12-31T23:59:59Z'
const WHOLE_DAY: Hours = { days: [0, 1, 2, 3, 4, 5, 6], fromMinute: 0, toMinute: 1440, zone: 'UTC' }
/** More networks in one condition meet the limit of what it may cost. */
const NETWORKS_A_CONDITION = 6

/** All tuples that say these grants. */
export function tuplesOf(grants: readonly Grant[], cluster: string): Tuple[] {
  const all = grants.flatMap(grant => {
    const parts = partsOf(grant)
    return parts.flatMap((part, i) => grantTuples(grant, parts.length === 1 ? grant.id : `${grant.id}.${i + 1}`, part, cluster))
  })
  return [...new Map(all.map(tuple => [tupleKey(tuple), tuple])).values()]
}

/** Key of a tuple: no two tuples of a store share it. */
export const tupleKey = ({ user, relation, object }: Tuple): string => `${user} ${relation} ${object}`

/** A condition as text, the same for equal ones; '' for none. */
export function conditionText(condition: TupleCondition | null | undefined): string {
  if (condition === null || condition === undefined || condition.name === '') return ''
  const context = Object.entries(condition.context ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify([condition.name, context])
}

/** The id in the policy of what may be a part of a grant: ids themselves have no dot. */
export const wholeGrantId = (id: string): string => id.replace(/\.\d+$/, '')

/** A condition carries few networks and one window: more become several grants. */
function partsOf({ sinceMs, untilMs, networks, hours }: InForce): InForce[] {
  const chunks: (readonly string[] | null)[] = []
  if (networks === null) chunks.push(null)
  else for (let i = 0; i < networks.length; i += NETWORKS_A_CONDITION) chunks.push(networks.slice(i, i + NETWORKS_A_CONDITION))
  const windows = hours === null ? [null] : hours.map(window => [window])
  return chunks.flatMap(chunk => windows.map(window => ({ sinceMs, untilMs, networks: chunk, hours: window })))
}

function grantTuples(grant: Grant, id: string, inForce: InForce, cluster: string): Tuple[] {
  const object = grantObject(cluster, id)
  const condition = conditionOf(inForce)
  const tuples: Tuple[] = grant.to.flatMap(subject => {
    const user = subjectUser(subject)
    const holder = { user, relation: 'holder', object }
    return [{ user, relation: 'grantee', object }, condition === null ? holder : { ...holder, condition }]
  })
  const holders = `${object}#holder`
  for (const { resource, prefix, text, operations } of grant.covers) {
    const on =
      resource === Resource.Cluster || !prefix
        ? nameObject(cluster, resource, text)
        : prefixObject(cluster, resource as NamedResource, text)
    for (const relation of namesOf(operations & SUPPORTED[resource])) tuples.push({ user: holders, relation, object: on })
    if (resource === Resource.Topic && operations & (1 << OPERATIONS.write))
      tuples.push({ user: holders, relation: 'idempotent_write', object: clusterObject(cluster) })
  }
  return tuples
}

function conditionOf({ sinceMs, untilMs, networks, hours }: InForce): TupleCondition | null {
  if (sinceMs === null && untilMs === null && networks === null && hours === null) return null
  const { days, fromMinute, toMinute, zone } = hours?.[0] ?? WHOLE_DAY
  return {
    name: 'in_force',
    context: {
      since: sinceMs === null ? BEGINNING : new Date(sinceMs).toISOString(),
      until: untilMs === null ? END : new Date(untilMs).toISOString(),
      networks: networks ?? [],
      days,
      from_minute: fromMinute,
      to_minute: toMinute,
      zone,
    },
  }
}

/** What a holder's condition says; null: it is none that the gate can judge itself. */
export function inForceOf(condition: TupleCondition | null): InForce | null {
  if (condition === null) return { sinceMs: null, untilMs: null, networks: null, hours: null }
  if (condition.name !== 'in_force') return null
  const context = (condition.context ?? {}) as Record<string, unknown>
  const sinceMs = timeOf(context['since'], BEGINNING)
  const untilMs = timeOf(context['until'], END)
  const networks = context['networks']
  const window = windowOf(context)
  if (sinceMs === undefined || untilMs === undefined || window === undefined || !isTexts(networks)) return null
  return { sinceMs, untilMs, networks: networks.length === 0 ? null : networks, hours: window === null ? null : [window] }
}

const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every(one => typeof one === 'string')

function timeOf(value: unknown, none: string): number | null | undefined {
  if (value === none) return null
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(ms) ? undefined : ms
}

function windowOf(context: Record<string, unknown>): Hours | null | undefined {
  const { days, from_minute: fromMinute, to_minute: toMinute, zone } = context
  if (!Array.isArray(days) || !days.every(Number.isInteger) || typeof zone !== 'string') return undefined
  if (!Number.isInteger(fromMinute) || !Number.isInteger(toMinute)) return undefined
  const window = { days: days as number[], fromMinute: fromMinute as number, toMinute: toMinute as number, zone }
  const isWhole = window.fromMinute === 0 && window.toMinute === 1440 && new Set(window.days).size === 7
  return isWhole ? null : isZone(zone) ? window : undefined
}

function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone })
    return true
  } catch {
    return false
  }
}

/** The operations that one relation of coverage gives; 0: none. */
export const operationsOf = (relation: string): OperationSet =>
  Object.hasOwn(OPERATIONS, relation) ? 1 << OPERATIONS[relation as keyof typeof OPERATIONS] : 0
