// DescribeTopicPartitions: what is named and refused, and pages of all topics that tell nothing of hidden ones.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DescribeTopicPartitions } from '../../../src/protocol/messages/75-describe-topic-partitions.ts'
import { answered, edited, forwarded, Given, judge, request } from '../given.ts'

const RIGHTS = { allow: ['Describe Topic:a', 'Describe Topic:c', 'Describe Topic:e'], operations: { a: 256, c: 264, e: 256 } }
const ask = (topics: string[], more: object = {}) =>
  request(DescribeTopicPartitions, 0, {
    topics: topics.map(name => ({ name })),
    responsePartitionLimit: 2000,
    cursor: null,
    ...more,
  })
const partitions = (...indexes: number[]) =>
  indexes.map(partitionIndex => ({ partitionIndex, leaderId: 1, replicaNodes: [1], isrNodes: [1], offlineReplicas: [] }))
const topic = (name: string, ...indexes: number[]) => ({
  name,
  topicId: '11'.repeat(16),
  partitions: partitions(...indexes),
  topicAuthorizedOperations: 3576,
})
const shown = ({ topics, nextCursor }: any) => [
  topics.map((t: any) => `${t.name} ${t.errorCode} ${t.partitions.map((p: any) => p.partitionIndex)} ${t.topicAuthorizedOperations}`),
  nextCursor === null ? null : `${nextCursor.topicName} ${nextCursor.partitionIndex}`,
]

test('refused topics leave the request and answer last; the others tell what the caller may do', async () => {
  const caller = new Given(RIGHTS)
  const outcome = judge(DescribeTopicPartitions, 0, ask(['c', 'b', 'a']), caller)

  assert.deepEqual(forwarded(DescribeTopicPartitions, 0, outcome).topics, [{ name: 'a' }, { name: 'c' }])
  assert.deepEqual(shown(await edited(DescribeTopicPartitions, 0, outcome, { topics: [topic('a', 0), topic('c', 0)], nextCursor: null })), [
    ['a 0 0 256', 'c 0 0 264', 'b 29  -2147483648'],
    null,
  ])
  assert.deepEqual(caller.told, ['refused Describe Topic:b 29'])
})

test('nothing left of what was named: the broker is not asked, since an empty list means all', () => {
  const answer = answered(DescribeTopicPartitions, 0, judge(DescribeTopicPartitions, 0, ask(['b', 'd']), new Given(RIGHTS)))

  assert.deepEqual(shown(answer), [['b 29  -2147483648', 'd 29  -2147483648'], null])
})

test('a cursor on a refused topic is left out, and topics before it are neither judged nor told of', () => {
  const caller = new Given(RIGHTS)
  const outcome = judge(DescribeTopicPartitions, 0, ask(['a', 'b', 'c'], { cursor: { topicName: 'b', partitionIndex: 4 } }), caller)

  const asked = forwarded(DescribeTopicPartitions, 0, outcome)
  assert.deepEqual([asked.topics, asked.cursor], [[{ name: 'c' }], null])
  assert.ok(!caller.asked.includes('Describe Topic:a'))
})

test('a cursor that is negative, or on a topic that is not named, is invalid for every topic', () => {
  for (const cursor of [
    { topicName: 'a', partitionIndex: -1 },
    { topicName: 'z', partitionIndex: 0 },
  ]) {
    const caller = new Given(RIGHTS)
    const answer = answered(DescribeTopicPartitions, 0, judge(DescribeTopicPartitions, 0, ask(['a', 'b'], { cursor }), caller))
    assert.deepEqual(
      answer.topics.map((t: any) => t.errorCode),
      [42, 42],
    )
    assert.deepEqual(caller.asked, [])
  }
})

test('all topics: hidden ones are left out, and do not count towards the page', async () => {
  const caller = new Given(RIGHTS)
  const outcome = judge(DescribeTopicPartitions, 0, ask([], { responsePartitionLimit: 3 }), caller)
  const page = { topics: [topic('a', 0, 1), topic('b', 0, 1, 2), topic('c', 0, 1)], nextCursor: null }

  assert.equal(forwarded(DescribeTopicPartitions, 0, outcome).responsePartitionLimit, 2000)
  assert.deepEqual(shown(await edited(DescribeTopicPartitions, 0, outcome, page)), [['a 0 0,1 256', 'c 0 0 264'], 'c 1'])
  assert.deepEqual(caller.told, ['hidden Describe Topic:b'])
})

test('a page that is full ends before the next topic that may be seen', async () => {
  const outcome = judge(DescribeTopicPartitions, 0, ask([], { responsePartitionLimit: 2 }), new Given(RIGHTS))
  const page = { topics: [topic('a', 0, 1), topic('b', 0), topic('c', 0, 1)], nextCursor: null }

  assert.deepEqual(shown(await edited(DescribeTopicPartitions, 0, outcome, page)), [['a 0 0,1 256'], 'c 0'])
})

test('a cursor never names a hidden topic', async () => {
  const topics = { a: 'a1'.repeat(16), d: 'a4'.repeat(16), e: 'a5'.repeat(16) }
  const outcome = judge(DescribeTopicPartitions, 0, ask([]), new Given({ ...RIGHTS, topics }))
  const page = { topics: [topic('a', 0)], nextCursor: { topicName: 'd', partitionIndex: 7 } }

  assert.deepEqual(shown(await edited(DescribeTopicPartitions, 0, outcome, page)), [['a 0 0 256'], 'e 0'])
  const none = judge(DescribeTopicPartitions, 0, ask([]), new Given(RIGHTS))
  assert.deepEqual(shown(await edited(DescribeTopicPartitions, 0, none, page)), [['a 0 0 256'], null])
})
