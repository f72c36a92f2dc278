// Rules of other authorizers become a policy whose own tests say that it is equal, with a remark on what could not be said.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { Kafka, logLevel } from 'kafkajs'
import { sharedOracle, uniqueName } from '../parts.ts'
import { files, topicgate } from './command.ts'

const DUMP = `Current ACLs for resource \`ResourcePattern(resourceType=TOPIC, name=orders., patternType=PREFIXED)\`:
 \t(principal=User:orders, host=*, operation=WRITE, permissionType=ALLOW)
\t(principal=User:orders, host=*, operation=CREATE, permissionType=ALLOW)
\t(principal=User:audit, host=10.1.2.3, operation=READ, permissionType=ALLOW)

Current ACLs for resource \`ResourcePattern(resourceType=TOPIC, name=*, patternType=LITERAL)\`:
\t(principal=User:*, host=*, operation=DESCRIBE, permissionType=ALLOW)
\t(principal=User:admin, host=*, operation=ALL, permissionType=ALLOW)
\t(principal=User:service-account-reports, host=*, operation=READ, permissionType=ALLOW)

Current ACLs for resource \`ResourcePattern(resourceType=TOPIC, name=orders.secret, patternType=LITERAL)\`:
\t(principal=User:orders, host=*, operation=ALL, permissionType=DENY)
\t(principal=User:*, host=10.66.0.1, operation=READ, permissionType=DENY)

Current ACLs for resource \`ResourcePattern(resourceType=GROUP, name=odd*name, patternType=LITERAL)\`:
\t(principal=User:orders, host=*, operation=READ, permissionType=ALLOW)

Current ACLs for resource \`ResourcePattern(resourceType=CLUSTER, name=kafka-cluster, patternType=LITERAL)\`:
\t(principal=User:admin, host=*, operation=ALTER, permissionType=ALLOW)
\t(principal=User:audit, host=*, operation=CREATE, permissionType=ALLOW)

Current ACLs for resource \`ResourcePattern(resourceType=DELEGATION_TOKEN, name=t1, patternType=LITERAL)\`:
\t(principal=User:admin, host=*, operation=DESCRIBE, permissionType=ALLOW)

Current ACLs for resource \`ResourcePattern(resourceType=TRANSACTIONAL_ID, name=tx-, patternType=PREFIXED)\`:
\t(principal=Role:payments, host=*, operation=WRITE, permissionType=ALLOW)
\t(principal=User:CN=pay,OU=a, host=*, operation=WRITE, permissionType=ALLOW)
`

