// TopicGate as an operator runs it: its own process, its banner read for the ports that came out.

import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface RunningGate {
  readonly bootstrap: string
  /** `http://host:port` of /metrics. */
  readonly health: string
  readonly logFile: string
  /** A counter of /metrics. */
  counter(name: string): Promise<number>
  stop(): Promise<void>
}

const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts')

/** Resolves when the gate says `ready`. @throws with its last lines when it ends before */
export async function startGate(config: string, folder: string): Promise<RunningGate> {
  const logFile = join(folder, 'topicgate.log')
  const log = createWriteStream(logFile)
  const child = spawn(process.execPath, [main, 'run', '-c', config], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
  process.once('exit', () => child.kill('SIGKILL'))
  const last: string[] = []
  const ready = new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stderr }).on('line', text => {
      log.write(`${text}\n`)
      last.push(text)
      if (text === 'ready') resolve()
    })
    ended.then(() => reject(new Error(`TopicGate ended while starting:\n${last.slice(-20).join('\n')}`)))
  })
  await ready
  const address = (pattern: RegExp) => last.map(text => pattern.exec(text)?.[1]).find(found => found !== undefined) ?? ''
  const health = `http://${address(/^health\s+(\S+)/)}`
  return {
    bootstrap: address(/^listener clients\s+(\S+)/),
    health,
    logFile,
    async counter(name) {
      const text = await (await fetch(`${health}/metrics`)).text()
      const samples = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))]
      return samples.reduce((sum, sample) => sum + Number(sample[1]), 0)
    },
    async stop() {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await ended
      clearTimeout(timer)
      log.end()
    },
  }
}
