// Where built and unpacked parts lie, each made once: `${TOPICGATE_STACK:-~/.cache/topicgate}`, one folder a version.

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** The folder that holds what is built or unpacked, shared by all checkouts of a user. */
export function stackHome(): string {
  return process.env['TOPICGATE_STACK'] || join(homedir(), '.cache', 'topicgate')
}

/** One line of progress on stderr. */
export function say(line: string): void {
  process.stderr.write(`stack: ${line}\n`)
}

const LOCK_POLL_MS = 200
/** Whoever waits for a part is told so often that it is still being got. */
const STILL_MS = 10_000

/**
 * The folder `key` below the stack home, made by `make` when it is not there yet.
 * It is filled under another name and renamed when complete: what exists is whole.
 */
export async function once(key: string, what: string, make: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(stackHome(), key)
  if (existsSync(folder)) return folder
  mkdirSync(dirname(folder), { recursive: true })
  return locked(`${folder}.lock`, what, async () => {
    if (existsSync(folder)) return folder
    const draft = `${folder}.draft`
    rmSync(draft, { recursive: true, force: true })
    mkdirSync(draft)
    const startedAtMs = performance.now()
    const elapsed = (digits: number) => `${((performance.now() - startedAtMs) / 1000).toFixed(digits)} s`
    say(`${what}: getting it (once)`)
    const telling = setInterval(() => say(`${what}: ${elapsed(0)} so far`), STILL_MS)
    try {
      await make(draft)
    } finally {
      clearInterval(telling)
    }
    renameSync(draft, folder)
    say(`${what}: ready after ${elapsed(1)}`)
    return folder
  })
}

/** Does `work` while holding a lock file; waits while another living process holds it. */
export async function locked<T>(path: string, what: string, work: () => Promise<T>): Promise<T> {
  const release = await lock(path, what)
  try {
    return await work()
  } finally {
    release()
  }
}

async function lock(path: string, what: string): Promise<() => void> {
  for (let told = false; ; ) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx' })
      return () => rmSync(path, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    if (isStale(path)) {
      rmSync(path, { force: true })
      continue
    }
    if (!told) say(`${what}: another process is getting it; waiting`)
    told = true
    await sleep(LOCK_POLL_MS)
  }
}

function isStale(path: string): boolean {
  try {
    const pid = Number(readFileSync(path, 'utf8'))
    return pid > 0 && !isAlive(pid)
  } catch {
    return false
  }
}

/** Whether a process with this id exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/**
 * Runs a command to its end and returns what it wrote to stdout.
 * @throws {Error} with the end of its output when it fails.
 */
export async function run(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<string> {
  const child = spawn(command, args, { cwd: options.cwd, env: { ...process.env, ...options.env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', text => (out += text))
  child.stderr.setEncoding('utf8').on('data', text => (err += text))
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', resolve)
  })
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${`${out}\n${err}`.trim().slice(-3000)}`)
  return out
}
