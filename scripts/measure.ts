// `npm run measure -- NAME [--json]`: figures that take too long, or are too noisy, to be tests.

import { need } from './stack/needs.ts'

/** One figure's measurement: prints nothing; gives plain numbers with their units in the names. */
export type Measurement = () => Promise<Record<string, unknown>>

/** What in the figures is not as it must be, a line each. */
export type Faults = (figures: Record<string, unknown>) => string[]

const measurements: Record<string, () => Promise<{ measure: Measurement; faults?: Faults }>> = {
  'idle-polls': () => import('./measure/idle-polls.ts'),
  revocation: () => import('./measure/revocation.ts'),
  undecided: () => import('./measure/undecided.ts'),
  load: () => import('./measure/load.ts'),
  metadata: () => import('./measure/metadata.ts'),
  herd: () => import('./measure/herd.ts'),
  meaning: () => import('./measure/meaning.ts'),
  'kafka-tests': () => import('./measure/kafka-tests.ts'),
  matrix: () => import('./measure/matrix.ts'),
  stalled: () => import('./measure/stalled.ts'),
  rolling: () => import('./measure/rolling.ts'),
  reconnect: () => import('./measure/reconnect.ts'),
}

const json = process.argv.includes('--json')
const name = process.argv.slice(2).find(argument => !argument.startsWith('-'))
const load = name !== undefined && Object.hasOwn(measurements, name) ? measurements[name] : undefined
if (load === undefined) {
  process.stderr.write(`npm run measure -- NAME [--json]; NAME is one of: ${Object.keys(measurements).join(', ')}\n`)
  process.exit(2)
}
need('java', 'javac', 'maven', 'go', 'python')
const { measure, faults } = await load()
const figures = await measure()
if (json) process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`)
else console.table(figures)
const wrong = faults?.(figures) ?? []
for (const line of wrong) process.stderr.write(`not ok  ${line}\n`)
process.exit(wrong.length === 0 ? 0 : 1)
