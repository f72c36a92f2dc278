// A right that is given while clients hold on: the fetch session that was refused its topic brings it, and so does the group, with both engines.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { FakeClient } from '../fakes/client.ts'
import { type SharedKafka, sharedKafka, uniqueName } from '../parts.ts'
import { type Client, Driver } from './client.ts'
import { engineConfig, engineNames } from './engines.ts'
import { type Gate, startGate } from './gate.ts'
import { makeTopics } from './topics.ts'

const [FETCH, METADATA] = [1, 3]
const TOPIC_AUTHORIZATION_FAILED = 29
const FELT_WITHIN_MS = 2_000
const stem = uniqueName('granted')
const topicOf = (kind: string, engine: string): string => `${stem}.${kind}-${engine}`
/** Of which every broker leads a partition, and which the worker may always read: a broker keeps no session of nothing. */
const BASE = `${stem}.base`

let kafka: SharedKafka
let issuer: DevIssuer
let driver: Driver

before(async () => {
  ;[kafka, issuer, driver] = await Promise.all([sharedKafka(), startDevIssuer(), Driver.start('franz-go')])
  const topics = engineNames.flatMap(engine => ['session', 'group'].map(kind => [topicOf(kind, engine), 1] as const))
  await makeTopics(kafka, { ...Object.fromEntries(topics), [BASE]: 3 })
})
after(() => Promise.all([driver?.stop(), issuer?.stop()]))

const policyWith = (...kinds: string[]): string => `
version: 1
grants:
  - { id: base, to: "service:worker", allow: consume, topics: ["${BASE}"], consumerGroups: ["${stem}-*"] }
  - { id: watcher, to: "service:watcher", allow: [produce, consume], topics: ["${stem}.*"] }
${kinds.map(kind => `  - { id: ${kind}, to: "service:worker", allow: consume, topics: ["${stem}.${kind}-*"] }`).join('\n')}
`

for (const engine of engineNames) {
  describe(engine, { concurrency: false }, () => {
    let gate: Gate
    let watcher: Client
    before(async () => {
      const config = await engineConfig(engine)
      gate = await startGate({ bootstrap: kafka.bootstrap, policy: policyWith(), issuers: [issuer.settings('dev')], config })
      watcher = await driver.open(gate.bootstrap, { token: await issuer.mint({ service: 'watcher' }) })
    })
    after(() => gate?.stop())

    test('a fetch session on one connection brings what it was refused before', async t => {
      const topic = topicOf('session', engine)
      await watcher.produce(topic, [{ value: 'kept', partition: 0 }])
      const { client, basePartition } = await atLeader(gate, topic)
      const session = { id: 0, epoch: 0 }
      const fetchOnce = async (topics: object[] = []): Promise<any> => {
        const answer = await client.ask(FETCH!, 12, fetchOf(session, topics))
        assert.equal(answer.errorCode, 0)
        if (session.id !== 0) assert.equal(answer.sessionId, session.id)
        session.id = answer.sessionId
        session.epoch++
        return answer.responses.find((one: any) => one.topic === topic)?.partitions[0]
      }
      const from = (partition: number) => [{ partition, fetchOffset: 0n, partitionMaxBytes: 1 << 20 }]
      const refused = await fetchOnce([
        { topic, partitions: from(0) },
        { topic: BASE, partitions: from(basePartition) },
      ])
      assert.equal(refused.errorCode, TOPIC_AUTHORIZATION_FAILED)
      assert.notEqual(session.id, 0)
      assert.equal((await fetchOnce()).errorCode, TOPIC_AUTHORIZATION_FAILED, 'it is said again in every answer')

      const givenMs = performance.now()
      gate.setPolicy(policyWith('session'))
      let brought = await fetchOnce()
      while (brought === undefined || brought.errorCode === TOPIC_AUTHORIZATION_FAILED) brought = await fetchOnce()

      const feltMs = Math.round(performance.now() - givenMs)
      assert.equal(brought.errorCode, 0)
      assert.ok(brought.records.includes('kept'))
      assert.ok(feltMs <= FELT_WITHIN_MS, `felt after ${feltMs} ms`)
      t.diagnostic(`felt after ${feltMs} ms`)
      client.socket.destroy()
    })

    test('a member of an open group gets what it was refused before', async () => {
      const topic = topicOf('group', engine)
      await watcher.produce(topic, [{ value: 'kept', partition: 0 }])
      const worker = await driver.open(gate.bootstrap, { token: await issuer.mint({ service: 'worker' }) })
      const consumer = await worker.subscribe(`${stem}-${engine}`, [topic])
      assert.equal((await consumer.error()).name, 'TOPIC_AUTHORIZATION_FAILED')

      gate.setPolicy(policyWith('session', 'group'))
      while (consumer.messages.length === 0) await consumer.received(1).catch(() => undefined)

      assert.deepEqual(
        consumer.messages.map(({ value }) => value),
        ['kept'],
      )
      await consumer.stop()
      await worker.close()
    })

    /** Logged in as the worker where the topic is led, which only the watcher may know yet. */
    async function atLeader({ port }: Gate, topic: string): Promise<{ client: FakeClient; basePartition: number }> {
      const asking = await loggedIn(port, 'watcher')
      const { brokers, topics } = await asking.ask(METADATA!, 9, {
        topics: [{ name: topic }, { name: BASE }],
        allowAutoTopicCreation: false,
      })
      asking.socket.destroy()
      const partitionsOf = (name: string) => topics.find((one: any) => one.name === name).partitions
      const [{ leaderId }] = partitionsOf(topic)
      const { partitionIndex } = partitionsOf(BASE).find((one: any) => one.leaderId === leaderId)
      const client = await loggedIn(brokers.find(({ nodeId }: any) => nodeId === leaderId).port, 'worker')
      return { client, basePartition: partitionIndex }
    }
  })
}

async function loggedIn(port: number, service: string): Promise<FakeClient> {
  const client = await FakeClient.connect(port)
  assert.equal(await client.login(await issuer.mint({ service })), 0)
  return client
}

const fetchOf = ({ id, epoch }: { readonly id: number; readonly epoch: number }, topics: object[]): object => ({
  replicaId: -1,
  maxWaitMs: 100,
  minBytes: 1,
  sessionId: id,
  sessionEpoch: epoch,
  topics,
  forgottenTopicsData: [],
  rackId: '',
})
