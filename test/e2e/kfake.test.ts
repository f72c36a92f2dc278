// A second implementation of Kafka's protocol behind the gate, with the APIs of older versions: the client families produce, consume and are refused.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { families } from '../../scripts/stack/drivers.ts'
import { type Kfake, startKfake, startKfakeOn } from '../../scripts/stack/kfake.ts'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { RawClient } from '../equivalence/raw-client.ts'
import { ClientError, Driver } from './client.ts'
import { type Gate, startGate } from './gate.ts'

const PARTITIONS = 6
/** The oldest that today's Java client speaks to; the last without topic ids in Fetch; one before groups of the new protocol. With the newest Fetch of each. */
const kafkas = { '2.1': 10, '3.0': 12, '3.6': 15 }
const TAKEN_UP_WITHIN_MS = 20_000
const policy = `
version: 1
grants:
  - { id: write, to: "service:shop", allow: produce, topics: ["shop.*"] }
  - { id: read, to: "service:shop", allow: consume, topics: ["shop.*"], consumerGroups: ["shop-*"] }
`

let issuer: DevIssuer
const drivers: Driver[] = []
before(async () => {
  issuer = await startDevIssuer()
  for (const family of families) drivers.push(await Driver.start(family))
})
after(async () => {
  await Promise.all(drivers.map(driver => driver.stop()))
  await issuer?.stop()
})

for (const [version, newestFetch] of Object.entries(kafkas)) {
  describe(`kfake as Kafka ${version}`, () => {
    let kfake: Kfake
    let gate: Gate
    before(async () => {
      const topics = Object.fromEntries(families.map(family => [`shop.${family}`, PARTITIONS]))
      kfake = await startKfake(version, { ...topics, payments: 1 })
      gate = await startGate({ bootstrap: kfake.bootstrap, policy, issuers: [issuer.settings('corp')] })
    })
    after(async () => {
      await gate?.stop()
      await kfake?.stop()
    })

    test('clients are offered what that version has', async () => {
      assert.equal(await offeredFetch(gate), newestFetch)
    })

    for (const [i, family] of families.entries()) {
      test(`${family} produces, consumes and is refused`, async () => {
        const client = await drivers[i]!.open(gate.bootstrap, { token: await issuer.mint({ service: 'shop' }) })
        const sent = Array.from({ length: PARTITIONS }, (_, partition) => ({ value: `v${partition}`, partition }))

        assert.equal((await client.produce(`shop.${family}`, sent)).length, PARTITIONS)
        const consumer = await client.subscribe(`shop-${family}`, [`shop.${family}`])
        const got = await consumer.received(PARTITIONS)

        assert.deepEqual(got.map(({ value }) => value).sort(), sent.map(({ value }) => value).sort())
        await assert.rejects(
          client.produce('payments', [{ value: 'no', partition: 0 }]),
          (error: unknown) => error instanceof ClientError && error.name === 'TOPIC_AUTHORIZATION_FAILED',
        )
        await consumer.stop()
        await client.close()
      })
    }
  })
}

test('brokers that come back as a newer version are offered as that', async () => {
  const old = await startKfake('3.0', { payments: 1 })
  const gate = await startGate({ bootstrap: old.bootstrap, policy, issuers: [issuer.settings('corp')] })
  assert.equal(await offeredFetch(gate), kafkas['3.0'])
  const client = await RawClient.open(gate.host, gate.port, { mechanism: 'OAUTHBEARER', token: await issuer.mint({ service: 'shop' }) })
  await client.ask('Metadata', 4, { topics: [], allowAutoTopicCreation: false })

  await old.stop()
  assert.equal(await client.read(), null)
  const next = await startKfakeOn(old.ports, '3.6', { payments: 1 })

  const endsAtMs = performance.now() + TAKEN_UP_WITHIN_MS
  while ((await offeredFetch(gate)) !== kafkas['3.6']) {
    assert.ok(performance.now() < endsAtMs, 'clients are still offered what was there before')
    await sleep(100)
  }
  await gate.stop()
  await next.stop()
})

/** The newest Fetch that a client is offered; undefined: no broker is there for it. */
async function offeredFetch(gate: Gate): Promise<number | undefined> {
  const client = await RawClient.open(gate.host, gate.port, null)
  const reply: any = await client.ask('ApiVersions', 0, {})
  client.close()
  return reply.response?.apiKeys.find(({ apiKey }: any) => apiKey === 1).maxVersion
}
