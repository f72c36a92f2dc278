// docs/clients.md is what a run has shown: a cell that is other, missing or new is told at the end of `npm test`.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { clientsPage, pageProblem } from '../../scripts/print-clients.ts'
import { type Cell, ROWS } from '../e2e/shown.ts'

const suite = { kafka: '4.3.1', results: { testA: 'passed', testB: 'why not' } }
const cell = (text: string): Cell => ({ table: 'features', row: ROWS.features[0], column: 'java', text })

test('every row of the client tables stands in the page, and every cell where it belongs', () => {
  const page = clientsPage([cell('yes')], suite)

  for (const row of Object.values(ROWS).flat()) assert.ok(page.includes(`| ${row} |`), row)
  assert.ok(page.includes(`| ${ROWS.features[0]} | yes | – | – | – | – |`))
  assert.match(page, /Of 2 tests 1 pass\.\n\n.*\n.*\n\| `testB` \| why not \|/)
})

test('a run that shows something else than the committed page says how to print it', () => {
  assert.match(pageProblem(`${JSON.stringify(cell('no'))}\n`)!, /print-clients\.ts/)
})

test('the committed page has no empty row: everything in it was seen with some client', () => {
  const rows = readFileSync(new URL('../../docs/clients.md', import.meta.url), 'utf8')
    .split('\n')
    .filter(line => line.startsWith('| '))

  assert.ok(rows.length > 80, `${rows.length} rows`)
  assert.deepEqual(
    rows.filter(row => /^\| [^|]+ \|( – \|)+$/.test(row)),
    [],
  )
})
