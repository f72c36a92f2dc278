// The rows of administration: topics' and groups' own settings, and what concerns the cluster as a whole.

import { DeleteRecords } from '../protocol/messages/21-delete-records.ts'
import { DescribeConfigs } from '../protocol/messages/32-describe-configs.ts'
import { AlterConfigs } from '../protocol/messages/33-alter-configs.ts'
import { AlterReplicaLogDirs } from '../protocol/messages/34-alter-replica-log-dirs.ts'
import { DescribeLogDirs } from '../protocol/messages/35-describe-log-dirs.ts'
import { CreatePartitions } from '../protocol/messages/37-create-partitions.ts'
import { DeleteGroups } from '../protocol/messages/42-delete-groups.ts'
import { ElectLeaders } from '../protocol/messages/43-elect-leaders.ts'
import { IncrementalAlterConfigs } from '../protocol/messages/44-incremental-alter-configs.ts'
import { AlterPartitionReassignments } from '../protocol/messages/45-alter-partition-reassignments.ts'
import { ListPartitionReassignments } from '../protocol/messages/46-list-partition-reassignments.ts'
import { OffsetDelete } from '../protocol/messages/47-offset-delete.ts'
import { DescribeClientQuotas } from '../protocol/messages/48-describe-client-quotas.ts'
import { AlterClientQuotas } from '../protocol/messages/49-alter-client-quotas.ts'
import { DescribeQuorum } from '../protocol/messages/55-describe-quorum.ts'
import { UpdateFeatures } from '../protocol/messages/57-update-features.ts'
import { UnregisterBroker } from '../protocol/messages/64-unregister-broker.ts'
import { ListConfigResources } from '../protocol/messages/74-list-config-resources.ts'
import { DescribeTopicPartitions } from '../protocol/messages/75-describe-topic-partitions.ts'
import { AddRaftVoter } from '../protocol/messages/80-add-raft-voter.ts'
import { RemoveRaftVoter } from '../protocol/messages/81-remove-raft-voter.ts'
import { UnregisterController } from '../protocol/messages/94-unregister-controller.ts'
import { COORDINATOR_NOT_AVAILABLE, defaultText, LEADER_NOT_AVAILABLE } from './answers.ts'
import { Operation } from './authorizer.ts'
import { on, type Rule } from './rows.ts'
import { alterConfigsPlan, incrementalAlterConfigsPlan } from './special/alter-configs.ts'
import { createPartitionsPlan } from './special/create-partitions.ts'
import { describeConfigsPlan } from './special/describe-configs.ts'
import { describeTopicPartitionsPlan } from './special/describe-topic-partitions.ts'

const { Read, Delete, Alter, Describe, DescribeConfigs: DescribeSettings, AlterConfigs: AlterSettings } = Operation

/** The error and Kafka's text for it: KafkaApis.handleError writes the request there, which nobody needs. */
const told = (errorCode: number) => ({ errorCode, errorMessage: defaultText(errorCode) })

/** Kafka checks no single topic of these: the right on the cluster is all that is asked (ControllerApis.scala, KafkaApis.scala). */
const WHOLE = 'CLUSTER_AUTHORIZATION_FAILED for the request'
const WHOLE_AND_PARTITIONS = 'CLUSTER_AUTHORIZATION_FAILED for the request and on each partition'

