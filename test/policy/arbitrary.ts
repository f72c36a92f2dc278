// Random policies, principals and questions, small enough that they meet.

import fc from 'fast-check'
import type { Principal } from '../../src/auth/principal.ts'
import { Operation, Resource } from '../../src/policy/authorizer.ts'
import type {
  Condition,
  Cover,
  Grant,
  Hours,
  InForce,
  Pattern,
  PolicyDocument,
  Rule,
  Shadow,
  Subject,
} from '../../src/policy/policy-document.ts'
import { expression } from './expressions.ts'
import type { Question } from './reference.ts'

const onlyExpression = (text: string): Condition => ({ acting: null, claims: null, networks: null, hours: null, expression: text })

const PLACE = { file: 'policy.yaml', line: 1 }
const START_MS = Date.UTC(2026, 9, 24, 20, 0, 0)
const issuer = fc.constantFrom('corp', 'partner')
const few = <T>(arbitrary: fc.Arbitrary<T>, maxLength = 3) => fc.array(arbitrary, { maxLength })
const some = <T>(arbitrary: fc.Arbitrary<T>, maxLength = 3) => fc.array(arbitrary, { minLength: 1, maxLength })
const group = fc.constantFrom('/a', '/a/b', '/a/bc', '/a/b/c', '/d')
const text = fc.constantFrom('', 'a', 'a.', 'a.b', 'a.b.c', 'ab', 'b', '__a', 'ä', 'ä.\0', '*', 'a*', '😀', '😀b')
const resource = fc.constantFrom(Resource.Topic, Resource.Topic, Resource.Group, Resource.Cluster, Resource.TransactionalId)
const operation = fc.constantFrom(...(Object.values(Operation) as Operation[]))
const operations = fc.array(operation, { minLength: 1, maxLength: 4 }).map(list => list.reduce((set, op) => set | (1 << op), 0))
const timeMs = fc.integer({ min: 0, max: 48 * 60 }).map(minutes => START_MS + minutes * 60_000)
const networks = some(fc.constantFrom('10.0.0.0/8', '10.20.0.0/16', '192.0.2.7/32', '0.0.0.0/0'), 2)

export const hours: fc.Arbitrary<Hours> = fc
  .record({
    days: fc.subarray([0, 1, 2, 3, 4, 5, 6], { minLength: 1 }),
    fromMinute: fc.integer({ min: 0, max: 1439 }),
    toMinute: fc.integer({ min: 0, max: 1440 }),
    // Clocks of Berlin go back on 2026-10-25, those of Lord Howe by half an hour on 2026-10-04; Kathmandu is off by quarters.
    zone: fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe'),
  })
  .filter(({ fromMinute, toMinute }) => fromMinute !== toMinute)

export const subject: fc.Arbitrary<Subject> = fc.oneof(
  fc.record({ kind: fc.constantFrom('user' as const, 'service' as const), issuer, name: fc.constantFrom('x', 'y') }),
  fc.record({ kind: fc.constantFrom('group' as const, 'groupBelow' as const), issuer, name: group }),
  fc.record({ kind: fc.constant('groupBelow' as const), issuer, name: fc.constant('') }),
  fc.record({ kind: fc.constant('realmRole' as const), issuer, name: fc.constantFrom('r', 's') }),
  fc.record({ kind: fc.constant('clientRole' as const), issuer, client: fc.constantFrom('kafka', 'x'), name: fc.constantFrom('r', 's') }),
  fc.record({ kind: fc.constant('org' as const), issuer, name: fc.constantFrom('acme', 'umbrella') }),
  fc.record({
    kind: fc.constant('orgRole' as const),
    issuer,
    org: fc.constantFrom('acme', 'umbrella'),
    name: fc.constantFrom('auditor', 'r'),
  }),
  fc.record({ kind: fc.constant('anyone' as const), issuer }),
)

export const principal: fc.Arbitrary<Principal> = fc
  .record({
    type: fc.constantFrom('user' as const, 'service' as const),
    issuer,
    name: fc.constantFrom('x', 'y', 'z'),
    groups: few(group),
    realmRoles: few(fc.constantFrom('r', 's'), 2),
    clientRoles: fc.dictionary(fc.constantFrom('kafka', 'x'), few(fc.constantFrom('r', 's'), 2)),
    organizations: fc.dictionary(fc.constantFrom('acme', 'umbrella'), few(fc.constantFrom('auditor', 'r'), 2)),
    claims: fc.dictionary(
      fc.constantFrom('acr', 'azp'),
      fc.oneof(fc.constantFrom<unknown>('gold', 'silver', 1, true), few(fc.constantFrom('gold', 'silver'))),
    ),
    acting: fc.option(fc.record({ kind: fc.constantFrom('impersonation' as const, 'delegation' as const), by: fc.constant('boss') })),
  })
  .map(p => ({
    ...p,
    id: `${p.type}:${p.issuer}/${p.name}`,
    expiresAtMs: Number.POSITIVE_INFINITY,
    token: { iss: '', azp: null, sid: null, jti: null },
  }))

