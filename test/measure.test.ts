// Measurements that must come out in one way: whoever runs them unseen learns from their exit code that they did not.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as matrix from '../scripts/measure/matrix.ts'
import * as rolling from '../scripts/measure/rolling.ts'

test('a matrix is as it should be when every cell is, and there are cells', () => {
  const of = (cells: number, asTheyShould: number) =>
    matrix.faults({ '4.4.0, PLAIN, java, ports': { failed: 'x' }, all: { cells, asTheyShould } })

  assert.deepEqual(of(288, 288), [])
  assert.deepEqual(of(288, 287), ['287 of 288 cells went as they should'])
  assert.deepEqual(of(0, 0), ['0 of 0 cells went as they should'])
})

test('a rolling restart is as it should be when nothing acknowledged is lost, doubled or unread; what was given up does not count', () => {
  const whole = { acknowledged: 100, failed: 3, lost: 0, doubled: 0, unread: 0, longestPauseMs: 900 }

  assert.deepEqual(rolling.faults({ java: whole, go: whole }), [])
  for (const [what, line] of [
    [{ lost: 1 }, 'go: of 100 acknowledged 1 lost, 0 doubled, 0 not read'],
    [{ doubled: 2 }, 'go: of 100 acknowledged 0 lost, 2 doubled, 0 not read'],
    [{ unread: 3 }, 'go: of 100 acknowledged 0 lost, 0 doubled, 3 not read'],
    [{ acknowledged: 0 }, 'go: of 0 acknowledged 0 lost, 0 doubled, 0 not read'],
  ] as const)
    assert.deepEqual(rolling.faults({ java: whole, go: { ...whole, ...what } }), [line])
})
