// `topicgate validate --live` where something is wrong on the way to brokers, issuers or the store: each line says what to mend.

import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import { registerHooks } from 'node:module'
import type { AddressInfo } from 'node:net'
import { after, before, type TestContext, test } from 'node:test'
import { stringify } from 'yaml'
import { freePorts } from '../../scripts/stack/part.ts'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { loadConfig } from '../../src/base/config.ts'
import { type LiveCheck, liveChecks } from '../../src/cli/live.ts'
import { shippedModel } from '../../src/policy/openfga-model.ts'
import { AnsweringBroker, clusterAnswers } from '../fakes/answering-broker.ts'
import { setAws } from '../fakes/aws-environment.ts'
import { sharedOpenFga } from '../parts.ts'
import { files } from './command.ts'

let issuer: DevIssuer
let broker: AnsweringBroker
/** Error codes of SaslAuthenticate, by mechanism. */
let refusals: Record<string, number> = {}
let mechanism = ''
let closedPort: number
before(async () => {
  ;[issuer, [closedPort = 0]] = await Promise.all([startDevIssuer(), freePorts(1)])
  broker = await AnsweringBroker.start({
    ...clusterAnswers(() => [broker], {}),
    17: request => {
      mechanism = request.mechanism
      return { errorCode: 0, mechanisms: [mechanism] }
    },
    36: () => ({ errorCode: refusals[mechanism] ?? 0, errorMessage: 'no', authBytes: Buffer.alloc(0), sessionLifetimeMs: 0n }),
  })
})
after(async () => {
  await issuer.stop()
  await broker.stop()
})

interface Seen {
  readonly checks: readonly LiveCheck[]
  readonly seen: string[]
  readonly problems: LiveCheck[]
}

/** @param parts of the configuration, in place of those that all is well with */
async function look(t: TestContext, parts: object): Promise<Seen> {
  const text = stringify({
    version: 1,
    cluster: { name: 'main', bootstrap: [`127.0.0.1:${broker.port}`], tls: 'off' },
    listeners: [{ name: 'clients', bind: '127.0.0.1:0', brokers: { ports: 'auto' } }],
    issuers: [{ alias: 'dev', issuer: issuer.issuer, audience: 'kafka' }],
    ...parts,
  })
  const paths = files(t, { 'topicgate.yaml': text, 'policy.yaml': 'version: 1\n' })
  const checks = await liveChecks(loadConfig(paths['topicgate.yaml']!))
  return { checks, seen: checks.filter(({ ok }) => ok).map(({ check }) => check), problems: checks.filter(({ ok }) => !ok) }
}
function live(t: TestContext, sasl: object, control?: object): Promise<Seen> {
  const own = control === undefined ? {} : { control: { sasl: control } }
  return look(t, { cluster: { name: 'main', bootstrap: [`127.0.0.1:${broker.port}`], tls: 'off', sasl, ...own } })
}
const own = (over: object = {}) => ({
  mechanism: 'OAUTHBEARER',
  tokenUrl: issuer.tokenUrl,
  clientId: 'topicgate',
  clientSecret: issuer.secret,
  ...over,
})
const plain = { mechanism: 'PLAIN', username: 'gate', password: 'x' }
const msk = { mechanism: 'AWS_MSK_IAM', region: 'eu-central-1' }

test('with all there is, the token is shown before the login', async t => {
  refusals = {}
  const { seen, problems } = await live(t, own())

  assert.deepEqual(problems, [])
  const at = `127.0.0.1:${broker.port}`
  assert.deepEqual(seen, ['token for the brokers', `tcp ${at}`, `login and offer ${at}`, 'metadata', 'issuer dev'])
})

