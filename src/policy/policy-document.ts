// What a policy says once it is read and checked: plain data that passes between threads and that both engines judge by.

import type { Resource } from './authorizer.ts'
import type { OperationSet } from './operations.ts'

/** Where something stands in a policy file. */
export interface Place {
  readonly file: string
  readonly line: number
  /** Absent: the line's first. */
  readonly col?: number
}

/** Whom a grant is given to, or a rule binds. `name` is a sub, client id, group path, role or organization alias. */
export type Subject =
  | { readonly kind: 'user' | 'service' | 'group' | 'groupBelow' | 'realmRole' | 'org'; readonly issuer: string; readonly name: string }
  | { readonly kind: 'clientRole'; readonly issuer: string; readonly client: string; readonly name: string }
  | { readonly kind: 'orgRole'; readonly issuer: string; readonly org: string; readonly name: string }
  | { readonly kind: 'anyone'; readonly issuer: string }

/** One exact name, or all names that begin with a prefix. The cluster is the prefix ''. */
export interface Pattern {
  readonly resource: Resource
  readonly prefix: boolean
  readonly text: string
}

/** Operations on the names of one pattern. */
export interface Cover extends Pattern {
  readonly operations: OperationSet
}

/** Daily hours: minutes since midnight of `zone`; a window that ends before it begins runs into the next day and belongs to the day it opens. */
export interface Hours {
  /** Sunday is 0. */
  readonly days: readonly number[]
  readonly fromMinute: number
  readonly toMinute: number
  readonly zone: string
}

/** When, and from where, something holds. Absent parts hold always. */
export interface InForce {
  /** Epoch ms, included. */
  readonly sinceMs: number | null
  /** Epoch ms, excluded. */
  readonly untilMs: number | null
  /** CIDR blocks, any of them. */
  readonly networks: readonly string[] | null
  /** Any of them. */
  readonly hours: readonly Hours[] | null
}

export const ALWAYS: InForce = { sinceMs: null, untilMs: null, networks: null, hours: null }

/** What a grant covers: all that the evaluator reads of it. */
export interface Coverage extends InForce {
  readonly id: string
  readonly covers: readonly Cover[]
  readonly place: Place | null
}

export interface Grant extends Coverage {
  readonly to: readonly Subject[]
  readonly why: string | null
  readonly owner: string | null
  readonly place: Place
}

/** A `when` or `unless`: true when all its parts are. */
export interface Condition {
  readonly acting: readonly ('impersonation' | 'delegation')[] | null
  /** By claim: the values of which it must have one. */
  readonly claims: Readonly<Record<string, readonly string[]>> | null
  readonly networks: readonly string[] | null
  readonly hours: readonly Hours[] | null
  /** CEL, as it was written. */
  readonly expression: string | null
}

export interface Rule {
  readonly id: string
  /** On what it denies, and which operations there; `everything` is one empty prefix a kind. */
  readonly denies: readonly Cover[]
  /** Whom it binds; null: everybody. */
  readonly for: readonly Subject[] | null
  readonly except: readonly Subject[]
  readonly when: Condition | null
  readonly unless: Condition | null
  /** Until then it is only recorded. */
  readonly shadowUntilMs: number | null
  readonly place: Place
}

/** Where a missing grant is let through and reported, until then. */
export interface Shadow {
  /** `shadow[0]`… */
  readonly id: string
  readonly patterns: readonly Pattern[]
  readonly untilMs: number
  /** Names of the listeners on which it counts; null: on all. */
  readonly listeners: readonly string[] | null
  readonly place: Place
}

/** What the evaluator judges by: coverage from the file (embedded) or from the store (OpenFGA), the rest always from the file. */
export interface Judged {
  readonly generation: number
  readonly grants: readonly Coverage[]
  readonly rules: readonly Rule[]
  readonly shadows: readonly Shadow[]
}

/** One question of a test: `consume topic:acme.events`. */
export interface Question {
  readonly text: string
  readonly resource: Resource
  readonly name: string
  readonly operations: OperationSet
}

/** One of the policy's own tests. */
export interface PolicyTest {
  readonly name: string | null
  readonly as: {
    readonly subject: { readonly kind: 'user' | 'service'; readonly issuer: string; readonly name: string }
    readonly groups: readonly string[]
    readonly realmRoles: readonly string[]
    readonly clientRoles: Readonly<Record<string, readonly string[]>>
    readonly organizations: Readonly<Record<string, readonly string[]>>
    readonly claims: Readonly<Record<string, unknown>>
    readonly acting: 'impersonation' | 'delegation' | null
  }
  /** Epoch ms; null: now. */
  readonly atMs: number | null
  readonly address: string | null
  readonly can: readonly Question[]
  readonly cannot: readonly Question[]
  readonly place: Place
}

export interface PolicyDocument extends Judged {
  /** SHA-256 of the files, in hex. */
  readonly hash: string
  readonly files: readonly string[]
  readonly grants: readonly Grant[]
  readonly tests: readonly PolicyTest[]
  /** Readable names of subjects; absent: none. */
  readonly people?: Readonly<Record<string, { readonly issuer: string; readonly sub: string }>>
  /** Some grant or rule reads the client's address. */
  readonly readsAddress: boolean
}
