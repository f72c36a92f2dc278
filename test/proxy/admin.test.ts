// The admin API over HTTP, before a real OpenFGA: what strangers, wrong tokens, wrong names, wrong bodies and two at once get.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type OutgoingHttpHeaders, request } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { makeAuthority } from '../../scripts/stack/certificates.ts'
import { dataFolder } from '../../scripts/stack/part.ts'
import { type DevIdentity, type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { TokenVerifier } from '../../src/auth/oauthbearer.ts'
import type { AdminConfig } from '../../src/base/config-admin.ts'
import { Resource, Verdict } from '../../src/policy/authorizer.ts'
import type { KeptQuestion } from '../../src/policy/kept.ts'
import { membershipsOf, userOf, whoOf } from '../../src/policy/memberships.ts'
import { OpenFgaStore } from '../../src/policy/openfga-client.ts'
import { shippedModel, UnfitStoreError } from '../../src/policy/openfga-model.ts'
import { Subscriptions } from '../../src/policy/subscriptions.ts'
import { type AdminDeed, AdminServer, type AdminSources } from '../../src/proxy/admin.ts'
import type { KeptText } from '../../src/proxy/admin-kept.ts'
import { ROUTES } from '../../src/proxy/admin-routes.ts'
import { Answer, Page, Problem } from '../../src/proxy/admin-shapes.ts'
import { sharedOpenFga, uniqueName } from '../parts.ts'

const openFga = await sharedOpenFga()
const SCOPE = 'topicgate-admin'
const ALICE: DevIdentity = { user: 'alice', organizations: ['acme'], groups: ['/orgs/acme/auditors'] }
const APP: DevIdentity = { service: 'app' }
const CONFIG: AdminConfig = {
  bind: { host: '127.0.0.1', port: 0 },
  tls: null,
  hosts: ['localhost', '127.0.0.1', 'gate.local'],
  issuers: ['dev'],
  scope: SCOPE,
}

let issuer: DevIssuer
let stranger: DevIssuer
let verifier: TokenVerifier
let subscriptions: Subscriptions
before(async () => {
  ;[issuer, stranger] = await Promise.all([startDevIssuer(), startDevIssuer()])
  verifier = new TokenVerifier([issuer.settings('dev'), stranger.settings('other')])
  await verifier.start()
  const { store, model } = await openFga.createStore('admin-test', shippedModel())
  const client = new OpenFgaStore({ url: openFga.url, token: null }, store, model, 5_000)
  subscriptions = new Subscriptions(client, 'main', who => membershipsOf(whoOf(who)).map(one => ({ user: userOf(who), ...one })))
})
after(async () => {
  verifier.stop()
  await Promise.all([issuer.stop(), stranger.stop()])
})

const KEPT: KeptText = {
  engine: 'openfga',
  policy: { generation: 3, hash: '0123456789ab', fresh: true },
  store: { connected: true, lagMs: 12, failing: false },
  kept: [],
}

const LOG = { info() {}, warn() {}, error() {} } as unknown as AdminSources['log']

async function serve(t: { after(end: () => void): void }, more: Partial<AdminSources> = {}) {
  const deeds: AdminDeed[] = []
  const server = new AdminServer({
    config: CONFIG,
    version: '0.1.0',
    issuers: ['dev', 'other'],
    log: LOG,
    verify: token => verifier.verify(token, (more.config ?? CONFIG).issuers),
    subscriptions: () => subscriptions,
    mayDescribeCluster: async () => Verdict.Refused,
    kept: async () => KEPT,
    record: deed => deeds.push(deed),
    ...more,
  })
  const port = await server.listen()
  t.after(() => server.close())
  const ask = (
    method: string,
    path: string,
    { headers = {}, body, ca }: { headers?: OutgoingHttpHeaders; body?: string; ca?: Buffer } = {},
  ) =>
    new Promise<{ status: number; headers: Record<string, unknown>; body: any }>((resolve, reject) => {
      const open = ca === undefined ? request : tlsRequest
      const sent = open({ host: '127.0.0.1', port, method, path, headers, agent: false, ...(ca && { ca }) } as object, response => {
        let text = ''
        response.setEncoding('utf8').on('data', piece => (text += piece))
        response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body: text && JSON.parse(text) }))
        response.on('error', reject)
      })
      sent.on('error', reject)
      sent.end(body)
    })
  const as = async (who: DevIdentity, method: string, path: string, body?: object, claims: object = {}) => {
    const token = await issuer.mint(who, { scope: `openid ${SCOPE}`, ...claims })
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    return ask(method, path, { headers, ...(body && { body: JSON.stringify(body) }) })
  }
  return { ask, as, deeds, port }
}