/** One line fails, the others are looked at all the same. */
function fails(what: string, sasl: () => object, problem: RegExp, hint: RegExp): void {
  test(`${what}: one line says so, and what to mend`, async t => {
    refusals = {}
    setAws(t, {})
    const { seen, problems } = await live(t, sasl())

    assert.deepEqual(
      problems.map(({ check }) => check),
      ['token for the brokers'],
    )
    assert.match(problems[0]!.problem!, problem)
    assert.match(problems[0]!.hint!, hint)
    assert.deepEqual(seen, [`tcp 127.0.0.1:${broker.port}`, `offer 127.0.0.1:${broker.port}`, 'issuer dev'])
  })
}
fails('a wrong client secret', () => own({ clientSecret: 'wrong' }), /\/token answered 401 invalid_client/, /clientSecret/)
fails(
  'a token endpoint that is down',
  () => own({ tokenUrl: `http://127.0.0.1:${closedPort}/token` }),
  /\/token cannot be reached: fetch failed: ECONNREFUSED/,
  /tokenUrl/,
)
fails('an issuer without such a realm', () => own({ tokenUrl: undefined, issuer: `${issuer.issuer}x` }), /answered 404/, /token endpoint/)
fails('no credentials for Amazon MSK', () => msk, /Could not load credentials/, /AWS credentials/)
fails(
  'a profile that is not there',
  () => ({ ...msk, profile: 'nobody' }),
  /Could not resolve credentials using profile: \[nobody\]/,
  /AWS credentials/,
)

test('Amazon MSK without the signer: one line names the package', async t => {
  refusals = {}
  const hooks = registerHooks({
    resolve: (name, context, next) => next(name === 'aws-msk-iam-sasl-signer-js' ? 'no-such-package' : name, context),
  })
  t.after(() => hooks.deregister())

  const { problems } = await live(t, msk)

  assert.equal(problems.length, 1)
  assert.match(problems[0]!.problem!, /needs the package aws-msk-iam-sasl-signer-js, which is not installed: npm install/)
})

test('a token that the broker does not take is the broker’s to explain, not the issuer’s', async t => {
  refusals = { OAUTHBEARER: 58 }
  const { problems } = await live(t, own())

  assert.deepEqual(
    problems.map(({ check, hint }) => [check, hint?.includes('audience')]),
    [[`login and offer 127.0.0.1:${broker.port}`, true]],
  )
})

test('a login of clients’ connections that is not the gate’s own is tried as well', async t => {
  refusals = { PLAIN: 58 }
  const { seen, problems } = await live(t, plain, own())

  assert.ok(seen.includes('metadata'))
  assert.deepEqual(
    problems.map(({ check, problem }) => [check, problem]),
    [[`login of clients' connections 127.0.0.1:${broker.port}`, 'the broker refused the login by PLAIN (58): no']],
  )
})

test('a listener with fewer ports than the cluster has brokers is named with the broker that has none', async t => {
  const [port] = await freePorts(1)
  const brokers = { ports: `${port! + 1}-${port! + 1}`, firstNode: 0 }
  const { problems } = await look(t, { listeners: [{ name: 'clients', bind: `127.0.0.1:${port}`, brokers }] })

  assert.deepEqual(problems, [
    {
      check: 'listener clients',
      ok: false,
      seen: null,
      problem: 'has no port for broker 1',
      hint: 'widen brokers.ports, or set brokers.firstNode',
    },
  ])
})

