// franz-go's kfake: a second implementation of Kafka's protocol, in memory, which offers what an older Kafka would.

import { join } from 'node:path'
import { goProgram } from './go.ts'
import type { Kafka } from './kafka.ts'
import { knownNodes } from './kafka-ready.ts'
import { dataFolder, onFreePorts, startPart, untilReady } from './part.ts'
import { versions } from './versions.ts'

const READY_TIMEOUT_MS = 20_000
const BROKERS = 3
const source = join(import.meta.dirname, '..', '..', 'test', 'fakes', 'kfake')

export interface Kfake extends Pick<Kafka, 'bootstrap' | 'stop'> {
  /** Of its brokers, in the order of their ids. */
  readonly ports: readonly number[]
}

/** Its program, built when that has not been done. */
export function kfakeProgram(): Promise<string> {
  const { kfake } = versions.clients
  return goProgram(source, kfake, `kfake ${kfake}`)
}

/** @param version whose APIs it offers, such as 2.8 @param topics names with their numbers of partitions */
export function startKfake(version: string, topics: Readonly<Record<string, number>>): Promise<Kfake> {
  return onFreePorts(BROKERS, ports => startKfakeOn(ports, version, topics))
}

/** The same, in the place of one that was stopped. */
export async function startKfakeOn(ports: readonly number[], version: string, topics: Readonly<Record<string, number>>): Promise<Kfake> {
  const seeds = Object.entries(topics).map(([name, partitions]) => `${name}=${partitions}`)
  const part = startPart('kfake', await kfakeProgram(), [`v${version}`, ports.join(), ...seeds], { folder: dataFolder('kfake') })
  try {
    await untilReady(part, async () => (await knownNodes(ports[0]!)) === ports.length, READY_TIMEOUT_MS)
  } catch (error) {
    await part.kill()
    throw error
  }
  return { ports, bootstrap: ports.map(port => `127.0.0.1:${port}`).join(), stop: () => part.kill() }
}