const wish = () => ({ org: 'acme', topic: 'orders', group: uniqueName('app'), until: new Date(Date.now() + 3_600_000).toISOString() })

test('the whole way: requested, approved, extended, revoked; each answer as described, each deed recorded', async t => {
  const { as, deeds } = await serve(t)
  const asked = await as(APP, 'POST', '/v1/subscriptions', { ...wish(), why: 'AUD-1' })
  const path = `/v1/subscriptions/${asked.body.id}`
  const own = await as(APP, 'POST', `${path}/approve`)
  const approved = await as(ALICE, 'POST', `${path}/approve`, { why: 'fine' })
  const again = await as(ALICE, 'POST', `${path}/approve`, { why: 'fine' })
  const until = new Date(Date.now() + 7_200_000).toISOString()
  const extended = await as(ALICE, 'POST', `${path}/extend`, { until })
  const listed = await as(ALICE, 'GET', '/v1/subscriptions?stage=approved&org=acme&limit=100')
  const revoked = await as(APP, 'POST', `${path}/revoke`, {})
  const read = await as(ALICE, 'GET', path)

  const answers = [asked, own, approved, again, extended, revoked, read]
  assert.deepEqual(
    answers.map(({ status }) => status),
    [201, 403, 200, 409, 200, 200, 200],
  )
  for (const { status, body } of answers) (status < 300 ? Answer.strict() : Problem.strict()).parse(body)
  assert.ok(
    Page.strict()
      .parse(listed.body)
      .subscriptions.some(({ id }) => id === asked.body.id),
  )
  assert.deepEqual([approved.body.grant, extended.body.grant], [`sub-${asked.body.id}`, `sub-${asked.body.id}.2`])
  assert.deepEqual([extended.body.until, revoked.body.stage, revoked.body.grant], [until, 'revoked', null])
  assert.deepEqual(
    read.body.history.map(({ did, by, why }: any) => [did, by, why]),
    [
      ['requested', 'service:dev/app', 'AUD-1'],
      ['approved', 'user:dev/alice', 'fine'],
      ['extended', 'user:dev/alice', undefined],
      ['revoked', 'service:dev/app', undefined],
    ],
  )
  assert.deepEqual(
    deeds.map(({ api, caller, problem, id }) => [api, caller?.id, problem === null, id === asked.body.id]),
    [
      ['subscription.request', 'service:dev/app', true, true],
      ['subscription.approve', 'service:dev/app', false, true],
      ['subscription.approve', 'user:dev/alice', true, true],
      ['subscription.approve', 'user:dev/alice', false, true],
      ['subscription.extend', 'user:dev/alice', true, true],
      ['subscription.revoke', 'service:dev/app', true, true],
    ],
  )
})

test('no token, a wrong one, or one without the scope gets nowhere, and is told no more than it must', async t => {
  const { ask, deeds } = await serve(t)
  const path = '/v1/subscriptions'
  const bearer = (token: string) => ask('GET', path, { headers: { authorization: `Bearer ${token}` } })
  const scope = `openid ${SCOPE}`
  const good = await issuer.mint(ALICE, { scope })

  const none = await ask('GET', path)
  const basic = await ask('GET', path, { headers: { authorization: 'Basic YWxpY2U6YWxpY2U=' } })
  const wrong = await Promise.all([
    stranger.mint(ALICE, { scope }).then(bearer),
    issuer.mint(ALICE, { scope, aud: 'account' }).then(bearer),
    issuer.mint(ALICE, { scope, exp: 1 }).then(bearer),
    issuer.mint(ALICE, { scope, typ: 'ID' }).then(bearer),
    bearer(`${good.slice(0, -6)}AAAAAA`),
    bearer('nonsense'),
  ])
  const narrow = await Promise.all(
    [undefined, 'openid', `${SCOPE}x`, `x${SCOPE}`, SCOPE.toUpperCase()].map(one =>
      issuer.mint(ALICE, { scope: one as string }).then(bearer),
    ),
  )

  assert.deepEqual([none.status, none.headers['www-authenticate']], [401, `Bearer scope="${SCOPE}"`])
  assert.equal(basic.status, 401)
  assert.deepEqual([...new Set(wrong.map(({ status, body }) => `${status} ${body.detail}`))], ['401 the token is not accepted'])
  assert.equal(wrong[0]!.headers['www-authenticate'], 'Bearer error="invalid_token"')
  assert.deepEqual([...new Set(narrow.map(({ status }) => status))], [403])
  assert.match(String(narrow[0]!.headers['www-authenticate']), /error="insufficient_scope"/)
  assert.ok(deeds.every(({ caller, problem }) => caller === null && problem !== null))
  assert.equal((await bearer(good)).status, 200)
})

