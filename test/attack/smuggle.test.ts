// A request that says one thing to the gate and another to the broker: duplicates, two names for one topic, bytes that parsers read differently.

import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { decodeResponse } from '../fakes/client.ts'
import { request } from '../fakes/frames.ts'
import { recordBatch } from '../fakes/record-batch.ts'
import { until } from '../fakes/until.ts'
import {
  dataAnswers,
  encodeRequest,
  fetchBody,
  framesIn,
  loginAnd,
  OPEN,
  policyWith,
  produceBody,
  SECRET,
  sendAlone,
  startWorld,
  type World,
  ZERO_ID,
} from './world.ts'

const batch = recordBatch(['mine'])
const SECRET_RECORDS = recordBatch(['top-secret'])
let world: World
before(async () => {
  world = await startWorld(dataAnswers(topic => (topic.startsWith('secret') ? SECRET_RECORDS : batch)))
})
after(() => world?.stop())
afterEach(() => {
  const names = JSON.stringify(
    world.reached().map(asked => asked.body),
    (_key, value) => (typeof value === 'bigint' ? String(value) : value),
  )
  assert.ok(!names.includes(SECRET.name) && !names.includes(SECRET.id), 'the refused topic never reached the broker')
})

const codesOf = (response: any) => response.responses.map((t: any) => [t.name ?? t.topicId, t.partitionResponses[0].errorCode])

test('a refused topic between two entries of an allowed one is cut out of a Produce', async () => {
  const client = await world.client('writer')
  const answer = await client.ask(0, 9, produceBody([OPEN.name, SECRET.name, OPEN.name], batch))
  assert.deepEqual(
    codesOf(answer).filter(([name]: any) => name === SECRET.name),
    [[SECRET.name, 29]],
  )
  client.socket.destroy()
})

test('a refused topic that is named twice in a Fetch is told an error, and none of its records come', async () => {
  const client = await world.client('reader')
  client.write(encodeRequest(1, 12, 5, fetchBody([SECRET.name, OPEN.name, SECRET.name])))
  const frame = (await client.next())!
  const secrets = decodeResponse(1, 12, frame).responses.filter((t: any) => t.topic === SECRET.name)
  assert.ok(secrets.length > 0 && secrets.every((t: any) => t.partitions.every((p: any) => p.errorCode === 29)))
  assert.ok(!frame.includes('top-secret'))
  client.socket.destroy()
})

test('by id: a refused topic is refused, an id that nobody has and the zero id are unknown', async () => {
  const client = await world.client('writer')
  const nobody = '99'.repeat(16)
  const topicData = [SECRET.id, nobody, ZERO_ID, OPEN.id].map(topicId => ({ topicId, partitionData: [{ index: 0, records: batch }] }))
  const answer = await client.ask(0, 13, { transactionalId: null, acks: -1, timeoutMs: 1000, topicData })
  assert.deepEqual(Object.fromEntries(codesOf(answer)), { [SECRET.id]: 29, [nobody]: 100, [ZERO_ID]: 100, [OPEN.id]: 0 })
  client.socket.destroy()
})

test('a name in place of an id, and both at once, delete nothing', async () => {
  const client = await world.client('writer')
  const topics = [
    { name: OPEN.name, topicId: SECRET.id },
    { name: null, topicId: SECRET.id },
    { name: SECRET.name, topicId: ZERO_ID },
    { name: null, topicId: ZERO_ID },
  ]
  const answer = await client.ask(20, 6, { topics, timeoutMs: 1000 })
  assert.ok(answer.responses.every((r: any) => r.errorCode !== 0))
  assert.equal(world.broker.count(20), 0)
  client.socket.destroy()
})

test('a topic that is deleted and made again is another topic: its old id does not come to mean the new one', async () => {
  const client = await world.client('writer')
  const produce = (topicId: string) =>
    client.ask(0, 13, {
      transactionalId: null,
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ topicId, partitionData: [{ index: 0, records: batch }] }],
    })
  const [first, second, other] = ['c1'.repeat(16), 'c2'.repeat(16), 'c3'.repeat(16)]
  world.topics['open.again'] = first
  assert.deepEqual(codesOf(await produce(first)), [[first, 0]])

  delete world.topics['open.again']
  world.topics['secret.again'] = second
  world.topics['open.again'] = other
  assert.deepEqual(codesOf(await produce(second)), [[second, 29]])
  assert.deepEqual(codesOf(await produce(other)), [[other, 0]])

  const sent = world.reached().flatMap(asked => (asked.apiKey === 0 ? asked.body.topicData.map((t: any) => t.topicId) : []))
  assert.ok(!sent.includes(second))
  client.socket.destroy()
})

/** A frame with its size made right. */
const sized = (...pieces: readonly Buffer[]): Buffer => {
  const frame = Buffer.concat(pieces)
  frame.writeInt32BE(frame.length - 4, 0)
  return frame
}
const at = (frame: Buffer, text: string): number => frame.indexOf(text)

