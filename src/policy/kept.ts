// What a worker keeps of one principal, for whoever asks why it was judged so: plain data, and nobody is asked to find it out.

import type { Resource } from './authorizer.ts'
import type { KeptName } from './kept-names.ts'
import type { Who } from './memberships.ts'
import type { GivenAnswer } from './openfga-questions.ts'

export interface KeptQuestion {
  /** Id of the principal. */
  readonly principal: string
  readonly resource: Resource
  readonly name: string
}

/** Of a principal and of one name. */
export interface KeptAnswers {
  /** Null: it would be asked. */
  readonly given: (Pick<GivenAnswer, 'grants' | 'roles' | 'endsAtMs'> & { readonly isStale: boolean }) | null
  /** Null: nothing is kept of this name by itself. */
  readonly named: KeptName | null
}

/** What is kept of a principal as one token, and perhaps one address, shows it. */
export interface Kept extends KeptAnswers {
  /** Null: the answers hang on none. */
  readonly address: string | null
  readonly memberships: Pick<Who, 'groups' | 'realmRoles' | 'clientRoles' | 'organizations'>
}
