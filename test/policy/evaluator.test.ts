// The evaluator against a naive reading of the same policy, and what moves an epoch.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Operation, Resource, Verdict } from '../../src/policy/authorizer.ts'
import { Embedded } from '../../src/policy/embedded.ts'
import { Evaluator } from '../../src/policy/evaluator.ts'
import { NOTHING_BEYOND, NOTHING_WRITABLE } from '../../src/policy/given.ts'
import { holdsAt } from '../../src/policy/hours.ts'
import { Names } from '../../src/policy/names.ts'
import { SUPPORTED } from '../../src/policy/operations.ts'
import { principalOf } from '../fakes/principal.ts'
import { hours, moments, policy, policyWithExpressions, principal, question } from './arbitrary.ts'
import { inHours, isAllowed } from './reference.ts'

const RUNS = Number(process.env['FC_RUNS'] ?? 600)

test('every verdict is what a naive reading of the policy gives, while the clock moves on and names are forgotten', () => {
  fc.assert(
    fc.property(
      fc.oneof(policy, policyWithExpressions),
      fc.array(principal, { minLength: 1, maxLength: 3 }),
      fc.array(question, { minLength: 1, maxLength: 12 }),
      moments,
      (document, principals, questions, times) => {
        const clock = { nowMs: times[0]! }
        // Room for few names, so that generations pass by.
        const names = new Names(7)
        const authorizer = new Embedded(document, { names, clock })
        const views = principals.flatMap(p =>
          questions.map(({ address, listener }) => ({ p, address, listener, rights: authorizer.rights(p, { listener, address }) })),
        )
        for (const nowMs of times) {
          clock.nowMs = nowMs
          for (const { p, address, listener, rights } of views) {
            for (const q of questions) {
              const name = names.of(q.resource, q.name, 0, q.name.length)
              const asked = { ...q, principal: p, address, listener, nowMs }
              const expected = isAllowed(document, asked)
              const reason = rights.explain(q.operation, name)
              assert.equal(rights.check(q.operation, names.current(name)) === Verdict.Allowed, expected, JSON.stringify({ asked, reason }))
              assert.equal(reason.verdict === Verdict.Allowed, expected)
            }
          }
        }
      },
    ),
    { numRuns: RUNS },
  )
})

test('the set of operations is the operations one by one, but for Create by a right on the cluster', () => {
  fc.assert(
    fc.property(policyWithExpressions, principal, question, moments, (document, p, q, [nowMs]) => {
      const names = new Names()
      const rights = new Embedded(document, { names, clock: { nowMs: nowMs! } }).rights(p, q)
      const name = names.of(q.resource, q.name, 0, q.name.length)
      const withoutCluster = {
        ...document,
        grants: document.grants.map(grant => ({
          ...grant,
          covers: grant.covers.filter(cover => q.resource === Resource.Cluster || cover.resource !== Resource.Cluster),
        })),
      }
      let expected = 0
      for (const operation of Object.values(Operation)) {
        const asked = { ...q, principal: p, operation, nowMs: nowMs! }
        if (SUPPORTED[q.resource] & (1 << operation) && isAllowed(withoutCluster, asked)) expected |= 1 << operation
      }
      assert.equal(rights.operations(name), expected)
      for (const operation of Object.values(Operation)) rights.check(operation, name)
      assert.equal(rights.operations(name), expected)
    }),
    { numRuns: RUNS },
  )
})

