// Which tokens are accepted, as whom, and what is said of the others.

import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { type DevIdentity, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { type IssuerSettings, TokenVerifier } from '../../src/auth/oauthbearer.ts'

const issuer = await startDevIssuer()
const other = await startDevIssuer()
const verifier = new TokenVerifier([issuer.settings('corp'), other.settings('partner')])
await verifier.start()
after(async () => {
  verifier.stop()
  await Promise.all([issuer.stop(), other.stop()])
})
const nowS = Math.floor(Date.now() / 1000)
// Everything that is waited for comes before the first test: with a pause between tests, `after` may run in it.
const mine = await generateKeyPair('RS256', { extractable: true })
const orders: DevIdentity = { service: 'orders' }
const genuine = await issuer.mint(orders)

async function accepted(token: string, from: TokenVerifier = verifier) {
  const verified = await from.verify(token, ['corp'])
  assert.equal(verified.kind, 'principal', JSON.stringify(verified))
  return (verified as Extract<typeof verified, { kind: 'principal' }>).principal
}
async function refusal(token: string, from: TokenVerifier = verifier) {
  const verified = await from.verify(token, ['corp'])
  assert.equal(verified.kind, 'refused', JSON.stringify(verified))
  return (verified as Extract<typeof verified, { kind: 'refused' }>).why
}
/** A verifier that reads the development issuer's tokens by other settings. */
function reading(settings: Partial<IssuerSettings>): TokenVerifier {
  return new TokenVerifier([{ ...issuer.settings('corp'), ...settings }])
}

test("a service account's token is its client", async () => {
  const principal = await accepted(await issuer.mint({ service: 'orders', groups: ['/platform'] }))

  assert.deepEqual(
    [principal.id, principal.type, principal.name, principal.issuer, principal.groups],
    ['service:corp/orders', 'service', 'orders', 'corp', ['/platform']],
  )
})

test("a person's token is its subject, with groups, roles and organizations", async () => {
  const principal = await accepted(
    await issuer.mint({
      user: '0b5c7a52',
      groups: ['/finance/auditors', '/orgs/acme/auditors'],
      realmRoles: ['operator'],
      clientRoles: { kafka: ['producer'], elsewhere: ['admin'] },
      organizations: ['acme', 'globex'],
    }),
  )

  assert.equal(principal.id, 'user:corp/0b5c7a52')
  assert.deepEqual(principal.groups, ['/finance/auditors', '/orgs/acme/auditors'])
  assert.deepEqual(principal.realmRoles, ['operator'])
  assert.deepEqual(principal.clientRoles, { kafka: ['producer'] })
  assert.deepEqual(principal.organizations, { acme: ['auditor'], globex: [] })
})

test('organizations may come as an object by alias', async () => {
  const principal = await accepted(
    await issuer.mint({ user: 'u', groups: ['/orgs/acme/auditors'] }, { organization: { acme: { id: 'x' }, ['__proto__']: {} } }),
  )

  assert.deepEqual(principal.organizations['acme'], ['auditor'])
})

test('a principal is plain data that passes between threads', async () => {
  const principal = await accepted(await issuer.mint({ user: 'u', organizations: ['acme'] }))

  assert.deepEqual(structuredClone(principal), principal)
})

test('the token id is kept as a hash only', async () => {
  const principal = await accepted(await issuer.mint(orders, { jti: 'trrtcc:the-id' }))

  assert.match(principal.token.jti ?? '', /^[0-9a-f]{32}$/)
})

test("an issuer's tokens are accepted only where that issuer may log in", async () => {
  const token = await other.mint(orders)

  assert.match(await refusal(token), /this listener accepts http/)
  assert.equal((await verifier.verify(token, ['corp', 'partner'])).kind, 'principal')
})

test('an actor is told from the grant that made the token', async () => {
  assert.deepEqual((await accepted(await issuer.mint({ user: 'u', actor: 'helpdesk' }))).acting, { kind: 'impersonation', by: 'helpdesk' })
  const exchanged = await accepted(await issuer.mint({ user: 'u', actor: 'batch', exchanged: true }))
  assert.deepEqual(exchanged.acting, { kind: 'delegation', by: 'batch' })
  assert.equal((await accepted(await issuer.mint({ user: 'u' }))).acting, null)
})

const wrongClaims: readonly [string, DevIdentity, JWTPayload, RegExp][] = [
  ['another audience', orders, { aud: 'account' }, /token has aud=\["account"\]; add an Audience mapper for client kafka/],
  ['an audience that only contains ours', orders, { aud: 'kafka-admin' }, /Audience mapper/],
  ['no audience', orders, { aud: undefined }, /Audience mapper/],
  ['another issuer', orders, { iss: 'https://evil.example.com' }, /iss="https:\/\/evil.example.com"/],
  ['no issuer', orders, { iss: undefined }, /iss=nothing/],
  ['an end in the past', orders, { exp: nowS - 31 }, /expired 3\d s ago/],
  ['no end', orders, { exp: undefined }, /no exp claim/],
  ['an end that is a text', orders, { exp: '9999999999' as never }, /exp is not a time/],
  ['an end beyond reason', orders, { exp: 1e300 }, /exp is not a time/],
  ['an end that is a fraction', orders, { exp: nowS + 60.5 }, /exp is not a time/],
  ['an end in ten years', orders, { exp: nowS + 3650 * 86_400 }, /3650 days/],
  ['no time of issue', orders, { iat: undefined }, /no iat claim/],
  ['a time of issue in the future', orders, { iat: nowS + 60, exp: nowS + 300 }, /in the future/],
  ['a negative time of issue', orders, { iat: -1 }, /iat is not a time/],
  ['a beginning in the future', orders, { nbf: nowS + 60 }, /valid only in/],
  ['typ ID', { user: 'u' }, { typ: 'ID' }, /not an access token \(typ="ID"\)/],
  ['typ Refresh', { user: 'u' }, { typ: 'Refresh' }, /not an access token/],
  ['typ Logout', { user: 'u' }, { typ: 'Logout' }, /not an access token/],
  ['no typ', { user: 'u' }, { typ: undefined }, /not an access token/],
  ['a DPoP key', orders, { cnf: { jkt: 'abc' } }, /DPoP/],
  ['a client certificate that nobody shows', orders, { cnf: { 'x5t#S256': 'abc' } }, /the client shows none/],
  ['a certificate and a key at once', orders, { cnf: { 'x5t#S256': 'abc', jkt: 'abc' } }, /DPoP/],
  ['typ DPoP', orders, { typ: 'DPoP' }, /DPoP/],
  ['no subject', { user: 'u' }, { sub: undefined }, /add the basic client scope/],
  ['an empty subject', { user: 'u' }, { sub: '' }, /no sub claim/],
  ['a subject with control characters', { user: 'u' }, { sub: 'a\u0000b' }, /control characters/],
  ['a subject of 300 bytes', { user: 'u' }, { sub: 'x'.repeat(300) }, /longer than 255/],
  ['a service account without client_id', orders, { client_id: undefined }, /add the service_account client scope/],
  ['a service account of another client', orders, { azp: 'analytics' }, /issued to another client/],
  ['an actor without a name', { user: 'u' }, { act: {} }, /act claim that names nobody/],
  ['claims nested a hundred deep', orders, { x: JSON.parse(`${'['.repeat(100)}1${']'.repeat(100)}`) }, /nested deeper/],
]
for (const [what, identity, claims, why] of wrongClaims) {
  test(`a token with ${what} is refused`, async () => {
    assert.match(await refusal(await issuer.mint(identity, claims)), why)
  })
}

test('a clock that is thirty seconds off does no harm', async () => {
  await accepted(await issuer.mint(orders, { exp: nowS - 20, iat: nowS - 300 }))
  await accepted(await issuer.mint(orders, { iat: nowS + 20, nbf: nowS + 20 }))
})

const claims = { typ: 'Bearer', azp: 'orders', client_id: 'orders', iss: issuer.issuer, aud: 'kafka', iat: nowS, exp: nowS + 300 }
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const kid = JSON.parse(Buffer.from(genuine.split('.')[0]!, 'base64url').toString()).kid
const signed = (header: object, by = mine.privateKey) =>
  new SignJWT(claims).setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid, ...header } as never).sign(by)

