// The client families through the gate, with tokens of a real Keycloak, before three real brokers: allowed, refused, and what their users read.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { allFamilies } from '../../scripts/stack/drivers.ts'
import type { Keycloak } from '../../scripts/stack/keycloak.ts'
import { type SharedKafka, sharedKafka, sharedKeycloak, uniqueName } from '../parts.ts'
import { ClientError, Driver, type Login } from './client.ts'
import { type Gate, startGate } from './gate.ts'
import { shown } from './shown.ts'
import { makeTopics } from './topics.ts'

const PARTITIONS = 6
const stem = uniqueName('shop')
const orders = `${stem}.orders`
const payments = `${stem}.payments`

const policy = `
version: 1
grants:
  - { id: orders-write, to: "service:orders-service", allow: produce, topics: ["${stem}.orders*"] }
  - { id: orders-read, to: ["service:orders-service", "group:/finance/auditors/**"], allow: consume, topics: ["${stem}.orders*"], consumerGroups: ["${stem}-*"] }
  - { id: orders-manage, to: "service:orders-service", allow: manage, topics: ["${stem}.orders-own-*"] }
`

let kafka: SharedKafka
let keycloak: Keycloak
let gate: Gate
let service: Login
let stranger: Login
let auditor: Login

before(async () => {
  ;[kafka, keycloak] = await Promise.all([sharedKafka(), sharedKeycloak()])
  await makeTopics(kafka, { [payments]: PARTITIONS, ...Object.fromEntries(allFamilies.map(family => [`${orders}.${family}`, PARTITIONS])) })
  gate = await startGate({ bootstrap: kafka.bootstrap, policy, issuers: [corp(keycloak)] })
  service = { endpoint: keycloak.tokenEndpoint, clientId: 'orders-service', clientSecret: 'orders-secret' }
  stranger = { endpoint: keycloak.tokenEndpoint, clientId: 'analytics-app', clientSecret: 'analytics-secret' }
  auditor = { token: await keycloak.personToken('alice') }
})
after(() => gate?.stop())

function corp({ issuer }: Keycloak): object {
  const roles = { realm: 'realm_access.roles', clients: { kafka: 'resource_access.kafka.roles' } }
  return { alias: 'corp', issuer, audience: 'kafka', kind: 'keycloak', groups: 'groups', roles }
}

/**
 * KafkaJS keeps the reason of two refusals to itself: it asks every broker for the coordinator and reports only that none told it,
 * and it takes the challenge of RFC 7628 §3.2.2 for success, so what its user sees is the connection that closes.
 */
const groupRefusal = (family: string) => (family === 'kafkajs' ? 'KafkaJSGroupCoordinatorNotFound' : 'GROUP_AUTHORIZATION_FAILED')
const loginRefusal = (family: string) => (family === 'kafkajs' ? 'KafkaJSConnectionClosedError' : 'SASL_AUTHENTICATION_FAILED')

const refusal =
  (...names: string[]) =>
  (error: unknown) => {
    assert.ok(error instanceof ClientError, String(error))
    assert.ok(names.includes(error.name), `${error.name}: ${error.message}`)
    return true
  }

