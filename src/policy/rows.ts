// The words in which the rule table is written, and what each of them means.

import { type Api, type Range, range, type Value, within } from '../protocol/schema.ts'
import { type Operation, Resource } from './authorizer.ts'
import { FIRST, IN_ORDER, LAST, type Merged } from './graft.ts'
import type { Caller, Plan } from './outcome.ts'

type Request<A> = A extends Api<infer Q, any> ? Value<Q> : never
type Response<A> = A extends Api<any, infer S> ? Value<S> : never
type Lists<M> = { [K in keyof M]: NonNullable<M[K]> extends readonly unknown[] ? K : never }[keyof M] & string
type Element<M, K extends keyof M> = NonNullable<M[K]> extends readonly (infer E)[] ? E : never
/** A message with gaps: what is left out takes the schema's default when it is encoded. */
export type Sketch<T> = T extends readonly (infer E)[]
  ? readonly Sketch<E>[]
  : T extends Buffer
    ? T
    : T extends object
      ? { [K in keyof T]?: Sketch<T[K]> }
      : T

/** An operation on what a field of a message names. */
export interface Need {
  readonly operation: Operation
  /** Spellings of one name in order of preference; a version has one of them, or its plan is not built. */
  readonly paths: readonly string[]
}
export interface Each extends Need {
  readonly list: string
  /** The list of the response that answers for a refused element, and where in it. */
  readonly into: string
  readonly place: typeof FIRST | typeof LAST | typeof IN_ORDER
  /** The response's element for a refused one; a list of strings gives the string. */
  readonly graft: (element: any, errorCode: number) => object
  /** Elements of one name are answered as one, with the partitions of all, or each of them once. */
  readonly merged: Merged | null
  /** The broker is asked even when no element is left, and an error that it tells of the whole leaves no place for grafts. */
  readonly evenNone: boolean
}
/** `list` may stand in the elements of another: `states.topics`. */
export interface Shown extends Need {
  readonly list: string
}
/** An authorized-operations field: KIP-430. */
export interface Bits {
  readonly resource: Resource
  /** Path of the field, and of the name and error code beside it; a cluster has neither. */
  readonly field: string
  readonly name: string | null
  readonly errorCode: string | null
}

/** What one API needs, and what its caller is told when it may not. */
export interface Rule {
  readonly api: Api
  /** Served: may be fewer than the API has. */
  readonly versions: Range
  /** Offered only where the configuration says so. */
  readonly configured: boolean
  /** Allowed on the cluster, asked quietly: nothing else is judged. */
  readonly unless: Operation | null
  /** Null in one of these fields is answered with `errorCode` before anything is judged. */
  readonly present: { readonly fields: readonly string[]; readonly errorCode: number } | null
  /** Needed on the cluster by the request as a whole: asked first. */
  readonly cluster: Operation | null
  /** Refused: the whole request is answered here. In the broker's order. */
  readonly whole: readonly Need[]
  /** Refused on one element of a list: the whole request is answered here. */
  readonly all: Need | null
  /** Refused: that element leaves the request, and its graft joins the response. */
  readonly each: Each | null
  /** Refused: that element leaves the response, and nobody is told. */
  readonly shown: Shown | null
  readonly bits: Bits | null
  /** The response to a request that is refused, or cannot be decided, as a whole. */
  readonly refusal: (errorCode: number, version: number, request: () => any) => object
  /** `refusal` is how a refusal of the whole reads; else each element says it. */
  readonly tellsWhole: boolean
  /** Never forwarded: what the gate answers whoever may ask. */
  readonly here: ((request: any, version: number, caller: Caller) => object) | null
  /** What the caller is not shown of the broker's response; changes the decoded message. */
  readonly blanks: ((response: any) => void) | null
  /** The error code that a client takes as "try again"; null: it has none, and the connection is closed. */
  readonly undecided: number | null
  /** A plan of its own, instead of the words above. */
  readonly special: ((version: number) => Plan) | null
  /** Paths of the request that a plan of its own judges. */
  readonly judges: readonly string[]
  /** For people: docs/apis.md. */
  readonly says: Says
}
export interface Says {
  readonly needs?: string
  readonly refused?: string
  /** What is unlike Kafka, on purpose. */
  readonly differs?: string
}

export class Row<A extends Api> implements Rule {
  readonly api: A
  versions: Range
  configured = false
  unless: Operation | null = null
  present: Rule['present'] = null
  cluster: Operation | null = null
  readonly whole: Need[] = []
  all: Need | null = null
  each: Each | null = null
  shown: Shown | null = null
  bits: Bits | null = null
  refusal: Rule['refusal'] = errorCode => ({ errorCode })
  tellsWhole = false
  here: Rule['here'] = null
  blanks: Rule['blanks'] = null
  undecided: number | null = null
  special: Rule['special'] = null
  judges: readonly string[] = []
  says: Says = {}

  constructor(api: A) {
    this.api = api
    this.versions = api.versions
  }

