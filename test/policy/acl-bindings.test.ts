// What a policy amounts to as ACLs: it must judge as the policy does, and be filtered as Kafka filters.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Principal } from '../../src/auth/principal.ts'
import { Networks } from '../../src/base/networks.ts'
import { type AclBinding, aclBindings, granteesInFile } from '../../src/policy/acl-bindings.ts'
import { type AclFilter, matchesFilter } from '../../src/policy/acl-filter.ts'
import { Operation, Resource } from '../../src/policy/authorizer.ts'
import { bindingOf, PARSED_EACH_TIME } from '../../src/policy/conditions.ts'
import { Embedded } from '../../src/policy/embedded.ts'
import { holdsAt } from '../../src/policy/hours.ts'
import { aclOf, importAcls } from '../../src/policy/import-acls.ts'
import { subjectUser, userSubject } from '../../src/policy/memberships.ts'
import { Names } from '../../src/policy/names.ts'
import { SUPPORTED } from '../../src/policy/operations.ts'
import type { PolicyDocument } from '../../src/policy/policy-document.ts'
import { readPolicy } from '../../src/policy/policy-file.ts'
import { keysOf, matchesAny } from '../../src/policy/subjects.ts'
import { DescribeAcls } from '../../src/protocol/messages/29-describe-acls.ts'
import { CreateAcls } from '../../src/protocol/messages/30-create-acls.ts'
import { DeleteAcls } from '../../src/protocol/messages/31-delete-acls.ts'
import { MalformedError } from '../../src/protocol/wire.ts'
import { ask } from '../oracle/oracle.ts'
import { moments, policy, principal, question, subject } from './arbitrary.ts'
import { answered, Given, judge, judgeAndWait, request } from './given.ts'

const RUNS = Number(process.env['FC_RUNS'] ?? 400)
const ALL = 2
const [DENY, ALLOW] = [2, 3]

/** As `kafka-acls --list` prints them. */
const texts = (acls: readonly AclBinding[]): string[] =>
  acls
    .map(acl => {
      const { resourceType, name, patternType, principal, host, operation, permission } = aclOf(acl)
      return `${permission} ${principal} ${operation} on ${resourceType} ${name} ${patternType} from ${host}`
    })
    .sort()
const listed = (text: string): string[] =>
  texts(
    aclBindings(
      readPolicy([{ file: 'policy.yaml', text }], { issuers: [{ alias: 'corp', organizationRoles: ['auditor'] }], generation: 1 }),
      granteesInFile,
      Date.now(),
    ),
  )

/** All that ACLs may know somebody as: subjects, and the grants and rules that hold for it now. */
function principalsOf(p: Principal, document: PolicyDocument, address: string, nowMs: number): Set<string> {
  const { id, issuer } = p
  const known = new Set(['User:*', `Issuer:${issuer}`, id.replace(/^./, first => first.toUpperCase())])
  for (const group of p.groups) {
    known.add(`Group:${issuer}${group}`)
    for (let path = group; ; path = path.slice(0, path.lastIndexOf('/'))) {
      known.add(`Group:${issuer}${path}/**`)
      if (path === '') break
    }
  }
  for (const role of p.realmRoles) known.add(`Role:${issuer}/${role}`)
  for (const [client, roles] of Object.entries(p.clientRoles)) for (const role of roles) known.add(`ClientRole:${issuer}/${client}/${role}`)
  for (const [org, roles] of Object.entries(p.organizations)) {
    known.add(`Organization:${issuer}/${org}`)
    for (const role of roles) known.add(`Organization:${issuer}/${org}#${role}`)
  }
  const keys = keysOf(p)
  for (const grant of document.grants) {
    const isThere = grant.networks === null || new Networks(grant.networks).has(address) === true
    if (matchesAny(grant.to, keys) && holdsAt(grant, nowMs).yes && isThere) known.add(`Grant:${grant.id}`)
  }
  for (const rule of document.rules) {
    const { binds } = bindingOf(rule, { principal: p, keys, address, listener: '' }, nowMs, PARSED_EACH_TIME, null)
    if (binds) known.add(`Rule:${rule.id}`)
  }
  return known
}

/** StandardAuthorizerData.java: a DENY that matches refuses; else an ALLOW of the operation, or of one that implies it. */
function isAllowedBy(
  acls: readonly AclBinding[],
  known: ReadonlySet<string>,
  host: string,
  resource: Resource,
  name: string,
  operation: number,
) {
  const matching = acls.filter(acl => {
    if (acl.resourceType !== resource || !known.has(acl.principal) || (acl.host !== '*' && acl.host !== host)) return false
    return acl.patternType === 4 ? name.startsWith(acl.name) : acl.name === '*' || acl.name === name
  })
  if (matching.some(acl => acl.permission === DENY && [ALL, operation].includes(acl.operation))) return false
  const enough = [ALL, operation]
  if (operation === Operation.Describe) enough.push(Operation.Read, Operation.Write, Operation.Delete, Operation.Alter)
  if (operation === Operation.DescribeConfigs) enough.push(Operation.AlterConfigs)
  return matching.some(acl => acl.permission === ALLOW && enough.includes(acl.operation))
}