test('someone may write something exactly when some name may be written or the cluster allows idempotent writes', () => {
  fc.assert(
    fc.property(policy, principal, question, moments, (document, p, q, [nowMs]) => {
      const names = new Names()
      const rights = new Embedded(document, { names, clock: { nowMs: nowMs! } }).rights(p, q)
      const ask = (operation: Operation, resource: Resource, name: Buffer) =>
        isAllowed(document, { ...q, principal: p, nowMs: nowMs!, operation, resource, name })
      // Names that patterns of the policy name, and one beyond each prefix that no literal rule can name.
      const texts = [...document.grants.flatMap(grant => grant.covers), ...document.shadows.flatMap(shadow => shadow.patterns)]
      const some = texts.flatMap(pattern => (pattern.prefix ? [`${pattern.text}~never-named`] : [pattern.text]))
      const expected =
        ask(Operation.IdempotentWrite, Resource.Cluster, Buffer.from('kafka-cluster')) ||
        some.some(text => ask(Operation.Write, Resource.Topic, Buffer.from(text)))
      assert.equal(rights.mayWriteSomething() === Verdict.Allowed, expected)
    }),
    { numRuns: RUNS },
  )
})

test('what the clock tells holds exactly until the moment that it names, also when clocks are put back', () => {
  fc.assert(
    fc.property(
      hours,
      fc.constantFrom('2026-03-28T12:00Z', '2026-10-03T12:00Z', '2026-10-24T20:00Z', '2026-11-01T00:00Z'),
      fc.integer({ min: 0, max: 2880 }),
      (window, day, minutes) => {
        const nowMs = Date.parse(day) + minutes * 60_000
        const { yes, untilMs } = holdsAt({ sinceMs: null, untilMs: null, hours: [window] }, nowMs)
        assert.equal(yes, inHours(window, nowMs))
        assert.ok(untilMs > nowMs)
        for (let at = nowMs; at < untilMs; at += 60_000) assert.equal(inHours(window, at), yes, new Date(at).toISOString())
        assert.equal(inHours(window, untilMs - 1), yes)
      },
    ),
    { numRuns: 300 },
  )
})

test('a window that runs into the next day belongs to the day it opens', () => {
  const friday = { days: [5], fromMinute: 22 * 60, toMinute: 4 * 60, zone: 'UTC' }
  const at = (text: string) => holdsAt({ sinceMs: null, untilMs: null, hours: [friday] }, Date.parse(text)).yes
  assert.deepEqual(['2026-11-27T21:59Z', '2026-11-27T22:00Z', '2026-11-28T03:59Z', '2026-11-28T04:00Z', '2026-11-28T22:00Z'].map(at), [
    false,
    true,
    true,
    false,
    false,
  ])
})

test('an epoch moves when a grant ends and stays when nothing did', () => {
  const clock = { nowMs: 1000 }
  const names = new Names()
  const authorizer = new Embedded(oneGrant({ untilMs: 2000 }), { names, clock })
  const rights = authorizer.rights(somebody(), { listener: '', address: '10.0.0.1' })
  const name = names.text(Resource.Topic, 'orders')
  const before = rights.epoch
  assert.equal(rights.check(Operation.Read, name), Verdict.Allowed)

  clock.nowMs = 1999
  assert.equal(rights.epoch, before)
  clock.nowMs = 2000
  assert.notEqual(rights.epoch, before)

  assert.equal(rights.check(Operation.Read, name), Verdict.Refused)
})

test('another policy is in force from the next check on, and moves every epoch', () => {
  const names = new Names()
  const authorizer = new Embedded(oneGrant({}), { names, clock: { nowMs: 0 } })
  const rights = authorizer.rights(somebody(), { listener: '', address: '10.0.0.1' })
  const name = names.text(Resource.Topic, 'orders')
  const before = rights.epoch
  assert.equal(rights.check(Operation.Read, name), Verdict.Allowed)

  authorizer.replace({ ...oneGrant({}), grants: [], generation: 2 })

  assert.notEqual(rights.epoch, before)
  assert.equal(rights.check(Operation.Read, name), Verdict.Refused)
  assert.deepEqual([rights.explain(Operation.Read, name).generation, rights.explain(Operation.Read, name).why], [2, 'no grant'])
})

