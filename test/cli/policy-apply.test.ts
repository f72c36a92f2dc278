// What plan shows, apply does, on a real OpenFGA: once, within bounds, and never with what others wrote.

import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import type { OpenFga } from '../../scripts/stack/openfga.ts'
import { shippedModel } from '../../src/policy/openfga-model.ts'
import { sharedOpenFga } from '../parts.ts'
import { configText, files, topicgate } from './command.ts'

let server: OpenFga
before(async () => {
  server = await sharedOpenFga()
})

const POLICY = `version: 1
grants:
  - { id: orders, to: "service:orders", allow: produce, topics: ["orders.*"], transactionalIds: ["orders-*"] }
  - id: auditors
    to: ["org:acme#auditor", "group:/finance/auditors/**"]
    allow: consume
    topics: [acme.events]
    consumerGroups: ["audit-*"]
    until: 2099-01-01T00:00:00Z
    hours: [{ days: mon-fri, between: 08:00-18:00, zone: Europe/Berlin }, { days: sat, between: 09:00-12:00, zone: Europe/Berlin }]
  - { id: ops, to: "client-role:kafka/operator", allow: manage, cluster: true }
`

async function world(t: Parameters<typeof files>[0], texts: Record<string, string>, model: object = shippedModel()) {
  const { store } = await server.createStore('policy-apply-test', model)
  const config = `${configText('https://issuer.example', 'policy.yaml')}authorizer:
  engine: openfga
  openfga: { url: "${server.url}", store: ${store} }
`
  const paths = files(t, { 'topicgate.yaml': config, ...texts })
  const run = (verb: string, ...more: string[]) => topicgate('policy', verb, '-c', paths['topicgate.yaml']!, ...more)
  const tuples = async () =>
    (await server.call('POST', `/stores/${store}/read`, { page_size: 100 })).tuples.map(
      ({ key }: any) => `${key.user} ${key.relation} ${key.object}`,
    )
  return { store, paths, run, tuples }
}

