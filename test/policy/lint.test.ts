// What lint finds, one thing at a time, and what it leaves in peace.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Engine, lint } from '../../src/policy/lint.ts'
import { readPolicy } from '../../src/policy/policy-file.ts'

const NOW = Date.parse('2027-01-01T00:00:00Z')
const TESTS = 'tests: [{ as: { service: x }, cannot: ["read topic:a"] }]\n'

function findings(text: string, engine: Engine | null = null, tests = TESTS, topics: readonly string[] | null = null): string[] {
  const document = readPolicy([{ file: 'policy.yaml', text: `version: 1\n${text}${tests}` }], { issuers: null, generation: 1 })
  return lint(document, NOW, engine, topics).map(({ code, line, problem, hint }) => {
    const about = code === 'unknown-topic' && hint !== null ? ` | ${hint}` : ''
    return `${code} ${line}: ${problem}${about}`
  })
}

test('a plain policy has nothing that lint would say', () => {
  assert.deepEqual(
    findings(`networks: { offices: [10.0.0.0/8] }
grants:
  - { id: a, to: role:a, allow: produce, topics: ["orders.*"], transactionalIds: ["orders-*"] }
  - { id: b, to: role:a, allow: consume, topics: ["orders.*"], from: offices }
  - { id: c, to: anyone, allow: observe, topics: ["*"], cluster: true }
rules:
  - { id: d, deny: change, everything: true, when: { acting: impersonation } }
  - { id: e, deny: all, topics: ["__*"], except: role:ops }
shadow: [{ topics: ["legacy.*"], until: 2027-03-01T00:00:00Z }]
`),
    [],
  )
})

test('a pattern inside another of its grant, and a grant inside another', () => {
  assert.deepEqual(
    findings(`grants:
  - { id: wide, to: [role:a, role:b], allow: [read, write], topics: ["orders.*", "orders.eu", "orders.eu.*"] }
  - { id: narrow, to: role:b, allow: read, topics: ["orders.eu.x"], until: 2028-01-01T00:00:00Z }
  - { id: other, to: role:c, allow: read, topics: ["orders.eu.x"] }
`),
    [
      'shadowed-pattern 3: topic:orders.eu lies in topic:orders.*, which it covers too',
      'shadowed-pattern 3: topic:orders.eu.* lies in topic:orders.*, which it covers too',
      'repeated-grant 4: gives nothing that wide at policy.yaml:3 does not give',
    ],
  )
})

test('equal grants are told once, at the later one', () => {
  assert.deepEqual(
    findings(`grants:
  - { id: a, to: role:a, allow: read, topics: [x, x] }
  - { id: b, to: role:a, allow: read, topics: [x] }
`),
    [
      'shadowed-pattern 3: topic:x lies in topic:x, which it covers too',
      'repeated-grant 4: gives nothing that a at policy.yaml:3 does not give',
    ],
  )
})

test('grants that nobody can use: refused by a rule, ended, or at hours that never come', () => {
  assert.deepEqual(
    findings(`grants:
  - { id: a, to: role:a, allow: consume, topics: ["__secret"] }
  - { id: b, to: role:a, allow: read, topics: [x], until: 2026-12-31T00:00:00Z }
  - id: c
    to: role:c
    allow: read
    topics: [y]
    since: 2027-01-04T00:00:00Z
    until: 2027-01-06T00:00:00Z
    hours: { days: sat-sun, between: 08:00-18:00, zone: UTC }
rules: [{ id: no, deny: all, topics: ["__*"] }]
`),
    [
      'unusable-grant 3: rule no at policy.yaml:12 refuses all of it to everybody',
      'ended-grant 4: ended 2026-12-31T00:00:00Z',
      'unusable-grant 5: its hours never come between since and until',
    ],
  )
})

test('rights that are wider than they look', () => {
  assert.deepEqual(
    findings(`grants:
  - { id: a, to: role:a, allow: manage, topics: ["*"], consumerGroups: ["*"] }
  - { id: b, to: anyone, allow: produce, topics: ["inbox.*"] }
  - { id: break-glass, to: role:oncall, allow: manage, cluster: true }
  - { id: c, to: role:oncall, allow: read, topics: [z], why: "incident 42", until: 2027-02-01T00:00:00Z }
`),
    [
      'wildcard-write 3: gives create, delete, alter, alter_configs on every name of topic:*, consumerGroup:*',
      'write-for-anyone 4: gives write to whoever has a token',
      'endless-break-glass 5: is for emergencies and has no end',
    ],
  )
})

test('rules that say nothing', () => {
  assert.deepEqual(
    findings(`rules:
  - { id: a, deny: [read, write], topics: ["pay.*"], for: role:a, except: [role:a, role:b] }
  - { id: b, deny: all, topics: ["__*"] }
  - { id: c, deny: read, topics: ["__consumer*"], for: role:c }
  - { id: d, deny: read, topics: [x], when: { acting: delegation }, unless: { acting: delegation } }
`),
    [
      'unreachable-rule 3: binds nobody: everyone in for stands in except too',
      'repeated-rule 5: refuses nothing that b at policy.yaml:4 does not refuse',
      'unreachable-rule 6: binds nobody: when and unless say the same',
    ],
  )
})

test('shadows that have ended or never seem to, missing tests, a store that nobody reads', () => {
  const text =
    'shadow: [{ topics: [a], until: 2026-01-01T00:00:00Z }, { topics: [b], until: 2029-01-01T00:00:00Z, listeners: [old] }]\ngrants: [{ id: a, to: role:a, allow: read, topics: [x] }]\n'

  const found = findings(text, { name: 'embedded', hasStore: true }, '')

  assert.deepEqual(
    found.map(line => line.split(':')[0]),
    ['no-tests 1', 'store-only 1', 'ended-shadow 2', 'long-shadow 2'],
  )
  assert.match(found[3]!, /: lets everything through on topic:b by listener old until 2029-01-01T00:00:00Z$/)
  assert.deepEqual(findings(text, { name: 'openfga', hasStore: true }).length, 2)
})

test('a file that asks for what only a store can say is told so', () => {
  assert.throws(
    () => findings('grants: [{ id: a, to: team:payments, allow: read, topics: [x] }]\n'),
    /team: is not a kind of principal {2}only an OpenFGA store says this/,
  )
})

test('patterns that fit no topic of the cluster, but for those that may be made', () => {
  const policy = `grants:
  - { id: a, to: role:a, allow: consume, topics: [orders.created, orders.craeted, "shipments.*", "orders.*"] }
  - { id: b, to: role:b, allow: [produce, manage], topics: ["payments.*", payments.eu] }
  - { id: c, to: role:c, allow: consume, consumerGroups: ["nobody-*"] }
rules:
  - { id: d, deny: read, topics: [secrets] }
shadow: [{ topics: ["legacy.*"], until: 2027-03-01T00:00:00Z }]
`
  const unknown = findings(policy, null, TESTS, ['orders.created', 'orders.shipped']).filter(text => text.startsWith('unknown-topic'))
  assert.deepEqual(unknown, [
    'unknown-topic 3: there is no topic orders.craeted | did you mean orders.created?',
    'unknown-topic 3: no topic begins with shipments.',
    'unknown-topic 7: there is no topic secrets',
    'unknown-topic 8: no topic begins with legacy.',
  ])
  assert.deepEqual(
    findings(policy).filter(text => text.startsWith('unknown-topic')),
    [],
  )
})
