// Topic ids and names in one worker: found by bytes, asked once, believed as long as is right.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { Resource } from '../../src/policy/authorizer.ts'
import { Names } from '../../src/policy/names.ts'
import { Cluster } from '../../src/proxy/cluster.ts'
import type { NamedTopics, TopicFacts } from '../../src/proxy/cluster-state.ts'

function world(answers: Readonly<Record<string, string | null>> = {}, maxIds?: number, maxNames?: number, there: readonly string[] = []) {
  const asked: string[][] = []
  const names = new Names(maxNames)
  const clock = { nowMs: 0 }
  const topicsNamed = async (asks: readonly string[]): Promise<NamedTopics> => {
    asked.push([...asks])
    return asks.filter(name => name !== 'silent').map(name => [name, there.includes(name)] as const)
  }
  const topicsOf = async (ids: readonly string[]): Promise<TopicFacts> => {
    asked.push([...ids])
    return ids.filter(id => id in answers).map(id => [id, answers[id]!] as const)
  }
  return {
    cluster: new Cluster({ names, topicsOf, topicsNamed, now: () => clock.nowMs, ...(maxIds ? { maxIds } : {}) }),
    names,
    asked,
    clock,
  }
}
const idOf = (n: number) => n.toString(16).padStart(32, '0')
const bytesOf = (n: number) => Buffer.from(idOf(n), 'hex')

test('an id that is not known is asked for by learn, and found from then on', async () => {
  const { cluster, asked } = world({ [idOf(1)]: 'orders' })

  assert.equal(cluster.topicOf(bytesOf(1), 0), undefined)
  await cluster.learn()

  assert.equal(cluster.topicOf(Buffer.concat([Buffer.alloc(5), bytesOf(1)]), 5)?.text, 'orders')
  assert.deepEqual(asked, [[idOf(1)]])
})

test('that there is no such topic is believed for one second', async () => {
  const { cluster, clock } = world({ [idOf(1)]: null })
  cluster.topicOf(bytesOf(1), 0)
  await cluster.learn()

  assert.equal(cluster.topicOf(bytesOf(1), 0), null)
  clock.nowMs = 999
  assert.equal(cluster.topicOf(bytesOf(1), 0), null)
  clock.nowMs = 1000
  assert.equal(cluster.topicOf(bytesOf(1), 0), undefined)
})

test('an id that got no answer stays unknown, and is asked for again', async () => {
  const { cluster, asked } = world()

  cluster.topicOf(bytesOf(1), 0)
  await cluster.learn()
  assert.equal(cluster.topicOf(bytesOf(1), 0), undefined)
  await cluster.learn()

  assert.equal(asked.length, 2)
})

test('sessions that wait at the same time share one question', async () => {
  const { cluster, asked } = world({ [idOf(1)]: 'a', [idOf(2)]: 'b' })
  cluster.topicOf(bytesOf(1), 0)
  cluster.topicOf(bytesOf(2), 0)

  await Promise.all([cluster.learn(), cluster.learn(), cluster.learn()])

  assert.deepEqual(asked, [[idOf(1), idOf(2)]])
})

test('a question that fails leaves ids unknown and rejects nobody', async () => {
  const names = new Names()
  const gone = () => Promise.reject(new Error('gone'))
  const cluster = new Cluster({ names, topicsOf: gone, topicsNamed: gone })
  const orders = names.text(Resource.Topic, 'orders')
  cluster.topicOf(bytesOf(1), 0)
  cluster.hasTopic(orders)

  await cluster.learn()

  assert.deepEqual([cluster.topicOf(bytesOf(1), 0), cluster.hasTopic(orders)], [undefined, undefined])
})

