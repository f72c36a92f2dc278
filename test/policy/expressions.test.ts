// CEL in rules: every mistake is found when the policy is loaded, what an evaluation may cost is bounded, and a verdict is shared by nobody whom an expression tells apart.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Principal } from '../../src/auth/principal.ts'
import { InvalidFileError, problemText } from '../../src/base/errors.ts'
import { Operation, Resource, Verdict } from '../../src/policy/authorizer.ts'
import { Embedded } from '../../src/policy/embedded.ts'
import { Expression } from '../../src/policy/expressions.ts'
import { Names } from '../../src/policy/names.ts'
import { readPolicy } from '../../src/policy/policy-file.ts'
import { principalOf } from '../fakes/principal.ts'

const AT = Date.UTC(2026, 10, 27, 12, 0, 0)

const read = (text: string) => readPolicy([{ file: 'policy.yaml', text }], { issuers: null, generation: 1 })
const ruled = (expression: string, more = '') => `
version: 1
grants:
  - { id: all, to: anyone, allow: [produce, consume, manage], topics: ["*"] }
rules:
  - id: r
    deny: all
    everything: true
    unless: { expression: '${expression}' }
${more}`

function problemOf(expression: string): string {
  try {
    read(ruled(expression))
  } catch (error) {
    if (error instanceof InvalidFileError) return error.problems.map(problemText).join('\n')
    throw error
  }
  return 'none'
}

const somebody = (more: Partial<Principal> = {}): Principal => principalOf('user:main/lena', more)

const asker = (more: Partial<Principal> = {}) => ({
  principal: somebody(more),
  keys: new Set<string>(),
  address: '10.0.0.1',
  listener: 'a',
})
const READ_A = { operation: Operation.Read, resource: Resource.Topic, name: 'a' } as const

const sumOf = (count: number, text: string): string => Array(count).fill(text).join(' + ')

/** Where in the text, what, and the mend. */
const MISTAKES: readonly (readonly [expression: string, column: number, problem: string])[] = [
  ['claims.acr ==', 13, 'unexpected token: EOF'],
  ['claims.acr = "gold"', 11, 'unexpected character: ='],
  ['claim.acr == "gold"', 0, 'there is no claim here  did you mean claims?'],
  ['principal.group == "/a"', 10, 'there is no group here  did you mean groups?'],
  ['resource.name + 1 == "a"', 0, 'no such overload: string + int'],
  ['resource.name', 0, 'is string, not true or false  compare it with something'],
  ['resource.name.matches("(a+)+b")', 0, 'matches is not offered: some patterns take for ever  use startsWith, endsWith or contains'],
  ['cel.bind(x, "a", x == "a")', 0, 'there is no function bind here  known: '],
  ['resource.name.startWith("a")', 0, 'there is no function startWith here  did you mean startsWith?'],
  ['size(claims) > 3', 5, 'claims are read one by one  claims.acr, or claims["odd-name"]'],
  ['claims[resource.name] == "x"', 0, 'claims are read one by one  claims.acr, or claims["odd-name"]'],
  ['operation == "writes"', 13, 'writes is none of them  did you mean write?'],
  ['operation in ["read", "Write"]', 22, 'Write is none of them  did you mean write?'],
  ['resource.kind == "group"', 17, 'group is none of them  '],
  ['now.getHours("Europe/Berlni") < 8', 0, 'getHours("Europe/Berlni") cannot be'],
  ['now < timestamp("2026-13-01T00:00:00Z")', 6, 'timestamp("2026-13-01T00:00:00Z") cannot be'],
  ['principal.groups.exists(g, principal.groups.exists(h, g == h))', 0, 'may take '],
  ['principal.groups.map(g, g + g).exists(g, claims.x.split(",").exists(x, x == g))', 0, 'may take '],
  [`(${sumOf(90, 'claims.s')}).trim().split("").all(x, x == "x")`, 0, 'may take '],
  [`[${sumOf(60, 'claims.l')}][0].all(x, x == "x")`, 0, 'may take '],
  [`{"a": ${sumOf(90, 'claims.s')}}.a.split("").all(x, x == "x")`, 0, 'may take '],
  [`[${sumOf(90, 'claims.s')}].all(x, x.split("").all(y, y == "x"))`, 0, 'may take '],
  [`[principal.groups].all(x, x.all(y, y.split("").all(z, z == "x")))`, 0, 'may take '],
]

for (const [expression, column, problem] of MISTAKES) {
  test(`a policy is refused for ${expression}`, () => {
    const [first, path, ...said] = problemOf(expression).split('  ')
    assert.equal(`${first} ${path}`, `policy.yaml:9:${28 + column} rules[0].unless.expression`)
    assert.ok(said.join('  ').startsWith(problem), said.join('  '))
  })
}