test('two connections of one principal whose tokens differ in a claim that a new rule reads are told apart', () => {
  const names = new Names()
  const authorizer = new Embedded(oneGrant({}), { names, clock: { nowMs: 0 } })
  const gold = authorizer.rights(somebody({ acr: 'gold' }), { listener: '', address: '10.0.0.1' })
  const plain = authorizer.rights(somebody({}), { listener: '', address: '10.0.0.1' })
  const name = names.text(Resource.Topic, 'orders')
  const denies = [{ resource: Resource.Topic, prefix: true, text: '', operations: 1 << Operation.Read }]
  const unless = { acting: null, claims: { acr: ['gold'] }, networks: null, hours: null, expression: null }
  const rule = { id: 'strong', denies, for: null, except: [], when: null, unless, shadowUntilMs: null, place: { file: '', line: 1 } }

  authorizer.replace({ ...oneGrant({}), rules: [rule] })

  assert.equal(gold.check(Operation.Read, name), Verdict.Allowed)
  assert.equal(plain.check(Operation.Read, name), Verdict.Refused)
  assert.deepEqual(plain.explain(Operation.Read, name).rule, 'strong')
})

test('what a shadow lets through is told once for each name and operation', () => {
  const told: unknown[] = []
  const names = new Names()
  const shadow = {
    id: 'shadow[0]',
    patterns: [{ resource: Resource.Topic, prefix: true, text: 'legacy.' }],
    untilMs: 1000,
    listeners: null,
    place: { file: '', line: 1 },
  }
  const authorizer = new Embedded(
    { ...oneGrant({}), shadows: [shadow] },
    {
      names,
      clock: { nowMs: 0 },
      wouldRefuse: (p, _, operation, name, { shadow, why }) => told.push([p.id, operation, name.text, shadow, why]),
    },
  )
  const rights = authorizer.rights(somebody(), { listener: '', address: '10.0.0.1' })
  const name = names.text(Resource.Topic, 'legacy.a')

  rights.operations(name)
  rights.explain(Operation.Write, name)
  const verdicts = [rights.check(Operation.Write, name), rights.check(Operation.Write, name), rights.check(Operation.Read, name)]

  assert.deepEqual(verdicts, [Verdict.Allowed, Verdict.Allowed, Verdict.Allowed])
  assert.deepEqual(told, [
    ['user:corp/lena', Operation.Write, 'legacy.a', 'shadow[0]', 'no grant, in shadow'],
    ['user:corp/lena', Operation.Read, 'legacy.a', 'shadow[0]', 'no grant, in shadow'],
  ])
})

test('a shadow on one listener lets through and tells what comes there, and keeps from nothing what comes by another', () => {
  const told: unknown[] = []
  const names = new Names()
  const clock = { nowMs: 0 }
  const shadow = {
    id: 'shadow[0]',
    patterns: [{ resource: Resource.Topic, prefix: true, text: 'legacy.' }],
    untilMs: 1000,
    listeners: ['partners'],
    place: { file: '', line: 1 },
  }
  const authorizer = new Embedded(
    { ...oneGrant({}), shadows: [shadow] },
    { names, clock, wouldRefuse: (_, { listener }, operation, name, { shadow }) => told.push([listener, operation, name.text, shadow]) },
  )
  const [partners, clients, unknown] = ['partners', 'clients', ''].map(listener =>
    authorizer.rights(somebody(), { listener, address: '10.0.0.1' }),
  )
  const name = names.text(Resource.Topic, 'legacy.a')
  const verdicts = () => [partners, clients, unknown].map(rights => rights!.check(Operation.Write, name))

  assert.deepEqual(verdicts(), [Verdict.Allowed, Verdict.Refused, Verdict.Refused])
  assert.deepEqual(told, [['partners', Operation.Write, 'legacy.a', 'shadow[0]']])
  assert.deepEqual([partners!.mayWriteSomething(), clients!.mayWriteSomething()], [Verdict.Allowed, Verdict.Refused])
  assert.deepEqual(
    [partners!.explain(Operation.Write, name).why, clients!.explain(Operation.Write, name).why],
    ['no grant, in shadow', 'no grant'],
  )
  clock.nowMs = 1000
  assert.deepEqual(verdicts(), [Verdict.Refused, Verdict.Refused, Verdict.Refused])
})

