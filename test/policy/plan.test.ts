// Rows laid over their versions: what is asked, what goes to the broker, what the client reads.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Verdict } from '../../src/policy/authorizer.ts'
import { PASS, UndecidedError } from '../../src/policy/outcome.ts'
import { offered, planFor } from '../../src/policy/plan.ts'
import { ListOffsets } from '../../src/protocol/messages/02-list-offsets.ts'
import { OffsetCommit } from '../../src/protocol/messages/08-offset-commit.ts'
import { JoinGroup } from '../../src/protocol/messages/11-join-group.ts'
import { Heartbeat } from '../../src/protocol/messages/12-heartbeat.ts'
import { LeaveGroup } from '../../src/protocol/messages/13-leave-group.ts'
import { SyncGroup } from '../../src/protocol/messages/14-sync-group.ts'
import { DescribeGroups } from '../../src/protocol/messages/15-describe-groups.ts'
import { ListGroups } from '../../src/protocol/messages/16-list-groups.ts'
import { OffsetForLeaderEpoch } from '../../src/protocol/messages/23-offset-for-leader-epoch.ts'
import { DescribeCluster } from '../../src/protocol/messages/60-describe-cluster.ts'
import { ConsumerGroupHeartbeat } from '../../src/protocol/messages/68-consumer-group-heartbeat.ts'
import type { Api } from '../../src/protocol/schema.ts'
import { MalformedError } from '../../src/protocol/wire.ts'
import { answered, edited, forwarded, Given, judge, judgeAndWait, request, response } from './given.ts'

const versionsOf = (api: Api): number[] => {
  const [min, max] = offered.get(api.key)!
  return Array.from({ length: max - min + 1 }, (_, i) => min + i)
}
const OMITTED = -2147483648
const ID = 'aa'.repeat(16)
const NO_SUCH_ID = 'bb'.repeat(16)
const LATE_ID = 'cc'.repeat(16)

test('what is allowed passes as it came, by one object that is always the same', () => {
  for (const version of versionsOf(Heartbeat)) {
    const caller = new Given({ allow: ['Read Group:g'] })
    assert.equal(judge(Heartbeat, version, request(Heartbeat, version, { groupId: 'g' }), caller), PASS)
    assert.deepEqual(caller.told, [])
  }
})

test('a request with bytes left over, or too few, is malformed', () => {
  const whole = request(Heartbeat, 4, { groupId: 'g' })
  const caller = new Given({ allow: ['Read Group:g'] })
  assert.throws(() => judge(Heartbeat, 4, Buffer.concat([whole, Buffer.alloc(1)]), caller), MalformedError)
  for (let end = 12; end < whole.length; end++) assert.throws(() => judge(Heartbeat, 4, whole.subarray(0, end), caller), MalformedError)
})

test('an API or a version without a row is not offered', () => {
  assert.equal(planFor(4, 0), null)
  assert.equal(planFor(0, 2), null)
  assert.equal(planFor(58, 0), null)
  assert.equal(planFor(18, 0), null, 'ApiVersions is answered by the session')
})

test('a refused group is told so in the shape of each version', () => {
  const body = { groupId: 'g', memberId: 'm', members: [], protocolType: 'consumer', protocolName: 'range', protocols: [], assignments: [] }
  for (const api of [JoinGroup, Heartbeat, LeaveGroup, SyncGroup]) {
    for (const version of versionsOf(api)) {
      const caller = new Given()
      const fits = Object.fromEntries(Object.entries(body).filter(([field]) => field in api.request))
      const answer = answered(api, version, judge(api, version, request(api, version, fits), caller))
      assert.equal(answer.errorCode, 30, `${api.name} v${version}`)
      assert.deepEqual(caller.told, ['refused Read Group:g 30'])
      if (api !== JoinGroup) continue
      assert.equal(answer.generationId, -1)
      assert.equal(answer.protocolName, version >= 7 ? null : '')
      assert.deepEqual([answer.leader, answer.memberId, answer.members], ['', '', []])
    }
  }
})

