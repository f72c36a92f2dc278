// One broker with a listener for every way in which brokers want to be reached, and gates before it that take these ways.

import { readFileSync } from 'node:fs'
import { type Authority, type Certificate, makeAuthority } from '../../scripts/stack/certificates.ts'
import { type Kafka, type KafkaListener, startKafka } from '../../scripts/stack/kafka.ts'
import { dataFolder } from '../../scripts/stack/part.ts'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { RawClient } from '../equivalence/raw-client.ts'
import { recordBatch } from '../fakes/record-batch.ts'
import { MUTUAL, mayFetch, mechanisms, oauthOf, plainOf, SCRAM, tlsOf } from './broker-listeners.ts'
import { type Gate, startGate } from './gate.ts'

export interface UpstreamWorld {
  readonly kafka: Kafka
  readonly issuer: DevIssuer
  readonly authority: Authority
  /** Of the gate, for brokers that want one; and one of an authority that they do not know. */
  readonly own: Certificate
  readonly strange: Certificate
  readonly folder: string
  /** `host:port` of a listener. */
  at(listener: string, host?: string): string
  /** A gate whose `cluster:` is this, before that listener. */
  gate(cluster: object, options?: { readonly policy?: string; readonly config?: object }): Promise<Gate>
  /** The lines of the broker's log. */
  brokerLog(): string[]
  stop(): Promise<void>
}

export const USER = 'gate'
/** How long a login lasts on the listener SHORT. */
export const SHORT_MS = 3_000
export const TOPIC = 'upstream.one'
const POLICY = `version: 1
grants:
  - { id: all, to: [anyone], allow: [produce], topics: ["upstream.*"] }
  - { id: read, to: [anyone], allow: [consume], topics: ["upstream.*"], consumerGroups: ["*"] }
`

export async function startUpstreamWorld(): Promise<UpstreamWorld> {
  const folder = dataFolder('upstream')
  const [issuer, authority, strangers] = await Promise.all([
    startDevIssuer({ lifetimeMs: 600_000 }),
    makeAuthority(folder),
    makeAuthority(folder, 'strangers'),
  ])
  const names = ['DNS:localhost', 'IP:127.0.0.1', 'DNS:kafka.internal']
  const broker = await authority.issue('broker', { names })
  const old = await authority.issue('old', { names, expired: true })
  const version = process.env['UPSTREAM_KAFKA']
  const kafka = await startKafka({
    // For a person who wants to see it with an older broker.
    ...(version !== undefined && { version }),
    listeners: listenersOf(authority, broker, old, issuer),
    scramUsers: [USER],
    jvm: ['-Dkafka.request.level=DEBUG', mayFetch(issuer.jwksUrl)],
  })
  const node = kafka.nodes[0]!
  const gates: Gate[] = []
  const at = (listener: string, host = '127.0.0.1') => `${host}:${node.ports[listener] ?? node.port}`
  return {
    kafka,
    issuer,
    authority,
    own: await authority.issue('topicgate'),
    strange: await strangers.issue('stranger'),
    folder,
    at,
    async gate(cluster, { policy = POLICY, config = {} } = {}) {
      const issuers = [{ alias: 'dev', issuer: issuer.issuer, audience: 'kafka', kind: 'keycloak' }]
      const gate = await startGate({ bootstrap: '', policy, issuers, config: { cluster: { name: 'main', ...cluster }, ...config } })
      gates.push(gate)
      return gate
    },
    brokerLog: () => readFileSync(node.logFile, 'utf8').split('\n'),
    async stop() {
      await Promise.all(gates.map(gate => gate.kill()))
      await kafka.stop()
      await issuer.stop()
    },
  }
}

function listenersOf({ ca }: Authority, broker: Certificate, old: Certificate, issuer: DevIssuer): KafkaListener[] {
  const tls = tlsOf(broker, ca)
  const all = { ...SCRAM, ...oauthOf(issuer.issuer, issuer.jwksUrl), ...plainOf(USER) }
  const short = { ...mechanisms('SCRAM-SHA-512'), 'scram-sha-512.connections.max.reauth.ms': String(SHORT_MS) }
  return [
    { name: 'TLS', protocol: 'SSL', properties: tls },
    { name: 'MTLS', protocol: 'SSL', properties: { ...tls, ...MUTUAL } },
    { name: 'OLD', protocol: 'SSL', properties: tlsOf(old, ca) },
    {
      name: 'SASL',
      protocol: 'SASL_SSL',
      properties: { ...tls, ...all, ...mechanisms('PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER') },
    },
    { name: 'SHORT', protocol: 'SASL_SSL', properties: { ...tls, ...SCRAM, ...short } },
  ]
}

/** A client of the gate, logged in. */
export async function clientOf(gate: Gate, token: string): Promise<RawClient> {
  return RawClient.open(gate.host, gate.port, { mechanism: 'OAUTHBEARER', token })
}

/** @returns the offset that the record got. */
export async function produce(client: RawClient, value: string, topic = TOPIC): Promise<number> {
  const partitionData = [{ index: 0, records: recordBatch([value]) }]
  const reply = await client.ask('Produce', 9, {
    transactionalId: null,
    acks: -1,
    timeoutMs: 5000,
    topicData: [{ name: topic, partitionData }],
  })
  if (!('response' in reply)) throw new Error('closed while producing')
  const { errorCode, baseOffset } = reply.response.responses[0].partitionResponses[0]
  if (errorCode !== 0) throw new Error(`Produce was answered with error ${errorCode}`)
  return Number(baseOffset)
}

/** The bytes of the records from an offset on. */
export async function fetchFrom(client: RawClient, offset: number, topic = TOPIC): Promise<Buffer> {
  const partitions = [
    { partition: 0, currentLeaderEpoch: -1, fetchOffset: BigInt(offset), logStartOffset: -1n, partitionMaxBytes: 1 << 20 },
  ]
  const reply = await client.ask('Fetch', 11, {
    replicaId: -1,
    maxWaitMs: 500,
    minBytes: 1,
    maxBytes: 1 << 20,
    isolationLevel: 0,
    sessionId: 0,
    sessionEpoch: -1,
    topics: [{ topic, partitions }],
    forgottenTopicsData: [],
    rackId: '',
  })
  if (!('response' in reply)) throw new Error('closed while fetching')
  const { errorCode, records } = reply.response.responses[0].partitions[0]
  if (errorCode !== 0) throw new Error(`Fetch was answered with error ${errorCode}`)
  return records ?? Buffer.alloc(0)
}

/** Writes a record through the gate and reads it back. */
export async function roundTrip(gate: Gate, token: string, value: string): Promise<void> {
  const client = await clientOf(gate, token)
  try {
    const offset = await produce(client, value)
    const records = await fetchFrom(client, offset)
    if (!records.includes(value)) throw new Error(`${value} was not read back`)
  } finally {
    client.close()
  }
}
