// The rows of groups that their coordinator assigns: consumer groups of KIP-848, share groups (KIP-932) and streams groups (KIP-1071).

import { ConsumerGroupHeartbeat } from '../protocol/messages/68-consumer-group-heartbeat.ts'
import { ConsumerGroupDescribe } from '../protocol/messages/69-consumer-group-describe.ts'
import { ShareGroupHeartbeat } from '../protocol/messages/76-share-group-heartbeat.ts'
import { ShareGroupDescribe } from '../protocol/messages/77-share-group-describe.ts'
import { ShareFetch } from '../protocol/messages/78-share-fetch.ts'
import { ShareAcknowledge } from '../protocol/messages/79-share-acknowledge.ts'
import { InitializeShareGroupState } from '../protocol/messages/83-initialize-share-group-state.ts'
import { ReadShareGroupState } from '../protocol/messages/84-read-share-group-state.ts'
import { WriteShareGroupState } from '../protocol/messages/85-write-share-group-state.ts'
import { DeleteShareGroupState } from '../protocol/messages/86-delete-share-group-state.ts'
import { ReadShareGroupStateSummary } from '../protocol/messages/87-read-share-group-state-summary.ts'
import { StreamsGroupHeartbeat } from '../protocol/messages/88-streams-group-heartbeat.ts'
import { StreamsGroupDescribe } from '../protocol/messages/89-streams-group-describe.ts'
import { DescribeShareGroupOffsets } from '../protocol/messages/90-describe-share-group-offsets.ts'
import { AlterShareGroupOffsets } from '../protocol/messages/91-alter-share-group-offsets.ts'
import { DeleteShareGroupOffsets } from '../protocol/messages/92-delete-share-group-offsets.ts'
import { StreamsGroupTopologyDescriptionUpdate } from '../protocol/messages/93-streams-group-topology-description-update.ts'
import { COORDINATOR_NOT_AVAILABLE } from './answers.ts'
import { Operation } from './authorizer.ts'
import { on, type Rule } from './rows.ts'
import { consumerGroupHeartbeatPlan } from './special/consumer-group-heartbeat.ts'
import { describedConsumerGroups, describedShareGroups, describedStreamsGroups, groupDescribePlan } from './special/group-describe.ts'
import { shareAcknowledgePlan } from './special/share-acknowledge.ts'
import { shareFetchPlan } from './special/share-fetch.ts'
import { shareGroupHeartbeatPlan } from './special/share-group-heartbeat.ts'
import { alterShareGroupOffsetsPlan, deleteShareGroupOffsetsPlan } from './special/share-group-offsets.ts'
import { describeShareGroupOffsetsPlan } from './special/share-group-offsets-described.ts'
import { shareGroupStatePlan } from './special/share-group-state.ts'
import { streamsGroupHeartbeatPlan } from './special/streams-group-heartbeat.ts'

const { Read } = Operation

const HIDES_GROUP = {
  needs: 'DESCRIBE on each group, then DESCRIBE on every topic that its members are assigned',
  refused: 'GROUP_AUTHORIZATION_FAILED for that group; TOPIC_AUTHORIZATION_FAILED instead of a group with a topic without DESCRIBE',
}
const SHARE_STATE = [
  InitializeShareGroupState,
  ReadShareGroupState,
  WriteShareGroupState,
  DeleteShareGroupState,
  ReadShareGroupStateSummary,
]

