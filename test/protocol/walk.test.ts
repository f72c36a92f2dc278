// The walk over a message: where marked fields lie, and what is malformed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileEncode } from '../../src/protocol/codec.ts'
import { Produce } from '../../src/protocol/messages/00-produce.ts'
import { Fetch } from '../../src/protocol/messages/01-fetch.ts'
import { Metadata } from '../../src/protocol/messages/03-metadata.ts'
import { DeleteTopics } from '../../src/protocol/messages/20-delete-topics.ts'
import { DescribeTopicPartitions } from '../../src/protocol/messages/75-describe-topic-partitions.ts'
import { type Api, layoutOf } from '../../src/protocol/schema.ts'
import { compileWalk, countOf, unmarked, walkWhole } from '../../src/protocol/walk.ts'
import { MalformedError } from '../../src/protocol/wire.ts'
import { goldenLines } from './golden.ts'
import { allMarks, apiNamed } from './marks.ts'

/** What a walk reports: path, and the bytes in hex; null where it says so. */
function found(
  api: Api,
  version: number,
  side: 'request' | 'response',
  bytes: Buffer,
  paths: readonly string[],
): [string, string | null][] {
  const walk = compileWalk(layoutOf(api, version, side), new Map(paths.map((p, i) => [p, i])))
  const seen: [string, string | null][] = []
  walkWhole(walk, bytes, 0, (mark, b, start, end) => seen.push([paths[mark]!, start < 0 ? null : b.toString('hex', start, end)]))
  return seen
}
const hex = (text: string) => Buffer.from(text.replaceAll(/[^0-9a-f]/g, ''), 'hex')
const refused = (api: Api, version: number, side: 'request' | 'response', bytes: string, why: RegExp) =>
  assert.throws(
    () => walkWhole(compileWalk(layoutOf(api, version, side), new Map()), hex(bytes), 0, unmarked),
    (e: Error) => e instanceof MalformedError && why.test(e.message),
    bytes,
  )

test('every golden message is walked to its end, with no mark and with all', () => {
  for (const g of goldenLines()) {
    const layout = layoutOf(apiNamed(g.api), g.version, g.side)
    for (const marks of [new Map<string, number>(), allMarks(layout)])
      assert.equal(compileWalk(layout, marks)(g.bytes, 0, unmarked), g.bytes.length, `${g.api} ${g.side} v${g.version}`)
  }
})

test('a list is told as its count, its elements after what is in them, and its end', () => {
  const bytes = hex('0000 0002  0001 61  0002 6262')
  assert.deepEqual(found(Metadata, 0, 'request', bytes, ['topics', 'topics.name', 'topics[]', 'topics[end]']), [
    ['topics', '00000002'],
    ['topics.name', '61'],
    ['topics[]', '000161'],
    ['topics.name', '6262'],
    ['topics[]', '00026262'],
    ['topics[end]', ''],
  ])
})

test('elements that are strings are told without and with their length', () => {
  const bytes = hex('02 02 61 00000005 00')
  assert.deepEqual(found(DeleteTopics, 4, 'request', bytes, ['topicNames', 'topicNames[]', 'topicNames[#]']), [
    ['topicNames', '02'],
    ['topicNames[]', '61'],
    ['topicNames[#]', '0261'],
  ])
})

test('null is told where it stands: a string, a list, a structure', () => {
  assert.deepEqual(found(Produce, 3, 'request', hex('ffff ffff 00000001 00000000'), ['transactionalId']), [['transactionalId', null]])
  assert.deepEqual(found(Metadata, 1, 'request', hex('ffffffff'), ['topics', 'topics[]']), [['topics', null]])
  assert.deepEqual(found(DescribeTopicPartitions, 0, 'request', hex('01 00000007 ff 00'), ['cursor']), [['cursor', null]])
})

test('a structure is told whole, behind the mark of its presence', () => {
  const bytes = hex('01 00000007 01 02 61 00000003 00 00')
  assert.deepEqual(found(DescribeTopicPartitions, 0, 'request', bytes, ['cursor.topicName', 'cursor']), [
    ['cursor.topicName', '61'],
    ['cursor', '02610000000300'],
  ])
})

