// What clients of each family keep and lose while all brokers restart, everything that is secret is replaced, the gate is killed, and Kafka is upgraded.

import { RollingWorld } from '../../test/e2e/rolling-world.ts'
import { type Ledger, PARTITIONS, Stream, topicOf } from '../../test/e2e/stream.ts'
import { makeTopics } from '../../test/e2e/topics.ts'
import { say } from '../stack/cache.ts'
import { families } from '../stack/drivers.ts'
import { versions } from '../stack/versions.ts'

const BROKERS = [1, 2, 3]
const DIALS_PER_SECOND = 500
const KILLS = 3

/** Of each family: what was acknowledged, given up, lost, doubled and not read. */
export async function measure(): Promise<Record<string, unknown>> {
  const { broker, old } = versions.kafka
  const oldest = old.at(-1)!
  return {
    ...(await underLoad('brokers restart, authority, certificates and passwords change, the gate is killed', broker, replaceAll)),
    ...(await underLoad(`upgrade from ${oldest} to ${broker}`, oldest, (world, goOn) => restartAll(world, goOn, broker))),
  }
}

/** Whoever was told that a message was taken finds it once, and reads it. */
export function faults(figures: Record<string, unknown>): string[] {
  return Object.entries(figures).flatMap(([stream, ledger]) => {
    const { acknowledged, lost, doubled, unread } = ledger as Ledger
    const whole = acknowledged > 0 && lost + doubled + unread === 0
    return whole ? [] : [`${stream}: of ${acknowledged} acknowledged ${lost} lost, ${doubled} doubled, ${unread} not read`]
  })
}

type GoOn = () => Promise<unknown>

async function underLoad(
  what: string,
  version: string,
  work: (world: RollingWorld, goOn: GoOn) => Promise<void>,
): Promise<Record<string, unknown>> {
  const world = await RollingWorld.start({ version, dialsPerSecond: DIALS_PER_SECOND })
  await makeTopics(world.kafka, Object.fromEntries(families.map(family => [topicOf(family), PARTITIONS])))
  const streams = await Promise.all(families.map(family => Stream.start(world, family)))
  const goOn = () => Promise.all(streams.map(stream => stream.goesOn()))
  await goOn()
  await work(world, goOn)
  const ledgers = await Promise.all(streams.map(async stream => [`${what}: ${stream.family}`, await stream.end()] as const))
  await world.stop()
  return Object.fromEntries(ledgers)
}

async function restartAll(world: RollingWorld, goOn: GoOn, version?: string): Promise<void> {
  for (const id of BROKERS) {
    say(`broker ${id} restarts${version === undefined ? '' : ` as ${version}`}`)
    await world.restartBroker(id, version)
    await goOn()
  }
}

/** Three rounds: brokers come to trust a new authority and to be signed by it; the gate follows; the old authority is forgotten. */
async function replaceAll(world: RollingWorld, goOn: GoOn): Promise<void> {
  await restartAll(world, goOn)
  await world.newAuthority()
  await world.newBrokerCertificate()
  for (const id of BROKERS) {
    say(`broker ${id} restarts with another certificate, and the password changes`)
    await Promise.all([world.restartBroker(id), world.newServerCertificate(), world.newPassword()])
    await goOn()
  }
  await world.newGateCertificate()
  world.forgetAuthorities()
  await restartAll(world, goOn)
  for (let i = 0; i < KILLS; i++) {
    say('the gate is killed')
    await world.gate.kill()
    await world.startGate()
    await goOn()
  }
}
