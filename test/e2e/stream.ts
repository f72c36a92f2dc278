// A client family at work without pause: an idempotent producer, a consumer in a group, and a ledger of what was acknowledged.

import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import type { Family } from '../../scripts/stack/drivers.ts'
import { type Client, type Consumer, Driver } from './client.ts'
import type { RollingWorld } from './rolling-world.ts'

export const PARTITIONS = 6
const PAUSE_MS = 100
const GOES_ON_TIMEOUT_MS = 120_000

/** What the brokers hold in the end, beside what the producer was told. */
export interface Ledger {
  readonly acknowledged: number
  /** Given up by the client, as its user was told. */
  readonly failed: number
  /** Acknowledged, and not there. */
  readonly lost: number
  /** There more than once. */
  readonly doubled: number
  /** Acknowledged, and never given to the consumer. */
  readonly unread: number
  /** The longest time in which nothing was acknowledged. */
  readonly longestPauseMs: number
}

export class Stream {
  readonly family: Family
  readonly #world: RollingWorld
  readonly #driver: Driver
  readonly #client: Client
  readonly #consumer: Consumer
  readonly #acknowledged = new Set<string>()
  readonly #read = new Set<string>()
  /** Of rounds that are under way: how many of their messages are acknowledged, and how many read, together. */
  readonly #marks = new Map<number, number>()
  #lastWhole = 0
  #failed = 0
  #lastAtMs = performance.now()
  #longestPauseMs = 0
  #round = 0
  #over = false
  readonly #work: Promise<void>

  private constructor(world: RollingWorld, driver: Driver, client: Client, consumer: Consumer) {
    this.family = driver.family
    this.#world = world
    this.#driver = driver
    this.#client = client
    this.#consumer = consumer
    consumer.onMessage = ({ value }) => this.#mark(this.#read, value!)
    this.#work = this.#produce()
  }

  /** @throws unless `stream.FAMILY` is a topic of the cluster */
  static async start(world: RollingWorld, family: Family): Promise<Stream> {
    const driver = await Driver.start(family, world.hosts)
    const token = await world.issuer.mint({ service: 'stream' })
    const client = await driver.open(world.bootstrap, { token }, world.tls)
    return new Stream(world, driver, client, await client.subscribe(`stream-${family}`, [topicOf(family)]))
  }

  /** Waits until a round that begins now is acknowledged for every partition, and read. */
  async goesOn(): Promise<void> {
    const from = this.#round
    const endsAtMs = performance.now() + GOES_ON_TIMEOUT_MS
    while (this.#lastWhole <= from) {
      if (performance.now() > endsAtMs) throw new Error(`${this.family} does not go on: ${this.#state()}`)
      await sleep(50)
    }
  }

  /** Ends the producer, waits for the consumer, and reads the topic beside the gate. */
  async end(): Promise<Ledger> {
    this.#over = true
    await this.#work
    const endsAtMs = performance.now() + GOES_ON_TIMEOUT_MS
    const unread = () => [...this.#acknowledged].filter(value => !this.#read.has(value)).length
    while (unread() > 0 && performance.now() < endsAtMs) await sleep(50)
    const held = await countsIn(this.#world, topicOf(this.family))
    await this.#driver.stop()
    return {
      acknowledged: this.#acknowledged.size,
      failed: this.#failed,
      lost: [...this.#acknowledged].filter(value => !held.has(value)).length,
      doubled: [...held.values()].filter(count => count > 1).length,
      unread: unread(),
      longestPauseMs: Math.round(this.#longestPauseMs),
    }
  }

  async #produce(): Promise<void> {
    while (!this.#over) {
      const round = ++this.#round
      const sends = valuesOf(round).map(async (value, partition) => {
        await this.#client.produce(topicOf(this.family), [{ value, partition }]).then(
          () => this.#acknowledge(value),
          () => this.#failed++,
        )
      })
      await Promise.all(sends)
      await sleep(PAUSE_MS)
    }
  }

  #mark(set: Set<string>, value: string): void {
    if (set.has(value)) return
    set.add(value)
    const round = Number.parseInt(value, 10)
    const marks = (this.#marks.get(round) ?? 0) + 1
    if (marks < 2 * PARTITIONS) this.#marks.set(round, marks)
    else {
      this.#marks.delete(round)
      this.#lastWhole = Math.max(this.#lastWhole, round)
    }
  }

  #acknowledge(value: string): void {
    const nowMs = performance.now()
    this.#mark(this.#acknowledged, value)
    this.#longestPauseMs = Math.max(this.#longestPauseMs, nowMs - this.#lastAtMs)
    this.#lastAtMs = nowMs
  }

  #state(): string {
    const errors = this.#consumer.errors.map(({ name }) => name)
    return `round ${this.#round}, ${this.#acknowledged.size} acknowledged, ${this.#failed} failed, ${this.#read.size} read, errors ${errors}`
  }
}

export const topicOf = (family: Family): string => `stream.${family}`
const valuesOf = (round: number): string[] => Array.from({ length: PARTITIONS }, (_, partition) => `${round}-${partition}`)

/** The values in a topic as the brokers hold it, with how often each is there. */
async function countsIn({ kafka }: RollingWorld, topic: string): Promise<Map<string, number>> {
  const client = new Kafka({ brokers: kafka.bootstrap.split(','), ssl: false, logLevel: logLevel.NOTHING })
  const admin = client.admin()
  await admin.connect()
  const ends = await admin.fetchTopicOffsets(topic)
  await admin.disconnect()
  const missing = new Map(ends.filter(({ high }) => high !== '0').map(({ partition, high }) => [partition, BigInt(high)]))
  const held = new Map<string, number>()
  const consumer = client.consumer({ groupId: `ledger-${topic}` })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  const { promise: all, resolve } = Promise.withResolvers<void>()
  await consumer.run({
    eachMessage: async ({ partition, message }) => {
      const value = message.value!.toString()
      held.set(value, (held.get(value) ?? 0) + 1)
      if (BigInt(message.offset) + 1n === missing.get(partition)) missing.delete(partition)
      if (missing.size === 0) resolve()
    },
  })
  await all
  await consumer.disconnect()
  return held
}
