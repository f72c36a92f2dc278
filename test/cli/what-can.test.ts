// What `topicgate what can` lists of a store and what the gate decides are the same, name by name: on a real OpenFGA, for everything that relationships can say.

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Principal } from '../../src/auth/principal.ts'
import { openDeciding } from '../../src/cli/deciding.ts'
import { readPolicyFor } from '../../src/cli/policy-options.ts'
import type { Right } from '../../src/policy/access-review.ts'
import { whatCan } from '../../src/policy/access-review.ts'
import { Operation, Resource, Verdict } from '../../src/policy/authorizer.ts'
import type { Tuple } from '../../src/policy/grant-tuples.ts'
import { OpenFgaStore } from '../../src/policy/openfga-client.ts'
import { shippedModel } from '../../src/policy/openfga-model.ts'
import { membersOf, operationName, SUPPORTED } from '../../src/policy/operations.ts'
import { resourceText } from '../../src/policy/pattern-text.ts'
import { rightsBeside } from '../../src/policy/store-rights.ts'
import { keysOf } from '../../src/policy/subjects.ts'
import { principalOf } from '../fakes/principal.ts'
import { sharedOpenFga } from '../parts.ts'
import { configText, files, topicgate } from './command.ts'

const server = await sharedOpenFga()
const NOW_MS = Date.parse('2027-01-04T09:00:00Z')

const POLICY = `version: 1
grants:
  - { id: readers, to: group:/eu, allow: consume, topics: ["orders.*"] }
  - { id: everybody, to: anyone, allow: observe, topics: ["public.*", legacy] }
  - { id: makers, to: role:maker, allow: create, cluster: true }
rules:
  - { id: secret, deny: read, topics: ["payments.secret"] }
  - { id: frozen, deny: write, topics: ["payments.old.*"], for: service:root }
`
const expiring = (expires_at: string) => ({ name: 'not_expired', context: { expires_at } })
const RELATIONSHIPS: readonly Tuple[] = [
  { user: 'service:corp/root', relation: 'admin', object: 'cluster:main' },
  { user: 'service:corp/op', relation: 'operator', object: 'cluster:main' },
  { user: 'service:corp/mallory', relation: 'blocked', object: 'cluster:main' },
  { user: 'service:corp/mallory', relation: 'reader', object: 'topic:main/acme.events' },
  { user: 'service:corp/etl', relation: 'reader', object: 'topic:main/acme.events' },
  { user: 'team:corp/payments#member', relation: 'owner', object: 'namespace:main/payments' },
  { user: 'user:corp/lena', relation: 'member', object: 'team:corp/payments' },
  { user: 'user:corp/lena', relation: 'blocked', object: 'topic:main/legacy' },
  { user: 'team:corp/core#member', relation: 'member', object: 'team:corp/payments' },
  { user: 'user:corp/tom', relation: 'member', object: 'team:corp/core' },
  { user: 'user:corp/tom', relation: 'blocked', object: 'namespace:main/payments.pii' },
  { user: 'namespace:main/payments', relation: 'parent', object: 'namespace:main/payments.pii' },
  { user: 'org:corp/acme', relation: 'org', object: 'namespace:main/payments.pii' },
  { user: 'namespace:main/payments', relation: 'parent', object: 'namespace:main/aside' },
  { user: 'cluster:main', relation: 'cluster', object: 'namespace:main/aside' },
  { user: 'namespace:main/payments', relation: 'namespace', object: 'consumer_group:main/app' },
  { user: 'group:corp/+2Feu#member', relation: 'consumer', object: 'consumer_group:main/eu-app' },
  { user: 'user:*', relation: 'reader', object: 'topic:main/public.news' },
  { user: 'user:corp/eve', relation: 'reader', object: 'namespace:main/payments', condition: expiring('2026-01-01T00:00:00Z') },
  { user: 'user:corp/eve', relation: 'writer', object: 'topic:main/acme.events', condition: expiring('2099-01-01T00:00:00Z') },
  {
    user: 'service:corp/near',
    relation: 'writer',
    object: 'topic:main/acme.events',
    condition: { name: 'from_network', context: { cidrs: ['10.0.0.0/8'] } },
  },
  { user: 'service:corp/xa', relation: 'two_phase_producer', object: 'transactional_id:main/xa-1' },
  { user: 'service:corp/other', relation: 'admin', object: 'cluster:elsewhere' },
  { user: 'service:corp/other', relation: 'reader', object: 'topic:elsewhere/acme.events' },
]

const PEOPLE: readonly Principal[] = [
  ...['root', 'op', 'mallory', 'etl', 'near', 'xa', 'other'].map(name => principalOf(`service:corp/${name}`)),
  ...['lena', 'eve'].map(name => principalOf(`user:corp/${name}`)),
  principalOf('user:corp/tom', { groups: ['/eu'], realmRoles: ['maker'] }),
  principalOf('user:corp/audrey', { organizations: { acme: ['auditor'] } }),
]
const TOPICS = ['acme.events', 'payments.eu', 'payments.secret', 'payments.old.1', 'payments.pii.cards', 'payments', 'aside.a', 'legacy']
const NAMES: readonly (readonly [Resource, string])[] = [
  ...[...TOPICS, 'public.news', 'public.other', 'orders.1'].map(name => [Resource.Topic, name] as const),
  ...['app', 'eu-app', 'payments.app'].map(name => [Resource.Group, name] as const),
  ...['xa-1', 'payments.tx'].map(name => [Resource.TransactionalId, name] as const),
  [Resource.Cluster, 'kafka-cluster'],
]