test('SyncGroup without protocol type or name is inconsistent from v5 on, before the group is judged', () => {
  const body = { groupId: 'g', protocolType: 'consumer', protocolName: null }
  const caller = new Given()
  assert.equal(answered(SyncGroup, 5, judge(SyncGroup, 5, request(SyncGroup, 5, body), caller)).errorCode, 23)
  assert.deepEqual(caller.told, [])
  assert.equal(answered(SyncGroup, 4, judge(SyncGroup, 4, request(SyncGroup, 4, { groupId: 'g' }), caller)).errorCode, 30)
})

test('a verdict that is not known yet is waited for once, and told once', async () => {
  const late = new Given({ allow: ['Read Group:g'], later: ['Read Group:g'] })
  assert.equal(await judgeAndWait(Heartbeat, 4, request(Heartbeat, 4, { groupId: 'g' }), late), PASS)

  const refused = new Given({ later: ['Read Group:g'] })
  const outcome = await judgeAndWait(Heartbeat, 4, request(Heartbeat, 4, { groupId: 'g' }), refused)
  assert.equal(answered(Heartbeat, 4, outcome).errorCode, 30)
  assert.deepEqual(refused.told, ['refused Read Group:g 30'])
})

test('what cannot be decided is answered as a coordinator that is not available, never as a refusal', async () => {
  for (const api of [JoinGroup, Heartbeat, LeaveGroup, SyncGroup, ConsumerGroupHeartbeat]) {
    const caller = new Given({ undecided: ['Read Group:g'] })
    const version = offered.get(api.key)![1]
    const body = api === SyncGroup ? { groupId: 'g', protocolType: 'a', protocolName: 'b' } : { groupId: 'g' }
    const outcome = await judgeAndWait(api, version, request(api, version, body), caller)
    assert.equal(answered(api, version, outcome).errorCode, 15, api.name)
    assert.deepEqual(caller.told, ['undecided Read Group:g'])
  }
})

test('ListOffsets: refused topics leave the request and answer last', async () => {
  const body = { replicaId: -1, topics: [topic('no'), topic('yes', [0, 1])] }
  function topic(name: string, partitions = [3, 4]) {
    return { name, partitions: partitions.map(partitionIndex => ({ partitionIndex, timestamp: -1n })) }
  }
  for (const version of versionsOf(ListOffsets)) {
    const caller = new Given({ allow: ['Describe Topic:yes'] })
    const outcome = judge(ListOffsets, version, request(ListOffsets, version, body), caller)
    assert.deepEqual(
      forwarded(ListOffsets, version, outcome).topics.map((t: any) => t.name),
      ['yes'],
    )
    const ok = { partitionIndex: 0, errorCode: 0, timestamp: 5n, offset: 6n }
    const answer = await edited(ListOffsets, version, outcome, { throttleTimeMs: 9, topics: [{ name: 'yes', partitions: [ok] }] })
    assert.deepEqual(
      answer.topics.map((t: any) => [t.name, t.partitions.map((p: any) => p.errorCode)]),
      [
        ['yes', [0]],
        ['no', [29, 29]],
      ],
    )
    const { timestamp, offset, partitionIndex } = answer.topics[1].partitions[1]
    assert.deepEqual([partitionIndex, timestamp, offset], [4, -1n, -1n])
    if (version >= 2) assert.equal(answer.throttleTimeMs, 9)
    if (version >= 4) assert.equal(answer.topics[1].partitions[0].leaderEpoch, -1)
    assert.deepEqual(caller.told, ['refused Describe Topic:no 29'])
  }
})

test('nothing left: the answer is made here and the broker is not asked', () => {
  const body = { replicaId: -1, topics: [{ name: 'no', partitions: [{ partitionIndex: 3, timestamp: -1n }] }] }
  const outcome = judge(ListOffsets, 7, request(ListOffsets, 7, body), new Given())
  assert.deepEqual(
    answered(ListOffsets, 7, outcome).topics.map((t: any) => [t.name, t.partitions[0].errorCode]),
    [['no', 29]],
  )
})

