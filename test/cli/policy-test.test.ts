// `topicgate policy test`: tests in the policy and beside it, and the forms in which their results are told.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { files, topicgate } from './command.ts'

const POLICY = `version: 1
people: { lena: 0b5c7a52 }
grants:
  - { id: readers, to: person:lena, allow: consume, topics: [a] }
  - { id: untested, to: anyone, allow: observe, topics: ["*"] }
tests:
  - { name: lena reads, as: { person: lena }, can: ["consume topic:a"] }
`
const BESIDE = `version: 1
tests:
  - as: { person: lena }
    can: ["produce topic:a", "read topic:a"]
    cannot: ["read topic:b"]
  - { name: '<"&> strangers', as: { service: x }, cannot: ["consume topic:a"] }
`

test('tests beside the policy are judged by it, and speak of its people', async t => {
  const at = files(t, { 'policy.yaml': POLICY, 'beside.yaml': BESIDE })

  const { status, stdout, stderr } = await topicgate('policy', 'test', at['policy.yaml'], '--tests', at['beside.yaml'])

  assert.deepEqual([status, stdout], [4, '3 tests, 5 questions, 1 failed\n'])
  assert.equal(stderr, `${at['beside.yaml']}:3:5  tests.can  user:0b5c7a52 cannot produce topic:a: write is refused  no grant\n`)
})

test('a tree shows each test, what went wrong, and the grants that no test touches', async t => {
  const at = files(t, { 'policy.yaml': POLICY, 'beside.yaml': BESIDE })

  const { stdout } = await topicgate('policy', 'test', at['policy.yaml'], '--tests', at['beside.yaml'], '--format', 'tree')

  assert.equal(
    stdout,
    `${at['policy.yaml']}
  ok    lena reads  1 question
${at['beside.yaml']}
  FAIL  user:0b5c7a52 (line 3)  3 questions
        can produce topic:a: write is refused (no grant)
  ok    <"&> strangers  1 question
grants that no test touches
  ${at['policy.yaml']}:5  untested
3 tests, 5 questions, 1 failed
`,
  )
})

test('build servers read JUnit, programs read JSON', async t => {
  const at = files(t, { 'policy.yaml': POLICY, 'beside.yaml': BESIDE })
  const run = ['policy', 'test', at['policy.yaml'], '--tests', at['beside.yaml']]

  const junit = await topicgate(...run, '--format', 'junit')
  const json = await topicgate(...run, '--json')

  assert.match(junit.stdout, /^<\?xml version="1.0" encoding="UTF-8"\?>\n<testsuites tests="3" failures="1">\n/)
  assert.ok(junit.stdout.includes('<failure message="can produce topic:a: write is refused (no grant)">'))
  assert.ok(junit.stdout.includes('name="&lt;&quot;&amp;&gt; strangers"'))
  assert.deepEqual(
    JSON.parse(json.stdout).map((entry: { name: string; ok: boolean; operation?: string }) => [entry.name, entry.ok, entry.operation]),
    [
      ['lena reads', true, undefined],
      [undefined, false, 'write'],
      ['<"&> strangers', true, undefined],
    ],
  )
  assert.equal(json.status, 4)
})

test('a file of tests may grant nothing', async t => {
  const at = files(t, {
    'policy.yaml': POLICY,
    'beside.yaml': 'version: 1\ngrants: [{ id: x, to: anyone, allow: consume, topics: [b] }]\n',
  })

  const { status, stderr } = await topicgate('policy', 'test', at['policy.yaml'], '--tests', at['beside.yaml'])

  assert.deepEqual([status, stderr], [3, `${at['beside.yaml']}:2:9  grants  may not stand in a file of tests  move it to the policy\n`])
})
