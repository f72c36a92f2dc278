// Delegated ownership: files below a path may say only what is delegated to them, and cannot widen it by any key.

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { InvalidFileError } from '../../src/base/errors.ts'
import { loadPolicy, policyFiles, policyHash } from '../../src/policy/policy-file.ts'

const ROOT = `version: 1
networks: { offices: [10.0.0.0/8] }
people: { lena: 0b5c }
delegate:
  "teams/payments/*": { topics: ["payments.*"], consumerGroups: ["payments-*"] }
  "teams/search.yaml": { topics: [search], cluster: true }
  "security/**": { everything: true }
`

/** A policy folder with these files. */
function folder(t: TestContext, files: Readonly<Record<string, string>>): string {
  const path = mkdtempSync(join(tmpdir(), 'topicgate-'))
  t.after(() => rmSync(path, { recursive: true }))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true })
    writeFileSync(join(path, name), text.startsWith('version') ? text : `version: 1\n${text}`)
  }
  return path
}

function problems(t: TestContext, files: Readonly<Record<string, string>>): string[] {
  const path = folder(t, files)
  try {
    loadPolicy(path, { issuers: null, generation: 1 })
    return []
  } catch (why) {
    if (!(why instanceof InvalidFileError)) throw why
    return why.problems.map(({ file, path: at, problem }) => `${file.slice(path.length + 1)} ${at}: ${problem}`)
  }
}

const OUTSIDE = 'lies outside of what is delegated here'

test('what lies inside of what is delegated is good, whichever file of the path says it', t => {
  assert.deepEqual(
    problems(t, {
      'root.yaml': ROOT,
      'teams/payments/cards.yaml': `grants:
  - { id: a, to: group:/cards, allow: [produce, consume], topics: [payments.cards, "payments.cards.*"], consumerGroups: ["payments-cards*"], from: offices }
  - { id: b, to: person:lena, allow: manage, topics: ["payments.*"] }
rules: [{ id: r, deny: all, topics: ["payments.secret.*"], except: group:/cards }]
shadow: [{ topics: ["payments.old.*"], until: 2030-01-01T00:00:00Z }]
`,
      'teams/payments/deep/er.yaml': 'grants: [{ id: c, to: role:x, allow: consume, topics: [payments.x] }]\n',
      'teams/search.yaml': 'grants: [{ id: d, to: role:x, allow: manage, topics: [search], cluster: true }]\n',
      'security/rules.yaml': 'rules: [{ id: s, deny: change, everything: true, when: { acting: impersonation } }]\n',
    }),
    [],
  )
})

test('whatever lies outside is refused, be it granted, denied or let through', t => {
  assert.deepEqual(
    problems(t, {
      'root.yaml': ROOT,
      'teams/payments/cards.yaml': `grants: [{ id: a, to: role:x, allow: consume, topics: [payments.x] }, { id: b, to: role:x, allow: consume, topics: ["payments*"] }]
rules: [{ id: r, deny: all, topics: [orders] }, { id: q, deny: all, everything: true }]
shadow: [{ topics: ["*"], until: 2030-01-01T00:00:00Z }]
`,
      'teams/payments/cluster.yaml': `grants:
  - { id: c, to: role:x, allow: manage, cluster: true }
  - { id: d, to: role:x, allow: produce, topics: [payments.x], transactionalIds: ["payments-*"] }
`,
      'teams/search.yaml': 'grants: [{ id: e, to: role:x, allow: consume, topics: ["search*"] }]\n',
    }),
    [
      `teams/payments/cards.yaml grants[1]: topic:payments* ${OUTSIDE}`,
      `teams/payments/cards.yaml rules[0]: topic:orders ${OUTSIDE}`,
      `teams/payments/cards.yaml rules[1]: topic:* ${OUTSIDE}`,
      `teams/payments/cards.yaml rules[1]: consumerGroup:* ${OUTSIDE}`,
      `teams/payments/cards.yaml rules[1]: transactionalId:* ${OUTSIDE}`,
      `teams/payments/cards.yaml rules[1]: cluster ${OUTSIDE}`,
      `teams/payments/cards.yaml shadow[0]: topic:* ${OUTSIDE}`,
      `teams/payments/cluster.yaml grants[0]: cluster ${OUTSIDE}`,
      `teams/payments/cluster.yaml grants[1]: transactionalId:payments-* ${OUTSIDE}`,
      `teams/search.yaml grants[0]: topic:search* ${OUTSIDE}`,
    ],
  )
})

