// Produce at every version: split, answered, streamed, and without a response.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Answer, Forward, ResponseEdit } from '../../../src/policy/outcome.ts'
import { PASS } from '../../../src/policy/outcome.ts'
import { producePlan } from '../../../src/policy/special/produce.ts'
import { Produce } from '../../../src/protocol/messages/00-produce.ts'
import { MalformedError } from '../../../src/protocol/wire.ts'
import { FakeCaller } from './caller.ts'
import { batch, frames } from './frames.ts'

const ID_A = '0a'.repeat(16)
const ID_B = '0b'.repeat(16)
const versions = Array.from({ length: 11 }, (_, i) => i + 3)

/** Topics as `name: partitions`; from version 13 by id. */
function produce(
  version: number,
  topics: [string, number[]][],
  { acks = -1, transactionalId = null as string | null, transactional = false } = {},
) {
  const ids: { [name: string]: string } = { a: ID_A, b: ID_B, nobody: 'ff'.repeat(16) }
  const topicData = topics.map(([name, partitions]) => ({
    ...(version >= 13 ? { topicId: ids[name]! } : { name }),
    partitionData: partitions.map(index => ({ index, records: batch(transactional) })),
  }))
  return frames(Produce, version).request({ transactionalId, acks, timeoutMs: 1000, topicData })
}
function callerOf(...allowed: string[]) {
  const caller = new FakeCaller()
  caller.rights.allow(...allowed)
  caller.ids.set(ID_A, 'a').set(ID_B, 'b').set('ff'.repeat(16), null)
  return caller
}
const named = (response: any) =>
  response.responses.map((t: any) => [
    t.name ?? (t.topicId === ID_A ? 'a' : t.topicId === ID_B ? 'b' : 'nobody'),
    t.partitionResponses.map((p: any) => [p.index, p.errorCode]),
  ])

for (const version of versions) {
  test(`v${version}: what is allowed whole goes on as it came`, () => {
    const outcome = producePlan(version).judge(produce(version, [['a', [0, 1]]]), callerOf('Write topic:a'), false) as Forward
    assert.equal(outcome.frames, null)
    if (version < 10) assert.equal(outcome, PASS)
    else assert.equal((outcome.response as ResponseEdit).frames, 1)
  })

  test(`v${version}: a refused topic never reaches the broker, and its sender is told beside the rest`, () => {
    const io = frames(Produce, version)
    const caller = callerOf('Write topic:a')
    const outcome = producePlan(version).judge(
      produce(version, [
        ['b', [4, 5]],
        ['a', [0]],
        ['b', [5, 6]],
      ]),
      caller,
      false,
    ) as Forward
    const sent = io.readRequest(outcome.frames![0]!)
    assert.equal(sent.topicData.length, 1)
    assert.deepEqual(caller.told, ['refused Write topic:b 29'])

    const key = version >= 13 ? { topicId: ID_A } : { name: 'a' }
    const theirs = io.response({
      responses: [{ ...key, partitionResponses: [{ index: 0, errorCode: 0, baseOffset: 9n }] }],
      throttleTimeMs: 3,
    })
    const answer = io.readResponse((outcome.response as ResponseEdit).whole([theirs]) as Buffer)
    assert.deepEqual(named(answer), [
      [
        'b',
        [
          [4, 29],
          [5, 29],
          [6, 29],
        ],
      ],
      ['a', [[0, 0]]],
    ])
    assert.equal(answer.throttleTimeMs, 3)
    assert.equal(answer.responses[0].partitionResponses[0].baseOffset, -1n)
  })

  test(`v${version}: nothing allowed is answered here`, () => {
    const caller = callerOf()
    const outcome = producePlan(version).judge(
      produce(version, [
        ['a', [0]],
        ['b', [1]],
      ]),
      caller,
      false,
    ) as Answer
    assert.equal(outcome.frame!.readInt32BE(4), 7)
    const answer = frames(Produce, version).readResponse(outcome.frame!)
    assert.deepEqual(named(answer), [
      ['a', [[0, 29]]],
      ['b', [[1, 29]]],
    ])
  })

  test(`v${version}: with acks=0 the allowed rest goes on, then the connection ends`, () => {
    const some = producePlan(version).judge(
      produce(
        version,
        [
          ['b', [4]],
          ['a', [0]],
        ],
        { acks: 0 },
      ),
      callerOf('Write topic:a'),
      false,
    ) as Forward
    assert.deepEqual([some.kind, some.response, some.thenClose], ['forward', 'none', true])
    const none = producePlan(version).judge(produce(version, [['b', [4]]], { acks: 0 }), callerOf(), false) as Answer
    assert.deepEqual(none, { kind: 'answer', frame: null, thenClose: true })
    const all = producePlan(version).judge(produce(version, [['a', [4]]], { acks: 0 }), callerOf('Write topic:a'), false) as Forward
    assert.deepEqual([all.kind, all.response, all.thenClose, all.frames], ['forward', 'none', false, null])
  })

  test(`v${version}: a transactional batch needs WRITE on a transactional id, a transactional id alone needs nothing`, () => {
    const plan = producePlan(version)
    const ask = (transactionalId: string | null, transactional: boolean, ...more: string[]) => {
      const caller = callerOf('Write topic:a', ...more)
      return plan.judge(
        produce(
          version,
          [
            ['a', [0]],
            ['b', [1]],
          ],
          { transactionalId, transactional },
        ),
        caller,
        false,
      ) as Answer
    }
    for (const refused of [ask('t', true), ask(null, true)]) {
      assert.deepEqual(named(frames(Produce, version).readResponse(refused.frame!)), [
        ['a', [[0, 53]]],
        ['b', [[1, 53]]],
      ])
    }
    assert.equal(ask('t', false).kind, 'forward')
    assert.equal(ask('t', true, 'Write transactionalId:t').kind, 'forward')
    const closed = plan.judge(produce(version, [['a', [0]]], { acks: 0, transactional: true }), callerOf('Write topic:a'), false)
    assert.deepEqual(closed, { kind: 'answer', frame: null, thenClose: true })
  })

  test(`v${version}: what cannot be decided is asked once, then told to come again`, async () => {
    const caller = callerOf('Write topic:a')
    caller.rights.undecided.add('Write topic:b')
    caller.rights.unknown.add('Write topic:b')
    const frame = produce(version, [
      ['a', [0]],
      ['b', [1]],
    ])
    const wait = producePlan(version).judge(frame, caller, false)
    assert.equal(wait.kind, 'wait')
    if (wait.kind === 'wait') await wait.ready
    assert.deepEqual(caller.told, [])
    const outcome = producePlan(version).judge(frame, caller, true) as Forward
    const theirs = frames(Produce, version).response({ responses: [] })
    const answer = frames(Produce, version).readResponse((outcome.response as ResponseEdit).whole([theirs]) as Buffer)
    assert.deepEqual(named(answer), [['b', [[1, 7]]]])
    assert.deepEqual(caller.told, ['undecided Write topic:b'])
  })
}