test('a page that a browser was led here from gets nothing: by name, by origin, by preflight', async t => {
  const { ask, port } = await serve(t)
  const authorization = `Bearer ${await issuer.mint(ALICE, { scope: SCOPE })}`
  const called = (host: string, more: object = {}) => ask('GET', '/v1/subscriptions', { headers: { host, authorization, ...more } })

  for (const host of ['evil.example', `evil.example:${port}`, '127.0.0.1.evil.example', 'localhost.', '127.0.0.1@evil.example', '[::1]'])
    assert.equal((await called(host)).status, 421, host)
  for (const host of ['gate.local', `GATE.local:${port}`, 'localhost', '127.0.0.1:1']) assert.equal((await called(host)).status, 200, host)
  const origin = await called('localhost', { origin: 'http://localhost:3000' })
  const preflight = await ask('OPTIONS', '/v1/subscriptions', {
    headers: { origin: 'http://evil.example', 'access-control-request-method': 'POST' },
  })
  const plain = await ask('OPTIONS', '/v1/subscriptions')

  assert.deepEqual([origin.status, preflight.status, plain.status], [403, 403, 405])
  assert.equal(plain.headers['allow'], 'GET, POST')
  for (const { headers } of [origin, preflight, plain])
    assert.ok(!Object.keys(headers).some(name => name.startsWith('access-control')), JSON.stringify(headers))
  assert.equal((await ask('GET', '/openapi.json', { headers: { host: 'evil.example' } })).status, 421)
})

test('bodies are bounded, of JSON, and as described: what is wrong is named by its pointer', async t => {
  const { ask, as } = await serve(t)
  const headers = { authorization: `Bearer ${await issuer.mint(APP, { scope: SCOPE })}`, 'content-type': 'application/json' }
  const post = (body: string, more: object = {}) => ask('POST', '/v1/subscriptions', { headers: { ...headers, ...more }, body })
  const whole = wish()
  const pointers = async (body: object) => {
    const { status, body: problem } = await as(APP, 'POST', '/v1/subscriptions', body)
    return [status, ...(problem.errors ?? []).map((one: any) => one.pointer)]
  }

  assert.equal((await post('{"a":')).status, 400)
  assert.equal((await post('[]')).status, 400)
  assert.equal((await post(JSON.stringify(whole), { 'content-type': 'text/plain' })).status, 415)
  assert.equal((await post(JSON.stringify(whole), { 'content-type': 'application/x-www-form-urlencoded' })).status, 415)
  const large = await post(JSON.stringify({ ...whole, why: 'x'.repeat(20_000) }))
  assert.deepEqual([large.status, large.headers['connection']], [413, 'close'])
  assert.deepEqual(await pointers({}), [400, '/org', '/topic', '/group', '/until'])
  assert.deepEqual(await pointers({ ...whole, approved: true }), [400, ''])
  assert.deepEqual(await pointers({ ...whole, topic: 'orders.*' }), [400, '/topic'])
  assert.deepEqual(await pointers({ ...whole, group: 'a\nb', subscriber: 'group:/all' }), [400, '/subscriber', '/group'])
  for (const turned of ['a\u202eb', 'a\u2066b', 'a\u2028b']) {
    assert.deepEqual(await pointers({ ...whole, group: turned, why: turned }), [400, '/group', '/why'])
  }
  assert.deepEqual(await pointers({ ...whole, until: '2099-01-01' }), [400, '/until'])
  assert.deepEqual(await pointers({ ...whole, until: '2020-01-01T00:00:00Z' }), [422, '/until'])
  assert.deepEqual(await pointers({ ...whole, issuer: 'nobody' }), [422, '/issuer'])
  assert.deepEqual(await pointers({ ...whole, why: 'x'.repeat(201) }), [400, '/why'])
  assert.equal((await post(`{"__proto__":{"org":"x"},${JSON.stringify(whole).slice(1)}`)).status, 400)
  for (const query of ['limit=0', 'limit=1000', 'stage=x', 'after=../x', 'a=b', 'org=a&org=b'])
    assert.equal((await as(APP, 'GET', `/v1/subscriptions?${query}`)).status, 400, query)
})

