// The control connection against brokers that answer, hang up, go and come back.

import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import type { ClusterState, TopicFacts } from '../../src/proxy/cluster-state.ts'
import { Control } from '../../src/proxy/control.ts'
import { backoffMs } from '../../src/proxy/waits.ts'
import { AnsweringBroker, type Answers, clusterAnswers, offersEverything } from '../fakes/answering-broker.ts'
import { plainUpstream } from '../fakes/upstream.ts'

const ORDERS = '0123456789abcdef0123456789abcdef'
const running: (() => unknown)[] = []
afterEach(async () => {
  for (const stop of running.splice(0)) await stop()
})

async function broker(answers: Answers): Promise<AnsweringBroker> {
  const started = await AnsweringBroker.start(answers)
  running.push(() => started.stop().catch(() => undefined))
  return started
}
async function cluster(count: number): Promise<AnsweringBroker[]> {
  const brokers: AnsweringBroker[] = []
  for (let i = 0; i < count; i++) brokers.push(await broker(clusterAnswers(() => brokers, { orders: ORDERS })))
  return brokers
}

function control(ports: readonly number[], timeoutMs = 2000) {
  const states: ClusterState[] = []
  const topics: TopicFacts[number][] = []
  const reachable: boolean[] = []
  const waiting = new Set<() => void>()
  const it = new Control({
    bootstrap: ports.map(port => ({ host: '127.0.0.1', port })),
    upstream: plainUpstream,
    clientId: 'test',
    refreshMs: 60_000,
    timeoutMs,
    onState: state => {
      states.push(state)
      for (const look of waiting) look()
    },
    onTopics: facts => topics.push(...facts),
    onReachable: now => reachable.push(now),
  })
  running.push(() => it.stop())
  const until = (holds: (state: ClusterState) => boolean) =>
    new Promise<void>(resolve => {
      const look = () => {
        if (!holds(it.state)) return
        waiting.delete(look)
        resolve()
      }
      waiting.add(look)
      look()
    })
  return { control: it, states, topics, reachable, until }
}

test('it learns brokers, offers, the cluster id, the auto-create setting and topic ids', async () => {
  const brokers = await cluster(2)
  const { control: it, topics } = control([brokers[0]!.port])

  await it.start()

  assert.equal(it.state.clusterId, 'test-cluster')
  assert.deepEqual(
    it.state.brokers.map(broker => broker.autoCreate),
    [false, false],
  )
  assert.deepEqual(
    it.state.brokers.map(({ nodeId, port, alive }) => ({ nodeId, port, alive })),
    brokers.map(({ port }, i) => ({ nodeId: i + 1, port, alive: true })),
  )
  assert.deepEqual(
    it.state.brokers[1]!.offer!.ranges.find(r => r[0] === 3),
    [3, 0, 13],
  )
  assert.deepEqual(topics, [[ORDERS, 'orders']])
  assert.equal(brokers[0]!.asked.find(a => a.apiKey === 3)!.body.allowAutoTopicCreation, false)
})

test('dead bootstrap addresses are passed over', async () => {
  const [alive, dead] = [await cluster(1), await broker({})]
  await dead.stop()

  const { control: it } = control([dead.port, dead.port, alive[0]!.port])
  await it.start()

  assert.ok(it.state.reachable)
})

test('a broker that hangs up on newer versions is asked in older ones', async () => {
  const brokers: AnsweringBroker[] = []
  const answers = clusterAnswers(() => brokers, {})
  brokers.push(await broker({ ...answers, 18: (_request, version) => (version > 0 ? 'hang up' : offersEverything()) }))

  const { control: it } = control([brokers[0]!.port])
  await it.start()

  assert.ok(it.state.reachable)
  assert.deepEqual(
    brokers[0]!.asked.slice(0, 3).map(a => a.version),
    [4, 3, 0],
  )
})

test('a broker that refuses the version is asked again in the newest one that it names', async () => {
  const brokers: AnsweringBroker[] = []
  const refused = { errorCode: 35, apiKeys: [{ apiKey: 18, minVersion: 0, maxVersion: 2 }] }
  brokers.push(
    await broker({ ...clusterAnswers(() => brokers, {}), 18: (_request, version) => (version > 2 ? refused : offersEverything()) }),
  )

  const { control: it } = control([brokers[0]!.port])
  await it.start()

  assert.ok(it.state.reachable)
  assert.deepEqual(
    brokers[0]!.asked.slice(0, 2).map(a => a.version),
    [4, 2],
  )
})

