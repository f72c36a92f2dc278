// Fetch: what goes to the broker, what comes back, and whole histories of sessions against a model of both ends.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Answer, Forward, Outcome, Plan, ResponseEdit } from '../../../src/policy/outcome.ts'
import { fetchPlan } from '../../../src/policy/special/fetch.ts'
import { Fetch } from '../../../src/protocol/messages/01-fetch.ts'
import { MalformedError } from '../../../src/protocol/wire.ts'
import { FakeCaller } from './caller.ts'
import { frames } from './frames.ts'

const NAMES = ['a', 'b', 'c', 'nobody']
const idOf = (name: string) => name.charCodeAt(0).toString(16).repeat(16)
const nameOf = (t: any): string => t.topic ?? NAMES.find(n => idOf(n) === t.topicId)
const keyed = (version: number, name: string) => (version >= 13 ? { topicId: idOf(name) } : { topic: name })

type Wanted = [string, number[]][]
interface Ask {
  sessionId?: number
  epoch?: number
  topics?: Wanted
  forgotten?: Wanted
  replicaId?: number
  offset?: bigint
}

function request(version: number, { sessionId = 0, epoch = -1, topics = [], forgotten = [], replicaId = -1, offset = 5n }: Ask): Buffer {
  const body = {
    maxWaitMs: 500,
    minBytes: 1,
    maxBytes: 1 << 20,
    ...(version >= 15 ? (replicaId >= 0 ? { replicaState: { replicaId, replicaEpoch: 1n } } : {}) : { replicaId }),
    ...(version >= 7
      ? {
          sessionId,
          sessionEpoch: epoch,
          forgottenTopicsData: forgotten.map(([n, partitions]) => ({ ...keyed(version, n), partitions })),
        }
      : {}),
    topics: topics.map(([n, partitions]) => ({
      ...keyed(version, n),
      partitions: partitions.map(partition => ({ partition, fetchOffset: offset, partitionMaxBytes: 1024 })),
    })),
  }
  return frames(Fetch, version).request(body)
}

function response(
  version: number,
  topics: Wanted,
  { sessionId = 0, errorCode = 0, throttleTimeMs = 0, nodeEndpoints = undefined as any } = {},
): Buffer {
  return frames(Fetch, version).response({
    throttleTimeMs,
    ...(version >= 7 ? { errorCode, sessionId } : {}),
    responses: topics.map(([n, partitions]) => ({
      ...keyed(version, n),
      partitions: partitions.map(partitionIndex => ({ partitionIndex, errorCode: 0, highWatermark: 9n, records: Buffer.from('records') })),
    })),
    ...(nodeEndpoints === undefined ? {} : { nodeEndpoints }),
  })
}

const told = (body: any): [string, [number, number][]][] =>
  body.responses.map((t: any) => [nameOf(t), t.partitions.map((p: any) => [p.partitionIndex, p.errorCode])])

function callerOf(...allowed: string[]) {
  const caller = new FakeCaller()
  caller.rights.allow(...allowed.map(n => `Read topic:${n}`))
  for (const n of NAMES) caller.ids.set(idOf(n), n === 'nobody' ? null : n)
  return caller
}

/** How the broker's response goes to the client, in pieces of `cut` bytes. */
function streamed(outcome: Outcome, theirs: Buffer, cut = theirs.length): Buffer {
  const stream = ((outcome as Forward).response as ResponseEdit).stream()!
  const pieces: Buffer[] = []
  let complete = false
  for (let at = 0; at < theirs.length; at += cut) {
    assert.equal(complete, false)
    const piece = Buffer.from(theirs.subarray(at, at + cut))
    complete = stream.push(piece, 0, piece.length, p => pieces.push(Buffer.from(p)))
    piece.fill(0xee)
  }
  assert.equal(complete, true)
  return Buffer.concat(pieces)
}
const passed = async (outcome: Outcome, theirs: Buffer): Promise<Buffer> => streamed(outcome, theirs)

const sent = (version: number, outcome: Outcome, frame: Buffer): any =>
  frames(Fetch, version).readRequest((outcome as Forward).frames?.[0] ?? frame)

const versions = [4, 5, 6, 7, 9, 11, 12, 13, 14, 15, 16, 17, 18]