/** An HTTP server that answers so, for the time of the test. @returns its address */
async function answering(t: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
const json = (status: number, body: object): RequestListener => {
  return (_, response) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

/** One line says what is wrong with an issuer; the others are looked at all the same. */
function issuerFails(what: string, settings: (t: TestContext) => object | Promise<object>, problem: RegExp, hint: RegExp): void {
  test(`an issuer ${what}: one line says so, and what to mend`, async t => {
    const well = { alias: 'dev', issuer: issuer.issuer, audience: 'kafka' }
    const { seen, problems } = await look(t, { issuers: [{ alias: 'bad', audience: 'kafka', ...(await settings(t)) }, well] })

    assert.deepEqual(
      problems.map(({ check }) => check),
      ['issuer bad'],
    )
    assert.match(problems[0]!.problem!, problem)
    assert.match(problems[0]!.hint!, hint)
    assert.equal(seen.at(-1), 'issuer dev')
  })
}
issuerFails('that is down', () => ({ issuer: `http://127.0.0.1:${closedPort}/realms/x` }), /ECONNREFUSED/, /^issuers: .*is it up/)
issuerFails('without such a realm', () => ({ issuer: `${issuer.issuer}x` }), /openid-configuration answered 404/, /realms\/NAME/)
issuerFails(
  'whose keys are not where they are said to be',
  () => ({ issuer: 'https://id.example.com', jwks: `${issuer.jwksUrl}x` }),
  /answered 404/,
  /jwks names the keys/,
)
issuerFails(
  'by another name',
  async t => ({ issuer: await answering(t, json(200, { issuer: 'https://id.example.com' })) }),
  /says issuer "https:\/\/id\.example\.com"/,
  /to the letter/,
)
issuerFails('that is not well', async t => ({ issuer: await answering(t, json(503, {})) }), /answered 503/, /look at its log/)
issuerFails(
  'whose page holds no keys',
  async t => ({ issuer: 'https://id.example.com', jwks: await answering(t, json(200, { keys: [] })) }),
  /without a public key/,
  /look at issuer and jwks/,
)

/** An id as OpenFGA makes them. */
const NOBODYS = '01J00000000000000000000000'
const authorizer = (openfga: object) => ({ authorizer: { engine: 'openfga', openfga } })

test('a store with its model: both lines are well, and the newest model is named', async t => {
  const { url, createStore } = await sharedOpenFga()
  const { store, model } = await createStore('live-test', shippedModel())

  for (const named of [{ model }, {}]) {
    const { checks, problems } = await look(t, authorizer({ url, store, ...named }))
    assert.deepEqual(problems, [])
    assert.deepEqual(
      checks.slice(-2).map(({ check, seen }) => [check, seen]),
      [
        [`openfga store ${store}`, 'live-test'],
        ['openfga model', 'model' in named ? model : `${model}, the newest`],
      ],
    )
  }
})

/** One line says what is wrong with the store, and behind it nothing is looked at. */
function storeFails(
  what: string,
  settings: (t: TestContext) => Promise<{ url?: string; store?: string }>,
  line: string,
  problem: RegExp,
  hint: RegExp,
) {
  test(`${what}: one line says so, and what to mend`, async t => {
    const openfga = { url: (await sharedOpenFga()).url, store: NOBODYS, ...(await settings(t)) }
    const { checks, problems } = await look(t, authorizer(openfga))

    assert.deepEqual(
      problems.map(({ check }) => check),
      [line.replace('ID', openfga.store)],
    )
    assert.match(problems[0]!.problem!, problem)
    assert.match(problems[0]!.hint!, hint)
    assert.equal(checks.at(-1), problems[0])
  })
}
const STORE = 'openfga store ID'
const MODEL = 'openfga model'
storeFails('a store that is not there', async () => ({}), STORE, /answered 404 Store ID not found/, /init-store makes one/)
storeFails('an id that is no store’s', async () => ({ store: 'kafka' }), STORE, /answered 400 .*StoreId/, /init-store makes one/)
storeFails(
  'a store without a model',
  async () => ({ store: (await (await sharedOpenFga()).call('POST', '/stores', { name: 'live-test' })).id }),
  MODEL,
  /^the store has no model$/,
  /init-store --store ID/,
)
storeFails(
  'a model of another store',
  async () => ({ ...(await (await sharedOpenFga()).createStore('live-test', shippedModel())), model: NOBODYS }),
  MODEL,
  /answered 400 Authorization Model '01J0+' not found/,
  /authorizer\.openfga\.model is no model of this store/,
)
storeFails(
  'a model for something else',
  async () => {
    const { store } = await (await sharedOpenFga()).createStore('live-test', {
      schema_version: '1.1',
      type_definitions: [{ type: 'user' }],
    })
    return { store }
  },
  MODEL,
  /^the model \w{26} has no grant#grantee, /,
  /init-store --store ID/,
)
storeFails(
  'an OpenFGA that is down',
  async () => ({ url: `http://127.0.0.1:${closedPort}` }),
  STORE,
  /ECONNREFUSED/,
  /openfga\.url: is it right/,
)
storeFails(
  'a token that OpenFGA does not take',
  async t => ({ url: await answering(t, json(401, {})) }),
  STORE,
  /answered 401$/,
  /openfga\.token/,
)
storeFails(
  'an OpenFGA that is not well',
  async t => ({ url: await answering(t, json(503, {})) }),
  STORE,
  /answered 503$/,
  /look at its log/,
)
storeFails(
  'a server that is no OpenFGA',
  async t => ({ url: await answering(t, json(200, {})) }),
  STORE,
  /not answered as by OpenFGA/,
  /openfga\.url/,
)
