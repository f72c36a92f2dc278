// Policy files: what they mean, and the exact words for every mistake.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { InvalidFileError, problemText } from '../../src/base/errors.ts'
import { readPolicy } from '../../src/policy/policy-file.ts'
import { failureText, runTests } from '../../src/policy/policy-tests.ts'

const CONTEXT = { issuers: [{ alias: 'corp', organizationRoles: ['auditor'] }], listeners: ['clients', 'partners'], generation: 1 }

const read = (text: string, context: Parameters<typeof readPolicy>[1] = CONTEXT) => readPolicy([{ file: 'policy.yaml', text }], context)

function problems(...texts: string[]): string[] {
  try {
    readPolicy(
      texts.map((text, i) => ({ file: texts.length === 1 ? 'policy.yaml' : `${i}.yaml`, text })),
      CONTEXT,
    )
  } catch (error) {
    if (error instanceof InvalidFileError) return error.problems.map(problemText)
    throw error
  }
  return []
}

const grant = (rest: string) => `version: 1\ngrants:\n  - id: g\n    ${rest.split('\n').join('\n    ')}\n`
const rule = (rest: string) => `version: 1\nrules:\n  - id: r\n    ${rest.split('\n').join('\n    ')}\n`

const BAD: readonly (readonly [string, string, readonly string[]])[] = [
  ['an empty file', '', ['policy.yaml:1:1  .  must be a map, not nothing']],
  ['a list', '- a\n', ['policy.yaml:1:1  .  must be a map, not a list']],
  ['no version', 'grants: []\n', ['policy.yaml:1:1  version  is missing']],
  ['another version', 'version: 2\n', ['policy.yaml:1:10  version  must be 1']],
  ['an unknown key', 'version: 1\ngrant: []\n', ['policy.yaml:2:1  grant  unknown key  did you mean grants?']],
  [
    'two equal keys',
    'version: 1\npeople: { lena: a, lena: b }\n',
    ['policy.yaml:2:20  .  this key stands twice in one map  keep one of them'],
  ],
  [
    'a merge key',
    'version: 1\nx: &x { a: b }\npeople: { <<: *x }\n',
    [
      'policy.yaml:2:1  x  unknown key  known: version, issuer, people, networks, shadow, grants, rules, tests, delegate, require',
      'policy.yaml:3:11  people["<<"]  this key has the wrong form  letters, digits and . _ @ + -',
    ],
  ],
  ['two documents', 'version: 1\n---\nversion: 1\n', ['policy.yaml:2:1  .  holds more than one document']],
  [
    'an unknown tag',
    'version: !env V\n',
    ['policy.yaml:1:10  .  is not YAML: unresolved tag: !env', 'policy.yaml:1:15  version  must be 1'],
  ],
  [
    'no id and no principal',
    'version: 1\ngrants: [{ allow: produce, topics: [a] }]\n',
    ['policy.yaml:2:10  grants[0].id  is missing', 'policy.yaml:2:10  grants[0].to  is missing'],
  ],
  [
    'an id with capitals',
    'version: 1\ngrants: [{ id: Orders, to: anyone, allow: produce, topics: [a] }]\n',
    ['policy.yaml:2:16  grants[0].id  is not an id  1 to 63 of a-z, 0-9 and -'],
  ],
  [
    'the id of a subscription',
    'version: 1\ngrants: [{ id: sub-1, to: anyone, allow: produce, topics: [a] }]\n',
    ['policy.yaml:2:16  grants[0].id  ids that begin with sub- belong to approved subscriptions  choose another'],
  ],
  [
    'a principal without a kind',
    grant('to: orders\nallow: produce\ntopics: [a]'),
    [
      'policy.yaml:4:9  grants[0].to  orders is not a principal  write user:, person:, service:, group:, role:, client-role:, org: or anyone',
    ],
  ],
  [
    'a principal of an unknown kind',
    grant('to: [service:a, grop:x]\nallow: produce\ntopics: [a]'),
    [
      'policy.yaml:4:21  grants[0].to[1]  grop: is not a kind of principal  write user:, person:, service:, group:, role:, client-role:, org: or anyone',
    ],
  ],
  [
    'a group without a slash',
    grant('to: group:finance\nallow: produce\ntopics: [a]'),
    ['policy.yaml:4:9  grants[0].to  group finance has no leading /  group paths are full: group:/finance'],
  ],
  [
    'a star within a group',
    grant('to: group:/a/*\nallow: produce\ntopics: [a]'),
    ['policy.yaml:4:9  grants[0].to  group /a/* has a * that means nothing  only a last /** stands for all groups below'],
  ],
  [
    'a role with a slash',
    grant('to: role:kafka/operator\nallow: produce\ntopics: [a]'),
    ['policy.yaml:4:9  grants[0].to  role:kafka/operator is ambiguous  client-role:<client>/<role>, or { role: "kafka/operator" }'],
  ],
  [
    'an unknown person',
    grant('to: person:lena\nallow: produce\ntopics: [a]'),
    ['policy.yaml:4:9  grants[0].to  person lena is not in people  nothing may stand here'],
  ],
  [
    'an unmapped role of an organization',
    grant('to: org:acme#owner\nallow: produce\ntopics: [a]'),
    ['policy.yaml:4:9  grants[0].to  the issuer corp maps no role owner in organizations  known: auditor'],
  ],
  [
    'an unknown issuer of a principal',
    grant('to: { role: x, issuer: partner }\nallow: produce\ntopics: [a]'),
    ['policy.yaml:4:9  grants[0].to  no issuer has the alias partner  known: corp'],
  ],
  [
    'an unknown issuer of the file',
    'version: 1\nissuer: crop\n',
    ['policy.yaml:2:9  issuer  no issuer has the alias crop  did you mean corp?'],
  ],
  [
    'an unknown verb',
    grant('to: anyone\nallow: prodce\ntopics: [a]'),
    ['policy.yaml:5:12  grants[0].allow  prodce is not known here  did you mean produce?'],
  ],
  [
    'a verb that says nothing on a kind',
    grant('to: anyone\nallow: produce\ntopics: [a]\nconsumerGroups: [b]'),
    [
      'policy.yaml:7:21  grants[0].consumerGroups  produce says nothing about consumerGroups  leave consumerGroups out, or grant it by another verb',
    ],
  ],
  [
    'operations on two kinds',
    grant('to: anyone\nallow: read\ntopics: [a]\nconsumerGroups: [b]'),
    ['policy.yaml:5:12  grants[0].allow  read: operations are granted on one kind of resource  make it one grant a kind'],
  ],
  [
    'an operation that a kind has not',
    grant('to: anyone\nallow: [read, idempotent_write]\ntopics: [a]'),
    ['policy.yaml:5:12  grants[0].allow  idempotent_write does not exist on topics'],
  ],
  [
    'no resource',
    grant('to: anyone\nallow: produce'),
    ['policy.yaml:3:5  grants[0]  names no resource  add topics, consumerGroups, transactionalIds or cluster: true'],
  ],
  [
    'a star in the middle',
    grant('to: anyone\nallow: produce\ntopics: ["a*b"]'),
    ['policy.yaml:6:14  grants[0].topics[0]  a*b has a * that is not at its end  { literal: "a*b" } if the name really has it'],
  ],
  [
    'a time without an offset',
    grant('to: anyone\nallow: produce\ntopics: [a]\nuntil: 2026-12-01T00:00:00'),
    ['policy.yaml:7:12  grants[0].until  is not a time with an offset  write it as 2026-12-01T00:00:00+01:00, or with Z'],
  ],
  [
    'a day that does not exist',
    grant('to: anyone\nallow: produce\ntopics: [a]\nuntil: 2026-02-30T00:00:00Z'),
    ['policy.yaml:7:12  grants[0].until  2026-02-30T00:00:00Z does not exist'],
  ],
  [
    'an end before the beginning',
    grant('to: anyone\nallow: produce\ntopics: [a]\nsince: 2026-02-02T00:00:00Z\nuntil: 2026-02-02T00:00:00+01:00'),
    ['policy.yaml:8:12  grants[0].until  is not after since'],
  ],
  [
    'an unknown network',
    grant('to: anyone\nallow: produce\ntopics: [a]\nfrom: [office]'),
    ['policy.yaml:7:12  grants[0].from[0]  network office is not in networks  nothing may stand here'],
  ],
  [
    'a network with bits set behind its length',
    'version: 1\nnetworks: { offices: [10.20.0.1/16] }\n',
    [
      'policy.yaml:2:23  networks.offices[0]  10.20.0.1/16 is not a network: 10.20.0.1 has bits set after the first 16  write it as 10.20.0.0/16',
    ],
  ],
  [
    'hours without a zone',
    grant('to: anyone\nallow: produce\ntopics: [a]\nhours: [{ between: 08:00-18:00 }]'),
    ['policy.yaml:7:13  grants[0].hours[0].zone  is missing'],
  ],
  [
    'a zone that is none',
    grant('to: anyone\nallow: produce\ntopics: [a]\nhours: [{ between: 08:00-18:00, zone: Mars/Base }]'),
    ['policy.yaml:7:13  grants[0].hours[0]  zone: Mars/Base is not a time zone  an IANA name, as Europe/Berlin or UTC'],
  ],
  [
    'a rule about nothing',
    rule('deny: all'),
    ['policy.yaml:3:5  rules[0]  names no resource  add topics, consumerGroups, transactionalIds or cluster: true, or everything: true'],
  ],
  [
    'a rule about everything and topics',
    rule('deny: all\neverything: true\ntopics: [a]'),
    ['policy.yaml:6:13  rules[0].topics  is part of everything already  leave one of them out'],
  ],
  ['a shadow without an end', rule('deny: all\neverything: true\nshadow: {}'), ['policy.yaml:6:13  rules[0].shadow.until  is missing']],
  [
    'a shadow on no listener',
    'version: 1\nshadow: [{ topics: [a], until: 2030-01-01T00:00:00Z, listeners: [] }]\n',
    ['policy.yaml:2:65  shadow[0].listeners  must not be empty'],
  ],
  [
    'a shadow on a listener that there is not',
    'version: 1\nshadow: [{ topics: [a], until: 2030-01-01T00:00:00Z, listeners: [clients, partner] }]\n',
    ['policy.yaml:2:75  shadow[0].listeners[1]  no listener has the name partner  did you mean partners?'],
  ],
  [
    'a condition that says nothing',
    rule('deny: all\neverything: true\nwhen: {}'),
    ['policy.yaml:6:11  rules[0].when  says nothing  add acting, claims, from, hours or expression'],
  ],
  [
    'a test that asks an unknown kind',
    'version: 1\ntests: [{ as: { service: x }, can: ["produce topics:a"] }]\n',
    ['policy.yaml:2:37  tests[0].can[0]  topics is not a kind of resource  did you mean topic?'],
  ],
  [
    'a test of a verb that says nothing',
    'version: 1\ntests: [{ as: { service: x }, can: ["produce consumerGroup:a"] }]\n',
    ['policy.yaml:2:37  tests[0].can[0]  produce says nothing about a consumerGroup'],
  ],
  [
    'a test as nobody',
    'version: 1\ntests: [{ as: { groups: [/a] }, can: ["produce topic:a"] }]\n',
    ['policy.yaml:2:15  tests[0].as  must name one of user, person and service'],
  ],
]