test('a token without a signature is refused, however its algorithm is written', async () => {
  for (const alg of ['none', 'None', 'NONE', '']) {
    assert.match(await refusal(`${part({ alg, typ: 'JWT' })}.${part(claims)}.`), /signed with alg=/)
  }
})

test('a public key does not serve as an HMAC secret', async () => {
  const jwks = (await (await fetch(issuer.jwksUrl)).json()) as { keys: [{ n: string }] }
  for (const secret of [await exportSPKI(mine.publicKey), jwks.keys[0].n, JSON.stringify(jwks.keys[0])]) {
    for (const alg of ['HS256', 'HS512']) {
      const body = `${part({ alg, typ: 'JWT', kid })}.${part(claims)}`
      const mac = createHmac(alg === 'HS256' ? 'sha256' : 'sha512', secret)
        .update(body)
        .digest('base64url')
      assert.match(await refusal(`${body}.${mac}`), /signed with alg="HS/)
    }
  }
})

test('a signature by another key is refused, also when the token brings that key along', async () => {
  const jwk = { kty: 'RSA', n: 'AQAB', e: 'AQAB' }
  for (const header of [{}, { jwk }, { jku: 'https://evil.example.com/keys' }, { x5u: 'https://evil.example.com/c' }, { x5c: ['AA=='] }]) {
    assert.match(await refusal(await signed(header)), /signature that does not match/)
  }
})

test('a signature is computed once a token, and everything else is looked at each time', async t => {
  let nowMs = Date.now()
  const own = new TokenVerifier([issuer.settings('corp')], { now: () => nowMs })
  const token = await issuer.mint(orders)
  const computed = t.mock.method(crypto.subtle, 'verify').mock

  await accepted(token, own)
  await accepted(token, own)
  assert.equal(computed.callCount(), 1)

  const flipped = token.at(-10) === 'A' ? 'B' : 'A'
  assert.match(await refusal(token.slice(0, -10) + flipped + token.slice(-9), own), /signature/)
  nowMs += 400 * 86_400_000
  assert.match(await refusal(token, own), /expired/)
  own.stop()
})

test('a token whose key its issuer has withdrawn is refused, however often it was accepted', async () => {
  const signer = await startDevIssuer()
  const own = new TokenVerifier([{ ...signer.settings('corp'), refreshMs: 20 }])
  try {
    await own.start()
    const token = await signer.mint(orders)
    await accepted(token, own)

    await signer.rotate(false)
    while ((await own.verify(token, ['corp'])).kind === 'principal') await sleep(20)

    assert.notEqual((await own.verify(token, ['corp'])).kind, 'principal')
  } finally {
    own.stop()
    await signer.stop()
  }
})

test('a changed claim breaks the signature', async () => {
  const [head, , signature] = genuine.split('.')

  assert.match(
    await refusal(`${head}.${part({ ...claims, client_id: 'payments', azp: 'payments' })}.${signature}`),
    /signature that does not match/,
  )
})

test('an extension that must be understood and is not refuses the token', async () => {
  const body = `${part({ alg: 'RS256', typ: 'JWT', kid, crit: ['exp2'], exp2: 1 })}.${part(claims)}`

  assert.match(await refusal(`${body}.AAAA`), /not acceptable/)
})

test('a token of another kind is refused by its header', async () => {
  for (const typ of ['logout+jwt', 'dpop+jwt', 'secevent+jwt', 'JWE']) assert.match(await refusal(await signed({ typ })), /header has typ=/)
})

test('junk is refused without a fetch and without a long look', async () => {
  for (const junk of ['', '.', '..', 'x', 'a.b.c', 'a.b.c.d.e', `${part([])}.${part([])}.`, `${part(null)}.x.y`, 'é.é.é']) {
    assert.match(await refusal(junk), /not a signed JWT|signed with alg/)
  }
  assert.match(await refusal('x'.repeat(8 << 20)), /larger than 16 KiB/)
})

test('strange key ids are only ever looked up', async () => {
  for (const strange of ['../../etc/passwd', "' OR 1=1 --", '\u0000', '__proto__', 'k'.repeat(5_000)]) {
    const verified = await verifier.verify(await signed({ kid: strange }), ['corp'])
    assert.notEqual(verified.kind, 'principal')
  }
})

test('when keys cannot be had nothing is said about the token', async () => {
  const down = new TokenVerifier([{ ...issuer.settings('corp'), jwks: 'http://127.0.0.1:1/certs' }])

  const verified = await down.verify(genuine, ['corp'])

  assert.equal(verified.kind, 'unavailable')
})

const oidc = reading({ kind: 'oidc' })

test('of any OIDC issuer: a program is a token whose subject is its client, everybody else is a person', async () => {
  const machine = await accepted(await issuer.mint(orders, { sub: 'orders', typ: undefined }), oidc)
  const person = await accepted(await issuer.mint({ user: 'alice' }, { client_id: 'kafka-cli', typ: undefined }), oidc)

  assert.deepEqual([machine.id, person.id], ['service:corp/orders', 'user:corp/alice'])
})

test('of any OIDC issuer: the claims that name people and programs can be chosen', async () => {
  const azure = reading({ kind: 'oidc', principal: { user: 'oid', service: 'azp' } })

  const machine = await accepted(await issuer.mint(orders, { sub: 'x', azp: 'app-1', idtyp: 'app' }), azure)
  const person = await accepted(await issuer.mint({ user: 'x' }, { oid: 'person-1', azp: 'app-1' }), azure)

  assert.deepEqual([machine.id, person.id], ['service:corp/app-1', 'user:corp/person-1'])
})

test('of any OIDC issuer: an ID token is no access token', async () => {
  assert.match(await refusal(await issuer.mint({ user: 'u' }, { nonce: 'n' }), oidc), /nonce claim/)
  assert.match(await refusal(await issuer.mint({ user: 'u' }, { typ: undefined, at_hash: 'h' }), oidc), /at_hash claim/)
})

test('of any OIDC issuer: an act claim is a delegation', async () => {
  const principal = await accepted(await issuer.mint({ user: 'u', actor: 'agent' }), oidc)

  assert.deepEqual(principal.acting, { kind: 'delegation', by: 'agent' })
})

test('names that can pass to another person are identities only where that is accepted', async () => {
  assert.throws(() => reading({ kind: 'oidc', principal: { user: 'email' } }), /acceptReuse/)
  const byMail = reading({ kind: 'oidc', principal: { user: 'email' }, acceptReuse: true })

  assert.match(await refusal(await issuer.mint({ user: 'u' }, { email: 'a@example.com' }), byMail), /not verified/)
  const principal = await accepted(await issuer.mint({ user: 'u' }, { email: 'a@example.com', email_verified: true }), byMail)
  assert.equal(principal.id, 'user:corp/a@example.com')
})

test('a claim is found by its path, also when its name holds dots', async () => {
  const dotted = reading({
    groups: 'https://example.com/claims.groups',
    roles: { clients: { 'my.client': 'resource_access.my.client.roles' } },
  })

  const principal = await accepted(
    await issuer.mint({ user: 'u', clientRoles: { 'my.client': ['r'] } }, { 'https://example.com/claims.groups': ['/a'] }),
    dotted,
  )

  assert.deepEqual(principal.groups, ['/a'])
  assert.deepEqual(principal.clientRoles, { 'my.client': ['r'] })
})

test('a token that is bound to a client certificate is taken from who has proved to own that one (RFC 8705 §3)', async () => {
  const token = await issuer.mint(orders, { cnf: { 'x5t#S256': 'A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0' } })

  const own = await verifier.verify(token, ['corp'], 'A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0')
  const another = await verifier.verify(token, ['corp'], 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2')

  assert.equal(own.kind, 'principal')
  assert.match(another.kind === 'refused' ? another.why : '', /bound to another client certificate/)
})
