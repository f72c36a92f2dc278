// A store's relations as a graph: why a check comes out as it does, walked down to tuples, and who reaches a relation. OpenFGA has no explain.

import type { Principal } from '../auth/principal.ts'
import type { Resource } from './authorizer.ts'
import { Resource as Resources } from './authorizer.ts'
import { clusterObject, encode, type NamedResource, nameObject, namespaceObject, parseUser, prefixObject } from './encode.ts'
import type { Tuple } from './grant-tuples.ts'
import { conditionText } from './grant-tuples.ts'
import { membershipsOf, userOf, whoOf } from './memberships.ts'
import type { OpenFgaStore } from './openfga-client.ts'
import { type Takes, takenBy } from './openfga-model.ts'
import { namespacesOf } from './roles.ts'

/** One check and what it rests on. */
export interface Walked {
  /** `user:corp/lena can_read topic:main/orders`. */
  readonly check: string
  /** null: no answer came. */
  readonly allowed: boolean | null
  /** It takes away what the others give (`but not`). */
  readonly takesAway: boolean
  /** The tuple that says it; null: it is said by what follows. */
  readonly tuple: string | null
  readonly by: readonly Walked[]
}

/** One subject of the store that reaches a relation of an object without a grant. */
export interface Related {
  /** As the store writes it: `team:corp/payments#member`. */
  readonly who: string
  readonly relation: string
  readonly object: string
  readonly condition: string
  /** It is kept from it (`but not`). */
  readonly takesAway: boolean
}

/** A relation's definition, as the API writes it (Userset of openfga.v1). */
interface Userset {
  readonly this?: object
  readonly computedUserset?: { readonly relation: string }
  readonly tupleToUserset?: { readonly tupleset: { readonly relation: string }; readonly computedUserset: { readonly relation: string } }
  readonly union?: { readonly child: readonly Userset[] }
  readonly intersection?: { readonly child: readonly Userset[] }
  readonly difference?: { readonly base: Userset; readonly subtract: Userset }
}
interface Model {
  readonly type_definitions: readonly { readonly type: string; readonly relations?: Readonly<Record<string, Userset>> }[]
}
interface Edge {
  readonly object: string
  readonly relation: string
  readonly takesAway: boolean
  readonly tuple: Tuple | null
}

const MAX_DEPTH = 12
const MAX_CHECKS = 300
const MEMBERSHIPS_MAX = 64
const LINKS_MAX = 32

export class StoreGraph {
  readonly #store: OpenFgaStore
  readonly #cluster: string
  readonly #types: ReadonlyMap<string, Readonly<Record<string, Userset>>>
  readonly #takes: Takes
  readonly #tuples = new Map<string, Tuple[]>()
  readonly #objects = new Set<string>()
  readonly #mentioned = new Set<string>()

  private constructor(store: OpenFgaStore, cluster: string, model: Model) {
    this.#store = store
    this.#cluster = cluster
    this.#types = new Map(model.type_definitions.map(({ type, relations }) => [type, relations ?? {}]))
    this.#takes = takenBy(model)
  }

  /** Reads the whole store. */
  static async read(store: OpenFgaStore, cluster: string): Promise<StoreGraph> {
    const graph = new StoreGraph(store, cluster, (await store.model()) as Model)
    for await (const tuple of store.tuples()) graph.#add(tuple)
    return graph
  }

