// FindCoordinator: one key or many, refused in their place, reached at our address.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FindCoordinator } from '../../../src/protocol/messages/10-find-coordinator.ts'
import { answered, edited, forwarded, Given, judge, judgeAndWait, request } from '../given.ts'

const GROUP = 0
const TRANSACTION = 1
const SHARE = 2
const NODES = { nodes: { 1: 'gate:7001' } }
const of = (keyType: number, ...coordinatorKeys: string[]) => ({ keyType, coordinatorKeys })

test('one key: the coordinator is reached at our address', async () => {
  for (const version of [0, 1, 2, 3]) {
    const caller = new Given({ ...NODES, allow: ['Describe Group:g'] })
    const outcome = judge(FindCoordinator, version, request(FindCoordinator, version, { key: 'g' }), caller)
    const answer = await edited(FindCoordinator, version, outcome, { nodeId: 1, host: 'secret-1', port: 9092, errorMessage: 'NONE' })
    assert.deepEqual([answer.errorCode, answer.nodeId, answer.host, answer.port], [0, 1, 'gate', 7001])
  }
})

test('one key: a refused group or transactional id is told its code and text', () => {
  for (const version of [0, 1, 2, 3]) {
    const caller = new Given(NODES)
    const answer = answered(
      FindCoordinator,
      version,
      judge(FindCoordinator, version, request(FindCoordinator, version, { key: 'g' }), caller),
    )
    assert.deepEqual([answer.errorCode, answer.nodeId, answer.host, answer.port], [30, -1, '', -1])
    if (version >= 1) assert.equal(answer.errorMessage, 'Group authorization failed.')
    assert.deepEqual(caller.told, ['refused Describe Group:g 30'])
  }
  const caller = new Given(NODES)
  const frame = request(FindCoordinator, 3, { key: 't', keyType: TRANSACTION })
  const answer = answered(FindCoordinator, 3, judge(FindCoordinator, 3, frame, caller))
  assert.deepEqual([answer.errorCode, answer.errorMessage], [53, 'Transactional Id authorization failed.'])
  assert.deepEqual(caller.told, ['refused Describe TransactionalId:t 53'])
})

test('many keys: refused ones stay away from the broker and answer in their place, without a text', async () => {
  for (const version of [4, 5, 6]) {
    const caller = new Given({ ...NODES, allow: ['Describe Group:b', 'Describe Group:d'] })
    const outcome = judge(FindCoordinator, version, request(FindCoordinator, version, of(GROUP, 'a', 'b', 'c', 'd', 'e')), caller)
    assert.deepEqual(forwarded(FindCoordinator, version, outcome).coordinatorKeys, ['b', 'd'])
    const at = (key: string) => ({ key, nodeId: 1, host: 'secret-1', port: 9092 })
    const { coordinators } = await edited(FindCoordinator, version, outcome, { coordinators: [at('b'), at('d')] })
    assert.deepEqual(
      coordinators.map((c: any) => [c.key, c.errorCode, c.errorMessage, c.nodeId, c.host, c.port]),
      [
        ['a', 30, '', -1, '', -1],
        ['b', 0, '', 1, 'gate', 7001],
        ['c', 30, '', -1, '', -1],
        ['d', 0, '', 1, 'gate', 7001],
        ['e', 30, '', -1, '', -1],
      ],
    )
  }
})

test('a coordinator that cannot be reached through the gate is not available, and its address stays unknown', async () => {
  const caller = new Given({ allow: ['Describe Group:g'] })
  const single = judge(FindCoordinator, 2, request(FindCoordinator, 2, { key: 'g' }), caller)
  const one = await edited(FindCoordinator, 2, single, { nodeId: 9, host: 'secret-9', port: 9092 })
  assert.deepEqual([one.errorCode, one.nodeId, one.host, one.port], [15, -1, '', -1])
  const outcome = judge(FindCoordinator, 4, request(FindCoordinator, 4, of(GROUP, 'g')), caller)
  const many = await edited(FindCoordinator, 4, outcome, { coordinators: [{ key: 'g', nodeId: 9, host: 'secret-9', port: 9092 }] })
  const [c] = many.coordinators
  assert.deepEqual([c.errorCode, c.nodeId, c.host, c.port], [15, -1, '', -1])
})

test('share coordinators: a request before v6 is invalid, later CLUSTER_ACTION is needed for all keys', () => {
  const before = answered(FindCoordinator, 5, judge(FindCoordinator, 5, request(FindCoordinator, 5, of(SHARE, 'g:x:0')), new Given()))
  assert.deepEqual([before.coordinators[0].errorCode, before.coordinators[0].errorMessage], [42, ''])
  const caller = new Given()
  const frame = request(FindCoordinator, 6, of(SHARE, 'g:x:0', 'g:x:1'))
  const refused = answered(FindCoordinator, 6, judge(FindCoordinator, 6, frame, caller))
  assert.deepEqual(
    refused.coordinators.map((c: any) => [c.key, c.errorCode, c.errorMessage]),
    [
      ['g:x:0', 31, 'Cluster authorization failed.'],
      ['g:x:1', 31, 'Cluster authorization failed.'],
    ],
  )
  assert.deepEqual(caller.told, ['refused ClusterAction Cluster:kafka-cluster 31'])
  const broker = new Given({ allow: ['ClusterAction Cluster:kafka-cluster'] })
  assert.equal(forwarded(FindCoordinator, 6, judge(FindCoordinator, 6, frame, broker)), null)
})

test('a type of key that nobody knows is invalid and never forwarded', () => {
  const outcome = judge(FindCoordinator, 4, request(FindCoordinator, 4, of(7, 'x')), new Given())
  assert.equal(answered(FindCoordinator, 4, outcome).coordinators[0].errorCode, 42)
})

test('undecided keys have no coordinator for now; the others go on', async () => {
  const caller = new Given({ ...NODES, allow: ['Describe TransactionalId:yes'], undecided: ['Describe TransactionalId:maybe'] })
  const outcome = await judgeAndWait(FindCoordinator, 4, request(FindCoordinator, 4, of(TRANSACTION, 'maybe', 'yes')), caller)
  const body = { coordinators: [{ key: 'yes', nodeId: 1, host: 'secret-1', port: 9092 }] }
  const { coordinators } = await edited(FindCoordinator, 4, outcome, body)
  assert.deepEqual(
    coordinators.map((c: any) => [c.key, c.errorCode]),
    [
      ['maybe', 15],
      ['yes', 0],
    ],
  )
  assert.deepEqual(caller.told, ['undecided Describe TransactionalId:maybe'])
})
