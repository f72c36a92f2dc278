// What the store says of one principal: the grants and roles that it was given, kept for a while, and names that it may use.

import { LRUCache } from 'lru-cache'
import { clusterObject, grantObject, namespaceObject } from './encode.ts'
import type { Feed } from './feed.ts'
import type { Tuple } from './grant-tuples.ts'
import { Lane } from './lane.ts'
import { userOf, type Who } from './memberships.ts'
import { answerOf, checksOf, contextOf, membershipTuples } from './openfga-asking.ts'
import type { OpenFgaStore } from './openfga-client.ts'
import type { OpenFgaSettings } from './openfga-engine.ts'
import { OpenFgaLists } from './openfga-lists.ts'
import { isUnfit, type Takes } from './openfga-model.ts'
import type { AskedName, GivenAnswer, NameAnswer, NamesAnswer } from './openfga-questions.ts'
import { CLUSTER_ROLES, NO_ROLES, type Roles, rolesBy, withBrought } from './roles.ts'
import type { Reach, StoreState } from './store-state.ts'

/** OpenFGA's own caches may hold what was before a change for so long. */
const EXACT_MS = 12_000
/** An answer counts for no longer while the feed is silent. */
const BLIND_MS = 5_000
/** What was given lives shorter by up to this part: many that were asked for in one second are not asked for again in one. */
const SPREAD = 0.5
/** An answer older than this part of its life is asked for again. */
const REFRESH = 0.6
/** Questions about more names than this are answered by lists, after those of data. */
const FEW_NAMES = 20

interface Kept {
  readonly user: string
  readonly askedMs: number
  readonly answer: GivenAnswer
}

export class OpenFgaAnswers {
  readonly #settings: OpenFgaSettings
  readonly #state: StoreState
  /** Of the snapshot that workers have been told. */
  readonly #version: () => number
  readonly #kept: LRUCache<string, Kept>
  readonly #flights = new Map<string, { readonly user: string; readonly answer: Promise<GivenAnswer> }>()
  readonly #changedMs = new LRUCache<string, number>({ max: 10_000, ttl: EXACT_MS })
  readonly #lane = new Lane({ width: 16, maxWaiting: 2_000, isFault: why => !isUnfit(why) })
  readonly #lists: OpenFgaLists
  #store: OpenFgaStore | null = null
  #feed: Feed | null = null
  #objects: OpenFgaSettings['objects'] = 'always'
  #takes: Takes = () => false
  #drops = 0
  #allChangedMs = 0

  constructor(settings: OpenFgaSettings, state: StoreState, version: () => number) {
    this.#settings = settings
    this.#state = state
    this.#version = version
    this.#kept = new LRUCache({ max: settings.entries })
    this.#lists = new OpenFgaLists(settings.cluster)
  }

  /** The store has been read, and its changes are followed: it can be asked now. */
  ready(store: OpenFgaStore, feed: Feed, objects: OpenFgaSettings['objects'], takes: Takes): void {
    this.#store = store
    this.#feed = feed
    this.#objects = objects
    this.#takes = takes
  }

  get isReady(): boolean {
    return this.#store !== null
  }

