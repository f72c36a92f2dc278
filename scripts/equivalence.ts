// The equivalence oracle over every version of every API: how many answers were compared, and how many were not equal.

import { run } from 'node:test'
import { fileURLToPath } from 'node:url'

const file = fileURLToPath(new URL('../test/equivalence/equivalence.test.ts', import.meta.url))
const asJson = process.argv.includes('--json')

/** What the test file tells of its comparisons, as a diagnostic of its last test. */
const counts = { comparisons: 0, differences: 0, explained: 0, unexplained: 0 }
const failed: string[] = []

const events = run({ files: [file], concurrency: false, execArgv: [], env: { ...process.env, EQUIVALENCE: 'all' } })
events.on('test:diagnostic', ({ message }) => {
  const told = /^(comparisons|explained) (\d+)$/.exec(message)
  if (told !== null) counts[told[1] as 'comparisons' | 'explained'] = Number(told[2])
})
events.on('test:fail', ({ name }) => failed.push(name))
events.on('end', () => {
  counts.unexplained = failed.length
  counts.differences = counts.explained + counts.unexplained
  for (const name of failed) process.stderr.write(`different: ${name}\n`)
  const { comparisons, differences, explained, unexplained } = counts
  const text = `${comparisons} comparisons, ${differences} differences, ${explained} of them explained, ${unexplained} not\n`
  process.stdout.write(asJson ? `${JSON.stringify(counts)}\n` : text)
  process.exitCode = unexplained === 0 && comparisons > 0 ? 0 : 1
})
events.resume()
