// Writes src/protocol/messages from the message definitions in a kafka-clients.jar, and says what differed; with --check it only says so.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { messageTables } from './message-tables.ts'

const FOLDER = new URL('../src/protocol/messages/', import.meta.url)

type Tables = ReadonlyMap<string, string>

const onDisk = (): Tables => new Map(readdirSync(FOLDER).map(file => [file, readFileSync(new URL(file, FOLDER), 'utf8')]))

/** What ours lack or have too much of a jar's tables, a line each: empty when they are the same. */
export function differences(tables: Tables, oursByFile: Tables = onDisk()): string[] {
  const here = new Set(oursByFile.keys())
  const found: string[] = []
  for (const [file, text] of tables) {
    if (!here.delete(file)) {
      found.push(`MISSING ${file}: the jar has this API, src/protocol/messages has not`)
      continue
    }
    const ours = oursByFile.get(file)!
    if (ours === text) continue
    for (const line of only(text, ours)) found.push(`MISSING in ${file}: ${line.trim()}`)
    for (const line of only(ours, text)) found.push(`NOT IN KAFKA, but in ${file}: ${line.trim()}`)
    if (found.at(-1)?.includes(file) !== true) found.push(`OTHER ORDER in ${file}`)
  }
  for (const file of here) found.push(`NOT IN KAFKA: ${file}`)
  return found
}

/** The files that a jar would write anew. */
export const stale = (tables: Tables, oursByFile: Tables = onDisk()): string[] =>
  [...tables].filter(([file, text]) => oursByFile.get(file) !== text).map(([file]) => file)

/** The last line that is printed: what became of the tables. `index.ts` is none. */
export function summary(tables: Tables, files: readonly string[], found: readonly string[], wrote: boolean): string {
  const count = `${tables.size - 1} tables`
  if (found.length === 0) return `${count}, no difference`
  const what = wrote ? 'written to src/protocol/messages' : 'differ'
  const done = files.length === 0 ? 'none of them changed' : `${what}: ${files.join(' ')}`
  return `${count}, ${done}${wrote && files.length > 0 ? '; read `git diff`' : ''}`
}

/** Lines of `a` that `b` has not, or not as often. */
function only(a: string, b: string): string[] {
  const left = new Map<string, number>()
  for (const line of b.split('\n')) left.set(line, (left.get(line) ?? 0) + 1)
  return a.split('\n').filter(line => {
    const n = left.get(line) ?? 0
    left.set(line, n - 1)
    return n <= 0
  })
}

if (import.meta.main) {
  const args = process.argv.slice(2)
  const jar = args.find(a => !a.startsWith('--'))
  if (jar === undefined) {
    console.error('usage: npm run import-messages -- path/to/kafka-clients.jar [--check]')
    process.exit(2)
  }
  const tables = messageTables(jar)
  const found = differences(tables)
  const files = stale(tables)
  const check = args.includes('--check')
  for (const line of found) console.log(line)
  if (check) process.exitCode = found.length === 0 ? 0 : 1
  else for (const file of files) writeFileSync(new URL(file, FOLDER), tables.get(file)!)
  console.log(summary(tables, files, found, !check))
}
