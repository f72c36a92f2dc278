// A cluster that is reached by IPv6 alone: its brokers are addresses, not names, in the bootstrap and in what it says of itself.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { loadConfig } from '../../src/base/config.ts'
import { liveChecks } from '../../src/cli/live.ts'
import { type Gate, startGate } from '../e2e/gate.ts'
import { AnsweringBroker, clusterAnswers } from '../fakes/answering-broker.ts'
import { FakeClient } from '../fakes/client.ts'
import { until } from '../fakes/until.ts'

const METADATA = 3
const FIND_COORDINATOR = 10
const policy =
  'version: 1\ngrants:\n  - { id: all, to: anyone, allow: [produce, consume], topics: ["orders"], consumerGroups: ["orders"] }\n'
const brokers: AnsweringBroker[] = []
let issuer: DevIssuer
let gate: Gate

before(async () => {
  issuer = await startDevIssuer()
  const answers = clusterAnswers(() => brokers, { orders: '0123456789abcdef0123456789abcdef' })
  for (let i = 0; i < 2; i++) {
    const coordinator = () => ({ errorCode: 0, errorMessage: null, nodeId: 2, host: '::1', port: brokers[1]!.port })
    brokers.push(await AnsweringBroker.start({ ...answers, [FIND_COORDINATOR]: coordinator }, '::1'))
  }
  gate = await startGate({
    bootstrap: `[::1]:${brokers[0]!.port}`,
    policy,
    issuers: [issuer.settings('corp')],
    config: { cluster: { name: 'main', bootstrap: [`[::1]:${brokers[0]!.port}`], hosts: ['::1'], tls: 'off' } },
  })
  await until(async () => (await gate.metric('topicgate_brokers_alive')) === 2)
})
after(async () => {
  await gate?.stop()
  for (const broker of brokers) await broker.stop()
  await issuer?.stop()
})

async function client(port: number): Promise<FakeClient> {
  const it = await FakeClient.connect(port)
  assert.equal(await it.login(await issuer.mint({ service: 'orders' })), 0)
  return it
}

test('clients are told addresses of the gate, and behind each the broker answers', async () => {
  const first = await client(gate.port)
  const { brokers: told } = await first.ask(METADATA, 9, { topics: [{ name: 'orders' }], allowAutoTopicCreation: false })
  const found = await first.ask(FIND_COORDINATOR, 3, { key: 'orders', keyType: 0 })
  first.socket.destroy()

  assert.deepEqual(
    told.map(({ nodeId, host }: any) => [nodeId, host]),
    [
      [1, '127.0.0.1'],
      [2, '127.0.0.1'],
    ],
  )
  assert.deepEqual([found.nodeId, found.host, found.port], [2, '127.0.0.1', told[1].port])
  for (const [i, { port }] of told.entries()) {
    const before = brokers[i]!.asked.length
    const it = await client(port)
    assert.notEqual(await it.ask(METADATA, 9, { topics: [{ name: 'orders' }], allowAutoTopicCreation: false }), null)
    it.socket.destroy()
    assert.ok(brokers[i]!.asked.slice(before).some(({ apiKey, body }) => apiKey === METADATA && body.topics?.[0]?.name === 'orders'))
  }
})

test('validate --live goes to both, and writes their addresses as they are read', async () => {
  const checks = await liveChecks(loadConfig(gate.configFile))

  const [first, second] = brokers.map(({ port }) => `[::1]:${port}`)
  assert.deepEqual(
    checks.map(({ check, problem }) => problem ?? check),
    [`tcp ${first}`, `offer ${first}`, 'metadata', `tcp ${second}`, `offer ${second}`, 'issuer corp'],
  )
})