for (const [what, text, expected] of BAD) {
  test(`${what} is refused with its place and a mend`, () => {
    assert.deepEqual(problems(text), expected)
  })
}

test('all problems of a file come at once, in its order', () => {
  const text = 'version: 1\ngrants:\n  - { id: A, to: x, allow: y }\n  - { id: b, to: x, allow: produce }\nruls: []\n'

  assert.deepEqual(
    problems(text).map(line => line.split('  ').slice(0, 2).join(' ')),
    [
      'policy.yaml:3:11 grants[0].id',
      'policy.yaml:3:28 grants[0].allow',
      'policy.yaml:4:5 grants[1]',
      'policy.yaml:4:18 grants[1].to',
      'policy.yaml:5:1 ruls',
    ],
  )
})

test('two files that define one id are refused with both places', () => {
  const one = grant('to: anyone\nallow: produce\ntopics: [a]')

  assert.deepEqual(problems(one, one), ['1.yaml:3:9  grants[0].id  the id g already stands at 0.yaml:3  ids stand once'])
})

test('aliases of aliases are refused before they fill the memory', () => {
  const lines = ['version: 1', 'a0: &a0 [x, x, x, x, x, x, x, x, x]']
  for (let i = 1; i < 12; i++)
    lines.push(
      `a${i}: &a${i} [${Array(9)
        .fill(`*a${i - 1}`)
        .join(', ')}]`,
    )

  assert.deepEqual(problems(lines.join('\n')), [
    'policy.yaml:1:1  .  has too many aliases, or aliases of aliases  at most 100 are followed',
  ])
})