for (const family of allFamilies) {
  describe(family, { concurrency: false }, () => {
    const topic = `${orders}.${family}`
    let driver: Driver
    before(async () => {
      driver = await Driver.start(family)
    })
    after(() => driver?.stop())

    test('produces to every broker, and a group consumes all of it', async () => {
      const client = await driver.open(gate.bootstrap, service)
      const leaders = new Set((await client.describe(topic)).map(({ leader }) => leader))
      const messages = Array.from({ length: PARTITIONS * 5 }, (_, at) => ({ key: `k${at}`, value: `v${at}`, partition: at % PARTITIONS }))

      await client.produce(topic, messages)
      const consumer = await client.subscribe(`${stem}-${family}`, [topic])
      const received = await consumer.received(messages.length)

      assert.deepEqual(leaders, new Set(kafka.nodes.map(({ id }) => id)))
      assert.deepEqual(received.map(({ value }) => value).sort(), messages.map(({ value }) => value).sort())
      await consumer.stop()
      await client.close()
      shown('features', 'produces to all brokers, consumes in a group', family)
    })

    test('a person consumes what her group may', async () => {
      const client = await driver.open(gate.bootstrap, auditor)

      const consumer = await client.subscribe(`${stem}-audit-${family}`, [topic])

      assert.equal((await consumer.received(PARTITIONS * 5)).length, PARTITIONS * 5)
      await consumer.stop()
      await client.close()
      shown('features', 'logs in with the token of a person', family)
    })

    test('knows no address but those of the gate', async () => {
      const client = await driver.open(gate.bootstrap, service)

      const nodes = await client.nodes()

      const behind = new Set(kafka.nodes.map(({ port }) => port))
      assert.deepEqual(nodes.map(({ id }) => id).sort(), kafka.nodes.map(({ id }) => id).sort())
      assert.deepEqual(
        nodes.filter(({ port }) => behind.has(port)),
        [],
      )
      await client.close()
    })

    test('sees the topics that it may describe, and no others', async () => {
      const client = await driver.open(gate.bootstrap, service)

      const topics = await client.topics()

      assert.deepEqual(topics, allFamilies.map(each => `${orders}.${each}`).sort())
      await client.close()
      shown('features', 'lists the topics that it may describe, and no others', family)
    })

    test('is refused a topic that it may not write, and reads why', async () => {
      const client = await driver.open(gate.bootstrap, service)

      await assert.rejects(client.produce(payments, [{ value: 'no' }]), refusal('TOPIC_AUTHORIZATION_FAILED'))

      await client.close()
      shown('refusals', 'writes a hidden topic', family, 'TOPIC_AUTHORIZATION_FAILED')
    })

    test('a producer without any right is refused', async () => {
      const client = await driver.open(gate.bootstrap, stranger)

      await assert.rejects(client.produce(topic, [{ value: 'no' }]), refusal('TOPIC_AUTHORIZATION_FAILED', 'CLUSTER_AUTHORIZATION_FAILED'))

      await client.close()
    })

    test('is refused a group that it may not join', async () => {
      const client = await driver.open(gate.bootstrap, service)

      const refused = client.subscribe(uniqueName('not-mine'), [topic]).then(consumer => consumer.error().finally(() => consumer.stop()))

      refusal(groupRefusal(family))(await refused.catch(error => error))
      await client.close()
      shown('refusals', 'joins a group that it may not read', family, groupRefusal(family))
    })

    test('is refused a topic that it may not read', async () => {
      const client = await driver.open(gate.bootstrap, service)

      const refused = client.subscribe(`${stem}-p-${family}`, [payments]).then(consumer => consumer.error().finally(() => consumer.stop()))

      refusal('TOPIC_AUTHORIZATION_FAILED')(await refused.catch(error => error))
      await client.close()
      shown('refusals', 'subscribes to a hidden topic', family, 'TOPIC_AUTHORIZATION_FAILED')
    })

    test('makes and removes a topic where it may, and nowhere else', async () => {
      const client = await driver.open(gate.bootstrap, service)
      const own = `${stem}.orders-own-${family}`

      await client.create(own, 1, 1)
      await assert.rejects(client.create(`${payments}.new-${family}`, 1, 1), refusal('TOPIC_AUTHORIZATION_FAILED'))
      await assert.rejects(client.delete(payments), refusal('TOPIC_AUTHORIZATION_FAILED'))
      await client.delete(own)

      await client.close()
      shown('features', 'makes and deletes topics', family)
      shown('refusals', 'makes or deletes a topic that is not its own', family, 'TOPIC_AUTHORIZATION_FAILED')
    })

    test('a token of nobody is refused at login', async () => {
      const token = await keycloak.personToken('bob')
      const client = await driver.open(gate.bootstrap, { token: `${token.slice(0, -8)}AAAAAAAA` })

      await assert.rejects(client.topics(), refusal(loginRefusal(family)))

      await client.close()
      shown('refusals', 'logs in with a forged token', family, loginRefusal(family))
    })
  })
}
