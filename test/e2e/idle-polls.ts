// Consumers that wait for data which does not come: how often each asks, beside the gate and through it.

import { FakeClient } from '../fakes/client.ts'
import type { SharedKafka } from '../parts.ts'
import type { Gate } from './gate.ts'

const [FETCH, METADATA] = [1, 3]
const VERSION = 12
/** How long a broker holds a fetch that finds nothing: the consumers' own default. */
export const MAX_WAIT_MS = 500
const TOPIC_AUTHORIZATION_FAILED = 29

/** Polls a second of each, all of them at once. */
export interface IdlePolls {
  readonly direct: number
  /** Through the gate, of one topic. */
  readonly allowed: number
  /** Through the gate, of that topic and of one that is refused in every answer. */
  readonly mixed: number
}

/** @param polls how many each sends in its fetch session */
export async function idlePolls(
  kafka: SharedKafka,
  gate: Gate,
  token: string,
  topics: readonly [string, string],
  polls: number,
): Promise<IdlePolls> {
  const [topic, refused] = topics
  const direct = kafka.nodes[0]!.port
  const [a, b, c] = await Promise.all([
    rateOf(await session(direct, null, [topic]), polls, []),
    rateOf(await session(gate.port, token, [topic]), polls, []),
    rateOf(await session(gate.port, token, [topic, refused]), polls, [refused]),
  ])
  return { direct: a, allowed: b, mixed: c }
}

interface Session {
  readonly client: FakeClient
  readonly sessionId: number
}

/** A fetch session with the leader of the first topic. */
async function session(bootstrapPort: number, token: string | null, topics: readonly string[]): Promise<Session> {
  const first = await connected(bootstrapPort, token)
  const metadata = await first.ask(METADATA!, 9, { topics: [{ name: topics[0] }], allowAutoTopicCreation: false })
  first.socket.destroy()
  const { leaderId } = metadata.topics[0].partitions[0]
  const client = await connected(metadata.brokers.find(({ nodeId }: any) => nodeId === leaderId).port, token)
  const partitions = [{ partition: 0, fetchOffset: 0n, partitionMaxBytes: 1 << 20 }]
  const { sessionId } = await poll(
    client,
    0,
    0,
    topics.map(topic => ({ topic, partitions })),
  )
  if (sessionId === 0) throw new Error('no session came')
  return { client, sessionId }
}

async function connected(port: number, token: string | null): Promise<FakeClient> {
  const client = await FakeClient.connect(port)
  if (token !== null && (await client.login(token)) !== 0) throw new Error('the login was refused')
  return client
}

async function rateOf({ client, sessionId }: Session, polls: number, refused: readonly string[]): Promise<number> {
  const beganMs = performance.now()
  for (let epoch = 1; epoch <= polls; epoch++) {
    const { errorCode, responses } = await poll(client, sessionId, epoch, [])
    const told = responses.map(({ topic, partitions }: any) => `${topic} ${partitions[0].errorCode}`)
    const expected = refused.map(topic => `${topic} ${TOPIC_AUTHORIZATION_FAILED}`)
    if (errorCode !== 0 || told.join() !== expected.join()) throw new Error(`error ${errorCode}, ${told}`)
  }
  client.socket.destroy()
  return (polls * 1000) / (performance.now() - beganMs)
}

async function poll(client: FakeClient, sessionId: number, sessionEpoch: number, topics: readonly object[]): Promise<any> {
  const body = { replicaId: -1, maxWaitMs: MAX_WAIT_MS, minBytes: 1, sessionId, sessionEpoch, topics, forgottenTopicsData: [], rackId: '' }
  const response = await client.ask(FETCH!, VERSION, body)
  if (response === null) throw new Error('the connection was closed')
  return response
}
