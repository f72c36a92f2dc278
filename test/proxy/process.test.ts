// A whole gate in this process, before brokers that answer by schema: login, allowed and refused, a policy that changes, brokers that appear.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { stringify } from 'yaml'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { loadConfig } from '../../src/base/config.ts'
import { openLog } from '../../src/base/log.ts'
import { readPolicyOf } from '../../src/policy/watch.ts'
import { GateProcess } from '../../src/proxy/process.ts'
import { AnsweringBroker, clusterAnswers } from '../fakes/answering-broker.ts'
import { decodeResponse, encodeRequest, FakeClient } from '../fakes/client.ts'
import { until } from '../fakes/until.ts'

const folder = mkdtempSync(join(tmpdir(), 'topicgate-process-'))
const TOPICS = { 'orders.created': '0123456789abcdef0123456789abcdef', 'payments.eu': 'fedcba9876543210fedcba9876543210' }
const brokers: AnsweringBroker[] = []
let issuer: DevIssuer
let partner: DevIssuer
let gate: GateProcess

const granted = (topics: string) =>
  `version: 1\nissuer: corp\ngrants:\n  - { id: all, to: service:orders, allow: produce, topics: [${topics}] }\n`
const produced = () => brokers.flatMap(b => b.asked.filter(a => a.apiKey === 0).flatMap(a => a.body.topicData.map((t: any) => t.name)))

async function addBroker(): Promise<void> {
  const answers = clusterAnswers(() => brokers, TOPICS)
  brokers.push(
    await AnsweringBroker.start({
      ...answers,
      0: request => ({
        responses: request.topicData.map((t: any) => ({
          name: t.name,
          partitionResponses: t.partitionData.map((p: any) => ({ index: p.index, errorCode: 0, baseOffset: 7n })),
        })),
      }),
    }),
  )
}

before(async () => {
  ;[issuer, partner] = await Promise.all([startDevIssuer(), startDevIssuer()])
  await addBroker()
  const { issuer: url, audience, jwks } = issuer.settings('corp')
  writeFileSync(join(folder, 'policy.yaml'), granted('"orders.*"'))
  writeFileSync(
    join(folder, 'topicgate.yaml'),
    stringify({
      version: 1,
      cluster: { name: 'main', bootstrap: [`127.0.0.1:${brokers[0]!.port}`] },
      listeners: [
        { name: 'clients', bind: '127.0.0.1:0', brokers: { ports: 'auto' }, login: [{ oauthbearer: ['corp'] }] },
        { name: 'partners', bind: '127.0.0.1:0', brokers: { ports: 'auto' }, login: [{ oauthbearer: ['partner'] }] },
      ],
      issuers: [
        { alias: 'corp', issuer: url, audience, jwks },
        { alias: 'partner', issuer: partner.issuer, audience, jwks: partner.jwksUrl },
      ],
      audit: { to: ['file:audit.ndjson'] },
      policy: 'policy.yaml',
      workers: 1,
    }),
  )
  const config = loadConfig(join(folder, 'topicgate.yaml'))
  const onFatal = (why: Error) => assert.fail(why)
  gate = new GateProcess({ config, document: readPolicyOf(config, 1), log: openLog(null, 'silent'), onFatal })
  await gate.start()
})
after(async () => {
  await (gate as GateProcess | undefined)?.close()
  await Promise.all([issuer.stop(), partner.stop()])
  for (const broker of brokers) await broker.stop()
  rmSync(folder, { recursive: true })
})

function client(token: () => Promise<string>): Kafka {
  return new Kafka({
    brokers: [`127.0.0.1:${gate.listeners[0]!.port}`],
    clientId: 'orders-app',
    logLevel: logLevel.NOTHING,
    sasl: { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: await token() }) },
    retry: { retries: 0 },
  })
}