test('plan says in words and tuples what apply then does, and after that there is nothing to plan', { timeout: 120_000 }, async t => {
  const { run } = await world(t, { 'policy.yaml': POLICY })
  const planned = await run('plan', '--tuples')
  assert.equal(planned.status, 0, planned.stderr)
  assert.match(planned.stdout, /^\+ auditors {2}added$/m)
  assert.match(planned.stdout, /^ {4}\+ given to org:acme#auditor of corp$/m)
  assert.match(planned.stdout, /^ {4}\+ given to group:\/finance\/auditors\/\*\* of corp$/m)
  assert.match(planned.stdout, /^ {4}\+ read on consumer group audit-\*$/m)
  assert.match(planned.stdout, /^ {4}\+ until 2099-01-01T00:00:00.000Z, sat 09:00-12:00 Europe\/Berlin$/m)
  assert.match(planned.stdout, /^ {4}\+ given to client-role:kafka\/operator of corp$/m)
  assert.match(planned.stdout, /^ {6}\+ grant:main\/orders#holder write topic_prefix:main\/orders\.$/m)
  assert.match(planned.stdout, /3 to add, 0 to change, 0 to remove, 0 as they should be/)

  const applied = await run('apply', '--json')
  assert.equal(applied.status, 0, applied.stderr)
  const { grants, added, changed, removed, deleted, written } = JSON.parse(applied.stdout)
  assert.deepEqual(
    { grants, added, changed, removed, deleted },
    { grants: 3, added: ['auditors', 'ops', 'orders'], changed: [], removed: [], deleted: 0 },
  )
  assert.ok(written > 15)

  const again = JSON.parse((await run('plan', '--json')).stdout)
  assert.deepEqual(again, { grants: [], unchanged: 3, removedShare: 0 })
  assert.match((await run('apply')).stdout, /0 tuples written, 0 deleted/)
})

test('more than the stated share is not taken away without a yes; what others wrote stays whatever goes', { timeout: 120_000 }, async t => {
  const less = 'version: 1\ngrants:\n  - { id: orders, to: "service:orders", allow: produce, topics: ["orders.eu.*"] }\n'
  const { run, store, paths, tuples } = await world(t, { 'policy.yaml': POLICY, 'less.yaml': less })
  assert.equal((await run('apply')).status, 0)
  const others = [
    { user: 'user:corp/bob', relation: 'reader', object: 'topic:main/news' },
    { user: 'user:corp/bob', relation: 'grantee', object: 'grant:main/sub-1' },
    { user: 'user:corp/bob', relation: 'grantee', object: 'grant:elsewhere/orders' },
  ]
  await server.call('POST', `/stores/${store}/write`, { writes: { tuple_keys: others } })
  const before = await tuples()

  const refused = await run('apply', paths['less.yaml']!)
  assert.equal(refused.status, 2)
  assert.match(refused.stderr, /^- ops {2}removed$/m)
  assert.match(refused.stderr, /^ {4}- write on topic orders\.\*$/m)
  assert.match(refused.stderr, /^ {4}\+ write on topic orders\.eu\.\*$/m)
  assert.match(refused.stderr, /more than 20 %: nothing was changed; --yes/)
  assert.deepEqual(await tuples(), before)
  assert.equal((await run('apply', paths['less.yaml']!, '--max-removed', '101')).status, 2)

  const done = await run('apply', paths['less.yaml']!, '--yes', '--json')
  assert.deepEqual(JSON.parse(done.stdout).removed, ['auditors', 'ops'])
  const left = (await tuples()).sort()
  const own = ['grantee grant:main/orders', 'holder grant:main/orders'].map(text => `service:corp/orders ${text}`)
  const covers = ['write topic_prefix:main/orders.eu.', 'idempotent_write cluster:main'].map(text => `grant:main/orders#holder ${text}`)
  assert.deepEqual(left, [...others.map(one => `${one.user} ${one.relation} ${one.object}`), ...own, ...covers].sort())
})

test('an apply that was interrupted is finished by the next one', { timeout: 120_000 }, async t => {
  const { run, store, tuples } = await world(t, { 'policy.yaml': POLICY })
  assert.equal((await run('apply')).status, 0)
  const whole = (await tuples()).sort()
  const { tuples: stored } = await server.call('POST', `/stores/${store}/read`, { page_size: 100 })
  const half = stored.slice(0, 7).map(({ key: { user, relation, object } }: any) => ({ user, relation, object }))
  await server.call('POST', `/stores/${store}/write`, { deletes: { tuple_keys: half } })

  const finished = JSON.parse((await run('apply', '--json')).stdout)
  assert.deepEqual([finished.written, finished.deleted], [7, 0])
  assert.deepEqual((await tuples()).sort(), whole)
})

test('a store that is not the gate’s is refused with the code of an invalid configuration', { timeout: 120_000 }, async t => {
  const other = { schema_version: '1.1', type_definitions: [{ type: 'user' }] }
  const { run, paths } = await world(t, { 'policy.yaml': POLICY }, other)
  const unfit = await run('apply')
  assert.equal(unfit.status, 3)
  assert.match(unfit.stderr, /has no grant#grantee/)
  const missing = await topicgate(
    'policy',
    'plan',
    '-c',
    paths['topicgate.yaml']!,
    '--set',
    'authorizer.openfga.store=01HVMMBCMGZNT3SED4Z17ECXCA',
  )
  assert.equal(missing.status, 3, missing.stderr)
  const silent = await topicgate('policy', 'plan', '-c', paths['topicgate.yaml']!, '--set', 'authorizer.openfga.url=http://127.0.0.1:1')
  assert.equal(silent.status, 1, silent.stderr)
  const bad = await run('plan', paths['topicgate.yaml']!)
  assert.equal(bad.status, 3)
})
