// Groups that their coordinator assigns: what is asked of consumer groups of KIP-848 and of share groups.

import { ABSENT, ADMIN, group, HIDDEN, LISTS, named, OPEN, overTopics, type Run, SEEN, type Shape, type Side, type Step } from './shapes.ts'

/** A member's own name, in v1 of heartbeats and in share groups. */
export const MEMBER = 'AAAAAAAAAAAAAAAAAAAAAA'

const join = (groupId: string, names: readonly string[], more: object = {}) => ({
  groupId,
  memberId: MEMBER,
  memberEpoch: 0,
  rebalanceTimeoutMs: 10000,
  subscribedTopicNames: names,
  topicPartitions: [],
  ...more,
})

const heartbeats = (api: string, versions: readonly [number, number]): Shape[] =>
  (['open', 'mixed', 'hidden', 'twice', 'none'] as const).map(list => ({
    api,
    shape: `joins, ${list}`,
    versions,
    body: (_side, run) => join(group(run, `eq-group-${api}-${list}`), LISTS[list]),
  }))

/** Dave's member of this group has `names`; whoever asks comes after. */
const withMember = (api: string, version: number, groupId: string, names: readonly string[]): Step[] => [
  { user: 'dave', api, version, body: join(groupId, names) },
]
const described = (api: string, heartbeat: string, version: number): Shape[] =>
  ([[OPEN], [OPEN, HIDDEN]] as const).map(names => ({
    api,
    shape: `a member of ${names.join(' and ')}`,
    before: (_side, run) => withMember(heartbeat, version, group(run, `eq-group-${api}-${names.length}`), names),
    body: (_side, run) => ({
      groupIds: [group(run, `eq-group-${api}-${names.length}`), 'other-absent', 'eq-group-absent'],
      includeAuthorizedOperations: true,
    }),
  }))

const batches = (firstOffset: bigint, lastOffset: bigint, type = 1) => [{ firstOffset, lastOffset, acknowledgeTypes: [type] }]
const partitions = (acknowledgementBatches: object[] = []) => [{ partitionIndex: 0, acknowledgementBatches }]
const topics = (side: Side, names: readonly string[], acknowledged: object[] = []) =>
  names.map(name => ({ ...named(side, name), partitions: partitions(acknowledged) }))
const shared = (run: Run, fields: object) => ({
  groupId: group(run, 'eq-group-share'),
  memberId: MEMBER,
  shareSessionEpoch: 0,
  maxWaitMs: 0,
  minBytes: 0,
  maxBytes: 1 << 20,
  maxRecords: 10,
  batchSize: 10,
  topics: [],
  forgottenTopicsData: [],
  ...fields,
})
const opened =
  (names: readonly string[]) =>
  (side: Side, run: Run): Step[] => [{ api: 'ShareFetch', version: 1, body: shared(run, { topics: topics(side, names) }) }]

/** Those who may not read what is asked for: what a broker tells of share partitions that it has just begun to load differs from run to run. */
const WITHOUT = ['alice', 'bob', 'carol', 'erin', 'frank'] as const
const withoutAny = (names: readonly string[]) => WITHOUT.filter(user => user !== 'frank' || !names.includes(SEEN))

/** Of a share session: the same id on both sides. */
export const NO_SUCH_TOPIC = 'an id that no topic has'

const shareSessions = (api: string): Shape[] => [
  { api, shape: 'no group', body: (_side, run) => shared(run, { groupId: null }) },
  { api, shape: 'group refused', body: (_side, run) => shared(run, { groupId: 'other', memberId: '' }) },
  { api, shape: 'no member', body: (_side, run) => shared(run, { memberId: '' }) },
  { api, shape: 'a long member', body: (_side, run) => shared(run, { memberId: 'x'.repeat(37) }) },
  { api, shape: 'no session', body: (side, run) => shared(run, { shareSessionEpoch: 5, topics: topics(side, [OPEN]) }) },
  { api, shape: 'no session to end', body: (side, run) => shared(run, { shareSessionEpoch: -1, topics: topics(side, [OPEN]) }) },
  {
    api,
    shape: NO_SUCH_TOPIC,
    before: opened([HIDDEN]),
    users: WITHOUT,
    body: (side, run) => shared(run, { shareSessionEpoch: 1, topics: topics(side, [ABSENT]) }),
  },
  { api, shape: `${NO_SUCH_TOPIC} at first`, body: (side, run) => shared(run, { topics: topics(side, [ABSENT]) }) },
  { api, shape: 'batches at first', body: (side, run) => shared(run, { topics: topics(side, [OPEN], batches(0n, 0n)) }) },
  {
    api,
    shape: 'an epoch that is not due',
    before: opened([HIDDEN]),
    users: WITHOUT,
    body: (side, run) => shared(run, { shareSessionEpoch: 3, topics: topics(side, [OPEN]) }),
  },
  ...([[SEEN, HIDDEN], [HIDDEN]] as const).flatMap((names): Shape[] => [
    {
      api,
      shape: `goes on with ${names.join(' and ')}`,
      before: opened(names),
      users: withoutAny(names),
      body: (side, run) => shared(run, { shareSessionEpoch: 1, topics: topics(side, [HIDDEN], batches(0n, 0n)) }),
    },
    {
      api,
      shape: `malformed batches of ${names.join(' and ')}`,
      before: opened(names),
      users: withoutAny(names),
      body: (side, run) => shared(run, { shareSessionEpoch: 1, topics: topics(side, [HIDDEN], batches(5n, 0n)) }),
    },
    {
      api,
      shape: `ends with ${names.join(' and ')}`,
      before: opened(names),
      users: withoutAny(names),
      body: (side, run) => shared(run, { shareSessionEpoch: -1, topics: topics(side, [HIDDEN], batches(0n, 0n)) }),
    },
  ]),
]

