// A subscription on real Kafka, Keycloak and OpenFGA: refused, asked for, approved by an auditor, consumed on the open connection, over at its end.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Kafka, logLevel } from 'kafkajs'
import { type Keycloak, REALM } from '../../scripts/stack/keycloak.ts'
import { dataFolder } from '../../scripts/stack/part.ts'
import { FakeClient } from '../fakes/client.ts'
import { sharedKafka, sharedKeycloak, uniqueName } from '../parts.ts'
import { ClientError, Driver } from './client.ts'
import { engineConfig } from './engines.ts'
import { startGate } from './gate.ts'
import { makeTopics } from './topics.ts'

const SCOPE = 'topicgate-admin'
const PROMISED_MS = 2_000
const [FETCH, METADATA, FIND_COORDINATOR] = [1, 3, 10] as const
const stem = uniqueName('sub')
const auditor = uniqueName('auditor')
const [topic, shortTopic, pageTopic, pageGroup] = [`${stem}.events`, `${stem}.short`, `${stem}.page`, `${stem}-page`]

const [kafka, keycloak, driver] = await Promise.all([sharedKafka(), sharedKeycloak(), Driver.start('kafkajs')])
await Promise.all([makeTopics(kafka, { [topic]: 1, [shortTopic]: 1, [pageTopic]: 1 }), prepareRealm(keycloak)])
const gate = await startGate({
  bootstrap: kafka.bootstrap,
  policy: 'version: 1\ngrants: []\n',
  issuers: [
    {
      alias: 'corp',
      issuer: keycloak.issuer,
      audience: 'kafka',
      kind: 'keycloak',
      organizations: { claim: 'organization', roles: { auditor: { group: `/${stem}/{org}/auditors` } } },
    },
  ],
  config: { ...(await engineConfig('openfga')), admin: { bind: '127.0.0.1:0' } },
})
const adminUrl = `http://${/^admin (\S+)$/m.exec(readFileSync(gate.logFile, 'utf8'))![1]}`
const producer = new Kafka({ clientId: 'p', brokers: kafka.bootstrap.split(','), logLevel: logLevel.NOTHING, ssl: false }).producer()
await producer.connect()
after(async () => {
  await Promise.all([producer.disconnect(), driver.stop(), gate.stop()])
})

/** The scope, and an auditor of acme: a person of this test's own, by a group of its own. */
async function prepareRealm({ admin }: Keycloak): Promise<void> {
  const scopes = async () => (await admin('GET', '/client-scopes')) as { id: string; name: string }[]
  if (!(await scopes()).some(({ name }) => name === SCOPE)) {
    const attributes = { 'include.in.token.scope': 'true' }
    await admin('POST', '/client-scopes', { name: SCOPE, protocol: 'openid-connect', attributes })
  }
  const scope = (await scopes()).find(({ name }) => name === SCOPE)!
  for (const clientId of ['kafka-cli', 'analytics-app']) {
    const [client] = (await admin('GET', `/clients?clientId=${clientId}`)) as { id: string }[]
    await admin('PUT', `/clients/${client!.id}/optional-client-scopes/${scope.id}`)
  }
  const group = async (path: string, body: object) => {
    await admin('POST', path, body)
    return ((await admin('GET', `/group-by-path/${stem}${path === '/groups' ? '' : '/acme'}`)) as { id: string }).id
  }
  const acme = await group(`/groups/${await group('/groups', { name: stem })}/children`, { name: 'acme' })
  await admin('POST', `/groups/${acme}/children`, { name: 'auditors' })
  const names = { username: auditor, firstName: 'A', lastName: 'A', email: `${auditor}@acme.example`, emailVerified: true, enabled: true }
  const credentials = [{ type: 'password', value: auditor, temporary: false }]
  await admin('POST', '/users', { ...names, credentials, groups: [`/${stem}/acme/auditors`] })
  const [user] = (await admin('GET', `/users?username=${auditor}&exact=true`)) as { id: string }[]
  const [organization] = (await admin('GET', '/organizations?search=acme')) as { id: string }[]
  await admin('POST', `/organizations/${organization!.id}/members`, user!.id)
}

