// `topicgate policy lint`, `report` and `diff` as people and programs run them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { files, topicgate } from './command.ts'

const OLD = `version: 1
grants: [{ id: a, to: role:r, allow: read, topics: [x, "x*"] }]
tests: [{ as: { service: s, roles: [r] }, can: ["read topic:x"] }]
`
const NEW = 'version: 1\ngrants: [{ id: a, to: role:r, allow: read, topics: [x] }]\n'
const LINE = {
  time: '2027-01-04T09:00:00.000Z',
  id: '1',
  verdict: 'would_refuse',
  reason: 'no grant, in shadow',
  principal: 'service:corp/etl',
  act: null,
  client: { address: '10.0.0.1', listener: 'clients' },
  operation: 'write',
  resource: { kind: 'topic', name: 'legacy.a' },
  grant: null,
  rule: null,
}

test('lint says what it found with its place, and ends with 3 only when it is strict', async t => {
  const at = files(t, { 'policy.yaml': OLD })

  const text = await topicgate('policy', 'lint', at['policy.yaml'])
  const strict = await topicgate('policy', 'lint', '--policy', at['policy.yaml'], '--strict', '--json')

  const where = `${at['policy.yaml']}:2:10  grants.a`
  assert.deepEqual(text, {
    status: 0,
    stdout: `${where}  topic:x lies in topic:x*, which it covers too  leave the narrower one out  [shadowed-pattern]\n`,
    stderr: '',
  })
  assert.deepEqual([strict.status, JSON.parse(strict.stdout)[0].code], [3, 'shadowed-pattern'])
})

test('report prints who would break as remarks, and grants that can be pasted', async t => {
  const at = files(t, { 'audit.ndjson': `${JSON.stringify(LINE)}\n${JSON.stringify({ ...LINE, rule: 'no' })}\n` })

  const text = await topicgate('policy', 'report', '--from', at['audit.ndjson'])
  const json = await topicgate('policy', 'report', '--from', at['audit.ndjson'], '--json')
  const later = await topicgate('policy', 'report', '--from', at['audit.ndjson'], '--since', '2027-01-05T00:00:00Z')
  const missing = await topicgate('policy', 'report', '--from', 'no-such-file')

  assert.equal(
    text.stdout,
    `# service:corp/etl  write topic:legacy.a  1 times, 2027-01-04T09:00:00.000Z to 2027-01-04T09:00:00.000Z  no grant, in shadow
# service:corp/etl  write topic:legacy.a  1 times, 2027-01-04T09:00:00.000Z to 2027-01-04T09:00:00.000Z  rule no
# rule no would stop service:corp/etl: change them, or add them to its except
# the grants that would keep the others working
grants:
  - id: etl-produce
    to: { service: "etl", issuer: "corp" }
    allow: produce
    topics: ["legacy.a"]
`,
  )
  assert.deepEqual(Object.keys(JSON.parse(json.stdout)), ['breaks', 'grants', 'rules'])
  assert.equal(later.stdout, 'nobody would break\n')
  assert.deepEqual([missing.status, missing.stderr], [2, 'no-such-file cannot be read: ENOENT\n'])
})

test('diff says whose rights change, and which requests of a log', async t => {
  const line = {
    ...LINE,
    verdict: 'allowed',
    reason: 'grant',
    principal: 'service:main/s',
    operation: 'read',
    resource: { kind: 'topic', name: 'x1' },
    grant: 'a',
  }
  const at = files(t, { 'old.yaml': OLD, 'new.yaml': NEW, 'audit.ndjson': JSON.stringify(line) })

  const text = await topicgate('policy', 'diff', at['old.yaml'], at['new.yaml'], '--from', at['audit.ndjson'])
  const same = await topicgate('policy', 'diff', at['new.yaml'], at['new.yaml'])
  const json = await topicgate('policy', 'diff', at['old.yaml'], at['new.yaml'], '--json')

  assert.equal(
    text.stdout,
    `- role:r loses read, describe on topic:x*  grant a at ${at['old.yaml']}:2
! service:main/s read topic:x1 was allowed, will be refused  1 times
`,
  )
  assert.equal(same.stdout, 'nobody gains or loses anything\n')
  assert.equal(JSON.parse(json.stdout).rights[0].change, 'loses')
})
