// A whole gate as its users run it, before one broker that is scripted and notes all that reaches it: what attacks are tried on.

import { connect, type Socket } from 'node:net'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { type Gate, startGate } from '../e2e/gate.ts'
import { AnsweringBroker, type Answers, clusterAnswers } from '../fakes/answering-broker.ts'
import { encodeRequest, FakeClient, loginFrames } from '../fakes/client.ts'

export const OPEN = { name: 'open.a', id: '0a'.repeat(16) }
export const SECRET = { name: 'secret.b', id: '0b'.repeat(16) }
export const ZERO_ID = '0'.repeat(32)

export const policyWith = (...readers: string[]): string => `
version: 1
grants:
  - { id: writer-writes, to: "service:writer", allow: produce, topics: ["open.*"] }
  - { id: readers-read, to: ${JSON.stringify(readers.map(name => `service:${name}`))}, allow: consume, topics: ["open.*"], consumerGroups: ["g-*"] }
  - { id: secrets, to: "service:other", allow: [produce, consume], topics: ["secret.*"] }
`

export interface World {
  readonly gate: Gate
  readonly issuer: DevIssuer
  readonly broker: AnsweringBroker
  /** By name; tests may change it, as an administrator does. */
  readonly topics: { [name: string]: string }
  /** Names and ids that were asked of the broker by requests that clients send and the gate itself does not. */
  reached(): any[]
  token(service: string): Promise<string>
  client(service: string): Promise<FakeClient>
  stop(): Promise<void>
}

/** What the gate asks for itself. */
const OWN: ReadonlySet<number> = new Set([3, 18, 32])

export async function startWorld(answers: Answers = {}, config: object = {}): Promise<World> {
  const topics: { [name: string]: string } = { [OPEN.name]: OPEN.id, [SECRET.name]: SECRET.id }
  const brokers: AnsweringBroker[] = []
  const broker = await AnsweringBroker.start({ ...clusterAnswers(() => brokers, topics), ...answers })
  brokers.push(broker)
  const issuer = await startDevIssuer()
  const { issuer: url, audience, jwks } = issuer.settings('dev') as any
  const gate = await startGate({
    bootstrap: `127.0.0.1:${broker.port}`,
    policy: policyWith('reader', 'other'),
    issuers: [{ alias: 'dev', issuer: url, audience, ...(jwks === undefined ? {} : { jwks }) }],
    config,
  })
  const token = (service: string) => issuer.mint({ service })
  return {
    gate,
    issuer,
    broker,
    topics,
    reached: () => broker.asked.filter(asked => !OWN.has(asked.apiKey)),
    token,
    client: async service => {
      const client = await FakeClient.connect(gate.port)
      const code = await client.login(await token(service))
      if (code !== 0) throw new Error(`login of ${service}: ${code}`)
      return client
    },
    stop: async () => {
      await gate.stop()
      await Promise.all([issuer.stop(), broker.stop()])
    },
  }
}

/** A Produce of one record batch to each topic, by name. */
export const produceBody = (names: readonly string[], records: Buffer | null = null, acks = -1): object => ({
  transactionalId: null,
  acks,
  timeoutMs: 1000,
  topicData: names.map(name => ({ name, partitionData: [{ index: 0, records }] })),
})

/** A broker's answers to Produce and Fetch, the latter in session 77. */
export const dataAnswers = (records: (topic: string) => Buffer): Answers => ({
  0: (request, version) => ({
    responses: request.topicData.map((t: any) => ({
      ...(version >= 13 ? { topicId: t.topicId } : { name: t.name }),
      partitionResponses: t.partitionData.map((p: any) => ({ index: p.index, errorCode: 0, baseOffset: 0n })),
    })),
  }),
  1: request => ({
    throttleTimeMs: 0,
    errorCode: 0,
    sessionId: request.sessionEpoch === -1 ? 0 : 77,
    responses: request.topics.map((t: any) => ({
      topic: t.topic,
      partitions: t.partitions.map((p: any) => ({ partitionIndex: p.partition, errorCode: 0, records: records(t.topic) })),
    })),
  }),
})

/** A Fetch (v12) of partition 0 of each topic. */
export const fetchBody = (names: readonly string[], sessionId = 0, sessionEpoch = 0): object => ({
  replicaId: -1,
  maxWaitMs: 100,
  minBytes: 1,
  maxBytes: 1 << 20,
  isolationLevel: 0,
  sessionId,
  sessionEpoch,
  topics: names.map(topic => ({
    topic,
    partitions: [
      { partition: 0, currentLeaderEpoch: -1, fetchOffset: 0n, lastFetchedEpoch: -1, logStartOffset: -1n, partitionMaxBytes: 1 << 20 },
    ],
  })),
  forgottenTopicsData: [],
  rackId: '',
})

/** Sends bytes on a connection of their own; resolves when it has closed, with what came back. */
export function sendAlone(port: number, bytes: Buffer, withinMs = 10_000): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true })
    const chunks: Buffer[] = []
    const late = setTimeout(() => {
      socket.destroy()
      reject(new Error(`still open after ${withinMs} ms`))
    }, withinMs)
    socket.on('data', chunk => chunks.push(chunk as Buffer))
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(late)
      resolve(Buffer.concat(chunks))
    })
    socket.write(bytes)
  })
}

/** Login and a request behind it in one piece. */
export const loginAnd = (token: string, ...frames: readonly Buffer[]): Buffer => Buffer.concat([loginFrames(token), ...frames])

/** The frames of what came back, without their size. */
export function framesIn(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = []
  for (let at = 0; at + 4 <= bytes.length; at += 4 + bytes.readInt32BE(at))
    frames.push(bytes.subarray(at + 4, at + 4 + bytes.readInt32BE(at)))
  return frames
}

export { encodeRequest }