function malformed(): [string, Buffer][] {
  const metadata = encodeRequest(3, 12, 1, {
    topics: [{ topicId: ZERO_ID, name: OPEN.name }],
    allowAutoTopicCreation: false,
    includeTopicAuthorizedOperations: false,
  })
  const produce = encodeRequest(0, 9, 1, produceBody([OPEN.name], batch))
  const old = encodeRequest(0, 8, 1, produceBody([OPEN.name], batch))
  const set = (frame: Buffer, offset: number, ...bytes: number[]) => {
    const copy = Buffer.from(frame)
    copy.set(bytes, offset)
    return copy
  }
  const name = at(metadata, OPEN.name)
  return [
    ['bytes left over behind a Metadata', sized(metadata, Buffer.of(0))],
    ['a second Produce within the frame of the first', sized(produce, encodeRequest(0, 9, 2, produceBody([SECRET.name], batch)))],
    ['a name longer than the frame', set(metadata, name - 1, 0x7f)],
    ['a name that is not UTF-8', set(metadata, name, 0xff, 0xfe)],
    ['a name in an overlong form of UTF-8', set(metadata, name, 0xc1, 0xaf)],
    ['a name with half a surrogate pair', set(metadata, name, 0xed, 0xa0, 0x80)],
    [
      'a varint of six bytes',
      sized(metadata.subarray(0, name - 1), Buffer.from([0x87, 0x80, 0x80, 0x80, 0x80, 0]), metadata.subarray(name)),
    ],
    ['a varint over 2^31 - 1', sized(metadata.subarray(0, name - 1), Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f]), metadata.subarray(name))],
    ['a tag that comes twice', sized(metadata.subarray(0, -1), Buffer.from([2, 5, 0, 5, 0]))],
    ['tags that do not ascend', sized(metadata.subarray(0, -1), Buffer.from([2, 6, 0, 5, 0]))],
    ['a tagged field that runs past the end', sized(metadata.subarray(0, -1), Buffer.from([1, 5, 9, 0]))],
    ['an array of length -2', set(old, at(old, OPEN.name) - 6, 255, 255, 255, 254)],
    ['an array of a thousand million', set(old, at(old, OPEN.name) - 6, 0x3b, 0x9a, 0xca, 0)],
    ['a null array where none may be', set(old, at(old, OPEN.name) - 6, 255, 255, 255, 255)],
    ['a name of length -2', set(old, at(old, OPEN.name) - 2, 255, 254)],
    ['a flexible version written as an old one', set(old, 6, 0, 9)],
    ['an old version written as a flexible one', set(produce, 6, 0, 8)],
    ['a client id longer than the frame', set(metadata, 12, 0x7f, 0xff)],
    ['a client id of length -2', set(metadata, 12, 255, 254)],
    ['a frame without a client id', sized(metadata.subarray(0, 13))],
    ['an empty frame', Buffer.alloc(4)],
    ['a frame of four bytes', Buffer.from([0, 0, 0, 4, 0, 0, 0, 9])],
  ]
}

test('bytes that two parsers could read differently close the connection, are counted, and reach nobody', async () => {
  const token = await world.token('writer')
  const before = world.broker.asked.length
  const counted = await world.gate.metric('topicgate_malformed_total')
  const cases = malformed()
  for (const [what, frame] of cases) {
    const came = framesIn(await sendAlone(world.gate.port, loginAnd(token, frame)))
    assert.equal(came.length, 2, what)
  }
  assert.equal(await world.gate.metric('topicgate_malformed_total'), counted + cases.length)
  assert.deepEqual(
    world.broker.asked.slice(before).filter(asked => asked.apiKey === 0),
    [],
  )
})

test('three bytes behind a request for all topics are taken off, and behind any other close the connection', async () => {
  const head = (version: number) => {
    const frame = request(3, version, 1, Buffer.of(0))
    frame.writeInt32BE(frame.length - 4, 0)
    return frame
  }
  const token = await world.token('writer')
  const before = world.broker.asked.length
  const client = await world.client('writer')
  client.write(sized(head(12), Buffer.from([0, 0, 0, 0, 1, 2, 3])))
  const topics = decodeResponse(3, 12, (await client.next())!).topics.map((t: any) => t.name)
  assert.ok(topics.includes(OPEN.name) && !topics.includes(SECRET.name))
  client.socket.destroy()

  const one = Buffer.concat([
    Buffer.of(2),
    Buffer.alloc(16),
    Buffer.of(OPEN.name.length + 1),
    Buffer.from(OPEN.name),
    Buffer.from([0, 0, 0, 0]),
  ])
  for (const rest of [
    Buffer.from([0, 0, 0, 0, 1, 2]),
    Buffer.from([0, 0, 0, 0, 1, 2, 3, 4]),
    Buffer.from([0, 0, 0, 1, 1, 2, 3]),
    Buffer.concat([one, Buffer.alloc(3)]),
  ]) {
    assert.equal(framesIn(await sendAlone(world.gate.port, loginAnd(token, sized(head(12), rest)))).length, 2)
  }
  assert.ok(world.broker.asked.slice(before).every(asked => asked.apiKey === 3))
})

test('a Produce that trickles in is not finished once its right is gone', async () => {
  const client = await world.client('writer')
  const frame = encodeRequest(0, 9, 9, produceBody([OPEN.name], recordBatch(['x'.repeat(300_000)])))
  const before = world.broker.count(0)
  const judged = () => world.gate.metric('topicgate_requests_judged_total')
  const judgedBefore = await judged()
  client.write(frame.subarray(0, frame.length - 10))
  await until(async () => (await judged()) > judgedBefore)
  const generation = await world.gate.metric('topicgate_policy_generation')
  world.gate.setPolicy(policyWith('reader', 'other').replace('service:writer', 'service:nobody'))
  while ((await world.gate.metric('topicgate_policy_generation')) === generation) await new Promise(resolve => setTimeout(resolve, 50))

  client.write(frame.subarray(frame.length - 10))

  assert.equal(await client.next(), null)
  assert.equal(world.broker.count(0), before)
  assert.equal(await world.gate.metric('topicgate_rights_lost_total'), 1)
  world.gate.setPolicy(policyWith('reader', 'other'))
})
