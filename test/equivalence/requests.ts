// What is asked of both sides: for each API a few shapes, written once for all versions; a body is cut to what its version has.

import { recordBatch } from '../fakes/record-batch.ts'
import { ABSENT, group, HIDDEN, named, OPEN, overTopics, partition0, SEEN, type Shape, TOPICS } from './shapes.ts'

const records = recordBatch(['a record'])

export const CLIENT_SHAPES: readonly Shape[] = [
  ...overTopics('Produce', topics => ({ acks: -1, timeoutMs: 5000, topicData: topics({ partitionData: [{ ...partition0, records }] }) })),
  {
    api: 'Produce',
    shape: 'acks=0',
    silent: true,
    body: side => ({
      acks: 0,
      timeoutMs: 5000,
      topicData: [OPEN, HIDDEN].map(name => ({ ...named(side, name), partitionData: [{ ...partition0, records }] })),
    }),
  },
  {
    api: 'Produce',
    shape: 'transactional batch, id refused',
    body: side => ({
      transactionalId: 'eq-other',
      acks: -1,
      timeoutMs: 5000,
      topicData: [
        {
          ...named(side, OPEN),
          partitionData: [
            { ...partition0, records: recordBatch(['x'], { transactional: true, producerId: 4000n, producerEpoch: 0, baseSequence: 0 }) },
          ],
        },
      ],
    }),
  },
  ...overTopics('Fetch', topics => ({
    replicaId: -1,
    maxWaitMs: 0,
    minBytes: 0,
    maxBytes: 1 << 20,
    sessionId: 0,
    sessionEpoch: -1,
    topics: topics({
      partitions: [{ ...partition0, fetchOffset: 0n, lastFetchedEpoch: -1, logStartOffset: -1n, partitionMaxBytes: 1 << 20 }],
    }),
  })),
  ...overTopics('ListOffsets', topics => ({
    replicaId: -1,
    isolationLevel: 0,
    timeoutMs: 5000,
    topics: topics({ partitions: [{ ...partition0, timestamp: -1n }] }),
  })),
  // Before version 4 a topic that is absent would be made. In the middle: 8, the first that tells what may be done.
  ...overTopics(
    'Metadata',
    topics => ({
      topics: topics({ topicId: '0'.repeat(32) }),
      allowAutoTopicCreation: false,
      includeTopicAuthorizedOperations: true,
      includeClusterAuthorizedOperations: true,
    }),
    ['open', 'mixed', 'hidden'],
    [4, 13],
  ),
  { api: 'Metadata', shape: 'all', versions: [1, 13], body: () => ({ topics: null, allowAutoTopicCreation: false }) },
  { api: 'Metadata', shape: 'all (v0)', versions: [0, 0], body: () => ({ topics: [] }) },
  { api: 'Metadata', shape: 'none', versions: [1, 13], body: () => ({ topics: [], allowAutoTopicCreation: true }) },
  {
    api: 'Metadata',
    shape: 'by id',
    versions: [12, 13],
    body: side => ({ topics: TOPICS.map(name => ({ name: null, topicId: side.topicId(name) })), allowAutoTopicCreation: false }),
  },
  { api: 'Metadata', shape: 'old, no flag', versions: [0, 3], body: () => ({ topics: [{ name: OPEN }, { name: HIDDEN }] }) },
  ...overTopics('OffsetCommit', (topics, run) => ({
    groupId: group(run),
    generationIdOrMemberEpoch: -1,
    memberId: '',
    topics: topics({ partitions: [{ ...partition0, committedOffset: 1n, committedMetadata: '' }] }),
  })),
  {
    api: 'OffsetCommit',
    shape: 'group refused',
    body: side => ({
      groupId: 'other',
      generationIdOrMemberEpoch: -1,
      memberId: '',
      topics: [{ ...named(side, OPEN), partitions: [{ ...partition0, committedOffset: 1n, committedMetadata: '' }] }],
    }),
  },
  ...overTopics('OffsetFetch', (topics, run) => {
    const asked = topics({ partitionIndexes: [0] })
    return {
      groupId: group(run),
      topics: asked,
      requireStable: false,
      groups: [group(run), 'other'].map(groupId => ({ groupId, memberId: null, memberEpoch: -1, topics: asked })),
    }
  }),
  {
    api: 'OffsetFetch',
    shape: 'all topics',
    versions: [2, 10],
    body: (_side, run) => ({ groupId: group(run), topics: null, groups: [{ groupId: group(run), topics: null }] }),
  },
  {
    api: 'OffsetFetch',
    shape: 'group refused',
    body: side => ({
      groupId: 'other',
      topics: [{ ...named(side, OPEN), partitionIndexes: [0] }],
      groups: [{ groupId: 'other', topics: null }],
    }),
  },
  ...['eq-group', 'other'].flatMap((name): Shape[] => [
    {
      api: 'FindCoordinator',
      shape: `group ${name}`,
      body: () => ({ key: name, keyType: 0, coordinatorKeys: [name, 'eq-group-2', 'other-2'] }),
    },
    {
      api: 'JoinGroup',
      shape: name,
      body: (_side, run) => ({
        groupId: group(run, name),
        sessionTimeoutMs: 10000,
        rebalanceTimeoutMs: 10000,
        memberId: '',
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: Buffer.alloc(0) }],
      }),
    },
    {
      api: 'SyncGroup',
      shape: name,
      body: (_side, run) => ({
        groupId: group(run, `${name}-s`),
        generationId: 1,
        memberId: 'nobody',
        protocolType: 'consumer',
        protocolName: 'range',
        assignments: [],
      }),
    },
    { api: 'Heartbeat', shape: name, body: (_side, run) => ({ groupId: group(run, `${name}-s`), generationId: 1, memberId: 'nobody' }) },
    {
      api: 'LeaveGroup',
      shape: name,
      body: (_side, run) => ({ groupId: group(run, `${name}-s`), memberId: 'nobody', members: [{ memberId: 'nobody' }] }),
    },
  ]),
  {
    api: 'SyncGroup',
    shape: 'no protocol',
    versions: [5, 5],
    body: () => ({ groupId: 'other', generationId: 1, memberId: 'nobody', protocolType: null, protocolName: null, assignments: [] }),
  },
  {
    api: 'FindCoordinator',
    shape: 'transactional id',
    versions: [1, 6],
    body: () => ({ key: 'eq-txn', keyType: 1, coordinatorKeys: ['eq-txn', 'eq-other'] }),
  },
  {
    api: 'FindCoordinator',
    shape: 'share',
    versions: [6, 6],
    body: () => ({ keyType: 2, coordinatorKeys: ['eq-group:AAAAAAAAAAAAAAAAAAAAAA:0'] }),
  },
  { api: 'DescribeGroups', shape: 'mixed', body: () => ({ groups: ['eq-group-none', 'other'], includeAuthorizedOperations: true }) },
  { api: 'ListGroups', shape: 'all', body: () => ({ statesFilter: [], typesFilter: [] }) },
  {
    api: 'CreateTopics',
    shape: 'mixed',
    body: (_side, run) => ({
      topics: [`eq-new-${run.user}-${run.version}`, `not-${run.user}-${run.version}`, 'twice', 'twice'].map(name => ({
        name,
        numPartitions: 1,
        replicationFactor: 1,
        assignments: [],
        configs: [],
      })),
      timeoutMs: 10000,
      validateOnly: false,
    }),
  },
  {
    api: 'DeleteTopics',
    shape: 'mixed',
    body: (_side, run) => {
      // Whoever may delete everything must leave the topics of other shapes alone.
      const own = [`eq-new-${run.user}-${run.version + 1}`, 'eq-new-absent', ABSENT]
      const names = run.user === 'dave' ? own : [...own, HIDDEN, SEEN]
      return { topicNames: names, topics: names.map(name => ({ name, topicId: '0'.repeat(32) })), timeoutMs: 10000 }
    },
  },
  {
    api: 'DeleteTopics',
    shape: 'by id',
    versions: [6, 6],
    body: (side, run) => ({
      topics: (run.user === 'dave' ? [ABSENT] : [HIDDEN, SEEN]).map(name => ({ name: null, topicId: side.topicId(name) })),
      timeoutMs: 10000,
    }),
  },
  // Version 6 is `latestVersionUnstable` in this Kafka: a broker does not offer it unless it is told to, as those of test/scenarios are.
  { api: 'InitProducerId', shape: 'no id', versions: [0, 5], body: () => ({ transactionalId: null, transactionTimeoutMs: 10000 }) },
  {
    api: 'InitProducerId',
    shape: 'id',
    versions: [0, 5],
    body: (_side, run) => ({ transactionalId: `eq-txn-${run.user}-${run.version}`, transactionTimeoutMs: 10000 }),
  },
  {
    api: 'InitProducerId',
    shape: 'id refused',
    versions: [0, 5],
    body: () => ({ transactionalId: 'eq-other', transactionTimeoutMs: 10000 }),
  },
  ...overTopics('OffsetForLeaderEpoch', topics => ({ replicaId: -1, topics: topics({ partitions: [{ ...partition0, leaderEpoch: 0 }] }) })),
  {
    api: 'ConsumerGroupHeartbeat',
    shape: 'allowed',
    versions: [0, 0],
    body: (_side, run) => ({
      groupId: group(run, 'eq-group-new'),
      memberId: '',
      memberEpoch: 0,
      rebalanceTimeoutMs: 10000,
      subscribedTopicNames: [OPEN],
      topicPartitions: [],
    }),
  },
  {
    api: 'ConsumerGroupHeartbeat',
    shape: 'a topic hidden',
    versions: [0, 0],
    body: (_side, run) => ({
      groupId: group(run, 'eq-group-new2'),
      memberId: '',
      memberEpoch: 0,
      rebalanceTimeoutMs: 10000,
      subscribedTopicNames: [OPEN, HIDDEN],
      topicPartitions: [],
    }),
  },
  {
    api: 'ConsumerGroupHeartbeat',
    shape: 'group refused',
    versions: [0, 0],
    body: () => ({
      groupId: 'other',
      memberId: '',
      memberEpoch: 0,
      rebalanceTimeoutMs: 10000,
      subscribedTopicNames: [OPEN],
      topicPartitions: [],
    }),
  },
  { api: 'DescribeCluster', shape: 'with operations', body: () => ({ includeClusterAuthorizedOperations: true, endpointType: 1 }) },
]
