// Decoding and encoding: what golden lines do not show.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileDecode, compileEncode, decodeWhole } from '../../src/protocol/codec.ts'
import { Fetch } from '../../src/protocol/messages/01-fetch.ts'
import { Metadata } from '../../src/protocol/messages/03-metadata.ts'
import { SaslAuthenticate } from '../../src/protocol/messages/36-sasl-authenticate.ts'
import { layoutOf } from '../../src/protocol/schema.ts'
import { MalformedError } from '../../src/protocol/wire.ts'
import { goldenLines } from './golden.ts'
import { fromKafkaJson, toKafkaJson } from './kafka-json.ts'
import { allApis, apiNamed } from './marks.ts'

const golden = goldenLines()

test('golden: every broker API has its requests and responses at every version', () => {
  const seen = new Set(golden.map(g => `${g.api} ${g.side} ${g.version}`))
  for (const api of allApis)
    for (let v = api.versions.min; v <= api.versions.max; v++)
      for (const side of ['request', 'response']) assert.ok(seen.delete(`${api.name} ${side} ${v}`), `${api.name} ${side} v${v}`)
  assert.deepEqual([...seen], [])
})

test('golden: what Java wrote is read as Java says, and written again to the same bytes', () => {
  for (const g of golden) {
    const layout = layoutOf(apiNamed(g.api), g.version, g.side)
    const what = `${g.api} ${g.side} v${g.version}`
    assert.deepEqual(toKafkaJson(layout, decodeWhole(compileDecode(layout), g.bytes, 0)), g.json, what)
    assert.equal(compileEncode(layout)(fromKafkaJson(layout, g.json)).toString('hex'), g.bytes.toString('hex'), what)
  }
})

const decode = (layout: Parameters<typeof compileDecode>[0], hex: string) => {
  const bytes = Buffer.from(hex, 'hex')
  return decodeWhole(compileDecode(layout), bytes, 0)
}

test('every message that is cut short is malformed', () => {
  for (const g of golden) {
    const read = compileDecode(layoutOf(apiNamed(g.api), g.version, g.side))
    for (let n = 0; n < g.bytes.length; n++)
      assert.throws(() => decodeWhole(read, g.bytes.subarray(0, n), 0), MalformedError, `${g.api} ${g.version}`)
  }
})

test('bytes left over are malformed', () => {
  for (const g of golden) {
    const read = compileDecode(layoutOf(apiNamed(g.api), g.version, g.side))
    assert.throws(() => decodeWhole(read, Buffer.concat([g.bytes, Buffer.alloc(1)]), 0), MalformedError)
  }
})

test('a field that no version has is refused, one of another version is left out', () => {
  const encode = compileEncode(layoutOf(Metadata, 1, 'request'))
  assert.throws(() => encode({ topics: [], alowAutoTopicCreation: true }), /no field 'alowAutoTopicCreation'/)
  assert.equal(encode({ topics: [], allowAutoTopicCreation: true }).toString('hex'), '00000000')
})

test('what does not fit its type is refused, not cut', () => {
  const encode = compileEncode(layoutOf(Metadata, 12, 'request'))
  assert.throws(() => encode({ topics: [{ name: 'x'.repeat(32768) }] }), TypeError)
  assert.throws(() => encode({ topics: [{ topicId: 'abc' }] }), TypeError)
  assert.throws(() => compileEncode(layoutOf(Fetch, 4, 'request'))({ topics: null }), TypeError)
  assert.throws(() => compileEncode(layoutOf(Fetch, 4, 'request'))({ isolationLevel: 128 }), RangeError)
  assert.throws(() => compileEncode(layoutOf(Fetch, 12, 'response'))({ unknownTags: [[0, Buffer.alloc(1)]] }), TypeError)
})

test("what is not given is Kafka's default, and a tagged field that has it is not written", () => {
  const layout = layoutOf(Fetch, 15, 'request')
  const plain = compileEncode(layout)({})
  assert.deepEqual(compileEncode(layout)({ clusterId: null, replicaState: { replicaId: -1, replicaEpoch: -1n } }), plain)
  const value = decode(layout, plain.toString('hex'))
  assert.equal(value.sessionEpoch, -1)
  assert.equal(value.maxBytes, 0x7fffffff)
  assert.equal(value.replicaState, undefined)
})

test('unknown tags are kept, in order among the known ones', () => {
  const layout = layoutOf(Fetch, 12, 'request')
  const encode = compileEncode(layout)
  const bytes = encode({ clusterId: 'c', unknownTags: [[9, Buffer.from([1, 2])]] })
  const value = decode(layout, bytes.toString('hex'))
  assert.deepEqual(value.unknownTags, [[9, Buffer.from([1, 2])]])
  assert.deepEqual(encode(value), bytes)
  assert.match(bytes.toString('hex'), /020002026309020102$/)
})

test('a large message does not keep the memory that it was written in', () => {
  const encode = compileEncode(layoutOf(SaslAuthenticate, 1, 'request'))
  assert.equal(encode({ authBytes: Buffer.alloc(3_000_000, 7) }).length, 3_000_004)
  assert.equal(encode({ authBytes: Buffer.from('x') }).toString('hex'), '0000000178')
})
