// What the demo's clients do, with KafkaJS, and what came of it.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Kafka, Producer } from 'kafkajs'
import type { Row } from './table.ts'
import { auditLines, type World } from './world.ts'

type Outcome = { readonly actual: string; readonly error: string | null }

/** A broker that has just started loads its groups for a moment, and says so. */
const PATIENT = { retries: 10, initialRetryTime: 200, maxRetryTime: 1_000 }

/** Single requests of five people, as a table. */
export async function* requests(world: World): AsyncGenerator<Row> {
  yield* ordersProduces(world)
  yield await auditorConsumes(world)
  yield await ordersTriesPayments(world)
  yield await strangerJoins(world)
  yield* oneRequestTwoTopics(world)
}

async function* ordersProduces(world: World): AsyncGenerator<Row> {
  const producer = await connected(world.client('orders'))
  const outcome = await attempt(() => producer.send({ topic: 'orders.created', messages: [{ key: '1001', value: 'order 1001' }] }))
  await producer.disconnect()
  const proof = outcome.actual === 'allowed' ? `at offset ${(await lastOffset(world, 'orders.created')) - 1}` : String(outcome.error)
  yield { who: 'orders', does: 'produces to orders.created', expected: 'allowed', actual: outcome.actual, proof }
}

async function auditorConsumes(world: World): Promise<Row> {
  const consumer = world.client('lena').consumer({ groupId: 'audit-1', allowAutoTopicCreation: false, retry: PATIENT })
  const first = Promise.withResolvers<string>()
  consumer.on('consumer.crash', ({ payload }) => first.reject(payload.error))
  const outcome = await attempt(async () => {
    await consumer.connect()
    await consumer.subscribe({ topic: 'orders.created', fromBeginning: true })
    await consumer.run({ eachMessage: async ({ message }) => first.resolve(String(message.value)) })
    return within(first.promise, 20_000, 'no record came')
  })
  await consumer.disconnect().catch(() => {})
  const proof = outcome.actual === 'allowed' ? `read "${await first.promise}"` : String(outcome.error)
  return { who: 'lena', does: 'consumes orders.created as audit-1', expected: 'allowed', actual: outcome.actual, proof }
}

async function ordersTriesPayments(world: World): Promise<Row> {
  const producer = await connected(world.client('orders'))
  const outcome = await attempt(() => producer.send({ topic: 'payments.eu', messages: [{ value: 'mine now' }] }))
  await producer.disconnect()
  return {
    who: 'orders',
    does: 'produces to payments.eu',
    expected: 'refused',
    actual: is(outcome, 'TOPIC_AUTHORIZATION_FAILED'),
    proof: await refusalProof(world, outcome, 'orders', 'payments.eu'),
  }
}

async function strangerJoins(world: World): Promise<Row> {
  const consumer = world.client('stranger').consumer({ groupId: 'audit-1', allowAutoTopicCreation: false, retry: { retries: 0 } })
  const crashed = Promise.withResolvers<never>()
  consumer.on('consumer.crash', ({ payload }) => crashed.reject(payload.error))
  crashed.promise.catch(() => {})
  const outcome = await attempt(async () => {
    await consumer.connect()
    await consumer.subscribe({ topic: 'orders.created' })
    await consumer.run({ eachMessage: async () => {} })
    return within(crashed.promise, 10_000, 'joined the group')
  })
  await consumer.disconnect().catch(() => {})
  return {
    who: 'stranger',
    does: 'joins the group audit-1',
    expected: 'refused',
    actual: is(outcome, 'GROUP_AUTHORIZATION_FAILED'),
    proof: await refusalProof(world, outcome, 'stranger', 'audit-1'),
  }
}

/** Billing may see both topics and write one; one request names both. */
async function* oneRequestTwoTopics(world: World): AsyncGenerator<Row> {
  const before = { orders: await lastOffset(world, 'orders.created'), payments: await lastOffset(world, 'payments.eu') }
  const producer = await connected(world.client('billing'))
  const messages = [{ value: 'invoice 7' }]
  const outcome = await attempt(() =>
    producer.sendBatch({
      topicMessages: [
        { topic: 'orders.created', messages },
        { topic: 'payments.eu', messages },
      ],
    }),
  )
  await producer.disconnect()
  const after = { orders: await lastOffset(world, 'orders.created'), payments: await lastOffset(world, 'payments.eu') }
  const grew = (topic: 'orders' | 'payments') => after[topic] - before[topic]
  yield {
    who: 'billing',
    does: 'one request: orders.created and …',
    expected: 'allowed',
    actual: grew('orders') === 1 ? 'allowed' : `${grew('orders')} records`,
    proof: `the broker has ${grew('orders')} record more in orders.created`,
  }
  yield {
    who: '',
    does: '             … payments.eu',
    expected: 'refused',
    actual: grew('payments') === 0 ? is(outcome, 'TOPIC_AUTHORIZATION_FAILED') : `${grew('payments')} records`,
    proof: `${await refusalProof(world, outcome, 'billing', 'payments.eu')}; the broker has ${grew('payments')} more there`,
  }
}

