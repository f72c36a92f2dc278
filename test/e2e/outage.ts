// Clients of a family that produce and consume through a gate while its OpenFGA fails: what must still be true afterwards.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { families } from '../../scripts/stack/drivers.ts'
import type { Fault, FaultyOpenFga } from '../fakes/faulty-openfga.ts'
import { type Client, ClientError, type Consumer, Driver } from './client.ts'

type Tried = (typeof families)[number]
type End = 'producer' | 'consumer'

/** Connections that ended, one of them while its change of coordinator had a login under way: it tries again. Either end may be told. */
const LIBRDKAFKA_LOST: readonly RegExp[] = [/^SASL_AUTHENTICATION_FAILED .*Local: Broker transport failure/, /^_TRANSPORT /]

/**
 * All that the user of a client may read while nothing can be decided, as `NAME message`: what the client has tried again until a time of
 * its own was over, what it goes on trying, and connections that ended. No verdict is among it, and nothing that ends a consumer.
 */
const TOLD: Readonly<Record<Tried, Readonly<Record<End, readonly RegExp[]>>>> = {
  kafkajs: {
    producer: [
      // Of Metadata and of Produce, when its retries are at their end.
      /^LEADER_NOT_AVAILABLE /,
      /^REQUEST_TIMED_OUT /,
      /^KafkaJS(ConnectionClosed|Connection|RequestTimeout)Error /,
    ],
    // It speaks only of what it does not come back from.
    consumer: [],
  },
  java: {
    // delivery.timeout.ms or max.block.ms is over.
    producer: [/^REQUEST_TIMED_OUT /],
    // Whatever poll throws ends it.
    consumer: [],
  },
  librdkafka: {
    // message.timeout.ms is over, or the driver's own patience.
    producer: [/^_MSG_TIMED_OUT /, /^TimeoutError no delivery report$/, ...LIBRDKAFKA_LOST],
    consumer: [
      // Its own word for a topic that its cache has lost: it passes over LEADER_NOT_AVAILABLE, and asks again.
      /^UNKNOWN_TOPIC_OR_PART Subscribed topic not available/,
      ...LIBRDKAFKA_LOST,
    ],
  },
  'franz-go': {
    // RecordDeliveryTimeout is over.
    producer: [/^REQUEST_TIMED_OUT /],
    consumer: [
      // Of JoinGroup and of Heartbeat: it joins again.
      /^COORDINATOR_NOT_AVAILABLE unable to join group session/,
      /^ERROR .*(EOF|connection reset by peer|use of closed network connection|broken pipe)/,
    ],
  },
}

/** Those that the user of this client must not be told while nothing can be decided. */
export const unlisted = (family: Tried, end: End, errors: readonly ClientError[]): string[] =>
  errors.map(({ name, message }) => `${name} ${message}`).filter(text => !TOLD[family][end].some(listed => listed.test(text)))

/** A producer and a consumer in a group, of one family. */
export class Survivor {
  readonly family: Tried
  readonly #driver: Driver
  readonly #client: Client
  readonly #consumer: Consumer
  readonly #topic: string
  #sent = 0

  private constructor(family: Tried, driver: Driver, client: Client, consumer: Consumer, topic: string) {
    this.family = family
    this.#driver = driver
    this.#client = client
    this.#consumer = consumer
    this.#topic = topic
  }

  static async start(family: Tried, bootstrap: string, token: string, topic: string): Promise<Survivor> {
    const driver = await Driver.start(family)
    const client = await driver.open(bootstrap, { token })
    const consumer = await client.subscribe(`${topic}-group`, [topic])
    const survivor = new Survivor(family, driver, client, consumer, topic)
    await survivor.passes()
    return survivor
  }

  /** A message goes the whole way, at the latest after the client's own retries. */
  async passes(): Promise<void> {
    const value = `${++this.#sent}`
    await this.#client.produce(this.#topic, [{ value, partition: 0 }])
    while (!this.#consumer.messages.some(message => message.value === value)) {
      await this.#consumer.received(this.#consumer.messages.length + 1).catch(onlyClientErrors)
      this.#demandListed('consumer', this.#consumer.errors.splice(0))
    }
  }

  /** Tries to produce until the outage is over. @returns how often each error was seen, by either end */
  async endures(untilMs: number): Promise<Record<string, number>> {
    const failed: ClientError[] = []
    let none = 0
    while (performance.now() < untilMs) {
      await this.#client.produce(this.#topic, [{ value: 'meanwhile', partition: 0 }]).then(
        () => none++,
        (why: unknown) => failed.push(onlyClientErrors(why)),
      )
      await sleep(200)
    }
    const heard = this.#consumer.errors.splice(0)
    this.#demandListed('producer', failed)
    this.#demandListed('consumer', heard)
    const names = [...failed.map(({ name }) => name), ...heard.map(({ name }) => `consumer: ${name}`)]
    const counts = Map.groupBy(names, name => name)
    return { none, ...Object.fromEntries(Array.from(counts, ([name, all]) => [name, all.length])) }
  }

  #demandListed(end: End, errors: readonly ClientError[]): void {
    assert.deepEqual(unlisted(this.family, end, errors), [], `what the ${end} of ${this.family} was told`)
  }

  async stop(): Promise<void> {
    await this.#driver.stop()
  }
}

/** Lets OpenFGA fail for so long while the clients go on. @returns what each family saw */
export async function outage(faulty: FaultyOpenFga, fault: Fault, survivors: readonly Survivor[], lastsMs: number) {
  const startMs = performance.now()
  faulty.set(fault)
  const seen = survivors.map(survivor => survivor.endures(startMs + lastsMs))
  await sleep(lastsMs)
  faulty.set('none')
  const errors = await Promise.all(seen)
  await Promise.all(survivors.map(survivor => survivor.passes()))
  return Object.fromEntries(survivors.map(({ family }, i) => [family, errors[i]!]))
}

function onlyClientErrors(why: unknown): ClientError {
  if (why instanceof ClientError) return why
  throw why
}
