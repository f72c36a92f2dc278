// Text from strangers, decision ids, and how many log lines get through.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RateLimit } from '../../src/base/log.ts'
import { clip } from '../../src/base/text.ts'
import { ulid } from '../../src/base/ulid.ts'

test('text from strangers is bounded, and cannot move the cursor or turn the writing', () => {
  assert.equal(clip('orders.created'), 'orders.created')
  assert.equal(clip('a\nb\u001b[2Jc\u009bd\u202ee'), 'a\ufffdb\ufffd[2Jc\ufffdd\ufffde')
  assert.equal(clip('x'.repeat(1000)).length, 256)
})

test('decision ids sort by time, are 26 characters, and differ', () => {
  const ids = Array.from({ length: 1000 }, () => ulid(1_700_000_000_000))

  assert.equal(new Set(ids).size, 1000)
  for (const id of ids) assert.match(id, /^[0-9A-HJKMNP-TV-Z]{26}$/)
  assert.ok(ulid(1_700_000_000_000) < ulid(1_700_000_000_001))
  // The example of the ULID specification: 01ARYZ6S41 is the time 1469918176385.
  assert.equal(ulid(1469918176385).slice(0, 10), '01ARYZ6S41')
})

test('a flood of lines is thinned out, and the next line says by how many', () => {
  const limit = new RateLimit(2)

  assert.deepEqual(
    [1, 2, 3, 4, 5].map(() => limit.take(100)),
    [0, 0, -1, -1, -1],
  )
  assert.deepEqual([limit.take(1000), limit.take(1001)], [3, 0])
})
