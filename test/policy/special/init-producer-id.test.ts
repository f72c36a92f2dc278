// InitProducerId with a transactional id and without.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Verdict } from '../../../src/policy/authorizer.ts'
import { PASS } from '../../../src/policy/outcome.ts'
import { InitProducerId } from '../../../src/protocol/messages/22-init-producer-id.ts'
import { answered, Given, judge, judgeAndWait, request } from '../given.ts'

const frame = (version: number, fields: object) => request(InitProducerId, version, { transactionTimeoutMs: 1000, ...fields })
const VERSIONS = [0, 1, 2, 3, 4, 5, 6]

test('a transactional id needs WRITE', () => {
  for (const version of VERSIONS) {
    const writer = new Given({ allow: ['Write TransactionalId:t'] })
    assert.equal(judge(InitProducerId, version, frame(version, { transactionalId: 't' }), writer), PASS)
    const stranger = new Given({ mayWriteSomething: Verdict.Allowed })
    const answer = answered(InitProducerId, version, judge(InitProducerId, version, frame(version, { transactionalId: 't' }), stranger))
    assert.deepEqual([answer.errorCode, answer.producerId, answer.producerEpoch], [53, -1n, -1])
    assert.deepEqual(stranger.told, ['refused Write TransactionalId:t 53'])
  }
})

test('two-phase commit needs its own right, after WRITE', () => {
  const body = { transactionalId: 't', enable2Pc: true }
  const caller = new Given({ allow: ['Write TransactionalId:t'] })
  assert.equal(answered(InitProducerId, 6, judge(InitProducerId, 6, frame(6, body), caller)).errorCode, 53)
  assert.deepEqual(caller.told, ['refused TwoPhaseCommit TransactionalId:t 53'])
  const both = new Given({ allow: ['Write TransactionalId:t', 'TwoPhaseCommit TransactionalId:t'] })
  assert.equal(judge(InitProducerId, 6, frame(6, body), both), PASS)
})

test('without a transactional id, whoever may write anything may', () => {
  for (const version of VERSIONS) {
    const body = frame(version, { transactionalId: null })
    assert.equal(judge(InitProducerId, version, body, new Given({ mayWriteSomething: Verdict.Allowed })), PASS)
    const stranger = new Given()
    const answer = answered(InitProducerId, version, judge(InitProducerId, version, body, stranger))
    assert.deepEqual([answer.errorCode, answer.producerId, answer.producerEpoch], [31, -1n, -1])
    assert.deepEqual(stranger.told, ['refused IdempotentWrite Cluster:kafka-cluster 31'])
  }
})

test('undecided is a coordinator that is loading or not there, never a refusal', async () => {
  const idempotent = new Given({ mayWriteSomething: Verdict.Undecided })
  const outcome = await judgeAndWait(InitProducerId, 4, frame(4, { transactionalId: null }), idempotent)
  assert.equal(answered(InitProducerId, 4, outcome).errorCode, 14)
  const transactional = new Given({ undecided: ['Write TransactionalId:t'] })
  const other = await judgeAndWait(InitProducerId, 4, frame(4, { transactionalId: 't' }), transactional)
  assert.equal(answered(InitProducerId, 4, other).errorCode, 15)
})
