// One part that runs: a process of its own group, logged to a file, ended with its parent whatever ends that.

import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isAlive } from './cache.ts'

/** A process that was started here. */
export interface Part {
  readonly name: string
  readonly pid: number
  readonly logFile: string
  /** Whether it still runs. */
  readonly running: boolean
  /** Ends it: TERM, and KILL when it does not go in time. */
  stop(): Promise<void>
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>
}

const STOP_GRACE_MS = 15_000
const root = join(import.meta.dirname, '..', '..', '.stack')
let ownFolder: string | undefined

/** The folder of this process's runs, below `.stack/`; folders of processes that are gone are removed first. */
export function runFolder(): string {
  if (ownFolder) return ownFolder
  mkdirSync(root, { recursive: true })
  for (const name of readdirSync(root)) {
    const pid = /^run-(\d+)$/.exec(name)?.[1]
    if (pid && !isAlive(Number(pid))) rmSync(join(root, name), { recursive: true, force: true })
  }
  ownFolder = join(root, `run-${process.pid}`)
  mkdirSync(ownFolder, { recursive: true })
  process.once('exit', () => rmSync(ownFolder!, { recursive: true, force: true }))
  return ownFolder
}

let runs = 0

/** A fresh, empty folder for one run of a part. */
export function dataFolder(name: string): string {
  const folder = join(runFolder(), `${name}-${++runs}`)
  mkdirSync(folder, { recursive: true })
  return folder
}

/** Starts a part; its output goes to `<name>.log` in `folder`. */
export function startPart(
  name: string,
  command: string,
  args: readonly string[],
  options: { folder: string; cwd?: string; env?: Record<string, string> },
): Part {
  const logFile = join(options.folder, `${name}.log`)
  const log = openSync(logFile, 'a')
  const env = { ...process.env, ...options.env }
  const child = spawn(command, args, { cwd: options.cwd, env, detached: true, stdio: ['ignore', log, log] })
  closeSync(log)
  const pid = child.pid
  if (pid === undefined) throw new Error(`${name}: ${command} cannot be run`)
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
  warden(`add ${pid}`)
  ended.then(() => warden(`del ${pid}`))
  child.unref()
  const end = async (signal: NodeJS.Signals) => {
    if (isOver(child)) return
    child.ref()
    signalGroup(pid, signal)
    const timer = setTimeout(() => signalGroup(pid, 'SIGKILL'), STOP_GRACE_MS)
    await ended
    clearTimeout(timer)
  }
  return {
    name,
    pid,
    logFile,
    get running() {
      return !isOver(child)
    },
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  }
}

function isOver(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/**
 * A shell that outlives this process by a moment: it is told which process groups run, and when its input ends,
 * because this process ended in whatever way, it kills those that are left.
 */
const WARDEN = `left=
while read -r verb pid; do
  case $verb in
    add) left="$left $pid" ;;
    del) next=; for one in $left; do [ "$one" = "$pid" ] || next="$next $one"; done; left=$next ;;
  esac
done
for one in $left; do kill -s KILL -- "-$one" 2>/dev/null; done`

let wardenInput: NodeJS.WritableStream | undefined

function warden(line: string): void {
  if (!wardenInput) {
    const shell = spawn('sh', ['-c', WARDEN], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
    shell.unref()
    wardenInput = shell.stdin
    ;(shell.stdin as unknown as { unref(): void }).unref()
    shell.stdin.on('error', () => {})
  }
  wardenInput.write(`${line}\n`)
}

const POLL_MS = 50

/**
 * Waits until `ready` says so.
 * @throws {Error} with the end of the part's log when the part ends first or the time is over.
 */
export async function untilReady(part: Part, ready: () => Promise<boolean>, timeoutMs: number): Promise<void> {
  const endsAtMs = performance.now() + timeoutMs
  while (!(await ready().catch(() => false))) {
    if (!part.running) throw new Error(`${part.name} ended while starting:\n${logTail(part)}`)
    if (performance.now() > endsAtMs) throw new Error(`${part.name} is not ready after ${timeoutMs / 1000} s:\n${logTail(part)}`)
    await sleep(POLL_MS)
  }
}

/** The last lines that a part wrote. */
export function logTail(part: Part, count = 40): string {
  return readFileSync(part.logFile, 'utf8').split('\n').slice(-count).join('\n')
}

/** Ports on the loopback address that were free a moment ago: use them at once, and be ready to draw again. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const ports = servers.map(server => (server.address() as { port: number }).port)
  await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))))
  return ports
}

const DRAWS = 4

/** Starts something on freshly drawn ports, drawing again when somebody was quicker. */
export async function onFreePorts<T>(count: number, start: (ports: number[]) => Promise<T>): Promise<T> {
  for (let draw = 1; ; draw++) {
    try {
      return await start(await freePorts(count))
    } catch (error) {
      if (draw === DRAWS || !/address already in use|failed to bind/i.test(String(error))) throw error
    }
  }
}