test('a name that stands twice in a request is refused twice and told once', () => {
  const one = { name: 'no', partitions: [{ partitionIndex: 3, timestamp: -1n }] }
  const caller = new Given()
  const outcome = judge(ListOffsets, 7, request(ListOffsets, 7, { replicaId: -1, topics: [one, one] }), caller)
  assert.equal(answered(ListOffsets, 7, outcome).topics.length, 2)
  assert.deepEqual(caller.told, ['refused Describe Topic:no 29'])
})

test('undecided topics of ListOffsets have no leader for now; the others go on', async () => {
  const topics = ['maybe', 'no', 'yes'].map(name => ({ name, partitions: [{ partitionIndex: 0, timestamp: -1n }] }))
  const caller = new Given({ allow: ['Describe Topic:yes'], undecided: ['Describe Topic:maybe'] })
  const outcome = await judgeAndWait(ListOffsets, 7, request(ListOffsets, 7, { replicaId: -1, topics }), caller)
  const answer = await edited(ListOffsets, 7, outcome, { topics: [] })
  assert.deepEqual(
    answer.topics.map((t: any) => [t.name, t.partitions[0].errorCode]),
    [
      ['maybe', 5],
      ['no', 29],
    ],
  )
  assert.deepEqual(caller.told, ['undecided Describe Topic:maybe', 'refused Describe Topic:no 29'])
})

test('OffsetForLeaderEpoch: CLUSTER_ACTION opens all, asked quietly; else DESCRIBE on each topic', async () => {
  const topics = ['no', 'yes'].map(name => ({ topic: name, partitions: [{ partition: 2, leaderEpoch: 1 }] }))
  for (const version of versionsOf(OffsetForLeaderEpoch)) {
    const frame = request(OffsetForLeaderEpoch, version, { topics })
    assert.equal(judge(OffsetForLeaderEpoch, version, frame, new Given({ allow: ['ClusterAction Cluster:kafka-cluster'] })), PASS)
    const ruled = new Given({ allow: ['ClusterAction Cluster:kafka-cluster'], denied: ['Describe Topic:no'] })
    assert.equal(forwarded(OffsetForLeaderEpoch, version, judge(OffsetForLeaderEpoch, version, frame, ruled)).topics.length, 1)

    const caller = new Given({ allow: ['Describe Topic:yes'] })
    const outcome = judge(OffsetForLeaderEpoch, version, frame, caller)
    const answer = await edited(OffsetForLeaderEpoch, version, outcome, { topics: [{ topic: 'yes', partitions: [] }] })
    assert.deepEqual(answer.topics[1].topic, 'no')
    const { errorCode, partition, leaderEpoch, endOffset } = answer.topics[1].partitions[0]
    assert.deepEqual([errorCode, partition, leaderEpoch, endOffset], [29, 2, -1, -1n])
    assert.deepEqual(caller.told, ['refused Describe Topic:no 29'])
  }
})

test('a cluster right that cannot be decided leaves its topics undecided, not refused', async () => {
  const topics = [{ topic: 'no', partitions: [{ partition: 2, leaderEpoch: 1 }] }]
  const caller = new Given({ undecided: ['ClusterAction Cluster:kafka-cluster'] })
  const outcome = await judgeAndWait(OffsetForLeaderEpoch, 4, request(OffsetForLeaderEpoch, 4, { topics }), caller)
  assert.equal(answered(OffsetForLeaderEpoch, 4, outcome).topics[0].partitions[0].errorCode, 5)
})

const commits = (version: number, ...names: string[]) => ({
  groupId: 'g',
  topics: names.map(name => ({
    ...(version >= 10 ? { topicId: { yes: ID, late: LATE_ID, unknown: NO_SUCH_ID }[name] ?? 'dd'.repeat(16) } : { name }),
    partitions: [
      { partitionIndex: 0, committedOffset: 1n, committedMetadata: '' },
      { partitionIndex: 5, committedOffset: 1n, committedMetadata: null },
    ],
  })),
})
const TOPICS = { yes: ID, late: LATE_ID, no: 'dd'.repeat(16) }
const codes = (answer: any) => answer.topics.map((t: any) => [t.name ?? t.topicId, t.partitions.map((p: any) => p.errorCode)])

