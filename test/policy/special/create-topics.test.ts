// CreateTopics as ControllerApis.scala createTopics answers it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PASS } from '../../../src/policy/outcome.ts'
import { CreateTopics } from '../../../src/protocol/messages/19-create-topics.ts'
import { answered, edited, forwarded, Given, judge, judgeAndWait, request } from '../given.ts'

const VERSIONS = [2, 3, 4, 5, 6, 7]
const ID = 'aa'.repeat(16)
const create = (version: number, ...names: string[]) =>
  request(CreateTopics, version, { topics: names.map(name => ({ name, numPartitions: 1, replicationFactor: 1 })) })
const names = (list: any[]) => list.map(topic => topic.name)

test('refused topics are not created and answer last', async () => {
  for (const version of VERSIONS) {
    const caller = new Given({ allow: ['Create Topic:yes', 'DescribeConfigs Topic:yes'] })
    const outcome = judge(CreateTopics, version, create(version, 'no', 'yes'), caller)
    assert.deepEqual(names(forwarded(CreateTopics, version, outcome).topics), ['yes'])
    const { topics } = await edited(CreateTopics, version, outcome, {
      topics: [{ name: 'yes', topicId: ID, errorMessage: null, numPartitions: 1 }],
    })
    assert.deepEqual(names(topics), ['yes', 'no'])
    const [yes, no] = topics
    assert.deepEqual([no.errorCode, no.errorMessage], [29, 'Authorization failed.'])
    assert.deepEqual([yes.errorCode, yes.errorMessage], [0, null])
    if (version >= 5)
      assert.deepEqual([no.numPartitions, no.replicationFactor, no.configs, no.topicConfigErrorCode], [-1, -1, [], undefined])
    if (version >= 5) assert.equal(yes.numPartitions, 1)
    if (version >= 7) assert.deepEqual([no.topicId, yes.topicId], ['00'.repeat(16), ID])
    assert.deepEqual(caller.told.slice(0, 1), ['refused Create Topic:no 29'])
  }
})

test('what goes to the broker says that topics move, what is answered here does not', () => {
  for (const version of VERSIONS) {
    const caller = new Given({ allow: ['Create Topic:yes', 'DescribeConfigs Topic:yes'] })
    judge(CreateTopics, version, create(version, 'no'), caller)
    assert.equal(caller.moves, 0)
    judge(CreateTopics, version, create(version, 'no', 'yes'), caller)
    assert.equal(caller.moves, 1)
  }
})

test('CREATE on the cluster creates any topic that no rule denies', () => {
  const ruled = new Given({ allow: ['Create Cluster:kafka-cluster'], denied: ['Create Topic:b'] })
  assert.deepEqual(names(forwarded(CreateTopics, 4, judge(CreateTopics, 4, create(4, 'a', 'b'), ruled)).topics), ['a'])
  const caller = new Given({ allow: ['Create Cluster:kafka-cluster'] })
  assert.equal(judge(CreateTopics, 4, create(4, 'a', 'b'), caller), PASS)
})

test('settings of a created topic are told only with DESCRIBE_CONFIGS', async () => {
  for (const version of [5, 6, 7]) {
    const caller = new Given({ allow: ['Create Cluster:kafka-cluster', 'DescribeConfigs Topic:open'] })
    const outcome = judge(CreateTopics, version, create(version, 'shut', 'open', 'old'), caller)
    assert.equal(forwarded(CreateTopics, version, outcome), null)
    const made = (name: string) => ({
      name,
      topicId: ID,
      errorMessage: null,
      numPartitions: 3,
      replicationFactor: 2,
      configs: [{ name: 'retention.ms', value: '1', readOnly: false, configSource: 5, isSensitive: false }],
    })
    const old = { name: 'old', errorCode: 36, errorMessage: 'Topic exists.' }
    const { topics } = await edited(CreateTopics, version, outcome, { topics: [made('shut'), made('open'), old] })
    const [shut, open, failed] = topics
    assert.deepEqual(
      [shut.errorCode, shut.topicConfigErrorCode, shut.numPartitions, shut.replicationFactor, shut.configs],
      [0, 29, -1, -1, []],
    )
    assert.deepEqual([open.topicConfigErrorCode, open.numPartitions, open.replicationFactor, open.configs.length], [undefined, 3, 2, 1])
    assert.deepEqual([failed.errorCode, failed.topicConfigErrorCode], [36, undefined])
    if (version === 7) assert.equal(shut.topicId, ID)
    assert.deepEqual(caller.told, version === 7 ? [`learned shut ${ID}`, `learned open ${ID}`] : [], 'the probe is quiet')
  }
})

test('a name that stands twice, and the metadata log, are invalid for everybody', () => {
  const caller = new Given({ allow: ['Create Cluster:kafka-cluster'] })
  const outcome = judge(CreateTopics, 7, create(7, 'twice', '__cluster_metadata', 'twice'), caller)
  const { topics } = answered(CreateTopics, 7, outcome)
  assert.deepEqual(
    topics.map((t: any) => [t.name, t.errorCode, t.errorMessage]),
    [
      ['twice', 42, 'Duplicate topic name.'],
      ['__cluster_metadata', 42, 'Creation of internal topic __cluster_metadata is prohibited.'],
    ],
  )
  assert.deepEqual(caller.told, [])
})

test('undecided closes the connection: clients take every answer for final', async () => {
  const caller = new Given({ allow: ['Create Topic:yes'], undecided: ['Create Topic:maybe'] })
  assert.deepEqual(await judgeAndWait(CreateTopics, 4, create(4, 'yes', 'maybe'), caller), { kind: 'close', cause: 'undecided' })
  assert.deepEqual(caller.told, ['undecided Create Topic:maybe'])
})
