// The order book: oldest first through any growth, and what it says of those in flight.

import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { ResponseEdit } from '../../src/policy/outcome.ts'
import { Pending } from '../../src/proxy/pending.ts'

const edit = (verdict: 'yes' | 'no' | 'unknown', dropped = () => {}): ResponseEdit => ({
  frames: 1,
  whole: ([frame]) => frame!,
  stream: () => null,
  stillAllowed: () => verdict,
  dropped,
})

it('gives entries out in the order in which they came, while it grows around its end', () => {
  const pending = new Pending()
  let next = 0
  let oldest = 0
  for (let round = 0; round < 50; round++) {
    for (let i = 0; i < 7; i++) pending.asked(1, 17, next++, null)
    for (let i = 0; i < 5; i++) {
      assert.equal(pending.correlationId, oldest++)
      assert.equal(pending.apiKey, 1)
      assert.equal(pending.apiVersion, 17)
      pending.shift()
    }
  }
  assert.equal(pending.size, 100)
})

it('tells an answer of ours from a request that the broker was asked', () => {
  const pending = new Pending()
  const answer = Buffer.from('answer')
  pending.asked(0, 9, -5, null)
  pending.answered(answer)

  assert.equal(pending.answerIsNext, false)
  assert.equal(pending.correlationId, -5)
  pending.shift()
  assert.equal(pending.answerIsNext, true)
  assert.equal(pending.shift(), answer)
  assert.equal(pending.answerIsNext, false)
})

it('says no if one of those in flight may not go on, unknown if one is not known', () => {
  const pending = new Pending()
  assert.equal(pending.stillAllowed(), 'yes')
  pending.asked(1, 17, 1, edit('yes'))
  pending.answered(Buffer.from('answer'))
  pending.asked(3, 12, 2, null)
  assert.equal(pending.stillAllowed(), 'yes')
  pending.asked(1, 17, 3, edit('unknown'))
  assert.equal(pending.stillAllowed(), 'unknown')
  pending.asked(1, 17, 4, edit('no'))
  assert.equal(pending.stillAllowed(), 'no')
})

it('tells every edit whose response will not come', () => {
  const pending = new Pending()
  let dropped = 0
  for (let i = 0; i < 3; i++)
    pending.asked(
      1,
      17,
      i,
      edit('yes', () => dropped++),
    )
  pending.answered(Buffer.from('answer'))

  pending.drop()

  assert.equal(dropped, 3)
  assert.equal(pending.size, 0)
})
