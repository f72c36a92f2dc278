// How keys are fetched: once for all, not in a flood, stale for a bounded time, never from plain http.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errors, exportJWK, generateKeyPair, type JWK } from 'jose'
import { IssuerKeys, KeysUnavailable } from '../../src/auth/issuer.ts'

const ISSUER = 'https://id.example.com/realms/main'
const key = async (kid: string, extra: JWK = {}): Promise<JWK> => ({
  ...(await exportJWK((await generateKeyPair('ES256')).publicKey)),
  kid,
  alg: 'ES256',
  use: 'sig',
  ...extra,
})
const known = await key('k1')
const rotated = await key('k2')

/** An issuer whose answers a test decides, with a clock that it moves. */
function world(respond: (url: string) => unknown = () => ({ keys: [known] })) {
  const asked: string[] = []
  const state = { nowMs: 1_000_000, respond }
  const fetchIt = async (url: unknown) => {
    asked.push(String(url))
    const answer = state.respond(String(url))
    if (answer instanceof Error) throw answer
    return answer instanceof Response ? answer : Response.json(answer)
  }
  const keys = new IssuerKeys({
    issuer: ISSUER,
    jwks: `${ISSUER}/certs`,
    fetch: fetchIt as typeof fetch,
    now: () => state.nowMs,
    sleep: async ms => {
      state.nowMs += ms
    },
  })
  return { keys, asked, state, fetchIt: fetchIt as typeof fetch }
}
const ES = (kid: string) => ({ alg: 'ES256', kid })

test('the first token fetches the keys, and twenty at the same time share one fetch', async () => {
  const { keys, asked } = world()

  await Promise.all(Array.from({ length: 20 }, () => keys.key(ES('k1'), 0)))

  assert.equal(asked.length, 1)
})

test('keys are found through the discovery document of exactly that issuer', async () => {
  const { asked, fetchIt } = world(url => (url.endsWith('/certs') ? { keys: [known] } : { issuer: ISSUER, jwks_uri: `${ISSUER}/certs` }))

  await new IssuerKeys({ issuer: ISSUER, fetch: fetchIt }).key(ES('k1'), 0)

  assert.deepEqual(asked, [`${ISSUER}/.well-known/openid-configuration`, `${ISSUER}/certs`])
})

test('a discovery document of another issuer is not believed', async () => {
  const { fetchIt } = world(() => ({ issuer: 'https://evil.example.com', jwks_uri: `${ISSUER}/certs` }))

  await assert.rejects(new IssuerKeys({ issuer: ISSUER, fetch: fetchIt }).key(ES('k1'), 0), /says issuer "https:\/\/evil/)
})

test('a key that the issuer has just made is found with one more fetch', async () => {
  const { keys, asked, state } = world()
  await keys.key(ES('k1'), 0)

  state.respond = () => ({ keys: [known, rotated] })
  await keys.key(ES('k2'), state.nowMs) // its turn comes within a second, and is waited for

  assert.equal(asked.length, 2)
})

test('forged key ids cost fewer and fewer fetches, while known keys go on being served', async () => {
  const { keys, asked, state } = world()
  await keys.key(ES('k1'), 0)

  for (let s = 0; s < 120; s++) {
    state.nowMs += 1_000
    const forged = [0, 1, 2].map(i => keys.key(ES(`forged-${s}-${i}`), 0))
    for (const answer of await Promise.allSettled(forged)) assert.equal(answer.status, 'rejected')
    await keys.key(ES('k1'), 0)
  }

  assert.ok(asked.length <= 10, `${asked.length} fetches in two minutes`)
})

test('a token that is younger than our last look, signed by an unknown key, is undecided while it is too soon to look again', async () => {
  const { keys, state } = world()
  for (let i = 0; i < 4; i++) {
    state.nowMs += 30_000
    await assert.rejects(keys.key(ES('forged'), 0), errors.JWKSNoMatchingKey)
  }

  state.nowMs += 2_000

  await assert.rejects(keys.key(ES('k2'), state.nowMs), KeysUnavailable)
  await assert.rejects(keys.key(ES('k2'), 0), errors.JWKSNoMatchingKey)
})

test('while the issuer is down its keys serve on until they are too old, then nothing is accepted', async () => {
  const { keys, state } = world()
  await keys.start()
  keys.stop()
  state.respond = () => new Error('connect ECONNREFUSED')

  state.nowMs += 11 * 3_600_000
  await keys.key(ES('k1'), 0)
  state.nowMs += 2 * 3_600_000
  await assert.rejects(keys.key(ES('k1'), 0), KeysUnavailable)

  assert.equal(keys.status.usable, false)
  assert.match(keys.status.lastError ?? '', /ECONNREFUSED/)
})

test('an issuer that is down is not asked once per token', async () => {
  const { keys, asked, state } = world(() => new Error('down'))

  for (let i = 0; i < 500; i++) {
    state.nowMs += 100
    if (i % 10 === 0) await assert.rejects(keys.key(ES('k1'), 0), KeysUnavailable)
  }

  assert.ok(asked.length <= 8, `${asked.length} fetches in 50 s`)
})

test('keys for encryption, symmetric keys and private keys are not used', async () => {
  const symmetric = { kty: 'oct', k: 'c2VjcmV0', kid: 'hmac', alg: 'HS256' }
  const { keys } = world()
  const { keys: other } = world(() => ({ keys: [{ ...known, use: 'enc' }, symmetric, { ...known, d: 'x' }] }))

  await keys.key(ES('k1'), 0)
  await assert.rejects(other.key(ES('k1'), 0), /without a public key/)
})

for (const [what, answer, problem] of [
  ['larger than 256 KiB', () => new Response('x'.repeat(300_000)), /larger than 256 KiB/],
  ['of more than 64 keys', () => ({ keys: Array(65).fill(known) }), /65 keys/],
  ['that is an error page', () => new Response('<html>', { status: 502 }), /answered 502/],
  ['that is no JSON', () => new Response('<html>'), /JSON/],
] as const) {
  test(`a key set ${what} is not used`, async () => {
    await assert.rejects(world(answer).keys.key(ES('k1'), 0), problem)
  })
}

test('plain http is for loopback addresses, unless the network is said to be trusted', () => {
  assert.throws(() => new IssuerKeys({ issuer: 'http://id.example.com' }), /https only/)
  assert.throws(() => new IssuerKeys({ issuer: ISSUER, jwks: 'http://127.0.0.1.example.com/certs' }), /https only/)
  assert.throws(() => new IssuerKeys({ issuer: 'file:///etc/passwd' }), /https only/)
  for (const issuer of ['http://127.0.0.1:8080/r', 'http://localhost/r', 'http://[::1]:1/r']) new IssuerKeys({ issuer })
  new IssuerKeys({ issuer: 'http://keycloak:8080/realms/x', allowHttp: true })
})