for (const version of versions) {
  const io = frames(Fetch, version)

  test(`v${version}: what is allowed whole goes on as it came, and so does its response`, async () => {
    const outcome = fetchPlan(version).judge(request(version, { topics: [['a', [0, 1]]] }), callerOf('a'), false) as Forward
    assert.equal(outcome.frames, null)
    const theirs = response(version, [['a', [0]]])
    assert.deepEqual(await passed(outcome, theirs), theirs)
  })

  test(`v${version}: a refused topic never reaches the broker; its error stands first in the response`, async () => {
    const caller = callerOf('a')
    const frame = request(version, {
      topics: [
        ['b', [4, 5]],
        ['a', [0]],
        ['nobody', [1]],
      ],
    })
    const outcome = fetchPlan(version).judge(frame, caller, false)
    assert.deepEqual(sent(version, outcome, frame).topics.map(nameOf), ['a'])
    const answer = io.readResponse(await passed(outcome, response(version, [['a', [0]]])))
    const nobody = version >= 13 ? 100 : 29
    assert.deepEqual(told(answer), [
      [
        'b',
        [
          [4, 29],
          [5, 29],
        ],
      ],
      ['nobody', [[1, nobody]]],
      ['a', [[0, 0]]],
    ])
    const p = answer.responses[0].partitions[0]
    assert.equal(p.highWatermark, -1n)
    assert.deepEqual(p.abortedTransactions, [])
    assert.equal(p.records.length, 0)
    assert.equal(caller.told[0], 'refused Read topic:b 29')
  })

  test(`v${version}: nothing allowed is answered here, at once and without a session`, () => {
    const outcome = fetchPlan(version).judge(request(version, { epoch: 0, topics: [['b', [4]]] }), callerOf(), false) as Answer
    const answer = io.readResponse(outcome.frame!)
    assert.deepEqual(told(answer), [['b', [[4, 29]]]])
    assert.equal(answer.sessionId ?? 0, 0)
  })

  test(`v${version}: a replica is refused like a client, and never forwarded`, () => {
    const caller = callerOf('a')
    const outcome = fetchPlan(version).judge(request(version, { epoch: 0, topics: [['a', [0]]], replicaId: 3 }), caller, false) as Answer
    assert.deepEqual(told(io.readResponse(outcome.frame!)), [['a', [[0, 29]]]])
    assert.deepEqual(caller.told, ['refused ClusterAction cluster:kafka-cluster 29'])
  })

  test(`v${version}: a topic that was not asked for closes the connection`, async () => {
    const outcome = fetchPlan(version).judge(request(version, { topics: [['a', [0]]] }), callerOf('a', 'b'), false)
    await assert.rejects(async () => passed(outcome, response(version, [['b', [0]]])), MalformedError)
  })

  test(`v${version}: what cannot be decided is asked once, then told as a leader that moved`, async () => {
    const caller = callerOf('a')
    caller.rights.unknown.add('Read topic:b')
    caller.rights.undecided.add('Read topic:b')
    const frame = request(version, {
      topics: [
        ['a', [0]],
        ['b', [1]],
      ],
    })
    const wait = fetchPlan(version).judge(frame, caller, false)
    assert.equal(wait.kind, 'wait')
    if (wait.kind === 'wait') await wait.ready
    const outcome = fetchPlan(version).judge(frame, caller, true)
    const answer = io.readResponse(await passed(outcome, response(version, [['a', [0]]])))
    assert.deepEqual(told(answer)[0], ['b', [[1, 6]]])
    assert.deepEqual(caller.told, ['undecided Read topic:b'])
  })

  test(`v${version}: rights that are lost are seen in flight`, () => {
    const caller = callerOf('a')
    const outcome = fetchPlan(version).judge(request(version, { topics: [['a', [0]]] }), caller, false) as Forward
    const edit = outcome.response as ResponseEdit
    assert.equal(edit.stillAllowed!(), 'yes')
    caller.rights.unknown.add('Read topic:a')
    assert.equal(edit.stillAllowed!(), 'unknown')
    caller.rights.unknown.clear()
    caller.rights.refuse('Read topic:a')
    assert.equal(edit.stillAllowed!(), 'no')
  })
}

