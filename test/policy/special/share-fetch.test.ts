// Share sessions: what the broker sees and what the client is told, request after request.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Outcome } from '../../../src/policy/outcome.ts'
import { planFor } from '../../../src/policy/plan.ts'
import { ShareFetch } from '../../../src/protocol/messages/78-share-fetch.ts'
import { ShareAcknowledge } from '../../../src/protocol/messages/79-share-acknowledge.ts'
import { FakeCaller } from './caller.ts'
import { frames } from './frames.ts'
import { ShareBroker, shareBody, type Told, toldBy } from './share-model.ts'

const ID = (digit: string) => digit.repeat(32)
const [ORDERS, SECRET, OTHER, NOBODY] = [ID('a'), ID('b'), ID('c'), ID('d')]
const NAMES = new Map([
  [ORDERS, 'orders'],
  [SECRET, 'secret'],
  [OTHER, 'other'],
])
const fetches = frames(ShareFetch, 2)
const acknowledges = frames(ShareAcknowledge, 2)

function given(...topics: string[]): FakeCaller {
  const caller = new FakeCaller()
  for (const [id, name] of NAMES) caller.ids.set(id, name)
  caller.ids.set(NOBODY, null)
  caller.nodes.set(1, { host: 'gate', port: 9001 })
  caller.rights.allow('Read group:g', ...topics.map(topic => `Read topic:${topic}`))
  return caller
}

const partition = (partitionIndex: number, ...acknowledgementBatches: object[]) => ({ partitionIndex, acknowledgementBatches })
const batch = (firstOffset: bigint, lastOffset = firstOffset, type = 1) => ({ firstOffset, lastOffset, acknowledgeTypes: [type] })
const topic = (topicId: string, ...partitions: object[]) => ({ topicId, partitions })
const fetchOf = (fields: object) => ({
  groupId: 'g',
  memberId: 'm',
  shareSessionEpoch: 0,
  maxWaitMs: 0,
  minBytes: 0,
  maxBytes: 0,
  maxRecords: 0,
  batchSize: 0,
  shareAcquireMode: 0,
  isRenewAck: false,
  topics: [],
  forgottenTopicsData: [],
  ...fields,
})

const judge = (caller: FakeCaller, fields: object): Outcome => planFor(78, 2)!.judge(fetches.request(fetchOf(fields)), caller, false)
const answered = (outcome: Outcome) => {
  assert.ok(outcome.kind === 'answer' && outcome.frame !== null)
  return fetches.readResponse(outcome.frame)
}
/** What the broker reads. */
function seen(outcome: Outcome, fields: object): any {
  assert.equal(outcome.kind, 'forward')
  const sent = outcome.kind === 'forward' ? outcome.frames : null
  return sent === null ? fetchOf(fields) : fetches.readRequest(sent[0]!)
}
/** What the client reads of a response that comes in pieces of `size` bytes. */
function passed(outcome: Outcome, body: object, size = 7): any {
  assert.ok(outcome.kind === 'forward' && outcome.response !== null && outcome.response !== 'none')
  const frame = fetches.response(body)
  const stream = outcome.response.stream()!
  const pieces: Buffer[] = []
  let complete = false
  for (let at = 0; at < frame.length; at += size)
    complete = stream.push(frame, at, Math.min(frame.length, at + size), piece => pieces.push(Buffer.from(piece)))
  assert.ok(complete)
  return fetches.readResponse(Buffer.concat(pieces))
}
const endpoint = (nodeId: number, host: string) => ({ nodeId, host, port: 9092, rack: null })

test('a refused topic never reaches the broker, and is told so in every response of the session', () => {
  const caller = given('orders')
  const first = { topics: [topic(ORDERS, partition(0)), topic(SECRET, partition(0), partition(1))] }

  const began = judge(caller, first)

  assert.deepEqual(
    seen(began, first).topics.map((t: any) => t.topicId),
    [ORDERS],
  )
  const told = toldBy(passed(began, { responses: [] }))
  assert.deepEqual(
    [...told.partitions],
    [
      [`${SECRET}/0`, [29, 0]],
      [`${SECRET}/1`, [29, 0]],
    ],
  )
  const next = { shareSessionEpoch: 1 }
  const second = judge(caller, next)
  assert.equal(second.kind === 'forward' && second.frames, null)
  assert.deepEqual(toldBy(passed(second, { responses: [] })).partitions.get(`${SECRET}/1`), [29, 0])
})

test('a right that is lost leaves the session upstream, one that is gained joins it, and batches of the request stay', () => {
  const caller = given('orders')
  passed(judge(caller, { topics: [topic(ORDERS, partition(0)), topic(SECRET, partition(0), partition(1))] }), { responses: [] })
  caller.rights.refuse('Read topic:orders').allow('Read topic:secret')

  const fields = { shareSessionEpoch: 1, topics: [topic(SECRET, partition(1, batch(5n)))] }
  const read = seen(judge(caller, fields), fields)

  assert.deepEqual(read.forgottenTopicsData, [{ topicId: ORDERS, partitions: [0] }])
  assert.deepEqual(read.topics, [topic(SECRET, partition(0)), topic(SECRET, partition(1, batch(5n)))])
})

