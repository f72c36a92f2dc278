// The gate's own login where tokens or derived keys are what it takes: who is let in, and how little a thousand connections cost.

import assert from 'node:assert/strict'
import { createHook } from 'node:async_hooks'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { LoginRefused } from '../../src/auth/broker-login.ts'
import { startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { TokenUnavailable } from '../../src/auth/own-token.ts'
import type { BrokerSasl, OAuthSasl } from '../../src/base/config-cluster.ts'
import { Control } from '../../src/proxy/control.ts'
import { hello } from '../../src/proxy/hello.ts'
import { ownTokenSource } from '../../src/proxy/own-login.ts'
import { Upstream } from '../../src/proxy/upstream.ts'
import { kafkaReads } from '../auth/kafka-reads.ts'
import { AnsweringBroker, offersEverything } from '../fakes/answering-broker.ts'
import { setAws } from '../fakes/aws-environment.ts'
import { FakeClient } from '../fakes/client.ts'
import { fakeWorld } from '../fakes/gate.ts'
import { type AwsKey, expectedToken, mskBroker, REGION, tokenService } from '../fakes/msk.ts'
import { ScramServer } from '../fakes/scram.ts'
import { dialerOf } from '../fakes/upstream.ts'

const CONNECTIONS = 1000
const ID = 'AKIDEXAMPLE'
const KEY: AwsKey = { secretKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
const ROLE_KEY = { secretKey: 'of the role', sessionToken: 'session/token+with=signs' }
const MSK = { mechanism: 'AWS_MSK_IAM', region: REGION, role: null, profile: null } as const

/** How a process logs in as the configuration says. */
function upstreamOf(t: TestContext, sasl: BrokerSasl): Upstream {
  const source = ownTokenSource(sasl)
  const upstream = new Upstream({ bootstrap: [], hosts: null, tls: null, sasl, ownToken: refused => source!.tokens.token(refused) })
  t.after(() => {
    upstream.stop()
    source?.stop()
  })
  return upstream
}
const addressOf = ({ port }: { readonly port: number }) => ({ host: '127.0.0.1', port })

/** Logs in and hangs up. */
async function logIn(upstream: Upstream, broker: AnsweringBroker): Promise<void> {
  const { client } = await hello(upstream, addressOf(broker), { clientId: 'test', timeoutMs: 5000, login: true })
  client.close()
}

/** So many clients at once, each with a connection to the broker of its own. */
async function connectMany(t: TestContext, upstream: Upstream, broker: AnsweringBroker): Promise<void> {
  const world = await fakeWorld({
    broker: addressOf(broker),
    dialer: dialerOf(upstream, 1_000_000),
    limits: { connections: CONNECTIONS + 1, loginTimeMs: 120_000 },
  })
  t.after(() => world.close())
  const clients = await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const client = await FakeClient.connect(world.port)
      assert.equal(await client.login(), 0)
      // Metadata comes back only over a connection that is logged in.
      assert.notEqual(await client.ask(3, 12, { topics: [], allowAutoTopicCreation: false }), null)
      return client
    }),
  )
  assert.equal(world.count('dialFailed'), 0)
  for (const client of clients) client.socket.destroy()
}

test('Amazon MSK gets the signed request as an OAUTHBEARER token, byte for byte', async t => {
  const now = Date.parse('2026-11-27T03:14:15.900Z')
  t.mock.timers.enable({ apis: ['Date'], now })
  setAws(t, { AWS_ACCESS_KEY_ID: ID, AWS_SECRET_ACCESS_KEY: KEY.secretKey })
  const { broker, said } = await mskBroker(new Map([[ID, KEY]]))
  t.after(() => broker.stop())

  await logIn(upstreamOf(t, MSK), broker)

  const token = expectedToken(ID, KEY, '20261127T031415Z', 'aws-msk-iam-sasl-signer-js/1.0.3')
  assert.deepEqual(said.map(String), [`n,,\x01auth=Bearer ${token}\x01\x01`])
})

for (const [what, environment, sasl, clockMs] of [
  ['another region', {}, { ...MSK, region: 'us-east-1' }, 0],
  ['a wrong secret', { AWS_SECRET_ACCESS_KEY: 'wrong' }, MSK, 0],
  ['a clock that is an hour behind', {}, MSK, 3_600_000],
] as const) {
  test(`${what}: Amazon MSK refuses the login, and it reads so`, async t => {
    setAws(t, { AWS_ACCESS_KEY_ID: ID, AWS_SECRET_ACCESS_KEY: KEY.secretKey, ...environment })
    const { broker, refused } = await mskBroker(new Map([[ID, KEY]]), () => Date.now() + clockMs)
    t.after(() => broker.stop())

    await assert.rejects(logIn(upstreamOf(t, sasl), broker), (error: unknown) => {
      assert.ok(error instanceof LoginRefused)
      assert.match(error.message, /refused the login by OAUTHBEARER \(58\): \{"status":"invalid_token"\}/)
      return true
    })
    assert.equal(refused.length, 1)
  })
}

