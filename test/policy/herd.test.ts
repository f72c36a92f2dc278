// Many whose answers end together are not asked for together.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Asked, rates, runHerd } from './herd.ts'

test('ten thousand principals whose answers were given in one second never cause more than twice the steady rate, and none waits again', async t => {
  const store: Asked = { objects: async () => ['grant:main/all'], allChecks: async () => [] }
  const herd = await runHerd(store, 10_000, 50)
  const { most, steady } = rates(herd)
  t.diagnostic(`most ${most} in a second, ${Math.round(steady)} in the long run`)
  assert.equal(herd.asked[0], 10_000)
  assert.ok(steady > 10_000 / 30)
  assert.ok(most <= 2 * steady, `${most} > 2 × ${steady}`)
  assert.equal(herd.waited, 0)
})
