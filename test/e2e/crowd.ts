// Many clients of one broker, each with a connection of its own, which come all at once, as often as it takes.

import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from 'node:tls'
import { FakeClient } from '../fakes/client.ts'
import type { RollingWorld } from './rolling-world.ts'
import { GATE_NAME } from './ways.ts'

const METADATA = 3
/** As clients of Kafka do: twice as long after each failure, spread by a fifth. */
const RETRY_MS = { first: 50, most: 1_000 }
const spread = (ms: number): number => ms * (0.8 + Math.random() * 0.4)

class Member {
  /** By performance.now; 0: it has no broker. */
  servedAtMs = 0
  /** Since it came last. */
  attempts = 0
  readonly #crowd: Crowd
  #client: FakeClient | null = null
  #wanted = false

  constructor(crowd: Crowd) {
    this.#crowd = crowd
  }

  async come(): Promise<void> {
    this.#wanted = true
    this.attempts = 0
    for (let retryMs = RETRY_MS.first; this.#wanted; retryMs = Math.min(retryMs * 2, RETRY_MS.most)) {
      this.attempts++
      if (await this.#served().catch(() => false)) break
      await sleep(spread(retryMs))
    }
    if (!this.#wanted) return
    this.servedAtMs = performance.now()
    void this.#client!.closed.then(() => (this.servedAtMs = 0))
  }

  leave(): void {
    this.#wanted = false
    this.#client?.socket.destroy()
  }

  async #served(): Promise<boolean> {
    const { token, port, servername, ca } = this.#crowd
    const socket = connect({ port, host: '127.0.0.1', servername, ca })
    const client = new FakeClient(socket)
    this.#client = client
    if ((await client.login(token)) !== 0) return false
    return (await client.ask(METADATA, 9, { topics: [], allowAutoTopicCreation: false })) !== null
  }
}

export class Crowd {
  readonly token: string
  readonly port: number
  readonly servername: string
  readonly ca: string
  readonly nodeId: number
  readonly #world: RollingWorld
  readonly #members: Member[]

  /** @param nodeId whose broker all of them want */
  constructor(world: RollingWorld, nodeId: number, count: number, token: string) {
    this.#world = world
    this.nodeId = nodeId
    this.token = token
    this.port = Number(world.bootstrap.split(':')[1])
    this.servername = `b${nodeId}.${GATE_NAME}`
    this.ca = readFileSync(world.tls.ca, 'utf8')
    this.#members = Array.from({ length: count }, () => new Member(this))
  }

  /** All of them, at once, again and again until they are served. */
  async come(): Promise<void> {
    await Promise.all(this.#members.map(member => member.come()))
  }

  /** How many have their broker now. */
  get served(): number {
    return this.#members.filter(({ servedAtMs }) => servedAtMs > 0).length
  }

  /** Of all that are served: how long after that moment, by performance.now, in ascending order. */
  servedAfterMs(momentMs: number): number[] {
    return this.#members.map(({ servedAtMs }) => Math.round(servedAtMs - momentMs)).sort((a, b) => a - b)
  }

  /** Since they came last, all together. */
  get attempts(): number {
    return this.#members.reduce((sum, { attempts }) => sum + attempts, 0)
  }

  /** The most connections of gates that the broker got within one second since its last start, by its own log. */
  mostInOneSecond(): number {
    const log = readFileSync(this.#world.kafka.nodes.find(({ id }) => id === this.nodeId)!.logFile, 'utf8').split('\n')
    const started = log.findLastIndex(line => line.includes('KafkaRaftServer') && line.includes('started'))
    const firstMs = new Map<string, number>()
    for (const line of log.slice(started + 1)) {
      if (!line.includes('"listener":"GATES"')) continue
      const [, hours, minutes, seconds] = /^(\d\d):(\d\d):(\d\d\.\d{3})/.exec(line)!
      const connection = /"connection":"([^"]+)"/.exec(line)![1]!
      if (!firstMs.has(connection)) firstMs.set(connection, ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000)
    }
    const times = [...firstMs.values()].sort((a, b) => a - b)
    return Math.max(0, ...times.map(from => times.filter(at => at >= from && at < from + 1_000).length))
  }

  leave(): void {
    for (const member of this.#members) member.leave()
  }
}
