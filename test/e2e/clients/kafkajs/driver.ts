// KafkaJS under test: the requests of clients/PROTOCOL.md, done as a user of KafkaJS would.

import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { type Admin, type Consumer, Kafka, type KafkaConfig, logLevel, type Producer, type SASLOptions } from 'kafkajs'

interface Request {
  id: number
  do: string
  client: string
  [name: string]: any
}

interface Client {
  kafka: Kafka
  producer?: Promise<Producer>
  admin?: Promise<Admin>
}

const clients = new Map<string, Client>()
const consumers = new Map<string, Consumer>()

const requests: Record<string, (request: Request) => Promise<unknown>> = {
  open: async ({ client, bootstrap, login, tls }) => {
    const retry = { initialRetryTime: 100, retries: 8 }
    const config: KafkaConfig = { clientId: client, brokers: bootstrap.split(','), logLevel: logLevel.NOTHING, retry, ssl: false }
    if (login) config.sasl = sasl(login)
    if (tls)
      config.ssl = Object.fromEntries(['ca', 'cert', 'key'].filter(part => tls[part]).map(part => [part, readFileSync(tls[part], 'utf8')]))
    clients.set(client, { kafka: new Kafka(config) })
  },
  produce: async ({ client, topic, messages }) => {
    const producer = await producerOf(client)
    const sent = await producer.send({ topic, messages })
    return sent.map(({ partition, baseOffset }) => ({ partition, offset: Number(baseOffset) }))
  },
  subscribe: async ({ client, consumer: name, group, topics }) => {
    const consumer = clientOf(client).kafka.consumer({ groupId: group, maxWaitTimeInMs: 200 })
    consumers.set(name, consumer)
    consumer.on('consumer.crash', ({ payload }) => {
      if (!payload.restart) tell({ consumer: name, error: describeError(payload.error) })
    })
    await consumer.connect()
    await consumer.subscribe({ topics, fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ topic, partition, message }) => {
        const { key, value, offset } = message
        tell({ consumer: name, message: { topic, partition, offset: Number(offset), key: key?.toString(), value: value?.toString() } })
      },
    })
  },
  transfer: async request => transfer(clientOf(request.client).kafka, request),
  unsubscribe: async ({ consumer }) => {
    await consumers.get(consumer)?.disconnect()
    consumers.delete(consumer)
  },
  topics: async ({ client }) => (await (await adminOf(client)).listTopics()).sort(),
  describe: async ({ client, topic }) => {
    const { topics } = await (await adminOf(client)).fetchTopicMetadata({ topics: [topic] })
    return topics[0].partitions.map(({ partitionId, leader }) => ({ partition: partitionId, leader }))
  },
  create: async ({ client, topic, partitions, replicas }) => {
    const topics = [{ topic, numPartitions: partitions, replicationFactor: replicas }]
    await (await adminOf(client)).createTopics({ topics, waitForLeaders: true })
  },
  delete: async ({ client, topic }) => (await adminOf(client)).deleteTopics({ topics: [topic] }),
  nodes: async ({ client }) => {
    const { brokers } = await (await adminOf(client)).describeCluster()
    return brokers.map(({ nodeId, host, port }) => ({ id: nodeId, host, port }))
  },
  groups: async ({ client }) => (await (await adminOf(client)).listGroups()).groups.map(group => group.groupId).sort(),
  close: async ({ client }) => {
    const { producer, admin } = clientOf(client)
    clients.delete(client)
    await Promise.all([producer, admin].map(async open => (await open?.catch(() => undefined))?.disconnect()))
  },
}

