// `topicgate validate --live` where the gate's own token is what fails: each line says what to mend.

import assert from 'node:assert/strict'
import { registerHooks } from 'node:module'
import { after, before, type TestContext, test } from 'node:test'
import { stringify } from 'yaml'
import { freePorts } from '../../scripts/stack/part.ts'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { loadConfig } from '../../src/base/config.ts'
import { type LiveCheck, liveChecks } from '../../src/cli/live.ts'
import { AnsweringBroker, clusterAnswers } from '../fakes/answering-broker.ts'
import { setAws } from '../fakes/aws-environment.ts'
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

async function live(t: TestContext, sasl: object, control?: object): Promise<{ seen: string[]; problems: LiveCheck[] }> {
  const own = control === undefined ? {} : { control: { sasl: control } }
  const text = stringify({
    version: 1,
    cluster: { name: 'main', bootstrap: [`127.0.0.1:${broker.port}`], tls: 'off', sasl, ...own },
    listeners: [{ name: 'clients', bind: '127.0.0.1:0', brokers: { ports: 'auto' } }],
    issuers: [{ alias: 'dev', issuer: issuer.issuer, audience: 'kafka' }],
  })
  const paths = files(t, { 'topicgate.yaml': text, 'policy.yaml': 'version: 1\n' })
  const checks = await liveChecks(loadConfig(paths['topicgate.yaml']!))
  return { seen: checks.filter(({ ok }) => ok).map(({ check }) => check), problems: checks.filter(({ ok }) => !ok) }
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
