// What a record batch says of itself, as far as it is looked at.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isTransactional } from '../../src/protocol/record-batch.ts'

/** A batch without records; the oracle test holds the same rules against Kafka. */
function batch(attributes: number, magic = 2): Buffer {
  const b = Buffer.alloc(61)
  b.writeInt32BE(49, 8)
  b[16] = magic
  b.writeInt16BE(attributes, 21)
  return b
}

test('the bit of the first batch decides', () => {
  assert.equal(isTransactional(batch(0x10), 0, 61), true)
  assert.equal(isTransactional(batch(0x31), 0, 61), true)
  assert.equal(isTransactional(batch(0x0f), 0, 61), false)
  assert.equal(isTransactional(Buffer.concat([batch(0), batch(0x10)]), 0, 122), false)
  assert.equal(isTransactional(Buffer.concat([batch(0), batch(0x10)]), 61, 122), true)
})

test('older, broken, cut, empty and null records are not transactional', () => {
  assert.equal(isTransactional(batch(0x10, 1), 0, 61), false)
  assert.equal(isTransactional(batch(0x10), 0, 60), false)
  assert.equal(isTransactional(batch(0x10), 0, 0), false)
  assert.equal(isTransactional(batch(0x10), -1, -1), false)
  const broken = batch(0x10)
  broken.writeInt32BE(13, 8)
  assert.equal(isTransactional(broken, 0, 61), false)
})
