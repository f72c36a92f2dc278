// The client families through TLS: one port and a name for each broker, and a port for each broker with client certificates, before three real brokers.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { makeAuthority } from '../../scripts/stack/certificates.ts'
import { families } from '../../scripts/stack/drivers.ts'
import { dataFolder } from '../../scripts/stack/part.ts'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { type SharedKafka, sharedKafka, uniqueName } from '../parts.ts'
import { ClientError, Driver } from './client.ts'
import { type Gate, startGate } from './gate.ts'
import { shown } from './shown.ts'
import { makeTopics } from './topics.ts'
import { GATE_NAME, openWays, type Ways, ways } from './ways.ts'

const PARTITIONS = 6
const stem = uniqueName('tls')
const policy = `
version: 1
grants:
  - { id: write, to: "service:shop", allow: produce, topics: ["${stem}.*"] }
  - { id: read, to: "service:shop", allow: consume, topics: ["${stem}.*"], consumerGroups: ["${stem}-*"] }
`

let kafka: SharedKafka
let issuer: DevIssuer
let gate: Gate
let open: Ways
let token: string

before(async () => {
  ;[kafka, issuer] = await Promise.all([sharedKafka(), startDevIssuer()])
  const topics = ways.flatMap(way => families.map(family => [`${stem}.${way}-${family}`, PARTITIONS] as const))
  await makeTopics(kafka, { ...Object.fromEntries(topics), [`${stem}-forbidden`]: 1 })
  const folder = dataFolder('tls')
  open = await openWays(
    folder,
    await makeAuthority(folder),
    kafka.nodes.map(({ id }) => id),
  )
  const { listeners } = open
  gate = await startGate({ bootstrap: kafka.bootstrap, policy, issuers: [issuer.settings('corp')], config: { listeners }, workers: 2 })
  token = await issuer.mint({ service: 'shop' })
})
after(async () => {
  await gate?.stop()
  await issuer?.stop()
})

for (const family of families) {
  describe(family, () => {
    let driver: Driver
    before(async () => {
      driver = await Driver.start(family, open.hosts)
    })
    after(() => driver?.stop())

    for (const way of ways) {
      test(`produces to and consumes from every broker through ${way}`, async () => {
        const { bootstrap, tls } = open.to(gate, way)
        const topic = `${stem}.${way}-${family}`
        const client = await driver.open(bootstrap, { token }, tls)
        const sent = Array.from({ length: PARTITIONS }, (_, partition) => ({ value: `v${partition}`, partition }))

        assert.equal((await client.produce(topic, sent)).length, PARTITIONS)
        const consumer = await client.subscribe(`${stem}-${way}-${family}`, [topic])
        const got = await consumer.received(PARTITIONS)
        const nodes = await client.nodes()

        assert.deepEqual(got.map(({ value }) => value).sort(), sent.map(({ value }) => value).sort())
        const hostOf = (id: number) => (way === 'names' ? `b${id}.${GATE_NAME}` : 'localhost')
        assert.deepEqual(
          nodes.map(({ id, host }) => [id, host]).sort(),
          kafka.nodes.map(({ id }) => [id, hostOf(id)]),
        )
        if (way === 'names') assert.deepEqual([...new Set(nodes.map(node => `:${node.port}`))], [bootstrap.slice(GATE_NAME.length)])
        await consumer.stop()
        await client.close()
        const rows = { ports: 'TLS, a port for each broker', names: 'TLS, one port and a name for each broker (SNI)' } as const
        shown('features', rows[way], family)
      })
    }

    test('is refused as without TLS, and the audit knows the certificate', async () => {
      const { bootstrap, tls } = open.to(gate, 'ports')
      const client = await driver.open(bootstrap, { token }, tls)
      const { length } = gate.audit()

      await assert.rejects(
        client.produce(`${stem}-forbidden`, [{ value: 'x' }]),
        (error: unknown) => error instanceof ClientError && error.name === 'TOPIC_AUTHORIZATION_FAILED',
      )

      const line = await gate.audited(({ resource }) => resource?.name === `${stem}-forbidden`, length)
      assert.equal(line.client.certificate, 'CN=shop')
      assert.match(line.client.address, /^::1$/)
      await client.close()
    })
  })
}