test('what is granted reaches the broker, what is not is refused and audited, and a new policy holds on the open connection', async () => {
  const producer = client(() => issuer.mint({ service: 'orders' })).producer()
  await producer.connect()
  const send = (topic: string) => producer.send({ topic, messages: [{ value: 'x' }] })

  const [sent] = await send('orders.created')
  await assert.rejects(send('payments.eu'), /authoriz/i)
  const opened = gate.sum('connectionsOpened')
  await gate.replacePolicy({ ...gate.document, grants: [], generation: 2 })
  await assert.rejects(send('orders.created'), /authoriz/i)

  assert.equal(sent!.baseOffset, '7')
  assert.deepEqual(produced(), ['orders.created'])
  assert.equal(gate.sum('connectionsOpened'), opened)
  assert.equal(gate.sum('bugs') + gate.sum('malformed'), 0)
  await producer.disconnect()
  const read = () =>
    readFileSync(join(folder, 'audit.ndjson'), 'utf8')
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line))
  // Lines are written behind the answers.
  while (read().at(-1).generation !== 2) await sleep(10)
  const lines = read()
  const { principal, client: from, resource, error, generation } = lines[0]
  assert.deepEqual(
    { principal, id: from.id, resource, error, generation },
    {
      principal: 'service:corp/orders',
      id: 'orders-app',
      resource: { kind: 'topic', name: 'payments.eu' },
      error: 'TOPIC_AUTHORIZATION_FAILED',
      generation: 1,
    },
  )
  assert.deepEqual(lines.at(-1).resource, { kind: 'topic', name: 'orders.created' })
  assert.equal(lines.at(-1).generation, 2)
  assert.deepEqual(
    Object.keys(lines[0]).join(' '),
    [
      'time id verdict reason principal issuer azp sid jti act client api version operation resource grant rule generation engine error',
    ].join(' '),
  )
})

test('a token that does not verify is refused at login, and its text stands nowhere', async () => {
  const token = `${await issuer.mint({ service: 'orders' })}x`
  const producer = client(async () => token).producer()

  // KafkaJS takes the challenge for a success (RFC 7628 §3.2.3): what it sends next is refused.
  await assert.rejects(async () => {
    await producer.connect()
    await producer.send({ topic: 'orders.created', messages: [{ value: 'x' }] })
  })

  const audit = () => readFileSync(join(folder, 'audit.ndjson'), 'utf8')
  await until(() => /"verdict":"refused","reason":"[^"]+","principal":null.*"error":"SASL_AUTHENTICATION_FAILED"/.test(audit()))
  assert.ok(!audit().includes(token.slice(-40)))
  assert.deepEqual(produced(), ['orders.created'], 'what the test before has sent')
  await producer.disconnect()
})

for (const { at, of, other } of [
  { at: 'clients', of: 'corp', other: 'partners' },
  { at: 'partners', of: 'partner', other: 'clients' },
])
  test(`a token of ${of}, which may log in at ${at}, is good there and refused at ${other}`, async () => {
    const portOf = (listener: string) => gate.listeners.find(({ name }) => name === listener)!.port
    const token = await (of === 'corp' ? issuer : partner).mint({ service: 'orders' })
    const [served, refused] = [await FakeClient.connect(portOf(at)), await FakeClient.connect(portOf(other))]
    const failures = gate.sum('loginsRefused')

    assert.equal(await served.login(token), 0)
    const answer = await served.ask(3, 12, { topics: [], allowAutoTopicCreation: false })
    served.socket.destroy()
    assert.equal(answer.clusterId, 'test-cluster')

    refused.write(encodeRequest(17, 1, 1, { mechanism: 'OAUTHBEARER' }))
    assert.equal(decodeResponse(17, 1, (await refused.next())!).errorCode, 0)
    const challenge = await refused.ask(36, 2, { authBytes: Buffer.from(`n,,\x01auth=Bearer ${token}\x01\x01`) })
    assert.deepEqual(JSON.parse(challenge.authBytes.toString()).status, 'invalid_token')
    const said = await refused.ask(36, 2, { authBytes: Buffer.from('\x01') })
    assert.equal(said.errorCode, 58)
    assert.equal(await refused.next(), null)
    assert.equal(gate.sum('loginsRefused'), failures + 1)
    const wanted = (of === 'corp' ? partner : issuer).issuer
    await until(() => readFileSync(join(folder, 'audit.ndjson'), 'utf8').includes(`this listener accepts ${wanted}"`))
  })

test('a broker that a response names has a port before the client is told of it', async () => {
  await addBroker()
  const admin = client(() => issuer.mint({ service: 'orders' })).admin()
  await admin.connect()

  const { brokers: told } = await admin.describeCluster()
  await admin.disconnect()

  assert.deepEqual(
    told.map(b => [b.nodeId, b.port]),
    gate.cluster.brokerPorts('clients').map(([nodeId, port]) => [nodeId, port]),
  )
  assert.equal(told.length, 2)
  assert.ok(told.every(b => b.host === '127.0.0.1' && !brokers.some(broker => broker.port === b.port)))
})
