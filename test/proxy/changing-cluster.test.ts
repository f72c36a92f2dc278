// A gate before a cluster that changes under it: brokers come beyond the ports there are, go, and come back elsewhere; ports that are told and ports that are bound.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { freePorts } from '../../scripts/stack/part.ts'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { type Gate, startGate } from '../e2e/gate.ts'
import { AnsweringBroker, clusterAnswers } from '../fakes/answering-broker.ts'
import { FakeClient } from '../fakes/client.ts'
import { until } from '../fakes/until.ts'

const METADATA = 3
const TOLD = 40_001
const policy = 'version: 1\ngrants:\n  - { id: all, to: anyone, allow: produce, topics: ["orders"] }\n'

/** By node id. */
const cluster = new Map<number, AnsweringBroker>()
let issuer: DevIssuer
let gate: Gate
let bound: number

before(async () => {
  issuer = await startDevIssuer()
  for (const nodeId of [1, 2]) cluster.set(nodeId, await startBroker())
  gate = await startOnRange()
  await until(async () => (await gate.metric('topicgate_brokers_alive')) === 2)
})
after(async () => {
  await gate?.stop()
  for (const broker of cluster.values()) await broker.stop()
  await issuer?.stop()
})

function startBroker(): Promise<AnsweringBroker> {
  const answers = clusterAnswers(() => [], { orders: '0123456789abcdef0123456789abcdef' })
  return AnsweringBroker.start({
    ...answers,
    [METADATA]: (request, version) => ({
      ...(answers[METADATA]!(request, version) as object),
      brokers: [...cluster].map(([nodeId, { port }]) => ({ nodeId, host: '127.0.0.1', port, rack: null })),
    }),
  })
}

/** Ports for the nodes 1 and 2 that lie side by side; clients are told others. */
async function startOnRange(): Promise<Gate> {
  for (;;) {
    ;[bound] = (await freePorts(1)) as [number]
    const brokers = { ports: `${bound}-${bound + 1}`, firstNode: 1, advertisedPorts: `${TOLD}-${TOLD + 1}` }
    const listeners = [{ name: 'clients', bind: '127.0.0.1:0', advertise: { host: '127.0.0.1' }, brokers }]
    const started = await startGate({
      bootstrap: `127.0.0.1:${cluster.get(1)!.port}`,
      policy,
      issuers: [issuer.settings('corp')],
      config: { listeners },
    })
    if ((await started.metric('topicgate_brokers_without_port')) === 0) return started
    await started.kill()
  }
}

/** A client on the bootstrap port, or on the one that is bound for a node. */
async function client(nodeId?: number): Promise<FakeClient> {
  const bootstrap = Number(/^listener clients .*?:(\d+) /m.exec(readFileSync(gate.logFile, 'utf8'))![1])
  const it = await FakeClient.connect(nodeId === undefined ? bootstrap : bound + nodeId - 1)
  await it.login(await issuer.mint({ service: 'orders' }))
  return it
}

async function told(): Promise<[nodeId: number, port: number][] | null> {
  const asking = await client()
  const answer = await asking.ask(METADATA, 9, { topics: [{ name: 'orders' }], allowAutoTopicCreation: false })
  asking.socket.destroy()
  return answer?.brokers.map(({ nodeId, port }: any) => [nodeId, port])
}

test('clients are told the advertised ports, and are served on those that are bound', async () => {
  assert.deepEqual(await told(), [
    [1, TOLD],
    [2, TOLD + 1],
  ])
  const second = await client(2)

  assert.notEqual(await second.ask(METADATA, 9, { topics: [], allowAutoTopicCreation: false }), null)
  second.socket.destroy()
})

test('a broker beyond the ports is an error in the log and in a metric, and the others are served; gone, it is not missed', async () => {
  const third = await startBroker()
  cluster.set(3, third)

  assert.deepEqual(await told(), [
    [1, TOLD],
    [2, TOLD + 1],
  ])
  await until(async () => (await gate.metric('topicgate_brokers_without_port')) === 1)
  assert.match(readFileSync(gate.logFile, 'utf8'), /"nodeId":3,"why":"the listener has no port for this node id: widen its range of ports"/)

  cluster.delete(3)
  await third.stop()
  await lose()
  await until(async () => (await gate.metric('topicgate_brokers_without_port')) === 0)
})

test('a broker that comes back elsewhere under its id is reached there, by the port that clients know', async () => {
  const old = cluster.get(2)!
  const next = await startBroker()
  const before = await client(2)
  cluster.set(2, next)
  await old.stop()
  await before.closed

  await until(async () => {
    const again = await client(2)
    const answer = await again.ask(METADATA, 9, { topics: [{ name: 'orders' }], allowAutoTopicCreation: false })
    again.socket.destroy()
    return answer !== null
  })

  assert.ok(next.asked.some(({ apiKey, body }) => apiKey === METADATA && body.topics?.length === 1))
})

test('a broker that is taken out is not named any more, and its port serves nobody', async () => {
  const removed = cluster.get(2)!
  cluster.delete(2)
  await removed.stop()
  await lose()

  await until(async () => (await gate.metric('topicgate_brokers')) === 1)
  assert.deepEqual(await told(), [[1, TOLD]])
  const late = await FakeClient.connect(bound + 1)
  assert.equal(await late.login(await issuer.mint({ service: 'orders' })), null)
})

/** Clients lose their broker, which is what makes a gate look at its cluster before the next round. */
async function lose(): Promise<void> {
  const losing = await client(1)
  const broker = cluster.get(1)!
  const { port } = broker
  await broker.stop()
  await losing.closed
  await broker.listen(port)
}
