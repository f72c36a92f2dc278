// A whole cluster behind one gate, certificates and passwords everywhere, that can be restarted, killed and given new ones piece by piece while clients work.

import { pbkdf2Sync, randomBytes, X509Certificate } from 'node:crypto'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import { type Authority, makeAuthority } from '../../scripts/stack/certificates.ts'
import { type Kafka, startKafka } from '../../scripts/stack/kafka.ts'
import { dataFolder, freePorts } from '../../scripts/stack/part.ts'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { RawClient } from '../equivalence/raw-client.ts'
import { MUTUAL, mechanisms, SCRAM, tlsOf } from './broker-listeners.ts'
import type { ClientTls } from './client.ts'
import { type Gate, startGate } from './gate.ts'
import { GATE_NAME } from './ways.ts'

const USER = 'topicgate'
const SCRAM_SHA_512 = 2
const ITERATIONS = 4096
const IN_SYNC_TIMEOUT_MS = 120_000
const policy = `version: 1
grants:
  - { id: write, to: "service:stream", allow: produce, topics: ["stream.*"] }
  - { id: read, to: "service:stream", allow: consume, topics: ["stream.*"], consumerGroups: ["stream-*"] }
`

export interface RollingOptions {
  /** Of Kafka, to begin with. */
  readonly version?: string
  /** New connections to one broker. */
  readonly dialsPerSecond: number
  /** Whether brokers log each request. */
  readonly requestLog?: boolean
}

export class RollingWorld {
  readonly kafka: Kafka
  readonly issuer: DevIssuer
  /** Of clients. */
  readonly hosts: string
  readonly tls: ClientTls
  gate!: Gate
  readonly #folder: string
  readonly #port: number
  readonly #front: Authority
  #behind: Authority
  #serial = 0
  #dialsPerSecond = 0

  private constructor(folder: string, kafka: Kafka, issuer: DevIssuer, port: number, front: Authority, behind: Authority) {
    this.#folder = folder
    this.#front = front
    this.#behind = behind
    this.#port = port
    this.kafka = kafka
    this.issuer = issuer
    this.tls = { ca: front.ca }
    this.hosts = join(folder, 'hosts')
    writeFileSync(this.hosts, `127.0.0.1 localhost ${[GATE_NAME, ...kafka.nodes.map(({ id }) => `b${id}.${GATE_NAME}`)].join(' ')}\n`)
  }