test('OffsetCommit: the group is judged before the topics, and answers for every partition', () => {
  for (const version of versionsOf(OffsetCommit)) {
    const caller = new Given({ topics: TOPICS, allow: ['Read Topic:yes'] })
    const outcome = judge(OffsetCommit, version, request(OffsetCommit, version, commits(version, 'yes', 'no')), caller)
    assert.deepEqual(
      codes(answered(OffsetCommit, version, outcome)).map((t: any) => t[1]),
      [
        [30, 30],
        [30, 30],
      ],
    )
    assert.deepEqual(caller.told, ['refused Read Group:g 30'])
  }
})

test('OffsetCommit: refused topics answer first, under the name or id that they came with, one entry a topic', async () => {
  for (const version of versionsOf(OffsetCommit)) {
    const caller = new Given({ topics: TOPICS, allow: ['Read Group:g', 'Read Topic:yes'] })
    const outcome = judge(OffsetCommit, version, request(OffsetCommit, version, commits(version, 'yes', 'no', 'no')), caller)
    const key = version >= 10 ? 'topicId' : 'name'
    const [yes, no] = version >= 10 ? [ID, TOPICS.no] : ['yes', 'no']
    assert.deepEqual(
      forwarded(OffsetCommit, version, outcome).topics.map((t: any) => t[key]),
      [yes],
    )
    const answer = await edited(OffsetCommit, version, outcome, {
      topics: [{ [key]: yes, partitions: [{ partitionIndex: 0, errorCode: 0 }] }],
    })
    assert.deepEqual(codes(answer), [
      [no, [29, 29, 29, 29]],
      [yes, [0]],
    ])
    assert.deepEqual(caller.told, ['refused Read Topic:no 29'])
  }
})

test('OffsetCommit: an id that names no topic is unknown; one that is not known yet is learnt and judged', async () => {
  const caller = new Given({ topics: TOPICS, learnt: [LATE_ID], allow: ['Read Group:g', 'Read Topic:late'], later: ['Read Topic:late'] })
  const outcome = await judgeAndWait(OffsetCommit, 10, request(OffsetCommit, 10, commits(10, 'late', 'unknown')), caller)
  const answer = await edited(OffsetCommit, 10, outcome, { topics: [] })
  assert.deepEqual(codes(answer), [[NO_SUCH_ID, [100, 100]]])
  assert.deepEqual(caller.told, [])
  const zero = { groupId: 'g', topics: [{ topicId: '00'.repeat(16), partitions: [{ partitionIndex: 0, committedOffset: 1n }] }] }
  assert.deepEqual(codes(answered(OffsetCommit, 10, judge(OffsetCommit, 10, request(OffsetCommit, 10, zero), caller))), [
    ['00'.repeat(16), [100]],
  ])
})

test('OffsetCommit: an id that cannot be asked for is undecided', async () => {
  const caller = new Given({ topics: TOPICS, unreachable: [LATE_ID], allow: ['Read Group:g'] })
  const outcome = await judgeAndWait(OffsetCommit, 10, request(OffsetCommit, 10, commits(10, 'late')), caller)
  assert.deepEqual(codes(answered(OffsetCommit, 10, outcome)), [[LATE_ID, [15, 15]]])
})

test('a group that is refused is told so though its topics are not known yet', () => {
  const caller = new Given({ later: ['Read Topic:yes'] })
  const outcome = judge(OffsetCommit, 9, request(OffsetCommit, 9, commits(9, 'yes')), caller)
  assert.deepEqual(codes(answered(OffsetCommit, 9, outcome)), [['yes', [30, 30]]])
})