test(`${CONNECTIONS} connections to Amazon MSK cost one assumed role and one token, and the next before 900 s are over`, async t => {
  const service = await tokenService('ASIAROLE', ROLE_KEY)
  t.after(() => service.stop())
  setAws(t, { AWS_ACCESS_KEY_ID: ID, AWS_SECRET_ACCESS_KEY: KEY.secretKey, AWS_ENDPOINT_URL_STS: service.url })
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const { broker, said, refused } = await mskBroker(new Map([['ASIAROLE', ROLE_KEY]]))
  t.after(() => broker.stop())
  const upstream = upstreamOf(t, { ...MSK, role: 'arn:aws:iam::111122223333:role/topicgate' })
  const tokens = () => new Set(said.map(String)).size

  await connectMany(t, upstream, broker)
  assert.deepEqual([said.length, tokens(), service.asked.length], [CONNECTIONS, 1, 1])
  t.mock.timers.tick(719_000)
  await logIn(upstream, broker)
  assert.deepEqual([tokens(), service.asked.length], [1, 1])

  t.mock.timers.tick(180_000)
  await logIn(upstream, broker)
  assert.deepEqual([tokens(), service.asked.length, refused], [2, 2, []])
})

test(`${CONNECTIONS} connections by OAUTHBEARER cost one request for a token`, async t => {
  const endpoint = await tokenEndpoint(t)
  const seen = new Set<string>()
  const broker = await bearerBroker(t, token => {
    seen.add(token)
    return true
  })

  await connectMany(t, upstreamOf(t, oauth(endpoint.url)), broker)

  assert.deepEqual([endpoint.asked(), broker.count(36), [...seen]], [1, CONNECTIONS, ['token-1']])
})

test('extensions stand beside the token, as Kafka’s own class reads them', async t => {
  const endpoint = await tokenEndpoint(t)
  const broker = await bearerBroker(t, () => true)
  const extensions = { logicalCluster: 'lkc-abc12', identityPoolId: 'pool-a=b c' }

  await logIn(upstreamOf(t, { ...oauth(endpoint.url), extensions }), broker)

  const { authBytes } = broker.asked.find(({ apiKey }) => apiKey === 36)!.body
  assert.equal(authBytes.toString(), 'n,,\x01auth=Bearer token-1\x01logicalCluster=lkc-abc12\x01identityPoolId=pool-a=b c\x01\x01')
  const [line] = await kafkaReads([authBytes])
  const [token, authorizationId, read] = line!.split('\t').map(hex => Buffer.from(hex, 'hex').toString())
  assert.deepEqual([token, authorizationId, read], ['token-1', '', 'identityPoolId=pool-a=b c\nlogicalCluster=lkc-abc12\n'])
})

test('a token that the broker does not take is not kept: the next login brings another one', async t => {
  const endpoint = await tokenEndpoint(t)
  const broker = await bearerBroker(t, token => token !== 'token-1')
  const upstream = upstreamOf(t, oauth(endpoint.url))

  await assert.rejects(logIn(upstream, broker), LoginRefused)
  await logIn(upstream, broker)

  assert.equal(endpoint.asked(), 2)
})

test('a token endpoint that refuses the secret is named, and left in peace', async t => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const endpoint = await tokenEndpoint(t, 401)
  const broker = await bearerBroker(t, () => true)
  const upstream = upstreamOf(t, oauth(endpoint.url))

  for (let i = 0; i < 20; i++) {
    await assert.rejects(logIn(upstream, broker), (error: unknown) => {
      assert.ok(error instanceof TokenUnavailable)
      assert.match(error.message, /no token for the brokers: http:.*\/token answered 401 invalid_client/)
      return true
    })
  }
  assert.equal(endpoint.asked(), 1)
})

