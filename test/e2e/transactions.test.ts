// Exactly once through the gate: read, write and commit in one transaction, with and without the rights for it.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { allFamilies, type Family } from '../../scripts/stack/drivers.ts'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { type SharedKafka, sharedKafka, uniqueName } from '../parts.ts'
import { ClientError, Driver } from './client.ts'
import { type Gate, startGate } from './gate.ts'
import { shown } from './shown.ts'
import { makeTopics } from './topics.ts'

const stem = uniqueName('till')
const COUNT = 12

const policy = `
version: 1
grants:
  - { id: source, to: "service:till", allow: [produce, consume], topics: ["${stem}.sales*", "${stem}.books*"] }
  - { id: groups, to: "service:till", allow: consume, consumerGroups: ["${stem}-*"] }
  - { id: ids, to: "service:till", allow: produce, transactionalIds: ["${stem}-*"] }
`
let kafka: SharedKafka
let issuer: DevIssuer
let gate: Gate
before(async () => {
  ;[kafka, issuer] = await Promise.all([sharedKafka(), startDevIssuer()])
  const names = allFamilies.flatMap(family => [`${stem}.sales.${family}`, `${stem}.books.${family}`])
  await makeTopics(kafka, Object.fromEntries([...names, `${stem}.secret`].map(name => [name, 3])))
  gate = await startGate({ bootstrap: kafka.bootstrap, issuers: [issuer.settings('dev')], policy })
})
after(async () => {
  await gate?.stop()
  await issuer?.stop()
})

/** KafkaJS asks every broker for the coordinator, and reports only that none told it. */
const idRefusal = (family: Family) => (family === 'kafkajs' ? 'KafkaJSGroupCoordinatorNotFound' : 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED')

const isRefused = (name: string) => (error: unknown) => {
  assert.ok(error instanceof ClientError, String(error))
  assert.equal(error.name, name, error.message)
  return true
}

for (const family of allFamilies) {
  describe(family, { concurrency: false }, () => {
    const from = `${stem}.sales.${family}`
    const to = `${stem}.books.${family}`
    const values = Array.from({ length: COUNT }, (_, i) => `sale ${i}`)
    let driver: Driver
    before(async () => {
      driver = await Driver.start(family)
    })
    after(() => driver?.stop())
    const open = async () => driver.open(gate.bootstrap, { token: await issuer.mint({ service: 'till' }) })

    test('what is aborted is read again, and what is committed is there once', async () => {
      const client = await open()
      const what = { from, to, group: `${stem}-${family}`, transactionalId: `${stem}-${family}`, count: COUNT }
      await client.produce(
        from,
        values.map(value => ({ value })),
      )

      const aborted = await client.transfer({ ...what, abort: true })
      const committed = await client.transfer(what)
      const reader = await client.subscribe(`${stem}-reader-${family}`, [to])
      const received = await reader.received(COUNT)

      assert.deepEqual(aborted.sort(), [...values].sort())
      assert.deepEqual(committed.sort(), [...values].sort())
      assert.deepEqual(received.map(({ value }) => value).sort(), [...values].sort())
      await reader.stop()
      await client.close()
      shown('features', 'exactly once: read, process, write', family)
    })

    test('a transactional id that it may not use is refused', async () => {
      const client = await open()

      await assert.rejects(
        client.transfer({ from, to, group: `${stem}-x-${family}`, transactionalId: uniqueName('not-mine'), count: 1 }),
        isRefused(idRefusal(family)),
      )
      await client.close()
      shown('refusals', 'uses a transactional id that is not its own', family, idRefusal(family))
    })

    test('a topic that it may not write fails the transaction', async () => {
      const client = await open()

      await assert.rejects(
        client.transfer({ from, to: `${stem}.secret`, group: `${stem}-y-${family}`, transactionalId: `${stem}-y-${family}`, count: 1 }),
        isRefused('TOPIC_AUTHORIZATION_FAILED'),
      )
      await client.close()
      shown('refusals', 'writes a hidden topic in a transaction', family, 'TOPIC_AUTHORIZATION_FAILED')
    })
  })
}
