// The gate's own tokens: asked for once for all who want one, renewed early, and not in a flood while that fails.

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { jwtVerify } from 'jose'
import { startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { askTokenEndpoint, type ClientCredentials, OwnTokens } from '../../src/auth/own-token.ts'

const credentials = (over: Partial<ClientCredentials>): ClientCredentials => ({
  tokenUrl: null,
  issuer: null,
  clientId: 'topicgate',
  scope: null,
  audience: null,
  keyId: null,
  secret: () => null,
  privateKey: () => null,
  ...over,
})

test('a thousand who want a token cost one request, and it is renewed before it ends while the old one still serves', async () => {
  let [asked, nowMs] = [0, 0]
  const tokens = new OwnTokens(
    async () => ({ token: `t${++asked}`, expiresAtMs: nowMs + 100_000 }),
    () => nowMs,
  )

  const got = await Promise.all(Array.from({ length: 1000 }, () => tokens.token()))
  assert.deepEqual([asked, new Set(got.map(({ token }) => token))], [1, new Set(['t1'])])
  nowMs = 79_000
  assert.equal((await tokens.token()).token, 't1')
  nowMs = 81_000
  assert.equal((await tokens.token()).token, 't1')
  await new Promise(setImmediate)
  assert.equal((await tokens.token()).token, 't2')
  assert.equal(asked, 2)
})

test('while no token can be had, the one that is kept serves to its end, and the endpoint is left in peace', async () => {
  let [asked, nowMs] = [0, 0]
  let works = true
  const tokens = new OwnTokens(
    async () => {
      asked++
      if (!works) throw new Error('503')
      return { token: 't', expiresAtMs: 100_000 }
    },
    () => nowMs,
  )
  await tokens.token()
  works = false

  nowMs = 90_000
  for (let i = 0; i < 100; i++) {
    assert.equal((await tokens.token()).token, 't')
    await new Promise(setImmediate)
  }
  assert.equal(asked, 2)
  nowMs = 100_001
  for (let i = 0; i < 100; i++) await assert.rejects(tokens.token(), /no token for the brokers: 503/)
  assert.equal(asked, 3)
  works = true
  tokens.forget()
  assert.equal((await tokens.token()).token, 't')
})

test('who comes in the last seconds of a token waits for the next one, and has the old one if none comes', async () => {
  let [asked, nowMs] = [0, 0]
  let works = true
  const tokens = new OwnTokens(
    async () => {
      if (!works) throw new Error('503')
      return { token: `t${++asked}`, expiresAtMs: nowMs + 100_000 }
    },
    () => nowMs,
  )
  await tokens.token()

  nowMs = 95_000
  works = false
  assert.equal((await tokens.token()).token, 't1')
  works = true
  nowMs = 97_000
  assert.equal((await tokens.token()).token, 't2')
})

test('a token that a broker does not take is replaced, once in half a minute at most', async () => {
  let [asked, nowMs] = [0, 1_000_000]
  const tokens = new OwnTokens(
    async () => ({ token: `t${++asked}`, expiresAtMs: nowMs + 3_600_000 }),
    () => nowMs,
  )
  assert.equal((await tokens.token()).token, 't1')

  const got = await Promise.all(Array.from({ length: 100 }, () => tokens.token('t1')))
  assert.deepEqual(new Set(got.map(({ token }) => token)), new Set(['t2']))
  for (let i = 0; i < 100; i++) assert.equal((await tokens.token('t2')).token, 't2')
  nowMs += 31_000
  assert.equal((await tokens.token('t2')).token, 't3')
  assert.equal(asked, 3)
})

test('who does not answer at all is given up', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const tokens = new OwnTokens(() => new Promise(() => undefined))
  const refused = assert.rejects(tokens.token(), /no token for the brokers: no answer within 15000 ms/)
  t.mock.timers.tick(15_000)
  await refused
})

test('a secret gets a token, by the endpoint or by discovery, and a wrong one reads plainly', async t => {
  const issuer = await startDevIssuer()
  t.after(() => issuer.stop().catch(() => undefined))

  const { token, expiresAtMs } = await askTokenEndpoint(credentials({ issuer: issuer.issuer, secret: () => issuer.secret }))

  assert.match(token, /^ey/)
  assert.ok(expiresAtMs > Date.now() + 200_000)
  await assert.rejects(
    askTokenEndpoint(credentials({ tokenUrl: issuer.tokenUrl, secret: () => 'wrong' })),
    /token answered 401 invalid_client/,
  )
  await assert.rejects(
    askTokenEndpoint(credentials({ tokenUrl: 'http://keycloak.example.com/token', secret: () => 'x' })),
    /secrets go over https only/,
  )
  await issuer.stop()
  await assert.rejects(
    askTokenEndpoint(credentials({ tokenUrl: issuer.tokenUrl, secret: () => issuer.secret })),
    /http:.*\/token cannot be reached: fetch failed: [A-Z_]+/,
  )
})

test('a private key signs an assertion instead, once for each request (RFC 7523)', async t => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const forms: URLSearchParams[] = []
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', chunk => (text += chunk))
    request.on('end', () => {
      forms.push(new URLSearchParams(text))
      response.end(JSON.stringify({ access_token: 'a.b.c', expires_in: 60 }))
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const tokenUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const from = credentials({ tokenUrl, scope: 'kafka', audience: 'brokers', keyId: 'k1', privateKey: () => pem })

  for (let i = 0; i < 2; i++) await askTokenEndpoint(from)

  const ids = new Set<unknown>()
  for (const form of forms) {
    assert.deepEqual([form.get('grant_type'), form.get('scope'), form.get('audience')], ['client_credentials', 'kafka', 'brokers'])
    const { payload, protectedHeader } = await jwtVerify(form.get('client_assertion')!, publicKey, {
      audience: tokenUrl,
      issuer: 'topicgate',
    })
    assert.deepEqual([payload.sub, protectedHeader.alg, protectedHeader.kid], ['topicgate', 'ES256', 'k1'])
    assert.ok(payload.exp! - payload.iat! <= 60)
    ids.add(payload.jti)
  }
  assert.equal(ids.size, 2)
})
