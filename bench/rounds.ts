// Timed runs, interleaved: in every round each contender has every load once, in random order, so that what disturbs one disturbs all.

import type { Contender, GateContender } from './contenders.ts'
import { startRun } from './generator.ts'
import { cpuOf, median } from './machine.ts'

/** What the generator does; its own options. */
export interface Load {
  readonly name: string
  readonly mode: 'produce' | 'fetch' | 'connect'
  readonly version: number
  readonly conns: number
  readonly depth: number
  readonly bytes: number
  /** Clients come through the front and TLS. */
  readonly tls?: boolean
}

const MIB = 2 ** 20
/** A connection runs much code once: it takes a thousand of them until V8 has compiled all of it. */
const CONNECT_WARM_SECONDS = 4
/** What a Produce request has beside its records, at most. */
const HEAD_BYTES = 64
export const LOADS: readonly Load[] = [
  { name: 'produce-1m', mode: 'produce', version: 9, conns: 1, depth: 4, bytes: MIB },
  { name: 'fetch-1m v12', mode: 'fetch', version: 12, conns: 1, depth: 4, bytes: MIB },
  { name: 'fetch-1m v16', mode: 'fetch', version: 16, conns: 1, depth: 4, bytes: MIB },
  { name: 'produce-16k', mode: 'produce', version: 9, conns: 1, depth: 16, bytes: 16 * 1024 - HEAD_BYTES },
  { name: 'small-c50', mode: 'produce', version: 9, conns: 50, depth: 1, bytes: 120 },
  { name: 'tls-client-out', mode: 'fetch', version: 12, conns: 1, depth: 4, bytes: MIB, tls: true },
  { name: 'tls-client-in', mode: 'produce', version: 9, conns: 1, depth: 4, bytes: MIB, tls: true },
  { name: 'tls-connect', mode: 'connect', version: 9, conns: 8, depth: 1, bytes: 120, tls: true },
]

interface Ran {
  readonly seconds: number
  readonly requests: number
  readonly judged: number
  readonly bytes: number
  readonly p50Us: number
  readonly p99Us: number
}

/** One timed run. */
export interface Sample extends Ran {
  /** CPU time of the contender for one request. */
  readonly cpuUs: number
  /** Share of the time in which the contender was held up by others on its CPU. */
  readonly waiting: number
}

/** Samples by load and contender; the same index is the same round. */
export class Results {
  readonly #samples = new Map<string, Map<string, Sample[]>>()

  add(load: Load, contender: Contender, sample: Sample): void {
    let byContender = this.#samples.get(load.name)
    if (byContender === undefined) this.#samples.set(load.name, (byContender = new Map()))
    const samples = byContender.get(contender.name)
    if (samples === undefined) byContender.set(contender.name, [sample])
    else samples.push(sample)
  }

  of(load: Load, contender: string): readonly Sample[] {
    return this.#samples.get(load.name)?.get(contender) ?? []
  }

  median(load: Load, contender: string, value: (sample: Sample) => number): number {
    return median(this.of(load, contender).map(value))
  }

  /** The median of the ratios of CPU per request, round by round. */
  ratio(load: Load, contender: string, reference: string): number {
    return median(this.#ratios(load, contender, reference))
  }

  /** The middle half of those ratios. */
  spread(load: Load, contender: string, reference: string): readonly [number, number] {
    const sorted = this.#ratios(load, contender, reference).sort((a, b) => a - b)
    return [sorted[Math.floor((sorted.length - 1) / 4)]!, sorted[Math.ceil(((sorted.length - 1) * 3) / 4)]!]
  }

  #ratios(load: Load, contender: string, reference: string): number[] {
    const references = this.of(load, reference)
    return this.of(load, contender).map((sample, round) => sample.cpuUs / references[round]!.cpuUs)
  }
}

/** One round; `results` is null for a round that only warms up. @throws {Error} a run does not count */
export async function round(
  contenders: readonly Contender[],
  loads: readonly Load[],
  seconds: number,
  tokenFile: string,
  results: Results | null,
): Promise<void> {
  for (const load of loads) {
    for (const contender of shuffled(contenders.filter(({ tlsPort }) => tlsPort > 0 || !load.tls))) {
      const warmSeconds = load.mode === 'connect' ? Math.max(seconds, CONNECT_WARM_SECONDS) : seconds
      const sample = await timed(contender, load, results === null ? warmSeconds : seconds, tokenFile)
      results?.add(load, contender, sample)
    }
  }
}

/** The gate's run counts only if it has judged exactly what was sent, and refused what is not allowed. */
async function timed(contender: Contender, { name: _, tls, ...load }: Load, seconds: number, tokenFile: string): Promise<Sample> {
  const gate = 'judged' in contender ? (contender as GateContender) : null
  const judgedBefore = (await gate?.judged()) ?? 0
  const program = load.mode === 'connect' ? 'connect' : 'load'
  const port = tls ? contender.tlsPort : contender.port
  const run = startRun(program, { ...load, port, token: tokenFile, seconds, refused: gate === null ? 0 : 1 })
  if ((await run.line()) !== 'ready') throw new Error('the generator is not ready')
  const before = cpuOf(contender.pid)
  run.go()
  const ran = JSON.parse(await run.line()) as Ran
  const after = cpuOf(contender.pid)
  await run.end()
  if (gate !== null) {
    const judged = (await gate.judged()) - judgedBefore
    if (judged !== ran.judged) throw new Error(`${ran.judged} requests were sent, the gate has judged ${judged}`)
  }
  const runNs = after.runNs - before.runNs
  return { ...ran, cpuUs: runNs / 1000 / ran.requests, waiting: (after.waitNs - before.waitNs) / 1e9 / ran.seconds }
}

function shuffled<T>(of: readonly T[]): T[] {
  return of
    .map(value => ({ value, order: Math.random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ value }) => value)
}