/** The configuration of a gate with that policy, applied, and those relationships. */
async function world(t: TestContext): Promise<string> {
  const { store, model } = await server.createStore('what-can', shippedModel())
  await new OpenFgaStore({ url: server.url, token: null }, store, model, 5_000).write([], RELATIONSHIPS)
  const openfga = `authorizer: { engine: openfga, openfga: { url: "${server.url}", store: ${store}, model: ${model} } }\n`
  const at = files(t, { 'topicgate.yaml': configText('https://id.example.com', 'policy.yaml') + openfga, 'policy.yaml': POLICY })
  assert.equal((await topicgate('policy', 'apply', '-c', at['topicgate.yaml']!)).status, 0)
  return at['topicgate.yaml']!
}

const isOn = (on: string, text: string): boolean => on === text || (on.endsWith('*') && text.startsWith(on.slice(0, -1)))

/** What the list says of one operation on one name. */
function listed(rights: readonly Right[], operation: Operation, resource: Resource, name: string): Verdict {
  const text = resourceText(resource, name)
  const word = operationName(operation)
  const taken = (right: Right): boolean =>
    [...right.limits.filter(({ operations }) => operations.includes(word)), ...right.blocked].some(({ on }) => isOn(on, text))
  const states = rights
    .filter(right => right.by !== 'blocked' && right.operations.includes(word as never) && isOn(right.on, text) && !taken(right))
    .map(({ now }) => now)
  if (states.includes('yes')) return Verdict.Allowed
  return states.includes('depends') ? Verdict.Undecided : Verdict.Refused
}

test('what is listed for a principal is what the gate decides, whoever and whatever it is', async t => {
  const policy = await readPolicyFor({ config: await world(t) })
  const deciding = await openDeciding(policy, NOW_MS)
  t.after(() => deciding.stop())
  let allowed = 0

  for (const address of ['10.1.2.3', '192.0.2.1']) {
    for (const principal of PEOPLE) {
      const origin = { listener: '', address }
      const given = await deciding.given(principal, origin)
      const beside = await rightsBeside(deciding.graph!, { principal, address, nowMs: NOW_MS }, true)
      const asker = { principal, keys: keysOf(principal), ...origin }
      const rights = whatCan(deciding.judged, asker, given, NOW_MS, beside)
      for (const [resource, name] of NAMES) {
        for (const operation of membersOf(SUPPORTED[resource])) {
          const { verdict, why } = await deciding.decide(principal, origin, operation, resource, name)
          const own = listed(rights, operation, resource, name)
          const anywhere = operation === Operation.Create && resource === Resource.Topic && own !== Verdict.Allowed
          const said = anywhere && !isBlocked(rights, name) ? listed(rights, operation, Resource.Cluster, '') : own
          const asked = `${principal.id} from ${address} ${operationName(operation)} ${resourceText(resource, name)}`
          assert.equal(said, verdict, `${asked}: ${why}\n${JSON.stringify(rights, null, 1)}`)
          if (verdict === Verdict.Allowed) allowed++
        }
      }
    }
  }
  assert.ok(allowed > 300, String(allowed))
})

const isBlocked = (rights: readonly Right[], name: string): boolean =>
  rights.some(({ by, on }) => by === 'blocked' && isOn(on, resourceText(Resource.Topic, name)))