test('a name is asked for together with ids; what is said of it is believed for one second, and no answer is none', async () => {
  const { cluster, names, asked, clock } = world({ [idOf(1)]: 'orders' }, undefined, undefined, ['made-beside'])
  const has = (...of: string[]) => of.map(name => cluster.hasTopic(names.text(Resource.Topic, name)))
  cluster.topicOf(bytesOf(1), 0)
  assert.deepEqual(has('made-beside', 'never', 'silent'), [undefined, undefined, undefined])

  await cluster.learn()

  assert.deepEqual(has('orders', 'made-beside', 'never', 'silent'), [true, true, false, undefined])
  assert.deepEqual(asked, [[idOf(1)], ['made-beside', 'never', 'silent']])
  clock.nowMs = 999
  assert.deepEqual(has('made-beside', 'never'), [true, false])
  clock.nowMs = 1000
  assert.deepEqual(has('orders', 'made-beside', 'never'), [true, undefined, undefined])
})

test('what is no name of a topic is nobody asked for; a request of very many names is decided all the same', async () => {
  const { cluster, names, asked } = world()
  const named = (text: string) => names.text(Resource.Topic, text)
  assert.deepEqual(
    ['', '.', 'a b', 'x'.repeat(250)].map(text => cluster.hasTopic(named(text))),
    [false, false, false, false],
  )
  await cluster.learn()
  assert.deepEqual(asked, [])

  const many = Array.from({ length: 10_500 }, (_, i) => named(`t${i}`))
  const unknown = () => many.filter(name => cluster.hasTopic(name) === undefined).length
  const rounds: number[] = []
  for (let round = 0; round < 3; round++) {
    rounds.push(unknown())
    await cluster.learn()
  }

  assert.deepEqual(rounds, [10_500, 500, 0])
})

test('who asks for the last time leaves nothing to be asked', async () => {
  const { cluster, names, asked } = world()
  assert.equal(cluster.hasTopic(names.text(Resource.Topic, 'orders'), false), undefined)

  await cluster.learn()

  assert.deepEqual(asked, [])
})

test('what others want meanwhile keeps nobody waiting', async () => {
  const names = new Names()
  const answers: PromiseWithResolvers<NamedTopics>[] = []
  const topicsNamed = () => {
    answers.push(Promise.withResolvers())
    return answers.at(-1)!.promise
  }
  const cluster = new Cluster({ names, topicsOf: async () => [], topicsNamed })
  const [first, second] = ['first', 'second'].map(name => names.text(Resource.Topic, name))
  cluster.hasTopic(first!)
  const learnt = cluster.learn()
  await new Promise(resolve => setImmediate(resolve))
  cluster.hasTopic(second!)
  void cluster.learn()
  await new Promise(resolve => setImmediate(resolve))
  assert.equal(answers.length, 2)

  answers[0]!.resolve([['first', true]])
  await learnt

  assert.deepEqual([cluster.hasTopic(first!), cluster.hasTopic(second!)], [true, undefined])
})

test('a topic that was not there counts as soon as a response names it', async () => {
  const { cluster, names } = world()
  const orders = names.text(Resource.Topic, 'orders')
  cluster.hasTopic(orders)
  await cluster.learn()
  assert.equal(cluster.hasTopic(orders), false)

  cluster.learned(bytesOf(1), orders)

  assert.equal(cluster.hasTopic(orders), true)
})

test('ids are found among a hundred thousand, and names give their ids back', () => {
  const { cluster, names } = world()
  const ids = Array.from({ length: 100_000 }, () => randomBytes(16))
  ids.forEach((id, i) => {
    cluster.learned(id, names.text(Resource.Topic, `t-${i}`))
  })

  for (let i = 0; i < ids.length; i += 997) {
    assert.equal(cluster.topicOf(ids[i]!, 0)?.text, `t-${i}`)
    assert.deepEqual(cluster.idOf(names.text(Resource.Topic, `t-${i}`)), ids[i])
  }
  assert.equal(cluster.topicOf(randomBytes(16), 0), undefined)
  assert.equal(cluster.idOf(names.text(Resource.Topic, 'none')), null)
})

