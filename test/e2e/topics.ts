// Topics made beside the gate, on the brokers themselves, and known to all of them before a test begins.

import { setTimeout as sleep } from 'node:timers/promises'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import type { SharedKafka } from '../parts.ts'

const POLL_MS = 50
const KNOWN_TIMEOUT_MS = 30_000

/** Makes topics with one replica on each broker, led by all of them in turn. */
export async function makeTopics(kafka: SharedKafka, topics: Readonly<Record<string, number>>): Promise<void> {
  const replicationFactor = kafka.nodes.length
  const wanted = Object.entries(topics).map(([topic, numPartitions]) => ({ topic, numPartitions, replicationFactor }))
  await withAdmin(kafka.bootstrap, admin => admin.createTopics({ topics: wanted, waitForLeaders: false }))
  await Promise.all(kafka.nodes.map(({ host, port }) => withAdmin(`${host}:${port}`, admin => untilKnown(admin, topics))))
}

async function untilKnown(admin: Admin, topics: Readonly<Record<string, number>>): Promise<void> {
  const endsAtMs = performance.now() + KNOWN_TIMEOUT_MS
  const isKnown = async () => {
    const known = await admin.fetchTopicMetadata({ topics: Object.keys(topics) })
    return known.topics.every(({ name, partitions }) => partitions.length === topics[name] && partitions.every(each => each.leader >= 0))
  }
  while (!(await isKnown().catch(() => false))) {
    if (performance.now() > endsAtMs) throw new Error(`topics ${Object.keys(topics)} have no leaders`)
    await sleep(POLL_MS)
  }
}

async function withAdmin<T>(bootstrap: string, work: (admin: Admin) => Promise<T>): Promise<T> {
  const kafka = new Kafka({ clientId: 'fixture', brokers: bootstrap.split(','), logLevel: logLevel.NOTHING, ssl: false })
  const admin = kafka.admin()
  await admin.connect()
  try {
    return await work(admin)
  } finally {
    await admin.disconnect()
  }
}
