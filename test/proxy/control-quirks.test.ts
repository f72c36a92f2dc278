// Clusters that change, brokers that can little, and those that would lead the gate astray, as the control connection meets them.

import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { offered } from '../../src/policy/plan.ts'
import { BrokerApiOffer } from '../../src/proxy/api-versions.ts'
import { Control, type ControlOptions } from '../../src/proxy/control.ts'
import { hostPattern, Upstream } from '../../src/proxy/upstream.ts'
import { AnsweringBroker, type Answers, clusterAnswers, offersEverything } from '../fakes/answering-broker.ts'
import { until } from '../fakes/until.ts'
import { plainUpstream } from '../fakes/upstream.ts'

const SOON_MS = 5_000

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

function control(port: number, over: Partial<ControlOptions> = {}) {
  const topics: unknown[] = []
  const reachable: string[] = []
  const it = new Control({
    upstream: plainUpstream,
    bootstrap: [{ host: '127.0.0.1', port }],
    clientId: 'test',
    refreshMs: 100,
    timeoutMs: 1000,
    onState: () => undefined,
    onTopics: facts => topics.push(...facts),
    onReachable: (now, why) => reachable.push(now ? 'yes' : why),
    ...over,
  })
  running.push(() => it.stop())
  return { it, topics, reachable }
}

test('APIs of a vendor’s own are neither shown nor served', async () => {
  const own = [
    { apiKey: 1000, minVersion: 0, maxVersion: 3 },
    { apiKey: 10_010, minVersion: 0, maxVersion: 0 },
    { apiKey: -5, minVersion: 0, maxVersion: 0 },
  ]
  const brokers: AnsweringBroker[] = []
  const everything: any = offersEverything()
  brokers.push(
    await broker({ ...clusterAnswers(() => brokers, {}), 18: () => ({ ...everything, apiKeys: [...everything.apiKeys, ...own] }) }),
  )
  const { it } = control(brokers[0]!.port)
  await it.start()

  const offer = new BrokerApiOffer({ nodeId: 1, clusterId: null, broker: it.state.brokers[0]!.offer!, ours: offered })

  for (const { apiKey } of own) assert.deepEqual([offer.ranges.has(apiKey), offer.serves(apiKey, 0)], [false, false])
  assert.ok(offer.serves(3, 12))
})

test('a broker without topic ids, without the new groups and without transactions is offered as it is', async () => {
  const most: Readonly<Record<number, number>> = {
    0: 7,
    1: 11,
    2: 5,
    3: 9,
    8: 7,
    9: 5,
    10: 2,
    11: 4,
    12: 2,
    13: 2,
    14: 2,
    17: 1,
    18: 3,
    36: 0,
  }
  const apiKeys = Object.entries(most).map(([apiKey, maxVersion]) => ({ apiKey: Number(apiKey), minVersion: 0, maxVersion }))
  const brokers: AnsweringBroker[] = []
  brokers.push(
    await broker({ ...clusterAnswers(() => brokers, { orders: ORDERS }), 18: () => ({ errorCode: 0, apiKeys, throttleTimeMs: 0 }) }),
  )
  const { it, topics } = control(brokers[0]!.port)

  await it.start()

  assert.ok(it.state.reachable)
  assert.deepEqual(topics, [])
  assert.deepEqual(await it.topicsOf([ORDERS]), [])
  const offer = new BrokerApiOffer({ nodeId: 1, clusterId: null, broker: it.state.brokers[0]!.offer!, ours: offered })
  assert.deepEqual(
    [offer.serves(1, 11), offer.serves(1, 12), offer.serves(68, 0), offer.serves(22, 0), offer.serves(0, 7)],
    [true, false, false, false, true],
  )
  assert.ok(it.state.brokers[0]!.autoCreate, 'what cannot be asked is taken for on')
})

test('a broker that is replaced under its id is reached at its new address, with its new offer', async () => {
  let named: AnsweringBroker[] = []
  const old = await broker(clusterAnswers(() => named, {}))
  named = [old]
  const everything: any = offersEverything()
  const fewer = everything.apiKeys.map((a: any) => (a.apiKey === 0 ? { ...a, maxVersion: 9 } : a))
  const { it } = control(old.port)
  await it.start()
  const next = await broker({ ...clusterAnswers(() => named, {}), 18: () => ({ ...everything, apiKeys: fewer }) })

  named = [next]
  await until(() => it.state.brokers[0]!.port === next.port, SOON_MS)
  await old.stop()
  await until(() => it.state.reachable && it.state.brokers[0]!.alive && next.count(3) > 0, SOON_MS)

  assert.deepEqual(it.state.brokers[0]!.offer!.ranges.find(([key]) => key === 0)?.[2], 9)
})

