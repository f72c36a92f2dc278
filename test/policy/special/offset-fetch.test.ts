// OffsetFetch in its three shapes: one group, many groups, topics by id.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PASS } from '../../../src/policy/outcome.ts'
import { OffsetFetch } from '../../../src/protocol/messages/09-offset-fetch.ts'
import { MalformedError } from '../../../src/protocol/wire.ts'
import { answered, edited, forwarded, Given, judge, judgeAndWait, request } from '../given.ts'

const TOPICS = { yes: 'a1'.repeat(16), no: 'a2'.repeat(16), late: 'a3'.repeat(16) }
const UNKNOWN = 'ff'.repeat(16)
const ALL = ['Describe Group:g', 'Describe Topic:yes']
const named = (...names: string[]) => names.map(name => ({ name, partitionIndexes: [0, 4] }))
const ids = (...topicIds: string[]) => topicIds.map(topicId => ({ topicId, partitionIndexes: [0, 4] }))
const offsets = (key: object) => ({ ...key, partitions: [{ partitionIndex: 0, committedOffset: 7n, metadata: '' }] })
const codes = (topics: any[]) => topics.map(t => [t.name ?? t.topicId, t.partitions.map((p: any) => p.errorCode)])

test('all allowed passes', () => {
  for (const version of [1, 2, 3, 4, 5, 6, 7]) {
    assert.equal(
      judge(OffsetFetch, version, request(OffsetFetch, version, { groupId: 'g', topics: named('yes') }), new Given({ allow: ALL })),
      PASS,
    )
  }
  for (const version of [8, 9]) {
    const groups = [{ groupId: 'g', topics: named('yes') }]
    assert.equal(judge(OffsetFetch, version, request(OffsetFetch, version, { groups }), new Given({ allow: ALL })), PASS)
  }
})

test('a refused group: each partition says so in v1, the response from v2, the group from v8', () => {
  for (const version of [1, 2, 3, 4, 5, 6, 7]) {
    const caller = new Given({ allow: ['Describe Topic:yes'] })
    const answer = answered(
      OffsetFetch,
      version,
      judge(OffsetFetch, version, request(OffsetFetch, version, { groupId: 'g', topics: named('yes') }), caller),
    )
    if (version === 1) {
      assert.deepEqual(codes(answer.topics), [['yes', [30, 30]]])
      assert.deepEqual([answer.topics[0].partitions[1].committedOffset, answer.topics[0].partitions[1].metadata], [-1n, ''])
    } else assert.deepEqual([answer.errorCode, answer.topics], [30, []])
    assert.deepEqual(caller.told, ['refused Describe Group:g 30'])
  }
  for (const version of [8, 9, 10]) {
    const topics = version === 10 ? ids(TOPICS.no) : named('no')
    const frame = request(OffsetFetch, version, { groups: [{ groupId: 'g', topics }] })
    const caller = new Given({ topics: TOPICS })
    assert.deepEqual(answered(OffsetFetch, version, judge(OffsetFetch, version, frame, caller)).groups, [
      { groupId: 'g', topics: [], errorCode: 30 },
    ])
    assert.deepEqual(caller.told, ['refused Describe Group:g 30'], 'nothing is said of the topics of a refused group')
  }
})

test('refused topics answer last, without an offset', async () => {
  for (const version of [1, 2, 3, 4, 5, 6, 7]) {
    const caller = new Given({ allow: ALL })
    const outcome = judge(OffsetFetch, version, request(OffsetFetch, version, { groupId: 'g', topics: named('no', 'yes') }), caller)
    assert.deepEqual(
      forwarded(OffsetFetch, version, outcome).topics.map((t: any) => t.name),
      ['yes'],
    )
    const answer = await edited(OffsetFetch, version, outcome, { topics: [offsets({ name: 'yes' })] })
    assert.deepEqual(codes(answer.topics), [
      ['yes', [0]],
      ['no', [29, 29]],
    ])
    const { committedOffset, metadata, committedLeaderEpoch } = answer.topics[1].partitions[0]
    assert.deepEqual([committedOffset, metadata, committedLeaderEpoch], [-1n, '', version >= 5 ? -1 : undefined])
    assert.deepEqual(caller.told, ['refused Describe Topic:no 29'])
  }
})