test('paths and ids that are not there are not found, whatever stands in them', async t => {
  const { as } = await serve(t)
  const { body } = await as(APP, 'POST', '/v1/subscriptions', wish())
  const other = { user: 'eve', organizations: ['umbrella'], groups: ['/orgs/umbrella/auditors'] }

  for (const path of [
    `${body.id}%2f..`,
    `${body.id}%23state`,
    'x',
    body.id.toUpperCase(),
    `${body.id}/state`,
    '00000000000000000000000000',
    '',
  ])
    assert.equal((await as(ALICE, 'GET', `/v1/subscriptions/${path}`)).status, 404, path)
  assert.equal((await as(other, 'GET', `/v1/subscriptions/${body.id}`)).status, 404)
  assert.equal((await as(other, 'POST', `/v1/subscriptions/${body.id}/approve`)).status, 404)
  assert.equal((await as(ALICE, 'GET', '/')).status, 404)
  assert.equal((await as(ALICE, 'POST', `/v1/subscriptions/${body.id}`)).status, 405)
})

test('an approval in somebody else’s name, or of two at once, is one at most', async t => {
  const { as } = await serve(t)
  const { body } = await as({ user: 'dan' }, 'POST', '/v1/subscriptions', { ...wish(), subscriber: 'service:app' })
  const path = `/v1/subscriptions/${body.id}/approve`
  const acted = await as({ ...ALICE, actor: 'root' }, 'POST', path)
  const bob = { ...ALICE, user: 'bob' }
  const both = await Promise.all([as(ALICE, 'POST', path), as(bob, 'POST', path)])

  assert.equal(acted.status, 403)
  assert.deepEqual(both.map(({ status }) => status).sort(), [200, 409])
  assert.equal(both.find(({ status }) => status === 200)!.body.history.length, 2)
})

test('without a store that keeps subscriptions it says so, and without an answer it says when to come again', async t => {
  const silent = new OpenFgaStore(
    { url: 'http://127.0.0.1:1', token: null },
    '01HVMMBCMGZNT3SED4Z17ECXCA',
    '01HVMMBCMGZNT3SED4Z17ECXCA',
    500,
  )
  const gone = new Subscriptions(silent, 'main', () => [])
  const unfit = await serve(t, {
    subscriptions: () => {
      throw new UnfitStoreError('authorizer.engine: openfga')
    },
  })
  const starting = await serve(t, { subscriptions: () => null })
  const away = await serve(t, { subscriptions: () => gone })
  const keyless = await serve(t, { verify: async () => ({ kind: 'unavailable', why: 'no keys' }) })

  const answers = await Promise.all([unfit, starting, away, keyless].map(({ as }) => as(ALICE, 'GET', '/v1/subscriptions')))
  assert.deepEqual(
    answers.map(({ status, headers }) => [status, headers['retry-after']]),
    [
      [501, undefined],
      [503, '1'],
      [503, '1'],
      [503, '1'],
    ],
  )
  assert.match(answers[0]!.body.detail, /engine: openfga/)
})

test('what a gate keeps of oneself anybody may ask; of others, who may describe the cluster', async t => {
  const judged: [string, string][] = []
  const asked: KeptQuestion[] = []
  const judge = (verdict: Verdict): Partial<AdminSources> => ({
    mayDescribeCluster: async ({ id }, address) => {
      judged.push([id, address])
      return verdict
    },
    kept: async question => {
      asked.push(question)
      return KEPT
    },
    // As with the embedded engine.
    subscriptions: () => {
      throw new UnfitStoreError('authorizer.engine: openfga')
    },
  })
  const [allowed, refused, undecided] = await Promise.all(
    [Verdict.Allowed, Verdict.Refused, Verdict.Undecided].map(one => serve(t, judge(one))),
  )
  const path = '/v1/kept?principal=service:dev/app&kind=consumerGroup&name=a%26b'

  const own = await Promise.all([allowed, refused, undecided].map(({ as }) => as(APP, 'GET', path)))
  assert.deepEqual([own.map(({ status, body }) => [status, body]), judged], [Array(3).fill([200, KEPT]), []])
  assert.deepEqual(asked[0], { principal: 'service:dev/app', resource: Resource.Group, name: 'a&b' })

  const others = await Promise.all([allowed, refused, undecided].map(({ as }) => as(ALICE, 'GET', path)))
  assert.deepEqual(
    others.map(({ status, headers }) => [status, headers['retry-after']]),
    [
      [200, undefined],
      [403, undefined],
      [503, '1'],
    ],
  )
  assert.match(others[1]!.body.detail, /^user:dev\/alice may not describe the cluster/)
  assert.deepEqual(judged, Array(3).fill(['user:dev/alice', '127.0.0.1']))
  assert.equal(asked.length, 4)
  assert.deepEqual(allowed!.deeds, [])
  assert.deepEqual(
    refused!.deeds.map(({ api, caller }) => [api, caller?.id]),
    [['gate.kept', 'user:dev/alice']],
  )
})