test('what is acknowledged under a refused topic is refused beside its records', () => {
  const caller = given('orders')
  passed(judge(caller, { topics: [topic(ORDERS, partition(0)), topic(SECRET, partition(0))] }), { responses: [] })

  const fields = { shareSessionEpoch: 1, topics: [topic(SECRET, partition(0, batch(1n)), partition(3, batch(9n, 2n)))] }
  const outcome = judge(caller, fields)

  assert.deepEqual(seen(outcome, fields).topics, [])
  assert.deepEqual(
    [...toldBy(passed(outcome, { responses: [] })).partitions.values()],
    [
      [29, 29],
      [29, 42],
    ],
  )
})

test('a session serves only the connection that opened it, and only with the epoch that is due', () => {
  const [opener, stranger] = [given('orders'), given('orders')]
  passed(judge(opener, { topics: [topic(ORDERS, partition(0))] }), { responses: [] })

  assert.equal(answered(judge(stranger, { shareSessionEpoch: 1 })).errorCode, 122)
  assert.equal(answered(judge(stranger, { shareSessionEpoch: -1 })).errorCode, 122)
  assert.equal(answered(judge(opener, { shareSessionEpoch: 2 })).errorCode, 123)
  assert.equal(judge(opener, { shareSessionEpoch: 1 }).kind, 'forward')
})

test('the group is judged first, then the member, then the session', () => {
  const caller = given('orders')
  assert.equal(answered(judge(caller, { groupId: null })).errorCode, 42)
  assert.equal(answered(judge(caller, { groupId: 'other', memberId: '' })).errorCode, 30)
  assert.equal(answered(judge(caller, { memberId: 'x'.repeat(37), shareSessionEpoch: 5 })).errorCode, 42)
  assert.equal(answered(judge(caller, { topics: [topic(ORDERS, partition(0, batch(1n)))] })).errorCode, 42)
  assert.equal(answered(judge(caller, { isRenewAck: true, maxRecords: 1 })).errorCode, 42)
})

test('an error of the whole ends the session here', () => {
  const caller = given('orders')
  const outcome = judge(caller, { topics: [topic(ORDERS, partition(0)), topic(SECRET, partition(0))] })

  const read = passed(outcome, { errorCode: 133, errorMessage: 'too many', responses: [] })

  assert.deepEqual(read.responses, [])
  assert.equal(answered(judge(caller, { shareSessionEpoch: 1 })).errorCode, 122)
})

test('addresses of brokers are replaced in the same length, or left out', () => {
  const caller = given('orders')
  const fields = { topics: [topic(ORDERS, partition(0))] }
  for (const [nodes, expected] of [
    [[endpoint(1, 'broker-1.internal')], [{ nodeId: 1, host: 'gate', port: 9001 }]],
    [[endpoint(2, 'broker-2.internal')], []],
    [[endpoint(1, 'b')], []],
    [[], []],
  ] as const) {
    for (const size of [1, 5, 1000]) {
      const read = passed(judge(caller, fields), { responses: [], nodeEndpoints: nodes }, size)
      assert.deepEqual(
        read.nodeEndpoints.map(({ nodeId, host, port }: any) => ({ nodeId, host, port })),
        expected,
      )
    }
  }
})

test('a topic in a response that was not judged for its request ends both sides', () => {
  const caller = given('orders')
  const outcome = judge(caller, { topics: [topic(ORDERS, partition(0))] })

  const leak = shareBody({ errorCode: 0, partitions: new Map([[`${SECRET}/0`, [0, 0]]]) }, Buffer.from('r'))

  assert.throws(() => passed(outcome, leak), /not asked for/)
})

test('a right that is lost while the broker waits is noticed before a byte leaves', () => {
  const caller = given('orders')
  const outcome = judge(caller, { topics: [topic(ORDERS, partition(0))] })
  assert.ok(outcome.kind === 'forward' && outcome.response !== null && outcome.response !== 'none')

  assert.equal(outcome.response.stillAllowed!(), 'yes')
  caller.rights.refuse('Read topic:orders')
  assert.equal(outcome.response.stillAllowed!(), 'no')
})

test('what cannot be decided is told as a leader that moved, and asked again in each request', () => {
  const caller = given('orders')
  caller.rights.undecided.add('Read topic:secret')
  const told = toldBy(passed(judge(caller, { topics: [topic(SECRET, partition(0))] }), { responses: [] }))
  assert.deepEqual(told.partitions.get(`${SECRET}/0`), [6, 0])

  caller.rights.undecided.clear()
  caller.rights.allowed.add('Read topic:secret')
  const fields = { shareSessionEpoch: 1 }

  assert.deepEqual(seen(judge(caller, fields), fields).topics, [topic(SECRET, partition(0))])
})