  status(): Record<string, unknown> {
    return { failing: this.#lane.isOpen, waiting: this.#lane.waiting }
  }

  /** What changes of the store have reached is asked for again, past OpenFGA's own caches for a while. */
  drop({ users }: Reach): void {
    this.#lists.clear()
    if (users === null) {
      this.#drops++
      this.#allChangedMs = Date.now()
      this.#kept.clear()
      this.#flights.clear()
      return
    }
    if (users.size === 0) return
    this.#drops++
    for (const user of users) this.#changedMs.set(user, Date.now())
    for (const [key, { user }] of this.#kept) if (users.has(user)) this.#kept.delete(key)
    for (const [key, { user }] of this.#flights) if (users.has(user)) this.#flights.delete(key)
  }

  /** @throws when the store does not answer in time */
  async given({ who, address }: { who: Who; address: string }): Promise<GivenAnswer> {
    const key = JSON.stringify([who, this.#state.hasConditions ? address : null])
    const kept = this.#kept.get(key)
    const nowMs = Date.now()
    if (kept !== undefined && nowMs < kept.askedMs + (kept.answer.endsAtMs - kept.askedMs) * REFRESH) return kept.answer
    let flight = this.#flights.get(key)
    if (flight === undefined) {
      const user = userOf(who)
      const contextual = membershipTuples(who, user, this.#state, this.#takes)
      const answer = this.#lane.run(() => this.#askGiven(key, user, contextual, address))
      flight = { user, answer }
      this.#flights.set(key, flight)
      const landed = (): void => void (this.#flights.get(key)?.answer === answer && this.#flights.delete(key))
      answer.then(landed, landed)
    }
    return flight.answer
  }

  async #askGiven(key: string, user: string, contextual: readonly Tuple[], address: string): Promise<GivenAnswer> {
    const store = this.#store!
    const drops = this.#drops
    const askedMs = Date.now()
    const exact = this.#isExact(user)
    const context = contextOf(address, askedMs)
    const prefix = grantObject(this.#settings.cluster, '')
    const irregular = this.#state.irregular
    const [objects, roles, holds] = await Promise.all([
      store.objects('grant', 'grantee', user, contextual, context, exact),
      this.#roles(user, contextual, context, exact),
      store.allChecks(
        irregular.map(id => ({ user, relation: 'holder', object: prefix + id, contextual })),
        context,
        exact,
      ),
    ])
    const regular = objects.filter(object => object.startsWith(prefix)).map(object => object.slice(prefix.length))
    const grants = [...regular.filter(id => !irregular.includes(id)), ...irregular.filter((_, i) => holds[i])]
    const lifeMs = Math.min(
      this.#settings.grantsMs,
      this.#state.hasConditions ? this.#settings.objectsMs : Number.POSITIVE_INFINITY,
      this.#feed!.healthy ? Number.POSITIVE_INFINITY : BLIND_MS,
    )
    const answer = { grants, roles, endsAtMs: askedMs + lifeMs * (1 - Math.random() * SPREAD), snapshot: this.#version() }
    if (drops === this.#drops) this.#kept.set(key, { user, askedMs, answer })
    return answer
  }

  async #roles(user: string, contextual: readonly Tuple[], context: object, exact: boolean): Promise<Roles> {
    const store = this.#store!
    if (this.#objects === 'always') return NO_ROLES
    const object = clusterObject(this.#settings.cluster)
    const prefix = namespaceObject(this.#settings.cluster, '')
    const onItself = this.#state.clusterHasTuples ? CLUSTER_ROLES : []
    const asked = rolesBy(this.#state.namespaceRelations)
    const [onCluster, lists] = await Promise.all([
      store.allChecks(
        onItself.map(relation => ({ user, relation, object, contextual })),
        context,
        exact,
      ),
      Promise.all(asked.map(role => store.objects('namespace', role, user, contextual, context, exact))),
    ])
    const namespaces: Record<string, string[]> = Object.create(null)
    lists.forEach((objects, i) => {
      for (const one of objects) if (one.startsWith(prefix)) (namespaces[one.slice(prefix.length)] ??= []).push(...withBrought(asked[i]!))
    })
    return { cluster: CLUSTER_ROLES.filter((_, i) => onCluster[i]), namespaces }
  }

  /** @throws when the store does not answer in time */
  async names({ who, address, names }: { who: Who; address: string; names: readonly AskedName[] }): Promise<NamesAnswer> {
    const user = userOf(who)
    const askedMs = Date.now()
    const exact = this.#isExact(user)
    const memberships = membershipTuples(who, user, this.#state, this.#takes)
    const context = contextOf(address, askedMs)
    const store = this.#store!
    const answers =
      names.length > FEW_NAMES && this.#objects !== 'always'
        ? await this.#lists.answers(names, JSON.stringify([who, address]), (type, relation) =>
            this.#lane.run(() => store.objects(type, relation, user, memberships, context, exact), false),
          )
        : await this.#checked(names, user, memberships, context, exact)
    const lifeMs = this.#feed!.healthy ? this.#settings.objectsMs : Math.min(this.#settings.objectsMs, BLIND_MS)
    return { names: answers, endsAtMs: askedMs + lifeMs }
  }

  async #checked(names: readonly AskedName[], user: string, memberships: readonly Tuple[], context: object, exact: boolean) {
    const place = { cluster: this.#settings.cluster, state: this.#state, withPrefixes: this.#objects === 'always' }
    const asked = names.map(name => checksOf(name, user, memberships, place))
    const answers = await this.#lane.run(() => this.#store!.checks(asked.flat(), context, exact), names.length <= FEW_NAMES)
    let at = 0
    return asked.map((checks, i): NameAnswer => {
      const mine = answers.slice(at, (at += checks.length))
      return checks.length === 0 ? { blocked: false, answered: 0, allowed: 0 } : answerOf(names[i]!, mine)
    })
  }

  #isExact(user: string): boolean {
    return Date.now() - this.#allChangedMs < EXACT_MS || this.#changedMs.has(user)
  }
}
