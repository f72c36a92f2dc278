// Operations as sets: which a kind of resource knows, which bring others along, and the verbs that policy files use for them.

import { Operation, Resource } from './authorizer.ts'

/** A set of operations: a sum of `1 << code`. */
export type OperationSet = number

export const setOf = (...operations: readonly Operation[]): OperationSet => operations.reduce((set, op) => set | (1 << op), 0)

/** Kafka's names in snake_case, as policy files and the OpenFGA model write them. */
export const OPERATIONS = {
  read: Operation.Read,
  write: Operation.Write,
  create: Operation.Create,
  delete: Operation.Delete,
  alter: Operation.Alter,
  describe: Operation.Describe,
  cluster_action: Operation.ClusterAction,
  describe_configs: Operation.DescribeConfigs,
  alter_configs: Operation.AlterConfigs,
  idempotent_write: Operation.IdempotentWrite,
  two_phase_commit: Operation.TwoPhaseCommit,
} as const
export type OperationName = keyof typeof OPERATIONS
export const OPERATION_NAMES = Object.keys(OPERATIONS) as OperationName[]

export const operationName = (operation: Operation): string =>
  OPERATION_NAMES.find(name => OPERATIONS[name] === operation) ?? String(operation)

/** The operations in a set, one by one. */
export const membersOf = (set: OperationSet): Operation[] => Object.values(Operation).filter(operation => set & (1 << operation))

/** The names of the operations in a set, in Kafka's order. */
export const namesOf = (set: OperationSet): OperationName[] => OPERATION_NAMES.filter(name => set & (1 << OPERATIONS[name]))

/** How policy files call the kinds of resources. */
export const KINDS = {
  topics: Resource.Topic,
  consumerGroups: Resource.Group,
  transactionalIds: Resource.TransactionalId,
  cluster: Resource.Cluster,
} as const
export type KindKey = keyof typeof KINDS
export const KIND_KEYS = Object.keys(KINDS) as KindKey[]

/** How command lines, tests and audit lines call one resource of a kind. */
export const KIND_NAMES: Readonly<Record<Resource, string>> = {
  [Resource.Topic]: 'topic',
  [Resource.Group]: 'consumerGroup',
  [Resource.TransactionalId]: 'transactionalId',
  [Resource.Cluster]: 'cluster',
}

/** The kind that is called so there. */
export const resourceNamed = (name: string): Resource => Object.values(Resource).find(kind => KIND_NAMES[kind] === name)!

const { Read, Write, Create, Delete, Alter, Describe, ClusterAction, DescribeConfigs, AlterConfigs, IdempotentWrite, TwoPhaseCommit } =
  Operation

/** The operations that each kind knows (AclEntry.supportedOperations); what is outside is refused. */
export const SUPPORTED: Readonly<Record<Resource, OperationSet>> = {
  [Resource.Topic]: setOf(Read, Write, Create, Delete, Alter, Describe, DescribeConfigs, AlterConfigs),
  [Resource.Group]: setOf(Read, Delete, Describe, DescribeConfigs, AlterConfigs),
  [Resource.Cluster]: setOf(Create, ClusterAction, Alter, Describe, DescribeConfigs, AlterConfigs, IdempotentWrite),
  [Resource.TransactionalId]: setOf(Write, Describe, TwoPhaseCommit),
}

const BRINGS_DESCRIBE = setOf(Read, Write, Delete, Alter)
const BRINGS_DESCRIBE_CONFIGS = setOf(AlterConfigs)

/** A set of granted operations with those that they bring along (StandardAuthorizerData: IMPLIES_DESCRIBE, IMPLIES_DESCRIBE_CONFIGS). */
export function withImplied(set: OperationSet): OperationSet {
  if (set & BRINGS_DESCRIBE) set |= 1 << Describe
  if (set & BRINGS_DESCRIBE_CONFIGS) set |= 1 << DescribeConfigs
  return set
}

/** The granted operations of which any one brings `operation`. */
export function broughtBy(operation: Operation): OperationSet {
  const own = 1 << operation
  if (operation === Describe) return own | BRINGS_DESCRIBE
  return operation === DescribeConfigs ? own | BRINGS_DESCRIBE_CONFIGS : own
}

/** What `deny: change` leaves alone. */
const LOOKING = setOf(Read, Describe, DescribeConfigs)
export const EVERY_OPERATION: OperationSet = setOf(...(Object.values(OPERATIONS) as Operation[]))
export const CHANGE: OperationSet = EVERY_OPERATION & ~LOOKING

/** What each verb grants on each kind; 0: the verb says nothing there. */
export const VERBS = {
  produce: verb(setOf(Write), 0, setOf(Write), 0),
  consume: verb(setOf(Read), setOf(Read), 0, 0),
  manage: verb(
    setOf(Create, Delete, Alter, DescribeConfigs, AlterConfigs),
    setOf(Describe, Delete, DescribeConfigs, AlterConfigs),
    setOf(Describe),
    setOf(Create, Describe, Alter, DescribeConfigs, AlterConfigs),
  ),
  observe: verb(setOf(Describe, DescribeConfigs), setOf(Describe, DescribeConfigs), setOf(Describe), setOf(Describe, DescribeConfigs)),
} as const
export type VerbName = keyof typeof VERBS
export const VERB_NAMES = Object.keys(VERBS) as VerbName[]

function verb(topics: number, consumerGroups: number, transactionalIds: number, cluster: number): Readonly<Record<KindKey, OperationSet>> {
  return { topics, consumerGroups, transactionalIds, cluster }
}