test('DescribeGroups: refused groups answer first, and operations are the caller’s own', async () => {
  for (const version of versionsOf(DescribeGroups)) {
    const caller = new Given({ allow: ['Describe Group:yes', 'Describe Group:dead'], operations: { yes: 264, dead: 264 } })
    const groups = ['yes', 'no', 'dead']
    const outcome = judge(DescribeGroups, version, request(DescribeGroups, version, { groups, includeAuthorizedOperations: true }), caller)
    assert.deepEqual(forwarded(DescribeGroups, version, outcome).groups, ['yes', 'dead'])
    const answer = await edited(DescribeGroups, version, outcome, {
      groups: [
        { groupId: 'yes', groupState: 'Stable', authorizedOperations: 3400 },
        { groupId: 'dead', groupState: 'Dead', errorCode: 69, authorizedOperations: OMITTED },
      ],
    })
    const [no, yes, dead] = answer.groups
    assert.deepEqual([no.groupId, no.errorCode, no.groupState, no.protocolType, no.members], ['no', 30, '', '', []])
    assert.deepEqual([yes.groupId, yes.groupState, dead.groupId], ['yes', 'Stable', 'dead'])
    if (version >= 3)
      assert.deepEqual(
        [no, yes, dead].map(g => g.authorizedOperations),
        [OMITTED, 264, OMITTED],
      )
    if (version >= 6) assert.equal(no.errorMessage, null)
    assert.deepEqual(caller.told, ['refused Describe Group:no 30'])
  }
})

test('DescribeGroups: operations that were not asked for stay out', async () => {
  const outcome = judge(DescribeGroups, 5, request(DescribeGroups, 5, { groups: ['yes'] }), new Given({ allow: ['Describe Group:yes'] }))
  assert.equal((await edited(DescribeGroups, 5, outcome, { groups: [{ groupId: 'yes' }] })).groups[0].authorizedOperations, OMITTED)
})

test('operations that nobody can tell end the connection', async () => {
  const caller = new Given({ allow: ['Describe Group:yes'] })
  const outcome = judge(DescribeGroups, 5, request(DescribeGroups, 5, { groups: ['yes'] }), caller)
  await assert.rejects(edited(DescribeGroups, 5, outcome, { groups: [{ groupId: 'yes', authorizedOperations: 3400 }] }), UndecidedError)
})

test('ListGroups: DESCRIBE on the cluster shows all, else each group for itself, and nobody is told', async () => {
  const groups = ['a', 'b', 'c'].map(groupId => ({ groupId, protocolType: 'consumer' }))
  for (const version of versionsOf(ListGroups)) {
    const frame = request(ListGroups, version, {})
    const observer = new Given({ allow: ['Describe Cluster:kafka-cluster'], denied: ['Describe Group:c'] })
    const seen = await edited(ListGroups, version, judge(ListGroups, version, frame, observer), { groups })
    assert.deepEqual(
      seen.groups.map((g: any) => g.groupId),
      ['a', 'b'],
      'a rule is asked also where a right on the cluster suffices',
    )

    const caller = new Given({ allow: ['Describe Group:b'], later: ['Describe Group:b'] })
    const outcome = await judgeAndWait(ListGroups, version, frame, caller)
    assert.equal(forwarded(ListGroups, version, outcome), null)
    const answer = await edited(ListGroups, version, outcome, { groups })
    assert.deepEqual(
      answer.groups.map((g: any) => g.groupId),
      ['b'],
    )
    assert.deepEqual(caller.told, ['hidden Describe Group:a', 'hidden Describe Group:c'])
  }
})

test('ListGroups: a group that cannot be decided makes the list one to ask for again', async () => {
  const caller = new Given({ allow: ['Describe Group:b'], undecided: ['Describe Group:a'] })
  const outcome = judge(ListGroups, 4, request(ListGroups, 4, {}), caller)
  const answer = await edited(ListGroups, 4, outcome, { groups: ['a', 'b'].map(groupId => ({ groupId })) })
  assert.deepEqual([answer.errorCode, answer.groups], [15, []])
})

