// The way to OpenFGA under load and failure.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Lane } from '../../src/policy/lane.ts'

class Unavailable extends Error {}

function laneOf(width: number, maxWaiting = 100) {
  const clock = { nowMs: 0 }
  const lane = new Lane({ width, maxWaiting, isFault: why => why instanceof Unavailable, now: () => clock.nowMs })
  return { lane, clock }
}

/** Work that ends when it is told to. */
function pending(log: string[], name: string) {
  const { promise, resolve } = Promise.withResolvers<void>()
  const work = async () => {
    log.push(name)
    await promise
  }
  return { work, resolve }
}

const turn = () => new Promise(resolve => setImmediate(resolve))

test('no more run at a time than the lane is wide, and urgent questions overtake the others', async () => {
  const { lane } = laneOf(1)
  const log: string[] = []
  const [first, list, data] = ['first', 'list', 'data'].map(name => pending(log, name)) as ReturnType<typeof pending>[]
  const all = [lane.run(first!.work), lane.run(list!.work, false), lane.run(data!.work)]
  assert.deepEqual([log, lane.waiting], [['first'], 2])
  first!.resolve()
  await turn()
  assert.deepEqual(log, ['first', 'data'])
  data!.resolve()
  await turn()
  assert.deepEqual(log, ['first', 'data', 'list'])
  list!.resolve()
  await Promise.all(all)
})

test('what waited past its time is not asked, and a full lane takes no more', async () => {
  const { lane, clock } = laneOf(1, 1)
  const log: string[] = []
  const [first, late] = ['first', 'late'].map(name => pending(log, name)) as ReturnType<typeof pending>[]
  const running = lane.run(first!.work)
  const waiting = lane.run(late!.work)
  await assert.rejects(
    lane.run(async () => 1),
    /too many questions wait/,
  )
  clock.nowMs = 2_000
  first!.resolve()
  await assert.rejects(waiting, /waited for too long/)
  await running
  assert.deepEqual(log, ['first'])
  assert.equal(await lane.run(async () => 1), 1)
})

test('after failures in a row nothing is asked for a moment, then one question finds out', async () => {
  const { lane, clock } = laneOf(4)
  const asked: number[] = []
  const ask = (answer: () => number) =>
    lane.run(async () => {
      asked.push(clock.nowMs)
      return answer()
    })
  const fail = () => {
    throw new Unavailable('down')
  }
  for (let i = 0; i < 5; i++) await assert.rejects(ask(fail), /down/)
  assert.ok(lane.isOpen)
  await assert.rejects(
    ask(() => 1),
    /keeps failing/,
  )
  assert.equal(asked.length, 5)
  clock.nowMs = 400
  await assert.rejects(ask(fail), /down/)
  await assert.rejects(
    ask(() => 1),
    /keeps failing/,
  )
  clock.nowMs = 800
  assert.equal(await ask(() => 1), 1)
  assert.ok(!lane.isOpen)
  assert.equal(await ask(() => 2), 2)
})

test('a question that is wrong in itself says nothing about the store', async () => {
  const { lane } = laneOf(4)
  for (let i = 0; i < 20; i++)
    await assert.rejects(
      lane.run(() => Promise.reject(new Error('400'))),
      /400/,
    )
  assert.ok(!lane.isOpen)
})