/** The reader of policy files grants no operation that its kind of resource does not have. */
const asRead = (document: PolicyDocument): PolicyDocument => ({
  ...document,
  grants: document.grants.map(grant => ({
    ...grant,
    covers: grant.covers.map(cover => ({ ...cover, operations: cover.operations & SUPPORTED[cover.resource] })),
  })),
})

test('the ACLs that are listed allow what the policy allows, no more and no less', () => {
  let allowed = 0
  fc.assert(
    fc.property(policy, principal, fc.array(question, { minLength: 1, maxLength: 12 }), moments, (anyPolicy, p, questions, [nowMs]) => {
      const document = asRead(anyPolicy)
      // The name of one resource cannot be a star in an ACL.
      fc.pre(![...document.grants, ...document.rules].some(one => JSON.stringify(one).includes('"prefix":false,"text":"*"')))
      fc.pre(!JSON.stringify(document.shadows).includes('"prefix":false,"text":"*"'))
      const acls = aclBindings(document, granteesInFile, nowMs!)
      const names = new Names()
      const authorizer = new Embedded(document, { names, clock: { nowMs: nowMs! } })
      assert.deepEqual(authorizer.acls.bindings(), acls)
      for (const { resource, name: bytes, operation, address, listener } of questions) {
        const name = names.of(resource, bytes, 0, bytes.length)
        const isMeant = address !== '' && Buffer.from(name.text).equals(bytes) && (SUPPORTED[resource] & (1 << operation)) !== 0
        if (!isMeant) continue
        const has = (authorizer.rights(p, { listener, address }).operations(name) & (1 << operation)) !== 0
        const known = principalsOf(p, document, address, nowMs!).add(`Listener:${listener}`)
        const says = isAllowedBy(acls, known, address, resource, name.text, operation)
        if (says !== has) assert.fail(JSON.stringify({ has, operation, resource, name: name.text, acls: texts(acls), known: [...known] }))
        if (has) allowed++
      }
    }),
    { numRuns: RUNS },
  )
  assert.ok(allowed > RUNS / 40, `${allowed} times it was allowed`)
})

test('a filter matches what Kafka’s own AclBindingFilter matches', async () => {
  const code = (max: number) => fc.integer({ min: 0, max })
  const text = fc.constantFrom('*', 'a', 'ab', 'abc', 'User:a', '')
  const acl = fc.tuple(
    fc.integer({ min: 2, max: 5 }),
    text,
    fc.constantFrom(3, 4),
    text,
    text,
    fc.integer({ min: 2, max: 15 }),
    fc.constantFrom(2, 3),
  )
  const filter = fc.tuple(
    fc.constantFrom(1, 1, 1, 2, 3, 4, 5, 6, 77),
    fc.option(text),
    fc.constantFrom(1, 2, 3, 4, 9),
    fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, text),
    fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, text),
    fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, code(16)),
    fc.constantFrom(1, 1, 1, 2, 3, 4),
  )
  const cases = fc.sample(fc.tuple(filter, acl), 4000)
  const hex = (value: unknown) => (value === null ? '-' : typeof value === 'string' ? Buffer.from(value).toString('hex') : String(value))
  const answers = await ask(cases.map(([f, a]) => ['filter', ...f.map(hex), ...a.map(hex)].join(' ')))
  const tally = { true: 0, false: 0 }
  cases.forEach(([f, a], i) => {
    const [resourceTypeFilter, resourceNameFilter, patternTypeFilter, principalFilter, hostFilter, operation, permissionType] = f
    const asked: AclFilter = {
      resourceTypeFilter,
      resourceNameFilter,
      patternTypeFilter,
      principalFilter,
      hostFilter,
      operation,
      permissionType,
    }
    const [resourceType, name, patternType, who, host, what, permission] = a
    const binding: AclBinding = { resourceType, name, patternType, principal: who, host, operation: what, permission }
    assert.equal(String(matchesFilter(asked, binding)), answers[i], JSON.stringify({ asked, binding }))
    tally[answers[i] as 'true']++
  })
  assert.ok(tally.true > 100 && tally.false > 100, JSON.stringify(tally))
})

