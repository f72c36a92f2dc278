// One message laid out at one version.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fetch } from '../../src/protocol/messages/01-fetch.ts'
import { Metadata } from '../../src/protocol/messages/03-metadata.ts'
import { layout, layoutAfter, layoutOf, list, range, slotAt, struct } from '../../src/protocol/schema.ts'

test('a version has its own fields, in wire order, and knows what others have', () => {
  const v12 = layoutOf(Fetch, 12, 'request')
  assert.deepEqual(v12.slots.map(s => s.name).slice(0, 3), ['replicaId', 'maxWaitMs', 'minBytes'])
  assert.equal(v12.slots.at(-1)!.name, 'clusterId')
  assert.ok(v12.absent.has('replicaState'))
  assert.deepEqual([...v12.refusedTags], [1])
  assert.deepEqual([...layoutOf(Fetch, 15, 'request').refusedTags], [])
})

test('null is allowed in the versions that say so', () => {
  assert.equal(slotAt(layoutOf(Metadata, 0, 'request'), 'topics')!.nullable, false)
  assert.equal(slotAt(layoutOf(Metadata, 1, 'request'), 'topics')!.nullable, true)
  assert.equal(slotAt(layoutOf(Metadata, 9, 'request'), 'topics.name')!.nullable, false)
  assert.equal(slotAt(layoutOf(Metadata, 10, 'request'), 'topics.name')!.nullable, true)
  assert.equal(slotAt(layoutOf(Metadata, 9, 'request'), 'topics.topicId'), null)
})

test('a layout is made once', () => {
  assert.equal(layoutOf(Fetch, 12, 'request'), layoutOf(Fetch, 12, 'request'))
  assert.notEqual(layoutOf(Fetch, 12, 'request'), layoutOf(Fetch, 12, 'response'))
})

test('a version that the API does not have is refused', () => {
  assert.throws(() => layoutOf(Fetch, 3, 'request'), TypeError)
  assert.throws(() => layoutOf(Fetch, 19, 'request'), TypeError)
})

test('what follows a field is a layout of its own', () => {
  assert.deepEqual(
    layoutAfter(layoutOf(Fetch, 16, 'response'), 'responses').slots.map(s => s.name),
    ['nodeEndpoints'],
  )
  assert.throws(() => layoutAfter(layoutOf(Fetch, 16, 'response'), 'nodeEndpoints'), TypeError)
})

test('a note that cannot be read is refused', () => {
  assert.throws(() => layout({ a: 'int32 x' }, 0, false), /cannot read/)
  assert.throws(() => layout({ a: list('null', 'int32') as any }, 0, false), /cannot read/)
  assert.throws(() => layout({ a: struct('? tag 0', {}) }, 0, true), /may be null/)
  assert.throws(() => range('3-'), TypeError)
})