  /** Serves only these of the API's versions. */
  only(versions: string): this {
    this.versions = range(versions)
    return this
  }

  /** Not offered unless the configuration says so. */
  ifConfigured(): this {
    this.configured = true
    return this
  }

  /** Whoever has `operation` on the cluster needs nothing else. */
  unlessCluster(operation: Operation): this {
    this.unless = operation
    return this
  }

  mustHave(fields: readonly (keyof Request<A> & string)[], errorCode: number): this {
    this.present = { fields, errorCode }
    return this
  }

  /** The request as a whole needs `operation` on the cluster. */
  needsCluster(operation: Operation): this {
    this.cluster = operation
    return this
  }

  /** The request as a whole needs `operation` on what `field` names; null names nothing. */
  needs(operation: Operation, field: keyof Request<A> & string): this {
    this.whole.push({ operation, paths: [field] })
    return this
  }

  /** Every name in `list` needs `operation`; one that is refused refuses the request. */
  needsAll<K extends Lists<Request<A>>>(operation: Operation, list: K): this {
    this.all = { operation, paths: [`${list}[]`] }
    return this
  }

  /** Each element of `list` needs `operation`; `graft` writes what its sender is told. No `keys`: the elements are the names. */
  needsEach<K extends Lists<Request<A>>, R extends Lists<Response<A>>>(
    operation: Operation,
    list: K,
    keys: readonly (keyof Element<Request<A>, K> & string)[],
    answer: {
      into: R
      place?: 'first' | 'last' | 'in order'
      merged?: Merged
      evenNone?: boolean
      graft: (element: Element<Request<A>, K>, errorCode: number) => Sketch<Element<Response<A>, R>>
    },
  ): this {
    const { into, place = 'last', merged = null, evenNone = false, graft } = answer
    const paths = keys.length === 0 ? [`${list}[]`] : keys.map(key => `${list}.${key}`)
    this.each = { operation, paths, list, into, merged, evenNone, graft: graft as Each['graft'], place: PLACE[place] }
    return this
  }

  /** The response's `list` shows only elements on whose `key` the caller has `operation`. */
  shows<K extends Lists<Response<A>>>(operation: Operation, list: K, key: keyof Element<Response<A>, K> & string): this {
    this.shown = { operation, list, paths: [`${list}.${key}`] }
    return this
  }

  /** The same for a list in the elements of another. */
  showsIn(operation: Operation, list: string, key: string): this {
    this.shown = { operation, list, paths: [`${list}.${key}`] }
    return this
  }

  /** `field` of each element of `list` says what the caller may do with what `name` names, where there was no error. */
  tellsOperations<K extends Lists<Response<A>>>(
    list: K,
    names: { field: keyof Element<Response<A>, K> & string; name: keyof Element<Response<A>, K> & string },
    resource: Resource,
  ): this {
    this.bits = { resource, field: `${list}.${names.field}`, name: `${list}.${names.name}`, errorCode: `${list}.errorCode` }
    return this
  }

  /** `field` says what the caller may do with the cluster, or 0 without DESCRIBE on it. */
  tellsClusterOperations(field: keyof Response<A> & string): this {
    this.bits = { resource: Resource.Cluster, field, name: null, errorCode: null }
    return this
  }

  /** What the caller of a refused request reads. */
  refusedAs(refusal: (errorCode: number, version: number, request: () => Request<A>) => Sketch<Response<A>>): this {
    this.refusal = refusal as Rule['refusal']
    this.tellsWhole = true
    return this
  }

  /** Never forwarded: who may ask is answered by the gate. */
  answeredHere(answer: (request: Request<A>, version: number, caller: Caller) => Sketch<Response<A>>): this {
    this.here = answer as Rule['here']
    return this
  }

  /** Takes out of the broker's response what no client of the gate is shown. */
  blanking(blanks: (response: Response<A>) => void): this {
    this.blanks = blanks as Rule['blanks']
    return this
  }

  /** What the caller reads when it could not be decided. */
  undecidedAs(errorCode: number): this {
    this.undecided = errorCode
    return this
  }

  /** A plan of its own, which judges the names in these fields. */
  plannedBy(plan: (version: number) => Plan, judges: readonly string[]): this {
    this.special = plan
    this.judges = judges
    return this
  }

  /** What docs/apis.md cannot be derived from. */
  saying(says: Says): this {
    this.says = says
    return this
  }

  serves(version: number): boolean {
    return within(this.versions, version) && within(this.api.versions, version)
  }
}

/** The kind of resource that a field names, by the entity in Kafka's tables. */
export const RESOURCE_OF: { readonly [entity: string]: Resource } = {
  topicName: Resource.Topic,
  groupId: Resource.Group,
  transactionalId: Resource.TransactionalId,
}

const PLACE = { first: FIRST, last: LAST, 'in order': IN_ORDER } as const

export const on = <A extends Api>(api: A): Row<A> => new Row<A>(api)
