// `npm run bench`: the gate beside HAProxy and beside nothing, in one run; what it costs is counted in CPU time, and compared round by round.

import { parseArgs } from 'node:util'
import { type Contender, type GateContender, type Login, startGate, startHaproxy, startLogin, startSink } from './contenders.ts'
import { ran } from './generator.ts'
import { idleKib } from './idle.ts'
import { describeMachine, median } from './machine.ts'
import { metadata10k } from './metadata-10k.ts'
import { LOADS, type Load, Results, round } from './rounds.ts'
import { warmCheckNs } from './warm-check.ts'

/** An instance of a program can be off for its whole life: nobody lives longer than so many rounds. */
const ROUNDS_A_LIFE = 5
const INTEGRITY_SECONDS = 3
const GATE = 'topicgate'
const HAPROXY = 'haproxy'
const AGAIN = 'haproxy again'
const DIRECT = 'direct'
/** Another checkout of TopicGate, measured in the same rounds: what a change is worth. */
const OTHER = 'other checkout'

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '15' },
    seconds: { type: 'string', default: '0.5' },
    only: { type: 'string', multiple: true, default: [] },
    skip: { type: 'string', multiple: true, default: [] },
    beside: { type: 'string' },
  },
})
const PROXIES = options.beside === undefined ? [HAPROXY, AGAIN, GATE] : [HAPROXY, AGAIN, GATE, OTHER]
const wanted = (name: string) => (options.only.length === 0 || options.only.includes(name)) && !options.skip.includes(name)
const say = (line: string) => process.stderr.write(`${line}\n`)

/** Everything that was measured, in the words of `--json`. */
interface Report {
  [figure: string]: Readonly<Record<string, number>>
}

async function main(): Promise<void> {
  say(describeMachine())
  const report: Report = {}
  const login = await startLogin()
  const firstAnswers: number[] = []
  try {
    // Whatever is timed counts only behind it.
    if (!options.skip.includes('integrity')) await integrity(login)
    const loads = LOADS.filter(load => wanted(figureOf(load)))
    const results = await timedRuns(login, loads, firstAnswers)
    for (const load of loads) note(report, load, results)
    if (loads.length > 0 && !options.json) print(table(loads, results))
    if (wanted('idle-2k')) report['idle-2k'] = { kib: await idle(login, firstAnswers, false) }
    if (wanted('idle-tls')) report['idle-tls'] = { kib: await idle(login, firstAnswers, true) }
  } finally {
    await login.stop()
  }
  if (wanted('metadata-10k')) report['metadata-10k'] = { us: metadata10k() }
  if (wanted('warm-check')) report['warm-check'] = { ns: warmCheckNs() }
  if (firstAnswers.length > 0) report['first-answer'] = { ms: median(firstAnswers) }
  if (options.json) console.log(JSON.stringify(report, rounded))
  else print(Object.entries(report).map(([name, figures]) => `${name.padEnd(14)} ${JSON.stringify(figures, rounded)}`))
}

/** Random frames through the gate, plainly and by TLS, every byte compared, before anything is timed. */
async function integrity(login: Login): Promise<void> {
  await withAll([await startSink('check-sink')], async ([sink], add) => {
    const gate = add(await startGate(sink!.port, login))
    for (const [way, port] of [
      ['plain', gate.port],
      ['TLS', gate.tlsPort],
    ] as const) {
      const judgedBefore = await gate.judged()
      const seed = Math.floor(Math.random() * 1e6)
      const checked = await ran<{ frames: number; bytes: number; judged: number }>('check', {
        port,
        token: login.tokenFile,
        seed,
        seconds: INTEGRITY_SECONDS,
      })
      const judged = (await gate.judged()) - judgedBefore
      if (judged !== checked.judged) throw new Error(`integrity: ${checked.judged} requests were sent, the gate has judged ${judged}`)
      const mib = (checked.bytes / 2 ** 20).toFixed(0)
      say(`integrity, ${way}: ${checked.frames} random frames, ${mib} MiB, every byte as it should be (seed ${seed})`)
    }
  })
}

