// What is asked of both sides by administrators, and by those who are not.

import { ABSENT, ADMIN, group, HIDDEN, OPEN, overTopics, partition0, SEEN, type Shape } from './shapes.ts'

const [TOPIC, BROKER, LOGGER, METRICS, GROUP] = [2, 4, 8, 16, 32]
const NODE = '1'
const KEYS: { readonly [type: number]: readonly string[] } = {
  [TOPIC]: ['cleanup.policy', 'retention.ms'],
  [BROKER]: ['num.io.threads'],
  [LOGGER]: ['root'],
  [METRICS]: ['interval.ms'],
  [GROUP]: ['consumer.session.timeout.ms'],
}
const resource = (resourceType: number, resourceName: string) => ({
  resourceType,
  resourceName,
  configurationKeys: KEYS[resourceType] ?? null,
})
const ALL_KINDS = [
  resource(TOPIC, HIDDEN),
  resource(TOPIC, ADMIN),
  resource(GROUP, 'other'),
  resource(BROKER, NODE),
  resource(GROUP, 'eq-group-a'),
  resource(TOPIC, ABSENT),
  resource(METRICS, 'some'),
  resource(LOGGER, NODE),
  resource(TOPIC, SEEN),
]

type Settings = readonly { name: string; value: string | null; configOperation?: number }[]
const altered = (resourceType: number, resourceName: string, configs: Settings) => ({
  resourceType,
  resourceName,
  configs: configs.map(config => ({ configOperation: 0, ...config })),
})
const retention: Settings = [{ name: 'retention.ms', value: '7200000' }]

function alterations(api: string): Shape[] {
  const shape = (name: string, resources: object[], validateOnly = true): Shape => ({
    api,
    shape: name,
    body: () => ({ resources, validateOnly }),
  })
  return [
    shape('mixed', [
      altered(TOPIC, HIDDEN, retention),
      altered(TOPIC, ADMIN, retention),
      altered(GROUP, 'other', [{ name: 'consumer.session.timeout.ms', value: '50000' }]),
      altered(GROUP, 'eq-group-a', [{ name: 'consumer.session.timeout.ms', value: '50000' }]),
      altered(TOPIC, ABSENT, retention),
      altered(METRICS, 'some', [{ name: 'interval.ms', value: '1000' }]),
    ]),
    shape('for good', [altered(TOPIC, ADMIN, retention)], false),
    shape('brokers', [
      altered(BROKER, NODE, [{ name: 'log.cleaner.threads', value: '1' }]),
      altered(BROKER, '', [{ name: 'log.cleaner.threads', value: '1' }]),
      altered(BROKER, '77', [{ name: 'log.cleaner.threads', value: '1' }]),
      altered(BROKER, 'one', [{ name: 'log.cleaner.threads', value: '1' }]),
    ]),
    // A resource that is named twice: a broker fails to count the errors of AlterConfigs, and never answers.
    ...(api === 'AlterConfigs'
      ? []
      : [shape('twice', [altered(TOPIC, HIDDEN, retention), altered(TOPIC, ADMIN, retention), altered(TOPIC, HIDDEN, [])])]),
    shape('wrong', [
      altered(TOPIC, HIDDEN, [...retention, ...retention]),
      altered(TOPIC, ADMIN, [...retention, ...retention]),
      altered(TOPIC, SEEN, [
        { name: 'retention.ms', value: null },
        { name: 'retention.bytes', value: null },
      ]),
      altered(99, 'what', retention),
    ]),
    shape('loggers', [altered(LOGGER, NODE, [{ name: 'root', value: 'INFO' }])]),
    shape('none', []),
  ]
}

