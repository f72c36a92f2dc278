// A policy laid out for judging: for each kind of resource, which grants, rules and shadows cover a name.

import type { Principal } from '../auth/principal.ts'
import { Networks } from '../base/networks.ts'
import { type Origin, Resource } from './authorizer.ts'
import { claimOf, expressionsOf, type Parsed } from './conditions.ts'
import { Expression } from './expressions.ts'
import type { OperationSet } from './operations.ts'
import { EVERY_OPERATION } from './operations.ts'
import type { Cover, Judged, Pattern } from './policy-document.ts'
import { PrefixTree } from './prefix-tree.ts'

/** A set of small numbers. */
export class Bits {
  readonly words: Uint32Array
  constructor(size: number) {
    this.words = new Uint32Array((size + 31) >>> 5)
  }
  add(n: number): void {
    this.words[n >>> 5]! |= 1 << (n & 31)
  }
  has(n: number): boolean {
    return (this.words[n >>> 5]! & (1 << (n & 31))) !== 0
  }
  equals(other: Bits): boolean {
    return this.words.every((word, i) => word === other.words[i])
  }
}

interface Owned {
  readonly owner: number
  readonly cover: Cover
}

/** The covers of many owners on one kind of resource. */
class Layer {
  readonly #tree: PrefixTree
  /** In the tree's order: whose the cover is, what it speaks of, and whether it is a prefix. */
  readonly #owners: Int32Array
  readonly #operations: Int32Array
  readonly #isPrefix: Uint8Array

  constructor(owned: readonly Owned[]) {
    const tree = new PrefixTree(owned.map(({ cover }) => ({ bytes: Buffer.from(cover.text), prefix: cover.prefix })))
    const ordered = Array.from(tree.order, i => owned[i]!)
    this.#tree = tree
    this.#owners = Int32Array.from(ordered, o => o.owner)
    this.#operations = Int32Array.from(ordered, o => o.cover.operations)
    this.#isPrefix = Uint8Array.from(ordered, o => Number(o.cover.prefix))
  }

  /** What the active owners say of this name, together. */
  union(name: Uint8Array, active: Bits): OperationSet {
    const { found } = this.#tree
    const n = this.#tree.match(name)
    let set = 0
    for (let i = 0; i < n; i += 2) {
      for (let at = found[i]!, end = found[i + 1]!; at < end; at++) {
        const owner = this.#owners[at]!
        if (active.words[owner >>> 5]! & (1 << (owner & 31))) set |= this.#operations[at]!
      }
    }
    return set
  }

  /** The same, of all names that begin with this text. */
  unionOverPrefix(text: Uint8Array, active: Bits): OperationSet {
    return this.#each(text, active).reduce((set, at) => (this.#isPrefix[at] ? set | this.#operations[at]! : set), 0)
  }

  /** The first active owner that speaks of one of these operations on this name; -1: none. */
  ownerOf(name: Uint8Array, active: Bits, operations: OperationSet): number {
    const at = this.#each(name, active).find(at => this.#operations[at]! & operations)
    return at === undefined ? -1 : this.#owners[at]!
  }

  /** The active owners that speak of this name, and the operations that each speaks of. */
  ownersOf(name: Uint8Array, active: Bits): Map<number, OperationSet> {
    const owners = new Map<number, OperationSet>()
    for (const at of this.#each(name, active)) {
      const owner = this.#owners[at]!
      owners.set(owner, (owners.get(owner) ?? 0) | this.#operations[at]!)
    }
    return owners
  }

  #each(name: Uint8Array, active: Bits): number[] {
    const { found } = this.#tree
    const n = this.#tree.match(name)
    const all: number[] = []
    for (let i = 0; i < n; i += 2) {
      for (let at = found[i]!; at < found[i + 1]!; at++) {
        const owner = this.#owners[at]!
        if (active.words[owner >>> 5]! & (1 << (owner & 31))) all.push(at)
      }
    }
    return all
  }
}

type ByKind = Readonly<Record<Resource, Layer>>