test('ids are asked together: names, none for what is not there, and nothing for what was not answered', async () => {
  const brokers = await cluster(1)
  const { control: it } = control([brokers[0]!.port])
  await it.start()
  const before = brokers[0]!.count(3)

  const [one, two] = await Promise.all([it.topicsOf([ORDERS]), it.topicsOf(['f'.repeat(32), ORDERS])])

  assert.deepEqual(one, [[ORDERS, 'orders']])
  assert.deepEqual(two, [
    ['f'.repeat(32), null],
    [ORDERS, 'orders'],
  ])
  assert.equal(brokers[0]!.count(3), before + 1)
  brokers[0]!.answers = { ...brokers[0]!.answers, 3: () => null }
  assert.deepEqual(await it.topicsOf(['e'.repeat(32)]), [])
})

test('names are asked together and never make a topic: there, not there, and nothing for what was not answered or is hidden', async () => {
  const hidden = { errorCode: 29, name: 'hidden', topicId: '0'.repeat(32), partitions: [] }
  const answers = clusterAnswers(() => brokers, { orders: ORDERS })
  const metadata = (request: any) => {
    if (request.topics !== null) assert.equal(request.allowAutoTopicCreation, false)
    const answer: any = answers[3]!(request, 12)
    return { ...answer, topics: answer.topics.map((topic: any) => (topic.name === 'hidden' ? hidden : topic)) }
  }
  const brokers: AnsweringBroker[] = []
  brokers.push(await broker({ ...answers, 3: metadata }))
  const { control: it } = control([brokers[0]!.port])
  await it.start()
  const before = brokers[0]!.count(3)

  const [one, two] = await Promise.all([it.topicsNamed(['orders']), it.topicsNamed(['never', 'hidden', 'orders'])])

  assert.deepEqual(one, [['orders', true]])
  assert.deepEqual(two, [
    ['never', false],
    ['orders', true],
  ])
  assert.equal(brokers[0]!.count(3), before + 1)
  brokers[0]!.answers = { ...brokers[0]!.answers, 3: () => null }
  assert.deepEqual(await it.topicsNamed(['orders']), [])
})

test('a cluster that does not answer keeps nobody waiting for longer than a second, however many names are asked for', async () => {
  const brokers = await cluster(1)
  const { control: it } = control([brokers[0]!.port])
  await it.start()
  brokers[0]!.answers = { ...brokers[0]!.answers, 3: () => new Promise(() => undefined) as never }
  const before = performance.now()

  const found = await it.topicsNamed(Array.from({ length: 2_000 }, (_, i) => `t${i}`))

  assert.deepEqual(found, [])
  assert.ok(performance.now() - before < 1_900, 'four requests would have taken four seconds')
})

test('a topic that is deleted is told once, as an id that names nothing', async () => {
  const known: Record<string, string> = { orders: ORDERS }
  const brokers: AnsweringBroker[] = []
  brokers.push(await broker(clusterAnswers(() => brokers, known)))
  const { control: it, topics, states } = control([brokers[0]!.port])
  await it.start()
  const rounds = states.length

  delete known.orders
  it.wake()
  while (states.length === rounds) await new Promise(resolve => setTimeout(resolve, 20))
  await new Promise(resolve => setImmediate(resolve))

  assert.deepEqual(topics, [
    [ORDERS, 'orders'],
    [ORDERS, null],
  ])
})

test('a broker that gives no word is silent; one that hangs up, or refuses connections, is not', async () => {
  const brokers = await cluster(4)
  brokers[1]!.answers = { ...brokers[1]!.answers, 18: () => null }
  brokers[2]!.answers = { ...brokers[2]!.answers, 18: () => 'hang up' }
  await brokers[3]!.stop()
  const { control: it } = control([brokers[0]!.port], 300)

  await it.start()

  assert.deepEqual(
    it.state.brokers.map(({ alive, silent = false }) => [alive, silent]),
    [
      [true, false],
      [false, true],
      [false, false],
      [false, false],
    ],
  )
})

