// Brokers that do not take a login, or cannot be asked, while others are well: what the log, /readyz and the metrics say of them, and for how long.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { type Authority, type Certificate, makeAuthority } from '../../scripts/stack/certificates.ts'
import { startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { Control, type ControlOptions } from '../../src/proxy/control.ts'
import { Upstream } from '../../src/proxy/upstream.ts'
import { startGate } from '../e2e/gate.ts'
import { AnsweringBroker, clusterAnswers } from '../fakes/answering-broker.ts'
import { FakeClient } from '../fakes/client.ts'
import { TlsFront } from '../fakes/tls-front.ts'
import { until } from '../fakes/until.ts'

const SOON_MS = 10_000
const AUTHENTICATE = 36
const METADATA = 3
const OVER =
  /certificate has expired \(the certificate of 127\.0\.0\.1:\d+ is valid from 2020-01-01T00:00:00\.000Z to 2020-02-01T00:00:00\.000Z\)/

const folder = mkdtempSync(join(tmpdir(), 'topicgate-problems-'))
const running: (() => unknown)[] = []
afterEach(async () => {
  for (const stop of running.splice(0).reverse()) await stop()
})
after(() => rmSync(folder, { recursive: true }))
let authority: Authority
let good: Certificate
let old: Certificate
before(async () => {
  authority = await makeAuthority(folder)
  good = await authority.issue('broker', { names: ['IP:127.0.0.1'] })
  old = await authority.issue('old', { names: ['IP:127.0.0.1'], expired: true })
})

const login = (username: string) => ({ mechanism: 'PLAIN', username, password: { value: 'secret', file: null } }) as const
const plain = (username: string) => new Upstream({ bootstrap: [], hosts: null, tls: null, sasl: login(username) })

/** A cluster whose brokers take those that are among their users, by PLAIN; with a certificate behind TLS. */
async function cluster(count: number, certificate: Certificate | null = null) {
  const brokers: AnsweringBroker[] = []
  const fronts: TlsFront[] = []
  const users: Set<string>[] = []
  const answers = clusterAnswers(() => [], { orders: '0123456789abcdef0123456789abcdef' })
  const portOf = (i: number) => (certificate === null ? brokers : fronts)[i]!.port
  for (let i = 0; i < count; i++) {
    const known = new Set(['gate', 'clients'])
    const broker = await AnsweringBroker.start({
      ...answers,
      [METADATA]: (request, version) => ({
        ...(answers[METADATA]!(request, version) as object),
        brokers: Array.from({ length: count }, (_, i) => ({ nodeId: i + 1, host: '127.0.0.1', port: portOf(i), rack: null })),
      }),
      17: () => ({ errorCode: 0, mechanisms: ['PLAIN'] }),
      [AUTHENTICATE]: ({ authBytes }) => {
        const errorCode = known.has(authBytes.toString().split('\0')[1]) ? 0 : 58
        return { errorCode, errorMessage: 'Authentication failed', authBytes: Buffer.alloc(0), sessionLifetimeMs: 0n }
      },
    })
    users.push(known)
    brokers.push(broker)
    running.push(() => broker.stop().catch(() => undefined))
    if (certificate === null) continue
    const front = await TlsFront.start(broker.port, certificate)
    fronts.push(front)
    running.push(() => front.stop())
  }
  return { brokers, fronts, users, portOf }
}

function control(port: number, over: Partial<ControlOptions>) {
  const told: string[] = []
  const it = new Control({
    upstream: plain('gate'),
    bootstrap: [{ host: '127.0.0.1', port }],
    clientId: 'test',
    refreshMs: 50,
    timeoutMs: 1000,
    onState: () => undefined,
    onTopics: () => undefined,
    onReachable: () => undefined,
    onProblem: ({ nodeId }, problem) => told.push(`${nodeId} ${problem?.lastError ?? 'well'}`),
    ...over,
  })
  running.push(() => it.stop())
  return { it, told }
}

/** How many logins of a user a broker has seen. */
const logins = (broker: AnsweringBroker, user: string) =>
  broker.asked.filter(({ apiKey, body }) => apiKey === AUTHENTICATE && body.authBytes.toString().split('\0')[1] === user).length

test('a broker that takes the gate’s login no more is named while the others are well, not knocked at, and forgiven', async () => {
  const { brokers, users, portOf } = await cluster(2)
  const { it, told } = control(portOf(0), {})
  await it.start()
  assert.deepEqual(it.brokerProblems, [])

  users[1]!.delete('gate')
  it.doubtLogins()
  await until(() => it.brokerProblems.length > 0, SOON_MS)
  const [before, fromMs] = [logins(brokers[1]!, 'gate'), performance.now()]
  const rounds = brokers[0]!.count(METADATA)
  await until(() => brokers[0]!.count(METADATA) > rounds + 40, SOON_MS)

  // The first pause is a second at least, the second two.
  assert.ok(logins(brokers[1]!, 'gate') - before <= (performance.now() - fromMs) / 1_000)
  const refused = 'the broker refused the login by PLAIN (58): Authentication failed'
  const address = `127.0.0.1:${portOf(1)}`
  assert.deepEqual(it.brokerProblems, [{ nodeId: 2, address, lastError: refused, loginRefused: true }])
  assert.deepEqual([it.lastError, it.refused, it.state.brokers.every(({ alive }) => alive)], [null, false, true])
  users[1]!.add('gate')
  await until(() => told.length === 2, SOON_MS)
  assert.deepEqual(told, [`2 ${refused}`, '2 well'])
})

test('a login that clients’ connections alone use is tried too, and is named when brokers refuse it', async () => {
  const { brokers, users, portOf } = await cluster(2)
  for (const known of users) known.delete('clients')
  const { it, told } = control(portOf(0), { clientsLogin: plain('clients') })

  await it.start()

  const refused = 'cluster.sasl: the broker refused the login by PLAIN (58): Authentication failed'
  assert.deepEqual([it.state.reachable, it.lastError, it.refused], [true, null, false])
  assert.deepEqual(
    it.brokerProblems.map(({ nodeId, lastError, loginRefused }) => [nodeId, lastError, loginRefused]),
    [
      [1, refused, true],
      [2, refused, true],
    ],
  )
  assert.deepEqual(
    it.state.brokers.map(({ alive, autoCreate }) => [alive, autoCreate]),
    [
      [true, false],
      [true, false],
    ],
  )
  assert.equal(logins(brokers[0]!, 'clients'), 1)
  for (const known of users) known.add('clients')
  it.credentialsChanged()
  await until(() => told.length === 4, SOON_MS)
  assert.deepEqual(told.toSorted(), [`1 ${refused}`, '1 well', `2 ${refused}`, '2 well'])
})

test('a login that is well is not tried in every round, but when clients’ connections are refused', async () => {
  const { brokers, portOf } = await cluster(1)
  const { it } = control(portOf(0), { clientsLogin: plain('clients'), refreshMs: 60_000 })
  await it.start()
  const rounds = async (wake: () => void) => {
    const seen = brokers[0]!.count(METADATA)
    wake()
    await until(() => brokers[0]!.count(METADATA) > seen, SOON_MS)
  }

  for (let i = 0; i < 3; i++) await rounds(() => it.wake())
  assert.equal(logins(brokers[0]!, 'clients'), 1)
  await rounds(() => it.doubtLogins())
  await until(() => logins(brokers[0]!, 'clients') === 2, SOON_MS)
  await rounds(() => it.wake())
  await rounds(() => it.wake())

  assert.equal(logins(brokers[0]!, 'clients'), 2)
})

test('a broker whose certificate ends while the gate runs is named with its date, and forgiven when it has another', async () => {
  const { fronts, portOf } = await cluster(2, good)
  const tls = { ca: authority.ca, cert: null, key: null, serverName: null, serverNames: {} }
  const upstream = new Upstream({ bootstrap: [], hosts: null, tls, sasl: null })
  running.push(() => upstream.stop())
  const { it, told } = control(portOf(0), { upstream })
  await it.start()
  assert.equal(it.brokerProblems.length, 0)

  fronts[1]!.present(old)
  await until(() => it.state.brokers.some(({ alive }) => !alive), SOON_MS)

  const [problem] = it.brokerProblems
  assert.match(problem!.lastError, OVER)
  assert.deepEqual([problem!.nodeId, problem!.loginRefused, it.state.reachable, it.lastError], [2, false, true, null])
  assert.deepEqual(
    it.state.brokers.map(({ alive }) => alive),
    [true, false],
  )
  fronts[1]!.present(good)
  await until(() => told.length === 2 && it.state.brokers[1]!.alive, SOON_MS)
  assert.deepEqual(told, [`2 ${problem!.lastError}`, '2 well'])
})

const sasl = (username: string) => ({ mechanism: 'PLAIN', username, password: 'secret' })

/** A whole gate whose own account is `gate`, and a token of a client. */
async function gateBefore(port: number, cluster: object) {
  const issuer = await startDevIssuer()
  running.push(() => issuer.stop())
  const bootstrap = `127.0.0.1:${port}`
  const gate = await startGate({
    bootstrap,
    policy: 'version: 1\n',
    issuers: [issuer.settings('corp')],
    config: { cluster: { name: 'main', bootstrap: [bootstrap], control: { sasl: sasl('gate') }, ...cluster } },
  })
  running.push(() => gate.stop())
  return { gate, token: await issuer.mint({ service: 'orders' }) }
}

test('what one broker of several refuses, and which certificate is over, stand in log, metric and /readyz of a gate that is ready', async () => {
  const { fronts, users, portOf } = await cluster(2, good)
  const { gate, token } = await gateBefore(portOf(0), { tls: { ca: authority.ca }, sasl: sasl('clients') })
  const readiness = async () => {
    const response = await fetch(`${gate.healthUrl}/readyz`)
    const { ready, cluster } = (await response.json()) as any
    assert.deepEqual([response.status, ready], [200, true])
    return cluster
  }
  const problems = async () => (await readiness()).problems
  const log = () => readFileSync(gate.logFile, 'utf8')
  const refused = 'cluster.sasl: the broker refused the login by PLAIN (58): Authentication failed'
  const address = `127.0.0.1:${portOf(1)}`
  assert.deepEqual([await problems(), await gate.metric('topicgate_cluster_login_refused')], [[], 0])

  users[1]!.delete('clients')
  await until(async () => {
    // Whichever broker the bootstrap port is for, of four one is for the second.
    for (let i = 0; i < 4; i++) {
      const client = await FakeClient.connect(gate.port)
      await client.login(token)
      client.socket.destroy()
    }
    return (await problems()).length > 0
  })

  assert.deepEqual(await problems(), [{ nodeId: 2, address, lastError: refused, loginRefused: true }])
  assert.equal(await gate.metric('topicgate_cluster_login_refused'), 1)
  assert.equal((await readiness()).lastError, undefined)
  assert.equal(log().split('a broker refuses the login of the gate').length, 2)
  assert.ok(log().includes(refused))

  users[1]!.add('clients')
  await untilAwake(fronts, async () => (await problems()).length === 0)
  assert.equal(await gate.metric('topicgate_cluster_login_refused'), 0)
  assert.match(log(), /a broker is well again/)

  fronts[1]!.present(old)
  await untilAwake(fronts, async () => OVER.test((await problems())[0]?.lastError))
  await until(async () => (await gate.metric('topicgate_brokers_alive')) === 1)
  const { reachable, problems: left } = await readiness()
  assert.deepEqual([reachable, left.map(({ nodeId, loginRefused }: any) => [nodeId, loginRefused])], [true, [[2, false]]])
  assert.equal(await gate.metric('topicgate_cluster_login_refused'), 0)
  assert.match(log(), OVER)
})

test('a token of a client that brokers refuse, passed through, is no problem of the gate', async () => {
  const { brokers, portOf } = await cluster(1)
  const { gate, token } = await gateBefore(portOf(0), { tls: 'off', sasl: { mechanism: 'PASSTHROUGH' } })
  const [before, rounds] = [logins(brokers[0]!, 'gate'), brokers[0]!.count(METADATA)]

  const client = await FakeClient.connect(gate.port)
  await client.login(token)
  await client.closed
  await until(() => brokers[0]!.count(METADATA) > rounds)

  assert.equal(await gate.metric('topicgate_broker_logins_refused_total'), 1)
  assert.equal(logins(brokers[0]!, 'gate'), before)
  const { cluster: state } = (await (await fetch(`${gate.healthUrl}/readyz`)).json()) as any
  assert.deepEqual([state.problems, await gate.metric('topicgate_cluster_login_refused')], [[], 0])
})

/** A control connection that ends makes the gate look again sooner than in half a minute. */
async function untilAwake(fronts: readonly TlsFront[], holds: () => Promise<boolean>): Promise<void> {
  let atMs = 0
  await until(async () => {
    if (performance.now() - atMs > 1_000) {
      for (const front of fronts) front.drop()
      atMs = performance.now()
    }
    return holds()
  }, 30_000)
}
