// Clients that ask for large answers and do not read them, before a gate of their own: what its memory grows by, and how others fare meanwhile.

import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { makeAuthority } from '../../scripts/stack/certificates.ts'
import { dataFolder, onFreePorts } from '../../scripts/stack/part.ts'
import { startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { AnsweringBroker, clusterAnswers } from '../fakes/answering-broker.ts'
import { encodeRequest, encodeResponse, FakeClient } from '../fakes/client.ts'
import { type Gate, startGate } from './gate.ts'

const TOPIC = 'open.a'
const FETCH = 1
const VERSION = 12
const POLL_MS = 100
const SETTLED_MS = 1_000
const READERS = 5

export interface Stall {
  readonly tls: boolean
  readonly clients: number
  readonly answerBytes: number
  readonly heldBytes: number
}

export interface Stalled {
  /** RSS of the gate with all clients logged in. */
  readonly idleBytes: number
  /** The most that it had above that while they did not read. */
  readonly grownBytes: number
  /** How long others waited for an answer of 8 MiB meanwhile. */
  readonly othersMs: readonly number[]
  /** Of those that did not read: how many got their whole answer once they did, of five. */
  readonly readLate: number
}

export async function stalled({ tls, clients: count, answerBytes, heldBytes }: Stall): Promise<Stalled> {
  const topics = { [TOPIC]: '0a'.repeat(16) }
  const brokers: AnsweringBroker[] = []
  const answer = encodeResponse(FETCH, VERSION, 0, answerOf(answerBytes)).subarray(8)
  const broker = await AnsweringBroker.start({ ...clusterAnswers(() => brokers, topics), [FETCH]: () => answer })
  brokers.push(broker)
  const issuer = await startDevIssuer({ lifetimeMs: 3_600_000 })
  const open: { close(): unknown }[] = [{ close: () => broker.stop() }, { close: () => issuer.stop() }]
  try {
    const { gate, port } = await gateBefore(broker, issuer.issuer, tls, heldBytes)
    open.push({ close: () => gate.stop() })
    const token = await issuer.mint({ service: 'reader' })
    const come = async (): Promise<FakeClient> => {
      const client = await arrive(port, tls)
      open.push({ close: () => client.socket.destroy() })
      if ((await client.login(token)) !== 0) throw new Error('a login was refused')
      return client
    }
    const others = await come()
    await timed(others) // memory that one busy client takes once is not the stalled ones' to pay
    const clients: FakeClient[] = []
    while (clients.length < count) clients.push(await come())
    await sleep(SETTLED_MS)
    const idleBytes = residentBytes(gate.pid)

    for (const client of clients) {
      client.socket.pause()
      client.write(FETCH_FRAME)
    }
    const mostBytes = await settled(gate.pid)
    const othersMs: number[] = []
    for (let i = 0; i < READERS; i++) othersMs.push(await timed(others))
    const grownBytes = Math.max(mostBytes, residentBytes(gate.pid)) - idleBytes
    let readLate = 0
    for (const client of clients.slice(-READERS)) {
      client.socket.resume()
      if ((await client.next())?.length === 8 + answer.length) readLate++
    }
    return { idleBytes, grownBytes, othersMs, readLate }
  } finally {
    for (const one of open.toReversed()) await one.close()
  }
}

/** Waits until memory has not grown for a while; returns the most that it was. */
async function settled(pid: number): Promise<number> {
  let most = 0
  for (let quietMs = 0; quietMs < SETTLED_MS; quietMs += POLL_MS) {
    await sleep(POLL_MS)
    const now = residentBytes(pid)
    if (now > most * 1.005) quietMs = 0
    most = Math.max(most, now)
  }
  return most
}

async function timed(client: FakeClient): Promise<number> {
  const since = performance.now()
  client.write(FETCH_FRAME)
  if ((await client.next()) === null) throw new Error('a client that reads was closed')
  return performance.now() - since
}

const FETCH_FRAME = encodeRequest(FETCH, VERSION, 1, {
  replicaId: -1,
  maxWaitMs: 500,
  minBytes: 1,
  maxBytes: 0x7fffffff,
  isolationLevel: 0,
  sessionId: 0,
  sessionEpoch: -1,
  topics: [
    {
      topic: TOPIC,
      partitions: [
        { partition: 0, currentLeaderEpoch: -1, fetchOffset: 0n, lastFetchedEpoch: -1, logStartOffset: -1n, partitionMaxBytes: 0x7fffffff },
      ],
    },
  ],
  forgottenTopicsData: [],
  rackId: '',
})

const answerOf = (bytes: number): object => ({
  throttleTimeMs: 0,
  errorCode: 0,
  sessionId: 0,
  responses: [
    {
      topic: TOPIC,
      partitions: [
        {
          partitionIndex: 0,
          errorCode: 0,
          highWatermark: 1n,
          lastStableOffset: 1n,
          logStartOffset: 0n,
          abortedTransactions: null,
          preferredReadReplica: -1,
          records: Buffer.alloc(bytes, 7),
        },
      ],
    },
  ],
})

async function gateBefore(broker: AnsweringBroker, issuer: string, tls: boolean, heldBytes: number): Promise<{ gate: Gate; port: number }> {
  const certificate = tls ? await (await makeAuthority(dataFolder('certificates'))).issue('gate') : null
  return onFreePorts(1, async ([port]) => {
    const listener = {
      name: 'clients',
      bind: `127.0.0.1:${port}`,
      brokers: { ports: 'auto' },
      clientAddress: 'direct',
      ...(certificate !== null && { tls: { cert: certificate.cert, key: certificate.key } }),
    }
    const gate = await startGate({
      bootstrap: `127.0.0.1:${broker.port}`,
      policy: `
version: 1
grants:
  - { id: read, to: "service:reader", allow: consume, topics: ["open.*"], consumerGroups: ["g"] }
`,
      issuers: [{ alias: 'dev', issuer, audience: 'kafka', kind: 'keycloak' }],
      config: { listeners: [listener], limits: { heldBytes: mib(heldBytes), requestBytes: mib(heldBytes / 4), loginTime: '60s' } },
    })
    return { gate, port: port! }
  })
}

function arrive(port: number, tls: boolean): Promise<FakeClient> {
  return new Promise((resolve, reject) => {
    const to = { host: '127.0.0.1', port, noDelay: true }
    const socket = tls ? connectTls({ ...to, rejectUnauthorized: false }) : connect(to)
    socket.once(tls ? 'secureConnect' : 'connect', () => resolve(new FakeClient(socket))).once('error', reject)
  })
}

const mib = (bytes: number): string => `${bytes / 2 ** 20}MiB`

const residentBytes = (pid: number): number => 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1])
