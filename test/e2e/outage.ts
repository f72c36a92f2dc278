// Clients of a family that produce and consume through a gate while its OpenFGA fails: what must still be true afterwards.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Family } from '../../scripts/stack/drivers.ts'
import type { Fault, FaultyOpenFga } from '../fakes/faulty-openfga.ts'
import { type Client, ClientError, type Consumer, Driver } from './client.ts'

const REFUSALS = /AUTHORIZATION_FAILED|SASL_AUTHENTICATION_FAILED/
/** librdkafka's name for a login that its own change of coordinator cut short: it tries again. */
const CUT_SHORT = /Local: Broker transport failure/

/** A producer and a consumer in a group, of one family. */
export class Survivor {
  readonly family: Family
  readonly #driver: Driver
  readonly #client: Client
  readonly #consumer: Consumer
  readonly #topic: string
  #sent = 0

  private constructor(family: Family, driver: Driver, client: Client, consumer: Consumer, topic: string) {
    this.family = family
    this.#driver = driver
    this.#client = client
    this.#consumer = consumer
    this.#topic = topic
  }

  static async start(family: Family, bootstrap: string, token: string, topic: string): Promise<Survivor> {
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
    while (!this.#consumer.messages.some(message => message.value === value))
      await this.#consumer.received(this.#consumer.messages.length + 1)
  }

  /** Tries to produce until the outage is over. @returns how often each error was seen */
  async endures(untilMs: number): Promise<Record<string, number>> {
    const seen: Record<string, number> = {}
    while (performance.now() < untilMs) {
      const failed = await this.#client.produce(this.#topic, [{ value: 'meanwhile', partition: 0 }]).then(
        () => 'none',
        (why: unknown) => {
          if (!(why instanceof ClientError)) throw why
          return why.name
        },
      )
      seen[failed] = (seen[failed] ?? 0) + 1
      await sleep(200)
    }
    const all = [...Object.keys(seen), ...this.#consumer.errors.splice(0).map(({ name, message }) => `${name} ${message}`)]
    assert.deepEqual(
      all.filter(text => REFUSALS.test(text) && !CUT_SHORT.test(text)),
      [],
      `${this.family} was told of a refusal`,
    )
    return seen
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