/** One policy, laid out once and shared by all principals of a worker. */
export class Layers implements Parsed {
  readonly policy: Judged
  readonly grants: ByKind
  readonly rules: ByKind
  readonly shadows: ByKind
  /** The number of each grant by its id. */
  readonly grantNumber: ReadonlyMap<string, number>
  /** Rules whose expressions read the operation or the name that is asked for. */
  readonly readsAction: Bits
  /** Those of them that read the operation. */
  readonly readsOperation: Bits
  readonly #claims: readonly string[]
  /** What expressions read: never by a path. */
  readonly #ownClaims: readonly string[]
  /** Whether some expression reads these, or a shadow the listener. */
  readonly #read: Readonly<Record<'actor' | 'address' | 'listener', boolean>>
  readonly #expressions = new Map<string, Expression>()
  /** Each list of blocks that some grant or rule reads, parsed once. */
  readonly #networks = new Map<string, Networks>()

  constructor(policy: Judged) {
    this.policy = policy
    this.grants = byKind(policy.grants.map(grant => grant.covers))
    this.rules = byKind(policy.rules.map(rule => rule.denies))
    this.shadows = byKind(policy.shadows.map(shadow => shadow.patterns.map(everyOperation)))
    this.grantNumber = new Map(policy.grants.map((grant, i) => [grant.id, i]))
    const conditions = policy.rules.flatMap(rule => [rule.when, rule.unless]).filter(condition => condition !== null)
    this.readsAction = new Bits(policy.rules.length)
    this.readsOperation = new Bits(policy.rules.length)
    policy.rules.forEach((rule, i) => {
      for (const { readsAction, reads } of expressionsOf(rule).map(this.expressionOf)) {
        if (readsAction) this.readsAction.add(i)
        if (reads.operation) this.readsOperation.add(i)
      }
    })
    const claims = conditions.flatMap(condition => Object.keys(condition.claims ?? {}))
    this.#claims = [...new Set(claims)].sort()
    const read = [...this.#expressions.values()].map(({ reads }) => reads)
    this.#ownClaims = [...new Set(read.flatMap(reads => reads.claims))].sort()
    const some = (what: 'actor' | 'address' | 'listener'): boolean => read.some(reads => reads[what])
    const isOnSome = policy.shadows.some(({ listeners }) => listeners !== null)
    this.#read = { actor: some('actor'), address: some('address'), listener: isOnSome || some('listener') }
    for (const { networks } of [...policy.grants, ...conditions]) if (networks !== null) this.networksOf(networks)
  }

  readonly networksOf = (blocks: readonly string[]): Networks => {
    const key = blocks.join()
    let networks = this.#networks.get(key)
    if (networks === undefined) this.#networks.set(key, (networks = new Networks(blocks)))
    return networks
  }

  readonly expressionOf = (text: string): Expression => {
    let expression = this.#expressions.get(text)
    if (expression === undefined) this.#expressions.set(text, (expression = new Expression(text)))
    return expression
  }

  /** What verdicts can know of a principal beside what it belongs to, and of where it comes from: whoever differs in none of it shares them. */
  readOf(principal: Principal, { address, listener }: Origin): unknown[] {
    const reads = this.#read
    return [
      this.#claims.map(claim => [claimOf(principal.claims, claim)].filter(value => value !== undefined)),
      this.#ownClaims.map(claim => (Object.hasOwn(principal.claims, claim) ? [principal.claims[claim]] : [])),
      reads.actor ? principal.acting?.by : null,
      reads.address ? address : this.#addressClass(address),
      reads.listener ? listener : null,
    ]
  }

  /** Which of the lists of blocks hold this address. */
  #addressClass(address: string): string {
    let text = ''
    for (const networks of this.#networks.values()) {
      const has = networks.has(address)
      text += has === undefined ? '?' : has ? '1' : '0'
    }
    return text
  }
}

const everyOperation = (pattern: Pattern): Cover => ({ ...pattern, operations: EVERY_OPERATION })

function byKind(coversByOwner: readonly (readonly Cover[])[]): ByKind {
  const layer = (resource: Resource): Layer =>
    new Layer(
      coversByOwner.flatMap((covers, owner) => covers.filter(cover => cover.resource === resource).map(cover => ({ owner, cover }))),
    )
  return {
    [Resource.Topic]: layer(Resource.Topic),
    [Resource.Group]: layer(Resource.Group),
    [Resource.Cluster]: layer(Resource.Cluster),
    [Resource.TransactionalId]: layer(Resource.TransactionalId),
  }
}
