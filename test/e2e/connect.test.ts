// Kafka Connect through the gate: one file into a topic, the topic into another file, and a connector whose topic is refused.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { connectCommand } from '../../scripts/stack/drivers.ts'
import { dataFolder, onFreePorts, type Part, startPart, untilReady } from '../../scripts/stack/part.ts'
import { oauthSettings, propertiesText } from '../../scripts/stack/tools.ts'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { sharedKafka, uniqueName } from '../parts.ts'
import { type Gate, startGate } from './gate.ts'
import { shown } from './shown.ts'
import { makeTopics } from './topics.ts'

const stem = uniqueName('connect')
const [lines, secret] = [`${stem}.lines`, `${stem}.secret`]
const folder = dataFolder('connect')
const file = (name: string) => join(folder, name)
const TEXT = 'one\ntwo\nthree\n'
const READY_TIMEOUT_MS = 90_000

const policy = `
version: 1
grants:
  - { id: lines, to: "service:connect", allow: [produce, consume], topics: ["${lines}"] }
  - { id: groups, to: "service:connect", allow: consume, consumerGroups: ["connect-${stem}-*"] }
`
let issuer: DevIssuer
let gate: Gate
let connect: Part
let rest: string

before(async () => {
  const [kafka, dev] = await Promise.all([sharedKafka(), startDevIssuer()])
  issuer = dev
  await makeTopics(kafka, { [lines]: 1, [secret]: 1 })
  gate = await startGate({ bootstrap: kafka.bootstrap, policy, issuers: [issuer.settings('dev')] })
  writeFileSync(file('in.txt'), TEXT)
  connect = await onFreePorts(1, ports => started(ports[0]!))
})
after(async () => {
  await connect?.kill()
  await gate?.stop()
  await issuer?.stop()
})

async function started(port: number): Promise<Part> {
  rest = `http://127.0.0.1:${port}`
  writeFileSync(file('worker.properties'), propertiesText(worker()))
  const connectors: Record<string, Record<string, string>> = {
    [`${stem}-source`]: { 'connector.class': 'FileStreamSource', file: file('in.txt'), topic: lines },
    [`${stem}-sink`]: { 'connector.class': 'FileStreamSink', file: file('out.txt'), topics: lines },
    [`${stem}-refused`]: { 'connector.class': 'FileStreamSource', file: file('in.txt'), topic: secret },
  }
  for (const [name, settings] of Object.entries(connectors)) {
    writeFileSync(file(`${name}.properties`), propertiesText({ name, 'tasks.max': '1', ...settings }))
  }
  const [command, ...args] = await connectCommand(issuer.tokenUrl)
  const files = ['worker', ...Object.keys(connectors)].map(name => file(`${name}.properties`))
  const part = startPart('connect', command!, [...args, ...files], { folder })
  try {
    await untilReady(part, async () => (await fetch(`${rest}/connectors`)).ok, READY_TIMEOUT_MS)
  } catch (error) {
    await part.kill()
    throw error
  }
  return part
}

/** The worker logs in for itself, and for the clients of its connectors. */
function worker(): Record<string, string> {
  const login = oauthSettings(issuer.tokenUrl, 'connect', issuer.secret)
  const prefixed = (prefix: string) => Object.fromEntries(Object.entries(login).map(([key, value]) => [`${prefix}.${key}`, value]))
  const converter = 'org.apache.kafka.connect.storage.StringConverter'
  return {
    'bootstrap.servers': gate.bootstrap,
    ...login,
    ...prefixed('producer'),
    ...prefixed('consumer'),
    ...prefixed('admin'),
    'key.converter': converter,
    'value.converter': converter,
    'offset.storage.file.filename': file('offsets'),
    'offset.flush.interval.ms': '1000',
    'consumer.auto.offset.reset': 'earliest',
    listeners: rest,
  }
}

/** GET /connectors/NAME/status. */
interface Status {
  readonly tasks: readonly { readonly state: string; readonly trace?: string }[]
}

const statusOf = async (name: string): Promise<Status> =>
  (await (await fetch(`${rest}/connectors/${stem}-${name}/status`)).json()) as Status

test('a file goes into a topic, and out of it into another file', async () => {
  await untilReady(connect, async () => readFileSync(file('out.txt'), 'utf8') === TEXT, READY_TIMEOUT_MS)

  const states = (await Promise.all([statusOf('source'), statusOf('sink')])).flatMap(({ tasks }) => tasks.map(({ state }) => state))
  assert.deepEqual(states, ['RUNNING', 'RUNNING'])
  shown('programs', 'Kafka Connect, file source and sink', 'does', 'carries a file into a topic and the topic into a file')
})

test('a connector whose topic is hidden fails, and says why', async () => {
  await untilReady(connect, async () => (await statusOf('refused')).tasks[0]?.state === 'FAILED', READY_TIMEOUT_MS)

  const { trace } = (await statusOf('refused')).tasks[0]!

  assert.match(trace!, new RegExp(`TopicAuthorizationException: Not authorized to access topics: \\[${secret}\\]`))
  shown('programs', 'Kafka Connect, file source and sink', 'refused', 'a topic that it may not write: TOPIC_AUTHORIZATION_FAILED')
})
