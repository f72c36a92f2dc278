// Subscriptions as they lie in the store: found by id, by group, by who asked, and by who may see them.

import type { Principal } from '../auth/principal.ts'
import { ulid } from '../base/ulid.ts'
import { Resource } from './authorizer.ts'
import { clusterObject, encode, grantObject, nameObject, namespaceObject } from './encode.ts'
import type { Tuple } from './grant-tuples.ts'
import { tupleKey } from './grant-tuples.ts'
import { membershipsOf, orgObject, userOf, whoOf } from './memberships.ts'
import type { Check, OpenFgaStore } from './openfga-client.ts'
import type { Subscription } from './subscription.ts'
import { grantIdOf, grantTuplesOf, iso, SUBSCRIPTION_ID, subscriptionObject, subscriptionOf } from './subscription.ts'

const READS_AT_ONCE = 8
const ORGS_A_QUESTION = 30
/** OpenFGA knows no longer name of an object. */
const OBJECT_MAX = 256

/** Those memberships of a principal by which the store gives anything, as contextual tuples. @throws when they are too many */
export type MembershipsOf = (principal: Principal) => Tuple[]

/** One subscription with the tuples that say it. */
export interface Stored {
  readonly one: Subscription
  readonly tuples: readonly Tuple[]
}

/** What somebody may do with a subscription. */
export interface Standing {
  readonly blocked: boolean
  readonly mayView: boolean
  readonly mayApprove: boolean
}

export class SubscriptionStore {
  readonly #store: OpenFgaStore
  readonly #cluster: string
  readonly #memberships: MembershipsOf

  constructor(store: OpenFgaStore, cluster: string, memberships: MembershipsOf) {
    this.#store = store
    this.#cluster = cluster
    this.#memberships = memberships
  }

  /** Null: there is none of this id. */
  async read(id: string): Promise<Stored | null> {
    if (!SUBSCRIPTION_ID.test(id)) return null
    const tuples = await this.#store.read({ object: subscriptionObject(this.#cluster, id) })
    const one = subscriptionOf(id, tuples)
    return one === null ? null : { one, tuples }
  }

  async readAll(ids: readonly string[]): Promise<Subscription[]> {
    const found: (Stored | null)[] = []
    for (let at = 0; at < ids.length; at += READS_AT_ONCE) {
      found.push(...(await Promise.all(ids.slice(at, at + READS_AT_ONCE).map(id => this.read(id)))))
    }
    return found.flatMap(stored => stored?.one ?? [])
  }

  /** Those with a consumer group that stand, and some that are over. */
  ofGroup(group: string): Promise<Subscription[]> {
    return this.#with(nameObject(this.#cluster, Resource.Group, group), 'group_id').then(ids => this.readAll(ids))
  }

  /** How many somebody has asked for since then. */
  async requestedSince(caller: Principal, sinceMs: number): Promise<number> {
    const first = ulid(sinceMs).toLowerCase()
    return (await this.#with(userOf(caller), 'requester')).filter(id => id >= first).length
  }

  async isBlocked(caller: Principal): Promise<boolean> {
    const contextual = this.#memberships(caller)
    const [blocked] = await this.#answers([this.#blocked(caller, contextual)])
    return blocked!
  }

  async standingOf(caller: Principal, { id, org }: Subscription): Promise<Standing> {
    const own = orgTuples(caller).filter(({ object }) => object === orgObject(org.issuer, org.alias))
    const contextual = once([...this.#memberships(caller), ...own])
    const object = subscriptionObject(this.#cluster, id)
    const checks = ['can_view', 'can_approve'].map(relation => ({ user: userOf(caller), relation, object, contextual }))
    const [blocked, mayView, mayApprove] = await this.#answers([this.#blocked(caller, contextual), ...checks])
    return { blocked: blocked!, mayView: mayView!, mayApprove: mayApprove! }
  }

  /** Ids of what somebody may see, oldest first. */
  async visibleTo(caller: Principal): Promise<string[]> {
    const memberships = this.#memberships(caller)
    const orgs = orgTuples(caller)
    const ids = new Set<string>()
    for (let at = 0; at === 0 || at < orgs.length; at += ORGS_A_QUESTION) {
      const contextual = once([...memberships, ...orgs.slice(at, at + ORGS_A_QUESTION)])
      const objects = await this.#store.objects('subscription', 'can_view', userOf(caller), contextual, { now: iso(Date.now()) }, true)
      for (const id of this.#ids(objects)) ids.add(id)
    }
    return [...ids].sort()
  }

  /** The organizations, as objects, of the namespaces that a name lies in. */
  async orgsOf(name: string): Promise<string[]> {
    const text = encode(name)
    const namespaces = [...text.matchAll(/\./g)].map(({ index }) => `${namespaceObject(this.#cluster, '')}${text.slice(0, index)}`)
    const readable = namespaces.filter(object => object.length <= OBJECT_MAX)
    const found: Tuple[] = []
    for (let at = 0; at < readable.length; at += READS_AT_ONCE) {
      const some = readable.slice(at, at + READS_AT_ONCE).map(object => this.#store.read({ relation: 'org', object }))
      found.push(...(await Promise.all(some)).flat())
    }
    return found.map(({ user }) => user)
  }

  /** What is there of the grant that a subscription had after so many. */
  async grantTuples(one: Subscription, grants: number): Promise<Tuple[]> {
    if (grants < 1) return []
    const grant = grantObject(this.#cluster, grantIdOf(one.id, grants))
    const objects = new Set(grantTuplesOf(one, this.#cluster, grants).map(({ object }) => object))
    const reads = [...objects].map(object => this.#store.read(object === grant ? { object } : { user: `${grant}#holder`, object }))
    return (await Promise.all(reads)).flat()
  }

  async #with(user: string, relation: string): Promise<string[]> {
    return this.#ids((await this.#store.read({ user, relation, object: 'subscription:' })).map(({ object }) => object))
  }

  /** Those of this cluster. */
  #ids(objects: readonly string[]): string[] {
    const prefix = subscriptionObject(this.#cluster, '')
    const ids = objects.filter(object => object.startsWith(prefix)).map(object => object.slice(prefix.length))
    return ids.filter(id => SUBSCRIPTION_ID.test(id))
  }

  #blocked(caller: Principal, contextual: readonly Tuple[]): Check {
    return { user: userOf(caller), relation: 'blocked', object: clusterObject(this.#cluster), contextual }
  }

  #answers(checks: readonly Check[]): Promise<boolean[]> {
    return this.#store.allChecks(checks, { now: iso(Date.now()) }, true)
  }
}

/** The organizations that a token names. */
function orgTuples(caller: Principal): Tuple[] {
  const orgs = membershipsOf(whoOf(caller)).filter(({ object }) => object.startsWith('org:'))
  return orgs.map(({ relation, object }) => ({ user: userOf(caller), relation, object }))
}

const once = (tuples: readonly Tuple[]): Tuple[] => [...new Map(tuples.map(tuple => [tupleKey(tuple), tuple])).values()]
