// How much memory a client costs that is logged in and silent.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Contender } from './contenders.ts'
import { startRun } from './generator.ts'
import { residentKib } from './machine.ts'

/** So many come first and stay: what the process grows by once is not theirs to pay. */
const FIRST = 200
const PAIRS = 2000
const SETTLE_MS = 3000
const WORK_SECONDS = 1

/** KiB that each of 2000 clients adds to a gate that has worked before, its broker connection included, one request done. */
export async function idleKib(contender: Contender, tokenFile: string, tls: boolean): Promise<number> {
  const options = { port: tls ? contender.tlsPort : contender.port, token: tokenFile }
  await work(options)
  const first = startRun('idle', { ...options, conns: FIRST })
  await first.line()
  await sleep(SETTLE_MS)
  const beforeKib = residentKib(contender.pid)
  const idle = startRun('idle', { ...options, conns: PAIRS })
  await idle.line()
  await sleep(SETTLE_MS)
  const afterKib = residentKib(contender.pid)
  await Promise.all([first.end(), idle.end()])
  return (afterKib - beforeKib) / PAIRS
}

/** Compiling the data path is not the idle clients' to pay either. */
async function work(options: { readonly port: number; readonly token: string }): Promise<void> {
  const load = { mode: 'produce', version: 9, conns: 50, depth: 1, bytes: 120, seconds: WORK_SECONDS, refused: 1 }
  const run = startRun('load', { ...options, ...load })
  await run.line()
  run.go()
  await run.line()
  await run.end()
}