test('a file of more than 1 MiB is refused unread', () => {
  assert.deepEqual(problems(`version: 1\n# ${'x'.repeat(1024 * 1024)}`), ['policy.yaml:1:1  .  is larger than 1 MiB  split it'])
})

test('several issuers, and a file that does not say whose names it uses, are refused', () => {
  const issuers = ['corp', 'partner'].map(alias => ({ alias, organizationRoles: [] }))

  assert.throws(
    () => read('version: 1\n', { issuers, generation: 1 }),
    /issuer {2}is missing, and there are several issuers {2}one of corp, partner/,
  )
  assert.equal(
    read('version: 1\nissuer: partner\ngrants: [{ id: g, to: anyone, allow: observe, cluster: true }]', { issuers, generation: 1 })
      .grants[0]!.to[0]!.issuer,
    'partner',
  )
})

test('principals of every kind are read', () => {
  const { grants } = read(`version: 1
people: { lena: 0b5c }
grants:
  - id: g
    to: [user:a/b, person:lena, "service:my:client", group:/x, group:/x/**, "group:/**", role:r, client-role:kafka/op, org:acme, "org:acme#auditor", anyone,
         { role: a/b }, { client: a/b, role: c/d }, { org: "a#b" }, { org: acme, role: auditor }, { service: a, issuer: corp }]
    allow: observe
    cluster: true
`)
  const issuer = 'corp'
  assert.deepEqual(grants[0]!.to, [
    { kind: 'user', issuer, name: 'a/b' },
    { kind: 'user', issuer, name: '0b5c' },
    { kind: 'service', issuer, name: 'my:client' },
    { kind: 'group', issuer, name: '/x' },
    { kind: 'groupBelow', issuer, name: '/x' },
    { kind: 'groupBelow', issuer, name: '' },
    { kind: 'realmRole', issuer, name: 'r' },
    { kind: 'clientRole', issuer, client: 'kafka', name: 'op' },
    { kind: 'org', issuer, name: 'acme' },
    { kind: 'orgRole', issuer, org: 'acme', name: 'auditor' },
    { kind: 'anyone', issuer },
    { kind: 'realmRole', issuer, name: 'a/b' },
    { kind: 'clientRole', issuer, client: 'a/b', name: 'c/d' },
    { kind: 'org', issuer, name: 'a#b' },
    { kind: 'orgRole', issuer, org: 'acme', name: 'auditor' },
    { kind: 'service', issuer, name: 'a' },
  ])
})

