// How long data still reaches a consumer after its right was taken away, on an open connection, inside a fetch session: both engines.

import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel, type Producer } from 'kafkajs'
import { startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { type Client, Driver } from '../../test/e2e/client.ts'
import { engineConfig, engineNames } from '../../test/e2e/engines.ts'
import { type Gate, startGate } from '../../test/e2e/gate.ts'
import { makeTopics } from '../../test/e2e/topics.ts'
import { sharedKafka } from '../../test/parts.ts'
import { revocations } from './revocations.ts'

const ROUNDS = 20
const EVERY_MS = 10
const TOPIC = 'measured'

const policy = (allowed: boolean) => `
version: 1
grants:
  - { id: groups, to: "service:reader", allow: consume, consumerGroups: ["*"] }
${allowed ? `  - { id: topic, to: "service:reader", allow: consume, topics: ["${TOPIC}"] }` : ''}
`

export async function measure(): Promise<Record<string, unknown>> {
  const [kafka, issuer] = await Promise.all([sharedKafka(), startDevIssuer({ lifetimeMs: 3_600_000 })])
  await makeTopics(kafka, { [TOPIC]: 3 })
  const driver = await Driver.start('franz-go')
  const producer = await openProducer(kafka.bootstrap)
  const figures: Record<string, unknown> = {}
  for (const engine of engineNames) {
    const issuers = [{ alias: 'dev', issuer: issuer.issuer, audience: 'kafka', kind: 'keycloak' }]
    const gate = await startGate({ bootstrap: kafka.bootstrap, policy: policy(true), issuers, config: await engineConfig(engine) })
    const client = await driver.open(gate.bootstrap, { token: await issuer.mint({ service: 'reader' }) })
    const delaysMs: number[] = []
    for (let round = 0; round < ROUNDS; round++) delaysMs.push(await oneRound(gate, client, producer, `${engine}-${round}`))
    delaysMs.sort((a, b) => a - b)
    figures[engine] = { rounds: ROUNDS, medianMs: Math.round(delaysMs[ROUNDS >> 1]), worstMs: Math.round(delaysMs.at(-1)!) }
    await gate.stop()
    for (const kind of ['fetch sessions', 'share sessions', 'transactions'] as const) {
      for (const place of engine === 'openfga' ? (['file', 'store'] as const) : (['file'] as const)) {
        const stem = `measured-${engine}-${place}-${kind.replace(' ', '-')}`
        figures[`${engine}, ${place}, ${kind}`] = await revocations(kind, engine, kafka, issuer, stem, place)
      }
    }
  }
  await Promise.all([driver.stop(), producer.disconnect(), issuer.stop()])
  return figures
}

async function openProducer(bootstrap: string): Promise<Producer> {
  const producer = new Kafka({ clientId: 'measure', brokers: bootstrap.split(','), logLevel: logLevel.NOTHING, ssl: false }).producer()
  await producer.connect()
  return producer
}

/** From the edit of the policy file to the arrival of the last message that came through. */
async function oneRound(gate: Gate, client: Client, producer: Producer, group: string): Promise<number> {
  const consumer = await client.subscribe(group, [TOPIC])
  let running = true
  const producing = (async () => {
    while (running) {
      await producer.send({ topic: TOPIC, messages: [{ value: 'x' }] })
      await sleep(EVERY_MS)
    }
  })()
  let lastAtMs = 0
  consumer.onMessage = () => (lastAtMs = performance.now())
  await consumer.received(1)
  await sleep(500)
  consumer.errors.length = 0
  const changedAtMs = performance.now()
  gate.setPolicy(policy(false))
  await consumer.error()
  await sleep(1_000)
  const delayMs = lastAtMs - changedAtMs
  running = false
  await producing
  await consumer.stop()
  gate.setPolicy(policy(true))
  await untilReadable(client, `${group}-again`)
  return delayMs
}

async function untilReadable(client: Client, group: string): Promise<void> {
  const consumer = await client.subscribe(group, [TOPIC])
  for (;;) {
    const messages = await consumer.received(1).catch(() => [])
    if (messages.length > 0) break
  }
  await consumer.stop()
}