interface Step {
  readonly kind: 'fetch' | 'acknowledge' | 'rights'
  readonly epoch: 'first' | 'due' | 'wrong' | 'last'
  readonly topics: readonly object[]
  readonly forgotten: readonly object[]
  readonly isRenewAck: boolean
  readonly toggled: string
  readonly cut: number
}

const ids = fc.constantFrom(ORDERS, SECRET, OTHER, NOBODY)
const batches = fc.oneof(
  { arbitrary: fc.constant([]), weight: 2 },
  fc.constant([batch(1n, 1n)]),
  fc.constant([batch(2n, 1n)]),
  fc.constant([batch(1n, 1n, 4)]),
)
const topicsOf = (inner: fc.Arbitrary<any>) =>
  fc.uniqueArray(fc.record({ topicId: ids, partitions: inner }), { selector: t => t.topicId, maxLength: 3 })
const indexes = fc.uniqueArray(fc.nat(2), { minLength: 1, maxLength: 3 })
const steps: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('fetch', 'fetch', 'fetch', 'acknowledge', 'rights'),
  epoch: fc.constantFrom('first', 'due', 'due', 'due', 'due', 'due', 'wrong', 'last'),
  topics: topicsOf(
    fc.uniqueArray(fc.record({ partitionIndex: fc.nat(2), acknowledgementBatches: batches }), {
      selector: p => p.partitionIndex,
      minLength: 1,
      maxLength: 3,
    }),
  ),
  forgotten: topicsOf(indexes),
  isRenewAck: fc.boolean(),
  toggled: fc.constantFrom('orders', 'secret', 'other'),
  cut: fc.integer({ min: 1, max: 60 }),
})

/** One request through the gate and its broker. */
function through(caller: FakeCaller, open: ShareBroker, step: Step, request: any): Told {
  const isFetch = step.kind === 'fetch'
  const frame = (isFetch ? fetches : acknowledges).request(request)
  const outcome = planFor(isFetch ? 78 : 79, 2)!.judge(frame, caller, false)
  if (outcome.kind === 'answer') return toldBy((isFetch ? fetches : acknowledges).readResponse(outcome.frame!))
  assert.equal(outcome.kind, 'forward')
  const read = outcome.frames === null ? request : (isFetch ? fetches : acknowledges).readRequest(outcome.frames[0]!)
  if (isFetch) return toldBy(passed(outcome, shareBody(open.fetch(read), Buffer.from('records')), step.cut))
  assert.ok(outcome.response !== null && outcome.response !== 'none')
  const response = outcome.response.whole([acknowledges.response(shareBody(open.acknowledge(read), null))])
  return toldBy(acknowledges.readResponse(response as Buffer))
}

/** A topic that joins with a renewal may be answered for batches that it does not have: no error, no records. */
const whatIsSaid = ({ partitions }: Told, isRenewAck: boolean) =>
  new Map([...partitions].filter(([, [error, acknowledgeError]]) => !isRenewAck || error !== 0 || acknowledgeError !== 0).sort())

test('through any requests and any changes of rights, the gate before an open broker tells what a broker with an authorizer tells', () => {
  let compared = 0
  fc.assert(
    fc.property(fc.array(steps, { minLength: 5, maxLength: 40 }), run => {
      const caller = given('orders')
      const mayRead = (name: string) => caller.rights.allowed.has(`Read topic:${name}`)
      const reference = new ShareBroker(id => NAMES.get(id), mayRead)
      const open = new ShareBroker(id => NAMES.get(id), null)
      let due = 0
      for (const step of run) {
        if (step.kind === 'rights') {
          const right = `Read topic:${step.toggled}`
          if (mayRead(step.toggled)) caller.rights.refuse(right)
          else caller.rights.allow(right)
          continue
        }
        const shareSessionEpoch = { first: 0, due, wrong: due + 7, last: -1 }[step.epoch]
        const forgottenTopicsData = shareSessionEpoch > 0 ? step.forgotten : []
        const { topics, isRenewAck } = step
        const acknowledge = { groupId: 'g', memberId: 'm', shareSessionEpoch, isRenewAck, topics }
        const request = step.kind === 'fetch' ? fetchOf({ ...acknowledge, forgottenTopicsData }) : acknowledge
        const expected = step.kind === 'fetch' ? reference.fetch(request) : reference.acknowledge(request)

        const actual = through(caller, open, step, request)

        assert.equal(actual.errorCode, expected.errorCode)
        assert.deepEqual(whatIsSaid(actual, isRenewAck), whatIsSaid(expected, isRenewAck))
        if (expected.errorCode === 0) due = shareSessionEpoch < 0 ? 0 : shareSessionEpoch + 1
        compared++
      }
    }),
    { numRuns: 600 },
  )
  assert.ok(compared > 5000, `${compared} requests`)
})