test('a document is plain data with the place of each grant and rule', () => {
  const document = read(readFileSync('config/policy.example.yaml', 'utf8'))

  assert.deepEqual(structuredClone(document), document)
  assert.deepEqual(document.grants[0]!.place, { file: 'policy.yaml', line: 22, col: 5 })
  assert.equal(document.readsAddress, true)
})

test("the example's tests pass, and a test that does not come out says who, what and why", () => {
  const text = readFileSync('config/policy.example.yaml', 'utf8')
  assert.deepEqual(runTests(read(text), 0).failures, [])

  const wrong = `${text}
  - as: { service: orders-service }
    can: ["consume topic:orders.created"]
    cannot: ["produce topic:orders.created"]
`
  const { failures } = runTests(read(wrong), 0)

  assert.deepEqual(failures.map(failureText), [
    `policy.yaml:${text.split('\n').length + 1}:5  tests.can  service:orders-service cannot consume topic:orders.created: read is refused  no grant`,
    `policy.yaml:${text.split('\n').length + 1}:5  tests.cannot  service:orders-service can produce topic:orders.created: write is allowed  grant orders-write`,
  ])
})

test('a shadow is on the listeners that it names, or on all', () => {
  const text = `version: 1
shadow:
  - { topics: [a], until: 2030-01-01T00:00:00Z }
  - { topics: [b], until: 2030-01-01T00:00:00Z, listeners: partners }
  - { topics: [c], until: 2030-01-01T00:00:00Z, listeners: [clients, partners] }
`
  const listeners = (context: Parameters<typeof readPolicy>[1]) => read(text, context).shadows.map(shadow => shadow.listeners)

  assert.deepEqual(listeners(CONTEXT), [null, ['partners'], ['clients', 'partners']])
  assert.deepEqual(listeners({ issuers: null, generation: 1 }), listeners(CONTEXT))
})

test('tests are judged without shadows: a rule in shadow refuses, a missing grant is missing', () => {
  const { failures } = runTests(
    read(`version: 1
shadow: [{ topics: ["legacy.*"], until: 2030-01-01T00:00:00Z }, { topics: [b], until: 2030-01-01T00:00:00Z, listeners: [clients] }]
grants: [{ id: all, to: anyone, allow: produce, topics: ["a*"] }]
rules: [{ id: no-a, deny: all, topics: [a], shadow: { until: 2030-01-01T00:00:00Z } }]
tests: [{ as: { service: x }, at: 2027-01-01T00:00:00Z, cannot: ["produce topic:legacy.a", "produce topic:b", "produce topic:a"], can: ["produce topic:ab"] }]
`),
    0,
  )
  assert.deepEqual(failures, [])
})