test('connections by two listeners share what is known of their principal, unless a shadow tells the listeners apart', () => {
  const giver = { originKey: () => '', given: () => NOTHING_GIVEN }
  const patterns = [{ resource: Resource.Topic, prefix: true, text: 'legacy.' }]
  const on = (listeners: string[] | null) => {
    const shadow = { id: 'shadow[0]', patterns, untilMs: 1000, listeners, place: { file: '', line: 1 } }
    const evaluator = new Evaluator({ ...oneGrant({}), shadows: [shadow] }, giver, { names: new Names(), clock: { nowMs: 0 } })
    const [one, other] = ['partners', 'clients'].map(listener => evaluator.verdictsOf(somebody(), { listener, address: '10.0.0.1' }))
    return one === other
  }

  assert.deepEqual([on(null), on(['partners'])], [true, false])
})

test('what is allowed is told once for each name and operation until rights move, if somebody wants to know', () => {
  const told: unknown[] = []
  const names = new Names()
  const authorizer = new Embedded(oneGrant({}), {
    names,
    clock: { nowMs: 0 },
    allowed: (p, _, operation, name, explain) => told.push([p.id, operation, name.text, explain().grant]),
  })
  const rights = authorizer.rights(somebody(), { listener: '', address: '10.0.0.1' })
  const name = names.text(Resource.Topic, 'orders')

  const before = rights.operations(name)
  for (const operation of [Operation.Read, Operation.Describe, Operation.Read, Operation.Write]) rights.check(operation, name)
  assert.equal(rights.operations(name), before)
  const once = [
    ['user:corp/lena', Operation.Read, 'orders', 'read-orders'],
    ['user:corp/lena', Operation.Describe, 'orders', 'read-orders'],
  ]
  assert.deepEqual(told, once)

  authorizer.replace(oneGrant({}))
  rights.check(Operation.Read, name)
  assert.deepEqual(told, [...once, once[0]])
})

test('a principal that is asked about the last of many names keeps little for it', () => {
  const names = new Names()
  for (let i = 0; i < 100_000; i++) names.text(Resource.Topic, `topic-${i}`)
  const evaluator = new Evaluator(oneGrant({}), { originKey: () => '', given: () => NOTHING_GIVEN }, { names })
  const origin = { listener: '', address: '10.0.0.1' }

  assert.equal(evaluator.rights(somebody(), origin).check(Operation.Read, names.text(Resource.Topic, 'orders')), Verdict.Refused)

  const { pages } = evaluator.verdictsOf(somebody(), origin)
  assert.ok([...new Set(pages)].reduce((sum, page) => sum + page.byteLength, 0) <= 4096)
})

const NOTHING_GIVEN = {
  engine: 'embedded',
  epoch: 0,
  undecided: false,
  grants: () => [],
  beyond: () => NOTHING_BEYOND,
  writable: () => NOTHING_WRITABLE,
  settle: async () => {},
} as const

function oneGrant({ untilMs = null as number | null }) {
  const covers = [{ resource: Resource.Topic, prefix: false, text: 'orders', operations: 1 << Operation.Read }]
  const grant = {
    id: 'read-orders',
    to: [{ kind: 'user' as const, issuer: 'corp', name: 'lena' }],
    covers,
    sinceMs: null,
    untilMs,
    networks: null,
    hours: null,
    why: null,
    owner: null,
    place: { file: 'policy.yaml', line: 3 },
  }
  return { generation: 1, hash: '', files: [], grants: [grant], rules: [], shadows: [], tests: [], readsAddress: false }
}

const somebody = (claims: Record<string, unknown> = {}) => principalOf('user:corp/lena', { claims })
