// Bytes cut out and put in, counts and sizes kept right.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countBytes, splice } from '../../src/protocol/splice.ts'

const edit = (start: number, end: number, text = '') => ({ start, end, bytes: Buffer.from(text) })

test('spans are cut out, replaced and put in; the rest stays', () => {
  const message = Buffer.from('0123456789')
  assert.equal(splice(message, [edit(0, 1, 'a'), edit(3, 5), edit(7, 7, 'xyz'), edit(10, 10, 'end')]).toString(), 'a1256xyz789end')
  assert.equal(splice(message, [edit(0, 10)]).toString(), '')
})

test('the message itself is not changed, nor shared', () => {
  const message = Buffer.from('0123456789')
  const copy = splice(message, [])
  copy.fill(0)
  assert.equal(message.toString(), '0123456789')
})

test('edits that overlap or go back are a bug', () => {
  assert.throws(() => splice(Buffer.alloc(10), [edit(2, 5), edit(4, 6)]), RangeError)
  assert.throws(() => splice(Buffer.alloc(10), [edit(5, 4)]), RangeError)
})

test('counts are int32, or a varint of one more', () => {
  assert.equal(countBytes(2, false).toString('hex'), '00000002')
  assert.equal(countBytes(0, true).toString('hex'), '01')
  assert.equal(countBytes(127, true).toString('hex'), '8001')
  assert.equal(countBytes(300, true).toString('hex'), 'ad02')
})