export const adminRules: readonly Rule[] = [
  on(DeleteRecords)
    .needsEach(Delete, 'topics', ['name'], {
      into: 'topics',
      merged: 'once',
      graft: ({ name, partitions }, errorCode) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, lowWatermark: -1n, errorCode })),
      }),
    })
    .undecidedAs(LEADER_NOT_AVAILABLE),

  on(DescribeConfigs).plannedBy(describeConfigsPlan, []).saying({
    needs: 'DESCRIBE_CONFIGS on each topic and group; on the cluster for brokers, their loggers and client metrics',
    refused: 'TOPIC_, GROUP_ or CLUSTER_AUTHORIZATION_FAILED for that resource, behind the others',
    differs: 'addresses in the settings of a broker (listeners, voters) are not shown',
  }),

  on(AlterConfigs).plannedBy(alterConfigsPlan, []).saying({
    needs: 'ALTER_CONFIGS on each topic and group; on the cluster for brokers and client metrics',
    refused: 'TOPIC_, GROUP_ or CLUSTER_AUTHORIZATION_FAILED for that resource',
  }),

  on(AlterReplicaLogDirs)
    .needsCluster(Alter)
    .refusedAs((errorCode, _version, request) => ({
      results: request().dirs.flatMap(({ topics }) =>
        topics.map(({ name, partitions }) => ({
          topicName: name,
          partitions: partitions.map(partitionIndex => ({ partitionIndex, errorCode })),
        })),
      ),
    }))
    .saying({ refused: 'CLUSTER_AUTHORIZATION_FAILED on each partition' }),

  on(DescribeLogDirs)
    .needsCluster(Describe)
    .refusedAs(errorCode => ({ errorCode, results: [] }))
    .saying({ refused: `${WHOLE}; before v3 an empty list` }),

  on(CreatePartitions).plannedBy(createPartitionsPlan, ['topics.name']).saying({
    needs: 'ALTER on each topic',
    refused: 'TOPIC_AUTHORIZATION_FAILED for that topic, the others are served',
  }),

  on(DeleteGroups)
    .needsEach(Delete, 'groupsNames', [], { into: 'results', merged: 'once', graft: (groupId, errorCode) => ({ groupId, errorCode }) })
    .undecidedAs(COORDINATOR_NOT_AVAILABLE),

  on(ElectLeaders)
    .needsCluster(Alter)
    .refusedAs((errorCode, _version, request) => ({
      errorCode,
      replicaElectionResults: (request().topicPartitions ?? []).map(({ topic, partitions }) => ({
        topic,
        partitionResult: partitions.map(partitionId => ({ partitionId, ...told(errorCode) })),
      })),
    }))
    .saying({ refused: WHOLE_AND_PARTITIONS }),

  on(IncrementalAlterConfigs).plannedBy(incrementalAlterConfigsPlan, []).saying({
    needs: 'ALTER_CONFIGS on each topic and group; on the cluster for brokers, their loggers and client metrics',
    refused: 'TOPIC_, GROUP_ or CLUSTER_AUTHORIZATION_FAILED for that resource',
  }),

  on(AlterPartitionReassignments)
    .needsCluster(Alter)
    .refusedAs((errorCode, _version, request) => ({
      ...told(errorCode),
      responses: request().topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, ...told(errorCode) })),
      })),
    }))
    .saying({ refused: WHOLE_AND_PARTITIONS }),

  on(ListPartitionReassignments)
    .needsCluster(Describe)
    .refusedAs((errorCode, _version, request) => ({
      ...told(errorCode),
      topics: (request().topics ?? []).map(({ name, partitionIndexes }) => ({
        name,
        partitions: partitionIndexes.map(partitionIndex => ({ partitionIndex })),
      })),
    }))
    .saying({ refused: `${WHOLE}; it names the partitions that were asked for` }),

  on(OffsetDelete)
    .needs(Delete, 'groupId')
    .needsEach(Read, 'topics', ['name'], {
      into: 'topics',
      place: 'first',
      merged: 'all',
      evenNone: true,
      graft: ({ name, partitions }, errorCode) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
      }),
    })
    .refusedAs(errorCode => ({ errorCode }))
    .undecidedAs(COORDINATOR_NOT_AVAILABLE),

  on(DescribeClientQuotas)
    .needsCluster(DescribeSettings)
    .refusedAs(errorCode => ({ errorCode, errorMessage: null, entries: null }))
    .saying({ refused: WHOLE }),

  on(AlterClientQuotas)
    .needsCluster(AlterSettings)
    .refusedAs((errorCode, _version, request) => ({
      entries: request().entries.map(({ entity }) => ({ ...told(errorCode), entity })),
    }))
    .saying({ refused: 'CLUSTER_AUTHORIZATION_FAILED for each entry' }),

  on(DescribeQuorum)
    .needsCluster(Describe)
    .refusedAs(told)
    .blanking(response => {
      for (const node of response.nodes ?? []) node.listeners = []
    })
    .saying({ refused: WHOLE, differs: 'the addresses of controllers are not shown' }),

  on(UpdateFeatures).needsCluster(Alter).refusedAs(told).saying({ refused: WHOLE }),

  on(UnregisterBroker).needsCluster(Alter).refusedAs(told).saying({ refused: WHOLE }),

  on(ListConfigResources)
    .needsCluster(DescribeSettings)
    .refusedAs(errorCode => ({ errorCode }))
    .saying({ refused: `${WHOLE}; topics and groups are not judged one by one, as in Kafka` }),

  on(DescribeTopicPartitions)
    .plannedBy(describeTopicPartitionsPlan, ['topics.name', 'cursor.topicName'])
    .undecidedAs(LEADER_NOT_AVAILABLE)
    .saying({
      needs: 'DESCRIBE on each topic',
      refused: 'TOPIC_AUTHORIZATION_FAILED on a topic that was named; of all topics, those without DESCRIBE are left out',
    }),

  on(AddRaftVoter).needsCluster(Alter).refusedAs(told).saying({ refused: WHOLE }),

  on(RemoveRaftVoter).needsCluster(Alter).refusedAs(told).saying({ refused: WHOLE }),

  on(UnregisterController).needsCluster(Alter).refusedAs(told).saying({ refused: WHOLE }),
]
