// What a report says of a log, and that its grants do what they promise.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AuditLine } from '../../src/base/audit.ts'
import { diffRights, diffRules, Replay } from '../../src/policy/diff.ts'
import { readPolicy } from '../../src/policy/policy-file.ts'
import { ShadowReport } from '../../src/policy/report.ts'

let minute = 0
const line = (principal: string, operation: string, kind: string, name: string, more: Partial<AuditLine> = {}): AuditLine => ({
  time: new Date(Date.UTC(2027, 0, 1, 0, minute++)).toISOString(),
  id: String(minute),
  verdict: 'would_refuse',
  reason: 'no grant, in shadow',
  principal,
  issuer: 'corp',
  azp: null,
  sid: null,
  jti: null,
  act: null,
  client: { id: null, software: null, address: '10.0.0.1', listener: 'clients', connection: '' },
  api: null,
  version: null,
  operation,
  resource: { kind, name },
  grant: null,
  rule: null,
  generation: 1,
  engine: 'embedded',
  error: null,
  ...more,
})
const policyOf = (text: string) => readPolicy([{ file: 'policy.yaml', text: `version: 1\n${text}` }], { issuers: null, generation: 1 })

test('who would break, on what, how often: most often first', () => {
  const shadows = new ShadowReport()
  const lines = [
    line('service:corp/etl', 'read', 'topic', 'legacy.a'),
    line('service:corp/etl', 'describe', 'topic', 'legacy.a'),
    line('service:corp/etl', 'read', 'topic', 'legacy.a'),
    line('user:corp/lena', 'write', 'topic', 'legacy.b', { reason: 'rule in shadow', rule: 'no-writes' }),
    line('user:corp/lena', 'write', 'topic', 'legacy.c', { verdict: 'refused' }),
  ]
  for (const one of lines) shadows.add(one)

  const { breaks, rules } = shadows.report()

  assert.deepEqual(
    breaks.map(({ principal, resource, operations, count, rule }) => [principal, resource.name, operations, count, rule]),
    [
      ['service:corp/etl', 'legacy.a', ['read', 'describe'], 3, null],
      ['user:corp/lena', 'legacy.b', ['write'], 1, 'no-writes'],
    ],
  )
  assert.deepEqual([breaks[0]!.first, breaks[0]!.last], [lines[0]!.time, lines[2]!.time])
  assert.deepEqual(rules, { 'no-writes': ['user:corp/lena'] })
})

test('the grants, pasted, allow all that would have been refused, and nothing else', () => {
  const lines = [
    line('service:corp/etl', 'read', 'topic', 'legacy.b'),
    line('service:corp/etl', 'read', 'topic', 'legacy.a'),
    line('service:corp/etl', 'describe', 'topic', 'legacy.a'),
    line('service:corp/etl', 'read', 'consumerGroup', 'etl-1'),
    line('service:corp/etl', 'write', 'topic', 'out'),
    line('service:corp/etl', 'idempotent_write', 'cluster', 'kafka-cluster'),
    line('user:corp/0b: "5c"', 'describe', 'topic', 'odd*'),
    line('user:corp/0b: "5c"', 'alter_configs', 'cluster', 'kafka-cluster'),
    line('user:corp/0b: "5c"', 'delete', 'consumerGroup', 'g'),
  ]
  const shadows = new ShadowReport()
  for (const one of lines) shadows.add(one)

  const { grants } = shadows.report()
  const [empty, pasted] = [policyOf(''), policyOf(grants)]
  const replay = new Replay(empty, pasted, 0)
  for (const one of lines) replay.add(one)

  assert.ok(grants.startsWith('grants:\n  - id: etl-consume\n    to: { service: "etl", issuer: "corp" }\n    allow: consume\n'), grants)
  assert.ok(grants.includes('    topics: ["legacy.a", "legacy.b"]\n    consumerGroups: ["etl-1"]\n'), grants)
  assert.deepEqual(
    replay
      .changes()
      .map(({ operation, will }) => [operation, will])
      .filter(([operation]) => operation !== 'idempotent_write'),
    lines.filter(({ operation }) => operation !== 'idempotent_write').map(({ operation }) => [operation, 'allowed']),
  )
  const given = diffRights(empty, pasted).map(({ who, operations, on }) => `${who} ${operations.join()} ${on}`)
  assert.deepEqual(given, [
    'service:etl read,describe topic:legacy.a',
    'service:etl read,describe topic:legacy.b',
    'service:etl read,describe consumerGroup:etl-1',
    'service:etl write,describe topic:out',
    'user:0b: "5c" describe topic:"odd*"',
    'user:0b: "5c" describe_configs,alter_configs cluster',
    'user:0b: "5c" delete,describe consumerGroup:g',
  ])
})

