// What a store says as a whole, kept from its changes: coverage of grants, objects with tuples of their own, memberships that matter.

import { Resource } from './authorizer.ts'
import { clusterObject, decode, encode, NAMED_RESOURCES, nameObject, parseUser, prefixObject, TYPES } from './encode.ts'
import type { Tuple } from './grant-tuples.ts'
import { conditionText, inForceOf, operationsOf, tupleKey } from './grant-tuples.ts'
import type { Change } from './openfga-client.ts'
import type { OperationSet } from './operations.ts'
import { OPERATIONS } from './operations.ts'
import type { Cover, Coverage, Grant } from './policy-document.ts'
import { ALWAYS } from './policy-document.ts'
import { Tally } from './tally.ts'

/** What workers judge by beside what each principal was given. Plain data. */
export interface Snapshot {
  /** Moves with each that differs. */
  readonly version: number
  readonly coverage: readonly Coverage[]
  /** Objects to ask about; null: all. */
  readonly objects: ReadonlySet<string> | null
  /** Some answer may hang on the client's address. */
  readonly readsAddress: boolean
}

/** What a change can reach. */
export interface Reach {
  /** The snapshot is another. */
  readonly snapshot: boolean
  /** Users whose answers may be others; null: everybody's. */
  readonly users: ReadonlySet<string> | null
}

interface GrantState {
  readonly grantees: Set<string>
  readonly holders: Map<string, Tuple>
  /** By object: whether it is a prefix or a name, and the operations. */
  readonly covers: Map<string, OperationSet>
}

/** Relationships of others are not kept beyond: the gate asks about every name then. */
const TUPLES_MAX = 1_000_000

const IDEMPOTENT_WRITE: OperationSet = 1 << OPERATIONS.idempotent_write

export class StoreState {
  readonly #tuples = new Map<string, Tuple>()
  /** Those of them that grants are made of. */
  readonly #ofGrants = new Map<string, Tuple>()
  readonly #grants = new Map<string, GrantState>()
  readonly #own = new Tally()
  readonly #mentioned = new Tally()
  readonly #prefixes = new Tally()
  readonly #namespaces = new Tally()
  readonly #namespaceRelations = new Tally()
  readonly #cluster: string
  readonly #prefix: string
  readonly #max: number
  #aside: ReadonlySet<string> = new Set()
  /** False: some relationships are not kept. */
  isWhole = true
  #clusterTuples = 0
  #conditions = 0
  #texts = new Map<string, string>()
  #irregular: readonly string[] | null = null

  constructor(cluster: string, max = TUPLES_MAX) {
    this.#max = max
    this.#cluster = cluster
    this.#prefix = `${encode(cluster)}/`
  }

  get size(): number {
    return this.#tuples.size
  }

  /** All tuples that grants are made of. */
  get grantTuples(): Iterable<Tuple> {
    return this.#ofGrants.values()
  }

