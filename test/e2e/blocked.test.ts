// Whoever is blocked on the cluster, on a real OpenFGA: the open connections of a real client end, also those that ask for nothing, and no new one stays.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { OpenFgaStore } from '../../src/policy/openfga-client.ts'
import { shippedModel } from '../../src/policy/openfga-model.ts'
import { RawClient } from '../equivalence/raw-client.ts'
import { sharedKafka, sharedOpenFga, uniqueName } from '../parts.ts'
import { Driver } from './client.ts'
import { startGate } from './gate.ts'
import { makeTopics } from './topics.ts'

const PROMISED_MS = 2_000
const topic = uniqueName('blocked')
const policy = `
version: 1
grants:
  - { id: all, to: [service:reader, service:other], allow: [produce, consume], topics: ["${topic}"] }
  - { id: groups, to: [service:reader, service:other], allow: consume, consumerGroups: ["*"] }
`

const [kafka, openFga, issuer, driver] = await Promise.all([sharedKafka(), sharedOpenFga(), startDevIssuer(), Driver.start('franz-go')])
const { store, model } = await openFga.createStore('blocked', shippedModel())
const relationships = new OpenFgaStore({ url: openFga.url, token: null }, store, model, 5_000)
await makeTopics(kafka, { [topic]: 1 })
const gate = await startGate({
  bootstrap: kafka.bootstrap,
  policy,
  issuers: [{ alias: 'dev', issuer: issuer.issuer, audience: 'kafka', kind: 'keycloak' }],
  config: { authorizer: { engine: 'openfga', openfga: { url: openFga.url, store, apply: 'auto' } } },
})
after(async () => {
  await driver.stop()
  await gate.stop()
  await issuer.stop()
})

const blocked = (service: string) => ({ user: `service:dev/${service}`, relation: 'blocked', object: 'cluster:main' })
const login = async (service: string) => ({ mechanism: 'OAUTHBEARER', token: await issuer.mint({ service }) }) as const

/** Resolves when the gate has hung up, with the time since `startMs`. */
async function hungUp(client: RawClient, startMs: number): Promise<number> {
  assert.equal(await client.read(), null)
  return performance.now() - startMs
}

/** What a client is told of the topic; null: the gate hung up. */
async function asks(client: RawClient): Promise<number | null> {
  const reply = await client.ask('Metadata', 9, { topics: [{ name: topic }], allowAutoTopicCreation: false })
  return 'response' in reply ? reply.response.topics[0].errorCode : null
}

test('whoever is blocked loses the connection on which it waits for data, and one on which it asks for nothing; nobody else does', async t => {
  const reader = await driver.open(gate.bootstrap, { token: await issuer.mint({ service: 'reader' }) })
  const other = await driver.open(gate.bootstrap, { token: await issuer.mint({ service: 'other' }) })
  const consumers = [await reader.subscribe(uniqueName('g'), [topic]), await other.subscribe(uniqueName('g'), [topic])]
  await other.produce(topic, [{ value: 'before' }])
  await Promise.all(consumers.map(consumer => consumer.received(1)))
  const idle = await RawClient.open(gate.host, gate.port, await login('reader'))
  const idleOther = await RawClient.open(gate.host, gate.port, await login('other'))

  const startMs = performance.now()
  await relationships.write([], [blocked('reader')])
  const tookMs = [await hungUp(idle, startMs)]
  for (const service of ['second', 'third']) {
    const client = await RawClient.open(gate.host, gate.port, await login(service))
    const sinceMs = performance.now()
    await relationships.write([], [blocked(service)])
    tookMs.push(await hungUp(client, sinceMs))
  }
  t.diagnostic(`ended after ${tookMs.map(Math.round).join(', ')} ms`)
  assert.ok(Math.max(...tookMs) < PROMISED_MS, `${tookMs} ms`)
  await other.produce(topic, [{ value: 'secret' }])
  await consumers[1]!.received(2)

  const again = await RawClient.open(gate.host, gate.port, await login('reader'))
  assert.notEqual(await asks(again), 0)
  await hungUp(again, performance.now())
  assert.match((await consumers[0]!.error()).name, /AUTHORIZATION_FAILED$/)
  assert.match(readFileSync(gate.logFile, 'utf8'), /"principal":"service:dev\/reader".*"cause":"blocked"/)
  assert.deepEqual(
    consumers[0]!.messages.map(({ value }) => value),
    ['before'],
  )

  await relationships.write([blocked('reader')], [])
  while ((await asks(await RawClient.open(gate.host, gate.port, await login('reader')))) !== 0);
  const back = await reader.subscribe(uniqueName('g'), [topic])
  await back.received(2)
  assert.equal(await asks(idleOther), 0, 'the other one stayed')
  idleOther.close()
})
