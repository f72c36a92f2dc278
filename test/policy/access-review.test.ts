// Access reviews agree with verdicts, for any policy: nobody who may is left out, and who is listed without a condition may.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { whatCan, whoCan } from '../../src/policy/access-review.ts'
import { Operation, Resource, Verdict } from '../../src/policy/authorizer.ts'
import { Embedded } from '../../src/policy/embedded.ts'
import { Names } from '../../src/policy/names.ts'
import { operationName, SUPPORTED } from '../../src/policy/operations.ts'
import { containsPattern, patternText } from '../../src/policy/pattern-text.ts'
import { readPolicy } from '../../src/policy/policy-file.ts'
import { keysOf, matchesAny, subjectText } from '../../src/policy/subjects.ts'
import { principalOf } from '../fakes/principal.ts'
import { moments, policy, principal, question } from './arbitrary.ts'

test('whoever may do something is listed, and what is listed without a condition is allowed', () => {
  fc.assert(
    fc.property(policy, principal, question, moments, (document, who, { operation, resource, name, address, listener }, [nowMs]) => {
      const text = name.toString()
      fc.pre(Buffer.from(text).equals(name) && (SUPPORTED[resource] & (1 << operation)) !== 0)
      const names = new Names()
      const rights = new Embedded(document, { names, clock: { nowMs: nowMs! } }).rights(who, { listener, address })
      const isAllowed = rights.check(operation, names.text(resource, text)) === Verdict.Allowed
      const reason = rights.explain(operation, names.text(resource, text))
      const keys = keysOf(who)
      const given = new Set(document.grants.filter(({ to }) => matchesAny(to, keys)).map(({ id }) => id))
      const asked = { resource, prefix: false, text }
      const patterns = document.grants.flatMap(({ covers }) => covers).concat(document.shadows.flatMap(s => s.patterns) as never)
      const isAsked = (on: string) => patterns.some(pattern => patternText(pattern) === on && containsPattern(pattern, asked))

      const what = whatCan(document, { principal: who, keys, address, listener }, given, nowMs!)
      const holders = whoCan(document, { text: '', resource, name: text, operations: 1 << operation }, { nowMs: nowMs!, address, listener })

      const mine = what.filter(right => isAsked(right.on) && right.operations.includes(operationName(operation) as never))
      const sure = mine.filter(({ now, limits }) => now === 'yes' && limits.every(({ shadow }) => shadow))
      if (sure.length > 0) assert.ok(isAllowed, `${JSON.stringify(sure[0])} is listed, and refused: ${reason.why}`)
      const listed = holders.filter(({ by, id }) => by === 'shadow' || given.has(id))
      if (listed.some(({ now }) => now === 'yes')) assert.ok(isAllowed, `${JSON.stringify(listed)} refused: ${reason.why} ${reason.rule}`)
      if (isAllowed) {
        const byCluster = what.filter(
          ({ kind, operations }) =>
            kind === Resource.Cluster && resource === Resource.Topic && operation === Operation.Create && operations.includes('create'),
        )
        assert.ok(
          [...mine, ...byCluster].some(({ now }) => now !== 'no'),
          'what it can do leaves this out',
        )
        const named = listed.filter(
          ({ by, who: subject }) => by === 'shadow' || document.grants.some(g => g.to.some(to => subjectText(to) === subject)),
        )
        assert.ok(
          named.some(({ now }) => now !== 'no'),
          'who can do it leaves this one out',
        )
      }
    }),
    { numRuns: 500 },
  )
})