/** Reads, writes and commits its offsets in one transaction, or aborts it. */
async function transfer(kafka: Kafka, { from, to, group, transactionalId, count, abort }: Request): Promise<string[]> {
  const producer = kafka.producer({ transactionalId, idempotent: true, maxInFlightRequests: 1 })
  const consumer = kafka.consumer({ groupId: group, maxWaitTimeInMs: 200 })
  try {
    await producer.connect()
    const transaction = await producer.transaction()
    const read = await readSome(consumer, from, count)
    await transaction.send({ topic: to, messages: read.map(({ key, value }) => ({ key, value })) })
    await transaction.sendOffsets({ consumerGroupId: group, topics: [{ topic: from, partitions: nextOffsets(read) }] })
    await (abort ? transaction.abort() : transaction.commit())
    return read.map(({ value }) => String(value))
  } finally {
    await Promise.all([producer.disconnect(), consumer.disconnect()])
  }
}

interface Read {
  partition: number
  offset: string
  key: Buffer | null
  value: Buffer | null
}

/** Until `count` messages are there; nothing is committed. */
async function readSome(consumer: Consumer, topic: string, count: number): Promise<Read[]> {
  const read: Read[] = []
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await new Promise<void>((resolve, reject) => {
    consumer.on('consumer.crash', ({ payload }) => !payload.restart && reject(payload.error))
    const eachMessage = async ({ partition, message }: { partition: number; message: Omit<Read, 'partition'> }) => {
      read.push({ partition, offset: message.offset, key: message.key, value: message.value })
      if (read.length === count) resolve()
    }
    consumer.run({ autoCommit: false, eachMessage }).catch(reject)
  })
  return read
}

function nextOffsets(read: readonly Read[]): { partition: number; offset: string }[] {
  const last = new Map(read.map(({ partition, offset }) => [partition, offset]))
  return [...last].map(([partition, offset]) => ({ partition, offset: String(BigInt(offset) + 1n) }))
}

function clientOf(name: string): Client {
  const client = clients.get(name)
  if (!client) throw new Error(`no client ${name}`)
  return client
}

/**
 * KafkaJS gives the next message the sequence number of one that it has given up: if a broker has that one after all, it takes the next
 * for its double and acknowledges it unwritten. So it gives up late, and tries often enough to go on soon.
 */
const PRODUCER_RETRY = { initialRetryTime: 100, maxRetryTime: 2_000, retries: 25 }

/** The one producer of a client, connected when first used; a login that fails may be tried again. */
function producerOf(name: string): Promise<Producer> {
  const client = clientOf(name)
  client.producer ??= connected(client.kafka.producer({ idempotent: true, retry: PRODUCER_RETRY }), () => (client.producer = undefined))
  return client.producer
}

function adminOf(name: string): Promise<Admin> {
  const client = clientOf(name)
  client.admin ??= connected(client.kafka.admin(), () => (client.admin = undefined))
  return client.admin
}

async function connected<T extends Producer | Admin>(end: T, failed: () => void): Promise<T> {
  try {
    await end.connect()
    return end
  } catch (error) {
    failed()
    throw error
  }
}

function sasl(login: any): SASLOptions {
  if (login.username) return { mechanism: 'plain', username: login.username, password: login.password }
  return { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: login.token ?? (await fetchToken(login)) }) }
}

async function fetchToken({ endpoint, clientId, clientSecret }: any): Promise<string> {
  const form = { grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret }
  const response = await fetch(endpoint, { method: 'POST', body: new URLSearchParams(form) })
  return ((await response.json()) as { access_token: string }).access_token
}

function describeError(thrown: any): { name: string; message: string } {
  let error = thrown
  while (error.cause && !error.type) error = error.cause
  if (error.errors?.length) error = error.errors[0]
  const isLogin = error.name === 'KafkaJSSASLAuthenticationError'
  return { name: isLogin ? 'SASL_AUTHENTICATION_FAILED' : (error.type ?? error.name), message: thrown.message }
}

function tell(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

createInterface({ input: process.stdin })
  .on('line', async line => {
    const request: Request = JSON.parse(line)
    try {
      tell({ id: request.id, ok: (await requests[request.do](request)) ?? null })
    } catch (error) {
      tell({ id: request.id, error: describeError(error) })
    }
  })
  .on('close', () => process.exit())
