// How long data flows on connections whose right was taken away, by the policy file or in the store: 200 of one kind, ten at a time while data flows.

import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel, type Producer } from 'kafkajs'
import type { DevIssuer } from '../../src/auth/dev-issuer.ts'
import { grantObject } from '../../src/policy/encode.ts'
import { newestModel, OpenFgaStore } from '../../src/policy/openfga-client.ts'
import type { EngineName } from '../../test/e2e/engines.ts'
import { engineConfig } from '../../test/e2e/engines.ts'
import { type Gate, startGate } from '../../test/e2e/gate.ts'
import { makeTopics } from '../../test/e2e/topics.ts'
import type { SharedKafka } from '../../test/parts.ts'
import { type Held, type HoldingKind, hold } from './held-connections.ts'
import { part } from './part.ts'

/** Revoked at a time. */
const AT_ONCE = 10
const EVERY_MS = 10

export interface RevocationFigures {
  readonly connections: number
  readonly revocations: number
  /** From the edit of the policy file, or the write of who deletes its tuples in the store, to the last data that came through. */
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** Where the right is taken away: in the policy file, or in the store, of which the gate hears by the feed of its changes. */
export type Place = 'file' | 'store'

/** @param stem of the names of topics, groups and transactional ids */
export async function revocations(
  kind: HoldingKind,
  engine: EngineName,
  kafka: SharedKafka,
  issuer: DevIssuer,
  stem: string,
  place: Place = 'file',
  connections = 200,
): Promise<RevocationFigures> {
  const topicOf = (i: number): string => `${stem}-${i}`
  const policyOf = (allowed: (i: number) => boolean): string => `version: 1
grants:
${Array.from({ length: connections }, (_, i) => {
  const to = `to: "service:holder-${i}"`
  const ids = `  - { id: group-${i}, ${to}, allow: consume, consumerGroups: ["${topicOf(i)}"] }
  - { id: transactions-${i}, ${to}, allow: produce, transactionalIds: ["${topicOf(i)}"] }\n`
  return allowed(i) ? `${ids}  - { id: topic-${i}, ${to}, allow: [produce, consume], topics: ["${topicOf(i)}"] }\n` : ids
}).join('')}`
  await makeTopics(kafka, Object.fromEntries(Array.from({ length: connections }, (_, i) => [topicOf(i), 1])))
  const issuers = [{ alias: 'dev', issuer: issuer.issuer, audience: 'kafka', kind: 'keycloak' }]
  const config = await engineConfig(engine)
  const gate = await startGate({ bootstrap: kafka.bootstrap, policy: policyOf(() => true), issuers, config })
  const producer = new Kafka({ clientId: 'm', brokers: kafka.bootstrap.split(','), logLevel: logLevel.NOTHING, ssl: false }).producer()
  await producer.connect()
  const held: Held[] = []
  for (let i = 0; i < connections; i++) held.push(await openOne(kind, gate, await issuer.mint({ service: `holder-${i}` }), topicOf(i)))
  const delaysMs: number[] = []
  for (let from = 0; from < connections; from += AT_ONCE) {
    const some = held.slice(from, from + AT_ONCE)
    const revoke =
      place === 'file'
        ? () => gate.setPolicy(policyOf(i => i >= from + some.length))
        : () =>
            deleteGrants(
              config,
              some.map((_, i) => from + i),
            )
    const topics = some.map((_, i) => topicOf(from + i))
    delaysMs.push(...(await lastData(some, revoke, kind === 'transactions' ? null : producer, topics)))
  }
  await Promise.all([producer.disconnect(), gate.stop()])
  const at = (share: number): number => Math.round(part(delaysMs, share))
  return { connections, revocations: delaysMs.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
}

interface StoreConfig {
  readonly authorizer: { readonly openfga: { readonly url: string; readonly store: string } }
}

const openOne = (kind: HoldingKind, gate: Gate, token: string, name: string): Promise<Held> =>
  hold[kind]({ port: gate.port, token, topic: name, partition: 0, id: name })

/** As any other program would: by the store's own API. */
async function deleteGrants(config: object, holders: readonly number[]): Promise<void> {
  const { url, store } = (config as StoreConfig).authorizer.openfga
  const deletes = holders.flatMap(i =>
    ['grantee', 'holder'].map(relation => ({ user: `service:dev/holder-${i}`, relation, object: grantObject('main', `topic-${i}`) })),
  )
  await new OpenFgaStore({ url, token: null }, store, await newestModel({ url, token: null }, store, 5_000), 5_000).write(deletes, [])
}

/** Takes rights away while data flows. @returns for each connection, from then to its last data */
async function lastData(
  held: readonly Held[],
  revoke: () => unknown,
  producer: Producer | null,
  topics: readonly string[],
): Promise<number[]> {
  let running = true
  const producing = (async () => {
    while (running && producer !== null) {
      await producer.sendBatch({ acks: 1, topicMessages: topics.map(topic => ({ topic, messages: [{ value: 'x' }] })) })
      await sleep(EVERY_MS)
    }
  })()
  while (held.some(({ lastDataMs }) => lastDataMs === 0)) await sleep(20)
  await sleep(200)
  const changedMs = performance.now()
  await revoke()
  await Promise.all(held.map(({ ended }) => ended))
  running = false
  await producing
  for (const one of held) one.close()
  return held.map(({ lastDataMs }) => Math.max(0, lastDataMs - changedMs))
}
