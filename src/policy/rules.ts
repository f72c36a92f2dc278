// What each API needs, and what its caller is told when it may not. One row an API; no row, no service.

import { Produce } from '../protocol/messages/00-produce.ts'
import { Fetch } from '../protocol/messages/01-fetch.ts'
import { ListOffsets } from '../protocol/messages/02-list-offsets.ts'
import { Metadata } from '../protocol/messages/03-metadata.ts'
import { OffsetCommit } from '../protocol/messages/08-offset-commit.ts'
import { OffsetFetch } from '../protocol/messages/09-offset-fetch.ts'
import { FindCoordinator } from '../protocol/messages/10-find-coordinator.ts'
import { JoinGroup } from '../protocol/messages/11-join-group.ts'
import { Heartbeat } from '../protocol/messages/12-heartbeat.ts'
import { LeaveGroup } from '../protocol/messages/13-leave-group.ts'
import { SyncGroup } from '../protocol/messages/14-sync-group.ts'
import { DescribeGroups } from '../protocol/messages/15-describe-groups.ts'
import { ListGroups } from '../protocol/messages/16-list-groups.ts'
import { ApiVersions } from '../protocol/messages/18-api-versions.ts'
import { CreateTopics } from '../protocol/messages/19-create-topics.ts'
import { DeleteTopics } from '../protocol/messages/20-delete-topics.ts'
import { InitProducerId } from '../protocol/messages/22-init-producer-id.ts'
import { OffsetForLeaderEpoch } from '../protocol/messages/23-offset-for-leader-epoch.ts'
import { DescribeCluster } from '../protocol/messages/60-describe-cluster.ts'
import { adminRules } from './admin-rules.ts'
import { COORDINATOR_NOT_AVAILABLE, INCONSISTENT_GROUP_PROTOCOL, LEADER_NOT_AVAILABLE } from './answers.ts'
import { Operation, Resource } from './authorizer.ts'
import { credentialRules } from './credential-rules.ts'
import { groupProtocolRules } from './group-protocol-rules.ts'
import { on, type Rule } from './rows.ts'
import { createTopicsPlan } from './special/create-topics.ts'
import { deleteTopicsPlan } from './special/delete-topics.ts'
import { fetchPlan } from './special/fetch.ts'
import { findCoordinatorPlan } from './special/find-coordinator.ts'
import { initProducerIdPlan } from './special/init-producer-id.ts'
import { metadataPlan } from './special/metadata.ts'
import { offsetFetchPlan } from './special/offset-fetch.ts'
import { producePlan } from './special/produce.ts'
import { telemetryRules } from './telemetry-rules.ts'
import { transactionRules } from './transaction-rules.ts'

const { Read, Describe, ClusterAction } = Operation