export const ADMIN_SHAPES: readonly Shape[] = [
  ...overTopics('DeleteRecords', topics => ({ topics: topics({ partitions: [{ ...partition0, offset: 0n }] }), timeoutMs: 5000 }), [
    'open',
    'mixed',
    'hidden',
    'own',
    'twice',
    'none',
  ]),
  {
    api: 'DeleteRecords',
    shape: 'for good',
    body: () => ({ topics: [{ name: ADMIN, partitions: [{ partitionIndex: 0, offset: -1n }] }], timeoutMs: 5000 }),
  },
  { api: 'DescribeConfigs', shape: 'all kinds', body: () => ({ resources: ALL_KINDS, includeSynonyms: true }) },
  { api: 'DescribeConfigs', shape: 'topic', body: () => ({ resources: [{ ...resource(TOPIC, ADMIN), configurationKeys: null }] }) },
  {
    api: 'DescribeConfigs',
    shape: 'twice',
    body: () => ({ resources: [resource(TOPIC, HIDDEN), resource(TOPIC, ADMIN), resource(TOPIC, HIDDEN)] }),
  },
  { api: 'DescribeConfigs', shape: 'no such kind', body: () => ({ resources: [resource(TOPIC, ADMIN), resource(99, 'what')] }) },
  { api: 'DescribeConfigs', shape: 'none', body: () => ({ resources: [] }) },
  ...alterations('AlterConfigs'),
  ...alterations('IncrementalAlterConfigs'),
  {
    api: 'IncrementalAlterConfigs',
    shape: 'delete',
    body: () => ({
      resources: [ADMIN, HIDDEN].map(name => altered(TOPIC, name, [{ name: 'retention.ms', value: null, configOperation: 1 }])),
      validateOnly: false,
    }),
  },
  ...overTopics('CreatePartitions', topics => ({ topics: topics({ count: 2, assignments: null }), timeoutMs: 10000, validateOnly: true }), [
    'open',
    'mixed',
    'hidden',
    'twice',
    'own',
    'none',
  ]),
  {
    api: 'DeleteGroups',
    shape: 'mixed',
    body: (_side, run) => ({ groupsNames: [group(run, 'eq-group-gone'), 'other-gone', 'other-gone'] }),
  },
  { api: 'DeleteGroups', shape: 'none', body: () => ({ groupsNames: [] }) },
  ...overTopics(
    'OffsetDelete',
    // The group that OffsetCommit has made.
    (topics, run) => ({ groupId: group({ ...run, version: 2 }), topics: topics({ partitions: [partition0] }) }),
    ['open', 'mixed', 'hidden', 'none'],
  ),
  {
    api: 'OffsetDelete',
    shape: 'no such group',
    body: () => ({ groupId: 'eq-group-nobody', topics: [OPEN, HIDDEN].map(name => ({ name, partitions: [partition0] })) }),
  },
  { api: 'OffsetDelete', shape: 'group refused', body: () => ({ groupId: 'other', topics: [{ name: OPEN, partitions: [partition0] }] }) },
  ...overTopics('DescribeTopicPartitions', topics => ({ topics: topics({}), responsePartitionLimit: 2000, cursor: null }), [
    'open',
    'mixed',
    'hidden',
    'twice',
  ]),
  ...[
    { shape: 'all', topics: [], responsePartitionLimit: 2000, cursor: null },
    { shape: 'all, one at a time', topics: [], responsePartitionLimit: 1, cursor: null },
    { shape: 'all, from a hidden one', topics: [], responsePartitionLimit: 1, cursor: { topicName: HIDDEN, partitionIndex: 0 } },
    { shape: 'from a cursor', topics: [HIDDEN, OPEN, SEEN], responsePartitionLimit: 1, cursor: { topicName: OPEN, partitionIndex: 0 } },
    {
      shape: 'cursor on a hidden one',
      topics: [OPEN, HIDDEN, SEEN],
      responsePartitionLimit: 9,
      cursor: { topicName: HIDDEN, partitionIndex: 0 },
    },
    { shape: 'cursor on another', topics: [OPEN, HIDDEN], responsePartitionLimit: 9, cursor: { topicName: SEEN, partitionIndex: 0 } },
    { shape: 'negative cursor', topics: [OPEN], responsePartitionLimit: 9, cursor: { topicName: OPEN, partitionIndex: -1 } },
  ].map(
    ({ shape, topics, ...rest }): Shape => ({
      api: 'DescribeTopicPartitions',
      shape,
      body: () => ({ topics: topics.map(name => ({ name })), ...rest }),
    }),
  ),
]
