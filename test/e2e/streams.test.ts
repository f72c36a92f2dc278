// Kafka Streams through the gate: a word count with its repartition and changelog topics, in a classic group exactly once, and in a streams group (KIP-1071).

import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { streamsCommand } from '../../scripts/stack/drivers.ts'
import { oauthSettings } from '../../scripts/stack/tools.ts'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { sharedKafka, uniqueName } from '../parts.ts'
import { type Client, Driver } from './client.ts'
import { type Gate, startGate } from './gate.ts'
import { shown } from './shown.ts'
import { makeTopics } from './topics.ts'

const stem = uniqueName('words')
const [lines, secret] = [`${stem}.lines`, `${stem}.secret`]
const KINDS = {
  classic: { name: 'Kafka Streams, exactly once', properties: { 'processing.guarantee': 'exactly_once_v2' } },
  streams: { name: 'Kafka Streams, streams group (KIP-1071)', properties: { 'group.protocol': 'streams' } },
} as const
type Kind = keyof typeof KINDS
const KIND_NAMES = Object.keys(KINDS) as Kind[]
const LINES = ['to be or not to be', 'be that as it may', 'to err']
const COUNTS = { to: 3, be: 3, or: 1, not: 1, that: 1, as: 1, it: 1, may: 1, err: 1 }

/** What an application needs: its input, its output, its own topics, its group and its transactional ids. */
const policy = `
version: 1
grants:
  - { id: input, to: "service:words", allow: read, topics: ["${lines}"] }
  - { id: output, to: "service:words", allow: produce, topics: ["${stem}.counts.*"] }
  - { id: own-topics, to: "service:words", allow: [produce, read, create, delete, describe_configs], topics: ["${stem}-*"] }
  - { id: own-groups, to: "service:words", allow: consume, consumerGroups: ["${stem}-*"] }
  - { id: own-ids, to: "service:words", allow: produce, transactionalIds: ["${stem}-*"] }
`
let issuer: DevIssuer
let gate: Gate
let driver: Driver
let direct: Client
let streams: ChildProcessWithoutNullStreams
/** What each application has said, and whoever waits for more. */
const said = new Map<string, { state?: string; error?: string }[]>()
let heard: () => void = () => {}

before(async () => {
  const [kafka, dev, kafkaJs] = await Promise.all([sharedKafka(), startDevIssuer(), Driver.start('kafkajs')])
  issuer = dev
  driver = kafkaJs
  await makeTopics(kafka, { [lines]: 2, [secret]: 2, ...Object.fromEntries(KIND_NAMES.map(kind => [`${stem}.counts.${kind}`, 2])) })
  gate = await startGate({ bootstrap: kafka.bootstrap, policy, issuers: [issuer.settings('dev')] })
  direct = await driver.open(kafka.bootstrap)
  await direct.produce(
    lines,
    LINES.map((value, at) => ({ key: String(at), value })),
  )
  const apps = KIND_NAMES.flatMap(kind => [app(kind, lines), app(kind, secret)])
  const [command, ...args] = await streamsCommand(issuer.tokenUrl)
  streams = spawn(command!, [...args, ...apps.map(each => JSON.stringify(each))], { stdio: 'pipe' })
  streams.stderr.resume()
  createInterface({ input: streams.stdout }).on('line', text => {
    const { app: name, ...line } = JSON.parse(text)
    said.set(name, [...(said.get(name) ?? []), line])
    heard()
  })
})
after(async () => {
  if (streams?.exitCode === null) {
    streams.stdin.end()
    const timer = setTimeout(() => streams.kill('SIGKILL'), 10_000)
    await once(streams, 'exit')
    clearTimeout(timer)
  }
  await driver?.stop()
  await gate?.stop()
  await issuer?.stop()
})

const nameOf = (kind: Kind, input: string) => `${stem}-${kind}-${input === lines ? 'open' : 'secret'}`

function app(kind: Kind, input: string): object {
  const properties = {
    'bootstrap.servers': gate.bootstrap,
    'commit.interval.ms': '200',
    'replication.factor': '3',
    ...oauthSettings(issuer.tokenUrl, 'words', issuer.secret),
    ...KINDS[kind].properties,
  }
  return { app: nameOf(kind, input), input, output: `${stem}.counts.${kind}`, properties }
}

/** Waits until an application has said something of this kind. */
async function hears<K extends 'state' | 'error'>(name: string, what: K, isIt: (value: string) => boolean): Promise<string> {
  for (;;) {
    const found = (said.get(name) ?? []).find(line => line[what] !== undefined && isIt(line[what]))
    if (found) return found[what]!
    await new Promise<void>(resolve => (heard = resolve))
  }
}

for (const kind of KIND_NAMES) {
  test(`${KINDS[kind].name}: words are counted`, { timeout: 120_000 }, async () => {
    await hears(nameOf(kind, lines), 'state', state => state === 'RUNNING')
    const consumer = await direct.subscribe(`${stem}-reader-${kind}`, [`${stem}.counts.${kind}`])
    const counts = new Map<string, number>()

    await new Promise<void>((resolve, reject) => {
      hears(nameOf(kind, lines), 'error', () => true).then(error => reject(new Error(error)))
      consumer.onMessage = ({ key, value }) => {
        counts.set(key!, Number(value))
        if (Object.entries(COUNTS).every(([word, count]) => counts.get(word) === count)) resolve()
      }
    })

    assert.deepEqual(Object.fromEntries(counts), COUNTS)
    const own = (await direct.topics()).filter(name => name.startsWith(nameOf(kind, lines)))
    assert.deepEqual(own, ['changelog', 'repartition'].map(last => `${nameOf(kind, lines)}-counts-${last}`).sort())
    await consumer.stop()
    shown('programs', KINDS[kind].name, 'does', 'counts words with a repartition and a changelog topic of its own')
  })

  test(`${KINDS[kind].name}: an input that is hidden is refused`, { timeout: 120_000 }, async () => {
    const error = await hears(nameOf(kind, secret), 'error', () => true)

    assert.equal(error, 'TOPIC_AUTHORIZATION_FAILED')
    shown('programs', KINDS[kind].name, 'refused', `an input that it may not read: ${error}`)
  })
}
