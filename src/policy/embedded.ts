// The default engine: whom a grant is given to is matched with the token's memberships; everything else stands in the policy file.

import type { Principal } from '../auth/principal.ts'
import { type AclView, granteesInFile, KeptAcls } from './acl-bindings.ts'
import type { Authorizer, Origin, Rights } from './authorizer.ts'
import type { EvaluatorOptions } from './evaluator.ts'
import { Evaluator } from './evaluator.ts'
import type { Given, Giver } from './given.ts'
import { NOTHING_BEYOND, NOTHING_WRITABLE } from './given.ts'
import type { PolicyDocument } from './policy-document.ts'
import { keysOf, subjectKey } from './subjects.ts'

export class Embedded implements Authorizer {
  readonly engine = 'embedded'
  readonly #evaluator: Evaluator
  readonly #matched: MatchedGrants
  #document: PolicyDocument
  readonly #kept = new KeptAcls()
  readonly acls: AclView = {
    bindings: () => this.#kept.of(() => this.#document, granteesInFile, this.#evaluator.clock.nowMs),
    learn: async () => {},
  }

  constructor(document: PolicyDocument, options: EvaluatorOptions) {
    this.#document = document
    this.#matched = new MatchedGrants(document)
    this.#evaluator = new Evaluator(document, this.#matched, options)
  }

  get generation(): number {
    return this.#evaluator.generation
  }

  rights(principal: Principal, origin: Origin): Rights {
    return this.#evaluator.rights(principal, origin)
  }

  /** Judges by another document from the next check on. */
  replace(document: PolicyDocument): void {
    this.#document = document
    this.#kept.drop()
    this.#matched.replace(document)
    this.#evaluator.replace(document)
  }
}

/** Finds the grants whose `to` names a principal. */
class MatchedGrants implements Giver {
  #idsBySubject: ReadonlyMap<string, readonly string[]> = new Map()

  constructor(document: PolicyDocument) {
    this.replace(document)
  }

  replace(document: PolicyDocument): void {
    const ids = new Map<string, string[]>()
    for (const grant of document.grants) {
      for (const subject of grant.to) {
        const key = subjectKey(subject)
        const known = ids.get(key)
        if (known === undefined) ids.set(key, [grant.id])
        else known.push(grant.id)
      }
    }
    this.#idsBySubject = ids
  }

  originKey(): string {
    return ''
  }

  given(principal: Principal): Given {
    const ids = new Set([...keysOf(principal)].flatMap(key => this.#idsBySubject.get(key) ?? []))
    return {
      engine: 'embedded',
      epoch: 0,
      undecided: false,
      grants: () => ids,
      beyond: () => NOTHING_BEYOND,
      writable: () => NOTHING_WRITABLE,
      settle: () => Promise.resolve(),
    }
  }
}