test('what an ACL can say is listed as one; the rest under the name of its grant or rule', () => {
  const yaml = `version: 1
networks: { offices: [10.20.0.0/16] }
grants:
  - { id: plain, to: ["service:orders", "group:/finance/**", "org:acme#auditor", anyone], allow: read, topics: ["orders.*"] }
  - { id: by-host, to: "user:lena", allow: write, topics: [odd], from: [192.0.2.7] }
  - { id: by-net, to: "user:lena", allow: write, topics: [odd], from: [offices] }
  - { id: night, to: "user:lena", allow: read, topics: ["*"], hours: [{ days: mon-fri, between: 22:00-06:00, zone: UTC }] }
  - { id: over, to: "user:lena", allow: read, topics: ["*"], until: 2020-01-01T00:00:00Z }
  - { id: ops, to: "client-role:kafka/operator", allow: alter, cluster: true }
rules:
  - { id: internal, deny: all, topics: ["__*"], except: ["role:ops"] }
  - { id: strong, deny: [read], topics: ["pay.*"], unless: { claims: { acr: [gold] } } }
  - { id: never, deny: [delete], topics: ["*"] }
  - { id: some, deny: [write], topics: [odd], for: ["role:guest"] }
shadow:
  - { topics: ["legacy.*"], until: 2999-01-01T00:00:00Z, listeners: [partners, old] }
`
  assert.deepEqual(listed(yaml), [
    'ALLOW ClientRole:corp/kafka/operator ALTER on CLUSTER kafka-cluster LITERAL from *',
    'ALLOW Grant:by-net WRITE on TOPIC odd LITERAL from *',
    'ALLOW Grant:night READ on TOPIC * LITERAL from *',
    'ALLOW Group:corp/finance/** READ on TOPIC orders. PREFIXED from *',
    'ALLOW Issuer:corp READ on TOPIC orders. PREFIXED from *',
    'ALLOW Listener:old ALL on TOPIC legacy. PREFIXED from *',
    'ALLOW Listener:partners ALL on TOPIC legacy. PREFIXED from *',
    'ALLOW Organization:corp/acme#auditor READ on TOPIC orders. PREFIXED from *',
    'ALLOW Service:corp/orders READ on TOPIC orders. PREFIXED from *',
    'ALLOW User:corp/lena WRITE on TOPIC odd LITERAL from 192.0.2.7',
    'DENY Role:corp/guest WRITE on TOPIC odd LITERAL from *',
    'DENY Rule:internal ALL on TOPIC __ PREFIXED from *',
    'DENY Rule:strong READ on TOPIC pay. PREFIXED from *',
    'DENY User:* DELETE on TOPIC * LITERAL from *',
  ])
})

test('a list is kept while it holds: until something begins or ends, or the policy is another', () => {
  const read = (to: string) =>
    readPolicy(
      [
        {
          file: 'policy.yaml',
          text: `version: 1
grants:
  - { id: now, to: "${to}", allow: read, topics: [a] }
  - { id: later, to: "${to}", allow: write, topics: [a], since: 2030-01-01T00:00:00Z, until: 2031-01-01T00:00:00Z }
`,
        },
      ],
      { issuers: [{ alias: 'corp', organizationRoles: [] }], generation: 1 },
    )
  const clock = { nowMs: Date.UTC(2029, 0) }
  const authorizer = new Embedded(read('user:x'), { names: new Names(), clock })
  const operations = () => texts(authorizer.acls.bindings()!).map(line => line.split(' ').slice(1, 3).join(' '))

  const first = authorizer.acls.bindings()
  clock.nowMs = Date.UTC(2029, 11, 31)
  assert.equal(authorizer.acls.bindings(), first)
  clock.nowMs = Date.UTC(2030, 0)
  assert.deepEqual(operations(), ['User:corp/x READ', 'User:corp/x WRITE'])
  clock.nowMs = Date.UTC(2031, 0)
  assert.deepEqual(operations(), ['User:corp/x READ'])
  authorizer.replace(read('user:y'))
  assert.deepEqual(operations(), ['User:corp/y READ'])
})

test('ACLs that were imported are listed as they were', () => {
  const acls = [
    { resourceType: 'TOPIC', name: 'a', patternType: 'LITERAL', principal: 'User:x', host: '*', operation: 'READ', permission: 'ALLOW' },
    {
      resourceType: 'TOPIC',
      name: 'a',
      patternType: 'PREFIXED',
      principal: 'User:x',
      host: '192.0.2.7',
      operation: 'WRITE',
      permission: 'ALLOW',
    },
    { resourceType: 'GROUP', name: '*', patternType: 'LITERAL', principal: 'User:x', host: '*', operation: 'READ', permission: 'ALLOW' },
    {
      resourceType: 'CLUSTER',
      name: 'kafka-cluster',
      patternType: 'LITERAL',
      principal: 'User:x',
      host: '*',
      operation: 'ALTER',
      permission: 'ALLOW',
    },
    {
      resourceType: 'TRANSACTIONAL_ID',
      name: 't',
      patternType: 'LITERAL',
      principal: 'User:x',
      host: '*',
      operation: 'WRITE',
      permission: 'ALLOW',
    },
    {
      resourceType: 'TOPIC',
      name: 'b',
      patternType: 'LITERAL',
      principal: 'User:x',
      host: '192.0.2.7',
      operation: 'READ',
      permission: 'DENY',
    },
    { resourceType: 'TOPIC', name: 'c', patternType: 'LITERAL', principal: 'User:*', host: '*', operation: 'READ', permission: 'DENY' },
  ]
  const { grants, rules, remarks } = importAcls(acls, name => ({ kind: 'user', name: name.replace('User:', '') }))
  assert.deepEqual(remarks, [])
  const expected = acls.map(
    a =>
      `${a.permission} ${a.principal.replace('User:x', 'User:corp/x')} ${a.operation} on ${a.resourceType} ${a.name} ${a.patternType} from ${a.host}`,
  )
  assert.deepEqual(listed(JSON.stringify({ version: 1, grants, rules })), expected.sort())
})