test('v13: an id that nobody knows is told so, before any right is looked at', () => {
  const caller = callerOf()
  const outcome = producePlan(13).judge(
    produce(13, [
      ['nobody', [0]],
      ['a', [1]],
    ]),
    caller,
    false,
  ) as Answer
  assert.deepEqual(named(frames(Produce, 13).readResponse(outcome.frame!)), [
    ['nobody', [[0, 100]]],
    ['a', [[1, 29]]],
  ])
  assert.deepEqual(caller.told, ['refused Write topic:a 29'])
})

for (const version of [10, 12, 13]) {
  test(`v${version}: addresses of brokers become ours, and nodes that are not reachable here are left out`, async () => {
    const io = frames(Produce, version)
    const caller = callerOf('Write topic:a')
    caller.nodes.set(1, { host: 'gate.example', port: 19_001 })
    caller.learnableNodes.set(2, { host: 'gate.example', port: 19_002 })
    const outcome = producePlan(version).judge(produce(version, [['a', [0]]]), caller, false) as Forward
    const nodeEndpoints = [1, 2, 3].map(nodeId => ({ nodeId, host: `broker-${nodeId}`, port: 9092, rack: nodeId === 2 ? 'r' : null }))
    const answer = io.readResponse(await (outcome.response as ResponseEdit).whole([io.response({ responses: [], nodeEndpoints })]))
    assert.deepEqual(answer.nodeEndpoints, [
      { nodeId: 1, host: 'gate.example', port: 19_001, rack: null },
      { nodeId: 2, host: 'gate.example', port: 19_002, rack: 'r' },
    ])
  })
}

for (const version of versions) {
  const head = (frame: Buffer) => frame.subarray(0, 90)
  const big = (topics: [string, number[]][], more = {}) => produce(version, topics, more)

  test(`v${version}: one topic that may be written passes while it arrives, its last byte only with a valid walk`, () => {
    const frame = big([['a', [0, 1, 2]]])
    for (const cut of [1, 7, 64, frame.length]) {
      const stream = producePlan(version).stream!(head(frame), callerOf('Write topic:a'))!
      for (let at = 0; at < frame.length; at += cut) {
        const end = Math.min(at + cut, frame.length)
        assert.equal(stream.push(frame, at, end), end - at)
      }
    }
    const broken = Buffer.from(frame)
    broken.writeInt32BE(frame.length + 60 - 4, 0)
    const longer = Buffer.concat([broken, Buffer.alloc(60)])
    const stream = producePlan(version).stream!(head(longer), callerOf('Write topic:a'))!
    assert.throws(() => stream.push(longer, 0, longer.length), MalformedError)
  })

  test(`v${version}: what may still turn out refused is held`, () => {
    const plan = producePlan(version)
    const caller = callerOf('Write topic:a')
    assert.equal(plan.stream!(head(big([['b', [0, 1, 2]]])), caller), null)
    assert.equal(
      plan.stream!(
        head(
          big([
            ['a', [0, 1]],
            ['b', [0]],
          ]),
        ),
        caller,
      ),
      null,
    )
    assert.equal(plan.stream!(head(big([['a', [0, 1, 2]]], { transactionalId: 't' })), caller), null)
    assert.notEqual(
      plan.stream!(head(big([['a', [0, 1, 2]]], { transactionalId: 't' })), callerOf('Write topic:a', 'Write transactionalId:t')),
      null,
    )
    assert.equal(plan.stream!(big([['a', [0, 1, 2]]]).subarray(0, 20), caller), null)
    caller.rights.unknown.add('Write topic:a')
    assert.equal(plan.stream!(head(big([['a', [0, 1, 2]]])), caller), null)
    assert.equal(plan.stream!(head(big([['a', [0, 1, 2]]], { acks: 0 })), callerOf('Write topic:a'))!.response, 'none')
  })
}