test('tagged fields are walked into, and tag buffers told whole', () => {
  const body = { responses: [], nodeEndpoints: [{ nodeId: 1, host: 'h', port: 9, rack: null }] }
  const bytes = compileEncode(layoutOf(Fetch, 16, 'response'))(body)
  const endpoint = '00000001 0268 00000009 00 00'.replaceAll(' ', '')
  assert.deepEqual(
    found(Fetch, 16, 'response', bytes, ['responses[end]', 'nodeEndpoints', 'nodeEndpoints.host', 'nodeEndpoints[]', '#tags']),
    [
      ['responses[end]', ''],
      ['nodeEndpoints', '02'],
      ['nodeEndpoints.host', '68'],
      ['nodeEndpoints[]', endpoint],
      ['#tags', `01000d02${endpoint}`],
    ],
  )
})

test('a count is read back from its span', () => {
  assert.equal(countOf(hex('00000002'), 0, 4, false), 2)
  assert.equal(countOf(hex('8101'), 0, 2, true), 128)
  assert.equal(countOf(hex(''), -1, -1, true), -1)
})

test('null is refused where Kafka has none', () => {
  refused(Metadata, 0, 'request', 'ffffffff', /length -1/)
  refused(Metadata, 0, 'request', '00000001 ffff', /length -1/)
  refused(DeleteTopics, 4, 'request', '00 00000005 00', /length -1/)
})

test('lengths under -1 are refused', () => {
  refused(Produce, 3, 'request', 'fffe ffff 00000001 00000000', /length -2/)
  refused(Metadata, 1, 'request', '80000000', /length -2147483648/)
})

test('what the bytes cannot hold is refused before it is counted through', () => {
  refused(Metadata, 1, 'request', '7fffffff', /length 2147483647/)
  refused(Metadata, 1, 'request', '00000001 0005 61', /length 5/)
  refused(Fetch, 12, 'request', '00000000', /past the end/)
})

test('a varint longer than five bytes or over 2^31 - 1 is refused; a needlessly long one is not', () => {
  refused(DeleteTopics, 4, 'request', '808080808001 00000005 00', /varint/)
  refused(DeleteTopics, 4, 'request', 'ffffffff0f 00000005 00', /varint/)
  assert.equal(found(DeleteTopics, 4, 'request', hex('8200 02 61 00000005 00'), ['topicNames[]']).length, 1)
})

test('a string over 32767 bytes is refused', () => {
  const long = Buffer.concat([hex('02 818002'), Buffer.alloc(32768, 97), hex('00000005 00')])
  assert.throws(() => walkWhole(compileWalk(layoutOf(DeleteTopics, 4, 'request'), new Map()), long, 0, unmarked), MalformedError)
})

test('tags out of order, twice, of another version, or of another size than they say are refused', () => {
  const fetch = 'ffffffff 00000000 00000000 7fffffff 00 00000000 ffffffff 01 01 01'
  refused(Fetch, 12, 'request', `${fetch} 02 09 00 05 00`, /tag 5 after tag 9/)
  refused(Fetch, 12, 'request', `${fetch} 02 05 00 05 00`, /tag 5 after tag 5/)
  refused(Fetch, 12, 'request', `${fetch} 01 01 00`, /tag 1 is not valid/)
  refused(Fetch, 12, 'request', `${fetch} 01 00 03 02 61`, /past the end|as long as/)
  refused(Fetch, 12, 'request', `${fetch} 01 00 03 02 61 00`, /as long as/)
  assert.deepEqual(found(Fetch, 12, 'request', hex(`${fetch} 02 00 02 02 61 09 01 ee`), ['clusterId']), [['clusterId', '61']])
})

test('bytes left over are refused', () => {
  refused(Metadata, 1, 'request', '00000000 00', /1 bytes left over/)
})

test('a marked name that is not UTF-8 is refused: a broker would read two such names as one', () => {
  for (const name of ['ff', 'c080', 'eda080', 'f4908080'])
    assert.throws(() => found(Metadata, 0, 'request', hex(`00000001 000${name.length / 2} ${name}`), ['topics.name']), MalformedError, name)
  assert.deepEqual(found(Metadata, 0, 'request', hex('00000001 0002 c3a4'), ['topics.name']), [['topics.name', 'c3a4']])
})
