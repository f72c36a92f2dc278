// A store that no policy was ever applied to: who may do what is said by relationships alone, which an application wrote.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { shippedModel } from '../../src/policy/openfga-model.ts'
import { sharedKafka, sharedOpenFga, uniqueName } from '../parts.ts'
import { ClientError, Driver } from './client.ts'
import { startGate } from './gate.ts'
import { makeTopics } from './topics.ts'

const stem = uniqueName('related')
const RELATIONSHIPS = [
  { user: 'user:dev/mia', relation: 'member', object: 'team:dev/orders' },
  { user: 'team:dev/orders#member', relation: 'owner', object: `namespace:main/${stem}` },
  { user: 'role:dev/realm/auditor#assignee', relation: 'reader', object: `topic:main/${stem}.created` },
  { user: 'user:dev/ada', relation: 'consumer', object: `consumer_group:main/${stem}-audit` },
  { user: 'service:dev/root', relation: 'admin', object: 'cluster:main' },
]

const [kafka, openFga, issuer, driver] = await Promise.all([sharedKafka(), sharedOpenFga(), startDevIssuer(), Driver.start('franz-go')])
const { store } = await openFga.createStore('related', shippedModel(), RELATIONSHIPS)
await makeTopics(kafka, { [`${stem}-elsewhere`]: 1 })
const gate = await startGate({
  bootstrap: kafka.bootstrap,
  policy: 'version: 1\n',
  issuers: [{ alias: 'dev', issuer: issuer.issuer, audience: 'kafka', kind: 'keycloak', roles: { realm: 'realm_access.roles' } }],
  config: { authorizer: { engine: 'openfga', openfga: { url: openFga.url, store } } },
})
after(async () => {
  await driver.stop()
  await gate.stop()
  await issuer.stop()
})

const open = async (who: Parameters<typeof issuer.mint>[0]) => driver.open(gate.bootstrap, { token: await issuer.mint(who) })
const refused = (error: unknown) => error instanceof ClientError && /_AUTHORIZATION_FAILED$/.test(error.name)

test('a policy that says nothing, and a store of relationships alone: teams own, roles read, one consumes, and nobody else does anything', async () => {
  const owner = await open({ user: 'mia' })
  await owner.create(`${stem}.created`, 1, 1)
  await owner.produce(`${stem}.created`, [{ value: 'first', partition: 0 }])
  await assert.rejects(owner.produce(`${stem}-elsewhere`, [{ value: 'x' }]), refused)

  const auditor = await open({ user: 'ada', realmRoles: ['auditor'] })
  const consumer = await auditor.subscribe(`${stem}-audit`, [`${stem}.created`])
  assert.deepEqual(
    (await consumer.received(1)).map(({ value }) => value),
    ['first'],
  )
  await assert.rejects(auditor.produce(`${stem}.created`, [{ value: 'x', partition: 0 }]), refused)
  await consumer.stop()

  const stranger = await open({ user: 'bo' })
  assert.deepEqual(await stranger.topics(), [])
  await assert.rejects(stranger.produce(`${stem}.created`, [{ value: 'x', partition: 0 }]), refused)

  const root = await open({ service: 'root' })
  await root.delete(`${stem}.created`)
  const why = await gate.audited(line => line.principal === 'user:dev/bo' && line.verdict === 'refused')
  assert.deepEqual([why.reason, why.grant, why.rule, why.engine], ['no grant', null, null, 'openfga'])
})