/** Each row is checked against the method of that name in KafkaApis.scala (4.4), `handle<Api>Request`. */
export const rules: readonly Rule[] = [
  on(Produce).plannedBy(producePlan, ['transactionalId', 'topicData.name', 'topicData.topicId']).undecidedAs(7).saying({
    needs: 'WRITE on each topic; WRITE on the transactional id if a batch is transactional',
    refused:
      'TOPIC_AUTHORIZATION_FAILED on each partition of a refused topic, the rest is appended; TRANSACTIONAL_ID_AUTHORIZATION_FAILED on all; with acks=0 the connection is closed',
  }),

  on(Fetch)
    .plannedBy(fetchPlan, ['topics.topic', 'topics.topicId', 'forgottenTopicsData.topic', 'forgottenTopicsData.topicId'])
    .undecidedAs(6)
    .saying({
      needs: 'READ on each topic of the fetch session, at every request; a topic that is forgotten needs nothing',
      refused: 'TOPIC_AUTHORIZATION_FAILED on each partition of a refused topic, in every response while it is in the session',
      differs:
        'a fetch with a replica id is refused, whoever asks: followers do not come through the gate; a session serves only the connection that opened it, others are told FETCH_SESSION_ID_NOT_FOUND; none is opened while nothing of it may be read: such a client asks in full each time',
    }),

  // Authorised topics answer first.
  on(ListOffsets)
    .needsEach(Describe, 'topics', ['name'], {
      into: 'topics',
      graft: ({ name, partitions }, errorCode) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
      }),
    })
    .undecidedAs(LEADER_NOT_AVAILABLE),

  on(Metadata).plannedBy(metadataPlan, ['topics.name', 'topics.topicId']).undecidedAs(LEADER_NOT_AVAILABLE).saying({
    needs: 'DESCRIBE on each topic; where auto-creation applies, CREATE on the cluster or the topic',
    refused: 'TOPIC_AUTHORIZATION_FAILED on a topic that was named; of all topics, those without DESCRIBE are left out',
    differs: 'topics that Metadata creates are created by the principal of the gate',
  }),

  // The group is asked for before the topics; errors answer first, one entry a topic.
  on(OffsetCommit)
    .needs(Read, 'groupId')
    .needsEach(Read, 'topics', ['name', 'topicId'], {
      into: 'topics',
      place: 'first',
      merged: 'all',
      graft: ({ name, topicId, partitions }, errorCode) => ({
        name,
        topicId,
        partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
      }),
    })
    .undecidedAs(COORDINATOR_NOT_AVAILABLE),

  on(OffsetFetch)
    .plannedBy(offsetFetchPlan, ['groupId', 'topics.name', 'groups.groupId', 'groups.topics.name', 'groups.topics.topicId'])
    .undecidedAs(COORDINATOR_NOT_AVAILABLE)
    .saying({
      needs: 'DESCRIBE on each group, then DESCRIBE on each topic',
      refused:
        'GROUP_AUTHORIZATION_FAILED for that group (v1: on each partition); TOPIC_AUTHORIZATION_FAILED on each partition of a refused topic; of all topics, those without DESCRIBE are left out',
    }),

  on(FindCoordinator).plannedBy(findCoordinatorPlan, ['key', 'coordinatorKeys']).undecidedAs(COORDINATOR_NOT_AVAILABLE).saying({
    needs: 'DESCRIBE on the group or the transactional id; CLUSTER_ACTION on the cluster for share coordinators',
    refused: 'GROUP_, TRANSACTIONAL_ID_ or CLUSTER_AUTHORIZATION_FAILED (from v4 for each key)',
  }),

  on(JoinGroup)
    .needs(Read, 'groupId')
    .refusedAs((errorCode, version) => ({ errorCode, protocolName: version >= 7 ? null : '' }))
    .undecidedAs(COORDINATOR_NOT_AVAILABLE),

  on(Heartbeat).needs(Read, 'groupId').undecidedAs(COORDINATOR_NOT_AVAILABLE),

  on(LeaveGroup).needs(Read, 'groupId').undecidedAs(COORDINATOR_NOT_AVAILABLE),

  on(SyncGroup)
    .mustHave(['protocolType', 'protocolName'], INCONSISTENT_GROUP_PROTOCOL)
    .needs(Read, 'groupId')
    .undecidedAs(COORDINATOR_NOT_AVAILABLE),

  // Refused groups answer first.
  on(DescribeGroups)
    .needsEach(Describe, 'groups', [], {
      into: 'groups',
      place: 'first',
      graft: (groupId, errorCode) => ({ groupId, errorCode }),
    })
    .tellsOperations('groups', { field: 'authorizedOperations', name: 'groupId' }, Resource.Group)
    .undecidedAs(COORDINATOR_NOT_AVAILABLE),

  on(ListGroups).unlessCluster(Describe).shows(Describe, 'groups', 'groupId').undecidedAs(COORDINATOR_NOT_AVAILABLE),

  on(ApiVersions).saying({ needs: 'nothing; answered by the gate: its versions ∩ those of the broker behind' }),

  on(CreateTopics).plannedBy(createTopicsPlan, ['topics.name']).saying({
    needs: 'CREATE on the cluster or on each topic; DESCRIBE_CONFIGS on a topic to be told its settings',
    refused: 'TOPIC_AUTHORIZATION_FAILED on that topic, message "Authorization failed."',
    differs: 'topics are created by the principal of the gate',
  }),

  on(DeleteTopics).plannedBy(deleteTopicsPlan, ['topicNames', 'topics.name', 'topics.topicId']).saying({
    needs: 'DELETE on the cluster, or DESCRIBE and DELETE on each topic',
    refused: 'TOPIC_AUTHORIZATION_FAILED on that topic; a topic given by its id is named only to whom has DESCRIBE',
    differs: 'refused topics answer last instead of in random order; with delete.topic.enable=false they are still answered as refused',
  }),

  on(InitProducerId).plannedBy(initProducerIdPlan, ['transactionalId']).undecidedAs(COORDINATOR_NOT_AVAILABLE).saying({
    needs:
      'WRITE on the transactional id, TWO_PHASE_COMMIT too with enable2Pc; without an id IDEMPOTENT_WRITE on the cluster or WRITE on any topic',
    refused: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED, or CLUSTER_AUTHORIZATION_FAILED without an id',
  }),

  on(OffsetForLeaderEpoch)
    .unlessCluster(ClusterAction)
    .needsEach(Describe, 'topics', ['topic'], {
      into: 'topics',
      graft: ({ topic, partitions }, errorCode) => ({ topic, partitions: partitions.map(({ partition }) => ({ partition, errorCode })) }),
    })
    .undecidedAs(LEADER_NOT_AVAILABLE),

  on(DescribeCluster)
    .tellsClusterOperations('clusterAuthorizedOperations')
    .saying({ needs: 'nothing; DESCRIBE on the cluster to be told what the caller may do with it' }),

  ...transactionRules,
  ...adminRules,
  ...credentialRules,

  ...groupProtocolRules,
  ...telemetryRules,
]
