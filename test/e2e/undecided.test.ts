// An OpenFGA that fails in any way is no refusal: clients of every family live through it, and go on when it answers again.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { families } from '../../scripts/stack/drivers.ts'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { shippedModel } from '../../src/policy/openfga-model.ts'
import { type Fault, type FaultyOpenFga, startFaultyOpenFga } from '../fakes/faulty-openfga.ts'
import { sharedKafka, sharedOpenFga, uniqueName } from '../parts.ts'
import { type Gate, startGate } from './gate.ts'
import { outage, Survivor } from './outage.ts'
import { makeTopics } from './topics.ts'

const LASTS_MS = 4_000
const stem = uniqueName('outage')
const policy = `
version: 1
grants:
  - { id: all, to: "service:app", allow: [produce, consume], topics: ["${stem}.*"], consumerGroups: ["${stem}.*"] }
`

let issuer: DevIssuer
let faulty: FaultyOpenFga
let gate: Gate
let survivors: Survivor[] = []

before(async () => {
  const [kafka, openFga, dev] = await Promise.all([sharedKafka(), sharedOpenFga(), startDevIssuer()])
  issuer = dev
  faulty = await startFaultyOpenFga(openFga.url)
  // Somebody else is blocked on the cluster, so that it is asked about by batches, too.
  const blocked = { user: 'user:dev/mallory', relation: 'blocked', object: 'cluster:main' }
  const { store } = await openFga.createStore(stem, shippedModel(), [blocked])
  await makeTopics(kafka, Object.fromEntries(families.map(family => [`${stem}.${family}`, 1])))
  gate = await startGate({
    bootstrap: kafka.bootstrap,
    policy,
    issuers: [{ alias: 'dev', issuer: issuer.issuer, audience: 'kafka', kind: 'keycloak' }],
    config: { authorizer: { engine: 'openfga', openfga: { url: faulty.url, store, apply: 'auto' }, cache: { grants: '1s' } } },
  })
  const token = await issuer.mint({ service: 'app' })
  survivors = await Promise.all(families.map(family => Survivor.start(family, gate.bootstrap, token, `${stem}.${family}`)))
})
after(async () => {
  await Promise.all(survivors.map(survivor => survivor.stop()))
  await gate?.stop()
  faulty?.stop()
  await issuer?.stop()
})

/** The others are measured (`npm run measure -- undecided`). */
const tried: readonly Fault[] = ['hang', 'unavailable', 'half', 'gone']

for (const fault of tried) {
  test(`no client is told of a refusal while OpenFGA fails (${fault}), and all go on afterwards`, { timeout: 120_000 }, async t => {
    const startMs = Date.now()
    const seen = await outage(faulty, fault, survivors, LASTS_MS)
    t.diagnostic(JSON.stringify(seen))
    // Of this fault: lines of the one before may be written late.
    await gate.audited(({ verdict, time }) => verdict === 'undecided' && Date.parse(time) >= startMs)
    assert.deepEqual(
      gate.audit().filter(({ verdict }) => verdict === 'refused'),
      [],
    )
  })
}

test('/readyz says that it is OpenFGA that does not answer, and stays ready', async () => {
  faulty.set('gone')
  const engine = async () => {
    const response = await fetch(`${gate.healthUrl}/readyz`)
    assert.equal(response.status, 200)
    return ((await response.json()) as { engine: { connected: boolean; lagMs: number } }).engine
  }
  while ((await engine()).connected) await new Promise(resolve => setTimeout(resolve, 100))
  faulty.set('none')
  while (!(await engine()).connected) await new Promise(resolve => setTimeout(resolve, 100))
})
