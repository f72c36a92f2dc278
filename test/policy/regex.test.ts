// Patterns: RE2's dialect, the whole name, topics that come and go, and clients that would have us match for ever.

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Resource } from '../../src/policy/authorizer.ts'
import { Names } from '../../src/policy/names.ts'
import { Patterns, TopicPattern } from '../../src/policy/regex.ts'

function clusterOf(...topics: string[]) {
  const names = new Names()
  const cluster = { topicsEpoch: 1, topics, topicNames: () => cluster.topics.map(text => names.text(Resource.Topic, text)) }
  return cluster as typeof cluster & any
}

async function matched(pattern: TopicPattern, cluster: any): Promise<readonly string[]> {
  for (;;) {
    const names = pattern.matched(cluster)
    if (names !== null) return names
    await pattern.ready
  }
}

/** Each look at the clock finds it 5 ms later. */
function slowClock(t: TestContext): void {
  let nowMs = 0
  t.mock.method(performance, 'now', () => (nowMs += 5))
}

test('a pattern must match the whole name', async () => {
  const cluster = clusterOf('orders', 'orders.eu', 'my-orders', 'ORDERS')

  assert.deepEqual(await matched(new TopicPattern('orders'), cluster), ['orders'])
  assert.deepEqual(await matched(new TopicPattern('orders.*'), cluster), ['orders', 'orders.eu'])
  assert.deepEqual(await matched(new TopicPattern('(?i)orders|x'), cluster), ['orders', 'ORDERS'])
})

/** What RE2/J, which brokers use, refuses too: java.util.regex and JavaScript know all of these. */
test('what RE2 does not know is refused with the reason', () => {
  for (const text of ['(', 'a**', '(a)\\1', 'a(?=b)', 'a(?!b)', 'a++', 'x{1001}', '[z-a]', `${'a'.repeat(5000)}`])
    assert.notEqual(new TopicPattern(text).wrong, null, text)
})

test('topics that come and go are seen, and each name is matched once', async () => {
  const cluster = clusterOf('a1', 'b1')
  const pattern = new TopicPattern('a.*')
  assert.deepEqual(await matched(pattern, cluster), ['a1'])

  cluster.topics = ['b1', 'a2']
  assert.deepEqual(await matched(pattern, cluster), ['a1'], 'the same epoch: nothing has changed')
  cluster.topicsEpoch++

  assert.deepEqual(await matched(pattern, cluster), ['a2'])
})

test('many topics are matched a little at a time', async t => {
  slowClock(t)
  const cluster = clusterOf(...Array.from({ length: 20 }, (_, i) => `orders.region-${i}.created`))
  const pattern = new TopicPattern('orders\\..*[02468]\\.created')
  let turns = 0
  const others = setInterval(() => turns++, 1)

  assert.equal(pattern.matched(cluster), null)
  assert.equal((await matched(pattern, cluster)).length, 10)
  clearInterval(others)

  assert.ok(turns >= 20, `others had ${turns} turns`)
})

test('a pattern is not given up for what it cost as topics came, little by little', async t => {
  slowClock(t)
  const cluster = clusterOf()
  const pattern = new TopicPattern('a.*', 20)
  for (let round = 0; round < 10; round++) {
    cluster.topics = [0, 1, 2].map(i => `a${round}${i}`)
    cluster.topicsEpoch++
    assert.deepEqual([await matched(pattern, cluster), pattern.wrong], [cluster.topics, null])
  }
})

test('a pattern that costs too much is given up', async () => {
  const cluster = clusterOf(...Array.from({ length: 3000 }, (_, i) => `${'a'.repeat(240)}${i}`))
  const pattern = new TopicPattern('((a{0,30}){0,30})*((b?){0,30}c{0,30}){0,9}(a*){0,30}z', 10)

  pattern.matched(cluster)
  await pattern.ready

  assert.match(pattern.wrong ?? '', /too long/)
})

test('the same pattern is compiled once', () => {
  const patterns = new Patterns()

  assert.equal(patterns.of('a'), patterns.of('a'))
})
