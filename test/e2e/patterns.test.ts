// Subscriptions by pattern are kept current: by the Java client in a group of the new protocol (KIP-848), through the gate.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { sharedKafka, uniqueName } from '../parts.ts'
import { type Client, Driver } from './client.ts'
import { type Gate, startGate } from './gate.ts'
import { makeTopics } from './topics.ts'

const stem = uniqueName('patterns')
const [first, fresh, payments] = [`${stem}.first`, `${stem}.fresh`, `${stem}.payments`]
const policyOf = (...opened: readonly string[]): string => `
version: 1
grants:
  - { id: read, to: "service:reader", allow: consume, topics: ["${[first, fresh, ...opened].join('", "')}"], consumerGroups: ["${stem}-*"] }
  - { id: make, to: "service:maker", allow: create, topics: ["${fresh}"] }
`
/** Far less than the 30 s after which the gate looks at all topics anyway; groups beat once a second here. */
const SOON_MS = 15_000

let issuer: DevIssuer
let gate: Gate
let driver: Driver
let direct: Client
let reader: Client
let maker: Client

before(async () => {
  const [kafka, dev, java] = await Promise.all([sharedKafka(), startDevIssuer(), Driver.start('java')])
  issuer = dev
  driver = java
  await makeTopics(kafka, { [first]: 3, [payments]: 3 })
  gate = await startGate({ bootstrap: kafka.bootstrap, policy: policyOf(), issuers: [issuer.settings('dev')], workers: 2 })
  direct = await driver.open(kafka.bootstrap)
  reader = await driver.open(gate.bootstrap, { token: await issuer.mint({ service: 'reader' }) })
  maker = await driver.open(gate.bootstrap, { token: await issuer.mint({ service: 'maker' }) })
})
after(async () => {
  await driver?.stop()
  await gate?.stop()
  await issuer?.stop()
})

test('a topic that is made through the gate joins with the next heartbeats, and so does one that the policy opens', async t => {
  for (const topic of [first, payments]) await direct.produce(topic, [{ key: 'k', value: topic }])
  const consumer = await reader.subscribe(`${stem}-g`, `${stem}\\..*`, 'consumer')
  await consumer.received(1)

  await maker.create(fresh, 3, 1)
  const madeMs = performance.now()
  await direct.produce(fresh, [{ key: 'k', value: fresh }])
  await consumer.received(2)
  const joinedMs = performance.now() - madeMs

  gate.setPolicy(policyOf(payments))
  const openedMs = performance.now()
  await consumer.received(3)
  const movedMs = performance.now() - openedMs

  t.diagnostic(`topic made -> read ${Math.round(joinedMs)} ms; policy changed -> read ${Math.round(movedMs)} ms`)
  assert.deepEqual(
    consumer.messages.map(({ value }) => value),
    [first, fresh, payments],
  )
  assert.deepEqual(consumer.errors, [])
  assert.ok(joinedMs < SOON_MS && movedMs < SOON_MS)
  await consumer.stop()
})