  static async start({ version, dialsPerSecond, requestLog = false }: RollingOptions): Promise<RollingWorld> {
    const folder = dataFolder('rolling')
    const [front, behind] = [await makeAuthority(folder, 'front'), await makeAuthority(folder, 'behind')]
    const store = join(folder, 'brokers.store.pem')
    copyFileSync((await behind.issue('broker', { names: ['IP:127.0.0.1'] })).store, store)
    copyFileSync(behind.ca, join(folder, 'brokers.ca.pem'))
    const secured = { ...tlsOf({ store }, join(folder, 'brokers.ca.pem')), ...MUTUAL, ...mechanisms('SCRAM-SHA-512'), ...SCRAM }
    const [kafka, issuer, [port]] = await Promise.all([
      startKafka({
        brokers: 3,
        ...(version !== undefined && { version }),
        listeners: [{ name: 'GATES', protocol: 'SASL_SSL', properties: secured }],
        scramUsers: [USER],
        jvm: requestLog ? ['-Dkafka.request.level=DEBUG'] : [],
      }),
      startDevIssuer({ lifetimeMs: 3_600_000 }),
      freePorts(1),
    ])
    const world = new RollingWorld(folder, kafka, issuer, port!, front, behind)
    world.#dialsPerSecond = dialsPerSecond
    copyFileSync(behind.ca, world.#file('gate.ca.pem'))
    writeFileSync(world.#file('password'), USER)
    await world.newGateCertificate()
    await world.newServerCertificate()
    await world.startGate()
    return world
  }

  get bootstrap(): string {
    return `${GATE_NAME}:${this.#port}`
  }

  async startGate(): Promise<void> {
    const { issuer, kafka } = this
    const password = `\${file:${this.#file('password')}}`
    const server = { cert: this.#file('server.pem'), key: this.#file('server.key') }
    this.gate = await startGate({
      bootstrap: '',
      policy,
      issuers: [issuer.settings('dev')],
      config: {
        cluster: {
          name: 'main',
          bootstrap: kafka.nodes.map(({ ports }) => `127.0.0.1:${ports['GATES']}`),
          tls: { ca: this.#file('gate.ca.pem'), cert: this.#file('gate.pem'), key: this.#file('gate.key') },
          sasl: { mechanism: 'SCRAM-SHA-512', username: USER, password },
          dialsPerSecond: this.#dialsPerSecond,
        },
        listeners: [
          {
            name: 'names',
            bind: `127.0.0.1:${this.#port}`,
            tls: server,
            advertise: { host: GATE_NAME },
            brokers: { sni: `b{nodeId}.${GATE_NAME}` },
          },
        ],
      },
    })
  }

  /** Ends one broker in order, starts it again, at another version if one is given, and waits until it has caught up. */
  async restartBroker(id: number, version?: string): Promise<void> {
    await this.kafka.restart(id, version)
    await this.untilInSync()
  }

  /** Every partition has all its replicas in sync again. */
  async untilInSync(): Promise<void> {
    const admin = new KafkaJs({ brokers: this.kafka.bootstrap.split(','), ssl: false, logLevel: logLevel.NOTHING }).admin()
    const endsAtMs = performance.now() + IN_SYNC_TIMEOUT_MS
    await admin.connect()
    const inSync = async () => {
      const { topics } = await admin.fetchTopicMetadata()
      return topics.every(({ partitions }) => partitions.every(({ isr, replicas }) => isr.length === replicas.length))
    }
    while (!(await inSync().catch(() => false))) {
      if (performance.now() > endsAtMs) throw new Error('replicas have not caught up')
      await sleep(200)
    }
    await admin.disconnect()
  }

  /** What clients see. @returns the fingerprint of the new one */
  async newServerCertificate(): Promise<string> {
    const { cert, key } = await this.#front.issue(`server-${++this.#serial}`, { names: [`DNS:${GATE_NAME}`, `DNS:*.${GATE_NAME}`] })
    copyFileSync(key, this.#file('server.key'))
    copyFileSync(cert, this.#file('server.pem'))
    return new X509Certificate(readFileSync(cert)).fingerprint256
  }

  /** What brokers see of the gate. @returns its common name */
  async newGateCertificate(): Promise<string> {
    const name = `topicgate-${++this.#serial}`
    const { cert, key } = await this.#behind.issue(name)
    copyFileSync(key, this.#file('gate.key'))
    copyFileSync(cert, this.#file('gate.pem'))
    return name
  }

  /** What the gate sees of brokers that start from now on. */
  async newBrokerCertificate(): Promise<void> {
    const { store } = await this.#behind.issue(`broker-${++this.#serial}`, { names: ['IP:127.0.0.1'] })
    copyFileSync(store, this.#file('brokers.store.pem'))
  }

  /** Another authority signs from now on; both are trusted, by the gate at once, by brokers when they start. */
  async newAuthority(): Promise<void> {
    const before = readFileSync(this.#behind.ca, 'utf8')
    this.#behind = await makeAuthority(this.#folder, `behind-${++this.#serial}`)
    for (const file of ['gate.ca.pem', 'brokers.ca.pem']) writeFileSync(this.#file(file), before + readFileSync(this.#behind.ca, 'utf8'))
  }

  /** Whoever was signed by another authority than the last is not trusted any more: by the gate at once, by brokers when they start. */
  forgetAuthorities(): void {
    for (const file of ['gate.ca.pem', 'brokers.ca.pem']) copyFileSync(this.#behind.ca, this.#file(file))
  }

  /** At the brokers, and then in the gate's file: in between, whoever logs in with the old one is refused. */
  async newPassword(): Promise<void> {
    const password = randomBytes(12).toString('base64url')
    const salt = randomBytes(16)
    const saltedPassword = pbkdf2Sync(password, salt, ITERATIONS, 64, 'sha512')
    const { host, port } = this.kafka.nodes[0]!
    const client = await RawClient.open(host, port, null)
    const upsertions = [{ name: USER, mechanism: SCRAM_SHA_512, iterations: ITERATIONS, salt, saltedPassword }]
    const reply = await client.ask('AlterUserScramCredentials', 0, { deletions: [], upsertions })
    client.close()
    if (!('response' in reply) || reply.response.results[0].errorCode !== 0) throw new Error(`no new password: ${JSON.stringify(reply)}`)
    writeFileSync(this.#file('password'), password)
  }

  async stop(): Promise<void> {
    await this.gate.stop()
    await Promise.all([this.kafka.stop(), this.issuer.stop()])
  }

  #file(name: string): string {
    return join(this.#folder, name)
  }
}