export const groupProtocolRules: readonly Rule[] = [
  on(ConsumerGroupHeartbeat)
    .plannedBy(consumerGroupHeartbeatPlan, ['groupId', 'subscribedTopicNames'])
    .undecidedAs(COORDINATOR_NOT_AVAILABLE)
    .saying({
      needs:
        'READ on the group, then DESCRIBE on every topic that it names; of those that a pattern matches, the ones without it are left out',
      refused: 'GROUP_AUTHORIZATION_FAILED or TOPIC_AUTHORIZATION_FAILED for the request',
      differs:
        'a pattern is resolved by the gate, to the names that this member may describe, and the coordinator is told names; topics that are made through the gate are noticed within a second or two, others within 30 s; a pattern that takes more than 2 s to match all topics is told INVALID_REGULAR_EXPRESSION',
    }),

  on(ConsumerGroupDescribe)
    .plannedBy(groupDescribePlan(describedConsumerGroups(ConsumerGroupDescribe)), ['groupIds'])
    .undecidedAs(COORDINATOR_NOT_AVAILABLE)
    .saying({ ...HIDES_GROUP, differs: 'a member that subscribes by a pattern is shown with the names that the gate resolved it to' }),

  on(ShareGroupHeartbeat)
    .plannedBy(shareGroupHeartbeatPlan, ['groupId', 'subscribedTopicNames'])
    .undecidedAs(COORDINATOR_NOT_AVAILABLE)
    .saying({
      needs: 'READ on the group, then DESCRIBE on every topic that it names',
      refused: 'GROUP_AUTHORIZATION_FAILED or TOPIC_AUTHORIZATION_FAILED for the request',
    }),

  on(ShareGroupDescribe)
    .plannedBy(groupDescribePlan(describedShareGroups(ShareGroupDescribe)), ['groupIds'])
    .undecidedAs(COORDINATOR_NOT_AVAILABLE)
    .saying(HIDES_GROUP),

  on(ShareFetch).plannedBy(shareFetchPlan, ['groupId', 'topics.topicId', 'forgottenTopicsData.topicId']).undecidedAs(6).saying({
    needs: 'READ on the group, and READ on each topic of the share session, at every request; a topic that is forgotten needs nothing',
    refused:
      'GROUP_AUTHORIZATION_FAILED for the request; TOPIC_AUTHORIZATION_FAILED on each partition of a refused topic, for its records and for its acknowledgements',
    differs:
      'a session serves only the connection that opened it, others are told SHARE_SESSION_NOT_FOUND; an id that no topic has is told UNKNOWN_TOPIC_ID, where a broker with an authorizer fails with UNKNOWN_SERVER_ERROR',
  }),

  on(ShareAcknowledge).plannedBy(shareAcknowledgePlan, ['groupId', 'topics.topicId']).undecidedAs(6).saying({
    needs: 'READ on the group, and READ on each topic whose records are acknowledged',
    refused: 'GROUP_AUTHORIZATION_FAILED for the request; TOPIC_AUTHORIZATION_FAILED on each partition of a refused topic',
    differs: 'as ShareFetch',
  }),

  ...SHARE_STATE.map(api =>
    on(api).plannedBy(shareGroupStatePlan(api), ['topics.topicId']).saying({
      needs: 'CLUSTER_ACTION on the cluster, which nobody has here',
      refused: 'CLUSTER_AUTHORIZATION_FAILED on each partition',
      differs: 'refused whoever asks: only brokers ask it, of each other',
    }),
  ),

  on(StreamsGroupHeartbeat)
    .plannedBy(streamsGroupHeartbeatPlan, [
      'groupId',
      'topology.subtopologies.sourceTopics',
      'topology.subtopologies.stateChangelogTopics.name',
      'topology.subtopologies.repartitionSinkTopics',
      'topology.subtopologies.repartitionSourceTopics.name',
    ])
    .undecidedAs(COORDINATOR_NOT_AVAILABLE)
    .saying({
      needs:
        'READ on the group, then DESCRIBE on every topic of the topology; CREATE on the cluster or on each internal topic that is not there yet',
      refused: 'GROUP_AUTHORIZATION_FAILED or TOPIC_AUTHORIZATION_FAILED for the request',
      differs:
        'without CREATE the heartbeat that brings the topology is refused, where Kafka lets it pass and makes no topic; source topics by a pattern are INVALID_REQUEST, as Kafka 4.4 has it, also before a broker that comes to match them against all topics; missing topics are made by the principal of the gate, also when they are deleted later',
    }),

  on(StreamsGroupDescribe)
    .plannedBy(groupDescribePlan(describedStreamsGroups(StreamsGroupDescribe)), ['groupIds'])
    .undecidedAs(COORDINATOR_NOT_AVAILABLE)
    .saying({ ...HIDES_GROUP, needs: 'DESCRIBE on each group, then DESCRIBE on every topic of its topology' }),

  on(DescribeShareGroupOffsets)
    .plannedBy(describeShareGroupOffsetsPlan, ['groups.groupId', 'groups.topics.topicName'])
    .undecidedAs(COORDINATOR_NOT_AVAILABLE)
    .saying({
      needs: 'DESCRIBE on each group, then DESCRIBE on each topic',
      refused:
        'GROUP_AUTHORIZATION_FAILED for that group; TOPIC_AUTHORIZATION_FAILED on each partition of a refused topic; of all topics, those without DESCRIBE are left out',
    }),

  on(AlterShareGroupOffsets)
    .plannedBy(alterShareGroupOffsetsPlan, ['groupId', 'topics.topicName'])
    .undecidedAs(COORDINATOR_NOT_AVAILABLE)
    .saying({
      needs: 'READ on the group, then READ on each topic',
      refused: 'GROUP_AUTHORIZATION_FAILED for the request; TOPIC_AUTHORIZATION_FAILED on each partition of a refused topic',
    }),

  on(DeleteShareGroupOffsets)
    .plannedBy(deleteShareGroupOffsetsPlan, ['groupId', 'topics.topicName'])
    .undecidedAs(COORDINATOR_NOT_AVAILABLE)
    .saying({
      needs: 'DELETE on the group, then READ on each topic',
      refused: 'GROUP_AUTHORIZATION_FAILED for the request; TOPIC_AUTHORIZATION_FAILED for a refused topic',
    }),

  // KIP-1331: a description changes nothing of the group; the topics that it names are not judged.
  on(StreamsGroupTopologyDescriptionUpdate).needs(Read, 'groupId').undecidedAs(COORDINATOR_NOT_AVAILABLE),
]