const document = readPolicy(
  [
    {
      file: 'policy.yaml',
      text: `version: 1
networks: { offices: [10.0.0.0/8] }
grants:
  - { id: all, to: role:ops, allow: [read, write], topics: ["*"], why: OPS-1, owner: platform }
  - { id: eu, to: group:/eu, allow: read, topics: ["orders.*"], from: offices, until: 2030-01-01T00:00:00Z }
  - { id: look, to: anyone, allow: observe, topics: ["*"] }
rules:
  - { id: secret, deny: read, topics: ["orders.secret.*"] }
  - { id: acting, deny: write, everything: true, when: { acting: impersonation } }
`,
    },
  ],
  { issuers: null, generation: 1 },
)
const NOW = { nowMs: Date.parse('2027-01-01T00:00:00Z'), address: '', listener: '' }
const READ = { text: '', resource: 2, operations: 1 << 3 } as const

test('who can create a topic by a right on the cluster is told what a rule on the cluster takes', () => {
  const text = `version: 1
grants: [{ id: ops, to: role:ops, allow: create, cluster: true }, { id: team, to: role:team, allow: create, topics: ["*"] }]
rules: [{ id: frozen, deny: create, cluster: true }]
`
  const frozen = readPolicy([{ file: 'policy.yaml', text }], { issuers: null, generation: 1 })

  const holders = whoCan(frozen, { text: '', resource: Resource.Topic, name: 'orders', operations: 1 << Operation.Create }, NOW)

  assert.deepEqual(
    holders.map(({ id, now, limits }) => [id, now, limits.map(({ rule }) => rule)]),
    [
      ['ops', 'no', ['frozen']],
      ['team', 'yes', []],
    ],
  )
})

test('who can read a topic: by which grant, until when, from where, and what a rule takes away', () => {
  const on = (name: string, moment = NOW) =>
    whoCan(document, { ...READ, name }, moment).map(({ who, id, now, inForce }) => [who, id, now, inForce])

  assert.deepEqual(on('orders.eu'), [
    ['role:ops', 'all', 'yes', ''],
    ['group:/eu', 'eu', 'depends', 'until 2030-01-01T00:00:00Z, from 10.0.0.0/8'],
  ])
  assert.deepEqual(
    on('orders.eu', { ...NOW, address: '192.0.2.1' }).map(([who, , now]) => [who, now]),
    [
      ['role:ops', 'yes'],
      ['group:/eu', 'no'],
    ],
  )
  assert.deepEqual(
    on('orders.secret.1').map(([who, , now]) => [who, now]),
    [
      ['role:ops', 'no'],
      ['group:/eu', 'no'],
    ],
  )
  const [ops] = whoCan(document, { ...READ, name: 'a' }, NOW)
  assert.deepEqual([ops!.at, ops!.why, ops!.owner, ops!.on], ['policy.yaml:4', 'OPS-1', 'platform', 'topic:*'])
})

test('who may only look is not among those who can consume', () => {
  const holders = whoCan(document, { ...READ, name: 'orders.eu', operations: (1 << 3) | (1 << 8) }, NOW)

  assert.deepEqual(
    holders.map(({ who }) => who),
    ['role:ops', 'group:/eu'],
  )
})

test('what a shadow on one listener lets through depends on the listener', () => {
  const text = 'version: 1\nshadow: [{ topics: ["legacy.*"], until: 2030-01-01T00:00:00Z, listeners: [partners] }]\n'
  const shadowed = readPolicy([{ file: 'policy.yaml', text }], { issuers: null, generation: 1 })
  const principal = principalOf('user:corp/lena')
  const by = (listener: string) => {
    const [holder] = whoCan(shadowed, { ...READ, name: 'legacy.a' }, { ...NOW, listener })
    const [right] = whatCan(shadowed, { principal, keys: keysOf(principal), address: '', listener }, new Set(), NOW.nowMs)
    return [holder!.now, right!.now, holder!.inForce, right!.inForce]
  }

  const inForce = 'until 2030-01-01T00:00:00Z, on listener partners'
  assert.deepEqual(by('partners'), ['yes', 'yes', inForce, inForce])
  assert.deepEqual(by('clients'), ['no', 'no', inForce, inForce])
  assert.deepEqual(by(''), ['depends', 'depends', inForce, inForce])
})