test('a dump of ACLs becomes a policy whose tests pass, as whom the principals are said to be', { timeout: 60_000 }, async t => {
  const paths = files(t, { 'acls.txt': DUMP, 'principals.yaml': 'CN=pay,OU=a: user:0b5c\n', 'policy.yaml': '' })
  const made = await topicgate('policy', 'import', 'acls', paths['acls.txt']!, '--principals', paths['principals.yaml']!)
  assert.equal(made.status, 0, made.stderr)
  assert.match(made.stdout, /#.*ALLOW Role:payments WRITE on TRANSACTIONAL_ID tx- \(PREFIXED\)/)
  assert.match(made.stdout, /#.*DELEGATION_TOKEN t1/)
  assert.match(made.stdout, /service: reports/)
  assert.match(made.stdout, /user: 0b5c/)
  assert.match(made.stdout, /literal: odd\*name/)
  assert.match(made.stderr, /2 could not be said/)

  writeFileSync(paths['policy.yaml']!, made.stdout)
  const tested = await topicgate('policy', 'test', paths['policy.yaml']!)
  assert.equal(tested.status, 0, tested.stderr)
  assert.match(tested.stdout, / 0 failed/)

  writeFileSync(paths['policy.yaml']!, made.stdout.replace(/deny:\n( +- \w+\n)+/, 'deny: [delete]\n'))
  assert.equal((await topicgate('policy', 'test', paths['policy.yaml']!)).status, 4)
})

test('the ACLs of a real cluster are asked for and become a policy whose tests pass', { timeout: 180_000 }, async t => {
  const oracle = await sharedOracle()
  const stem = uniqueName('imported')
  const sasl = { mechanism: 'plain' as const, username: 'admin', password: 'admin' }
  const admin = new Kafka({ brokers: oracle.bootstrap.split(','), sasl, ssl: false, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  const common = { principal: `User:${stem}`, host: '*', resourceType: 2, resourceName: stem }
  await admin.createAcls({ acl: [{ ...common, resourcePatternType: 4, operation: 4, permissionType: 3 }] })
  await admin.createAcls({ acl: [{ ...common, resourceName: `${stem}-x`, resourcePatternType: 3, operation: 8, permissionType: 2 }] })
  t.after(async () => {
    await admin.deleteAcls({
      filters: [{ principal: `User:${stem}`, resourceType: 1, resourcePatternType: 1, operation: 1, permissionType: 1 }],
    })
    await admin.disconnect()
  })

  const paths = files(t, { password: 'admin\n', 'policy.yaml': '' })
  const login = ['--username', 'admin', '--password-file', paths['password']!]
  const [bootstrap] = oracle.bootstrap.split(',')
  let text = ''
  for (let tries = 0; tries < 20 && !text.includes(`${stem}-x`); tries++) {
    const made = await topicgate('policy', 'import', 'acls', '--bootstrap', bootstrap!, ...login)
    assert.equal(made.status, 0, made.stderr)
    text = made.stdout
  }
  assert.match(text, new RegExp(`- ${stem}\\*`))
  assert.match(text, /deny:\n +- describe\n +topics:/)
  writeFileSync(paths['policy.yaml']!, text)
  const tested = await topicgate('policy', 'test', paths['policy.yaml']!)
  assert.equal(tested.status, 0, tested.stderr)
})

const list = (...items: unknown[]) => JSON.stringify(items)
const SETTINGS = {
  resources: [
    { name: 'Topic:orders-*', scopes: [{ name: 'Write' }, { name: 'Describe' }] },
    { name: 'kafka-cluster:main,Group:audit', scopes: [{ name: 'Read' }] },
    { name: 'Cluster:*', scopes: [{ name: 'IdempotentWrite' }, { name: 'Create' }] },
    { name: 'Default Resource' },
  ],
  policies: [
    { name: 'writers', type: 'role', config: { roles: JSON.stringify([{ id: 'kafka/writer' }, { id: 'dev' }]) } },
    { name: 'auditors', type: 'group', config: { groups: JSON.stringify([{ path: '/finance', extendChildren: true }]) } },
    { name: 'app', type: 'client', config: { clients: list('app') } },
    { name: 'alice', type: 'user', config: { users: list('alice') } },
    { name: 'office', type: 'time', config: {} },
    { name: 'all but app', type: 'client', logic: 'NEGATIVE', config: { clients: list('app') } },
    {
      name: 'p1',
      type: 'scope',
      config: { resources: list('Topic:orders-*'), scopes: list('Write', 'DescribeConfigs'), applyPolicies: list('writers') },
    },
    { name: 'p2', type: 'resource', config: { resources: list('kafka-cluster:main,Group:audit'), applyPolicies: list('auditors') } },
    { name: 'p3', type: 'resource', config: { resources: list('Cluster:*', 'Default Resource'), applyPolicies: list('app') } },
    { name: 'p4', type: 'scope', config: { resources: list('Topic:orders-*'), scopes: list('Read'), applyPolicies: list('alice') } },
    {
      name: 'p5',
      type: 'scope',
      decisionStrategy: 'UNANIMOUS',
      config: { resources: list('Topic:orders-*'), scopes: list('Read'), applyPolicies: list('app', 'office') },
    },
    { name: 'p7', type: 'scope', config: { resources: list('Topic:orders-*'), scopes: list('Read'), applyPolicies: list('app') } },
    { name: 'p6', type: 'scope', config: { resources: list('Topic:orders-*'), scopes: list('Read'), applyPolicies: list('all but app') } },
  ],
}

test('authorization settings of Keycloak become a policy whose tests pass', { timeout: 60_000 }, async t => {
  const paths = files(t, { 'settings.json': JSON.stringify(SETTINGS), 'policy.yaml': '' })
  const json = JSON.parse((await topicgate('policy', 'import', 'keycloak', paths['settings.json']!, '--json')).stdout)
  assert.deepEqual(
    json.grants.map(({ to, allow, id, ...where }: any) => ({ to, allow, ...where })),
    [
      { to: { client: 'kafka', role: 'writer' }, allow: ['write', 'describe_configs'], topics: ['orders-*'] },
      { to: { role: 'dev' }, allow: ['write', 'describe_configs'], topics: ['orders-*'] },
      { to: { group: '/finance/**' }, allow: ['read'], consumerGroups: ['audit'] },
      { to: { service: 'app' }, allow: ['create', 'idempotent_write'], cluster: true },
      { to: { service: 'app' }, allow: ['read'], topics: ['orders-*'] },
    ],
  )
  assert.deepEqual(
    json.remarks.map(({ text }: any) => text),
    ['p3: Default Resource', 'alice', 'p5', 'all but app'],
  )
  const made = await topicgate('policy', 'import', 'keycloak', paths['settings.json']!)
  writeFileSync(paths['policy.yaml']!, made.stdout)
  const tested = await topicgate('policy', 'test', paths['policy.yaml']!)
  assert.equal(tested.status, 0, tested.stderr)
  assert.equal((await topicgate('policy', 'import', 'keycloak', paths['policy.yaml']!)).status, 3)
})