test('a control connection that is refused makes no broker silent, one that finds nobody makes all so', async () => {
  const brokers = await cluster(2)
  const { control: it, until } = control([brokers[0]!.port], 300)
  await it.start()
  const quiet = () => it.state.brokers.map(({ silent = false }) => silent)

  for (const each of brokers) each.answers = { ...each.answers, 3: () => 'hang up' }
  it.wake()
  await until(({ reachable }) => !reachable)
  assert.deepEqual(quiet(), [false, false])

  for (const each of brokers) each.answers = { ...each.answers, 18: () => null }
  it.wake()
  await until(({ brokers: all }) => all.every(({ silent }) => silent))
  assert.deepEqual(quiet(), [true, true])
})

test('each broker says for itself whether asking for a topic makes one', async () => {
  const brokers = await cluster(3)
  const config = { name: 'auto.create.topics.enable', value: 'true', synonyms: [], documentation: null }
  brokers[1]!.answers[32] = ({ resources }) => ({
    results: resources.map(({ resourceType, resourceName }: any) => ({
      resourceType,
      resourceName,
      errorCode: 0,
      errorMessage: null,
      configs: [config],
    })),
  })
  brokers[2]!.answers[32] = () => 'hang up'

  const { control: it, until } = control([brokers[0]!.port])
  await it.start()

  assert.deepEqual(
    it.state.brokers.map(broker => broker.autoCreate),
    [false, true, true],
  )
  for (const [i, { asked }] of brokers.entries()) {
    const names = asked.filter(({ apiKey }) => apiKey === 32).map(({ body }) => body.resources[0].resourceName)
    assert.deepEqual(names, [String(i + 1)], 'a broker is asked about itself, once')
  }
  const { port } = brokers[1]!
  await brokers[1]!.stop()
  it.wake()
  await until(({ brokers: [, second] }) => !second!.alive)
  config.value = 'false'
  await brokers[1]!.listen(port)
  it.wake()
  await until(({ brokers: [, second] }) => second!.alive)
  assert.equal(it.state.brokers[1]!.autoCreate, false, 'it was set anew when it came back')
})

test('what is said to move topics is looked at soon, once for many, and nothing else is asked', async () => {
  const topics: Record<string, string> = { orders: ORDERS }
  const brokers: AnsweringBroker[] = []
  brokers.push(await broker(clusterAnswers(() => brokers, topics)))
  const { control: it, topics: told } = control([brokers[0]!.port])
  await it.start()
  const [offers, lists] = [brokers[0]!.count(18), brokers[0]!.count(3)]

  topics['fresh'] = 'ab'.repeat(16)
  for (let i = 0; i < 100; i++) it.topicsMoved()
  while (told.length < 2) await new Promise(resolve => setTimeout(resolve, 10))

  assert.deepEqual(told.at(-1), ['ab'.repeat(16), 'fresh'])
  assert.equal(brokers[0]!.count(18), offers)
  assert.equal(brokers[0]!.count(3), lists + 1)
  delete topics['fresh']
  while (told.length < 3) await new Promise(resolve => setTimeout(resolve, 10))
  assert.deepEqual(told.at(-1), ['ab'.repeat(16), null], 'and once more a second later')
})

test('a cluster that is away is said to be unreachable, keeps what was known of it, and is found when it is back', async () => {
  const brokers = await cluster(1)
  const { control: it, reachable, until } = control([brokers[0]!.port])
  await it.start()

  await brokers[0]!.stop()
  await until(state => !state.reachable)
  assert.equal(it.state.brokers[0]!.alive, false)
  assert.notEqual(it.state.brokers[0]!.offer, null)
  await brokers[0]!.listen(brokers[0]!.port)
  await until(state => state.reachable)

  assert.deepEqual(reachable, [true, false, true])
})

test('a broker of the cluster that does not answer is not alive, and the others are', async () => {
  const brokers = await cluster(2)
  await brokers[1]!.stop()

  const { control: it } = control([brokers[0]!.port])
  await it.start()

  assert.deepEqual(
    it.state.brokers.map(b => [b.alive, b.offer !== null]),
    [
      [true, true],
      [false, false],
    ],
  )
})

test('tries are spread out, and never further apart than ten seconds', () => {
  assert.deepEqual(
    [1, 2, 3].map(failures => backoffMs(failures, 1)),
    [250, 500, 1000],
  )
  assert.equal(backoffMs(100, 1), 10_000)
  assert.equal(backoffMs(1, 0), 125)
})
