// The primitives of Kafka's wire at their edges.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MalformedError, putVarint, size, skipTags, uvarint, varintBytes } from '../../src/protocol/wire.ts'

test('varints are written in their shortest form and read back', () => {
  const b = Buffer.alloc(8)
  for (const n of [0, 1, 127, 128, 300, 16383, 16384, 2097151, 2097152, 268435455, 268435456, 2147483647]) {
    const end = putVarint(b, 1, n)
    assert.equal(uvarint(b, 1), n)
    assert.equal(size, end - 1)
    assert.equal(varintBytes(n), end - 1)
  }
})

test('300 is ac 02, as in the protobuf guide', () => {
  assert.equal(uvarint(Buffer.from([0xac, 0x02]), 0), 300)
})

test('a varint that ends nowhere is malformed', () => {
  for (const bytes of [[], [0x80], [0x80, 0x80, 0x80, 0x80], [0x80, 0x80, 0x80, 0x80, 0x80, 0], [0xff, 0xff, 0xff, 0xff, 0x08]])
    assert.throws(() => uvarint(Buffer.from(bytes), 0), MalformedError, String(bytes))
})

test('a tag buffer is stepped over, and must hold what it says', () => {
  assert.equal(skipTags(Buffer.from([0]), 0), 1)
  assert.equal(skipTags(Buffer.from([2, 0, 1, 9, 3, 0]), 0), 6)
  for (const bytes of [[], [1], [1, 0], [1, 0, 2, 9], [2, 1, 0, 1, 0], [2, 1, 0, 0, 0]])
    assert.throws(() => skipTags(Buffer.from(bytes), 0), MalformedError, String(bytes))
})

test('a malformed error says where', () => {
  assert.throws(() => uvarint(Buffer.from([0x80]), 0), { code: 'MALFORMED', at: 0 })
})
