// Rules of other authorizers become a policy whose own tests say that it is equal, with a remark on what could not be said.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { Kafka, logLevel } from 'kafkajs'
import { parse, stringify } from 'yaml'
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

interface Written {
  readonly grants: readonly { readonly to: object; readonly allow: readonly string[] }[]
  readonly tests: readonly { readonly as: object; readonly can?: readonly string[]; readonly cannot?: readonly string[] }[]
}

/** The policy's own tests all run and pass; and no longer when the first grant to somebody gives less, or more. Returns the tests. */
async function demandEqual(file: string, text: string, to: object): Promise<Written['tests']> {
  const policy = parse(text) as Written
  const at = policy.grants.findIndex(grant => isDeepStrictEqual(grant.to, to))
  const { allow } = policy.grants[at]!
  const questions = policy.tests.flatMap(({ can = [], cannot = [] }) => [...can, ...cannot])
  const test = async (written: string) => {
    writeFileSync(file, written)
    return topicgate('policy', 'test', file)
  }
  const changed = (change: object) =>
    test(stringify({ ...policy, grants: policy.grants.map((grant, i) => (i === at ? { ...grant, ...change } : grant)) }))

  const asImported = await test(text)
  const less = await changed({ topics: ['elsewhere'] })
  const more = await changed({ allow: [...allow, 'delete'] })

  assert.ok(policy.tests.length > 0 && questions.length > 0)
  assert.deepEqual(
    [asImported.status, asImported.stdout],
    [0, `${policy.tests.length} tests, ${questions.length} questions, 0 failed\n`],
    asImported.stderr,
  )
  for (const allowed of allow) assert.match(less.stderr, new RegExp(`cannot ${allowed} topic:`))
  assert.match(more.stderr, /can delete topic:/)
  assert.deepEqual([less.status, more.status], [4, 4])
  return policy.tests
}

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

  assert.equal((await demandEqual(paths['policy.yaml']!, made.stdout, { service: 'orders' })).length, 13)

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
  const tests = await demandEqual(paths['policy.yaml']!, text, { service: stem })
  const ours = tests.filter(({ as }) => isDeepStrictEqual(as, { service: stem }))
  assert.ok(ours.some(({ can }) => can?.includes(`write topic:${stem}any`)))
  assert.ok(ours.some(({ cannot }) => cannot?.includes(`describe topic:${stem}-x`)))
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
  const tests = await demandEqual(paths['policy.yaml']!, made.stdout, { role: 'dev' })
  assert.equal(tests.length, 4)
  assert.equal((await topicgate('policy', 'import', 'keycloak', paths['policy.yaml']!)).status, 3)
})