test('a tree that is too large or too deep is refused', () => {
  assert.match(problemOf(Array.from({ length: 200 }, () => 'true').join(' || ')), /rules\[0\]\.unless\.expression/)
  assert.match(problemOf(`${'('.repeat(100)}true${')'.repeat(100)}`), /rules\[0\]\.unless\.expression/)
  assert.equal(problemOf(Array.from({ length: 25 }, (_, i) => `operation != "read" && resource.name != "${i}"`).join(' || ')), 'none')
})

test('what fails, and what is neither true nor false, cannot be known', () => {
  const truth = (text: string, more: Partial<Principal> = {}) => new Expression(text).truth(asker(more), AT, READ_A)
  assert.equal(truth('claims.acr == "gold"'), undefined)
  assert.equal(truth('claims.acr == "gold"', { claims: { acr: 'gold' } }), true)
  assert.equal(truth('claims.flag', { claims: { flag: 'true' } }), undefined)
  assert.equal(truth('claims.flag', { claims: { flag: true } }), true)
  assert.equal(truth('claims.level > 2', { claims: { level: 3 } }), true)
  assert.equal(truth('claims.level in [1, 2, 3]', { claims: { level: 3 } }), true)
  assert.equal(truth('claims.level > 2', { claims: { level: 'high' } }), undefined)
  assert.equal(truth('claims.a.b == "x"', { claims: { a: 'x' } }), undefined)
  assert.equal(truth('claims.toString == "x"'), undefined)
  assert.equal(truth('claims.hasOwnProperty == "x"'), undefined)
  assert.equal(truth('claims.acr == "gold"', { claims: JSON.parse('{"__proto__":{"acr":"gold"}}') }), undefined)
  assert.equal(truth('1 / 0 == 1 || true'), true)
})

test('lists and texts longer than loops may go through count against the caller; where nothing loops they may be as long as they are', () => {
  const loops = new Expression('principal.groups.exists(g, g == "/a")')
  const plain = new Expression('"/a" in principal.groups')
  const groups = ['/a', ...Array.from({ length: 1_024 }, (_, i) => `/g${i}`)]
  assert.deepEqual(
    [loops, plain].map(one => one.truth(asker({ groups: groups.slice(0, 1_024) }), AT, READ_A)),
    [true, true],
  )
  assert.deepEqual(
    [loops, plain].map(one => one.truth(asker({ groups }), AT, READ_A)),
    [undefined, true],
  )
  assert.equal(loops.truth(asker({ groups: ['/a'], claims: { scope: 'x'.repeat(1_025) } }), AT, READ_A), undefined)
})

test('the most expensive expressions that are accepted take no more than 250 ms of the processor', () => {
  const groups = Array.from({ length: 1_024 }, (_, i) => `/group/${i}`)
  const claims = { list: Array.from({ length: 1_024 }, (_, i) => `/other/${i}`), text: 'x'.repeat(1_024) }
  const worst = [
    'principal.groups.exists(g, g in claims.list)',
    'principal.groups.exists(g, claims.text.contains(g) || claims.text.endsWith(g))',
    'claims.text.split("").all(c, c + c != c + c + c)',
    'principal.groups.map(g, g + g + g).filter(g, g.size() > 5000).size() > 0',
    'now.getHours("Europe/Berlin") + now.getMinutes("Asia/Kathmandu") + now.getDayOfWeek("UTC") > 200',
  ]
  for (const text of worst) {
    const expression = new Expression(text)
    const about = asker({ groups, claims })
    const tookMs = [1, 2, 3].map(() => {
      const before = process.cpuUsage()
      assert.notEqual(expression.truth(about, AT, READ_A), undefined, text)
      return process.cpuUsage(before).user / 1_000
    })
    assert.ok(Math.min(...tookMs) < 250, `${text}: ${tookMs} ms`)
  }
})

const policyOf = (expression: string, rest = '') => read(ruled(expression, rest))

function judge(document: ReturnType<typeof read>) {
  const names = new Names()
  const clock = { nowMs: AT }
  const authorizer = new Embedded(document, { names, clock })
  const may = (p: Principal, operation: Operation, topic: string, origin = { listener: 'a', address: '10.0.0.1' }) =>
    authorizer.rights(p, origin).check(operation, names.text(Resource.Topic, topic)) === Verdict.Allowed
  return { may, clock, authorizer, names }
}

test('a claim whose name has a dot is not taken for one within another', () => {
  const { may } = judge(policyOf('claims["a.b"] == "gold"'))
  assert.equal(may(somebody({ claims: { 'a.b': 'gold' } }), Operation.Read, 't'), true)
  assert.equal(may(somebody({ claims: { a: { b: 'gold' } } }), Operation.Read, 't'), false)
})