test('a secret whose file is mended is taken up', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'topicgate-secret-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'secret')
  writeFileSync(file, 'wrong\n')
  const issuer = await startDevIssuer()
  t.after(() => issuer.stop())
  const source = ownTokenSource({ ...oauth(issuer.tokenUrl), clientSecret: { value: 'wrong', file } })!
  t.after(() => source.stop())
  await assert.rejects(source.tokens.token(), /answered 401/)

  writeFileSync(file, `${issuer.secret}\n`)
  const endsAtMs = performance.now() + 10_000
  let token: string | null = null
  while (token === null) {
    assert.ok(performance.now() < endsAtMs, 'not taken up')
    await sleep(100)
    token = await source.tokens.token().then(
      got => got.token,
      () => null,
    )
  }
  assert.match(token, /^ey/)
})

test('a token that cannot be had reads plainly for clients’ connections and for the gate’s own, and costs one request', async t => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const endpoint = await tokenEndpoint(t, 401)
  const broker = await bearerBroker(t, () => true)
  const upstream = upstreamOf(t, oauth(endpoint.url))
  const world = await fakeWorld({ broker: addressOf(broker), dialer: dialerOf(upstream, 1000) })
  const control = new Control({
    upstream,
    bootstrap: [addressOf(broker)],
    clientId: 'test',
    refreshMs: 60_000,
    timeoutMs: 5000,
    onState: () => undefined,
    onTopics: () => undefined,
    onReachable: () => undefined,
  })
  t.after(() => {
    control.stop()
    world.close()
  })

  await control.start()
  for (let i = 0; i < 10; i++) {
    const client = await FakeClient.connect(world.port)
    assert.equal(await client.login(), 0)
    await client.closed
  }

  const said = /no token for the brokers: http:.*\/token answered 401 invalid_client/
  assert.match(control.lastError!, said)
  assert.equal(world.closedCauses.length, 10)
  for (const { cause, detail } of world.closedCauses) {
    assert.equal(cause, 'dial failed')
    assert.match(detail, said)
  }
  assert.equal(endpoint.asked(), 1)
})

for (const [mechanism, hash] of [
  ['SCRAM-SHA-256', 'sha256'],
  ['SCRAM-SHA-512', 'sha512'],
] as const) {
  test(`${CONNECTIONS} connections by ${mechanism} cost one derivation of the password`, async t => {
    const server = new ScramServer(hash, 'gate', 'pencil', 8192)
    let derivations = 0
    const hook = createHook({ init: (_id, type) => void (derivations += Number(type === 'PBKDF2REQUEST')) }).enable()
    t.after(() => hook.disable())
    const broker = await AnsweringBroker.start({
      18: offersEverything,
      3: () => ({ brokers: [], topics: [] }),
      17: () => ({ errorCode: 0, mechanisms: [mechanism] }),
      36: ({ authBytes }) => ({ errorCode: 0, errorMessage: null, sessionLifetimeMs: 0n, authBytes: server.answer(authBytes) }),
    })
    t.after(() => broker.stop())
    const sasl = { mechanism, username: 'gate', password: { value: 'pencil', file: null } } as const

    await connectMany(t, upstreamOf(t, sasl), broker)

    assert.deepEqual([server.loggedIn, derivations], [CONNECTIONS, 1])
  })
}

const oauth = (tokenUrl: string): OAuthSasl => ({
  mechanism: 'OAUTHBEARER',
  tokenUrl,
  issuer: null,
  clientId: 'topicgate',
  clientSecret: { value: 'secret', file: null },
  privateKey: null,
  keyId: null,
  scope: null,
  audience: null,
  extensions: {},
})

async function tokenEndpoint(t: TestContext, status = 200): Promise<{ readonly url: string; asked(): number }> {
  let asked = 0
  const server = createServer((_request, response) => {
    asked++
    response.statusCode = status
    response.end(JSON.stringify(status === 200 ? { access_token: `token-${asked}`, expires_in: 300 } : { error: 'invalid_client' }))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`, asked: () => asked }
}

/** Lets tokens in by OAUTHBEARER, or not. */
async function bearerBroker(t: TestContext, good: (token: string) => boolean): Promise<AnsweringBroker> {
  const broker = await AnsweringBroker.start({
    18: offersEverything,
    3: () => ({ brokers: [], topics: [] }),
    17: () => ({ errorCode: 0, mechanisms: ['OAUTHBEARER'] }),
    36: ({ authBytes }) => {
      const errorCode = good(/Bearer ([^\x01]+)\x01/.exec(authBytes.toString('latin1'))?.[1] ?? '') ? 0 : 58
      return { errorCode, errorMessage: errorCode === 0 ? null : 'no', authBytes: Buffer.alloc(0), sessionLifetimeMs: 0n }
    },
  })
  t.after(() => broker.stop())
  return broker
}