test('ConsumerGroupHeartbeat: one topic without DESCRIBE refuses the heartbeat, after the group', () => {
  const frame = request(ConsumerGroupHeartbeat, 0, { groupId: 'g', memberId: 'm', subscribedTopicNames: ['yes', 'no', 'nor'] })
  const member = new Given({ allow: ['Read Group:g', 'Describe Topic:yes'] })
  const answer = answered(ConsumerGroupHeartbeat, 0, judge(ConsumerGroupHeartbeat, 0, frame, member))
  assert.deepEqual(
    [answer.errorCode, answer.errorMessage, answer.memberId, answer.memberEpoch, answer.heartbeatIntervalMs, answer.assignment],
    [29, null, null, 0, 0, null],
  )
  assert.deepEqual(member.told, ['refused Describe Topic:no 29', 'refused Describe Topic:nor 29'])
  const stranger = new Given({ allow: ['Describe Topic:yes'] })
  assert.equal(answered(ConsumerGroupHeartbeat, 0, judge(ConsumerGroupHeartbeat, 0, frame, stranger)).errorCode, 30)
  const unchanged = request(ConsumerGroupHeartbeat, 0, { groupId: 'g', memberId: 'm', subscribedTopicNames: null })
  assert.equal(judge(ConsumerGroupHeartbeat, 0, unchanged, member), PASS)
})

const BROKERS = [
  { brokerId: 1, host: 'secret-1', port: 9092, rack: 'r' },
  { brokerId: 2, host: 'secret-2', port: 9093, rack: null },
  { brokerId: 3, host: 'secret-3', port: 9094, rack: null },
]

test('DescribeCluster: our addresses, and what the caller may do with the cluster', async () => {
  for (const version of versionsOf(DescribeCluster)) {
    const caller = new Given({
      allow: ['Describe Cluster:kafka-cluster'],
      operations: { 'kafka-cluster': 256 },
      nodes: { 1: 'gate:7001' },
      opening: { 2: 'gate:7002' },
    })
    const frame = request(DescribeCluster, version, { includeClusterAuthorizedOperations: true })
    const outcome = judge(DescribeCluster, version, frame, caller)
    const body = { clusterId: 'c', controllerId: 3, brokers: BROKERS, clusterAuthorizedOperations: 8096 }
    const answer = await edited(DescribeCluster, version, outcome, body)
    assert.deepEqual(
      answer.brokers.map((b: any) => [b.brokerId, b.host, b.port, b.rack]),
      [
        [1, 'gate', 7001, 'r'],
        [2, 'gate', 7002, null],
      ],
      'a broker that nobody can reach through the gate is left out',
    )
    assert.equal(answer.clusterAuthorizedOperations, 256)
    assert.deepEqual(caller.told, ['learn 2 secret-2:9093', 'learn 3 secret-3:9094'])
  }
})

test('DescribeCluster: without DESCRIBE on the cluster the operations are 0, not asked for they are left out', async () => {
  const outcome = judge(DescribeCluster, 1, request(DescribeCluster, 1, {}), new Given())
  const of = async (clusterAuthorizedOperations: number) =>
    (await edited(DescribeCluster, 1, outcome, { clusterId: 'c', brokers: [], clusterAuthorizedOperations })).clusterAuthorizedOperations
  assert.equal(await of(8096), 0)
  assert.equal(await of(OMITTED), OMITTED)
})

test('a response that is kept while something is asked may be overwritten by its reader', async () => {
  const caller = new Given({ allow: ['Describe Group:b'], later: ['Describe Group:b'] })
  const outcome = judge(ListGroups, 4, request(ListGroups, 4, {}), caller)
  assert.ok(outcome.kind === 'forward' && outcome.response !== null && outcome.response !== 'none')
  const frame = response(ListGroups, 4, { groups: [{ groupId: 'b' }] })
  const expected = Buffer.from(frame)
  const edited = outcome.response.whole([frame])
  frame.fill(0)
  assert.deepEqual(await edited, expected)
})

test('a verdict of the principal is asked for by operation and name, and by nothing else', () => {
  const caller = new Given({ allow: ['Read Group:g'], mayWriteSomething: Verdict.Refused })
  judge(Heartbeat, 4, request(Heartbeat, 4, { groupId: 'g' }), caller)
  assert.deepEqual(caller.asked, ['Read Group:g'])
})