async function timedRuns(login: Login, loads: readonly Load[], firstAnswers: number[]): Promise<Results> {
  const results = new Results()
  const rounds = Number(options.rounds)
  for (let done = 0; done < rounds && loads.length > 0; done += ROUNDS_A_LIFE) {
    await withAll([await startSink('sink')], async ([sink], add) => {
      add(await startHaproxy(HAPROXY, sink!.port, login))
      add(await startHaproxy(AGAIN, sink!.port, login))
      const gate: GateContender = add(await startGate(sink!.port, login))
      firstAnswers.push(gate.firstAnswerMs)
      if (options.beside !== undefined) add(await startGate(sink!.port, login, OTHER, options.beside))
      await round(add.all, loads, Number(options.seconds), login.tokenFile, null)
      for (let i = done; i < Math.min(done + ROUNDS_A_LIFE, rounds); i++) {
        await round(add.all, loads, Number(options.seconds), login.tokenFile, results)
        say(`round ${i + 1} of ${rounds}`)
      }
    })
  }
  return results
}

async function idle(login: Login, firstAnswers: number[], tls: boolean): Promise<number> {
  return withAll([await startSink('sink')], async ([sink], add) => {
    const gate = add(await startGate(sink!.port, login))
    firstAnswers.push(gate.firstAnswerMs)
    return idleKib(gate, login.tokenFile, tls)
  })
}

interface Add {
  <Kind extends Contender>(contender: Kind): Kind
  readonly all: readonly Contender[]
}

/** Whoever was started is stopped, last first. */
async function withAll<Result>(first: Contender[], use: (all: readonly Contender[], add: Add) => Promise<Result>): Promise<Result> {
  const all = first
  const add = Object.assign(
    <Kind extends Contender>(contender: Kind): Kind => {
      all.push(contender)
      return contender
    },
    { all },
  )
  try {
    return await use(all, add)
  } finally {
    for (const contender of all.toReversed()) await contender.stop()
  }
}

const figureOf = (load: Load): string => load.name.split(' ')[0]!

/** A figure that has several loads is the worst of them. */
function note(report: Report, load: Load, results: Results): void {
  const ratio = results.ratio(load, GATE, HAPROXY)
  const figure = figureOf(load)
  report[figure] = { haproxy: Math.max(ratio, report[figure]?.['haproxy'] ?? 0) }
}

function table(loads: readonly Load[], results: Results): string[] {
  const head = `${'load'.padEnd(14)} ${'contender'.padEnd(14)} ${'MiB/s'.padStart(7)} ${'req/s'.padStart(8)} ${'CPU µs/req'.padStart(11)} ${'× HAProxy'.padStart(10)} ${'middle half'.padStart(12)} ${'p50 µs'.padStart(8)} ${'p99 µs'.padStart(8)} ${'held up'.padStart(8)}`
  const rows = loads.flatMap(load =>
    (load.tls ? PROXIES : [DIRECT, ...PROXIES]).map(name => {
      const of = (value: Parameters<Results['median']>[2]) => results.median(load, name, value)
      const [low, high] = results.spread(load, name, HAPROXY)
      const proxied = name !== DIRECT
      return [
        load.name.padEnd(14),
        name.padEnd(14),
        of(s => s.bytes / s.seconds / 2 ** 20)
          .toFixed(0)
          .padStart(7),
        of(s => s.requests / s.seconds)
          .toFixed(0)
          .padStart(8),
        (proxied ? of(s => s.cpuUs).toFixed(2) : '').padStart(11),
        (proxied ? results.ratio(load, name, HAPROXY).toFixed(2) : '').padStart(10),
        (proxied ? `${low.toFixed(2)}–${high.toFixed(2)}` : '').padStart(12),
        of(s => s.p50Us)
          .toFixed(0)
          .padStart(8),
        of(s => s.p99Us)
          .toFixed(0)
          .padStart(8),
        `${(of(s => s.waiting) * 100).toFixed(0)} %`.padStart(8),
      ].join(' ')
    }),
  )
  return [head, ...rows, '', `"${AGAIN}" is a second HAProxy beside the first: what its ratio is off 1.00 by is this machine's noise.`, '']
}

const rounded = (_key: string, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(4)) : value)
const print = (lines: readonly string[]) => console.log(lines.join('\n'))

await main()
