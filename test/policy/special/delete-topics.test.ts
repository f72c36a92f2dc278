// DeleteTopics as ControllerApis.scala deleteTopics answers it, by name and by id.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PASS } from '../../../src/policy/outcome.ts'
import { DeleteTopics } from '../../../src/protocol/messages/20-delete-topics.ts'
import { answered, edited, forwarded, Given, judge, judgeAndWait, request } from '../given.ts'

const ZERO = '00'.repeat(16)
const TOPICS = { mine: 'a1'.repeat(16), seen: 'a2'.repeat(16), dark: 'a3'.repeat(16) }
const UNKNOWN = 'ff'.repeat(16)
const ALLOW = ['Describe Topic:mine', 'Delete Topic:mine', 'Describe Topic:seen', 'Describe Topic:gone']
const rows = (answer: any) => answer.responses.map((r: any) => [r.name, r.topicId, r.errorCode, r.errorMessage])
const byName = (...names: string[]) => names.map(name => ({ name, topicId: ZERO }))
const byId = (...ids: string[]) => ids.map(topicId => ({ name: null, topicId }))

test('by name: whether a topic exists is told only to whom may describe it', async () => {
  for (const version of [1, 2, 3, 4, 5]) {
    const caller = new Given({ topics: TOPICS, allow: ALLOW })
    const outcome = judge(
      DeleteTopics,
      version,
      request(DeleteTopics, version, { topicNames: ['mine', 'seen', 'dark', 'gone', 'never'] }),
      caller,
    )
    assert.deepEqual(forwarded(DeleteTopics, version, outcome).topicNames, ['mine'])
    const { responses } = await edited(DeleteTopics, version, outcome, { responses: [{ name: 'mine' }] })
    assert.deepEqual(
      responses.map((r: any) => [r.name, r.errorCode]),
      [
        ['mine', 0],
        ['seen', 29],
        ['dark', 29],
        ['gone', 3],
        ['never', 29],
      ],
    )
    if (version >= 5) assert.equal(responses[1].errorMessage, 'Topic authorization failed.')
    assert.deepEqual(caller.told, ['refused Delete Topic:seen 29', 'refused Describe Topic:dark 29', 'refused Describe Topic:never 29'])
  }
})

test('by id: a refused topic is named only to whom may describe it, and unknown ids are unknown to all', async () => {
  const caller = new Given({ topics: TOPICS, allow: ALLOW })
  const topics = byId(TOPICS.mine, TOPICS.seen, TOPICS.dark, UNKNOWN)
  const outcome = judge(DeleteTopics, 6, request(DeleteTopics, 6, { topics }), caller)
  assert.deepEqual(
    forwarded(DeleteTopics, 6, outcome).topics.map((t: any) => t.topicId),
    [TOPICS.mine],
  )
  const answer = await edited(DeleteTopics, 6, outcome, { responses: [{ name: 'mine', topicId: TOPICS.mine }] })
  assert.deepEqual(rows(answer).slice(1), [
    ['seen', TOPICS.seen, 29, 'Topic authorization failed.'],
    [null, TOPICS.dark, 29, 'Topic authorization failed.'],
    [null, UNKNOWN, 100, 'This server does not host this topic ID.'],
  ])
})

test('by name in v6: refused topics show no id', () => {
  const outcome = judge(
    DeleteTopics,
    6,
    request(DeleteTopics, 6, { topics: byName('seen', 'dark') }),
    new Given({ topics: TOPICS, allow: ALLOW }),
  )
  assert.deepEqual(rows(answered(DeleteTopics, 6, outcome)), [
    ['seen', ZERO, 29, 'Topic authorization failed.'],
    ['dark', ZERO, 29, 'Topic authorization failed.'],
  ])
})

