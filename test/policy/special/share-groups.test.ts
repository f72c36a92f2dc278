// What share and streams groups ask beside their sessions: heartbeats, offsets, and the state that brokers keep.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ShareGroupHeartbeat } from '../../../src/protocol/messages/76-share-group-heartbeat.ts'
import { WriteShareGroupState } from '../../../src/protocol/messages/85-write-share-group-state.ts'
import { StreamsGroupHeartbeat } from '../../../src/protocol/messages/88-streams-group-heartbeat.ts'
import { DescribeShareGroupOffsets } from '../../../src/protocol/messages/90-describe-share-group-offsets.ts'
import { AlterShareGroupOffsets } from '../../../src/protocol/messages/91-alter-share-group-offsets.ts'
import { DeleteShareGroupOffsets } from '../../../src/protocol/messages/92-delete-share-group-offsets.ts'
import { answered, edited, forwarded, Given, judge, judgeAndWait, request } from '../given.ts'

const ID = 'b'.repeat(32)

test('a share member: the group, then its id, then every topic', async () => {
  const told = async (fields: object, world = {}) => {
    const frame = request(ShareGroupHeartbeat, 1, { groupId: 'g', memberId: 'm', subscribedTopicNames: ['a', 'b'], ...fields })
    const outcome = await judgeAndWait(ShareGroupHeartbeat, 1, frame, new Given({ allow: ['Read Group:g', 'Describe Topic:a'], ...world }))
    return outcome.kind === 'answer' ? answered(ShareGroupHeartbeat, 1, outcome).errorCode : 0
  }

  assert.equal(await told({ groupId: 'x', memberId: '' }), 30)
  assert.equal(await told({ memberId: '' }), 42)
  assert.equal(await told({ memberId: 'é'.repeat(37) }), 42)
  assert.equal(await told({}), 29)
  assert.equal(await told({ subscribedTopicNames: null }), 0)
  assert.equal(await told({ subscribedTopicNames: ['a', 'a'] }), 0)
  assert.equal(await told({}, { undecided: ['Describe Topic:b'] }), 15)
})

test('the state of share groups is refused to every client, and no broker sees the request', () => {
  const topics = [{ topicId: ID, partitions: [{ partition: 3, stateBatches: [] }] }]
  const outcome = judge(WriteShareGroupState, 1, request(WriteShareGroupState, 1, { groupId: 'g', topics }), new Given())

  assert.deepEqual(answered(WriteShareGroupState, 1, outcome).results, [
    { topicId: ID, partitions: [{ partition: 3, errorCode: 31, errorMessage: 'Cluster authorization failed.' }] },
  ])
})

const part = (fields: object) => ({
  subtopologyId: '0',
  sourceTopics: [],
  sourceTopicRegex: [],
  stateChangelogTopics: [],
  repartitionSinkTopics: [],
  repartitionSourceTopics: [],
  copartitionGroups: [],
  ...fields,
})

test('a topology: internal and invalid names, then DESCRIBE, then patterns, then CREATE for what is not there', async () => {
  const log = { name: 'app-log', partitions: 0, replicationFactor: 1, topicConfigs: [] }
  const told = async (fields: object, allow: string[] = [], more: object = {}) => {
    const frame = request(StreamsGroupHeartbeat, 1, { groupId: 'g', memberId: 'm', topology: { epoch: 1, subtopologies: [part(fields)] } })
    const world = { allow: ['Read Group:g', 'Describe Topic:in', 'Describe Topic:app-log', ...allow], topics: { in: ID }, ...more }
    const outcome = await judgeAndWait(StreamsGroupHeartbeat, 1, frame, new Given(world))
    if (outcome.kind !== 'answer') return [0]
    const { errorCode, errorMessage } = answered(StreamsGroupHeartbeat, 1, outcome)
    return [errorCode, errorMessage]
  }

  const beside = { stateChangelogTopics: [{ ...log, name: 'in' }] }
  assert.equal((await told({ sourceTopics: ['__consumer_offsets', 'a b'] }))[0], 130)
  assert.deepEqual(await told({ sourceTopics: ['a b', 'hidden'] }), [130, 'Topic names a b are not valid topic names.'])
  assert.deepEqual(await told({ sourceTopics: ['hidden'], sourceTopicRegex: ['.*'] }), [29, null])
  assert.equal((await told({ sourceTopics: ['in'], sourceTopicRegex: ['.*'] }))[0], 42)
  assert.deepEqual(await told({ stateChangelogTopics: [log] }), [29, 'Unauthorized to CREATE on topics app-log.'])
  assert.deepEqual(await told({ stateChangelogTopics: [log] }, ['Create Topic:app-log']), [0])
  assert.deepEqual(await told({ sourceTopics: ['in'], repartitionSourceTopics: [{ ...log, name: 'in' }] }), [0], 'it is there already')
  assert.deepEqual(await told(beside, [], { learnt: ['in'] }), [0], 'it was made beside the gate')
  assert.deepEqual(await told(beside, [], { unreachable: ['in'] }), [15, null], 'nobody knows')
  const hidden = { stateChangelogTopics: [{ ...log, name: 'dark' }] }
  assert.deepEqual(await told(hidden, [], { unreachable: ['dark'] }), [29, null], 'what may not be described is not asked about')
  assert.deepEqual(await told(beside, ['Create Topic:in'], { unreachable: ['in'] }), [0], 'it need not be known')
})

