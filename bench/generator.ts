// The program that makes load and answers it, compiled from `generator/` when it is first needed.

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { runFolder } from '../scripts/stack/part.ts'
import { PEER_CPU, pinned } from './machine.ts'

let compiled: string | null = null

/** The path of the program. @throws {Error} there is no C compiler, or it is not content */
export function generator(): string {
  if (compiled !== null) return compiled
  const folder = join(import.meta.dirname, 'generator')
  const sources = readdirSync(folder).filter(name => name.endsWith('.c'))
  const program = join(runFolder(), 'generator')
  execFileSync('cc', ['-std=c17', '-O2', '-Wall', '-Wextra', '-Werror', '-pthread', '-o', program, ...sources], {
    cwd: folder,
    stdio: ['ignore', 2, 2],
  })
  compiled = program
  return program
}

/** One run of the generator: it says `ready`, waits for its input, and ends with one line of JSON. */
export interface Run {
  /** Lets it go on. */
  go(): void
  /** The next line that it writes. @throws {Error} it has ended instead */
  line(): Promise<string>
  /** Ends its input and waits for its end. */
  end(): Promise<void>
}

export function startRun(program: string, options: Readonly<Record<string, string | number>>): Run {
  const args = [program, ...Object.entries(options).map(([key, value]) => `${key}=${value}`)]
  const child = spawn(...pinned(PEER_CPU, generator(), args), { stdio: ['pipe', 'pipe', 'pipe'] })
  const ended = once(child, 'close')
  let complaints = ''
  child.stderr.on('data', chunk => (complaints += chunk))
  child.stdin.on('error', () => {})
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    go: () => child.stdin.write('\n'),
    async line() {
      const { value, done } = await lines.next()
      if (!done) return value
      await ended
      throw new Error(`${program}: ${complaints.trim() || `ended with ${child.exitCode ?? child.signalCode}`}`)
    },
    async end() {
      child.stdin.end()
      await ended
    },
  }
}

/** A run that needs no word of ours, as JSON. */
export async function ran<Result>(program: string, options: Readonly<Record<string, string | number>>): Promise<Result> {
  const run = startRun(program, options)
  const line = await run.line()
  await run.end()
  return JSON.parse(line) as Result
}
