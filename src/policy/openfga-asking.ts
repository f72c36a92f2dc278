// How questions to OpenFGA are put: checks of a name with what it hangs on as contextual tuples, and what their answers mean.

import { isIP } from 'node:net'
import { Resource } from './authorizer.ts'
import { clusterObject, encode, nameObject, namespaceObject, prefixObject } from './encode.ts'
import type { Tuple } from './grant-tuples.ts'
import { membershipsOf, type Who } from './memberships.ts'
import type { Check } from './openfga-client.ts'
import type { Takes } from './openfga-model.ts'
import type { AskedName, NameAnswer } from './openfga-questions.ts'
import type { OperationSet } from './operations.ts'
import { namesOf, OPERATIONS } from './operations.ts'
import { namespacesOf } from './roles.ts'
import type { StoreState } from './store-state.ts'

/** Contextual tuples that a question may carry: of its 100, what is left after a name's links. */
const MEMBERSHIPS_MAX = 64
const LINKS_MAX = 32

/** Where names are asked about. */
export interface Place {
  readonly cluster: string
  readonly state: StoreState
  /** Grants are asked about, too, by the prefixes that they cover. */
  readonly withPrefixes: boolean
}

/** None, when the name has more links than a question may carry. */
export function checksOf({ resource, bytes, operations }: AskedName, user: string, memberships: readonly Tuple[], place: Place): Check[] {
  const object = nameObject(place.cluster, resource, bytes)
  const links = linksOf(resource, bytes, object, place)
  if (links.length > LINKS_MAX) return []
  const contextual = [...memberships, ...links]
  return relationsOf(operations).map(relation => ({ user, relation, object, contextual }))
}

/** The cluster, namespaces and, where the gate does not judge grants by itself alone, prefixes of a name. */
function linksOf(resource: Resource, bytes: Uint8Array, object: string, { cluster, state, withPrefixes }: Place): Tuple[] {
  if (resource === Resource.Cluster) return []
  const links: Tuple[] = [{ user: clusterObject(cluster), relation: 'cluster', object }]
  for (const one of namespacesOf(encode(bytes), new Set(state.namespaces))) {
    links.push({ user: `${namespaceObject(cluster, '')}${one}`, relation: 'namespace', object })
  }
  if (!withPrefixes) return links
  for (let end = 0; end <= bytes.length && links.length <= LINKS_MAX; end++) {
    const prefix = prefixObject(cluster, resource, bytes.subarray(0, end))
    if (state.hasPrefix(prefix)) links.push({ user: prefix, relation: 'prefix', object })
  }
  return links
}

/** Those memberships by which anything can be had in this store. @throws when they are too many */
export function membershipTuples(who: Who, user: string, state: StoreState, takes: Takes): Tuple[] {
  const mentioned = membershipsOf(who).filter(({ object }) => state.mentions(object))
  const all = mentioned.map(({ relation, object }) => ({ user, relation, object })).filter(takes)
  if (all.length > MEMBERSHIPS_MAX) throw new Error(`${who.id} has ${all.length} memberships that count, more than a question may carry`)
  return all
}

/** What is asked of one name. */
export const relationsOf = (operations: OperationSet): string[] => ['blocked', ...namesOf(operations).map(operation => `can_${operation}`)]

/** What the answers to `relationsOf` say of the name. */
export function answerOf({ operations }: AskedName, answers: readonly (boolean | undefined)[]): NameAnswer {
  const [blocked, ...rest] = answers
  if (blocked === undefined) return { blocked: false, answered: 0, allowed: 0 }
  let answered = 0
  let allowed = 0
  namesOf(operations).forEach((name, i) => {
    const bit = 1 << OPERATIONS[name]
    if (blocked || rest[i] !== undefined) answered |= bit
    if (rest[i]) allowed |= bit
  })
  return { blocked, answered, allowed: blocked ? 0 : allowed }
}

/** Every key that a condition of the model may read. */
export function contextOf(address: string, nowMs: number): object {
  const now = new Date(nowMs - (nowMs % 1000)).toISOString()
  return isIP(address) === 0 ? { now } : { now, source_ip: address }
}
