// The one question: may this principal do this to that? Kafka's words and codes: org.apache.kafka.common.acl.AclOperation, ResourceType.

import type { Principal } from '../auth/principal.ts'
import type { AclView } from './acl-bindings.ts'
import type { Name } from './names.ts'

/** Kafka's code of an operation; a set of operations is a sum of `1 << code`, as in authorized-operations fields (KIP-430). */
export const Operation = {
  Read: 3,
  Write: 4,
  Create: 5,
  Delete: 6,
  Alter: 7,
  Describe: 8,
  ClusterAction: 9,
  DescribeConfigs: 10,
  AlterConfigs: 11,
  IdempotentWrite: 12,
  CreateTokens: 13,
  DescribeTokens: 14,
  TwoPhaseCommit: 15,
} as const
export type Operation = (typeof Operation)[keyof typeof Operation]

/** Kafka's code of a resource type. */
export const Resource = { Topic: 2, Group: 3, Cluster: 4, TransactionalId: 5 } as const
export type Resource = (typeof Resource)[keyof typeof Resource]

/** UNKNOWN: not asked yet, `settle` asks. UNDECIDED: asked, and no answer came: neither allowed nor refused. */
export const Verdict = { Unknown: 0, Allowed: 1, Refused: 2, Undecided: 3 } as const
export type Verdict = (typeof Verdict)[keyof typeof Verdict]

/** Where a verdict came from, for audit and explain. */
export interface Reason {
  readonly verdict: Verdict
  /** In a few words: `no grant`, `rule`, `grant`, `engine did not answer`… */
  readonly why: string
  readonly grant: string | null
  readonly rule: string | null
  /** The verdict would be a refusal, were it not for a shadow. */
  readonly shadow: string | null
  readonly generation: number
  readonly engine: 'embedded' | 'openfga'
}

/**
 * What one principal may do, from one kind of place: shared by all its connections in a worker.
 * `check` never waits. What it answers with Unknown is remembered, and asked by the next `settle`.
 */
export interface Rights {
  readonly principal: Principal
  /** Moves whenever any verdict given before may no longer hold; sessions then judge again what is in flight. */
  readonly epoch: number
  /** Create on a topic counts the right to create anything in the cluster, too; `operations` does not, as in Kafka. */
  check(operation: Operation, name: Name): Verdict
  /** The operations of `Kafka's set for that resource type` that are allowed, as a sum of `1 << code`; -1 while any is not known. */
  operations(name: Name): number
  /** A rule refuses this, whatever is granted: asked where a right on the cluster would suffice (list every group, create any topic). */
  denies(operation: Operation, name: Name): boolean
  /** Asks what was Unknown since the last call, within a budget (1 s): then those that got no answer are Undecided until asked again. Never rejects. */
  settle(): Promise<void>
  explain(operation: Operation, name: Name): Reason
  /** IDEMPOTENT_WRITE, or WRITE on any topic at all: InitProducerId without a transactional id (KafkaApis.scala handleInitProducerIdRequest). */
  mayWriteSomething(): Verdict
  /** May stay connected: Refused for who is blocked on the cluster. */
  mayConnect(): Verdict
}

/** From where and how a client speaks: what grants and rules can read beside the principal. */
export interface Origin {
  readonly listener: string
  /** The peer's IP address in its shortest form; an IPv4-mapped one as IPv4. */
  readonly address: string
}

export interface Authorizer {
  readonly engine: 'embedded' | 'openfga'
  /** The policy in force. */
  readonly generation: number
  /** For who lists ACLs. */
  readonly acls: AclView
  rights(principal: Principal, origin: Origin): Rights
}