const stateTopics = (side: Side) =>
  [OPEN, HIDDEN].map(name => ({
    topicId: side.topicId(name),
    partitions: [{ partition: 0, stateEpoch: 0, leaderEpoch: 0, startOffset: 0n, deliveryCompleteCount: 0, stateBatches: [] }],
  }))

/** What brokers ask of each other. */
export const STATE_APIS = [
  'InitializeShareGroupState',
  'ReadShareGroupState',
  'WriteShareGroupState',
  'DeleteShareGroupState',
  'ReadShareGroupStateSummary',
] as const

export const GROUP_PROTOCOL_SHAPES: readonly Shape[] = [
  ...heartbeats('ConsumerGroupHeartbeat', [1, 1]),
  {
    api: 'ConsumerGroupHeartbeat',
    shape: 'not a pattern',
    versions: [1, 1],
    body: (_side, run) => ({ ...join(group(run, 'eq-group-re'), []), subscribedTopicNames: null, subscribedTopicRegex: 'a(' }),
  },
  {
    api: 'ConsumerGroupHeartbeat',
    shape: 'a pattern of nothing',
    versions: [1, 1],
    body: (_side, run) => ({ ...join(group(run, 'eq-group-re2'), []), subscribedTopicNames: null, subscribedTopicRegex: 'nothing.*' }),
  },
  ...described('ConsumerGroupDescribe', 'ConsumerGroupHeartbeat', 1),
  ...heartbeats('ShareGroupHeartbeat', [1, 1]),
  {
    api: 'ShareGroupHeartbeat',
    shape: 'group refused, no member',
    body: () => ({ ...join('other', [HIDDEN]), memberId: '' }),
  },
  { api: 'ShareGroupHeartbeat', shape: 'no member', body: (_side, run) => ({ ...join(group(run), [HIDDEN]), memberId: '' }) },
  ...described('ShareGroupDescribe', 'ShareGroupHeartbeat', 1),
  ...shareSessions('ShareFetch'),
  ...shareSessions('ShareAcknowledge'),
  {
    api: 'ShareFetch',
    shape: 'renews and fetches',
    versions: [2, 2],
    before: opened([HIDDEN]),
    users: WITHOUT,
    body: (side, run) => shared(run, { shareSessionEpoch: 1, isRenewAck: true, topics: topics(side, [HIDDEN], batches(0n, 0n, 4)) }),
  },
  {
    api: 'ShareFetch',
    shape: 'renews',
    versions: [2, 2],
    before: opened([HIDDEN]),
    users: WITHOUT,
    body: (side, run) =>
      shared(run, {
        shareSessionEpoch: 1,
        isRenewAck: true,
        maxBytes: 0,
        maxRecords: 0,
        topics: topics(side, [HIDDEN], batches(0n, 0n, 4)),
      }),
  },
  ...STATE_APIS.map((api): Shape => ({ api, shape: 'two topics', body: side => ({ groupId: 'eq-group', topics: stateTopics(side) }) })),
  ...overTopics(
    'DescribeShareGroupOffsets',
    (asked, run) => ({
      groups: [group(run, 'eq-group-so'), 'other'].map(groupId => ({ groupId, topics: asked({ partitions: [0] }).map(byTopicName) })),
    }),
    ['open', 'mixed', 'hidden', 'none', 'twice'],
  ),
  {
    api: 'DescribeShareGroupOffsets',
    shape: 'all topics',
    body: (_side, run) => ({ groups: [group(run, 'eq-group-so'), 'other'].map(groupId => ({ groupId, topics: null })) }),
  },
  ...['AlterShareGroupOffsets', 'DeleteShareGroupOffsets'].flatMap((api): Shape[] => [
    ...(
      [
        ['own', [ADMIN]],
        ['mixed', [ADMIN, SEEN, HIDDEN, ABSENT]],
        ['hidden', [HIDDEN]],
        ['none', []],
      ] as const
    ).map(
      ([shape, names]): Shape => ({
        api,
        shape,
        body: (_side, run) => ({
          groupId: group(run, 'eq-group-sa'),
          topics: names.map(topicName => ({ topicName, partitions: [{ partitionIndex: 0, startOffset: 0n }] })),
        }),
      }),
    ),
    {
      api,
      shape: 'group refused',
      body: () => ({ groupId: 'other', topics: [{ topicName: HIDDEN, partitions: [{ partitionIndex: 0, startOffset: 0n }] }] }),
    },
  ]),
]

function byTopicName({ name, ...rest }: any): object {
  return { topicName: name, ...rest }
}