test('the coordinator is asked even when no topic is left, and its error stands alone', async () => {
  const outcome = judge(OffsetFetch, 7, request(OffsetFetch, 7, { groupId: 'g', topics: named('no') }), new Given({ allow: ALL }))
  assert.deepEqual(forwarded(OffsetFetch, 7, outcome).topics, [], 'an empty list, never null: that would ask for all')
  assert.deepEqual((await edited(OffsetFetch, 7, outcome, { errorCode: 16, topics: [] })).topics, [])
  assert.deepEqual(codes((await edited(OffsetFetch, 7, outcome, { topics: [] })).topics), [['no', [29, 29]]])
})

test('all topics: those without DESCRIBE are left out', async () => {
  for (const version of [2, 5, 7]) {
    const caller = new Given({ allow: ALL, later: ['Describe Topic:yes'] })
    const outcome = judge(OffsetFetch, version, request(OffsetFetch, version, { groupId: 'g', topics: null }), caller)
    assert.equal(forwarded(OffsetFetch, version, outcome), null)
    const answer = await edited(OffsetFetch, version, outcome, { topics: [offsets({ name: 'no' }), offsets({ name: 'yes' })] })
    assert.deepEqual(codes(answer.topics), [['yes', [0]]])
    assert.deepEqual(caller.told, ['hidden Describe Topic:no'])
  }
})

test('many groups: each is judged for itself and answers in its place', async () => {
  const caller = new Given({ allow: [...ALL, 'Describe Group:h', 'Describe Group:empty'] })
  const groups = [
    { groupId: 'refused', topics: named('yes') },
    { groupId: 'g', topics: named('no', 'yes') },
    { groupId: 'refused too', topics: null },
    { groupId: 'h', topics: null },
    { groupId: 'empty', topics: [] },
  ]
  const outcome = judge(OffsetFetch, 8, request(OffsetFetch, 8, { groups }), caller)
  assert.deepEqual(
    forwarded(OffsetFetch, 8, outcome).groups.map((g: any) => [g.groupId, g.topics?.map((t: any) => t.name) ?? null]),
    [
      ['g', ['yes']],
      ['h', null],
      ['empty', []],
    ],
  )
  const answer = await edited(OffsetFetch, 8, outcome, {
    groups: [
      { groupId: 'g', topics: [offsets({ name: 'yes' })] },
      { groupId: 'h', topics: [offsets({ name: 'no' }), offsets({ name: 'yes' })] },
      { groupId: 'empty', errorCode: 16 },
    ],
  })
  assert.deepEqual(
    answer.groups.map((g: any) => [g.groupId, g.errorCode, codes(g.topics)]),
    [
      ['refused', 30, []],
      [
        'g',
        0,
        [
          ['yes', [0]],
          ['no', [29, 29]],
        ],
      ],
      ['refused too', 30, []],
      ['h', 0, [['yes', [0]]]],
      ['empty', 16, []],
    ],
  )
})

test('topics by id answer under their ids; an id of no topic is unknown', async () => {
  const caller = new Given({
    topics: TOPICS,
    learnt: [TOPICS.late],
    allow: [...ALL, 'Describe Topic:late'],
    later: ['Describe Topic:late'],
  })
  const groups = [{ groupId: 'g', topics: ids(TOPICS.no, UNKNOWN, TOPICS.yes, TOPICS.late) }]
  const outcome = await judgeAndWait(OffsetFetch, 10, request(OffsetFetch, 10, { groups }), caller)
  const answer = await edited(OffsetFetch, 10, outcome, { groups: [{ groupId: 'g', topics: [offsets({ topicId: TOPICS.yes })] }] })
  assert.deepEqual(codes(answer.groups[0].topics), [
    [TOPICS.yes, [0]],
    [TOPICS.no, [29, 29]],
    [UNKNOWN, [100, 100]],
  ])
})

