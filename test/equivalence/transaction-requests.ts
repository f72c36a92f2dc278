// What is asked of both sides about transactions.

import { ABSENT, ADMIN, group, HIDDEN, named, OPEN, overTopics, partition0, type Run, type Shape } from './shapes.ts'

const producer = { producerId: 4000n, producerEpoch: 0 }
const txn = (run: Run) => `eq-txn-${run.user}-${run.version}`
/** A transaction that the world holds open on topics that not everybody may see. */
export const OPEN_TRANSACTION = 'eq-txn-open'

export const TRANSACTION_SHAPES: readonly Shape[] = [
  ...overTopics(
    'AddPartitionsToTxn',
    (topics, run) => ({
      v3AndBelowTransactionalId: txn(run),
      v3AndBelowProducerId: 4000n,
      v3AndBelowProducerEpoch: 0,
      v3AndBelowTopics: topics({ partitions: [0] }),
    }),
    ['open', 'mixed', 'hidden', 'own', 'none'],
    [0, 3],
  ),
  {
    api: 'AddPartitionsToTxn',
    shape: 'id refused',
    versions: [0, 3],
    body: () => ({
      v3AndBelowTransactionalId: 'eq-other',
      v3AndBelowProducerId: 4000n,
      v3AndBelowProducerEpoch: 0,
      v3AndBelowTopics: [{ name: OPEN, partitions: [0, 1] }],
    }),
  },
  {
    api: 'AddPartitionsToTxn',
    shape: 'internal topic, absent partition',
    versions: [0, 3],
    body: (_side, run) => ({
      v3AndBelowTransactionalId: txn(run),
      v3AndBelowProducerId: 4000n,
      v3AndBelowProducerEpoch: 0,
      v3AndBelowTopics: [
        { name: '__consumer_offsets', partitions: [0] },
        { name: OPEN, partitions: [0, 9] },
        { name: HIDDEN, partitions: [0] },
      ],
    }),
  },
  {
    api: 'AddPartitionsToTxn',
    shape: 'as brokers ask',
    versions: [4, 5],
    body: (_side, run) => ({
      transactions: [{ transactionalId: txn(run), ...producer, verifyOnly: false, topics: [{ name: OPEN, partitions: [0] }] }],
    }),
  },
  ...['eq-group', 'other'].flatMap(name =>
    ['eq-txn', 'eq-other'].map(
      (id): Shape => ({
        api: 'AddOffsetsToTxn',
        shape: `${id}, ${name}`,
        body: (_side, run) => ({ transactionalId: `${id}-${run.user}`, ...producer, groupId: group(run, name) }),
      }),
    ),
  ),
  ...['eq-txn', 'eq-other'].map(
    (id): Shape => ({
      api: 'EndTxn',
      shape: id,
      body: (_side, run) => ({ transactionalId: `${id}-${run.user}`, ...producer, committed: true }),
    }),
  ),
  {
    api: 'WriteTxnMarkers',
    shape: 'two markers',
    body: () => ({
      markers: [4001n, 4002n].map(producerId => ({
        producerId,
        producerEpoch: 0,
        transactionResult: false,
        coordinatorEpoch: 0,
        transactionVersion: 0,
        topics: [
          { name: ADMIN, partitionIndexes: [0] },
          { name: ABSENT, partitionIndexes: [0, 1] },
        ],
      })),
    }),
  },
  { api: 'WriteTxnMarkers', shape: 'none', body: () => ({ markers: [] }) },
  ...overTopics(
    'TxnOffsetCommit',
    (topics, run) => ({
      transactionalId: txn(run),
      groupId: group(run, 'eq-group-txn'),
      ...producer,
      generationIdOrMemberEpoch: -1,
      memberId: '',
      groupInstanceId: null,
      topics: topics({ partitions: [{ ...partition0, committedOffset: 1n, committedMetadata: '' }] }),
    }),
    ['open', 'mixed', 'hidden', 'none', 'twice'],
  ),
  ...[
    ['eq-other', 'eq-group'],
    ['eq-txn', 'other'],
  ].map(
    ([id, name]): Shape => ({
      api: 'TxnOffsetCommit',
      shape: `${id}, ${name}`,
      body: side => ({
        transactionalId: id,
        groupId: name,
        ...producer,
        topics: [OPEN, HIDDEN].map(topic => ({
          ...named(side, topic),
          partitions: [{ ...partition0, committedOffset: 1n, committedMetadata: null }],
        })),
      }),
    }),
  ),
  ...overTopics('DescribeProducers', topics => ({ topics: topics({ partitionIndexes: [0, 7] }) }), [
    'open',
    'mixed',
    'hidden',
    'twice',
    'none',
  ]),
  {
    api: 'DescribeProducers',
    shape: 'names that no topic has',
    body: () => ({ topics: ['', '.', '..', 'a b', 'x'.repeat(250), OPEN].map(name => ({ name, partitionIndexes: [0] })) }),
  },
  {
    api: 'DescribeTransactions',
    shape: 'mixed',
    body: () => ({ transactionalIds: ['eq-other', OPEN_TRANSACTION, 'eq-txn-none', 'eq-other'] }),
  },
  { api: 'DescribeTransactions', shape: 'none', body: () => ({ transactionalIds: [] }) },
  { api: 'DescribeTransactions', shape: 'refused', body: () => ({ transactionalIds: ['warm'] }) },
  { api: 'ListTransactions', shape: 'ongoing', body: () => ({ stateFilters: ['Ongoing'], producerIdFilters: [], durationFilter: -1n }) },
  { api: 'ListTransactions', shape: 'all', body: () => ({ stateFilters: [], producerIdFilters: [] }) },
  { api: 'ListTransactions', shape: 'no such state', body: () => ({ stateFilters: ['Dreaming'], producerIdFilters: [] }) },
]
