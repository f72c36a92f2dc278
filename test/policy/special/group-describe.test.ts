// Groups described: refused ones first, one hidden topic hides its group, operations are those of the caller.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UndecidedError } from '../../../src/policy/outcome.ts'
import { ConsumerGroupDescribe } from '../../../src/protocol/messages/69-consumer-group-describe.ts'
import { ShareGroupDescribe } from '../../../src/protocol/messages/77-share-group-describe.ts'
import { StreamsGroupDescribe } from '../../../src/protocol/messages/89-streams-group-describe.ts'
import { answered, edited, forwarded, Given, judge, judgeAndWait, request } from '../given.ts'

const ID = 'a'.repeat(32)
const assigned = (...names: string[]) => ({
  topicPartitions: names.map(topicName => ({ topicId: ID, topicName, partitions: [0] })),
})
const member = (now: object, next: object) => ({ memberId: 'm', assignment: now, targetAssignment: next })
const asked = { groupIds: ['mine', 'other'], includeAuthorizedOperations: true }
const rights = ['Describe Group:mine', 'Describe Topic:seen']
const OPERATIONS = 264

test('refused groups answer first, and are not asked for', async () => {
  const caller = new Given({ allow: rights, operations: { mine: OPERATIONS } })
  const outcome = judge(ConsumerGroupDescribe, 1, request(ConsumerGroupDescribe, 1, asked), caller)

  assert.deepEqual(forwarded(ConsumerGroupDescribe, 1, outcome).groupIds, ['mine'])
  const mine = { groupId: 'mine', members: [member(assigned('seen'), assigned())], authorizedOperations: 3400 }
  const { groups } = await edited(ConsumerGroupDescribe, 1, outcome, { groups: [mine] })
  assert.deepEqual(
    groups.map((g: any) => [g.groupId, g.errorCode, g.members.length, g.authorizedOperations]),
    [
      ['other', 30, 0, -2147483648],
      ['mine', 0, 1, OPERATIONS],
    ],
  )
})

test('all refused: answered here', () => {
  const outcome = judge(ShareGroupDescribe, 1, request(ShareGroupDescribe, 1, asked), new Given())

  assert.deepEqual(
    answered(ShareGroupDescribe, 1, outcome).groups.map((g: any) => g.errorCode),
    [30, 30],
  )
})

test('a topic without DESCRIBE hides the group, where it is assigned or will be', async () => {
  for (const hidden of [member(assigned('seen', 'hidden'), assigned()), member(assigned(), assigned('hidden'))]) {
    const caller = new Given({ allow: rights, operations: { mine: OPERATIONS } })
    const outcome = judge(ConsumerGroupDescribe, 1, request(ConsumerGroupDescribe, 1, { ...asked, groupIds: ['mine'] }), caller)
    const { groups } = await edited(ConsumerGroupDescribe, 1, outcome, {
      groups: [{ groupId: 'mine', groupState: 'Stable', members: [hidden], authorizedOperations: 3400 }],
    })

    assert.deepEqual([groups[0].errorCode, groups[0].groupState, groups[0].members], [29, '', []])
    assert.match(groups[0].errorMessage, /not authorized to describe/)
    assert.ok(caller.told.includes('hidden Describe Topic:hidden'))
  }
})

test('every topic of a topology counts', async () => {
  const parts = { sourceTopics: [], repartitionSinkTopics: [], stateChangelogTopics: [], repartitionSourceTopics: [] }
  const of = (fields: object) => ({ groupId: 'mine', topology: { epoch: 1, subtopologies: [{ ...parts, ...fields }] }, members: [] })
  for (const [fields, errorCode] of [
    [{ sourceTopics: ['seen'] }, 0],
    [{ sourceTopics: ['hidden'] }, 29],
    [{ repartitionSinkTopics: ['hidden'] }, 29],
    [{ stateChangelogTopics: [{ name: 'hidden' }] }, 29],
    [{ repartitionSourceTopics: [{ name: 'hidden' }] }, 29],
  ] as const) {
    const frame = request(StreamsGroupDescribe, 1, { groupIds: ['mine'] })
    const outcome = judge(StreamsGroupDescribe, 1, frame, new Given({ allow: rights }))
    const { groups } = await edited(StreamsGroupDescribe, 1, outcome, { groups: [of(fields)] })
    assert.deepEqual([groups[0].errorCode, groups[0].topology === null], [errorCode, errorCode !== 0])
  }
})

test('what is not known yet is asked for before the answer leaves, and what stays unknown is not shown', async () => {
  const world = { allow: rights, later: ['Describe Topic:seen'], undecided: ['Describe Topic:dark'] }
  for (const [topic, errorCode] of [
    ['seen', 0],
    ['dark', 15],
  ] as const) {
    const frame = request(ShareGroupDescribe, 1, { groupIds: ['mine'] })
    const outcome = await judgeAndWait(ShareGroupDescribe, 1, frame, new Given(world))
    const { groups } = await edited(ShareGroupDescribe, 1, outcome, {
      groups: [{ groupId: 'mine', members: [{ memberId: 'm', assignment: assigned(topic) }] }],
    })
    assert.equal(groups[0].errorCode, errorCode)
  }
})

test('operations that cannot be decided are never guessed', async () => {
  const outcome = judge(
    ShareGroupDescribe,
    1,
    request(ShareGroupDescribe, 1, { ...asked, groupIds: ['mine'] }),
    new Given({ allow: rights }),
  )
  const groups = [{ groupId: 'mine', members: [], authorizedOperations: 3400 }]

  await assert.rejects(edited(ShareGroupDescribe, 1, outcome, { groups }), UndecidedError)
})