async function tokenOf(form: Record<string, string>): Promise<string> {
  const response = await fetch(keycloak.tokenEndpoint, { method: 'POST', body: new URLSearchParams({ scope: `openid ${SCOPE}`, ...form }) })
  const { access_token } = (await response.json()) as { access_token?: string }
  assert.ok(access_token, `no token of ${REALM}`)
  return access_token
}
const personToken = (username: string, scope = `openid ${SCOPE}`) =>
  tokenOf({ grant_type: 'password', client_id: 'kafka-cli', username, password: username, scope })
const appToken = () => tokenOf({ grant_type: 'client_credentials', client_id: 'analytics-app', client_secret: 'analytics-secret' })

async function call(token: string, method: string, path: string, body?: object): Promise<{ status: number; body: any }> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const response = await fetch(`${adminUrl}${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) })
  return { status: response.status, body: await response.json() }
}

const wish = (group: string, untilMs: number, on = topic) => ({ org: 'acme', topic: on, group, until: new Date(untilMs).toISOString() })

/** A consumer on one connection to the leader, from the first record on: what each fetch brings. */
async function openReader(token: string, on = topic) {
  const bootstrap = await FakeClient.connect(gate.port)
  assert.equal(await bootstrap.login(token), 0)
  const { brokers } = await bootstrap.ask(METADATA, 9, { topics: [], allowAutoTopicCreation: false })
  bootstrap.socket.destroy()
  const leader = await leaderOf(on)
  const client = await FakeClient.connect(brokers.find((one: { nodeId: number }) => one.nodeId === leader).port)
  assert.equal(await client.login(token), 0)
  let offset = 0
  const fetchOnce = async () => {
    const partitions = [{ partition: 0, fetchOffset: BigInt(offset), partitionMaxBytes: 1 << 20 }]
    const response = await client.ask(FETCH, 11, {
      ...{ replicaId: -1, maxWaitMs: 100, minBytes: 1, maxBytes: 1 << 20, isolationLevel: 0, sessionId: 0, sessionEpoch: -1 },
      topics: [{ topic: on, partitions }],
      forgottenTopicsData: [],
      rackId: '',
    })
    if (response === null) return 'closed'
    const { errorCode, records } = response.responses[0].partitions[0]
    if (errorCode !== 0) return errorCode as number
    for (let at = 0; records !== null && at + 61 <= records.length; at += 12 + records.readInt32BE(at + 8)) {
      offset = records.readInt32BE(at + 4) + records.readInt32BE(at + 23) + 1
    }
    return records === null || records.length === 0 ? 'nothing' : 'records'
  }
  const groupError = async (key: string) => (await client.ask(FIND_COORDINATOR, 3, { key, keyType: 0 })).errorCode as number
  return { fetchOnce, groupError, close: () => client.socket.destroy() }
}

async function leaderOf(on: string): Promise<number> {
  const admin = new Kafka({ clientId: 'd', brokers: kafka.bootstrap.split(','), logLevel: logLevel.NOTHING, ssl: false }).admin()
  await admin.connect()
  const { topics } = await admin.fetchTopicMetadata({ topics: [on] })
  await admin.disconnect()
  return topics[0]!.partitions[0]!.leader
}

const send = (value: string, to = topic) => producer.send({ topic: to, acks: -1, messages: [{ value, partition: 0 }] })

test('a refused consumer asks, an auditor approves, and data flows on the open connection within two seconds; revoked, it stops within two', async t => {
  await send('early')
  const [carol, alice] = await Promise.all([personToken('carol'), personToken(auditor)])
  const reader = await openReader(carol)
  t.after(() => reader.close())
  const group = `${stem}-carol`
  const before = [await reader.fetchOnce(), await reader.groupError(group)]

  const asked = await call(carol, 'POST', '/v1/subscriptions', { ...wish(group, Date.now() + 3_600_000), why: 'AUD-1' })
  const path = `/v1/subscriptions/${asked.body.id}`
  const own = await call(carol, 'POST', `${path}/approve`)
  const ofAuditor = await call(alice, 'POST', '/v1/subscriptions', wish(`${stem}-own`, Date.now() + 3_600_000))
  const ownOfAuditor = await call(alice, 'POST', `/v1/subscriptions/${ofAuditor.body.id}/approve`)
  const stillRefused = await reader.fetchOnce()
  const approved = await call(alice, 'POST', `${path}/approve`)
  const approvedMs = performance.now()
  while ((await reader.fetchOnce()) !== 'records') assert.ok(performance.now() - approvedMs < PROMISED_MS, 'no data after two seconds')
  const startedMs = performance.now() - approvedMs
  // The group may have no coordinator yet; it is not refused.
  const groupAfter = await reader.groupError(group)

  assert.deepEqual([...before, stillRefused], [29, 30, 29])
  assert.notEqual(groupAfter, 30)
  assert.deepEqual([asked.status, own.status, ofAuditor.status, ownOfAuditor.status, approved.status], [201, 403, 201, 403, 200])

  let lastDataMs = performance.now()
  let producing = true
  const pump = (async () => {
    while (producing) await send('x')
  })()
  while ((await reader.fetchOnce()) !== 'records');
  const revoked = await call(carol, 'POST', `${path}/revoke`)
  const revokedMs = performance.now()
  for (;;) {
    const brought = await reader.fetchOnce()
    if (brought !== 'records' && brought !== 'nothing') break
    if (brought === 'records') lastDataMs = performance.now()
  }
  producing = false
  await pump

  assert.equal(revoked.status, 200)
  assert.ok(lastDataMs - revokedMs < PROMISED_MS, `data for ${lastDataMs - revokedMs} ms`)
  t.diagnostic(
    `data ${Math.round(startedMs)} ms after the approval, and until ${Math.round(lastDataMs - revokedMs)} ms after the revocation`,
  )
  await gate.audited(({ api, resource }) => api === 'subscription.revoke' && resource?.name === asked.body.id)
  const deeds = gate.audit().filter(({ client }) => client.listener === 'admin')
  assert.deepEqual(
    deeds.filter(({ resource }) => resource?.name === asked.body.id).map(({ api, verdict, grant }) => [api, verdict, grant]),
    [
      ['subscription.request', 'allowed', null],
      ['subscription.approve', 'refused', null],
      ['subscription.approve', 'allowed', `sub-${asked.body.id}`],
      ['subscription.revoke', 'allowed', null],
    ],
  )
})

test('at its end a subscription is over, to the second; a token without the scope, or of a stranger, asks for nothing', async t => {
  const [carol, alice, narrow] = await Promise.all([personToken('carol'), personToken(auditor), personToken('carol', 'openid')])
  const reader = await openReader(carol, shortTopic)
  t.after(() => reader.close())
  await send('x', shortTopic)
  const untilMs = Math.ceil(Date.now() / 1000) * 1000 + 8_000
  const { body } = await call(carol, 'POST', '/v1/subscriptions', wish(`${stem}-short`, untilMs, shortTopic))
  await call(alice, 'POST', `/v1/subscriptions/${body.id}/approve`)
  while ((await reader.fetchOnce()) !== 'records') assert.ok(Date.now() < untilMs, 'it never began')

  let lastMs = 0
  for (;;) {
    await send('y', shortTopic)
    const brought = await reader.fetchOnce()
    if (brought === 29 || brought === 'closed') break
    if (brought === 'records') lastMs = Date.now()
  }
  assert.ok(Date.now() >= untilMs, 'it ended early')
  assert.ok(lastMs < untilMs + 1_000, `data ${lastMs - untilMs} ms after the end`)
  assert.equal((await call(carol, 'GET', `/v1/subscriptions/${body.id}`)).body.stage, 'ended')
  const bob = await personToken('bob')
  assert.deepEqual(
    [
      (await call(narrow, 'GET', '/v1/subscriptions')).status,
      (await call('x.y.z', 'GET', '/v1/subscriptions')).status,
      (await call(bob, 'POST', `/v1/subscriptions/${body.id}/approve`)).status,
    ],
    [403, 401, 404],
  )
})

test('the commands of docs/subscriptions.md do what stands there, and a real client consumes once they have', {
  timeout: 180_000,
}, async () => {
  const folder = dataFolder('subscriptions')
  const subject = (token: string) => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()).sub as string
  const page = readFileSync('docs/subscriptions.md', 'utf8')
  const [, text] = /^```console\n(.*?)^```$/ms.exec(page)!
  let id = ''
  let commands = 0
  for (const [, command, expected] of text!.matchAll(/^\$ topicgate (.*)\n((?:(?!\$ ).*\n)*)/gm)) {
    const [app, alice] = await Promise.all([appToken(), personToken(auditor)])
    writeFileSync(join(folder, 'app.token'), app)
    writeFileSync(join(folder, 'auditor.token'), alice)
    const ours: Record<string, string> = { ID: id, 'acme.events': pageTopic!, 'audit-app': pageGroup! }
    const args = command!.split(' ').map(word => ours[word] ?? word)
    const { status, stdout, stderr } = await topicgate(folder, [...args, '--url', adminUrl])
    assert.deepEqual([status, stderr], [0, ''], command)
    id ||= stdout.slice(0, 26)
    const masked = stdout
      .replaceAll(id, 'ID')
      .replaceAll(pageTopic!, 'acme.events')
      .replaceAll(pageGroup!, 'audit-app')
      .replaceAll(subject(alice), 'SUB')
      .replace(/^ {2}\S+Z/gm, '  TIME')
    const mine = masked.split('\n').filter(line => !line.startsWith('0'))
    assert.equal(mine.join('\n'), expected, command)
    commands++
    if (args[1] === 'approve') await consumes(driver)
  }
  assert.equal(commands, 5)
  const again = await topicgate(folder, ['subscription', 'approve', id, '--token', 'auditor.token', '--url', adminUrl])
  assert.deepEqual([again.status, again.stderr], [1, `subscription ${id} is revoked already\n`])
  const wrong = ['--topic', '*', '--group', 'g', '--org', 'acme', '--until', 'tomorrow']
  const unread = await topicgate(folder, ['subscription', 'request', ...wrong, '--token', 'app.token', '--url', adminUrl])
  assert.equal(unread.status, 2)
  assert.match(unread.stderr, /^\/topic {2}is not the name of a topic\n\/until {2}is not a time with an offset/m)
})

/** A real client, refused at most as long as is promised. */
async function consumes(family: Driver): Promise<void> {
  const untilMs = performance.now() + PROMISED_MS
  await send('in time', pageTopic)
  const endpoint = { endpoint: keycloak.tokenEndpoint, clientId: 'analytics-app', clientSecret: 'analytics-secret' }
  const client = await family.open(gate.bootstrap, endpoint)
  for (;;) {
    const isLast = performance.now() > untilMs
    try {
      const consumer = await client.subscribe(pageGroup!, [pageTopic!])
      assert.equal((await consumer.received(1))[0]!.topic, pageTopic)
      await consumer.stop()
      return client.close()
    } catch (why) {
      if (isLast || !(why instanceof ClientError)) throw why
    }
  }
}

function topicgate(cwd: string, args: readonly string[]): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts')
  const child = spawn(process.execPath, [main, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].setEncoding('utf8').on('data', (piece: string) => {
      said[stream] += piece
    })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', status => resolve({ status, ...said }))
  })
}
