// Turns at one broker, by a clock of the test's own.

import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { DialQueue, type Turn } from '../../src/proxy/dial-queue.ts'

function queueOf(perSecond: number, budget = Number.POSITIVE_INFINITY, underWay = 100) {
  mock.timers.enable({ apis: ['setTimeout'] })
  let nowMs = 0
  const queue = new DialQueue({ perSecond, budget, underWay }, () => nowMs)
  const went: string[] = []
  const turn = (name: string): Turn => ({
    go: waited => went.push(waited ? `${name} later` : name),
    fail: why => went.push(`${name} failed: ${why}`),
  })
  const pass = (ms: number) => {
    for (let i = 0; i < ms; i++) {
      nowMs++
      mock.timers.tick(1)
    }
  }
  return { queue, went, turn, pass, jump: (ms: number) => (nowMs += ms) }
}
test.afterEach(() => mock.timers.reset())

test('half a second of dials may come at once, the others wait in order, at the rate', () => {
  const { queue, went, turn, pass } = queueOf(10)
  for (let i = 1; i <= 8; i++) queue.enter(turn(`${i}`))

  assert.deepEqual(went, ['1', '2', '3', '4', '5'])
  pass(105)
  assert.deepEqual(went.slice(5), ['6 later'])
  pass(250)
  assert.deepEqual(went.slice(5), ['6 later', '7 later', '8 later'])
})

test('five seconds of dials wait and no more, and who leaves makes room', () => {
  const { queue, went, turn } = queueOf(2)
  const waiting = turn('waiting')
  queue.enter(turn('first'))
  queue.enter(waiting)
  for (let i = 0; i < 9; i++) queue.enter(turn('x'))

  assert.match(queue.full!, /^more than 5 s/)
  queue.enter(turn('one more'))
  assert.deepEqual(went, ['first', 'one more failed: more than 5 s of connections wait for this broker'])
  queue.leave(waiting)
  assert.equal(queue.full, null)
})

test('those that wait count in the budget, and a connection that ends makes room in it', () => {
  const { queue, went, turn } = queueOf(2, 3)
  const waiting = turn('waiting')
  queue.enter(turn('first'))
  queue.enter(waiting)
  queue.enter(turn('third'))

  queue.enter(turn('fourth'))
  assert.deepEqual(went, ['first', 'fourth failed: the budget of 3 connections to this broker is used up'])
  queue.closed()
  assert.equal(queue.full, null)
  queue.enter(turn('fifth'))
  assert.ok(queue.full)
  queue.leave(waiting)
  assert.equal(queue.full, null)
})

test('no more are under way than may be, whatever the rate: who is ready, or has failed, makes room for the next', () => {
  const { queue, went, turn, pass } = queueOf(1000, Number.POSITIVE_INFINITY, 2)
  for (let i = 1; i <= 5; i++) queue.enter(turn(`${i}`))

  pass(1000)
  assert.deepEqual(went, ['1', '2'])
  queue.settled()
  assert.deepEqual(went, ['1', '2', '3 later'])
  queue.settled()
  queue.settled()
  assert.deepEqual(went, ['1', '2', '3 later', '4 later', '5 later'])
})

test('a broker that is away fails those that wait and those that come, for a moment that grows to a second', () => {
  const { queue, went, turn, pass, jump } = queueOf(2)
  queue.enter(turn('a'))
  queue.enter(turn('b'))

  queue.away('ECONNREFUSED')
  queue.enter(turn('c'))
  assert.deepEqual(went, ['a', 'b failed: ECONNREFUSED', 'c failed: ECONNREFUSED'])
  for (let i = 0; i < 10; i++) {
    jump(1001)
    queue.away('ECONNREFUSED')
  }
  jump(1001)
  queue.enter(turn('d'))
  assert.equal(went.at(-1), 'd')
  pass(1)
})

test('a login that is refused keeps everybody away for longer, until something has changed', () => {
  const { queue, went, turn, jump } = queueOf(100)
  for (let i = 0; i < 10; i++) {
    queue.refused('no such account')
    jump(30_001)
  }
  queue.refused('no such account')
  jump(14_000)
  queue.enter(turn('a'))
  assert.equal(went.at(-1), 'a failed: no such account')

  queue.open()
  queue.enter(turn('b'))
  assert.equal(went.at(-1), 'b')
})