test('what is kept is asked for with the scope, of a principal and a resource as they are written', async t => {
  const { as, deeds } = await serve(t, { mayDescribeCluster: async () => Verdict.Allowed })
  const asked = async (query: string) => {
    const { status, body } = await as(ALICE, 'GET', `/v1/kept?${query}`)
    return [status, ...(body.errors ?? []).map((one: any) => one.pointer)]
  }
  const topic = 'kind=topic&name=orders'
  const narrow = await as(ALICE, 'GET', `/v1/kept?principal=user:dev/alice&${topic}`, undefined, { scope: 'openid' })

  assert.deepEqual([narrow.status, deeds.map(({ api }) => api)], [403, ['gate.kept']])
  assert.deepEqual(await asked(''), [400, '/principal', '/kind', '/name'])
  for (const strange of ['alice', 'user:alice', 'group:dev/x', 'service:/x', 'user:dev/', 'user:dev/a%0Ab'])
    assert.deepEqual(await asked(`principal=${strange}&${topic}`), [400, '/principal'], strange)
  assert.deepEqual(await asked(`principal=user:nobody/alice&${topic}`), [422, '/principal'])
  assert.deepEqual(await asked('principal=user:dev/alice&kind=table&name=orders'), [400, '/kind'])
  assert.deepEqual(await asked(`principal=user:dev/alice&${topic}&operation=read`), [400, ''])
  assert.deepEqual(await asked(`principal=user:other/alice&${topic}`), [200])
})

test('the description is served to anybody, is the one that is shipped, and names all routes and no other', async t => {
  const { ask, as } = await serve(t)
  const { status, body } = await ask('GET', '/openapi.json')
  const described = Object.entries(body.paths).flatMap(([path, methods]) =>
    Object.keys(methods as object).map(method => [method.toUpperCase(), path]),
  )

  assert.equal(status, 200)
  assert.deepEqual(body, JSON.parse(readFileSync('config/admin.openapi.json', 'utf8')))
  assert.deepEqual(described.sort(), ROUTES.map(({ method, path }) => [method, path]).sort())
  for (const path of Object.keys(body.paths)) {
    for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD']) {
      const isThere = Object.hasOwn(body.paths[path], method.toLowerCase())
      const answered = (await as(ALICE, method, path.replace('{id}', '00000000000000000000000000'))).status
      assert.equal(answered !== 405, isThere, `${method} ${path}: ${answered}`)
      const known = Object.keys(body.components.responses).map(Number)
      assert.ok(!isThere || answered < 300 || known.includes(answered), `${method} ${path}: ${answered}`)
    }
  }
})

test('whoever does not finish what he asks keeps a place for seconds, not for half a minute', { timeout: 60_000 }, async t => {
  const { port } = await serve(t)
  const startMs = performance.now()
  const silent = ['', 'GET /v1/subscriptions HTTP/1.1\r\nHost: localhost\r\n'].map(
    text =>
      new Promise(resolve => {
        const socket = connect(port, '127.0.0.1', () => socket.write(text)).on('error', () => {})
        socket.resume().on('close', resolve)
      }),
  )
  await Promise.all(silent)

  assert.ok(performance.now() - startMs < 20_000)
})

test('with a certificate it speaks TLS alone', async t => {
  const folder = dataFolder('admin-tls')
  const authority = await makeAuthority(folder)
  const { cert, key } = await authority.issue('admin', { names: ['IP:127.0.0.1'] })
  const { ask } = await serve(t, { config: { ...CONFIG, tls: { cert, key, clientCa: null, clientAuth: 'none' } } })

  const described = await ask('GET', '/openapi.json', { ca: readFileSync(authority.ca) })
  assert.equal(described.status, 200)
  await assert.rejects(ask('GET', '/openapi.json'))
})
