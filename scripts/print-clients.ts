// Prints docs/clients.md from what the tests have seen, which the last whole `npm test` has left in .stack/; `npm test` itself compares the two.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { exit, stderr } from 'node:process'
import { type Cell, ROWS } from '../test/e2e/shown.ts'
import { type SuiteResults, suiteResults } from '../test/kafka-suite/results.ts'
import { versions } from './stack/versions.ts'

const page = new URL('../docs/clients.md', import.meta.url)
/** What the tests of the last whole run have seen. */
const lastShown = new URL('../.stack/clients.ndjson', import.meta.url)

const kafkaJs: string = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).dependencies.kafkajs
/** Columns of the client tables: the driver's name, and what it drives. */
const CLIENTS: readonly (readonly [string, string])[] = [
  ['java', `Java client ${versions.kafka.tools}`],
  ['librdkafka', `librdkafka (confluent-kafka ${versions.clients.confluentKafka})`],
  ['franz-go', `franz-go ${versions.clients.franzGo}`],
  ['sarama', `sarama ${versions.clients.sarama}`],
  ['kafkajs', `KafkaJS ${kafkaJs}`],
]
const NONE = '–'

/** Keeps what a whole run has seen, one cell a line, for the page to be printed from. */
export function keepShown(seen: string): void {
  mkdirSync(dirname(lastShown.pathname), { recursive: true })
  writeFileSync(lastShown, seen)
}

/** What is wrong with the committed page, if this is what a whole run has seen; null: nothing. */
export function pageProblem(seen: string): string | null {
  if (existsSync(page) && readFileSync(page, 'utf8') === clientsPage(cellsOf(seen), suiteResults())) return null
  return 'docs/clients.md is not what this run has shown: node scripts/print-clients.ts prints it anew'
}

const cellsOf = (text: string): Cell[] =>
  text
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line))

export function clientsPage(cells: readonly Cell[], suite: SuiteResults): string {
  const text = (table: Cell['table'], row: string, column: string) =>
    cells.find(cell => cell.table === table && cell.row === row && cell.column === column)?.text || NONE
  const byClient = (table: 'features' | 'refusals', mark: (cell: string) => string) =>
    ROWS[table].map(row => [row, ...CLIENTS.map(([client]) => mark(text(table, row, client)))])
  const code = (cell: string) => (cell === NONE ? cell : `\`${cell}\``)
  const calls = [...new Set(cells.filter(({ table }) => table === 'admin').map(({ row }) => row))].sort()
  return `# Clients

Printed from a run of \`npm test\`, which fails when its outcome is another: every cell was seen through TopicGate, before three brokers of
Kafka ${versions.kafka.broker}.

## What works
${NONE}: not in that client, or not tried with it.

${tableOf(
  ['', ...CLIENTS.map(([, name]) => name)],
  byClient('features', cell => cell),
)}

## What is refused, and how the client's user reads it
Whoever may not gets Kafka's own error. KafkaJS keeps the reason of some refusals to itself: it asks every broker for a coordinator and
reports only that none told it, and it takes the challenge of RFC 7628 for success, so that its user sees the connection that closes.

${tableOf(['', ...CLIENTS.map(([, name]) => name)], byClient('refusals', code))}

## Programs
${tableOf(
  ['', 'Works', 'Refused'],
  ROWS.programs.map(row => [row, text('programs', row, 'does'), text('programs', row, 'refused')]),
)}

## Every call of Java's Admin interface
Found by reflection in kafka-clients ${versions.kafka.tools}: a call that is new in a later one fails the test by its name. With every right,
a call gives what the cluster gives without the gate; a stranger reads the exception that a broker with StandardAuthorizer throws.

${tableOf(
  ['Call', 'With every right', 'A stranger', 'Unlike the cluster, on purpose'],
  calls.map(row => [
    `\`${row}\``,
    ...['with every right', 'stranger', 'differs'].map(column => text('admin', row, column).replace(/^\w+Exception$/, '`$&`')),
  ]),
)}

## Kafka's own tests
Kafka's \`AuthorizerIntegrationTest\` ${suite.kafka}, from the test jars that Kafka publishes, with the gate between its clients and its broker: the
ACLs that a test writes become the gate's policy by \`policy import acls\`, and the gate goes on as the broker's super user. The five requests
about the state of share groups, which only brokers make of each other, are refused whatever the ACLs say; that is checked, and the test is
then shown the broker's own answer.
\`npm run measure -- kafka-tests\` runs all of it; \`npm test\` runs those that walk through the tables of requests, errors and ACLs.

${suiteText(suite)}`
}

function suiteText({ results }: SuiteResults): string {
  const all = Object.entries(results)
  const other = all.filter(([, result]) => result !== 'passed')
  const said = `Of ${all.length} tests ${all.length - other.length} pass.\n`
  return other.length === 0
    ? said
    : `${said}\n${tableOf(
        ['Does not', 'Why'],
        other.map(([name, why]) => [`\`${name}\``, why]),
      )}\n`
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

if (import.meta.main) {
  if (!existsSync(lastShown)) {
    stderr.write('nothing was seen yet: npm test comes first\n')
    exit(1)
  }
  writeFileSync(page, clientsPage(cellsOf(readFileSync(lastShown, 'utf8')), suiteResults()))
}
