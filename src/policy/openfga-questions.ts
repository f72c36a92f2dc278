// What workers and the engine in main say to each other about OpenFGA: plain data both ways.

import type { Resource } from './authorizer.ts'
import type { Who } from './memberships.ts'
import type { OperationSet } from './operations.ts'
import type { Roles } from './roles.ts'
import type { Snapshot } from './store-state.ts'

export interface AskedName {
  readonly resource: Resource
  readonly bytes: Uint8Array
  readonly operations: OperationSet
}

export type Question =
  | { readonly kind: 'snapshot' }
  | { readonly kind: 'grantees' }
  | { readonly kind: 'given'; readonly who: Who; readonly address: string }
  | { readonly kind: 'names'; readonly who: Who; readonly address: string; readonly names: readonly AskedName[] }

/** What a principal was given, until `endsAtMs` (epoch ms). */
export interface GivenAnswer {
  readonly grants: readonly string[]
  readonly roles: Roles
  readonly endsAtMs: number
  /** Of the snapshot that it goes with; a worker that has an older one asks for it. */
  readonly snapshot: number
}

/** `asked` and what of it is allowed; operations that got no answer are in neither. */
export interface NameAnswer {
  readonly blocked: boolean
  readonly answered: OperationSet
  readonly allowed: OperationSet
}

export interface NamesAnswer {
  readonly names: readonly NameAnswer[]
  readonly endsAtMs: number
}

/** Whom each grant is given to, by its id, as tuples write users; null: that can only be asked for one by one. */
export type GranteesAnswer = ReadonlyMap<string, readonly string[] | null>

export type Answer = Snapshot | GivenAnswer | NamesAnswer | GranteesAnswer

export type EngineMessage =
  | { readonly kind: 'snapshot'; readonly snapshot: Snapshot }
  /** What these users were told no longer holds; null: what anybody was told. */
  | { readonly kind: 'drop'; readonly users: readonly string[] | null }
