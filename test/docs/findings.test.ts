// The table of what lint finds, in docs/policy-guide.md, is complete.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { FINDING_CODES } from '../../src/policy/lint.ts'

test('every finding of lint stands in the policy guide, with what it means and what to do', () => {
  const table = /^\| Finding \|.*\n\|[-|]+\|\n((?:\|.*\n)+)/m.exec(readFileSync('docs/policy-guide.md', 'utf8'))![1]!
  const rows = table
    .trimEnd()
    .split('\n')
    .map(row =>
      row
        .split('|')
        .slice(1, -1)
        .map(cell => cell.trim()),
    )

  assert.deepEqual(
    rows.map(([code]) => code),
    FINDING_CODES.map(code => `\`${code}\``),
  )
  for (const row of rows) assert.deepEqual([row.length, row.every(cell => cell !== '')], [3, true], row[0])
})