/** A producer that stays connected while the policy file changes under it. */
export async function* openConnection(world: World): AsyncGenerator<Row> {
  const producer = await connected(world.client('shipping'))
  try {
    const send = () => attempt(() => producer.send({ topic: 'shipments.out', messages: [{ value: 'parcel' }] }))
    const refused = await send()
    const first = await refusal(world, 'shipping', 'shipments.out')
    const opened = await world.gate.counter('topicgate_connections_opened_total')
    yield step('no grant', 'refused', refused, `connection ${first?.client.connection}`)

    world.setShippingGrant(true)
    const granted = await until(send, 'allowed')
    const sameConnections = (await world.gate.counter('topicgate_connections_opened_total')) === opened
    const proof = sameConnections ? `connection ${first?.client.connection}` : 'over another connection'
    yield step('granted', 'allowed', sameConnections ? granted : LOST, `${proof}, after ${granted.afterMs} ms`)

    world.setShippingGrant(false)
    const revoked = await until(send, 'refused')
    const second = await refusal(world, 'shipping', 'shipments.out')
    const same = first !== undefined && second?.client.connection === first.client.connection
    yield step('revoked', 'refused', same ? revoked : LOST, `connection ${second?.client.connection}, after ${revoked.afterMs} ms`)
  } finally {
    await producer.disconnect()
  }
}

const LOST: Outcome = { actual: 'reconnected', error: null }
const step = (does: string, expected: Row['expected'], outcome: Outcome, proof: string): Row => ({
  who: 'shipping',
  does: `produces to shipments.out: ${does}`,
  expected,
  actual: outcome.actual,
  proof: outcome.error === null ? proof : `${outcome.error}  ${proof}`,
})

async function connected(kafka: Kafka): Promise<Producer> {
  const producer = kafka.producer({ allowAutoTopicCreation: false, retry: { retries: 0 } })
  await producer.connect()
  return producer
}

/** KafkaJS wraps the broker's error in others: the Kafka name is what tells a refusal from a mishap. */
async function attempt(act: () => Promise<unknown>): Promise<Outcome> {
  try {
    await act()
    return { actual: 'allowed', error: null }
  } catch (error) {
    for (let one = error as any; one; one = one.cause ?? one.originalError) {
      if (typeof one.type === 'string')
        return { actual: one.type.endsWith('_AUTHORIZATION_FAILED') ? 'refused' : one.type, error: one.type }
    }
    return { actual: 'failed', error: (error as Error).message }
  }
}

/** Tries until it comes out so; a policy file is taken up within a second or two. */
async function until(act: () => Promise<Outcome>, wanted: string): Promise<Outcome & { afterMs: number }> {
  const startedAtMs = performance.now()
  for (;;) {
    const outcome = await act()
    const afterMs = Math.round(performance.now() - startedAtMs)
    if (outcome.actual === wanted || afterMs > 15_000) return { ...outcome, afterMs }
    await sleep(50)
  }
}

const is = (outcome: Outcome, error: string): string =>
  outcome.actual === 'refused' && outcome.error !== error ? outcome.error! : outcome.actual

function within<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  const late = sleep(timeoutMs, undefined, { ref: false }).then(() => {
    throw new Error(what)
  })
  return Promise.race([promise, late])
}

/** How many records a topic holds, read from the broker itself. */
async function lastOffset(world: World, topic: string): Promise<number> {
  const admin = world.direct().admin()
  await admin.connect()
  const offsets = await admin.fetchTopicOffsets(topic)
  await admin.disconnect()
  return offsets.reduce((sum, { high }) => sum + Number(high), 0)
}

/** The audit line of the last refusal of a client at a resource; it may be written a moment after the client has its answer. */
async function refusal(world: World, clientId: string, name: string): Promise<{ [key: string]: any } | undefined> {
  for (let tries = 0; tries < 40; tries++) {
    const found = auditLines(world.folder).findLast(
      one => one['verdict'] === 'refused' && one['client'].id === clientId && one['resource']?.name === name,
    )
    if (found !== undefined) return found
    await sleep(50)
  }
  return undefined
}

async function refusalProof(world: World, outcome: Outcome, clientId: string, name: string): Promise<string> {
  if (outcome.error === null) return ''
  const line = await refusal(world, clientId, name)
  return `${outcome.error}  decision ${line?.['id'] ?? 'not in the audit'}`
}
