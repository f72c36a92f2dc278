// Brokers with a listener for every kind of security and an authorizer of their own, a gate for each kind, and what one client does through it.

import assert from 'node:assert/strict'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import { type Authority, type Certificate, makeAuthority } from '../../scripts/stack/certificates.ts'
import { type Kafka, type KafkaListener, startKafka } from '../../scripts/stack/kafka.ts'
import type { Keycloak } from '../../scripts/stack/keycloak.ts'
import { dataFolder } from '../../scripts/stack/part.ts'
import { sharedKeycloak } from '../parts.ts'
import { MUTUAL, mayFetch, mechanisms, oauthOf, plainOf, SCRAM, tlsOf } from './broker-listeners.ts'
import { ClientError, type Driver, type Login } from './client.ts'
import { type Gate, startGate } from './gate.ts'
import { makeTopics } from './topics.ts'
import { openWays, type Way, type Ways } from './ways.ts'

export const securities = ['plain', 'TLS', 'mTLS', 'PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER', 'PASSTHROUGH'] as const
export type Security = (typeof securities)[number]

const PARTITIONS = 6
const USER = 'topicgate'
const OPEN = 'matrix.open'
/** Granted by the gate's policy, and by no ACL of the brokers. */
const CLOSED = 'matrix.closed'
const FORBIDDEN = 'forbidden'
const policy = `version: 1
grants:
  - { id: write, to: "service:orders-service", allow: produce, topics: ["matrix.*"] }
  - { id: read, to: "service:orders-service", allow: consume, topics: ["matrix.*"], consumerGroups: ["matrix-*"] }
`

/** What became of one client on one way: records that came back of those that went in, and what it read where it was refused. */
export interface Outcome {
  readonly produced: number
  readonly consumed: number
  readonly refused: string
  /** Where the gate allows and the brokers see who asks; null: they see the gate alone. */
  readonly refusedByBrokers: string | null
}

/** As all of it went. */
export const asItShould = (security: Security): Outcome => ({
  produced: PARTITIONS,
  consumed: PARTITIONS,
  refused: 'TOPIC_AUTHORIZATION_FAILED',
  refusedByBrokers: security === 'PASSTHROUGH' ? 'TOPIC_AUTHORIZATION_FAILED' : null,
})

export class MatrixWorld {
  readonly kafka: Kafka
  readonly ways: Ways
  readonly #keycloak: Keycloak
  readonly #authority: Authority
  readonly #own: Certificate
  readonly #gates = new Map<Security, Gate>()
  #count = 0

  private constructor(kafka: Kafka, ways: Ways, keycloak: Keycloak, authority: Authority, own: Certificate) {
    this.kafka = kafka
    this.ways = ways
    this.#keycloak = keycloak
    this.#authority = authority
    this.#own = own
  }

  /** @param version of the three brokers, or of each in its turn */
  static async start(version?: string | readonly string[]): Promise<MatrixWorld> {
    const folder = dataFolder('matrix')
    const [keycloak, authority] = await Promise.all([sharedKeycloak(), makeAuthority(folder)])
    const own = await authority.issue(USER)
    const ways = await openWays(folder, authority, [1, 2, 3])
    const jwksUrl = `${keycloak.issuer}/protocol/openid-connect/certs`
    const broker = await authority.issue('broker', { names: ['IP:127.0.0.1'] })
    const gateToken = await keycloak.serviceToken('analytics-app', 'analytics-secret')
    const kafka = await startKafka({
      brokers: 3,
      ...(version !== undefined && { version }),
      listeners: listenersOf(tlsOf(broker, authority.ca), oauthOf(keycloak.issuer, jwksUrl)),
      scramUsers: [USER],
      jvm: [mayFetch(jwksUrl)],
      properties: {
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        // Brokers among themselves, and the gate in each of its ways to log in; clients by their own names are nobody.
        'super.users': ['ANONYMOUS', USER, `CN=${USER}`, subjectOf(gateToken)].map(name => `User:${name}`).join(';'),
      },
    })
    await makeTopics(kafka, { [OPEN]: PARTITIONS, [CLOSED]: 1, [FORBIDDEN]: 1 })
    await allow(kafka, subjectOf(await keycloak.serviceToken('orders-service', 'orders-secret')))
    return new MatrixWorld(kafka, ways, keycloak, authority, own)
  }