test('a broker on a host outside of the patterns is dropped, told of once, and never dialled', async () => {
  const brokers: AnsweringBroker[] = []
  const stranger = await broker({})
  const answers = clusterAnswers(() => brokers, {})
  const first = await broker({
    ...answers,
    3: (request, version) => {
      const answer: any = answers[3]!(request, version)
      return { ...answer, brokers: [...answer.brokers, { nodeId: 66, host: '127.0.0.66', port: stranger.port, rack: null }] }
    },
  })
  brokers.push(first)
  const foreign: string[] = []
  const bootstrap = [{ host: '127.0.0.1', port: first.port }]
  const upstream = new Upstream({ bootstrap, hosts: ['*.kafka.internal'], tls: null, sasl: null })
  const { it } = control(first.port, { upstream, onForeign: (nodeId, host) => foreign.push(`${nodeId} ${host}`) })

  await it.start()
  await until(() => first.count(3) > 2, SOON_MS)

  assert.deepEqual(
    it.state.brokers.map(({ nodeId }) => nodeId),
    [1],
  )
  assert.deepEqual([foreign, it.foreign], [['66 127.0.0.66'], 1])
  assert.equal(stranger.asked.length, 0)
})

test('host patterns match whole names, in any case, and nothing but the star is special', () => {
  const hosts = hostPattern(['*.kafka.internal', 'b-[1].example'])
  assert.deepEqual(
    ['b1.KAFKA.internal', 'kafka.internal', 'b1.kafka.internal.evil', 'b1xkafkaxinternal', 'b-[1].example', 'b-1.example'].map(host =>
      hosts.test(host),
    ),
    [true, false, false, false, true, false],
  )
})

const sasl = { mechanism: 'PLAIN', username: 'gate', password: { value: 'secret', file: null } } as const
const loginAnswers = (errorCode: () => number, lifetimeMs = 0): Answers => ({
  17: () => ({ errorCode: 0, mechanisms: ['PLAIN'] }),
  36: () => ({
    errorCode: errorCode(),
    errorMessage: 'Authentication failed',
    authBytes: Buffer.alloc(0),
    sessionLifetimeMs: BigInt(lifetimeMs),
  }),
})

test('a login that is refused is not tried in a tight loop, however much is asked for, until the credentials change', async () => {
  let errorCode = 58
  const brokers: AnsweringBroker[] = []
  brokers.push(await broker({ ...clusterAnswers(() => brokers, {}), ...loginAnswers(() => errorCode) }))
  const upstream = new Upstream({ bootstrap: [], hosts: null, tls: null, sasl })
  const { it, reachable } = control(brokers[0]!.port, { upstream })
  const fromMs = performance.now()
  await it.start()

  for (let i = 0; i < 20; i++) {
    it.wake()
    await sleep(20)
  }
  // The first pause is a second at least.
  assert.ok(brokers[0]!.count(36) <= 1 + (performance.now() - fromMs) / 1_000)
  assert.ok(it.refused)
  assert.match(it.lastError!, /refused the login by PLAIN \(58\): Authentication failed/)
  errorCode = 0
  it.credentialsChanged()
  await until(() => it.state.reachable, SOON_MS)

  assert.deepEqual([it.lastError, reachable.length, reachable[1]], [null, 2, 'yes'])
})

test('the control connection is made anew before its login ends', async () => {
  const brokers: AnsweringBroker[] = []
  brokers.push(await broker({ ...clusterAnswers(() => brokers, {}), ...loginAnswers(() => 0, 500) }))
  const upstream = new Upstream({ bootstrap: [], hosts: null, tls: null, sasl })
  const { it, reachable } = control(brokers[0]!.port, { upstream })
  await it.start()

  await until(() => brokers[0]!.count(36) >= 3, SOON_MS)

  assert.ok(it.state.reachable)
  assert.deepEqual(reachable, ['yes'])
})