test('DELETE on the cluster deletes any topic that no rule denies', () => {
  const ruled = new Given({ topics: TOPICS, allow: ['Delete Cluster:kafka-cluster'], denied: ['Delete Topic:dark'] })
  const refused = judge(DeleteTopics, 6, request(DeleteTopics, 6, { topics: byId(TOPICS.dark) }), ruled)
  assert.deepEqual(rows(answered(DeleteTopics, 6, refused)), [[null, TOPICS.dark, 29, 'Topic authorization failed.']])
  const caller = new Given({ topics: TOPICS, allow: ['Delete Cluster:kafka-cluster'] })
  assert.equal(judge(DeleteTopics, 6, request(DeleteTopics, 6, { topics: byId(TOPICS.dark) }), caller), PASS)
  assert.equal(judge(DeleteTopics, 1, request(DeleteTopics, 1, { topicNames: ['dark'] }), caller), PASS)
})

test('topics given twice, by both, or by neither are invalid', () => {
  const topics = [...byName('mine', 'mine'), ...byId(TOPICS.seen, TOPICS.seen, ZERO), { name: 'dark', topicId: TOPICS.dark }]
  const caller = new Given({ topics: TOPICS, allow: ALLOW })
  const answer = answered(DeleteTopics, 6, judge(DeleteTopics, 6, request(DeleteTopics, 6, { topics }), caller))
  assert.deepEqual(rows(answer), [
    ['mine', ZERO, 42, 'Duplicate topic name.'],
    [null, TOPICS.seen, 42, 'Duplicate topic id.'],
    [null, ZERO, 42, 'Neither topic name nor id were specified.'],
    ['dark', TOPICS.dark, 42, 'You may not specify both topic name and topic id.'],
  ])
  assert.deepEqual(caller.told, [])
})

test('an id that is not known yet is learnt, and judged by both rights before anything is decided', async () => {
  const later = ['Describe Topic:mine', 'Delete Topic:mine', 'Delete Cluster:kafka-cluster']
  const caller = new Given({ topics: TOPICS, learnt: [TOPICS.mine], allow: ALLOW, later })
  assert.equal(await judgeAndWait(DeleteTopics, 6, request(DeleteTopics, 6, { topics: byId(TOPICS.mine) }), caller), PASS)
})

test('a topic that was made beside the gate is looked up by its name before anybody is told that it is not there', async () => {
  const later = ['Describe Topic:seen', 'Describe Topic:gone']
  const caller = new Given({ topics: TOPICS, learnt: ['seen', 'gone'], allow: ALLOW, later })
  const answer = answered(
    DeleteTopics,
    6,
    await judgeAndWait(DeleteTopics, 6, request(DeleteTopics, 6, { topics: byName('seen', 'gone') }), caller),
  )
  assert.deepEqual(
    rows(answer).map(([name, , code]: any) => [name, code]),
    [
      ['seen', 29],
      ['gone', 3],
    ],
  )

  const unknown = new Given({ topics: TOPICS, unreachable: ['seen'], allow: ALLOW })
  const outcome = await judgeAndWait(DeleteTopics, 6, request(DeleteTopics, 6, { topics: byName('seen') }), unknown)
  assert.deepEqual(outcome, { kind: 'close', cause: 'undecided' })
})

test('undecided closes the connection', async () => {
  for (const world of [
    { undecided: ['Delete Topic:seen'] },
    { undecided: ['Delete Cluster:kafka-cluster'] },
    { unreachable: [TOPICS.seen] },
  ]) {
    const caller = new Given({ topics: TOPICS, allow: ALLOW, ...world })
    const outcome = await judgeAndWait(DeleteTopics, 6, request(DeleteTopics, 6, { topics: byId(TOPICS.mine, TOPICS.seen) }), caller)
    assert.deepEqual(outcome, { kind: 'close', cause: 'undecided' })
  }
})

test('what goes to the broker says that topics move, what is answered here does not', () => {
  for (const version of [1, 5, 6]) {
    const caller = new Given({ topics: TOPICS, allow: ALLOW })
    const ask = (...names: string[]) =>
      judge(
        DeleteTopics,
        version,
        request(DeleteTopics, version, version >= 6 ? { topics: byName(...names) } : { topicNames: names }),
        caller,
      )
    ask('seen')
    assert.equal(caller.moves, 0)
    ask('seen', 'mine')
    assert.equal(caller.moves, 1)
  }
})
