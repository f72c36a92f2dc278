// Which rules bind one principal now, and what they take of a name: some whatever is asked, some by what an expression says of it.

import type { Operation, Resource } from './authorizer.ts'
import type { Asker } from './conditions.ts'
import { bindingOf } from './conditions.ts'
import type { Layers } from './layers.ts'
import { Bits } from './layers.ts'
import type { Name } from './names.ts'
import type { OperationSet } from './operations.ts'
import { membersOf, SUPPORTED } from './operations.ts'

/** A name as rules see it. */
type Named = Pick<Name, 'resource' | 'bytes' | 'text'>

/** Rules that bind alike: all enforced, or all in shadow. */
class Some {
  /** Whatever is asked. */
  readonly always: Bits
  /** As an expression says of what is asked. */
  readonly perhaps: Bits
  isOpen = false

  constructor(rules: number) {
    this.always = new Bits(rules)
    this.perhaps = new Bits(rules)
  }

  add(rule: number, readsAction: boolean): void {
    if (readsAction) this.isOpen = true
    const bits = readsAction ? this.perhaps : this.always
    bits.add(rule)
  }

  equals({ always, perhaps }: Some): boolean {
    return always.equals(this.always) && perhaps.equals(this.perhaps)
  }
}

export class Bindings {
  readonly #layers: Layers
  readonly #asker: Asker
  #enforced: Some
  #shadowed: Some
  #nowMs = 0

  constructor(layers: Layers, asker: Asker) {
    this.#layers = layers
    this.#asker = asker
    this.#enforced = new Some(layers.policy.rules.length)
    this.#shadowed = new Some(layers.policy.rules.length)
  }

  /** Finds out which rules bind now; `untilMs`: and until when. */
  weigh(nowMs: number): { readonly changed: boolean; readonly untilMs: number } {
    const { policy, readsAction } = this.#layers
    const enforced = new Some(policy.rules.length)
    const shadowed = new Some(policy.rules.length)
    let untilMs = Number.POSITIVE_INFINITY
    policy.rules.forEach((rule, i) => {
      const binding = bindingOf(rule, this.#asker, nowMs, this.#layers, null)
      untilMs = Math.min(untilMs, binding.untilMs)
      if (binding.binds) (binding.shadowed ? shadowed : enforced).add(i, readsAction.has(i))
    })
    const changed = enforced.isOpen || shadowed.isOpen || !enforced.equals(this.#enforced) || !shadowed.equals(this.#shadowed)
    this.#enforced = enforced
    this.#shadowed = shadowed
    this.#nowMs = nowMs
    return { changed, untilMs }
  }

  /** What rules refuse of a name. */
  denied(name: Named): OperationSet {
    return this.#takenBy(this.#enforced, name)
  }

  /** What rules in shadow would refuse of a name. */
  wouldDeny(name: Named): OperationSet {
    return this.#takenBy(this.#shadowed, name)
  }

  /** What rules refuse of all names that begin with this text; those that hang on what is asked refuse one name at a time. */
  deniedOfPrefix(resource: Resource, text: string): OperationSet {
    return this.#layers.rules[resource].unionOverPrefix(Buffer.from(text), this.#enforced.always)
  }

  /** The id of the first rule that refuses this; null: none does. */
  ruleOf(operation: Operation, name: Named): string | null {
    return this.#firstOf(this.#enforced, operation, name)
  }

  /** The id of the first rule in shadow that would refuse this. */
  shadowRuleOf(operation: Operation, name: Named): string | null {
    return this.#firstOf(this.#shadowed, operation, name)
  }

  #takenBy({ always, perhaps, isOpen }: Some, name: Named): OperationSet {
    const layer = this.#layers.rules[name.resource]
    let set = layer.union(name.bytes, always)
    if (!isOpen) return set
    for (const [rule, operations] of layer.ownersOf(name.bytes, perhaps)) {
      const more = operations & SUPPORTED[name.resource] & ~set
      if (more === 0) continue
      if (this.#layers.readsOperation.has(rule)) {
        for (const operation of membersOf(more)) if (this.#binds(rule, operation, name)) set |= 1 << operation
      } else if (this.#binds(rule, membersOf(more)[0]!, name)) set |= more
    }
    return set
  }

  #firstOf({ always, perhaps }: Some, operation: Operation, name: Named): string | null {
    const { policy, rules } = this.#layers
    const layer = rules[name.resource]
    const bit = 1 << operation
    const first = layer.ownerOf(name.bytes, always, bit)
    if (first >= 0) return policy.rules[first]!.id
    for (const [rule, operations] of layer.ownersOf(name.bytes, perhaps))
      if (operations & bit && this.#binds(rule, operation, name)) return policy.rules[rule]!.id
    return null
  }

  #binds(rule: number, operation: Operation, { resource, text }: Named): boolean {
    return bindingOf(this.#layers.policy.rules[rule]!, this.#asker, this.#nowMs, this.#layers, { operation, resource, name: text }).binds
  }
}
