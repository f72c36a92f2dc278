// Groups beyond the classic ones through the gate, with each client that has them: cooperative, KIP-848 by names and by a pattern, share groups.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Family } from '../../scripts/stack/drivers.ts'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { type SharedKafka, sharedKafka, uniqueName } from '../parts.ts'
import { type Client, type Consumer, Driver } from './client.ts'
import { type Gate, startGate } from './gate.ts'
import { shown } from './shown.ts'
import { makeTopics } from './topics.ts'

const PARTITIONS = 6
const FAMILIES = ['java', 'librdkafka', 'franz-go'] as const satisfies readonly Family[]

const stem = uniqueName('groups')
const [orders, payments] = [`${stem}.orders`, `${stem}.payments`]
const sharedTopic = (family: Family) => `${stem}.shared.${family}`
const policy = `
version: 1
grants:
  - { id: read, to: "service:reader", allow: consume, topics: ["${orders}", "${stem}.shared.*"], consumerGroups: ["${stem}-*"] }
`

let kafka: SharedKafka
let issuer: DevIssuer
let gate: Gate
let java: Driver
let direct: Client

before(async () => {
  ;[kafka, issuer, java] = await Promise.all([sharedKafka(), startDevIssuer(), Driver.start('java')])
  const shares = Object.fromEntries(FAMILIES.map(family => [sharedTopic(family), 3]))
  await makeTopics(kafka, { [orders]: PARTITIONS, [payments]: PARTITIONS, ...shares })
  gate = await startGate({ bootstrap: kafka.bootstrap, policy, issuers: [issuer.settings('dev')] })
  direct = await java.open(kafka.bootstrap)
  for (const topic of [orders, payments]) await direct.produce(topic, everywhere(topic))
})
after(async () => {
  await java?.stop()
  await gate?.stop()
  await issuer?.stop()
})

const everywhere = (topic: string, count = PARTITIONS) =>
  Array.from({ length: count }, (_, partition) => ({ key: 'k', value: `${topic}/${partition}`, partition }))
const values = ({ messages }: Consumer) => messages.map(({ value }) => value).sort()

for (const family of FAMILIES) {
  describe(family, { concurrency: false }, () => {
    const ofOrders = everywhere(orders).map(({ value }) => value)
    let driver: Driver
    let reader: Client
    before(async () => {
      driver = family === 'java' ? java : await Driver.start(family)
      reader = await driver.open(gate.bootstrap, { token: await issuer.mint({ service: 'reader' }) })
    })
    after(() => (driver === java ? undefined : driver?.stop()))

    test('a second member takes half of the partitions, and the first keeps the others meanwhile', async () => {
      const first = await reader.subscribe(`${stem}-cooperative-${family}`, [orders], 'cooperative')
      await first.holds(PARTITIONS)
      const second = await reader.subscribe(`${stem}-cooperative-${family}`, [orders], 'cooperative')
      await second.holds(PARTITIONS / 2)
      await first.holds(PARTITIONS / 2)

      assert.deepEqual(first.revoked, [PARTITIONS / 2], 'nothing was given up only to be taken again')
      assert.deepEqual([first.errors, second.errors], [[], []])
      await Promise.all([first.stop(), second.stop()])
      shown('features', 'cooperative rebalancing (KIP-429)', family)
    })

    test('consumes in a group of the new protocol (KIP-848)', async () => {
      const consumer = await reader.subscribe(`${stem}-new-${family}`, [orders], 'consumer')

      await consumer.received(PARTITIONS)

      assert.deepEqual(values(consumer), ofOrders)
      await consumer.stop()
      assert.equal(await direct.groupType(`${stem}-new-${family}`), 'consumer')
      shown('features', 'group of the new protocol (KIP-848)', family)
    })

    test('a pattern brings the topics that the member may read, and no word of the others', async () => {
      const consumer = await reader.subscribe(`${stem}-pattern-${family}`, `${stem}\\.(orders|payments)`, 'consumer')

      await consumer.received(PARTITIONS)
      await sleep(1000)

      assert.deepEqual(values(consumer), ofOrders)
      assert.deepEqual(consumer.errors, [])
      await consumer.stop()
      shown('features', 'the same, subscribed by a pattern', family)
    })

    test('a share consumer gets what it may read, from every broker, and acknowledges it', async () => {
      const consumer = await reader.subscribe(`${stem}-share-${family}`, [sharedTopic(family)], 'share')

      await producedUntil(sharedTopic(family), consumer, 9)

      assert.deepEqual(consumer.errors, [])
      assert.deepEqual([...new Set(consumer.messages.map(({ partition }) => partition))].sort(), [0, 1, 2])
      assert.equal(new Set(values(consumer)).size, consumer.messages.length, 'what was acknowledged does not come again')
      assert.equal(await direct.groupType(`${stem}-share-${family}`), 'share')
      await consumer.stop()
      shown('features', 'share group (KIP-932)', family)
    })

    test('a share consumer of a hidden topic reads which one', async () => {
      const consumer = await reader.subscribe(`${stem}-share-2-${family}`, [payments], 'share')

      const { name } = await consumer.error()

      assert.equal(name, 'TOPIC_AUTHORIZATION_FAILED')
      await consumer.stop()
      shown('refusals', 'subscribes to a hidden topic in a share group', family, name)
    })
  })
}

test('what RE2 does not know is refused as a broker refuses it', async () => {
  const reader = await java.open(gate.bootstrap, { token: await issuer.mint({ service: 'reader' }) })
  const consumer = await reader.subscribe(`${stem}-wrong`, 'a(?=b)', 'consumer')

  const { name } = await consumer.error()

  assert.equal(name, 'INVALID_REGULAR_EXPRESSION')
})

/** A share group begins at the end of its topics, whenever it gets there: more is written until enough has come. */
async function producedUntil(topic: string, consumer: Consumer, count: number): Promise<void> {
  const endsAtMs = performance.now() + 60_000
  for (let n = 0; consumer.messages.length < count; n++) {
    if (performance.now() > endsAtMs || consumer.errors.length > 0) assert.fail(`${consumer.messages.length} messages, ${consumer.errors}`)
    await direct.produce(topic, everywhere(String(n), 3))
    await sleep(500)
  }
}
