// Client telemetry (KIP-714) through the gate: the Java client's metrics reach a broker that takes them, where the configuration says so.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { run } from '../../scripts/stack/cache.ts'
import { kafkaLibs } from '../../scripts/stack/jars.ts'
import { type Kafka, startKafka } from '../../scripts/stack/kafka.ts'
import { dataFolder } from '../../scripts/stack/part.ts'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { FakeClient } from '../fakes/client.ts'
import { Driver } from './client.ts'
import { type Gate, startGate } from './gate.ts'

const WAIT = { timeout: 60_000 }
const [API_VERSIONS, DESCRIBE_CONFIGS, ALTER_CONFIGS, GET_SUBSCRIPTIONS, PUSH_TELEMETRY, LIST_CONFIG_RESOURCES] = [18, 32, 44, 71, 72, 74]
const CLIENT_METRICS = 16
const CLUSTER_AUTHORIZATION_FAILED = 31
const policy = `
version: 1
grants:
  - { id: ops, to: "service:ops", allow: manage, cluster: true }
  - { id: write, to: "service:app", allow: [write, create], topics: [telemetry] }
`

let kafka: Kafka
let issuer: DevIssuer
let gate: Gate
let silent: Gate
let driver: Driver

before(async () => {
  const classes = dataFolder('telemetry')
  const source = join(import.meta.dirname, 'telemetry', 'SayingExporter.java')
  await run('javac', ['-nowarn', '-d', classes, '-cp', join(await kafkaLibs(), '*'), source])
  ;[kafka, issuer, driver] = await Promise.all([
    startKafka({ classes, properties: { 'metric.reporters': 'SayingExporter' } }),
    startDevIssuer(),
    Driver.start('java'),
  ])
  const { bootstrap } = kafka
  const issuers = [issuer.settings('dev')]
  const cluster = { name: 'main', bootstrap: [bootstrap], clientTelemetry: true }
  ;[gate, silent] = await Promise.all([
    startGate({ bootstrap, policy, issuers, config: { cluster } }),
    startGate({ bootstrap, policy, issuers }),
  ])
})
after(async () => {
  await driver?.stop()
  await Promise.all([gate?.stop(), silent?.stop()])
  await Promise.all([kafka?.stop(), issuer?.stop()])
})

async function loggedIn(to: Gate, service: string): Promise<FakeClient> {
  const client = await FakeClient.connect(to.port)
  assert.equal(await client.login(await issuer.mint({ service })), 0)
  return client
}
const everyMetric = [
  { name: 'metrics', configOperation: 0, value: '*' },
  { name: 'interval.ms', configOperation: 0, value: '200' },
]
const subscription = { resources: [{ resourceType: CLIENT_METRICS, resourceName: 'all', configs: everyMetric }], validateOnly: false }
const described = { resources: [{ resourceType: CLIENT_METRICS, resourceName: 'all', configurationKeys: null }] }

test('telemetry is offered only where the configuration says so, and the broker takes it', async () => {
  for (const [to, expected] of [
    [gate, [GET_SUBSCRIPTIONS, PUSH_TELEMETRY]],
    [silent, []],
  ] as const) {
    const client = await loggedIn(to, 'app')
    const { apiKeys } = await client.ask(API_VERSIONS!, 3, { clientSoftwareName: 'test', clientSoftwareVersion: '1' })
    const keys = apiKeys.map((api: any) => api.apiKey).filter((key: number) => key === GET_SUBSCRIPTIONS || key === PUSH_TELEMETRY)
    assert.deepEqual(keys, expected)
    client.socket.destroy()
  }
})

test('who may alter the cluster’s configuration subscribes to metrics, and nobody else', WAIT, async () => {
  const [ops, app] = [await loggedIn(gate, 'ops'), await loggedIn(gate, 'app')]

  const refused = await app.ask(ALTER_CONFIGS!, 1, subscription)
  assert.equal(refused.responses[0].errorCode, CLUSTER_AUTHORIZATION_FAILED)
  assert.equal((await app.ask(DESCRIBE_CONFIGS!, 4, described)).results[0].errorCode, CLUSTER_AUTHORIZATION_FAILED)
  assert.equal((await app.ask(LIST_CONFIG_RESOURCES!, 0, {})).errorCode, CLUSTER_AUTHORIZATION_FAILED)

  const altered = await ops.ask(ALTER_CONFIGS!, 1, subscription)
  assert.equal(altered.responses[0].errorCode, 0)
  const names = async () => (await ops.ask(LIST_CONFIG_RESOURCES!, 0, {})).configResources.map((one: any) => one.resourceName)
  while (!(await names()).includes('all')) await sleep(50)
  const { results } = await ops.ask(DESCRIBE_CONFIGS!, 4, described)
  assert.equal(results[0].configs.find((config: any) => config.name === 'metrics').value, '*')
})

test('the Java client’s metrics come to the broker', WAIT, async () => {
  const client = await driver.open(gate.bootstrap, { token: await issuer.mint({ service: 'app' }) })
  await client.create('telemetry', 1, 1)
  await client.produce('telemetry', [{ key: 'k', value: 'v' }])

  const told = () => /^telemetry of (.+): (\d+) bytes of (.+)$/m.exec(readFileSync(kafka.nodes[0]!.logFile, 'utf8'))
  while (told() === null) await sleep(100)
  const [, , bytes, type] = told()!
  assert.ok(Number(bytes) > 100, bytes)
  assert.equal(type, 'OTLP')
})

test('without the configuration a request of telemetry ends the connection', async () => {
  const client = await loggedIn(silent, 'app')

  assert.equal(await client.ask(GET_SUBSCRIPTIONS!, 0, { clientInstanceId: '00'.repeat(16) }), null)
})