test('ids outlive the table of names', () => {
  const { cluster, names } = world({}, undefined, 8)
  cluster.learned(bytesOf(1), names.text(Resource.Topic, 'orders'))
  for (let i = 0; i < 50; i++) names.text(Resource.Group, `g-${i}`)

  const name = cluster.topicOf(bytesOf(1), 0)!

  assert.equal(name.text, 'orders')
  assert.equal(name.generation, names.generation)
  assert.deepEqual(cluster.idOf(names.text(Resource.Topic, 'orders')), bytesOf(1))
})

test('the table of ids is bounded', () => {
  const { cluster, names } = world({}, 100)
  for (let i = 1; i <= 1000; i++) cluster.learned(bytesOf(i), names.text(Resource.Topic, `t-${i}`))

  let known = 0
  for (let i = 1; i <= 1000; i++) if (cluster.topicOf(bytesOf(i), 0) !== undefined) known++

  assert.ok(known > 0 && known <= 100, `${known} known`)
  assert.equal(cluster.topicOf(bytesOf(1000), 0)?.text, 't-1000')
})

test('topics that are deleted leave the list, and their ids are those of no topic', async () => {
  const { cluster, names, clock, asked } = world({ [idOf(1)]: null })
  cluster.learnFacts([
    [idOf(1), 'orders'],
    [idOf(2), 'payments'],
  ])
  const epoch = cluster.topicsEpoch
  const listed = () =>
    cluster
      .topicNames()
      .map(name => name.text)
      .sort()
  assert.deepEqual(listed(), ['orders', 'payments'])

  cluster.learnFacts([[idOf(1), null]])

  assert.notEqual(cluster.topicsEpoch, epoch)
  assert.deepEqual(listed(), ['payments'])
  assert.equal(cluster.hasTopic(names.text(Resource.Topic, 'orders')), undefined)
  assert.equal(cluster.idOf(names.text(Resource.Topic, 'orders')), null)
  assert.equal(cluster.topicOf(bytesOf(1), 0), null)
  clock.nowMs = 1000
  assert.equal(cluster.topicOf(bytesOf(1), 0), undefined)
  await cluster.learn()
  assert.deepEqual([cluster.topicOf(bytesOf(1), 0), asked], [null, [[idOf(1)], ['orders']]])
})

test('a topic that is taken for deleted is there again when the cluster says so, and not by the response of a broker that lags', () => {
  const { cluster, names } = world({}, undefined, 8)
  const orders = () => names.text(Resource.Topic, 'orders')
  cluster.learnFacts([[idOf(1), 'orders']])
  cluster.learnFacts([[idOf(1), null]])
  for (let i = 0; i < 50; i++) names.text(Resource.Group, `g-${i}`)
  assert.equal(cluster.hasTopic(orders()), undefined)
  const epoch = cluster.topicsEpoch

  cluster.learned(bytesOf(1), orders())
  assert.equal(cluster.topicOf(bytesOf(1), 0), null)
  cluster.learnFacts([[idOf(1), 'orders']])

  assert.notEqual(cluster.topicsEpoch, epoch)
  assert.equal(cluster.topicOf(bytesOf(1), 0)?.text, 'orders')
  assert.deepEqual([cluster.hasTopic(orders()), cluster.idOf(orders())], [true, bytesOf(1)])
})

test('a topic that is made again is in the list under its new id', () => {
  const { cluster, names } = world()
  cluster.learnFacts([[idOf(1), 'orders']])
  cluster.learnFacts([
    [idOf(3), 'orders'],
    [idOf(1), null],
  ])

  assert.deepEqual(
    cluster.topicNames().map(name => name.text),
    ['orders'],
  )
  assert.equal(cluster.hasTopic(names.text(Resource.Topic, 'orders')), true)
  assert.deepEqual(cluster.idOf(names.text(Resource.Topic, 'orders')), bytesOf(3))
})