for (const version of [7, 11, 12, 13, 17]) {
  const io = frames(Fetch, version)

  /** A session that holds a (allowed) and b (refused), made on `caller`. */
  async function begun(plan: Plan, caller: FakeCaller): Promise<void> {
    const outcome = plan.judge(
      request(version, {
        epoch: 0,
        topics: [
          ['a', [0]],
          ['b', [1, 2]],
        ],
      }),
      caller,
      false,
    )
    await passed(outcome, response(version, [['a', [0]]], { sessionId: 42 }))
  }

  test(`v${version}: errors of a session are in each of its responses, but not beside an error of the whole or a throttled nothing`, async () => {
    const plan = fetchPlan(version)
    const caller = callerOf('a')
    await begun(plan, caller)
    const first = plan.judge(request(version, { sessionId: 42, epoch: 1 }), caller, false) as Forward
    assert.equal(first.frames, null)
    assert.deepEqual(told(io.readResponse(await passed(first, response(version, [], { sessionId: 42 })))), [
      [
        'b',
        [
          [1, 29],
          [2, 29],
        ],
      ],
    ])
    const second = plan.judge(request(version, { sessionId: 42, epoch: 2 }), caller, false)
    const throttled = response(version, [], { sessionId: 42, throttleTimeMs: 9 })
    assert.deepEqual(await passed(second, throttled), throttled)
    const third = plan.judge(request(version, { sessionId: 42, epoch: 3 }), caller, false)
    const error = response(version, [], { errorCode: 71 })
    assert.deepEqual(await passed(third, error), error)
    const gone = plan.judge(request(version, { sessionId: 42, epoch: 4 }), caller, false) as Answer
    assert.equal(io.readResponse(gone.frame!).errorCode, 70)
  })

  test(`v${version}: a right that comes joins the session, one that goes leaves it`, async () => {
    const plan = fetchPlan(version)
    const caller = callerOf('a')
    await begun(plan, caller)
    caller.rights.allow('Read topic:b').refuse('Read topic:a')
    const frame = request(version, { sessionId: 42, epoch: 1, topics: [['b', [2]]], offset: 77n })
    const outcome = plan.judge(frame, caller, false)
    const forwarded = sent(version, outcome, frame)
    assert.deepEqual(
      forwarded.topics.map((t: any) => [nameOf(t), t.partitions.map((p: any) => [p.partition, p.fetchOffset])]),
      [
        [
          'b',
          [
            [1, 5n],
            [2, 77n],
          ],
        ],
      ],
    )
    assert.deepEqual(
      forwarded.forgottenTopicsData.map((t: any) => [nameOf(t), t.partitions]),
      [['a', [0]]],
    )
    assert.deepEqual(told(io.readResponse(await passed(outcome, response(version, [['b', [1]]], { sessionId: 42 })))), [
      ['a', [[0, 29]]],
      ['b', [[1, 0]]],
    ])
    await assert.rejects(async () => {
      const next = plan.judge(request(version, { sessionId: 42, epoch: 2 }), caller, false)
      await passed(next, response(version, [['a', [0]]], { sessionId: 42 }))
    }, MalformedError)
  })

  test(`v${version}: a session serves the connection that made it, and is closed only by its principal`, async () => {
    const plan = fetchPlan(version)
    const mine = callerOf('a')
    await begun(plan, mine)
    const again = callerOf('a')
    const other = new FakeCaller(mine.brokerState)
    for (const [id, name] of again.ids) other.ids.set(id, name)
    other.rights.allow('Read topic:a')
    ;(other.rights as any).principal = { id: 'user:test/eve' }
    assert.equal(io.readResponse((plan.judge(request(version, { sessionId: 42, epoch: 1 }), other, false) as Answer).frame!).errorCode, 70)
    const stolen = request(version, { sessionId: 42, epoch: 0, topics: [['a', [0]]] })
    assert.equal(sent(version, plan.judge(stolen, other, false), stolen).sessionId, 0)
    const returning = new FakeCaller(mine.brokerState)
    for (const [id, name] of again.ids) returning.ids.set(id, name)
    returning.rights.allow('Read topic:a')
    const closing = request(version, { sessionId: 42, epoch: 0, topics: [['a', [0]]] })
    assert.equal(sent(version, plan.judge(closing, returning, false), closing).sessionId, 42)
  })

  test(`v${version}: epochs are Kafka's, and a session does not change between names and ids`, async () => {
    const caller = callerOf('a')
    await begun(fetchPlan(version), caller)
    const error = (v: number, epoch: number) => {
      const outcome = fetchPlan(v).judge(request(v, { sessionId: 42, epoch }), caller, false) as Answer
      return frames(Fetch, v).readResponse(outcome.frame!).errorCode
    }
    assert.equal(error(version, 2), 71)
    assert.equal(error(version, -7), 71)
    assert.equal(error(version >= 13 ? 12 : 13, 1), 106)
    assert.equal(fetchPlan(version).judge(request(version, { sessionId: 42, epoch: 1 }), caller, false).kind, 'forward')
  })

  test(`v${version}: a full fetch that ends a session and has nothing left still ends it`, async () => {
    const plan = fetchPlan(version)
    const caller = callerOf('a')
    await begun(plan, caller)
    caller.rights.refuse('Read topic:a')
    const frame = request(version, { sessionId: 42, epoch: 0, topics: [['a', [0]]] })
    const outcome = plan.judge(frame, caller, false)
    const forwarded = sent(version, outcome, frame)
    assert.deepEqual([forwarded.sessionId, forwarded.sessionEpoch, forwarded.topics], [42, -1, []])
    assert.deepEqual(told(io.readResponse(await passed(outcome, response(version, [])))), [['a', [[0, 29]]]])
  })
}

