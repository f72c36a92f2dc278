// What the files of one policy have in common while they are read: names that may be used in all of them, ids that stand once.

import type { Place } from './policy-document.ts'

/** What the files of one policy share: names that may be used in all of them, ids that stand once. */
export class Shared {
  readonly people = new Map<string, { readonly issuer: string; readonly sub: string; readonly place: Place }>()
  readonly networks = new Map<string, { readonly blocks: readonly string[]; readonly place: Place }>()
  /** Some grant or rule reads the client's address. */
  readsAddress = false
  /** Some file delegates. */
  delegates = false
  /** Files below the root: when some file delegates, their names are their own. */
  readonly delegated = new Set<string>()
  readonly grantIds = new Map<string, Place>()
  readonly ruleIds = new Map<string, Place>()
}
