// A store's relations as a graph, read whole: who reaches a relation, and by which tuples.

import type { Principal } from '../auth/principal.ts'
import type { Resource } from './authorizer.ts'
import { Resource as Resources } from './authorizer.ts'
import {
  clusterObject,
  decode,
  encode,
  NAMED_RESOURCES,
  type NamedResource,
  nameObject,
  namespaceObject,
  parseUser,
  prefixObject,
  TYPES,
} from './encode.ts'
import type { Tuple } from './grant-tuples.ts'
import { conditionText } from './grant-tuples.ts'
import { membershipsOf, userOf, whoOf } from './memberships.ts'
import type { OpenFgaStore } from './openfga-client.ts'
import { type Takes, takenBy } from './openfga-model.ts'
import type { Pattern } from './policy-document.ts'
import { namespacesOf } from './roles.ts'
import { type Edge, type Walked, Walker } from './store-walk.ts'

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

/** Where relationships may give something, as a pattern of names; asked about by one object that stands for them all. */
export interface Area extends Pattern {
  readonly object: string
  /** What the object hangs on, and the store does not say. */
  readonly links: readonly Tuple[]
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
interface Asked {
  readonly relation: string
  readonly object: string
  readonly links: readonly Tuple[]
}

const MEMBERSHIPS_MAX = 64
const LINKS_MAX = 32
/** Stands for any name of a kind: no encoded name begins with `@`, and a hash is longer. */
const ANY_NAME = '@any'

export class StoreGraph {
  readonly #store: OpenFgaStore
  readonly #cluster: string
  readonly #types: ReadonlyMap<string, Readonly<Record<string, Userset>>>
  readonly #takes: Takes
  readonly #tuples = new Map<string, Tuple[]>()
  readonly #objects = new Set<string>()
  readonly #mentioned = new Set<string>()
  /** Objects on which relationships stand. */
  readonly #related = new Set<string>()
  #known: ReadonlySet<string> | null = null

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
    const object = nameObject(this.#cluster, resource, name)
    const { user, memberships, context } = this.#about(principal, address, nowMs)
    const contextual = [...memberships, ...this.#links(resource, name, object)]
    const walker = new Walker(this.#store, user, contextual, context, (of, relation) => this.#edges(of, relation, contextual))
    return walker.walk({ object, relation: permission, takesAway: false, tuple: null }, 0, new Set())
  }

  /** Whoever reaches a permission on a name by relationships; holders of grants are left out. */
  related(permission: string, resource: Resource, name: string): Related[] {
    const object = nameObject(this.#cluster, resource, name)
    return this.#reaching(permission, object, this.#links(resource, name, object), true)
  }

  /** The cluster, all names of each kind, those of each namespace; wide before narrow. @param withNames names with tuples of their own, too */
  areas(withNames: boolean): Area[] {
    const cluster = clusterObject(this.#cluster)
    const namespaces = [...this.#namespaces()].filter(one => decode(one) !== null).sort()
    const within = ['', ...namespaces.map(one => `${decode(one)}.`)]
    const wide = NAMED_RESOURCES.flatMap(resource => {
      const object = `${TYPES[resource].own}:${encode(this.#cluster)}/${ANY_NAME}`
      return within.map(text => ({ resource, prefix: true, text, object, links: this.#parents(text, object) }))
    })
    const names = withNames ? this.#ownNames() : []
    return [{ resource: Resources.Cluster, prefix: true, text: '', object: cluster, links: [] }, ...wide, ...names]
  }

  /** Whoever reaches a permission in an area; what a permission on something else brings stands there. */
  relatedIn({ object, links }: Area, permission: string): Related[] {
    return this.#reaching(permission, object, links, false)
  }

  /** What the store says of a principal, in the order of the questions; undefined where no answer came. */
  async answers(principal: Principal, address: string, nowMs: number, asked: readonly Asked[]): Promise<(boolean | undefined)[]> {
    const { user, memberships, context } = this.#about(principal, address, nowMs)
    const checks = asked.map(({ relation, object, links }) => ({ user, relation, object, contextual: [...memberships, ...links] }))
    return checks.length === 0 ? [] : this.#store.checks(checks, context, true)
  }

  #about(principal: Principal, address: string, nowMs: number) {
    const who = whoOf(principal)
    const user = userOf(who)
    const memberships = membershipsOf(who)
      .filter(one => this.#mentioned.has(one.object))
      .map(({ relation, object }) => ({ user, relation, object }))
      .filter(this.#takes)
      .slice(0, MEMBERSHIPS_MAX)
    const context = { now: new Date(nowMs - (nowMs % 1000)).toISOString(), ...(address === '' ? {} : { source_ip: address }) }
    return { user, memberships, context }
  }

  /** @param throughPermissions follow permissions on other objects, too */
  #reaching(permission: string, object: string, contextual: readonly Tuple[], throughPermissions: boolean): Related[] {
    const found: Related[] = []
    const seen = new Set<string>()
    const expand = (edge: Edge): void => {
      const key = `${edge.object}#${edge.relation} ${edge.takesAway}`
      if (seen.has(key)) return
      seen.add(key)
      for (const next of this.#edges(edge.object, edge.relation, contextual)) {
        if (!throughPermissions && next.object !== object && next.relation.startsWith('can_')) continue
        const takesAway = edge.takesAway !== next.takesAway
        if (next.beside !== undefined && parseUser(next.object).type === 'org') {
          // Who is what in an organization tokens say, too.
          found.push({ who: `${next.object}#${next.relation}`, relation: next.beside, object: edge.object, condition: '', takesAway })
        } else if (next.tuple === null) expand({ ...next, takesAway })
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
    if (type !== 'grant') this.#related.add(tuple.object)
    this.#mentioned.add(`${type}:${id}`)
  }

  /** The cluster, namespaces and prefixes of a name, as the gate sends them along. */
  #links(resource: Resource, name: string, object: string): Tuple[] {
    if (resource === Resources.Cluster) return []
    const links = this.#parents(name, object)
    const bytes = Buffer.from(name)
    for (let end = 0; end <= bytes.length && links.length < LINKS_MAX; end++) {
      const one = prefixObject(this.#cluster, resource as NamedResource, bytes.subarray(0, end))
      if (this.#objects.has(one)) links.push({ user: one, relation: 'prefix', object })
    }
    return links
  }

  #parents(name: string, object: string): Tuple[] {
    const namespaces = namespacesOf(encode(name), this.#namespaces())
    return [
      { user: clusterObject(this.#cluster), relation: 'cluster', object },
      ...namespaces.map(one => ({ user: namespaceObject(this.#cluster, '') + one, relation: 'namespace', object })),
    ]
  }

  /** Those that the store speaks of, as encoded. */
  #namespaces(): ReadonlySet<string> {
    const prefix = namespaceObject(this.#cluster, '')
    this.#known ??= new Set(
      [...this.#objects, ...this.#mentioned].filter(one => one.startsWith(prefix)).map(one => one.slice(prefix.length)),
    )
    return this.#known
  }

  /** Names of this cluster on which more stands than what grants cover. */
  #ownNames(): Area[] {
    const names = NAMED_RESOURCES.flatMap(resource => {
      const prefix = `${TYPES[resource].own}:${encode(this.#cluster)}/`
      return [...this.#related]
        .sort()
        .filter(object => object.startsWith(prefix))
        .map(object => ({ resource, object, id: object.slice(prefix.length) }))
    })
    return names.map(({ resource, object, id }) => ({ resource, prefix: false, text: decode(id)?.toString() ?? id, object, links: [] }))
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
        const beside = tupleset.relation
        return stored(beside).map(({ user }) => ({ object: user, relation: on.relation, takesAway, tuple: null, beside }))
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
