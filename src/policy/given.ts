// What an engine says of a principal: which grants it holds, and what relationships say of single resources.

import type { Principal } from '../auth/principal.ts'
import { type Authorizer, type Origin, Verdict } from './authorizer.ts'
import type { Name } from './names.ts'
import type { OperationSet } from './operations.ts'
import type { Pattern } from './policy-document.ts'

/** What stands beside grants for one name: sets of operations that do not overlap. */
export interface Beyond {
  readonly allowed: OperationSet
  /** Refused whatever is granted (`blocked`). */
  readonly refused: OperationSet
  /** To be asked: `settle` does. Counts also where a grant allows, for it may be blocked. */
  readonly unknown: OperationSet
  /** Asked, and no answer came. */
  readonly undecided: OperationSet
}

export const NOTHING_BEYOND: Beyond = { allowed: 0, refused: 0, unknown: 0, undecided: 0 }

/** One principal's answers from one engine. Nothing here waits but `settle`. */
export interface Given {
  readonly engine: Authorizer['engine']
  /** Moves whenever anything that was said before may no longer hold, and when something became known. */
  readonly epoch: number
  /** Ids of the grants that the principal was given, whatever their conditions; null: not known. */
  grants(): Iterable<string> | null
  /** `grants` is null because the engine was asked and did not answer. */
  readonly undecided: boolean
  /** @param wanted what the caller asks about; the rest need not be known */
  beyond(name: Pick<Name, 'resource' | 'bytes'>, wanted: OperationSet): Beyond
  /** Where topics may be written by relationships alone. */
  writable(): Writable
  /** Asks what was found unknown since the last call, within the budget. Never rejects. */
  settle(): Promise<void>
}

export interface Writable {
  readonly patterns: readonly Pattern[]
  /** There may be more: Unknown, which `settle` asks, or Undecided. Refused: these are all. */
  readonly others: Verdict
}

export const NOTHING_WRITABLE: Writable = { patterns: [], others: Verdict.Refused }

/** Where given grants come from: the policy file's subjects (embedded), or the store (OpenFGA). */
export interface Giver {
  given(principal: Principal, origin: Origin): Given
  /** What of the origin an answer may hang on: principals from there share what is given. */
  originKey(origin: Origin): string
}
