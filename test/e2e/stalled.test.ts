// Clients that do not read what they have asked for cost bounded memory; `npm run measure -- stalled` has 500 of them.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stalled } from './stalled.ts'

const MIB = 2 ** 20

for (const tls of [false, true]) {
  test(`sixty clients that leave 8 MiB unread ${tls ? 'by TLS' : 'by plain connections'} take no more than the budget, and the others are served`, async () => {
    const heldBytes = 64 * MIB

    const { grownBytes, othersMs, readLate } = await stalled({ tls, clients: 60, answerBytes: 8 * MIB, heldBytes })

    assert.ok(grownBytes <= heldBytes * 1.1, `memory has grown by ${(grownBytes / MIB).toFixed(1)} MiB`)
    assert.equal(othersMs.length, 5)
    assert.equal(readLate, 5)
  })
}
