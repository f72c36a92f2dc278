// The commands about decisions, with a real OpenFGA behind them: what only a store can say is explained down to the tuple.

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Tuple } from '../../src/policy/grant-tuples.ts'
import { OpenFgaStore } from '../../src/policy/openfga-client.ts'
import { shippedModel } from '../../src/policy/openfga-model.ts'
import { sharedOpenFga } from '../parts.ts'
import { configText, files, topicgate } from './command.ts'

const server = await sharedOpenFga()

const POLICY = `version: 1
grants:
  - { id: readers, to: group:/eu, allow: consume, topics: ["orders.*"] }
rules:
  - { id: secret, deny: read, topics: ["orders.secret"] }
`
const RELATIONSHIPS: readonly Tuple[] = [
  { user: 'team:corp/payments#member', relation: 'owner', object: 'namespace:main/payments' },
  { user: 'user:corp/lena', relation: 'member', object: 'team:corp/payments' },
  { user: 'service:corp/etl', relation: 'reader', object: 'topic:main/acme.events' },
  { user: 'service:corp/mallory', relation: 'blocked', object: 'cluster:main' },
]

/** A store with the policy applied and relationships beside it. */
async function world(t: TestContext) {
  const { store, model } = await server.createStore('cli', shippedModel())
  await new OpenFgaStore({ url: server.url, token: null }, store, model, 5_000).write([], RELATIONSHIPS)
  const openfga = `authorizer: { engine: openfga, openfga: { url: "${server.url}", store: ${store}, model: ${model} } }\n`
  const at = files(t, { 'topicgate.yaml': configText('https://id.example.com', 'policy.yaml') + openfga, 'policy.yaml': POLICY })
  const config = ['-c', at['topicgate.yaml']]
  assert.equal((await topicgate('policy', 'apply', ...config)).status, 0)
  return config
}

test('explain walks from the permission down to the tuple that gives it', async t => {
  const config = await world(t)
  const ask = async (...args: string[]) => JSON.parse((await topicgate('explain', ...config, '--json', ...args)).stdout)

  const owner = await ask('--as', 'user:lena', '--operation', 'write', '--topic', 'payments.eu')
  const member = await ask('--as', 'service:x', '--group', '/eu', '--operation', 'read', '--topic', 'orders.1')
  const blocked = await ask('--as', 'service:mallory', '--group', '/eu', '--operation', 'read', '--topic', 'orders.1')
  const ruled = await ask('--as', 'service:x', '--group', '/eu', '--operation', 'read', '--topic', 'orders.secret')
  const text = await topicgate('explain', ...config, '--as', 'user:lena', '--operation', 'write', '--topic', 'payments.eu')

  assert.deepEqual([owner.verdict, owner.reason, owner.engine], ['allowed', 'relationship', 'openfga'])
  assert.deepEqual([text.status, text.stderr], [0, ''])
  assert.ok(text.stdout.includes('tuple user:corp/lena member team:corp/payments\n'), text.stdout)
  assert.ok(text.stdout.includes('tuple team:corp/payments#member owner namespace:main/payments\n'), text.stdout)
  assert.deepEqual([member.verdict, member.grant, member.steps[0].tried[0].outcome], ['allowed', 'readers', 'allows'])
  assert.deepEqual([blocked.verdict, blocked.reason], ['refused', 'blocked'])
  assert.match(JSON.stringify(blocked.steps[0].store), /service:corp\/mallory blocked cluster:main/)
  assert.deepEqual([ruled.verdict, ruled.rule, ruled.steps[0].store.allowed], ['refused', 'secret', true])
})

test('who can tells grants and relationships, and who is kept out', async t => {
  const config = await world(t)

  const own = await topicgate('who', 'can', 'write', 'topic:payments.eu', ...config)
  const read = await topicgate('who', 'can', 'read', 'topic:orders.1', ...config)
  const acme = JSON.parse((await topicgate('who', 'can', 'read', 'topic:acme.events', '--json', ...config)).stdout)

  assert.equal(
    own.stdout,
    'team:corp/payments#member  write  as owner of namespace:main/payments\nservice:corp/mallory  write  refused, being blocked of cluster:main\n',
  )
  assert.match(read.stdout, /^group:\/eu {2}read on topic:orders\.\* {2}by grant readers at .*policy\.yaml:3\n/)
  assert.deepEqual(
    acme.map(({ who, by, object }: { who: string; by: string; object: string }) => [who, by, object]),
    [
      ['service:corp/etl', 'relationship', 'topic:main/acme.events'],
      ['service:corp/mallory', 'blocked', 'cluster:main'],
    ],
  )
})

test('a moment that is not now can be asked about', async t => {
  const config = await world(t)

  const { status, stdout, stderr } = await topicgate(
    ...[
      'explain',
      ...config,
      '--as',
      'service:x',
      '--group',
      '/eu',
      '--operation',
      'read',
      '--topic',
      'orders.1',
      '--at',
      '2031-01-01T00:00:00Z',
    ],
  )

  assert.deepEqual([status, stderr], [0, ''])
  assert.match(stdout, /^allowed: grant readers at .*policy\.yaml:3, engine openfga/m)
})
