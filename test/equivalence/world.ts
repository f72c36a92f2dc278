// Two clusters with the same rights: one that judges itself (StandardAuthorizer and ACLs), one open behind the gate.

import { type Kafka, startKafka } from '../../scripts/stack/kafka.ts'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { type Gate, startGate } from '../e2e/gate.ts'
import { recordBatch } from '../fakes/record-batch.ts'
import { type Login, RawClient } from './raw-client.ts'
import { ADMIN, type Side, TOPICS } from './shapes.ts'
import { OPEN_TRANSACTION } from './transaction-requests.ts'

export const USERS = ['alice', 'bob', 'carol', 'dave', 'erin', 'frank'] as const

interface Right {
  readonly user: string
  readonly operations: readonly string[]
  readonly kind: 'topics' | 'consumerGroups' | 'transactionalIds' | 'cluster'
  /** A name, or a prefix that ends in `*`. */
  readonly pattern: string
  readonly denied?: true
}
const ON_TOPICS = ['read', 'write', 'create', 'delete', 'alter', 'describe', 'describe_configs', 'alter_configs']
const ON_GROUPS = ['read', 'delete', 'describe', 'describe_configs', 'alter_configs']
const ON_CLUSTER = ['create', 'alter', 'describe', 'cluster_action', 'describe_configs', 'alter_configs', 'idempotent_write']
/** Alice reads and writes, Bob may only describe, Carol has nothing, Dave may do everything, Erin what concerns the cluster, Frank is denied one topic. */
const RIGHTS: readonly Right[] = [
  { user: 'alice', operations: ['read', 'write'], kind: 'topics', pattern: 'eq-open' },
  { user: 'alice', operations: ['describe'], kind: 'topics', pattern: 'eq-seen' },
  { user: 'alice', operations: ['create', 'delete', 'describe_configs'], kind: 'topics', pattern: 'eq-new*' },
  { user: 'alice', operations: ON_TOPICS, kind: 'topics', pattern: ADMIN },
  { user: 'alice', operations: ON_GROUPS, kind: 'consumerGroups', pattern: 'eq-group*' },
  { user: 'alice', operations: ['write'], kind: 'transactionalIds', pattern: 'eq-txn*' },
  { user: 'bob', operations: ['describe'], kind: 'topics', pattern: 'eq-open' },
  { user: 'bob', operations: ['create'], kind: 'topics', pattern: 'eq-new*' },
  { user: 'bob', operations: ['describe'], kind: 'consumerGroups', pattern: 'eq-group*' },
  { user: 'bob', operations: ['describe'], kind: 'transactionalIds', pattern: 'eq-txn*' },
  { user: 'dave', operations: ON_TOPICS, kind: 'topics', pattern: '*' },
  { user: 'dave', operations: ON_GROUPS, kind: 'consumerGroups', pattern: '*' },
  { user: 'dave', operations: ['write', 'describe'], kind: 'transactionalIds', pattern: '*' },
  { user: 'dave', operations: ON_CLUSTER, kind: 'cluster', pattern: 'kafka-cluster' },
  { user: 'erin', operations: ['alter', 'describe', 'describe_configs', 'alter_configs'], kind: 'cluster', pattern: 'kafka-cluster' },
  { user: 'frank', operations: ['read', 'write', 'describe'], kind: 'topics', pattern: '*' },
  { user: 'frank', operations: ['read', 'write'], kind: 'topics', pattern: 'eq-hidden', denied: true },
  { user: 'frank', operations: ['read'], kind: 'consumerGroups', pattern: '*' },
]
const RESOURCE_TYPE = { topics: 2, consumerGroups: 3, cluster: 4, transactionalIds: 5 } as const
const OPERATION: { readonly [name: string]: number } = {
  read: 3,
  write: 4,
  create: 5,
  delete: 6,
  alter: 7,
  describe: 8,
  cluster_action: 9,
  describe_configs: 10,
  alter_configs: 11,
  idempotent_write: 12,
}

