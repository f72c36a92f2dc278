// The one evaluator: rules, and what given grants cover, judged in process; engines differ only in where given grants come from.

import { LRUCache } from 'lru-cache'
import type { Principal } from '../auth/principal.ts'
import type { Clock } from '../base/clock.ts'
import { clock as readClock } from '../base/clock.ts'
import type { Operation, Origin, Reason, Rights, Verdict } from './authorizer.ts'
import type { Giver } from './given.ts'
import { Layers } from './layers.ts'
import type { Name, Names } from './names.ts'
import { wordAt } from './pages.ts'
import type { Judged } from './policy-document.ts'
import { keysOf } from './subjects.ts'
import type { Tells } from './verdicts.ts'
import { Verdicts } from './verdicts.ts'

/** Told when a shadow lets something through: once for each name and operation while nothing moves. */
export type WouldRefuse = (principal: Principal, origin: Origin, operation: Operation, name: Name, reason: Reason) => void

/** Told when something is first allowed since anything moved; why is found out if asked. */
export type Allowed = (principal: Principal, origin: Origin, operation: Operation, name: Name, explain: () => Reason) => void

export interface EvaluatorOptions {
  readonly names: Names
  readonly clock?: Clock
  readonly wouldRefuse?: WouldRefuse
  readonly allowed?: Allowed | null
  /** Principals whose verdicts are kept. */
  readonly principals?: number
}

export class Evaluator {
  /** Moves with each `replace`. */
  version = 0
  readonly names: Names
  readonly clock: Clock
  readonly wouldRefuse: WouldRefuse | null
  readonly allowed: Allowed | null
  readonly #giver: Giver
  readonly #kept: LRUCache<string, Verdicts>
  #layers: Layers

  constructor(policy: Judged, giver: Giver, options: EvaluatorOptions) {
    this.#layers = new Layers(policy)
    this.#giver = giver
    this.names = options.names
    this.clock = options.clock ?? readClock
    this.wouldRefuse = options.wouldRefuse ?? null
    this.allowed = options.allowed ?? null
    this.#kept = new LRUCache({ max: options.principals ?? 10_000 })
  }

  get generation(): number {
    return this.#layers.policy.generation
  }

  /** Judges by another policy from now on; every principal's epoch moves. */
  replace(policy: Judged): void {
    this.#layers = new Layers(policy)
    this.#kept.clear()
    this.version++
  }

  rights(principal: Principal, origin: Origin): Rights {
    return new PrincipalRights(this, principal, origin)
  }

  /** What is kept for the principal with this id. */
  keptOf(id: string): Verdicts[] {
    return [...this.#kept.values()].filter(({ asker }) => asker.principal.id === id)
  }

  /** The verdicts that this principal shares with all whom the policy cannot tell from it. */
  verdictsOf(principal: Principal, origin: Origin): Verdicts {
    const layers = this.#layers
    const key = JSON.stringify([
      principal.id,
      principal.groups,
      principal.realmRoles,
      principal.clientRoles,
      principal.organizations,
      principal.acting?.kind,
      layers.readOf(principal, origin),
      this.#giver.originKey(origin),
    ])
    let verdicts = this.#kept.get(key)
    if (verdicts === undefined) {
      const asker = { principal, keys: keysOf(principal), address: origin.address, listener: origin.listener }
      verdicts = new Verdicts(layers, this.#giver.given(principal, origin), asker, this.names, this.clock, this.allowed !== null)
      this.#kept.set(key, verdicts)
    }
    return verdicts
  }
}

/** One connection's view of its principal's rights. */
class PrincipalRights implements Rights {
  readonly principal: Principal
  readonly #origin: Origin
  readonly #evaluator: Evaluator
  readonly #tells: Tells
  #version: number
  #verdicts: Verdicts

  constructor(evaluator: Evaluator, principal: Principal, origin: Origin) {
    this.principal = principal
    this.#origin = origin
    this.#evaluator = evaluator
    this.#version = evaluator.version
    this.#verdicts = evaluator.verdictsOf(principal, origin)
    const { wouldRefuse, allowed } = evaluator
    this.#tells = {
      wouldRefuse: wouldRefuse && ((operation, name) => wouldRefuse(principal, origin, operation, name, this.#explain(operation, name))),
      allowed: allowed && ((operation, name) => allowed(principal, origin, operation, name, () => this.#explain(operation, name))),
    }
  }

  get epoch(): number {
    return this.#fresh().stamp
  }

  check(operation: Operation, name: Name): Verdict {
    const verdicts = this.#fresh()
    if (name.generation !== verdicts.generation) name = this.#current(name)
    const verdict = (wordAt(verdicts.pages, name.slot) >>> (operation << 1)) & 3
    return verdict !== 0 ? (verdict as Verdict) : verdicts.judge(operation, name, this.#tells)
  }

  operations(name: Name): number {
    const verdicts = this.#fresh()
    return verdicts.operations(name.generation === verdicts.generation ? name : this.#current(name))
  }

  denies(operation: Operation, name: Name): boolean {
    return this.#fresh().denies(operation, name)
  }

  mayWriteSomething(): Verdict {
    return this.#fresh().mayWriteSomething(this.#tells)
  }

  mayConnect(): Verdict {
    return this.#fresh().mayConnect()
  }

  explain(operation: Operation, name: Name): Reason {
    return this.#fresh().explain(operation, this.#current(name))
  }

  settle(): Promise<void> {
    return this.#fresh().given.settle()
  }

  #explain(operation: Operation, name: Name): Reason {
    return this.#verdicts.explain(operation, name)
  }

  #fresh(): Verdicts {
    if (this.#version !== this.#evaluator.version) {
      this.#version = this.#evaluator.version
      this.#verdicts = this.#evaluator.verdictsOf(this.principal, this.#origin)
    }
    if (!this.#verdicts.isFresh()) this.#verdicts.renew()
    return this.#verdicts
  }

  /** The name in the generation that the verdicts are of. */
  #current(name: Name): Name {
    const current = this.#evaluator.names.current(name)
    if (current.generation !== this.#verdicts.generation) this.#verdicts.renew()
    return current
  }
}