test('a subject is read back from the user that a store has for it', () => {
  fc.assert(fc.property(subject, one => assert.deepEqual(userSubject(subjectUser(one)), { ...one })))
  for (const user of ['team:corp/payments#member', 'user:*', 'user:corp', 'group:corp/a/b/c#member', 'role:corp/x#assignee']) {
    assert.equal(userSubject(user), null, user)
  }
})

const CLUSTER = ['Describe Cluster:kafka-cluster', 'Alter Cluster:kafka-cluster']
const acl = (name: string, operation: number): AclBinding => ({
  resourceType: Resource.Topic,
  name,
  patternType: 3,
  principal: 'Service:corp/x',
  host: '*',
  operation,
  permission: ALLOW,
})
const everything = {
  resourceTypeFilter: 1,
  resourceNameFilter: null,
  patternTypeFilter: 1,
  principalFilter: null,
  hostFilter: null,
  operation: 1,
  permissionType: 1,
}

for (let version = DescribeAcls.versions.min; version <= DescribeAcls.versions.max; version++) {
  test(`DescribeAcls v${version} lists what the filter asks for, to whom may describe the cluster`, () => {
    const acls = [acl('a', 3), acl('a', 4), acl('b', 3)]
    const told = (filter: object, allow = CLUSTER) => {
      const caller = new Given({ allow, acls })
      return answered(
        DescribeAcls,
        version,
        judge(DescribeAcls, version, request(DescribeAcls, version, { ...everything, ...filter }), caller),
      )
    }

    const all = told({})
    assert.deepEqual([all.errorCode, all.errorMessage], [0, ''])
    assert.deepEqual(
      all.resources.map((r: any) => [r.resourceName, r.acls.map((a: any) => a.operation)]),
      [
        ['a', [3, 4]],
        ['b', [3]],
      ],
    )
    assert.deepEqual(
      told({ operation: 4 }).resources.map((r: any) => r.resourceName),
      ['a'],
    )
    const refused = told({}, [])
    assert.deepEqual([refused.errorCode, refused.errorMessage, refused.resources], [31, 'Cluster authorization failed.', []])
  })

  test(`DescribeAcls v${version} waits for what the store has to be asked, and does not guess`, async () => {
    const frame = request(DescribeAcls, version, everything)
    const later = new Given({ allow: CLUSTER, acls: [acl('a', 3)], aclsKnown: 'later' })
    assert.equal(answered(DescribeAcls, version, await judgeAndWait(DescribeAcls, version, frame, later)).resources.length, 1)

    const never = new Given({ allow: CLUSTER, acls: [acl('a', 3)], aclsKnown: 'never' })
    assert.equal((await judgeAndWait(DescribeAcls, version, frame, never)).kind, 'close')
    assert.deepEqual(never.told, ['undecided Describe Cluster:kafka-cluster'])
  })
}

test('ACLs of unknown kinds close the connection, whoever asks', () => {
  const filter = {
    resourceTypeFilter: 2,
    resourceNameFilter: null,
    patternTypeFilter: 3,
    principalFilter: null,
    hostFilter: null,
    operation: 3,
    permissionType: 3,
  }
  const creation = {
    resourceType: 2,
    resourceName: 'a',
    resourcePatternType: 3,
    principal: 'User:x',
    host: '*',
    operation: 3,
    permissionType: 3,
  }
  for (const allow of [CLUSTER, []]) {
    const demand = (api: typeof DescribeAcls | typeof CreateAcls | typeof DeleteAcls, body: object) =>
      assert.throws(() => judge(api, 3, request(api, 3, body), new Given({ allow })), MalformedError)
    demand(DescribeAcls, { ...filter, operation: 0 })
    demand(CreateAcls, { creations: [creation, { ...creation, permissionType: 0 }] })
    demand(DeleteAcls, { filters: [filter, { ...filter, patternTypeFilter: 0 }] })
  }
})