for (const version of versions) {
  test(`v${version}: a response is the same to the client however it is cut`, () => {
    const nodeEndpoints = version >= 16 ? [{ nodeId: 1, host: 'broker-1.internal', port: 9092, rack: 'east' }] : undefined
    for (const allowed of [['a', 'b'], ['a']]) {
      const caller = callerOf(...allowed)
      caller.nodes.set(1, { host: 'gate', port: 19_001 })
      const frame = request(version, {
        topics: [
          ['b', [4, 5]],
          ['a', [0]],
        ],
      })
      const theirs = response(
        version,
        allowed.map(n => [n, [0, 1]]),
        { nodeEndpoints },
      )
      const whole = streamed(fetchPlan(version).judge(frame, caller, false), theirs)
      for (let cut = 1; cut < theirs.length; cut++) {
        assert.deepEqual(streamed(fetchPlan(version).judge(frame, caller, false), theirs, cut), whole, `cut at ${cut}`)
      }
      assert.equal(frames(Fetch, version).readResponse(whole).responses.length, 2)
    }
  })
}

for (const version of [16, 17, 18]) {
  test(`v${version}: addresses of brokers become ours in the same length, or none`, async () => {
    const io = frames(Fetch, version)
    const endpoints = async (host: string, theirs: any[]): Promise<any> => {
      const caller = callerOf('a')
      caller.nodes.set(1, { host, port: 19_001 })
      const outcome = fetchPlan(version).judge(request(version, { topics: [['a', [0]]] }), caller, false)
      const frame = response(version, [['a', [0]]], { nodeEndpoints: theirs })
      const answer = await passed(outcome, frame)
      assert.equal(answer.length, frame.length)
      assert.equal(answer.includes('broker'), false)
      return io.readResponse(answer).nodeEndpoints ?? null
    }
    const node = (host: string, rack: string | null = null, nodeId = 1) => ({ nodeId, host, port: 9092, rack })
    assert.deepEqual(await endpoints('gate', [node('broker-1.internal')]), [{ nodeId: 1, host: 'gate', port: 19_001, rack: null }])
    assert.deepEqual(await endpoints('gate', [node('broker-1.internal', 'east')]), [
      { nodeId: 1, host: 'gate', port: 19_001, rack: 'east' },
    ])
    assert.deepEqual(await endpoints('gate.of.one.size', [node('broker.same.size')]), [
      { nodeId: 1, host: 'gate.of.one.size', port: 19_001, rack: null },
    ])
    assert.equal(await endpoints('gate.of.another.size', [node('broker-1')]), null)
    assert.equal(await endpoints('gate', [node('broker-2', null, 2)]), null)
    for (let n = 5; n < 300; n++) await endpoints('g', [node(`broker${'x'.repeat(n)}`)])
  })
}

test('of two requests on their way the first may still bring a topic that the second forgets, the second may not', async () => {
  const plan = fetchPlan(12)
  const caller = callerOf('a', 'b')
  const begin = plan.judge(
    request(12, {
      epoch: 0,
      topics: [
        ['a', [0]],
        ['b', [1]],
      ],
    }),
    caller,
    false,
  )
  await passed(begin, response(12, [['a', [0]]], { sessionId: 42 }))
  const first = plan.judge(request(12, { sessionId: 42, epoch: 1 }), caller, false) as Forward
  caller.rights.refuse('Read topic:b')
  const second = plan.judge(request(12, { sessionId: 42, epoch: 2 }), caller, false) as Forward
  assert.equal((first.response as ResponseEdit).stillAllowed!(), 'no')
  assert.equal((second.response as ResponseEdit).stillAllowed!(), 'yes')
  await passed(first, response(12, [['b', [1]]], { sessionId: 42 }))
  await assert.rejects(async () => passed(second, response(12, [['b', [1]]], { sessionId: 42 })), MalformedError)
})