test('a file cannot delegate to itself, and one that nobody names may say nothing', t => {
  assert.deepEqual(
    problems(t, {
      'root.yaml': ROOT,
      'teams/payments/cards.yaml': 'delegate: { "teams/*": { everything: true } }\nrequire: until\n',
      'teams/other.yaml': 'grants: [{ id: a, to: role:x, allow: consume, topics: [payments.x] }]\n',
    }),
    [
      'teams/other.yaml : nothing is delegated to this file',
      'teams/payments/cards.yaml delegate: may stand only in a file at the root of the policy folder',
      'teams/payments/cards.yaml require: may stand only in a file at the root of the policy folder',
    ],
  )
})

test('shares that lie in one another hold together: the narrower one counts, in any order', t => {
  const wide = '"teams/*": { topics: ["*"] }'
  const narrow = '"teams/payments/*": { topics: ["payments.*"] }'
  for (const both of [`${wide}, ${narrow}`, `${narrow}, ${wide}`]) {
    assert.deepEqual(
      problems(t, {
        'root.yaml': `version: 1\ndelegate: { ${both} }\n`,
        'teams/payments/a.yaml': 'grants: [{ id: a, to: role:x, allow: consume, topics: [orders] }]\n',
      }),
      [`teams/payments/a.yaml grants[0]: topic:orders ${OUTSIDE}`],
    )
  }
})

test('people and networks of a delegated file are its own: nobody else is made to trust them', t => {
  const found = problems(t, {
    'root.yaml':
      'version: 1\ndelegate: { "teams/*": { topics: ["t.*"] } }\ngrants: [{ id: a, to: person:boss, allow: consume, topics: [x], from: lab }]\n',
    'teams/a.yaml':
      'people: { boss: mallory }\nnetworks: { lab: [0.0.0.0/0] }\ngrants: [{ id: b, to: person:boss, allow: consume, topics: [t.x], from: lab }]\n',
  })

  assert.deepEqual(found, [
    'root.yaml grants[0].to: person boss is not in people',
    'root.yaml grants[0].from: network lab is not in networks',
  ])
})

test('a root file may demand an end, a reason and an owner of every grant', t => {
  assert.deepEqual(
    problems(t, {
      'root.yaml':
        'require: [until, owner]\ngrants: [{ id: a, to: role:x, allow: consume, topics: [x], owner: me, until: 2030-01-01T00:00:00Z }]\n',
      'more/b.yaml': 'grants: [{ id: b, to: role:x, allow: consume, topics: [x], why: because }]\n',
    }),
    ['more/b.yaml grants[0].until: is missing', 'more/b.yaml grants[0].owner: is missing'],
  )
})

test('a folder in which nobody delegates is one policy', t => {
  assert.deepEqual(
    problems(t, {
      'a.yaml': 'grants: [{ id: a, to: person:lena, allow: consume, topics: [x] }]\n',
      'more/b.yaml': 'people: { lena: 0b5c }\ngrants: [{ id: b, to: role:x, allow: manage, cluster: true }]\n',
    }),
    [],
  )
})

test('a file that moves to another folder is another policy', t => {
  const path = folder(t, { 'root.yaml': 'version: 1\n', 'a/x.yaml': 'version: 1\n', 'b/y.yaml': 'version: 1\n' })
  const before = policyHash(policyFiles(path))
  assert.equal(loadPolicy(path, { issuers: null, generation: 1 }).hash, before)

  renameSync(join(path, 'a/x.yaml'), join(path, 'b/x.yaml'))

  assert.notEqual(policyHash(policyFiles(path)), before)
})
