// The rows of transactions: what a transactional producer asks, and what is asked about transactions.

import { AddPartitionsToTxn } from '../protocol/messages/24-add-partitions-to-txn.ts'
import { AddOffsetsToTxn } from '../protocol/messages/25-add-offsets-to-txn.ts'
import { EndTxn } from '../protocol/messages/26-end-txn.ts'
import { WriteTxnMarkers } from '../protocol/messages/27-write-txn-markers.ts'
import { TxnOffsetCommit } from '../protocol/messages/28-txn-offset-commit.ts'
import { DescribeProducers } from '../protocol/messages/61-describe-producers.ts'
import { DescribeTransactions } from '../protocol/messages/65-describe-transactions.ts'
import { ListTransactions } from '../protocol/messages/66-list-transactions.ts'
import { COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE } from './answers.ts'
import { Operation } from './authorizer.ts'
import { on, type Rule } from './rows.ts'
import { addPartitionsToTxnPlan } from './special/add-partitions-to-txn.ts'
import { describeProducersPlan } from './special/describe-producers.ts'

const { Read, Write, Alter, Describe, ClusterAction } = Operation

export const transactionRules: readonly Rule[] = [
  on(AddPartitionsToTxn)
    .plannedBy(addPartitionsToTxnPlan, [
      'v3AndBelowTransactionalId',
      'v3AndBelowTopics.name',
      'transactions.transactionalId',
      'transactions.topics.name',
    ])
    .undecidedAs(COORDINATOR_NOT_AVAILABLE)
    .saying({
      needs: 'WRITE on the transactional id, then WRITE on each topic; from v4 on brokers ask this of one another',
      refused:
        'TRANSACTIONAL_ID_AUTHORIZATION_FAILED on each partition; TOPIC_AUTHORIZATION_FAILED on those of refused topics and OPERATION_NOT_ATTEMPTED on the rest; from v4 on CLUSTER_AUTHORIZATION_FAILED',
      differs: 'from v4 on refused, whoever asks: brokers do not come through the gate',
    }),

  on(AddOffsetsToTxn).needs(Write, 'transactionalId').needs(Read, 'groupId').undecidedAs(COORDINATOR_NOT_AVAILABLE),

  on(EndTxn).needs(Write, 'transactionalId').undecidedAs(COORDINATOR_NOT_AVAILABLE),

  // Sent by brokers, and by Admin.abortTransaction.
  on(WriteTxnMarkers)
    .unlessCluster(Alter)
    .needsCluster(ClusterAction)
    .refusedAs((errorCode, _version, request) => ({ markers: markersOf(request().markers, errorCode) }))
    .saying({ refused: 'CLUSTER_AUTHORIZATION_FAILED on each partition of each marker' }),

  on(TxnOffsetCommit)
    .needs(Write, 'transactionalId')
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

  on(DescribeProducers).plannedBy(describeProducersPlan, ['topics.name']).saying({
    needs: 'READ on each topic',
    refused: 'TOPIC_AUTHORIZATION_FAILED on each partition of a refused topic; a name that no topic can have is told so first',
  }),

  on(DescribeTransactions)
    .needsEach(Describe, 'transactionalIds', [], {
      into: 'transactionStates',
      place: 'in order',
      graft: (transactionalId, errorCode) => ({ transactionalId, errorCode }),
    })
    .showsIn(Describe, 'transactionStates.topics', 'topic')
    .undecidedAs(COORDINATOR_NOT_AVAILABLE),

  on(ListTransactions).shows(Describe, 'transactionStates', 'transactionalId').undecidedAs(COORDINATOR_LOAD_IN_PROGRESS),
]

type Marker = { producerId: bigint; topics: { name: string; partitionIndexes: number[] }[] }

/** Markers of one producer are answered as one, their topics once: WriteTxnMarkersRequest.getErrorResponse, whose last marker wins. */
function markersOf(markers: readonly Marker[], errorCode: number) {
  const byProducer = new Map(markers.map(marker => [marker.producerId, marker]))
  return [...byProducer.values()].map(({ producerId, topics }) => {
    const partitionsOf = new Map<string, Set<number>>()
    for (const { name, partitionIndexes } of topics) {
      const known = partitionsOf.get(name) ?? new Set()
      for (const partition of partitionIndexes) known.add(partition)
      partitionsOf.set(name, known)
    }
    const answered = [...partitionsOf].filter(([, partitions]) => partitions.size > 0)
    return {
      producerId,
      topics: answered.map(([name, partitions]) => ({
        name,
        partitions: [...partitions].map(partitionIndex => ({ partitionIndex, errorCode })),
      })),
    }
  })
}
