// A broker that names other hosts in what it answers to clients: brokers are dialled where the cluster's metadata says, and nowhere else.

import assert from 'node:assert/strict'
import net, { type AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { type Gate, startGate } from '../e2e/gate.ts'
import { AnsweringBroker, type Answers, clusterAnswers } from '../fakes/answering-broker.ts'
import { FakeClient } from '../fakes/client.ts'
import { recordBatch } from '../fakes/record-batch.ts'
import { until } from '../fakes/until.ts'

const [PRODUCE, FETCH, FIND_COORDINATOR] = [0, 1, 10]
const ORDERS = '0123456789abcdef0123456789abcdef'
const AWAY = 'kafka-7.internal:9092 is away'
/** In no metadata. */
const STRANGE = 7
const policy =
  'version: 1\ngrants:\n  - { id: all, to: anyone, allow: [produce, consume], topics: [orders], consumerGroups: [orders, away] }\n'

let issuer: DevIssuer
let broker: AnsweringBroker
let gate: Gate
let trap: net.Server
/** Who came where nobody may. */
let trapped = 0

before(async () => {
  issuer = await startDevIssuer()
  trap = net.createServer(socket => {
    trapped++
    socket.destroy()
  })
  await new Promise<void>(resolve => trap.listen(0, '127.0.0.1', resolve))
  broker = await AnsweringBroker.start({ ...clusterAnswers(() => [broker], { orders: ORDERS }), ...misleading() })
  gate = await startGate({ bootstrap: `127.0.0.1:${broker.port}`, policy, issuers: [issuer.settings('corp')] })
  await until(async () => (await gate.metric('topicgate_brokers_alive')) === 1)
})
after(async () => {
  await gate?.stop()
  await broker.stop()
  trap.close()
  await issuer.stop()
})

/** Of node 1, which is the broker itself, and of one that nobody knows. */
function misleading(): Answers {
  const { port } = trap.address() as AddressInfo
  const nodeEndpoints = [STRANGE, 1].map(nodeId => ({ nodeId, host: '127.0.0.1', port, rack: null }))
  const moved = { leaderId: STRANGE, leaderEpoch: 9 }
  return {
    [PRODUCE]: ({ topicData }) => ({
      responses: topicData.map(({ name, topicId }: any) => ({
        ...{ name, topicId },
        partitionResponses: [{ index: 0, errorCode: 6, baseOffset: -1n, currentLeader: moved }],
      })),
      nodeEndpoints,
    }),
    [FETCH]: ({ topics }) => ({
      throttleTimeMs: 0,
      errorCode: 0,
      responses: topics.map(({ topicId }: any) => ({
        topicId,
        partitions: [
          { partitionIndex: 0, errorCode: 6, highWatermark: -1n, abortedTransactions: null, currentLeader: moved, records: null },
        ],
      })),
      nodeEndpoints,
    }),
    [FIND_COORDINATOR]: ({ coordinatorKeys }, version) => {
      const at = { nodeId: STRANGE, host: '127.0.0.1', port, errorCode: 0, errorMessage: null }
      const nowhere = { nodeId: -1, host: '', port: -1, errorCode: 15, errorMessage: AWAY }
      const nodeOf = (key: string) => (key === 'away' ? nowhere : { ...at, nodeId: 1 })
      return version < 4 ? at : { coordinators: coordinatorKeys.map((key: string) => ({ key, ...nodeOf(key) })) }
    },
  }
}

async function client(port = gate.port): Promise<FakeClient> {
  const it = await FakeClient.connect(port)
  assert.equal(await it.login(await issuer.mint({ service: 'orders' })), 0)
  return it
}

/** What the answer names is the gate's; behind it is the broker that metadata knows, or nobody. */
async function leadsNowhereElse(told: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[]): Promise<void> {
  assert.deepEqual(
    told.map(({ nodeId }) => nodeId),
    [STRANGE, 1],
  )
  const { port: trapPort } = trap.address() as AddressInfo
  for (const { nodeId, host, port } of told) {
    assert.deepEqual([host, port === trapPort], ['127.0.0.1', false])
    const it = await FakeClient.connect(port)
    const login = await it.login(await issuer.mint({ service: 'orders' }))
    assert.equal(login, nodeId === 1 ? 0 : null, `node ${nodeId}`)
    if (nodeId === 1) assert.notEqual(await it.ask(3, 9, { topics: [], allowAutoTopicCreation: false }), null)
    it.socket.destroy()
  }
  assert.equal(trapped, 0)
}

test('a coordinator on a host of its own choice is not dialled there', async () => {
  const asking = await client()
  const one = await asking.ask(FIND_COORDINATOR, 3, { key: 'orders', keyType: 0 })
  const { coordinators } = await asking.ask(FIND_COORDINATOR, 4, { keyType: 0, coordinatorKeys: ['orders'] })
  asking.socket.destroy()

  await leadsNowhereElse([one, ...coordinators])
})

test('a new leader whose address comes with the answer to Produce is not dialled there', async () => {
  const asking = await client()
  const partitionData = [{ index: 0, records: recordBatch(['x']) }]
  const answer = await asking.ask(PRODUCE, 10, { acks: 1, timeoutMs: 1000, topicData: [{ name: 'orders', partitionData }] })
  asking.socket.destroy()

  assert.equal(answer.responses[0].partitionResponses[0].errorCode, 6)
  await leadsNowhereElse(answer.nodeEndpoints)
})

test('nor is one that comes with the answer to Fetch', async () => {
  const asking = await client()
  const partitions = [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1000 }]
  const ask = () =>
    asking.ask(FETCH, 16, {
      maxWaitMs: 0,
      minBytes: 0,
      sessionEpoch: -1,
      topics: [{ topicId: ORDERS, partitions }],
      forgottenTopicsData: [],
    })
  const answers = [await ask(), await ask()]
  asking.socket.destroy()

  for (const { responses, nodeEndpoints } of answers) {
    assert.equal(responses[0].partitions[0].errorCode, 6)
    await leadsNowhereElse(nodeEndpoints)
  }
})

test('what a broker says in words is passed on as it is, also where it names a host', async () => {
  const asking = await client()
  const { coordinators } = await asking.ask(FIND_COORDINATOR, 4, { keyType: 0, coordinatorKeys: ['away'] })
  asking.socket.destroy()

  assert.deepEqual([coordinators[0].nodeId, coordinators[0].host, coordinators[0].port], [-1, '', -1])
  assert.equal(coordinators[0].errorMessage, AWAY)
  assert.equal(trapped, 0)
})
