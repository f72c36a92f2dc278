// Rows of administration: rights on the cluster open or close a request as a whole; groups and offsets are judged one by one.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PASS } from '../../src/policy/outcome.ts'
import { offeredBy } from '../../src/policy/plan.ts'
import { rules } from '../../src/policy/rules.ts'
import { CreatePartitions } from '../../src/protocol/messages/37-create-partitions.ts'
import { DeleteGroups } from '../../src/protocol/messages/42-delete-groups.ts'
import { OffsetDelete } from '../../src/protocol/messages/47-offset-delete.ts'
import { DescribeQuorum } from '../../src/protocol/messages/55-describe-quorum.ts'
import { GetTelemetrySubscriptions } from '../../src/protocol/messages/71-get-telemetry-subscriptions.ts'
import { PushTelemetry } from '../../src/protocol/messages/72-push-telemetry.ts'
import { answered, edited, forwarded, Given, judge, judgeAndWait, request } from './given.ts'

const CLUSTER = 'Cluster:kafka-cluster'
/** What a broker asks for, read in KafkaApis.scala and ControllerApis.scala. */
const NEEDED: { readonly [api: string]: string } = {
  AlterReplicaLogDirs: 'Alter',
  DescribeLogDirs: 'Describe',
  ElectLeaders: 'Alter',
  AlterPartitionReassignments: 'Alter',
  ListPartitionReassignments: 'Describe',
  DescribeClientQuotas: 'DescribeConfigs',
  AlterClientQuotas: 'AlterConfigs',
  DescribeQuorum: 'Describe',
  UpdateFeatures: 'Alter',
  UnregisterBroker: 'Alter',
  UnregisterController: 'Alter',
  ListConfigResources: 'DescribeConfigs',
  AddRaftVoter: 'Alter',
  RemoveRaftVoter: 'Alter',
}
const gates = rules.filter(rule => rule.api.name in NEEDED)
const bodyOf = (api: string): object => (api === 'AddRaftVoter' || api === 'RemoveRaftVoter' ? { voterDirectoryId: '0'.repeat(32) } : {})

test('a right on the cluster opens a request as a whole, and nothing else does', () => {
  assert.equal(gates.length, Object.keys(NEEDED).length)
  for (const { api } of gates) {
    for (let version = api.versions.min; version <= api.versions.max; version++) {
      const frame = request(api, version, bodyOf(api.name))
      const right = `${NEEDED[api.name]} ${CLUSTER}`

      const opened = judge(api, version, frame, new Given({ allow: [right] }))
      const others = ['Alter', 'Describe', 'DescribeConfigs', 'AlterConfigs', 'Create', 'ClusterAction'].map(o => `${o} ${CLUSTER}`)
      const caller = new Given({ allow: others.filter(other => other !== right) })
      const closed = answered(api, version, judge(api, version, frame, caller))

      if (api !== DescribeQuorum) assert.equal(opened, PASS, `${api.name} v${version}`)
      if ('errorCode' in closed) assert.equal(closed.errorCode, 31, `${api.name} v${version}`)
      assert.deepEqual(caller.told, [`refused ${right} 31`])
    }
  }
})

test('a right that is not known is waited for; one that nobody answers for closes the connection', async () => {
  for (const { api } of gates) {
    const version = api.versions.max
    const right = `${NEEDED[api.name]} ${CLUSTER}`
    const frame = request(api, version, bodyOf(api.name))
    assert.equal((await judgeAndWait(api, version, frame, new Given({ allow: [right], later: [right] }))).kind, 'forward')
    assert.equal((await judgeAndWait(api, version, frame, new Given({ later: [right] }))).kind, 'answer')
    const outcome = await judgeAndWait(api, version, frame, new Given({ allow: [right], undecided: [right] }))
    assert.deepEqual(outcome, { kind: 'close', cause: 'undecided' })
  }
})

test('the addresses of controllers are not shown', async () => {
  const caller = new Given({ allow: [`Describe ${CLUSTER}`] })
  const nodes = [{ nodeId: 1, listeners: [{ name: 'CONTROLLER', host: '10.1.2.3', port: 9093 }] }]

  const answer = await edited(DescribeQuorum, 2, judge(DescribeQuorum, 2, request(DescribeQuorum, 2, {}), caller), { nodes })

  assert.deepEqual(answer.nodes, [{ nodeId: 1, listeners: [] }])
})

test('groups are deleted one by one, and each is told of once', async () => {
  for (const version of [0, 1, 2, 3]) {
    const frame = request(DeleteGroups, version, { groupsNames: ['no', 'yes', 'no'] })
    const outcome = judge(DeleteGroups, version, frame, new Given({ allow: ['Delete Group:yes'] }))

    assert.deepEqual(forwarded(DeleteGroups, version, outcome).groupsNames, ['yes'])
    const { results } = await edited(DeleteGroups, version, outcome, { results: [{ groupId: 'yes', errorCode: 69 }] })
    assert.deepEqual(
      results.map((r: any) => `${r.groupId} ${r.errorCode}`),
      ['yes 69', 'no 30'],
    )
  }
})

test('offsets: the coordinator is asked even for no topic, and its error of the group is all that is told', async () => {
  const frame = request(OffsetDelete, 0, { groupId: 'g', topics: [{ name: 'no', partitions: [{ partitionIndex: 0 }] }] })
  const outcome = judge(OffsetDelete, 0, frame, new Given({ allow: ['Delete Group:g'] }))

  assert.deepEqual(forwarded(OffsetDelete, 0, outcome), { groupId: 'g', topics: [] })
  const refused = { name: 'no', partitions: [{ partitionIndex: 0, errorCode: 29 }] }
  assert.deepEqual((await edited(OffsetDelete, 0, outcome, { errorCode: 0, topics: [] })).topics, [refused])
  assert.deepEqual((await edited(OffsetDelete, 0, outcome, { errorCode: 69, topics: [] })).topics, [])
  assert.equal(answered(OffsetDelete, 0, judge(OffsetDelete, 0, frame, new Given())).errorCode, 30)
})

test('partitions: a topic that is named twice is invalid whoever asks, and told of once', async () => {
  const topic = (name: string) => ({ name, count: 3, assignments: null })
  const body = { topics: ['twice', 'no', 'twice', 'yes'].map(topic), timeoutMs: 1, validateOnly: false }
  const outcome = judge(
    CreatePartitions,
    3,
    request(CreatePartitions, 3, body),
    new Given({ allow: ['Alter Topic:yes', 'Alter Topic:twice'] }),
  )

  assert.deepEqual(
    forwarded(CreatePartitions, 3, outcome).topics.map((t: any) => t.name),
    ['yes'],
  )
  const { results } = await edited(CreatePartitions, 3, outcome, { results: [{ name: 'yes', errorCode: 0, errorMessage: null }] })
  assert.deepEqual(
    results.map((r: any) => `${r.name} ${r.errorCode} ${r.errorMessage}`),
    ['twice 42 Duplicate topic name.', 'no 29 null', 'yes 0 null'],
  )
})

test('telemetry is offered only where the configuration says so, and then passes whoever sends it', () => {
  for (const api of [GetTelemetrySubscriptions, PushTelemetry]) {
    assert.ok(!offeredBy({ clientTelemetry: false }).has(api.key))
    assert.ok(offeredBy({ clientTelemetry: true }).has(api.key))
    assert.equal(judge(api, 0, request(api, 0, {}), new Given()), PASS)
  }
})