  /** Prefixes too long for an object's name that no grant of the policy file says: nothing is had by them. */
  get unreadable(): number {
    const isHash = (object: string): boolean => parseUser(object).id.startsWith(`${this.#prefix}@`)
    return [...this.#prefixes.keys()].filter(object => isHash(object) && !this.#texts.has(object)).length
  }

  /** Relationships stand on the cluster itself. */
  get clusterHasTuples(): boolean {
    return this.#clusterTuples > 0
  }

  get namespaces(): readonly string[] {
    return [...this.#namespaces.keys()]
  }

  /** Relations that stand on namespaces. */
  get namespaceRelations(): ReadonlySet<string> {
    return new Set(this.#namespaceRelations.keys())
  }

  /** Grants whose holders must be asked for one by one. */
  get irregular(): readonly string[] {
    this.#irregular ??= [...this.#grants].filter(([, grant]) => isIrregular(grant)).map(([id]) => id)
    return this.#irregular
  }

  /** Whom each grant is given to, by its id; null: irregular. */
  grantees(): ReadonlyMap<string, readonly string[] | null> {
    return new Map([...this.#grants].map(([id, grant]) => [id, isIrregular(grant) ? null : [...grant.grantees]]))
  }

  /** Answers may hang on time or address by other conditions than those of grants. */
  get hasConditions(): boolean {
    return this.#conditions > 0 || this.irregular.length > 0
  }

  /** Someone in this object (a group, a role…) may have something by it. */
  mentions(object: string): boolean {
    return this.#mentioned.has(object)
  }

  /** A grant covers this prefix. */
  hasPrefix(object: string): boolean {
    return this.#prefixes.has(object)
  }

  /** Tuples on objects of these types say nothing about anybody's rights: they are not kept, and reach nobody. */
  passOver(types: ReadonlySet<string>): void {
    this.#aside = types
  }

  /** Names that stand in the store as hashes are read by the file that they came from. */
  learn(grants: readonly Grant[]): void {
    this.#texts = new Map(
      grants.flatMap(({ covers }) =>
        covers.map(({ resource, prefix, text }): [string, string] => [
          prefix && resource !== Resource.Cluster ? prefixObject(this.#cluster, resource, text) : nameObject(this.#cluster, resource, text),
          text,
        ]),
      ),
    )
  }

  /** Takes in changes in their order. Only what they end with is kept; but what came and went meanwhile may have been answered with. */
  apply(changes: readonly Change[]): Reach {
    this.#irregular = null
    const byKey = Map.groupBy(changes, change => tupleKey(change.tuple))
    const users = new Set<string>()
    let everybody = false
    let snapshot = false
    for (const [key, several] of byKey) {
      const change = several.at(-1)!
      const { tuple } = change
      if (this.#aside.has(parseUser(tuple.object).type)) continue
      if (!this.#isNews(key, change) && several.length === 1) continue
      const { type, id, relation } = parseUser(tuple.user)
      if (type === 'grant') {
        snapshot = true
        continue
      }
      snapshot ||= !tuple.object.startsWith('grant:') || tuple.relation === 'holder' || this.#grantOf(tuple.object) !== null
      if ((type === 'user' || type === 'service') && relation === null && id !== '*') users.add(tuple.user)
      else everybody = true
    }
    return { snapshot, users: everybody ? null : users }
  }

  /** Takes one change in. Returns whether anything may be another than before. */
  #isNews(key: string, { tuple, deleted }: Change): boolean {
    const before = this.#tuples.get(key)
    if (before === undefined && this.#passesOver(tuple, deleted)) return true
    if (deleted ? before === undefined : before !== undefined && conditionText(before.condition) === conditionText(tuple.condition))
      return false
    if (before !== undefined) this.#take(before, -1)
    if (deleted) {
      this.#tuples.delete(key)
      this.#ofGrants.delete(key)
      return true
    }
    this.#tuples.set(key, tuple)
    if (isOfGrant(tuple)) this.#ofGrants.set(key, tuple)
    this.#take(tuple, 1)
    return true
  }

  /** Whether this is not kept, for there is too much: what it may hang on is counted, and never counted down. */
  #passesOver(tuple: Tuple, deleted: boolean): boolean {
    const isEssential = isOfGrant(tuple) || /^(cluster|namespace):/.test(tuple.object)
    if (isEssential || (deleted ? this.isWhole : this.#tuples.size < this.#max)) return false
    this.isWhole = false
    if (deleted) return true
    if (tuple.condition !== undefined) this.#conditions++
    this.#mention(tuple.user, 1)
    return true
  }

  snapshot(objects: 'auto' | 'always' | 'never'): Omit<Snapshot, 'version'> {
    return {
      coverage: [...this.#grants].map(([id, grant]) => this.#coverage(id, grant)),
      objects: objects === 'never' ? new Set() : objects === 'always' || !this.isWhole ? null : new Set(this.#own.keys()),
      readsAddress: this.hasConditions,
    }
  }

  /** The id of a grant of this cluster. */
  #grantOf(object: string): string | null {
    return object.startsWith(`grant:${this.#prefix}`) ? object.slice(`grant:${this.#prefix}`.length) : null
  }

  #take(tuple: Tuple, by: 1 | -1): void {
    const { type, id, relation } = parseUser(tuple.user)
    this.#mention(tuple.user, by)
    const grant = this.#grantOf(tuple.object)
    const covering = relation === 'holder' ? this.#grantOf(`${type}:${id}`) : null
    if (grant !== null) this.#takeGrant(grant, tuple, by)
    else if (covering !== null && operationsOf(tuple.relation) !== 0) this.#takeCover(covering, tuple, by)
    else this.#takeRelationship(tuple, by)
  }

  #mention(user: string, by: 1 | -1): void {
    const { type, id } = parseUser(user)
    if (type !== 'user' && type !== 'service' && type !== 'grant') this.#mentioned.count(`${type}:${id}`, by)
  }

  #takeRelationship(tuple: Tuple, by: 1 | -1): void {
    if (tuple.condition !== undefined) this.#conditions += by
    const object = parseUser(tuple.object)
    // A parent of ours may be another cluster's.
    if (object.type === 'namespace') this.#namespaceRelations.count(tuple.relation, by)
    if (tuple.object === clusterObject(this.#cluster)) this.#clusterTuples += by
    else if (!object.id.startsWith(this.#prefix)) return
    else if (object.type === 'namespace') this.#namespaces.count(object.id.slice(this.#prefix.length), by)
    else if (NAMED_RESOURCES.some(resource => TYPES[resource].own === object.type)) this.#own.count(tuple.object, by)
  }

  #takeGrant(id: string, tuple: Tuple, by: 1 | -1): void {
    const grant = this.#grant(id)
    if (tuple.relation === 'grantee') grant.grantees[by === 1 ? 'add' : 'delete'](tuple.user)
    else if (by === 1) grant.holders.set(tuple.user, tuple)
    else grant.holders.delete(tuple.user)
    this.#tidy(id, grant)
  }

  #takeCover(id: string, tuple: Tuple, by: 1 | -1): void {
    const grant = this.#grant(id)
    const bit = operationsOf(tuple.relation)
    const set = grant.covers.get(tuple.object) ?? 0
    const now = by === 1 ? set | bit : set & ~bit
    if (now === 0) grant.covers.delete(tuple.object)
    else grant.covers.set(tuple.object, now)
    if (parseUser(tuple.object).type.endsWith('_prefix')) this.#prefixes.count(tuple.object, by)
    else if (parseUser(tuple.object).id.startsWith(`${this.#prefix}@`)) this.#own.count(tuple.object, by)
    this.#tidy(id, grant)
  }

  #grant(id: string): GrantState {
    let grant = this.#grants.get(id)
    if (grant === undefined) this.#grants.set(id, (grant = { grantees: new Set(), holders: new Map(), covers: new Map() }))
    return grant
  }

  #tidy(id: string, { grantees, holders, covers }: GrantState): void {
    if (grantees.size === 0 && holders.size === 0 && covers.size === 0) this.#grants.delete(id)
  }

  #coverage(id: string, grant: GrantState): Coverage {
    const covers = [...grant.covers].flatMap(([object, operations]) => this.#coverOf(object, operations) ?? [])
    const writes = covers.some(({ resource, operations }) => resource === Resource.Topic && operations & (1 << OPERATIONS.write))
    const first = grant.holders.values().next().value
    const inForce = isIrregular(grant) ? ALWAYS : (inForceOf(first?.condition ?? null) ?? ALWAYS)
    // Who may write a topic may write idempotently: apply says so for other programs, the evaluator knows.
    const own = writes
      ? covers.map(cover => (cover.resource === Resource.Cluster ? { ...cover, operations: cover.operations & ~IDEMPOTENT_WRITE } : cover))
      : covers
    return { id, covers: own.filter(({ operations }) => operations !== 0), place: null, ...inForce }
  }

  /** Null: the name cannot be read back from its hash, or is another cluster's. */
  #coverOf(object: string, operations: OperationSet): Cover | null {
    if (object === clusterObject(this.#cluster)) return { resource: Resource.Cluster, prefix: true, text: '', operations }
    const { type, id } = parseUser(object)
    if (!id.startsWith(this.#prefix)) return null
    const resource = NAMED_RESOURCES.find(one => TYPES[one].own === type || TYPES[one].prefix === type)
    const text = decode(id.slice(this.#prefix.length))?.toString() ?? this.#texts.get(object)
    if (resource === undefined || text === undefined) return null
    return { resource, prefix: TYPES[resource].prefix === type, text, operations }
  }
}

const isOfGrant = ({ user, object }: Tuple): boolean => object.startsWith('grant:') || user.startsWith('grant:')

/** Not as apply writes it: who holds it, and when, can only be asked. */
function isIrregular({ grantees, holders }: GrantState): boolean {
  const conditions = new Set([...holders.values()].map(({ condition }) => conditionText(condition)))
  if (conditions.size > 1) return true
  const first = holders.values().next().value
  if (first !== undefined && inForceOf(first.condition ?? null) === null) return true
  return holders.size !== grantees.size || [...holders.keys()].some(user => !grantees.has(user))
}