/** Records are as old as they say, and stay; descriptions of topologies are kept only where a plugin does. */
export const SETTINGS = {
  'log.retention.ms': '-1',
  'group.streams.topology.description.plugin.class': 'org.apache.kafka.server.streams.InMemoryTopologyDescriptionPlugin',
}

export interface OneSide extends Side {
  /** A fresh connection, logged in as this user. */
  open(user: string): Promise<RawClient>
  readonly nameOf: ReadonlyMap<string, string>
}
export interface World {
  readonly reference: OneSide
  readonly candidate: OneSide
  readonly gate: Gate
  stop(): Promise<void>
}

export async function startWorld(): Promise<World> {
  const [oracle, open, issuer] = await Promise.all([
    // Delegation tokens are off, as they are to clients of the gate.
    startKafka({ authorizer: true, autoCreate: false, properties: { ...SETTINGS, 'delegation.token.secret.key': '' } }),
    startKafka({ autoCreate: false, properties: SETTINGS }),
    startDevIssuer(),
  ])
  try {
    return await worldOf(oracle, open, issuer)
  } catch (error) {
    await Promise.all([oracle.stop(), open.stop(), issuer.stop()])
    throw error
  }
}

async function worldOf(oracle: Kafka, open: Kafka, issuer: DevIssuer): Promise<World> {
  const admin = await RawClient.open('127.0.0.1', oracle.nodes[0]!.port, { mechanism: 'PLAIN', name: 'admin' })
  const plain = await RawClient.open('127.0.0.1', open.nodes[0]!.port, null)
  await grantAcls(admin)
  const ids = await Promise.all([admin, plain].map(client => seed(client, TOPICS)))
  await Promise.all([admin, plain].map(awakenCoordinators))
  await Promise.all([admin, plain].map(openTransaction))
  for (const client of [admin, plain]) client.close()
  const gate = await startGate({ bootstrap: open.bootstrap, issuers: [issuer.settings('dev')], policy: policyYaml() })
  return {
    gate,
    reference: side(ids[0]!, user => RawClient.open('127.0.0.1', oracle.nodes[0]!.port, { mechanism: 'PLAIN', name: user })),
    candidate: side(ids[1]!, async user => openAtGate(gate, { mechanism: 'OAUTHBEARER', token: await issuer.mint({ service: user }) })),
    stop: () => stopAll(gate, [oracle, open], issuer),
  }
}

async function stopAll(gate: Gate, clusters: readonly Kafka[], issuer: DevIssuer): Promise<void> {
  await gate.stop()
  await Promise.all(clusters.map(c => c.stop()))
  await issuer.stop()
}

const openAtGate = (gate: Gate, login: Login): Promise<RawClient> => RawClient.open(gate.host, gate.port, login)

function side(ids: ReadonlyMap<string, string>, open: (user: string) => Promise<RawClient>): OneSide {
  const nameOf = new Map([...ids].map(([name, id]) => [id, name]))
  // An id that no topic has, the same on both sides, for names that do not exist.
  return { open, nameOf, topicId: name => ids.get(name) ?? 'ab'.repeat(16) }
}

async function grantAcls(admin: RawClient): Promise<void> {
  const creations = RIGHTS.flatMap(r =>
    r.operations.map(operation => ({
      resourceType: RESOURCE_TYPE[r.kind],
      resourceName: r.pattern === '*' ? '*' : r.pattern.replace('*', ''),
      resourcePatternType: r.pattern !== '*' && r.pattern.endsWith('*') ? 4 : 3,
      principal: `User:${r.user}`,
      host: '*',
      operation: OPERATION[operation],
      permissionType: r.denied ? 2 : 3,
    })),
  )
  const reply: any = await admin.ask('CreateAcls', 3, { creations })
  if (reply.response.results.some((r: any) => r.errorCode !== 0)) throw new Error(`ACLs: ${JSON.stringify(reply.response.results)}`)
}

