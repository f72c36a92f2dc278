// Heartbeats of consumer groups: names that are refused, and patterns that become the names that a member may describe.

import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import type { Outcome } from '../../../src/policy/outcome.ts'
import { planFor } from '../../../src/policy/plan.ts'
import { ConsumerGroupHeartbeat } from '../../../src/protocol/messages/68-consumer-group-heartbeat.ts'
import { FakeCaller } from './caller.ts'
import { frames } from './frames.ts'

const messages = frames(ConsumerGroupHeartbeat, 1)

// A slow machine must not make matching pause.
mock.method(performance, 'now', () => 0)

function given(...topics: string[]): FakeCaller {
  const caller = new FakeCaller()
  for (const [i, topic] of ['orders.eu', 'orders.us', 'payments'].entries()) caller.ids.set(`${i}`.repeat(32), topic)
  caller.rights.allow('Read group:g', ...topics.map(topic => `Describe topic:${topic}`))
  return caller
}
const heartbeat = (fields: object) => ({
  groupId: 'g',
  memberId: 'm',
  memberEpoch: 5,
  instanceId: null,
  rackId: null,
  rebalanceTimeoutMs: -1,
  subscribedTopicNames: null,
  subscribedTopicRegex: null,
  serverAssignor: null,
  topicPartitions: null,
  ...fields,
})
const judge = (caller: FakeCaller, fields: object, last = false): Outcome =>
  planFor(68, 1)!.judge(messages.request(heartbeat(fields)), caller, last)
const told = (outcome: Outcome) => {
  assert.ok(outcome.kind === 'answer' && outcome.frame !== null)
  const { errorCode, errorMessage } = messages.readResponse(outcome.frame)
  return [errorCode, errorMessage]
}
/** What the coordinator is told: [names, pattern], or null: the heartbeat as it came. */
function seen(outcome: Outcome, errorCode = 0): unknown {
  assert.ok(outcome.kind === 'forward')
  if (outcome.frames === null) return null
  if (outcome.response !== null && outcome.response !== 'none') void outcome.response.whole([messages.response({ errorCode })])
  const body = messages.readRequest(outcome.frames[0]!)
  return [body.subscribedTopicNames, body.subscribedTopicRegex]
}

test('one topic that may not be described refuses the whole heartbeat', () => {
  const caller = given('orders.eu')

  assert.deepEqual(told(judge(caller, { subscribedTopicNames: ['orders.eu', 'payments'] })), [29, null])
  assert.deepEqual(told(judge(caller, { groupId: 'other', subscribedTopicNames: ['payments'] })), [30, null])
  assert.equal(seen(judge(caller, { subscribedTopicNames: ['orders.eu'] })), null)
})

test('a pattern becomes the names that match and may be described', () => {
  const caller = given('orders.eu', 'payments')

  const joined = judge(caller, { memberEpoch: 0, subscribedTopicRegex: 'orders\\..*', topicPartitions: [] })

  assert.deepEqual(seen(joined), [['orders.eu'], ''])
  assert.equal(seen(judge(caller, {})), null, 'nothing has changed')
})

test('topics and rights that change are told with the next heartbeat', () => {
  const caller = given('orders.eu')
  seen(judge(caller, { subscribedTopicRegex: 'orders.*' }))

  caller.rights.allow('Describe topic:orders.us')
  assert.deepEqual(seen(judge(caller, {})), [['orders.eu', 'orders.us'], ''])
  caller.rights.refuse('Describe topic:orders.eu')
  assert.deepEqual(seen(judge(caller, {})), [['orders.us'], ''])
  caller.ids.set('f'.repeat(32), 'orders.asia')
  caller.rights.allow('Describe topic:orders.asia')
  Object.assign(caller.cluster, { topicsEpoch: 7 })
  assert.deepEqual(seen(judge(caller, {})), [['orders.asia', 'orders.us'], ''])
  assert.equal(seen(judge(caller, {})), null)
})

test('a heartbeat that the coordinator refused has told it nothing', () => {
  const caller = given('orders.eu')
  seen(judge(caller, { subscribedTopicRegex: 'orders.*' }), 16)

  assert.deepEqual(seen(judge(caller, {})), [['orders.eu'], ''])
})

test('names beside the pattern are kept, and come back alone when the pattern ends', () => {
  const caller = given('orders.eu', 'payments')
  assert.equal(seen(judge(caller, { subscribedTopicNames: ['payments'] })), null)

  assert.deepEqual(seen(judge(caller, { subscribedTopicRegex: 'orders.*' })), [['orders.eu', 'payments'], ''])
  assert.deepEqual(seen(judge(caller, { subscribedTopicRegex: '' })), [['payments'], ''])
  assert.equal(seen(judge(caller, {})), null)
})

test('what is no pattern to RE2 is refused with the broker’s words', () => {
  const [errorCode, message] = told(judge(given(), { subscribedTopicRegex: 'a(?=b)' }))

  assert.equal(errorCode, 128)
  assert.match(message, /^SubscribedTopicRegex `a\(\?=b\)` is not a valid regular expression: .+\.$/)
})

test('who may not read the group learns nothing of the pattern', () => {
  assert.deepEqual(told(judge(given('orders.eu'), { groupId: 'other', subscribedTopicRegex: '(' })), [30, null])
})

test('names that cannot be decided do not join, and a member keeps what it has', () => {
  const caller = given('orders.eu')
  caller.rights.undecided.add('Describe topic:orders.us')
  assert.deepEqual(told(judge(caller, { subscribedTopicRegex: 'orders.*' }, true)), [15, null])

  caller.rights.undecided.clear()
  seen(judge(caller, { subscribedTopicRegex: 'orders.*' }))
  caller.rights.undecided.add('Describe topic:orders.us')
  caller.rights.epoch++

  assert.equal(seen(judge(caller, {}, true)), null)
})

test('a member that leaves is forgotten', () => {
  const caller = given('orders.eu')
  seen(judge(caller, { subscribedTopicRegex: 'orders.*' }))
  assert.equal(seen(judge(caller, { memberEpoch: -1 })), null)
  caller.rights.allow('Describe topic:orders.us')

  assert.equal(seen(judge(caller, {})), null)
})
