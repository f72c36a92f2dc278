// Kafka's error codes for what is refused or cannot be decided, and the texts that go with them: org.apache.kafka.common.protocol.Errors.

import { ERROR_MESSAGE, ErrorCode, errorName } from '../protocol/error-codes.ts'
import { Resource, Verdict as V, type Verdict } from './authorizer.ts'

export const {
  UNKNOWN_TOPIC_OR_PARTITION,
  LEADER_NOT_AVAILABLE,
  REQUEST_TIMED_OUT,
  COORDINATOR_LOAD_IN_PROGRESS,
  COORDINATOR_NOT_AVAILABLE,
  INVALID_TOPIC_EXCEPTION,
  INCONSISTENT_GROUP_PROTOCOL,
  TOPIC_AUTHORIZATION_FAILED,
  GROUP_AUTHORIZATION_FAILED,
  CLUSTER_AUTHORIZATION_FAILED,
  UNSUPPORTED_VERSION,
  INVALID_REQUEST,
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
  SECURITY_DISABLED,
  DELEGATION_TOKEN_AUTH_DISABLED,
  DELEGATION_TOKEN_AUTHORIZATION_FAILED,
  INVALID_PRINCIPAL_TYPE,
  RESOURCE_NOT_FOUND,
  DUPLICATE_RESOURCE,
  UNKNOWN_TOPIC_ID,
} = ErrorCode

/** "Not asked for" in an authorized-operations field: KIP-430. */
export const OPERATIONS_OMITTED = -2147483648

/** The only name of a cluster resource. */
export const CLUSTER_NAME = Buffer.from('kafka-cluster')

const REFUSAL: { readonly [resource: number]: number } = {
  [Resource.Topic]: TOPIC_AUTHORIZATION_FAILED,
  [Resource.Group]: GROUP_AUTHORIZATION_FAILED,
  [Resource.Cluster]: CLUSTER_AUTHORIZATION_FAILED,
  [Resource.TransactionalId]: TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
}

/** Kafka's error code for a refusal, by the type of the resource refused. */
export const refusalOf = (resource: Resource): number => REFUSAL[resource]!

/** Kafka's default text of an error, for answers that carry one. */
export const defaultText = (code: number): string => ERROR_MESSAGE[errorName(code) as keyof typeof ERROR_MESSAGE]

/** Once no more waiting is left, what is Unknown counts as Undecided. */
export const settled = (verdict: Verdict, last: boolean): Verdict => (last && verdict === V.Unknown ? V.Undecided : verdict)