test('nobody shares the verdicts of somebody whom an expression tells apart', () => {
  const byClaim = judge(policyOf('has(claims.team) && claims.team == "a"')).may
  assert.deepEqual(
    [byClaim(somebody({ claims: { team: 'a' } }), Operation.Read, 't'), byClaim(somebody(), Operation.Read, 't')],
    [true, false],
  )
  const byNull = judge(policyOf('has(claims.team)')).may
  assert.deepEqual(
    [byNull(somebody({ claims: { team: null } }), Operation.Read, 't'), byNull(somebody(), Operation.Read, 't')],
    [true, false],
  )
  const byActor = judge(policyOf('principal.actor != "mallory"')).may
  const actedFor = (by: string) => somebody({ acting: { kind: 'impersonation', by } })
  assert.deepEqual([byActor(actedFor('boss'), Operation.Read, 't'), byActor(actedFor('mallory'), Operation.Read, 't')], [true, false])
  const byAddress = judge(policyOf('client.address == "10.0.0.1"')).may
  const from = (address: string, listener = 'a') => ({ listener, address })
  assert.deepEqual(
    [from('10.0.0.1'), from('10.0.0.2'), from('')].map(origin => byAddress(somebody(), Operation.Read, 't', origin)),
    [true, false, false],
  )
  const byListener = judge(policyOf('client.listener == "inside"')).may
  assert.deepEqual(
    [from('10.0.0.1', 'inside'), from('10.0.0.1', 'outside')].map(origin => byListener(somebody(), Operation.Read, 't', origin)),
    [true, false],
  )
})

test('an expression that reads the name or the operation is asked about each', () => {
  const { may, authorizer, names } = judge(policyOf('resource.name.startsWith(principal.name + ".") && operation != "delete"'))
  assert.ok(may(somebody(), Operation.Write, 'lena.a'))
  assert.ok(!may(somebody(), Operation.Delete, 'lena.a'))
  assert.ok(!may(somebody(), Operation.Write, 'lenas'))
  const rights = authorizer.rights(somebody(), { listener: 'a', address: '10.0.0.1' })
  assert.equal(rights.explain(Operation.Write, names.text(Resource.Topic, 'lenas')).rule, 'r')
  assert.equal(rights.explain(Operation.Write, names.text(Resource.Topic, 'lena.a')).grant, 'all')
  assert.ok(rights.denies(Operation.Describe, names.text(Resource.Group, 'g')))
  assert.ok(!rights.denies(Operation.Describe, names.text(Resource.Group, 'lena.g')))
})

test('an expression that reads the clock is asked again every second, and rights that it moves move the epoch', () => {
  const { clock, authorizer, names } = judge(policyOf(`now < timestamp("${new Date(AT + 2_000).toISOString()}")`))
  const rights = authorizer.rights(somebody(), { listener: 'a', address: '10.0.0.1' })
  const topic = names.text(Resource.Topic, 't')
  const before = rights.epoch
  assert.equal(rights.check(Operation.Read, topic), Verdict.Allowed)
  clock.nowMs = AT + 1_999
  assert.deepEqual([rights.check(Operation.Read, topic), rights.epoch], [Verdict.Allowed, before])
  clock.nowMs = AT + 2_000
  assert.equal(rights.check(Operation.Read, topic), Verdict.Refused)
  assert.notEqual(rights.epoch, before)
})

test('a rule in shadow with an expression is only recorded', () => {
  const told: string[] = []
  const names = new Names()
  const document = readPolicy(
    [
      {
        file: 'policy.yaml',
        text: ruled('resource.name == "a"').replace('    unless', '    shadow: { until: 2030-01-01T00:00:00Z }\n    unless'),
      },
    ],
    { issuers: null, generation: 1 },
  )
  const authorizer = new Embedded(document, {
    names,
    clock: { nowMs: AT },
    wouldRefuse: (_, __, ___, name, { shadow }) => told.push(`${name.text} ${shadow}`),
  })
  const rights = authorizer.rights(somebody(), { listener: '', address: '' })
  const verdicts = ['a', 'b'].map(topic => rights.check(Operation.Read, names.text(Resource.Topic, topic)))
  assert.deepEqual(verdicts, [Verdict.Allowed, Verdict.Allowed])
  assert.deepEqual(told, ['b r'])
})

test('whoever reads the address in an expression must say where clients come from', () => {
  assert.equal(policyOf('client.address == "10.0.0.1"').readsAddress, true)
  assert.equal(policyOf('client.listener == "inside"').readsAddress, false)
})