  /** Whom each grant of this cluster is given to, by its id. */
  grantees(): ReadonlyMap<string, readonly string[]> {
    const prefix = `grant:${encode(this.#cluster)}/`
    const ids = [...this.#objects].filter(object => object.startsWith(prefix)).map(object => object.slice(prefix.length))
    return new Map(ids.map(id => [id, (this.#tuples.get(`${prefix}${id}#grantee`) ?? []).map(({ user }) => user)]))
  }

  /** Why a principal has, or has not, a permission on a name; asked step by step. */
  async walk(principal: Principal, address: string, nowMs: number, permission: string, resource: Resource, name: string): Promise<Walked> {
    const who = whoOf(principal)
    const user = userOf(who)
    const object = nameObject(this.#cluster, resource, name)
    const memberships = membershipsOf(who)
      .filter(one => this.#mentioned.has(one.object))
      .map(({ relation, object: of }) => ({ user, relation, object: of }))
      .filter(this.#takes)
      .slice(0, MEMBERSHIPS_MAX)
    const contextual = [...memberships, ...this.#links(resource, name, object)]
    const context = { now: new Date(nowMs - (nowMs % 1000)).toISOString(), ...(address === '' ? {} : { source_ip: address }) }
    const walker = new Walker(this.#store, user, contextual, context, (of, relation) => this.#edges(of, relation, contextual))
    return walker.walk({ object, relation: permission, takesAway: false, tuple: null }, 0, new Set())
  }

  /** Whoever reaches a permission on a name by relationships; holders of grants are left out. */
  related(permission: string, resource: Resource, name: string): Related[] {
    const object = nameObject(this.#cluster, resource, name)
    const contextual = this.#links(resource, name, object)
    const found: Related[] = []
    const seen = new Set<string>()
    const expand = (edge: Edge): void => {
      const key = `${edge.object}#${edge.relation} ${edge.takesAway}`
      if (seen.has(key)) return
      seen.add(key)
      for (const next of this.#edges(edge.object, edge.relation, contextual)) {
        const takesAway = edge.takesAway !== next.takesAway
        if (next.tuple === null) expand({ ...next, takesAway })
        else if (parseUser(next.tuple.user).type !== 'grant') {
          const { user, relation, object: on, condition } = next.tuple
          found.push({ who: user, relation, object: on, condition: conditionText(condition), takesAway })
        }
      }
    }
    expand({ object, relation: permission, takesAway: false, tuple: null })
    return found
  }

  #add(tuple: Tuple): void {
    const key = `${tuple.object}#${tuple.relation}`
    const list = this.#tuples.get(key)
    if (list === undefined) this.#tuples.set(key, [tuple])
    else list.push(tuple)
    this.#objects.add(tuple.object)
    const { type, id } = parseUser(tuple.user)
    this.#mentioned.add(`${type}:${id}`)
  }

  /** The cluster, namespaces and prefixes of a name, as the gate sends them along. */
  #links(resource: Resource, name: string, object: string): Tuple[] {
    if (resource === Resources.Cluster) return []
    const links: Tuple[] = [{ user: clusterObject(this.#cluster), relation: 'cluster', object }]
    const prefix = namespaceObject(this.#cluster, '')
    const known = [...this.#objects, ...this.#mentioned].filter(one => one.startsWith(prefix)).map(one => one.slice(prefix.length))
    for (const one of namespacesOf(encode(name), new Set(known))) links.push({ user: prefix + one, relation: 'namespace', object })
    const bytes = Buffer.from(name)
    for (let end = 0; end <= bytes.length && links.length < LINKS_MAX; end++) {
      const one = prefixObject(this.#cluster, resource as NamedResource, bytes.subarray(0, end))
      if (this.#objects.has(one)) links.push({ user: one, relation: 'prefix', object })
    }
    return links
  }

  /** What a relation of an object is made of. */
  #edges(object: string, relation: string, contextual: readonly Tuple[]): Edge[] {
    const definition = this.#types.get(parseUser(object).type)?.[relation]
    const stored = (of: string): Tuple[] => [
      ...(this.#tuples.get(`${object}#${of}`) ?? []),
      ...contextual.filter(tuple => tuple.object === object && tuple.relation === of),
    ]
    const edges = (userset: Userset, takesAway: boolean): Edge[] => {
      const { computedUserset, tupleToUserset, difference } = userset
      if (userset.this !== undefined) return stored(relation).map(tuple => ({ ...targetOf(tuple), takesAway, tuple }))
      if (computedUserset !== undefined) return [{ object, relation: computedUserset.relation, takesAway, tuple: null }]
      if (tupleToUserset !== undefined) {
        const { tupleset, computedUserset: on } = tupleToUserset
        return stored(tupleset.relation).map(({ user }) => ({ object: user, relation: on.relation, takesAway, tuple: null }))
      }
      if (difference !== undefined) return [...edges(difference.base, takesAway), ...edges(difference.subtract, !takesAway)]
      return (userset.union ?? userset.intersection)?.child.flatMap(child => edges(child, takesAway)) ?? []
    }
    return definition === undefined ? [] : edges(definition, false)
  }
}

/** A tuple's user: a userset leads on; a subject is where it ends. */
function targetOf({ user }: Tuple): { object: string; relation: string } {
  const { type, id, relation } = parseUser(user)
  return { object: `${type}:${id}`, relation: relation ?? '' }
}

/** Walks the model down by batches of checks; follows what is allowed, or what takes away. */
class Walker {
  readonly #store: OpenFgaStore
  readonly #user: string
  readonly #contextual: readonly Tuple[]
  readonly #context: object
  readonly #edgesOf: (object: string, relation: string) => Edge[]
  readonly #known = new Map<string, boolean | null>()

  constructor(
    store: OpenFgaStore,
    user: string,
    contextual: readonly Tuple[],
    context: object,
    edgesOf: (object: string, relation: string) => Edge[],
  ) {
    this.#store = store
    this.#user = user
    this.#contextual = contextual
    this.#context = context
    this.#edgesOf = edgesOf
  }

  async walk(edge: Edge, depth: number, path: ReadonlySet<string>): Promise<Walked> {
    await this.#ask([edge])
    const allowed = this.#answer(edge)
    const key = keyOf(edge)
    const base = { check: `${this.#user} ${edge.relation} ${edge.object}`, allowed, takesAway: edge.takesAway }
    const tuple = edge.tuple === null ? null : tupleText(edge.tuple)
    if (edge.relation === '' || depth >= MAX_DEPTH || path.has(key)) return { ...base, tuple, by: [] }
    const edges = this.#edgesOf(edge.object, edge.relation).filter(next => next.relation !== '' || next.object === this.#user)
    await this.#ask(edges)
    const telling = edges.filter(next => this.#answer(next) !== false)
    const further = new Set(path).add(key)
    const by: Walked[] = []
    for (const next of telling) by.push(await this.walk(next, depth + 1, further))
    return { ...base, tuple, by }
  }

  #answer({ object, relation }: Edge): boolean | null {
    return relation === '' ? object === this.#user : (this.#known.get(`${object}#${relation}`) ?? null)
  }

  async #ask(edges: readonly Edge[]): Promise<void> {
    const open = edges.filter(edge => edge.relation !== '' && !this.#known.has(keyOf(edge)))
    if (open.length === 0 || this.#known.size + open.length > MAX_CHECKS) return
    const checks = open.map(({ object, relation }) => ({ user: this.#user, relation, object, contextual: this.#contextual }))
    const answers = await this.#store.checks(checks, this.#context, true)
    for (const [i, edge] of open.entries()) this.#known.set(keyOf(edge), answers[i] ?? null)
  }
}

const keyOf = ({ object, relation }: Edge): string => `${object}#${relation}`

const tupleText = ({ user, relation, object, condition }: Tuple): string =>
  `${user} ${relation} ${object}${condition === undefined ? '' : ` with ${condition.name}`}`
