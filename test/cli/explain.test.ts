// `topicgate explain`: what people and programs are told of one decision.

import assert from 'node:assert/strict'
import { after, type TestContext, test } from 'node:test'
import { startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { configText, files, topicgate } from './command.ts'

const issuer = await startDevIssuer()
after(() => issuer.stop())

const POLICY = `version: 1
people: { lena: 0b5c7a52 }
networks: { offices: [10.20.0.0/16] }
grants:
  - id: auditors
    to: ["org:acme#auditor", person:lena]
    allow: consume
    topics: [acme.events]
    consumerGroups: ["audit-*"]
    since: 2026-12-01T00:00:00Z
    until: 2027-03-31T00:00:00Z
    from: [offices]
  - { id: writers, to: role:writer, allow: produce, topics: ["orders.*"] }
  - { id: makers, to: role:maker, allow: create, cluster: true }
rules:
  - { id: no-payments, deny: all, topics: ["payments.*"], unless: { claims: { acr: gold } } }
shadow:
  - { topics: ["legacy.*"], until: 2027-01-31T00:00:00Z }
  - { topics: ["old.*"], until: 2027-01-31T00:00:00Z, listeners: [clients] }
`
const AT = '2027-01-04T09:00:00Z'

const world = (t: TestContext, more: Record<string, string> = {}) =>
  files(t, { 'topicgate.yaml': configText(issuer.issuer, 'policy.yaml'), 'policy.yaml': POLICY, ...more })

async function explained(t: TestContext, ...args: string[]) {
  const at = world(t)
  const { status, stdout, stderr } = await topicgate('explain', '-c', at['topicgate.yaml'], '--json', '--at', AT, ...args)
  assert.equal(stderr, '')
  assert.equal(status, 0)
  return JSON.parse(stdout)
}

test('an allowed request names the grant that it rests on, and where that stands', async t => {
  const report = await explained(t, '--as', 'person:lena', '--address', '10.20.1.1', '--api', 'Fetch', '--topic', 'acme.events')

  const { verdict, principal, api, operation, resource, grant, rule, error, engine } = report
  assert.deepEqual(
    { verdict, principal, api, operation, resource, grant, rule, error, engine },
    {
      verdict: 'allowed',
      principal: 'user:corp/0b5c7a52',
      api: 'Fetch',
      operation: 'read',
      resource: { kind: 'topic', name: 'acme.events' },
      grant: 'auditors',
      rule: null,
      error: null,
      engine: 'embedded',
    },
  )
  assert.match(report.at, /policy\.yaml:5$/)
})

test('a refused request says of every grant what kept it from applying, and what the client reads', async t => {
  const report = await explained(t, '--as', 'service:x', '--role', 'writer', '--operation', 'read', '--topic', 'acme.events')

  assert.deepEqual([report.verdict, report.reason, report.error], ['refused', 'no grant', 'TOPIC_AUTHORIZATION_FAILED'])
  const [auditors, writers] = report.steps[0].tried
  assert.deepEqual([auditors.id, auditors.misses.map((miss: { what: string }) => miss.what)], ['auditors', ['who', 'where']])
  assert.equal(auditors.misses[0].why, 'it is given to org:acme#auditor, user:0b5c7a52')
  assert.deepEqual([writers.id, writers.misses], ['writers', [{ what: 'what', why: 'it covers topic:orders.*' }]])
})

test('time and address are part of the question', async t => {
  const early = await explained(t, '--as', 'person:lena', '--operation', 'read', '--topic', 'acme.events', '--at', '2026-11-01T00:00:00Z')

  assert.deepEqual(early.steps[0].tried[0].misses, [
    { what: 'when', why: 'it begins 2026-12-01T00:00:00Z' },
    { what: 'where', why: 'it holds from 10.20.0.0/16: no address was given' },
  ])
})

test('a rule stands over every grant, and says which condition held', async t => {
  const report = await explained(t, '--as', 'service:x', '--claim', 'acr=silver', '--api', 'Produce@9', '--topic', 'payments.eu')

  assert.deepEqual([report.verdict, report.rule, report.version], ['refused', 'no-payments', 9])
  assert.equal(report.steps[0].tried[0].how, 'write on topic:payments.*; unless: claims.acr is false')
  assert.match(report.told, /TOPIC_AUTHORIZATION_FAILED on each partition/)
  assert.deepEqual(report.needsToo, ['write on the transactionalId'])
})

test('a shadow shows as would_refuse', async t => {
  const report = await explained(t, '--as', 'service:x', '--operation', 'write', '--topic', 'legacy.1')

  assert.deepEqual([report.verdict, report.shadow, report.error], ['would_refuse', 'shadow[0]', null])
})

test('a shadow on one listener is told with the listener that the client is connected to', async t => {
  const by = (...listener: string[]) => explained(t, '--as', 'service:x', '--operation', 'write', '--topic', 'old.1', ...listener)
  const [there, elsewhere, unknown] = [await by('--listener', 'clients'), await by('--listener', 'partners'), await by()]

  assert.deepEqual([there.verdict, there.shadow], ['would_refuse', 'shadow[1]'])
  assert.deepEqual([elsewhere.verdict, unknown.verdict], ['refused', 'refused'])
  const missed = ({ steps }: { steps: { tried: { id: string; misses: unknown[] }[] }[] }) =>
    steps[0]!.tried.find(({ id }) => id === 'shadow[1]')!.misses
  assert.deepEqual(missed(elsewhere), [{ what: 'where', why: 'it counts on listener clients: partners is another' }])
  assert.deepEqual(missed(unknown), [{ what: 'where', why: 'it counts on listener clients: no listener was given' }])
})

test('the right to create anything in the cluster is tried for a topic that is to be made', async t => {
  const may = await explained(t, '--as', 'service:x', '--role', 'maker', '--api', 'CreateTopics', '--topic', 'new')
  const mayNot = await explained(t, '--as', 'service:x', '--api', 'CreateTopics', '--topic', 'new')

  assert.deepEqual([may.verdict, may.reason, may.grant], ['allowed', 'right on the cluster', 'makers'])
  assert.deepEqual(
    mayNot.steps.map((step: { resource: { kind: string }; verdict: string }) => `${step.resource.kind} ${step.verdict}`),
    ['topic refused', 'cluster refused'],
  )
})

test('an API that asks several things is explained question by question', async t => {
  const report = await explained(
    t,
    '--as',
    'person:lena',
    '--address',
    '10.20.1.1',
    '--api',
    'OffsetCommit',
    '--group-id',
    'other',
    '--topic',
    'acme.events',
  )

  assert.deepEqual(
    report.steps.map((step: { operation: string; resource: { name: string }; verdict: string }) => [
      step.operation,
      step.resource.name,
      step.verdict,
    ]),
    [
      ['read', 'other', 'refused'],
      ['read', 'acme.events', 'allowed'],
    ],
  )
  assert.equal(report.error, 'GROUP_AUTHORIZATION_FAILED')
})

test('a token is checked one thing after the other, and gives the principal', async t => {
  const at = world(t, {
    good: await issuer.mint({ service: 'x', realmRoles: ['writer'] }),
    bad: await issuer.mint({ service: 'x' }, { aud: 'account' }),
  })
  const question = ['--api', 'Produce', '--topic', 'orders.1', '-c', at['topicgate.yaml']]

  const good = await topicgate('explain', '--token', at['good'], ...question)
  const bad = await topicgate('explain', '--token', at['bad'], ...question, '--json')

  assert.match(good.stdout, /^token\n {2}ok {2}size\n {2}ok {2}form\n/)
  assert.match(good.stdout, /^principal service:corp\/x\n {2}realmRoles: \["writer"\]$/m)
  assert.match(good.stdout, /^allowed: grant writers at .*policy\.yaml:13, engine embedded, generation 1$/m)
  const report = JSON.parse(bad.stdout)
  assert.deepEqual([report.verdict, report.error, report.token.ok], ['refused', 'SASL_AUTHENTICATION_FAILED', false])
  assert.equal(report.reason, 'login refused: token has aud=["account"]; add an Audience mapper for client kafka')
})

test('a decision of the audit log is asked again, as of its moment and place', async t => {
  const line = {
    time: '2027-01-04T09:00:00.000Z',
    id: '01J0000000000000000000000A',
    verdict: 'refused',
    reason: 'no grant',
    principal: 'service:corp/x',
    issuer: 'corp',
    act: null,
    client: { id: null, software: null, address: '10.20.1.1', listener: 'clients', connection: 'c1' },
    api: 'Fetch',
    version: 17,
    operation: 'read',
    resource: { kind: 'topic', name: 'acme.events' },
    grant: null,
    rule: null,
    generation: 4,
    engine: 'embedded',
    error: 'TOPIC_AUTHORIZATION_FAILED',
  }
  const at = world(t, { 'audit.ndjson': `not json\n${JSON.stringify(line)}\n` })
  const asked = ['explain', '--decision', line.id, '--from', at['audit.ndjson'], '--json']

  const again = JSON.parse((await topicgate(...asked, '-c', at['topicgate.yaml'])).stdout)
  const member = JSON.parse((await topicgate(...asked, '-c', at['topicgate.yaml'], '--org', 'acme#auditor')).stdout)
  const alone = JSON.parse((await topicgate(...asked)).stdout)
  const unknown = await topicgate('explain', '--decision', 'nope', '--from', at['audit.ndjson'])

  assert.deepEqual([again.verdict, again.api, again.address, again.recorded.generation], ['refused', 'Fetch', '10.20.1.1', 4])
  assert.deepEqual(
    again.steps[0].tried[0].misses.map((miss: { what: string }) => miss.what),
    ['who'],
  )
  assert.equal(member.verdict, 'allowed')
  assert.deepEqual([alone.verdict, alone.error, alone.steps], ['refused', 'TOPIC_AUTHORIZATION_FAILED', []])
  assert.deepEqual([unknown.status, unknown.stderr], [2, `${at['audit.ndjson']} has no decision nope\n`])
})

test('what cannot be asked is said, with exit code 2', async t => {
  const at = world(t)
  const c = ['explain', '-c', at['topicgate.yaml']]
  const wrong = [
    [...c, '--as', 'x', '--operation', 'read', '--topic', 'a'],
    [...c, '--as', 'service:x', '--operation', 'raed', '--topic', 'a'],
    [...c, '--as', 'service:x', '--operation', 'read'],
    [...c, '--as', 'service:x', '--operation', 'write', '--group-id', 'g'],
    [...c, '--as', 'service:x', '--api', 'Fetch@3', '--topic', 'a'],
    [...c, '--as', 'service:x', '--api', 'Fecth', '--topic', 'a'],
    [...c, '--as', 'person:nobody', '--api', 'Fetch', '--topic', 'a'],
    [...c, '--as', 'service:x', '--api', 'Fetch', '--group-id', 'a'],
    [...c, '--api', 'Fetch', '--topic', 'a'],
  ]

  const ended = await Promise.all(wrong.map(args => topicgate(...args)))

  assert.deepEqual(
    ended.map(({ stderr }) => stderr),
    [
      'x is not a principal: write user:<sub>, person:<name> or service:<client id>\n',
      'raed is not an operation; did you mean read?\n',
      'name what is asked for: --topic, --group-id, --transactional-id or --cluster\n',
      'write does not exist on a consumerGroup\n',
      'Fetch@3 at version 3 is not served: topicgate apis lists the versions\n',
      'Fecth is not served: did you mean Fetch?\n',
      'person nobody is not in people of the policy; known: lena\n',
      'Fetch asks read on the topic: name it\n',
      'one of --token and --as must stand\n',
    ],
  )
  assert.ok(ended.every(({ status }) => status === 2))
})
