// The hand-written walk of Metadata responses finds what the compiled one finds.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileEncode } from '../../src/protocol/codec.ts'
import { Metadata } from '../../src/protocol/messages/03-metadata.ts'
import { Broker, MetadataWalk, Topic } from '../../src/protocol/metadata-walk.ts'
import { layoutOf } from '../../src/protocol/schema.ts'
import { compileWalk } from '../../src/protocol/walk.ts'
import { MalformedError } from '../../src/protocol/wire.ts'
import { randomMessage, seeded } from './random.ts'

const PATHS = [
  'brokers',
  'brokers[]',
  'brokers.nodeId',
  'brokers.host',
  'brokers[end]',
  'clusterId',
  'controllerId',
  'topics',
  'topics[]',
  'topics.name',
  'topics.topicId',
  'topics.topicAuthorizedOperations',
  'topics[end]',
  'clusterAuthorizedOperations',
]

const versions = Array.from({ length: 14 }, (_, v) => {
  const layout = layoutOf(Metadata, v, 'response')
  return {
    v,
    layout,
    encode: compileEncode(layout),
    byHand: new MetadataWalk(v),
    walk: compileWalk(layout, new Map(PATHS.map((p, i) => [p, i]))),
  }
})
type Version = (typeof versions)[number]

/** Both walks' findings in one form, or 'malformed'. */
function byClosure({ walk }: Version, bytes: Buffer): unknown {
  const seen: string[] = []
  try {
    const end = walk(bytes, 3, (mark, _b, start, stop) => seen.push(`${PATHS[mark]} ${start} ${stop}`))
    return [seen.sort(), end]
  } catch (e) {
    assert.ok(e instanceof MalformedError)
    return 'malformed'
  }
}
function byHand({ byHand: m, v }: Version, bytes: Buffer): unknown {
  const seen: string[] = []
  const tell = (path: string, start: number, end: number) => seen.push(`${path} ${start} ${end}`)
  try {
    const end = m.read(bytes, 3)
    tell('brokers', m.brokersCountStart, m.brokersCountEnd)
    for (let i = 0; i < m.brokerCount; i++) {
      const row = m.brokers.subarray(i * Broker.Columns)
      tell('brokers[]', row[Broker.Start]!, row[Broker.End]!)
      tell('brokers.nodeId', row[Broker.Start]!, row[Broker.Start]! + 4)
      assert.equal(row[Broker.NodeId], bytes.readInt32BE(row[Broker.Start]!))
      tell('brokers.host', row[Broker.HostStart]!, row[Broker.HostEnd]!)
      assert.equal(m.port(bytes, i), bytes.readInt32BE(row[Broker.HostEnd]!))
    }
    tell('brokers[end]', m.brokersEnd, m.brokersEnd)
    if (v >= 2) tell('clusterId', m.clusterIdStart, m.clusterIdEnd)
    if (v >= 1) tell('controllerId', m.controllerIdAt, m.controllerIdAt + 4)
    tell('topics', m.topicsCountStart, m.topicsCountEnd)
    for (let i = 0; i < m.topicCount; i++) {
      const row = m.topics.subarray(i * Topic.Columns)
      tell('topics[]', row[Topic.Start]!, row[Topic.End]!)
      assert.equal(m.topicError(bytes, i), bytes.readInt16BE(row[Topic.Start]!))
      tell('topics.name', row[Topic.NameStart]!, row[Topic.NameEnd]!)
      if (v >= 10) tell('topics.topicId', row[Topic.IdAt]!, row[Topic.IdAt]! + 16)
      if (v >= 8) tell('topics.topicAuthorizedOperations', row[Topic.OperationsAt]!, row[Topic.OperationsAt]! + 4)
    }
    tell('topics[end]', m.topicsEnd, m.topicsEnd)
    if (m.clusterOperationsAt >= 0) tell('clusterAuthorizedOperations', m.clusterOperationsAt, m.clusterOperationsAt + 4)
    return [seen.sort(), end]
  } catch (e) {
    if (!(e instanceof MalformedError)) throw e
    return 'malformed'
  }
}

test('by hand and by closure, the same is found in any Metadata response, whole or broken', () => {
  const seed = Date.now() >>> 0
  const random = seeded(seed)
  for (let round = 0; round < 300; round++)
    for (const version of versions) {
      const message = randomMessage(version.layout, random)
      const bytes = Buffer.concat([Buffer.from('xyz'), version.encode(message)])
      assert.notEqual(byClosure(version, bytes), 'malformed')
      assert.deepEqual(byHand(version, bytes), byClosure(version, bytes), `v${version.v}, seed ${seed}`)
      for (let i = 0; i < 4; i++) {
        const broken = Buffer.from(bytes.subarray(0, random(3) === 0 ? random(bytes.length + 1) : bytes.length))
        for (let flips = random(3); flips > 0 && broken.length > 3; flips--)
          broken[3 + random(broken.length - 3)] = [0, 1, 127, 128, 255, random(256)][random(6)]!
        assert.deepEqual(byHand(version, broken), byClosure(version, broken), `v${version.v}, seed ${seed}, ${broken.toString('hex')}`)
      }
    }
})

test('the error of the message itself is read from version 13', () => {
  for (const { v, encode, byHand: m } of versions) {
    const body = encode({ brokers: [], topics: [], errorCode: 41 })
    assert.equal(m.read(body, 0), body.length)
    assert.equal(m.errorCode, v >= 13 ? 41 : 0)
  }
})

test('a version that Kafka does not have is refused', () => {
  assert.throws(() => new MetadataWalk(14), TypeError)
})