test('what an administrator, a reader, an owner through a team and one who is blocked can do, as explain has it', async t => {
  const file = await world(t)
  const config = ['-c', file]
  const what = async (who: string, ...more: string[]) => (await topicgate('what', 'can', who, ...config, ...more)).stdout
  const explained = async (who: string, operation: string, ...on: string[]) => {
    const { verdict, reason } = JSON.parse(
      (await topicgate('explain', ...config, '--as', who, '--operation', operation, '--json', ...on)).stdout,
    )
    return [verdict, reason]
  }
  const policy = file.replace('topicgate.yaml', 'policy.yaml')
  const everybody = (tail: string) =>
    ['public.*', 'legacy'].map(topic => `describe, describe_configs on topic:${topic}  by grant everybody at ${policy}:4${tail}`).join('')

  const own = 'as owner of namespace:main/payments, by team:corp/payments#member\n'
  const lost = '  not now\n    refused on topic:*, being blocked of cluster:main\n'
  assert.equal(
    await what('service:root'),
    `${everybody('\n')}\
create, alter, describe, cluster_action, describe_configs, alter_configs, idempotent_write on cluster  as admin of cluster:main
read, write, create, delete, alter, describe, describe_configs, alter_configs on topic:*  as admin of cluster:main
    rule secret at ${policy}:7 refuses read on topic:payments.secret
    rule frozen at ${policy}:8 refuses write on topic:payments.old.* (for service:root)
read, delete, describe, describe_configs, alter_configs on consumerGroup:*  as admin of cluster:main
write, describe, two_phase_commit on transactionalId:*  as admin of cluster:main
`,
  )
  assert.equal(await what('service:etl'), `${everybody('\n')}read, describe on topic:acme.events  as reader of topic:main/acme.events\n`)
  const lena = await what('user:lena')
  assert.ok(lena.startsWith(`${ALL_OF_TOPICS} on topic:legacy  refused, being blocked of topic:main/legacy\n`), lena)
  assert.ok(lena.includes(`legacy  by grant everybody at ${policy}:4  not now\n    refused on topic:legacy, being blocked of`), lena)
  assert.ok(lena.includes(`${ALL_OF_TOPICS} on topic:payments.*  ${own}    rule secret`), lena)
  assert.ok(lena.includes(`write, describe on transactionalId:payments.*  ${own}`), lena)
  assert.ok(!lena.includes('payments.pii'), lena)
  assert.equal(
    await what('service:mallory'),
    `create, alter, describe, cluster_action, describe_configs, alter_configs, idempotent_write on cluster  refused, being blocked of cluster:main
${ALL_OF_TOPICS} on topic:*  refused, being blocked of cluster:main
read, delete, describe, describe_configs, alter_configs on consumerGroup:*  refused, being blocked of cluster:main
write, describe, two_phase_commit on transactionalId:*  refused, being blocked of cluster:main
${everybody(lost)}read, describe on topic:acme.events  as reader of topic:main/acme.events${lost}`,
  )
  assert.deepEqual(
    await Promise.all([
      explained('service:root', 'alter', '--cluster'),
      explained('service:etl', 'read', '--topic', 'acme.events'),
      explained('user:lena', 'write', '--topic', 'payments.eu'),
      explained('user:lena', 'describe', '--topic', 'legacy'),
      explained('service:mallory', 'read', '--topic', 'acme.events'),
      explained('service:mallory', 'describe', '--topic', 'public.a'),
    ]),
    [
      ...['cluster', 'topic', 'namespace'].map(() => ['allowed', 'relationship']),
      ...['topic', 'cluster', 'cluster'].map(() => ['refused', 'blocked']),
    ],
  )
})

const ALL_OF_TOPICS = 'read, write, create, delete, alter, describe, describe_configs, alter_configs'

test('as a list: what grants give has the fields that it had, a tuple says what it says, and a condition whether it holds', async t => {
  const file = await world(t)
  const list = async (...args: string[]) => {
    const { status, stdout, stderr } = await topicgate('what', 'can', ...args, '-c', file, '--json', '--at', '2027-01-04T09:00:00Z')
    assert.deepEqual([status, stderr], [0, ''])
    return JSON.parse(stdout)
  }
  const related = (rights: Right[]) => rights.filter(({ by }) => by === 'relationship').map(({ on, now }) => [on, now])

  const [member, expired, unknown, near, far, never] = await Promise.all([
    list('group:/eu'),
    list('user:eve'),
    list('service:near'),
    list('service:near', '--address', '10.1.2.3'),
    list('service:near', '--address', '192.0.2.1'),
    list('service:etl', '--set', 'authorizer.openfga.objects=never'),
  ])

  const about = { inForce: '', now: 'yes', limits: [], why: null, owner: null, blocked: [] }
  const readers = { ...about, by: 'grant', id: 'readers', at: `${file.replace('topicgate.yaml', 'policy.yaml')}:3` }
  assert.deepEqual(member[0], { kind: 'topic', on: 'topic:orders.*', operations: ['read', 'describe'], ...readers })
  const tuple = { who: 'group:corp/+2Feu#member', relation: 'consumer', object: 'consumer_group:main/eu-app', condition: '' }
  const consumer = { ...about, by: 'relationship', id: null, at: null, ...tuple }
  assert.deepEqual(member.at(-1), { kind: 'consumerGroup', on: 'consumerGroup:eu-app', operations: ['read', 'describe'], ...consumer })
  assert.deepEqual(
    related(expired).filter(([on]) => on!.startsWith('topic:')),
    [
      ['topic:aside.*', 'no'],
      ['topic:payments.*', 'no'],
      ['topic:acme.events', 'yes'],
      ['topic:public.news', 'yes'],
    ],
  )
  assert.deepEqual([unknown, near, far].map(related), [
    [['topic:acme.events', 'depends']],
    [['topic:acme.events', 'yes']],
    [['topic:acme.events', 'no']],
  ])
  assert.deepEqual(related(never), [])
})

test('who can tells of those whom only a token makes auditors of an organization', async t => {
  const { stdout } = await topicgate('who', 'can', 'describe', 'topic:payments.pii.cards', '-c', await world(t))

  assert.match(stdout, /^org:corp\/acme#auditor {2}describe {2}as org of namespace:main\/payments\.pii$/m)
})
