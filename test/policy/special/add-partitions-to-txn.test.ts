// AddPartitionsToTxn: all or none, absent topics told by the broker, and nothing for those who are no brokers.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PASS } from '../../../src/policy/outcome.ts'
import { AddPartitionsToTxn } from '../../../src/protocol/messages/24-add-partitions-to-txn.ts'
import { answered, edited, forwarded, Given, judge, judgeAndWait, request } from '../given.ts'

const ID = 'Write TransactionalId:id'
const frame = (version: number, ...names: string[]) =>
  request(AddPartitionsToTxn, version, {
    v3AndBelowTransactionalId: 'id',
    v3AndBelowProducerId: 1n,
    v3AndBelowProducerEpoch: 0,
    v3AndBelowTopics: names.map(name => ({ name, partitions: [0, 1] })),
  })
const codes = (topics: any[]) => topics.map(t => `${t.name} ${t.resultsByPartition.map((p: any) => p.partitionErrorCode)}`)
const result = (name: string, code: number) => ({
  name,
  resultsByPartition: [0, 1].map(partitionIndex => ({ partitionIndex, partitionErrorCode: code })),
})
const VERSIONS = [0, 1, 2, 3]

test('all allowed passes; a refused id refuses every partition', () => {
  for (const version of VERSIONS) {
    assert.equal(judge(AddPartitionsToTxn, version, frame(version, 'a'), new Given({ allow: [ID, 'Write Topic:a'] })), PASS)
    const caller = new Given({ allow: ['Write Topic:a'] })
    const answer = answered(AddPartitionsToTxn, version, judge(AddPartitionsToTxn, version, frame(version, 'a', 'b'), caller))
    assert.deepEqual(codes(answer.resultsByTopicV3AndBelow), ['a 53,53', 'b 53,53'])
    assert.deepEqual(caller.told, ['refused Write TransactionalId:id 53'])
  }
})

test('with a refused topic the broker is asked so that it can add nothing, and tells absent topics from the others', async () => {
  for (const version of VERSIONS) {
    const caller = new Given({ allow: [ID, 'Write Topic:a', 'Write Topic:gone'] })
    const outcome = judge(AddPartitionsToTxn, version, frame(version, 'a', 'no', 'gone'), caller)

    const { v3AndBelowTopics } = forwarded(AddPartitionsToTxn, version, outcome)
    assert.deepEqual(
      v3AndBelowTopics.map((t: any) => t.name),
      ['', 'a', 'gone'],
    )
    const broker = { resultsByTopicV3AndBelow: [result('gone', 3), result('', 3), result('a', 55)] }
    assert.deepEqual(codes((await edited(AddPartitionsToTxn, version, outcome, broker)).resultsByTopicV3AndBelow), [
      'gone 3,3',
      'a 55,55',
      'no 29,29',
    ])
    assert.deepEqual(caller.told, ['refused Write Topic:no 29'])
  }
})

test('nothing but refused topics: the broker is not asked', () => {
  const answer = answered(AddPartitionsToTxn, 3, judge(AddPartitionsToTxn, 3, frame(3, 'no', 'no'), new Given({ allow: [ID] })))

  assert.deepEqual(codes(answer.resultsByTopicV3AndBelow), ['no 29,29'])
})

test('undecided is a coordinator that is not available, never a refusal', async () => {
  const caller = new Given({ allow: [ID], undecided: ['Write Topic:a'] })
  const answer = answered(AddPartitionsToTxn, 3, await judgeAndWait(AddPartitionsToTxn, 3, frame(3, 'a'), caller))

  assert.deepEqual(codes(answer.resultsByTopicV3AndBelow), ['a 15,15'])
  assert.deepEqual(caller.told, ['undecided Write Topic:a'])
})

test('what brokers ask of one another is refused, whatever was granted', () => {
  for (const version of [4, 5]) {
    const body = { transactions: [{ transactionalId: 'id', producerId: 1n, producerEpoch: 0, topics: [{ name: 'a', partitions: [0] }] }] }
    const caller = new Given({ allow: [ID, 'Write Topic:a', 'ClusterAction Cluster:kafka-cluster'] })
    const answer = answered(
      AddPartitionsToTxn,
      version,
      judge(AddPartitionsToTxn, version, request(AddPartitionsToTxn, version, body), caller),
    )
    assert.equal(answer.errorCode, 31)
  }
})