const pattern: fc.Arbitrary<Pattern> = fc
  .record({ resource, prefix: fc.boolean(), text })
  .map(p => (p.resource === Resource.Cluster ? { ...p, prefix: true, text: '' } : p))
const cover: fc.Arbitrary<Cover> = fc.tuple(pattern, operations).map(([p, set]) => ({ ...p, operations: set }))
const inForce: fc.Arbitrary<InForce> = fc.record({
  sinceMs: fc.option(timeMs, { freq: 2 }),
  untilMs: fc.option(timeMs, { freq: 2 }),
  networks: fc.option(networks, { freq: 2 }),
  hours: fc.option(some(hours, 2), { freq: 2 }),
})
const grant: fc.Arbitrary<Omit<Grant, 'id'>> = fc
  .tuple(fc.record({ to: some(subject), covers: some(cover) }), inForce)
  .map(([g, when]) => ({ ...g, ...when, why: null, owner: null, place: PLACE }))

const conditionWith = (text: fc.Arbitrary<string | null>): fc.Arbitrary<Condition> =>
  fc.record({
    acting: fc.option(some(fc.constantFrom('impersonation' as const, 'delegation' as const), 2)),
    claims: fc.option(fc.dictionary(fc.constantFrom('acr', 'azp'), some(fc.constantFrom('gold', 'silver', '1', 'true')), { minKeys: 1 })),
    networks: fc.option(networks),
    hours: fc.option(some(hours, 2)),
    expression: text,
  })
const ruleWith = (condition: fc.Arbitrary<Condition>): fc.Arbitrary<Omit<Rule, 'id'>> =>
  fc.record({
    denies: some(cover),
    for: fc.option(some(subject)),
    except: few(subject, 2),
    when: fc.option(condition),
    unless: fc.option(condition),
    shadowUntilMs: fc.option(timeMs, { freq: 2 }),
    place: fc.constant(PLACE),
  })
const shadow: fc.Arbitrary<Omit<Shadow, 'id'>> = fc.record({
  patterns: some(pattern, 2),
  untilMs: timeMs,
  listeners: fc.option(some(fc.constantFrom('clients', 'partners'), 2), { freq: 2 }),
  place: fc.constant(PLACE),
})

const policyWith = (rule: fc.Arbitrary<Omit<Rule, 'id'>>): fc.Arbitrary<PolicyDocument> =>
  fc.record({ grants: few(grant, 8), rules: few(rule, 4), shadows: few(shadow, 2) }).map(({ grants, rules, shadows }) => ({
    generation: 1,
    hash: '',
    files: [],
    grants: grants.map((g, i) => ({ id: `grant-${i}`, ...g })),
    rules: rules.map((r, i) => ({ id: `rule-${i}`, ...r })),
    shadows: shadows.map((s, i) => ({ id: `shadow[${i}]`, ...s })),
    tests: [],
    readsAddress: true,
  }))

export const policy = policyWith(ruleWith(conditionWith(fc.constant(null))))
/** Some of whose rules hang on an expression, alone or beside other conditions. */
export const policyWithExpressions = policyWith(
  ruleWith(fc.oneof(conditionWith(fc.option(expression, { freq: 2 })), expression.map(onlyExpression))),
)

const oddBytes = fc.uint8Array({ maxLength: 4 }).map(bytes => Buffer.from(bytes))
const name = fc
  .tuple(
    text.map(t => Buffer.from(t)),
    fc.oneof(fc.constant(Buffer.alloc(0)), oddBytes),
  )
  .map(([a, b]) => Buffer.concat([a, b]))

export const question: fc.Arbitrary<Omit<Question, 'principal' | 'nowMs'>> = fc
  .record({
    address: fc.constantFrom('10.20.1.1', '10.1.1.1', '192.0.2.7', '8.8.8.8', ''),
    listener: fc.constantFrom('clients', 'partners', ''),
    operation,
    resource,
    name,
  })
  .map(q => (q.resource === Resource.Cluster ? { ...q, name: Buffer.from('kafka-cluster') } : q))

/** Moments in the order of the clock. */
export const moments = fc.array(timeMs, { minLength: 1, maxLength: 6 }).map(list => [...list].sort((a, b) => a - b))
