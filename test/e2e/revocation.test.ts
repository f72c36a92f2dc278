// Rights that change while clients work: a producer on an open connection and a consumer in an open group feel it, with both engines, in every family.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Family, families } from '../../scripts/stack/drivers.ts'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { type SharedKafka, sharedKafka, uniqueName } from '../parts.ts'
import { type Client, ClientError, Driver } from './client.ts'
import { type EngineName, engineConfig, engineNames } from './engines.ts'
import { type Gate, startGate } from './gate.ts'
import { makeTopics } from './topics.ts'

const PARTITIONS = 3
const stem = uniqueName('rights')

/** The worker's rights as named; the watcher always reads and writes everything. */
function policyWith(...rights: ('produce' | 'consume')[]): string {
  const topics = `topics: ["${stem}.*"]`
  const groups = `consumerGroups: ["${stem}-*"]`
  const lines = {
    produce: `  - { id: worker-produce, to: "service:worker", allow: produce, ${topics} }`,
    consume: `  - { id: worker-consume, to: "service:worker", allow: consume, ${topics} }`,
  }
  return `
version: 1
grants:
  - { id: worker-groups, to: "service:worker", allow: consume, ${groups} }
  - { id: watcher-produce, to: "service:watcher", allow: produce, ${topics} }
  - { id: watcher-consume, to: "service:watcher", allow: consume, ${topics}, ${groups} }
${rights.map(right => lines[right]).join('\n')}
`
}

let kafka: SharedKafka
let issuer: DevIssuer

before(async () => {
  ;[kafka, issuer] = await Promise.all([sharedKafka(), startDevIssuer()])
  const topics = engineNames.flatMap(engine => families.flatMap(family => ['p', 'c'].map(kind => topicOf(kind, engine, family))))
  await makeTopics(kafka, Object.fromEntries(topics.map(topic => [topic, PARTITIONS])))
})
after(() => issuer?.stop())

const topicOf = (kind: string, engine: string, family: string) => `${stem}.${kind}-${engine}-${family}`

/** Produces again and again until that is allowed, or refused, as wanted. */
async function produceUntil(client: Client, topic: string, wanted: 'allowed' | 'refused'): Promise<void> {
  for (;;) {
    const refused = await client.produce(topic, [{ value: 'x', partition: 0 }]).then(
      () => undefined,
      error => error,
    )
    if (refused === undefined && wanted === 'allowed') return
    if (refused instanceof ClientError && refused.name === 'TOPIC_AUTHORIZATION_FAILED' && wanted === 'refused') return
    if (refused !== undefined && !(refused instanceof ClientError)) throw refused
  }
}

const messages = (word: string) => Array.from({ length: PARTITIONS }, (_, partition) => ({ value: `${word}-${partition}`, partition }))

for (const engine of engineNames) {
  describe(engine, { concurrency: false }, () => {
    let gate: Gate
    before(async () => {
      const issuers = [{ alias: 'dev', issuer: issuer.issuer, audience: 'kafka', kind: 'keycloak' }]
      const config = await engineConfig(engine)
      gate = await startGate({ bootstrap: kafka.bootstrap, policy: policyWith('produce', 'consume'), issuers, config })
    })
    after(() => gate?.stop())

    for (const family of families) describe(family, { concurrency: false }, () => testsOf(engine, family, () => gate))
  })
}

function testsOf(engine: EngineName, family: Family, gate: () => Gate): void {
  let driver: Driver
  before(async () => {
    driver = await Driver.start(family)
  })
  after(() => driver?.stop())

  const open = async (service: string) => driver.open(gate().bootstrap, { token: await issuer.mint({ service }) })

  test('a producer is refused once its right is gone, and allowed when it is back', async () => {
    const topic = topicOf('p', engine, family)
    const client = await open('worker')
    await produceUntil(client, topic, 'allowed')

    gate().setPolicy(policyWith('consume'))
    await produceUntil(client, topic, 'refused')
    gate().setPolicy(policyWith('produce', 'consume'))
    await produceUntil(client, topic, 'allowed')

    await client.close()
  })

  test('a consumer in an open group gets nothing more once its right is gone, and all of it when it is back', async () => {
    const topic = topicOf('c', engine, family)
    const [worker, watcher] = await Promise.all([open('worker'), open('watcher')])
    const witness = await watcher.subscribe(`${stem}-witness-${engine}-${family}`, [topic])
    const consumer = await worker.subscribe(`${stem}-worker-${engine}-${family}`, [topic])
    await watcher.produce(topic, messages('before'))
    await Promise.all([witness.received(PARTITIONS), consumer.received(PARTITIONS)])

    gate().setPolicy(policyWith('produce'))
    const error = await consumer.error()
    await watcher.produce(topic, messages('secret'))
    await witness.received(PARTITIONS * 2)

    assert.equal(error.name, 'TOPIC_AUTHORIZATION_FAILED')
    assert.deepEqual(
      consumer.messages.filter(({ value }) => value?.startsWith('secret')),
      [],
    )

    gate().setPolicy(policyWith('produce', 'consume'))
    await produceUntil(worker, topicOf('p', engine, family), 'allowed')
    await consumer.stop().catch(() => undefined)
    const again = await subscribeUntilAllowed(worker, topic)
    assert.ok((await again.received(PARTITIONS)).some(({ value }) => value?.startsWith('secret')))

    await Promise.all([again.stop(), witness.stop()])
    await Promise.all([worker.close(), watcher.close()])
  })

  /** A fresh group, tried until the policy that allows it is read. */
  async function subscribeUntilAllowed(client: Client, topic: string) {
    for (;;) {
      try {
        const consumer = await client.subscribe(uniqueName(`${stem}-again`), [topic])
        await consumer.received(PARTITIONS * 2)
        return consumer
      } catch (error) {
        if (!(error instanceof ClientError)) throw error
      }
    }
  }
}
