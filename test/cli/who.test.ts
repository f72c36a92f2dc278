// `topicgate who can` and `topicgate what can`: lists for people and for programs.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { files, topicgate } from './command.ts'

const POLICY = `version: 1
grants:
  - { id: writers, to: [role:writer, service:etl], allow: produce, topics: ["orders.*"] }
  - { id: readers, to: "group:/eu/**", allow: consume, topics: ["orders.*"], consumerGroups: ["eu-*"] }
rules:
  - { id: secret, deny: read, topics: ["orders.secret.*"], except: role:auditor }
`

test('who can do something is told with the place of each grant', async t => {
  const at = files(t, { 'policy.yaml': POLICY })
  const policy = ['--policy', at['policy.yaml']]

  const text = await topicgate('who', 'can', 'write', 'topic:orders.1', ...policy)
  const list = await topicgate('who', 'can', 'consume', 'topic:orders.secret.1', '--json', ...policy)
  const nobody = await topicgate('who', 'can', 'alter', 'cluster', ...policy)

  assert.equal(
    text.stdout,
    ['role:writer', 'service:etl'].map(who => `${who}  write on topic:orders.*  by grant writers at ${at['policy.yaml']}:3\n`).join(''),
  )
  const [entry] = JSON.parse(list.stdout)
  assert.deepEqual([entry.who, entry.id, entry.now, entry.limits[0].rule], ['group:/eu/**', 'readers', 'depends', 'secret'])
  assert.deepEqual([nobody.status, nobody.stdout], [0, 'nobody\n'])
})

test('what somebody can do is told by pattern, and what a rule takes from it', async t => {
  const at = files(t, { 'policy.yaml': POLICY })
  const policy = ['--policy', at['policy.yaml']]

  const member = await topicgate('what', 'can', 'user:lena', '--group', '/eu/north', ...policy)
  const role = JSON.parse((await topicgate('what', 'can', 'role:writer', '--json', ...policy)).stdout)
  const nothing = await topicgate('what', 'can', 'service:x', ...policy)

  assert.equal(
    member.stdout,
    [
      `read, describe on topic:orders.*  by grant readers at ${at['policy.yaml']}:4\n`,
      `    rule secret at ${at['policy.yaml']}:6 refuses read on topic:orders.secret.* (except role:auditor)\n`,
      `read, describe on consumerGroup:eu-*  by grant readers at ${at['policy.yaml']}:4\n`,
    ].join(''),
  )
  assert.deepEqual(
    role.map((right: { kind: string; on: string; operations: string[] }) => [right.kind, right.on, right.operations]),
    [['topic', 'topic:orders.*', ['write', 'describe']]],
  )
  assert.equal(nothing.stdout, 'nothing\n')
})

test('what a shadow on one listener lets through is told as seen by a listener', async t => {
  const shadow = 'shadow: [{ topics: ["legacy.*"], until: 2999-01-01T00:00:00Z, listeners: [partners] }]'
  const at = files(t, { 'policy.yaml': `version: 1\n${shadow}\n` })
  const by = async (...listener: string[]) => {
    const options = ['--policy', at['policy.yaml'], '--json', ...listener]
    const asked = [topicgate('who', 'can', 'read', 'topic:legacy.a', ...options), topicgate('what', 'can', 'user:lena', ...options)]
    return (await Promise.all(asked)).map(({ stdout }) => JSON.parse(stdout)[0].now)
  }

  assert.deepEqual(await by('--listener', 'partners'), ['yes', 'yes'])
  assert.deepEqual(await by('--listener', 'clients'), ['no', 'no'])
  assert.deepEqual(await by(), ['depends', 'depends'])
})

test('a question that cannot be asked ends with exit code 2', async t => {
  const at = files(t, { 'policy.yaml': POLICY })
  const policy = ['--policy', at['policy.yaml']]

  const ended = await Promise.all([
    topicgate('who', 'can', 'raed', 'topic:a', ...policy),
    topicgate('who', 'can', 'read', 'topci:a', ...policy),
    topicgate('what', 'can', 'grup:/a', ...policy),
  ])

  assert.deepEqual(
    ended.map(({ status, stderr }) => [status, stderr]),
    [
      [2, 'raed is not a verb or an operation: did you mean read?\n'],
      [2, 'topci is not a kind of resource: did you mean topic?\n'],
      [2, 'grup: is not a kind of principal: write user:, person:, service:, group:, role:, client-role:, org: or anyone\n'],
    ],
  )
})