test('diff tells who loses and gains, and not what only moved', () => {
  const before = policyOf(`grants:
  - { id: a, to: [role:r, role:s], allow: consume, topics: ["orders.eu.*"] }
  - { id: b, to: role:r, allow: produce, topics: [x] }
  - { id: c, to: role:t, allow: read, topics: [y] }
rules: [{ id: one, deny: all, topics: [q] }, { id: two, deny: all, topics: [q] }]
`)
  const after = policyOf(`grants:
  - { id: wide, to: role:r, allow: consume, topics: ["orders.*"] }
  - { id: renamed, to: role:r, allow: [write, read], topics: [x] }
  - { id: c, to: role:t, allow: read, topics: [y], until: 2030-01-01T00:00:00Z }
rules: [{ id: one, deny: read, topics: [q] }, { id: three, deny: all, topics: [q] }]
`)

  const rights = diffRights(before, after).map(
    ({ change, who, operations, on, grant }) => `${who} ${change} ${operations.join()} ${on} ${grant}`,
  )

  assert.deepEqual(rights, [
    'role:s loses read,describe topic:orders.eu.* a',
    'role:t loses read,describe topic:y c',
    'role:r gains read,describe topic:orders.* wide',
    'role:r gains read topic:x renamed',
  ])
  assert.deepEqual(
    diffRules(before, after).map(({ change, kind, id }) => `${kind} ${id} ${change}`),
    ['rule one changed', 'rule two removed', 'rule three added'],
  )
  assert.deepEqual(diffRights(before, before), [])
})

test('a log shows which requests would come out otherwise, and where it cannot tell', () => {
  const before = policyOf(`grants:
  - { id: one, to: role:r, allow: read, topics: ["a.*"] }
  - { id: many, to: [role:r, group:/g], allow: read, topics: ["b.*"] }
`)
  const after = policyOf(`grants:
  - { id: one, to: role:r, allow: read, topics: ["a.x"] }
  - { id: many, to: group:/g, allow: read, topics: ["b.*"] }
  - { id: new, to: service:etl, allow: write, topics: [c] }
`)
  const replay = new Replay(before, after, 0)
  const allowed = { verdict: 'allowed', reason: 'grant' } as const
  const lines = [
    line('service:corp/one', 'read', 'topic', 'a.x', { ...allowed, grant: 'one' }),
    line('service:corp/one', 'read', 'topic', 'a.y', { ...allowed, grant: 'one' }),
    line('service:corp/two', 'read', 'topic', 'b.1', { ...allowed, grant: 'many' }),
    line('service:corp/etl', 'write', 'topic', 'c', { verdict: 'refused', reason: 'no grant' }),
    line('service:corp/x', 'write', 'topic', 'c', { verdict: 'refused', reason: 'no grant' }),
  ]
  for (const one of lines) replay.add({ ...one, principal: one.principal!.replace('corp', 'main') })

  assert.deepEqual(
    replay.changes().map(({ principal, resource, was, will }) => `${principal} ${resource.name} ${was} ${will}`),
    ['service:main/one a.y allowed refused', 'service:main/two b.1 allowed depends', 'service:main/etl c refused allowed'],
  )
})