test('offsets of share groups: refused topics leave the request, and the coordinator is asked even for none', async () => {
  const topics = [
    { topicName: 'mine', partitions: [{ partitionIndex: 0, startOffset: 5n }] },
    { topicName: 'hidden', partitions: [{ partitionIndex: 1, startOffset: 5n }] },
  ]
  const frame = request(AlterShareGroupOffsets, 0, { groupId: 'g', topics })
  const outcome = judge(AlterShareGroupOffsets, 0, frame, new Given({ allow: ['Read Group:g', 'Read Topic:mine'], topics: { hidden: ID } }))
  assert.deepEqual(
    forwarded(AlterShareGroupOffsets, 0, outcome).topics.map((t: any) => t.topicName),
    ['mine'],
  )
  const merged = await edited(AlterShareGroupOffsets, 0, outcome, { responses: [] })
  assert.deepEqual(merged.responses, [
    { topicName: 'hidden', topicId: ID, partitions: [{ partitionIndex: 1, errorCode: 29, errorMessage: 'Topic authorization failed.' }] },
  ])
  assert.deepEqual((await edited(AlterShareGroupOffsets, 0, outcome, { errorCode: 69, responses: [] })).responses, [])

  const none = request(DeleteShareGroupOffsets, 0, { groupId: 'g', topics: [{ topicName: 'hidden' }] })
  const left = judge(DeleteShareGroupOffsets, 0, none, new Given({ allow: ['Delete Group:g'] }))
  assert.deepEqual(forwarded(DeleteShareGroupOffsets, 0, left).topics, [])
  const refused = judge(DeleteShareGroupOffsets, 0, none, new Given({ allow: ['Read Group:g'] }))
  assert.deepEqual(answered(DeleteShareGroupOffsets, 0, refused).errorCode, 30)
})

test('described offsets: groups keep their places, topics are refused or, of all, left out', async () => {
  const groups = [
    { groupId: 'other', topics: null },
    { groupId: 'g', topics: [{ topicName: 'hidden', partitions: [2] }] },
    { groupId: 'h', topics: null },
  ]
  const allow = ['Describe Group:g', 'Describe Group:h', 'Describe Topic:seen']
  const outcome = judge(DescribeShareGroupOffsets, 1, request(DescribeShareGroupOffsets, 1, { groups }), new Given({ allow }))

  assert.deepEqual(forwarded(DescribeShareGroupOffsets, 1, outcome).groups, [
    { groupId: 'g', topics: [] },
    { groupId: 'h', topics: null },
  ])
  const answers = [
    { groupId: 'g', topics: [] },
    { groupId: 'h', topics: ['seen', 'hidden'].map(topicName => ({ topicName, partitions: [] })) },
  ]
  const read = await edited(DescribeShareGroupOffsets, 1, outcome, { groups: answers })
  assert.deepEqual(
    read.groups.map((g: any) => [g.groupId, g.errorCode, g.topics.map((t: any) => [t.topicName, t.partitions[0]?.errorCode])]),
    [
      ['other', 30, []],
      ['g', 0, [['hidden', 29]]],
      ['h', 0, [['seen', undefined]]],
    ],
  )
  assert.equal(read.groups[1].topics[0].partitions[0].startOffset, -1n)
})
