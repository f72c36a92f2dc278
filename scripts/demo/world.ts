// The demo's parts: a real Kafka, an issuer, and TopicGate between its clients and Kafka, with the files that an operator would write.

import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { type DevIdentity, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { askForToken, type DemoState } from '../../src/cli/demo-state.ts'
import { startKafka } from '../stack/kafka.ts'
import { dataFolder } from '../stack/part.ts'
import { type RunningGate, startGate } from './gate.ts'
import { type Names, policyText } from './policy.ts'
import { say } from './table.ts'

export const TOPICS = ['orders.created', 'payments.eu', 'shipments.out'] as const

export interface World {
  /** TopicGate's address. */
  readonly bootstrap: string
  /** The broker's own address: for looking behind the gate. */
  readonly broker: string
  readonly people: DemoState['people']
  readonly folder: string
  readonly gate: RunningGate
  /** A client of TopicGate, logged in as one of the people. */
  client(name: string): Kafka
  /** A client of the broker itself. */
  direct(): Kafka
  /** Rewrites the policy file; TopicGate takes it up by itself. */
  setShippingGrant(given: boolean): void
  stop(): Promise<void>
}

export interface Identities {
  readonly people: DemoState['people']
  readonly names: Names
  /** The `issuers` entry of topicgate.yaml. */
  readonly issuer: object
  stop(): Promise<void>
}

export interface EngineParts {
  /** The `authorizer` of topicgate.yaml. */
  readonly authorizer: object
  stop(): Promise<void>
}

/** Starts everything. @param full a real Keycloak and a real OpenFGA in the place of what is built in */
export async function startWorld(full: boolean): Promise<World> {
  const ends: (() => Promise<void>)[] = []
  const stop = async () => {
    for (const end of ends.reverse()) await end().catch(error => say(`could not stop: ${(error as Error).message}`))
    ends.length = 0
  }
  try {
    say('Starting Apache Kafka …')
    const kafka = await startKafka({ autoCreate: false, properties: { 'group.initial.rebalance.delay.ms': '0' } })
    ends.push(() => kafka.stop())
    const direct = () => kafkaClient('demo-direct', kafka.bootstrap)
    await createTopics(direct())
    await groupsAnswer(direct())

    const parts = full ? await import('./full.ts') : BUILT_IN
    const identities = await parts.startIdentities()
    ends.push(identities.stop)
    const folder = dataFolder('demo')
    const engine = await parts.startEngine()
    ends.push(engine.stop)

    const config = join(folder, 'topicgate.yaml')
    const policy = join(folder, 'policy.yaml')
    writeFileSync(policy, policyText(identities.names, { shipping: false }))
    writeFileSync(config, configText(kafka.bootstrap, identities.issuer, engine.authorizer))
    say('Starting TopicGate …')
    const gate = await startGate(config, folder)
    ends.push(gate.stop)

    return {
      bootstrap: gate.bootstrap,
      broker: kafka.bootstrap,
      people: identities.people,
      folder,
      gate,
      client: name => kafkaClient(name, gate.bootstrap, identities.people[name]),
      direct,
      setShippingGrant(given) {
        writeFileSync(`${policy}.new`, policyText(identities.names, { shipping: given }))
        renameSync(`${policy}.new`, policy)
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

const DEV_PEOPLE: Readonly<Record<string, DevIdentity>> = {
  orders: { service: 'orders' },
  lena: { user: 'lena', groups: ['/finance/auditors'] },
  billing: { service: 'billing' },
  shipping: { service: 'shipping' },
  stranger: { user: 'stranger' },
}

const BUILT_IN = {
  async startIdentities(): Promise<Identities> {
    const issuer = await startDevIssuer({ people: DEV_PEOPLE, lifetimeMs: 3_600_000 })
    const { alias, audience, kind, groups } = issuer.settings('dev')
    const form = (name: string) => ({ grant_type: 'client_credentials', client_id: name, client_secret: issuer.secret })
    return {
      people: Object.fromEntries(Object.keys(DEV_PEOPLE).map(name => [name, { tokenUrl: issuer.tokenUrl, form: form(name) }])),
      names: { orders: 'service:orders', billing: 'service:billing', shipping: 'service:shipping', auditors: 'group:/finance/auditors' },
      issuer: { alias, issuer: issuer.issuer, audience, kind, groups },
      stop: () => issuer.stop(),
    }
  },
  async startEngine(): Promise<EngineParts> {
    return { authorizer: { engine: 'embedded' }, stop: async () => {} }
  },
}

function kafkaClient(clientId: string, bootstrap: string, person?: DemoState['people'][string]): Kafka {
  const oauthBearerProvider = async () => ({ value: await askForToken(person!.tokenUrl, person!.form) })
  return new Kafka({
    clientId,
    brokers: bootstrap.split(','),
    logLevel: logLevel.NOTHING,
    retry: { retries: 3, initialRetryTime: 200 },
    ...(person && { sasl: { mechanism: 'oauthbearer' as const, oauthBearerProvider } }),
  })
}

async function createTopics(kafka: Kafka): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: TOPICS.map(topic => ({ topic, numPartitions: 1, replicationFactor: 1 })), waitForLeaders: true })
  await admin.disconnect()
}

const GROUPS_TIMEOUT_MS = 60_000

/** A broker that has just started makes and loads the topic of its groups when first asked; until then members are told to wait. */
async function groupsAnswer(kafka: Kafka): Promise<void> {
  const admin = kafka.admin({ retry: { retries: 0 } })
  await admin.connect()
  const endsAtMs = performance.now() + GROUPS_TIMEOUT_MS
  for (;;) {
    const refused = await admin.fetchOffsets({ groupId: 'audit-1', topics: [TOPICS[0]] }).then(
      () => null,
      error => error,
    )
    if (refused === null) break
    if (performance.now() > endsAtMs) throw refused
    await sleep(50)
  }
  await admin.disconnect()
}

/** JSON is YAML, and says exactly what is meant. */
function configText(bootstrap: string, issuer: object, authorizer: object): string {
  return `${JSON.stringify(
    {
      version: 1,
      cluster: { name: 'demo', bootstrap: bootstrap.split(',') },
      listeners: [{ name: 'clients', bind: '127.0.0.1:0', brokers: { ports: 'auto' } }],
      issuers: [issuer],
      authorizer,
      policy: 'policy.yaml',
      audit: { to: ['file:audit.ndjson'] },
      health: { bind: '127.0.0.1:0' },
    },
    null,
    2,
  )}\n`
}

/** The audit as it stands: one object a decision. */
export function auditLines(folder: string): { [key: string]: any }[] {
  const text = readFileSync(join(folder, 'audit.ndjson'), { encoding: 'utf8', flag: 'a+' })
  return text
    .split('\n')
    .slice(0, -1)
    .map(one => JSON.parse(one))
}