/** Topics with a record each; their ids in hex by name. */
export async function seed(client: RawClient, names: readonly string[]): Promise<Map<string, string>> {
  const topics = names.map(name => ({ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }))
  const made: any = await client.ask('CreateTopics', 7, { topics, timeoutMs: 30_000, validateOnly: false })
  const ids = new Map<string, string>()
  for (const t of made.response.topics) {
    if (t.errorCode !== 0) throw new Error(`${t.name}: error ${t.errorCode}`)
    ids.set(t.name, String(t.topicId).replaceAll('-', ''))
  }
  for (const [name, topicId] of ids) await append(client, name, topicId)
  return ids
}

const append = (client: RawClient, name: string, topicId: string): Promise<void> =>
  untilServed(
    client,
    'Produce',
    13,
    {
      acks: -1,
      timeoutMs: 10_000,
      topicData: [{ topicId, partitionData: [{ index: 0, records: recordBatch([`first of ${name}`]) }] }],
    },
    r => r.responses[0].partitionResponses[0].errorCode,
  )

/** Until the first partition of a topic has a leader that knows it. */
export const untilLed = (client: RawClient, name: string): Promise<void> =>
  untilServed(
    client,
    'ListOffsets',
    7,
    {
      replicaId: -1,
      topics: [{ name, partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1n }] }],
    },
    r => r.topics[0].partitions[0].errorCode,
  )

/** A leader or coordinator may need a moment to know that it is one. */
async function untilServed(
  client: RawClient,
  api: string,
  version: number,
  body: object,
  errorOf: (response: any) => number,
): Promise<void> {
  for (let tries = 0; ; tries++) {
    const reply: any = await client.ask(api, version, body)
    if (errorOf(reply.response) === 0) return
    if (tries === 200) throw new Error(`${api}: error ${errorOf(reply.response)}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

/** The internal topics of groups and transactions are made when first asked for; until then all answers are about that. */
export async function awakenCoordinators(client: RawClient): Promise<void> {
  const asks: [string, number, object, (response: any) => number][] = [
    ['FindCoordinator', 4, { keyType: 0, coordinatorKeys: ['warm'] }, r => r.coordinators[0].errorCode],
    ['FindCoordinator', 4, { keyType: 1, coordinatorKeys: ['warm'] }, r => r.coordinators[0].errorCode],
    ['OffsetFetch', 8, { groups: [{ groupId: 'warm', topics: null }] }, r => r.groups[0].errorCode],
    ['InitProducerId', 4, { transactionalId: 'warm', transactionTimeoutMs: 10_000 }, r => r.errorCode],
  ]
  for (const [api, version, body, errorOf] of asks) await untilServed(client, api, version, body, errorOf)
}

/** A transaction on topics that not everybody may see. */
async function openTransaction(client: RawClient): Promise<void> {
  const begun: any = await client.ask('InitProducerId', 4, { transactionalId: OPEN_TRANSACTION, transactionTimeoutMs: 900_000 })
  const added: any = await client.ask('AddPartitionsToTxn', 3, {
    v3AndBelowTransactionalId: OPEN_TRANSACTION,
    v3AndBelowProducerId: begun.response.producerId,
    v3AndBelowProducerEpoch: begun.response.producerEpoch,
    v3AndBelowTopics: TOPICS.map(name => ({ name, partitions: [0] })),
  })
  const codes = added.response.resultsByTopicV3AndBelow.map((topic: any) => topic.resultsByPartition[0].partitionErrorCode)
  if (codes.some((code: number) => code !== 0)) throw new Error(`AddPartitionsToTxn: ${codes}`)
}

function policyYaml(): string {
  const onWhat = (r: Right) => (r.kind === 'cluster' ? 'cluster: true' : `${r.kind}: ["${r.pattern}"]`)
  const grants = RIGHTS.filter(r => !r.denied).map(
    (r, i) => `  - { id: right-${i}, to: "service:${r.user}", allow: [${r.operations.join(', ')}], ${onWhat(r)} }`,
  )
  const rules = RIGHTS.filter(r => r.denied).map(
    (r, i) => `  - { id: denied-${i}, deny: [${r.operations.join(', ')}], for: ["service:${r.user}"], ${onWhat(r)} }`,
  )
  return `version: 1\ngrants:\n${grants.join('\n')}\nrules:\n${rules.join('\n')}\n`
}
