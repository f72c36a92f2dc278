// Waiting for what must come to hold, and for no longer than it may take.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'

const AGAIN_MS = 20

export async function until(holds: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> {
  const endsAtMs = performance.now() + withinMs
  while (!(await holds())) {
    assert.ok(performance.now() < endsAtMs, 'it did not come to hold')
    await sleep(AGAIN_MS)
  }
}
