// Kafka's console tools through the gate, with tokens that they fetch from Keycloak: what a person at a terminal sees.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Keycloak } from '../../scripts/stack/keycloak.ts'
import { dataFolder } from '../../scripts/stack/part.ts'
import { oauthProperties, runTool, type ToolRun } from '../../scripts/stack/tools.ts'
import { sharedKafka, sharedKeycloak, uniqueName } from '../parts.ts'
import { type Gate, startGate } from './gate.ts'
import { shown } from './shown.ts'
import { makeTopics } from './topics.ts'

const stem = uniqueName('console')
const orders = `${stem}.orders`
const payments = `${stem}.payments`
const policy = `
version: 1
grants:
  - { id: write, to: "service:orders-service", allow: produce, topics: ["${orders}"] }
  - { id: read, to: "service:orders-service", allow: consume, topics: ["${orders}"], consumerGroups: ["${stem}-*"] }
`

let keycloak: Keycloak
let gate: Gate
let properties: string

before(async () => {
  const [kafka, issuer] = await Promise.all([sharedKafka(), sharedKeycloak()])
  keycloak = issuer
  await makeTopics(kafka, { [orders]: 3, [payments]: 3 })
  const corp = { alias: 'corp', issuer: keycloak.issuer, audience: 'kafka', kind: 'keycloak' }
  gate = await startGate({ bootstrap: kafka.bootstrap, policy, issuers: [corp] })
  properties = join(dataFolder('console'), 'client.properties')
  writeFileSync(properties, oauthProperties(keycloak.tokenEndpoint, 'orders-service', 'orders-secret'))
})
after(() => gate?.stop())

function tool(name: Parameters<typeof runTool>[0], args: readonly string[], stdin?: string): Promise<ToolRun> {
  const common = ['--bootstrap-server', gate.bootstrap, '--command-config', properties]
  return runTool(name, [...common, ...args], { stdin, tokenEndpoint: keycloak.tokenEndpoint })
}

test('kafka-topics --list shows what may be described', async () => {
  const { code, stdout, stderr } = await tool('topics', ['--list'])

  assert.equal(code, 0, stderr)
  assert.deepEqual(stdout.trim().split('\n'), [orders])
})

test('the console producer writes, and the console consumer reads it in a group', async () => {
  const produced = await tool('producer', ['--topic', orders], 'one\ntwo\nthree\n')
  const consumed = await tool('consumer', [
    '--topic',
    orders,
    '--group',
    `${stem}-g`,
    '--from-beginning',
    '--max-messages',
    '3',
    '--timeout-ms',
    '30000',
  ])

  assert.equal(produced.code, 0, produced.stderr)
  assert.equal(consumed.code, 0, consumed.stderr)
  assert.deepEqual(consumed.stdout.trim().split('\n').sort(), ['one', 'three', 'two'])
  shown('programs', 'console producer and consumer', 'does', 'write and read in a group, with tokens that they fetch')
})

test('kafka-get-offsets counts what was written', async () => {
  const { code, stdout, stderr } = await tool('offsets', ['--topic', orders])

  const ends = stdout
    .trim()
    .split('\n')
    .map(line => line.split(':'))
  assert.equal(code, 0, stderr)
  assert.deepEqual(
    ends.map(([topic]) => topic),
    [orders, orders, orders],
  )
  assert.equal(
    ends.reduce((sum, [, , end]) => sum + Number(end), 0),
    3,
  )
})

test('the console producer says which topic is refused', async () => {
  const { stderr, stdout } = await tool('producer', ['--topic', payments], 'no\n')

  assert.match(stderr + stdout, new RegExp(`TopicAuthorizationException.*Not authorized to access topics: \\[${payments}\\]`))
})

test('the console consumer says which group is refused', async () => {
  const { stderr, stdout } = await tool('consumer', ['--topic', orders, '--group', 'not-mine', '--timeout-ms', '30000'])

  assert.match(stderr + stdout, /GroupAuthorizationException.*Not authorized to access group: not-mine/)
  shown('programs', 'console producer and consumer', 'refused', 'a group that the consumer may not read: GROUP_AUTHORIZATION_FAILED')
})
