// What a gate keeps of a client, as `topicgate explain --gate` shows it: while it counts, until a tuple is gone, and to those who may ask.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { newestModel, OpenFgaStore } from '../../src/policy/openfga-client.ts'
import { shippedModel } from '../../src/policy/openfga-model.ts'
import { KeptAnswer } from '../../src/proxy/admin-kept.ts'
import { files, topicgate } from '../cli/command.ts'
import { FakeClient } from '../fakes/client.ts'
import { until } from '../fakes/until.ts'
import { sharedKafka, sharedOpenFga, uniqueName } from '../parts.ts'
import { type Gate, startGate } from './gate.ts'
import { makeTopics } from './topics.ts'

const METADATA = 3
const PROMISED_MS = 2_000
const SCOPE = 'topicgate-admin'
/** Longer than any command takes: what is not kept any more was dropped. */
const LIFE_MS = 300_000
const cache = { grants: `${LIFE_MS}ms`, objects: `${LIFE_MS}ms` }
const topic = uniqueName('kept')
const APP = 'service:dev/app'

const [kafka, openFga, issuer] = await Promise.all([sharedKafka(), sharedOpenFga(), startDevIssuer()])
await makeTopics(kafka, { [topic]: 1 })
const { store } = await openFga.createStore('kept', shippedModel(), [{ user: APP, relation: 'reader', object: `topic:main/${topic}` }])
const gateOn = (config: object) =>
  startGate({
    bootstrap: kafka.bootstrap,
    policy: `
version: 1
grants:
  - { id: writers, to: "service:app", allow: produce, topics: ["${topic}"] }
  - { id: operators, to: "service:operator", allow: observe, cluster: true }
`,
    issuers: [{ alias: 'dev', issuer: issuer.issuer, audience: 'kafka', kind: 'keycloak' }],
    config: { admin: { bind: '127.0.0.1:0' }, ...config },
    workers: 2,
  })
const [gate, plain] = await Promise.all([
  gateOn({ authorizer: { engine: 'openfga', openfga: { url: openFga.url, store, apply: 'auto' }, cache } }),
  gateOn({}),
])
after(() => Promise.all([gate.stop(), plain.stop(), issuer.stop()]))

const adminOf = ({ logFile }: Gate) => `http://${/^admin (\S+)$/m.exec(readFileSync(logFile, 'utf8'))![1]}`
const tokenOf = (service: string) => issuer.mint({ service }, { scope: `openid ${SCOPE}` })

async function call(on: Gate, service: string, path = `/v1/kept?${new URLSearchParams({ principal: APP, kind: 'topic', name: topic })}`) {
  const response = await fetch(`${adminOf(on)}${path}`, { headers: { authorization: `Bearer ${await tokenOf(service)}` } })
  return { status: response.status, body: (await response.json()) as any }
}

/** A client is told of the topic, on a connection that stays. */
async function served(on: Gate): Promise<FakeClient> {
  const client = await FakeClient.connect(on.port)
  assert.equal(await client.login(await tokenOf('app')), 0)
  const { topics } = await client.ask(METADATA, 9, { topics: [{ name: topic }], allowAutoTopicCreation: false })
  assert.equal(topics[0].errorCode, 0)
  return client
}

test('of a client that was served its worker keeps what it was given, until the tuple is gone', { timeout: 60_000 }, async t => {
  const before = await call(gate, 'app')
  const client = await served(gate)
  t.after(() => client.socket.destroy())
  const at = files(t, { app: await tokenOf('app'), operator: await tokenOf('operator'), stranger: await tokenOf('stranger') })
  const question = ['explain', '-c', gate.configFile, '--as', 'service:app', '--operation', 'write', '--topic', topic]
  const explain = (who: string, ...more: string[]) => topicgate(...question, '--gate', adminOf(gate), '--gate-token', at[who]!, ...more)

  const [own, others, text, refused] = await Promise.all([
    explain('app', '--json'),
    explain('operator', '--json'),
    explain('operator'),
    explain('stranger'),
  ])
  assert.deepEqual([before.status, before.body.kept], [200, []])
  for (const { stdout, stderr } of [own, others]) {
    assert.equal(stderr, '')
    const { verdict, grant, steps } = JSON.parse(stdout)
    const { samePolicy, ...answer } = steps[0].kept
    const { engine, store: state, kept } = KeptAnswer.strict().parse(answer)
    assert.deepEqual([verdict, grant, samePolicy, engine, state!.connected], ['allowed', 'writers', true, 'openfga', true])
    assert.equal(kept.length, 1, 'the client has one connection, in one worker')
    const { given, resource } = kept[0]!
    assert.deepEqual(
      [given!.grants, given!.stale, resource!.blocked, resource!.allowed.includes('read')],
      [['writers'], false, false, true],
    )
    const leftMs = Date.parse(given!.endsAt) - Date.now()
    assert.ok(leftMs > 0 && leftMs <= LIFE_MS, `${leftMs} ms`)
  }
  assert.match(text.stdout, /^ {2}gate: worker [01]: grant writers, until \S+Z; topic:\S+: write allowed, until \S+Z$/m)
  assert.deepEqual([refused.status, refused.stdout], [1, ''])
  assert.match(refused.stderr, /^service:dev\/stranger may not describe the cluster/)
  await gate.audited(({ api }) => api === 'gate.kept')
  const [deed, ...more] = gate.audit().filter(({ api }) => api === 'gate.kept')
  assert.deepEqual([deed.verdict, deed.principal, deed.client.listener, more], ['refused', 'service:dev/stranger', 'admin', []])

  const address = { url: openFga.url, token: null }
  const tuples = ['grantee', 'holder'].map(relation => ({ user: APP, relation, object: 'grant:main/writers' }))
  const keeps = async () => (await call(gate, 'operator')).body.kept.some((one: any) => one.given?.grants.includes('writers'))
  assert.ok(await keeps())
  await new OpenFgaStore(address, store, await newestModel(address, store, 5_000), 5_000).write(tuples, [])
  await until(async () => !(await keeps()), PROMISED_MS)
  assert.doesNotMatch((await explain('operator')).stdout, /gate: .*grant writers/)
})

test('the embedded engine keeps nothing beside its policy, and lets the same people ask', async t => {
  const client = await served(plain)
  t.after(() => client.socket.destroy())
  const [own, operator, stranger, subscriptions] = await Promise.all([
    call(plain, 'app'),
    call(plain, 'operator'),
    call(plain, 'stranger'),
    call(plain, 'app', '/v1/subscriptions'),
  ])

  assert.deepEqual([own.status, operator.status, stranger.status, subscriptions.status], [200, 200, 403, 501])
  const { engine, policy, store: state, kept } = KeptAnswer.strict().parse(own.body)
  assert.deepEqual([engine, policy.generation, policy.fresh, state, kept], ['embedded', 1, true, null, []])
})
