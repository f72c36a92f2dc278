// The budget of held bytes: three quarters for requests, one for responses, no more than one for a principal.

import assert from 'node:assert/strict'
import { it } from 'node:test'
import { heldMemory, REQUEST, RESPONSE, reserve, shareOf, unreserve } from '../../src/proxy/held.ts'

const BUDGET = 4000

it('requests take three quarters, responses one', () => {
  const held = heldMemory()
  for (const name of ['a', 'b', 'c']) assert.ok(reserve(held, BUDGET, REQUEST, shareOf(name), 1000))
  assert.equal(reserve(held, BUDGET, REQUEST, shareOf('d'), 1), false)
  assert.ok(reserve(held, BUDGET, RESPONSE, shareOf('d'), 1000))
  assert.equal(reserve(held, BUDGET, RESPONSE, shareOf('e'), 1), false)
})

it('a principal has a quarter, of both sides together', () => {
  const held = heldMemory()
  assert.ok(reserve(held, BUDGET, REQUEST, shareOf('a'), 600))
  assert.ok(reserve(held, BUDGET, RESPONSE, shareOf('a'), 400))
  assert.equal(reserve(held, BUDGET, REQUEST, shareOf('a'), 1), false)
  assert.deepEqual([held[REQUEST], held[RESPONSE]], [600, 400])
})

it('what is counted out leaves nothing behind', () => {
  const held = heldMemory()
  assert.ok(reserve(held, BUDGET, REQUEST, shareOf('a'), 1000))
  unreserve(held, REQUEST, shareOf('a'), 1000)
  assert.ok(held.every(count => count === 0))
})

it('a budget beyond 2 GiB does not overflow', () => {
  const held = heldMemory()
  for (const name of ['a', 'b', 'c']) assert.ok(reserve(held, 2 ** 40, REQUEST, shareOf(name), 500_000_000))
  assert.equal(reserve(held, 2 ** 40, REQUEST, shareOf('d'), 500_000_000), false)
})