  get login(): Login {
    return { endpoint: this.#keycloak.tokenEndpoint, clientId: 'orders-service', clientSecret: 'orders-secret' }
  }

  /** The gate that takes this kind of security towards the brokers, with a listener for each way of clients. */
  async gate(security: Security): Promise<Gate> {
    const [listener, cluster] = this.#cluster(security)
    const bootstrap = this.kafka.nodes.map(({ port, ports }) => `127.0.0.1:${listener === null ? port : ports[listener]}`)
    const roles = { realm: 'realm_access.roles', clients: { kafka: 'resource_access.kafka.roles' } }
    const gate = await startGate({
      bootstrap: '',
      policy,
      issuers: [{ alias: 'corp', issuer: this.#keycloak.issuer, audience: 'kafka', kind: 'keycloak', groups: 'groups', roles }],
      config: { cluster: { name: 'main', bootstrap, ...cluster }, listeners: this.ways.listeners },
    })
    this.#gates.set(security, gate)
    return gate
  }

  /** One client's day: it writes to every partition, reads that back in a group, and is refused. */
  async outcome(driver: Driver, security: Security, way: Way): Promise<Outcome> {
    const { bootstrap, tls } = this.ways.to(this.#gates.get(security)!, way)
    const client = await driver.open(bootstrap, this.login, tls)
    const stem = `matrix-${driver.family}-${++this.#count}`
    const sent = Array.from({ length: PARTITIONS }, (_, partition) => ({ value: `${stem}-${partition}`, partition }))
    try {
      const produced = await client.produce(OPEN, sent)
      const consumer = await client.subscribe(stem, [OPEN])
      const own = () => new Set(consumer.messages.flatMap(({ value }) => (value?.startsWith(`${stem}-`) ? [value] : [])))
      while (own().size < PARTITIONS) await consumer.received(consumer.messages.length + 1)
      const consumed = own().size
      await consumer.stop()
      const refusal = (topic: string) => client.produce(topic, [{ value: 'no', partition: 0 }]).then(() => 'allowed', refusalOf)
      const refused = await refusal(FORBIDDEN)
      return {
        produced: produced.length,
        consumed,
        refused,
        refusedByBrokers: security === 'PASSTHROUGH' ? await refusal(CLOSED) : null,
      }
    } finally {
      await client.close()
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#gates.values()].map(gate => gate.stop()))
    await this.kafka.stop()
  }

  #cluster(security: Security): [listener: string | null, cluster: object] {
    const { ca } = this.#authority
    const password = { username: USER, password: USER }
    switch (security) {
      case 'plain':
        return [null, {}]
      case 'TLS':
        return ['TLS', { tls: { ca } }]
      case 'mTLS':
        return ['MTLS', { tls: { ca, cert: this.#own.cert, key: this.#own.key } }]
      case 'OAUTHBEARER': {
        const own = { clientId: 'analytics-app', clientSecret: 'analytics-secret', issuer: this.#keycloak.issuer }
        return ['SASL', { tls: { ca }, sasl: { mechanism: security, ...own } }]
      }
      case 'PASSTHROUGH':
        return ['SASL', { tls: { ca }, sasl: { mechanism: security }, control: { sasl: { mechanism: 'PLAIN', ...password } } }]
      default:
        return ['SASL', { tls: { ca }, sasl: { mechanism: security, ...password } }]
    }
  }
}

function listenersOf(tls: Record<string, string>, oauth: Record<string, string>): KafkaListener[] {
  const all = mechanisms('PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER')
  return [
    { name: 'TLS', protocol: 'SSL', properties: tls },
    { name: 'MTLS', protocol: 'SSL', properties: { ...tls, ...MUTUAL } },
    { name: 'SASL', protocol: 'SASL_SSL', properties: { ...tls, ...all, ...SCRAM, ...oauth, ...plainOf(USER) } },
  ]
}

/** The claim by which Kafka names who has logged in by a token. */
function subjectOf(token: string): string {
  return JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()).sub
}

/** What a principal may at the brokers themselves: the open topic, and its groups. */
async function allow(kafka: Kafka, subject: string): Promise<void> {
  const admin = new KafkaJs({ brokers: kafka.bootstrap.split(','), ssl: false, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  const [TOPIC, GROUP, LITERAL, PREFIXED, ALLOW] = [2, 3, 3, 4, 3]
  const [READ, WRITE, DESCRIBE] = [3, 4, 8]
  const entry = (resourceType: number, resourceName: string, resourcePatternType: number, operation: number) => ({
    ...{ resourceType, resourceName, resourcePatternType, operation },
    ...{ principal: `User:${subject}`, host: '*', permissionType: ALLOW },
  })
  const onTopic = [READ, WRITE, DESCRIBE].map(operation => entry(TOPIC, OPEN, LITERAL, operation))
  await admin.createAcls({ acl: [...onTopic, entry(GROUP, 'matrix-', PREFIXED, READ)] })
  await admin.disconnect()
}

function refusalOf(error: unknown): string {
  assert.ok(error instanceof ClientError, String(error))
  return error.name
}
