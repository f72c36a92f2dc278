// An OpenFGA that fails in any way is no refusal: clients of every family live through it, and go on when it answers again.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { families } from '../../scripts/stack/drivers.ts'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { shippedModel } from '../../src/policy/openfga-model.ts'
import { type Fault, type FaultyOpenFga, startFaultyOpenFga } from '../fakes/faulty-openfga.ts'
import { until } from '../fakes/until.ts'
import { sharedKafka, sharedOpenFga, uniqueName } from '../parts.ts'
import { ClientError } from './client.ts'
import { type Gate, startGate } from './gate.ts'
import { outage, Survivor, unlisted } from './outage.ts'
import { makeTopics } from './topics.ts'

/** OpenFGA that said nothing for so long is not connected. */
const SILENT_S = 5
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

/** For how long each; the others, and a minute of each, are measured (`npm run measure -- undecided`). */
const tried = new Map<Fault, number>([
  ['hang', 4_000],
  ['unavailable', 4_000],
  ['half', 4_000],
  // Longer than producers of Java and of librdkafka wait.
  ['gone', 22_000],
])

for (const [fault, lastsMs] of tried) {
  test(`no client is told of a refusal, or of anything unforeseen, while OpenFGA fails (${fault}), and all go on afterwards`, {
    timeout: 116_000 + lastsMs,
  }, async t => {
    const startMs = Date.now()
    const seen = await outage(faulty, fault, survivors, lastsMs)
    t.diagnostic(JSON.stringify(seen))
    // Of this fault: lines of the one before may be written late.
    await gate.audited(({ verdict, time }) => verdict === 'undecided' && Date.parse(time) >= startMs)
    assert.deepEqual(
      gate.audit().filter(({ verdict }) => verdict === 'refused'),
      [],
    )
  })
}

test('a refusal, an error of the server, or one that nobody thought of is on no client’s list', () => {
  const errors = [
    'TOPIC_AUTHORIZATION_FAILED',
    'GROUP_AUTHORIZATION_FAILED',
    'SASL_AUTHENTICATION_FAILED',
    'UNKNOWN_SERVER_ERROR',
    'UNKNOWN_TOPIC_OR_PARTITION',
    'OUT_OF_ORDER_SEQUENCE_NUMBER',
    'KafkaJSNonRetriableError',
    'ERROR',
  ].map(name => new ClientError(name, 'as the client says it'))
  for (const family of families) {
    for (const end of ['producer', 'consumer'] as const) assert.equal(unlisted(family, end, errors).length, errors.length)
  }
})

test('/readyz and the metrics say that it is OpenFGA that does not answer, and the gate stays ready', { timeout: 60_000 }, async () => {
  const engine = async () => {
    const response = await fetch(`${gate.healthUrl}/readyz`)
    assert.equal(response.status, 200)
    const { connected, failing } = ((await response.json()) as { engine: { connected: boolean; failing: boolean } }).engine
    return [Number(connected), Number(failing)]
  }
  const metrics = () => Promise.all(['connected', 'failing'].map(name => gate.metric(`topicgate_openfga_${name}`)))
  const lag = () => gate.metric('topicgate_openfga_lag_seconds')
  const says = async (connected: number, failing: number) => {
    await until(async () => isDeepStrictEqual(await engine(), [connected, failing]), 20_000)
    assert.deepEqual(await metrics(), [connected, failing])
  }

  await says(1, 0)
  assert.ok((await lag()) < SILENT_S)
  faulty.set('gone')
  await says(0, 1)
  assert.ok((await lag()) >= SILENT_S)
  assert.ok((await gate.metric('topicgate_undecided_total')) > 0)
  faulty.set('none')
  await says(1, 0)
  assert.ok((await lag()) < SILENT_S)
})
