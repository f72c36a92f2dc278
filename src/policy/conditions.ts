// Whether a rule binds a principal now (`for`, `except`, `when`, `unless`, shadow), and a shadow counts. What cannot be known counts against the caller.

import type { Principal } from '../auth/principal.ts'
import { Networks } from '../base/networks.ts'
import { type Action, Expression } from './expressions.ts'
import type { Holds } from './hours.ts'
import { anyAt } from './hours.ts'
import type { Condition, Rule, Shadow } from './policy-document.ts'
import { matchesAny } from './subjects.ts'

/** Who asks, and from where, as conditions see it. */
export interface Asker {
  readonly principal: Principal
  /** `keysOf(principal)`. */
  readonly keys: ReadonlySet<string>
  readonly address: string
  readonly listener: string
}

/** What conditions are read with: the parsed forms of what they say. */
export interface Parsed {
  networksOf(blocks: readonly string[]): Networks
  expressionOf(text: string): Expression
}

/** For a question that is asked once. */
export const PARSED_EACH_TIME: Parsed = { networksOf: blocks => new Networks(blocks), expressionOf: text => new Expression(text) }

/** Yes, no, or not to be known: then a deny stands. */
export type Truth = boolean | undefined

export interface Binding {
  readonly binds: boolean
  /** It binds, and is only recorded yet. */
  readonly shadowed: boolean
  /** Epoch ms until which this answer holds. */
  readonly untilMs: number
}

/** @param action null: whatever is asked; what hangs on it is not known then, so the rule binds */
export function bindingOf(rule: Rule, asker: Asker, nowMs: number, parsed: Parsed, action: Action | null): Binding {
  const none: Binding = { binds: false, shadowed: false, untilMs: Number.POSITIVE_INFINITY }
  if (rule.for !== null && !matchesAny(rule.for, asker.keys)) return none
  if (matchesAny(rule.except, asker.keys)) return none
  const when = rule.when && truthOf(rule.when, asker, nowMs, parsed, action)
  const unless = rule.unless && truthOf(rule.unless, asker, nowMs, parsed, action)
  const shadowed = rule.shadowUntilMs !== null && nowMs < rule.shadowUntilMs
  return {
    binds: when?.truth !== false && unless?.truth !== true,
    shadowed,
    untilMs: Math.min(when?.untilMs ?? none.untilMs, unless?.untilMs ?? none.untilMs, shadowed ? rule.shadowUntilMs! : none.untilMs),
  }
}

/** Whether a shadow counts for who comes by this listener; '': that is not known. */
export function countsOn({ listeners }: Shadow, listener: string): Truth {
  if (listeners === null) return true
  return listener === '' ? undefined : listeners.includes(listener)
}

/** One part of a `when` or `unless`, and whether it is true now. */
export interface Part {
  /** `acting`, `claims.acr`, `from`, `hours` or `expression`. */
  readonly part: string
  readonly truth: Truth
}

/** The parts of a condition, each by itself, and the epoch ms until which that holds. */
export function partsOf(
  condition: Condition,
  asker: Asker,
  nowMs: number,
  { networksOf, expressionOf }: Parsed,
  action: Action | null,
): { readonly parts: readonly Part[]; readonly untilMs: number } {
  const parts: Part[] = []
  if (condition.acting !== null) {
    const { acting } = asker.principal
    parts.push({ part: 'acting', truth: acting !== null && condition.acting.includes(acting.kind) })
  }
  for (const [claim, values] of Object.entries(condition.claims ?? {})) {
    parts.push({ part: `claims.${claim}`, truth: claimIsOneOf(asker.principal.claims, claim, values) })
  }
  if (condition.networks !== null) parts.push({ part: 'from', truth: networksOf(condition.networks).has(asker.address) })
  const hours: Holds | null = condition.hours && anyAt(condition.hours, nowMs)
  if (hours !== null) parts.push({ part: 'hours', truth: hours.yes })
  const expression = condition.expression === null ? null : expressionOf(condition.expression)
  if (expression !== null) parts.push({ part: 'expression', truth: expression.truth(asker, nowMs, action) })
  const endless = Number.POSITIVE_INFINITY
  return { parts, untilMs: Math.min(hours?.untilMs ?? endless, expression?.untilMs(nowMs) ?? endless) }
}

function truthOf(
  condition: Condition,
  asker: Asker,
  nowMs: number,
  parsed: Parsed,
  action: Action | null,
): { truth: Truth; untilMs: number } {
  const { parts, untilMs } = partsOf(condition, asker, nowMs, parsed, action)
  const has = (truth: Truth): boolean => parts.some(part => part.truth === truth)
  return { truth: has(false) ? false : has(undefined) ? undefined : true, untilMs }
}

/** The expressions of a rule. */
export const expressionsOf = ({ when, unless }: Rule): string[] =>
  [when?.expression, unless?.expression].filter(text => typeof text === 'string')

/** Whether the claim, a list of words, or one of its words (`scope`), is one of the values; a claim that is not there cannot be known. */
function claimIsOneOf(claims: Readonly<Record<string, unknown>>, name: string, values: readonly string[]): Truth {
  const claim = claimOf(claims, name)
  const has = Array.isArray(claim) ? claim : name === 'scope' && typeof claim === 'string' ? claim.split(' ') : [claim]
  if (!has.every(isPlain)) return undefined
  return has.some(value => values.includes(String(value)))
}

const isPlain = (value: unknown): boolean => typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'

/** A claim by its name, or by the path of names that leads to it (`realm_access.roles`). */
export function claimOf(claims: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name]
  let at: unknown = claims
  for (const part of name.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined
    at = (at as Record<string, unknown>)[part]
  }
  return at
}