test('all topics by id: ids are learnt, those of no topic are left out', async () => {
  const caller = new Given({ topics: TOPICS, learnt: [TOPICS.late], allow: [...ALL, 'Describe Topic:late'] })
  const outcome = judge(OffsetFetch, 10, request(OffsetFetch, 10, { groups: [{ groupId: 'g', topics: null }] }), caller)
  const topics = [UNKNOWN, TOPICS.no, TOPICS.late, TOPICS.yes].map(topicId => offsets({ topicId }))
  const answer = await edited(OffsetFetch, 10, outcome, { groups: [{ groupId: 'g', topics }] })
  assert.deepEqual(
    answer.groups[0].topics.map((t: any) => t.topicId),
    [TOPICS.late, TOPICS.yes],
  )
  assert.deepEqual(caller.told, ['hidden Describe Topic:no'])
})

test('an undecided topic makes its group one to ask for again: partitions have no such answer', async () => {
  const caller = new Given({ allow: [...ALL, 'Describe Group:h'], undecided: ['Describe Topic:maybe'] })
  const groups = [
    { groupId: 'g', topics: named('yes', 'maybe') },
    { groupId: 'h', topics: named('yes') },
  ]
  const outcome = await judgeAndWait(OffsetFetch, 8, request(OffsetFetch, 8, { groups }), caller)
  const answer = await edited(OffsetFetch, 8, outcome, { groups: [{ groupId: 'h', topics: [] }] })
  assert.deepEqual(
    answer.groups.map((g: any) => [g.groupId, g.errorCode, g.topics]),
    [
      ['g', 15, []],
      ['h', 0, []],
    ],
  )
  const all = judge(OffsetFetch, 8, request(OffsetFetch, 8, { groups: [{ groupId: 'g', topics: null }] }), caller)
  const hidden = await edited(OffsetFetch, 8, all, { groups: [{ groupId: 'g', topics: [offsets({ name: 'maybe' })] }] })
  assert.deepEqual([hidden.groups[0].errorCode, hidden.groups[0].topics], [15, []])
})

test('groups answer as they were asked for, in whichever order the broker answers them', async () => {
  const caller = new Given({ allow: [...ALL, 'Describe Group:h'] })
  const groups = [
    { groupId: 'g', topics: named('yes', 'no') },
    { groupId: 'secret', topics: named('yes') },
    { groupId: 'h', topics: named('no', 'yes') },
    { groupId: 'g', topics: null },
  ]
  const outcome = judge(OffsetFetch, 8, request(OffsetFetch, 8, { groups }), caller)
  const of = (groupId: string, ...names: string[]) => ({ groupId, topics: names.map(name => offsets({ name })) })

  const answer = await edited(OffsetFetch, 8, outcome, { groups: [of('h', 'yes'), of('g', 'yes'), of('g', 'yes', 'no')] })

  assert.deepEqual(
    answer.groups.map((g: any) => [g.groupId, g.errorCode, g.topics.map((t: any) => t.name)]),
    [
      ['g', 0, ['yes', 'no']],
      ['secret', 30, []],
      ['h', 0, ['yes', 'no']],
      ['g', 0, ['yes']],
    ],
  )
})

test('a broker that answers other groups than were asked for breaks the protocol', async () => {
  const groups = [{ groupId: 'g', topics: null }]
  for (const answered of [['x'], [], ['g', 'g'], ['g', 'x']]) {
    const outcome = judge(OffsetFetch, 8, request(OffsetFetch, 8, { groups }), new Given({ allow: ALL }))
    const broker = { groups: answered.map(groupId => ({ groupId, topics: [] })) }
    await assert.rejects(edited(OffsetFetch, 8, outcome, broker), MalformedError, answered.join())
  }
})

test('v1 tells an error of the group on refused partitions, too', async () => {
  const caller = new Given({ allow: ALL })
  const outcome = judge(OffsetFetch, 1, request(OffsetFetch, 1, { groupId: 'g', topics: named('no', 'yes') }), caller)
  const partitions = [0, 4].map(partitionIndex => ({ partitionIndex, committedOffset: -1n, metadata: '', errorCode: 16 }))

  const answer = await edited(OffsetFetch, 1, outcome, { topics: [{ name: 'yes', partitions }] })

  assert.deepEqual(codes(answer.topics), [
    ['yes', [16, 16]],
    ['no', [16, 16]],
  ])
})
