// `npm test`: starts the real parts once, runs all test files, or those that are named, and ends what it started.

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SHOWN } from '../test/e2e/shown.ts'
import { PARTS, type Parts } from '../test/parts.ts'
import { keepShown, pageProblem } from './print-clients.ts'
import { say } from './stack/cache.ts'
import { allFamilies, driverCommand, streamsCommand, suiteCommand } from './stack/drivers.ts'
import { startKafka } from './stack/kafka.ts'
import { preparedKeycloak, startKeycloak } from './stack/keycloak.ts'
import { kfakeProgram } from './stack/kfake.ts'
import { need } from './stack/needs.ts'
import { openFgaBinary, startOpenFga } from './stack/openfga.ts'
import { dataFolder } from './stack/part.ts'

const TEST_TIMEOUT_MS = 300_000
/** Options that leave tests out. */
const PARTIAL = /^--test-(only|name-pattern|skip-pattern|shard)/

need('java', 'javac', 'maven', 'go', 'python')
const given = process.argv.slice(2)
const options = given.filter(argument => argument.startsWith('-'))
const files = given.filter(argument => !argument.startsWith('-'))

process.exitCode = files.length ? await runTests(files) : await withParts(runAll)

/** All tests, and what they have seen of clients held against its page. */
async function runAll(environment: Record<string, string>): Promise<number> {
  const file = join(dataFolder('clients'), 'shown.ndjson')
  const code = await runTests(['test/**/*.test.ts'], { ...environment, [SHOWN]: file })
  if (code !== 0 || options.some(option => PARTIAL.test(option))) return code
  const seen = readFileSync(file, 'utf8')
  keepShown(seen)
  const problem = pageProblem(seen)
  if (problem !== null) process.stderr.write(`${problem}\n`)
  return problem === null ? 0 : 1
}

/** One after another while downloads and builds run, since they use all there is; the start is waiting, mostly, and goes together. */
async function withParts(work: (environment: Record<string, string>) => Promise<number>): Promise<number> {
  for (const family of allFamilies) await driverCommand(family)
  await streamsCommand('')
  await suiteCommand()
  await openFgaBinary('openfga')
  await kfakeProgram()
  await preparedKeycloak()
  say('starting Kafka (three brokers, and one with an authorizer), Keycloak and OpenFGA (its store in SQLite)')
  const starts = [startKafka({ brokers: 3 }), startKafka({ authorizer: true }), startKeycloak(), startOpenFga('sqlite')] as const
  try {
    const [kafka, oracle, keycloak, openFga] = await Promise.all(starts)
    say('all parts are up')
    const parts: Parts = {
      kafka: { bootstrap: kafka.bootstrap, nodes: kafka.nodes },
      oracle: { bootstrap: oracle.bootstrap, nodes: oracle.nodes },
      keycloak: { url: keycloak.url },
      openFga: { url: openFga.url, pid: openFga.pid },
    }
    return await work({ [PARTS]: JSON.stringify(parts) })
  } finally {
    const ends = await Promise.allSettled(starts)
    await Promise.all(ends.map(end => (end.status === 'fulfilled' ? end.value.stop() : undefined)))
  }
}

/** Runs Node's test runner and returns its exit code. */
async function runTests(patterns: readonly string[], environment: Record<string, string> = {}): Promise<number> {
  const args = [
    '--disable-warning=TimeoutNegativeWarning',
    '--test',
    '--test-concurrency=2',
    `--test-timeout=${TEST_TIMEOUT_MS}`,
    ...options,
    ...patterns,
  ]
  const runner = spawn(process.execPath, args, { stdio: 'inherit', env: { ...process.env, ...environment } })
  const forward = (signal: NodeJS.Signals) => runner.kill(signal)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, forward)
  return new Promise((resolve, reject) => {
    runner.on('error', reject)
    runner.on('exit', code => resolve(code ?? 1))
  })
}
