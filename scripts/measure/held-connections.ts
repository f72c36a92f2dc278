// Connections that hold on to a right: in a long poll of a fetch session, of a share session, and with a transaction that is open.

import { setTimeout as sleep } from 'node:timers/promises'
import { FakeClient } from '../../test/fakes/client.ts'
import { recordBatch } from '../../test/fakes/record-batch.ts'

const [PRODUCE, FETCH, METADATA, FIND_COORDINATOR, JOIN_GROUP] = [0, 1, 3, 10, 11]
const [INIT_PRODUCER_ID, ADD_PARTITIONS_TO_TXN, SHARE_GROUP_HEARTBEAT, SHARE_FETCH] = [22, 24, 76, 78]
const MAX_WAIT_MS = 5_000
const EVERY_MS = 50
const PATIENCE_MS = 30_000

/** What a connection holds, and with whose token. */
export interface Holding {
  readonly port: number
  readonly token: string
  readonly topic: string
  readonly partition: number
  /** The group's id, or the transactional id. */
  readonly id: string
}

/** A connection on which data flows until its right is felt to be gone. */
export interface Held {
  /** When data came last, or was taken last; by performance.now; 0: never yet. */
  readonly lastDataMs: number
  readonly ended: Promise<void>
  close(): void
}

export type HoldingKind = 'fetch sessions' | 'share sessions' | 'transactions'

export const hold: Readonly<Record<HoldingKind, (holding: Holding) => Promise<Held>>> = {
  'fetch sessions': async holding => new FetchSession(holding, await placesOf(holding, 0)).begin(),
  'share sessions': async holding => new ShareSession(holding, await placesOf(holding, 0)).begin(),
  transactions: async holding => new Transaction(holding, await placesOf(holding, 1)).begin(),
}

/** The two connections that a client has: one to the leader of the partition, one to the coordinator. */
interface Places {
  readonly leader: FakeClient
  readonly coordinator: FakeClient
  /** The topic's id. */
  readonly topicId: Buffer
}

async function placesOf({ port, token, topic, partition, id }: Holding, keyType: number): Promise<Places> {
  const client = await loggedIn(port, token)
  const { brokers, topics } = await client.ask(METADATA!, 10, { topics: [{ name: topic }], allowAutoTopicCreation: false })
  const { leaderId } = topics[0].partitions.find(({ partitionIndex }: any) => partitionIndex === partition)
  const leader = await loggedIn(brokers.find(({ nodeId }: any) => nodeId === leaderId).port, token)
  const found = await until(async () => {
    const answer = await client.ask(FIND_COORDINATOR!, 3, { key: id, keyType })
    return answer.errorCode === 0 ? answer : null
  })
  client.socket.destroy()
  return { leader, coordinator: await loggedIn(found.port, token), topicId: topics[0].topicId }
}

async function loggedIn(port: number, token: string): Promise<FakeClient> {
  const client = await FakeClient.connect(port)
  if ((await client.login(token)) !== 0) throw new Error('the login was refused')
  return client
}

async function until<T>(ask: () => Promise<T | null>): Promise<T> {
  const endMs = performance.now() + PATIENCE_MS
  for (;;) {
    const found = await ask()
    if (found !== null) return found
    if (performance.now() > endMs) throw new Error('what was waited for did not come')
    await sleep(100)
  }
}

abstract class Connection implements Held {
  lastDataMs = 0
  ended: Promise<void> = Promise.resolve()
  protected readonly holding: Holding
  protected readonly places: Places

  constructor(holding: Holding, places: Places) {
    this.holding = holding
    this.places = places
  }

  begin(): this {
    this.ended = this.run().finally(() => this.places.leader.socket.destroy())
    return this
  }

  close(): void {
    this.places.leader.socket.destroy()
    this.places.coordinator.socket.destroy()
  }

  /** Resolves when the right is felt to be gone. */
  protected abstract run(): Promise<void>
}

/** One partition in an incremental fetch session, of a member of a classic group. */
class FetchSession extends Connection {
  #offset = 0

  protected async run(): Promise<void> {
    await this.#join()
    const { topic, partition } = this.holding
    let [sessionId, sessionEpoch] = [0, 0]
    let moved = true
    for (;;) {
      const partitions = [{ partition, fetchOffset: BigInt(this.#offset), partitionMaxBytes: 1 << 20 }]
      const response = await this.places.leader.ask(FETCH!, 12, {
        replicaId: -1,
        maxWaitMs: MAX_WAIT_MS,
        minBytes: 1,
        sessionId,
        sessionEpoch,
        topics: moved ? [{ topic, partitions }] : [],
        forgottenTopicsData: [],
        rackId: '',
      })
      const answered = response?.responses[0]?.partitions[0]
      if (response === null || response.errorCode !== 0 || (answered !== undefined && answered.errorCode !== 0)) return
      sessionId = response.sessionId
      sessionEpoch++
      moved = this.#take(answered?.records ?? null)
    }
  }

  /** Joins, and stays a member: the second request waits for the group's first rebalance. */
  async #join(): Promise<void> {
    const { coordinator } = this.places
    const protocols = [{ name: 'range', metadata: Buffer.alloc(0) }]
    const timeouts = { sessionTimeoutMs: 300_000, rebalanceTimeoutMs: 300_000 }
    const join = { groupId: this.holding.id, ...timeouts, protocolType: 'consumer', protocols, groupInstanceId: null }
    const { memberId } = await coordinator.ask(JOIN_GROUP!, 5, { ...join, memberId: '' })
    void coordinator.ask(JOIN_GROUP!, 5, { ...join, memberId })
  }

  #take(records: Buffer | null): boolean {
    if (records === null || records.length === 0) return false
    this.lastDataMs = performance.now()
    for (let at = 0; at + 61 <= records.length; at += 12 + records.readInt32BE(at + 8)) {
      this.#offset = records.readInt32BE(at + 4) + records.readInt32BE(at + 23) + 1
    }
    return true
  }
}

/** One partition in a share session, of a member of a share group; what comes is acknowledged with the next fetch. */
class ShareSession extends Connection {
  protected async run(): Promise<void> {
    const { id: groupId, partition } = this.holding
    const memberId = Buffer.from(groupId.padEnd(16).slice(-16)).toString('base64url')
    await this.#join(memberId)
    let acknowledgementBatches: object[] | null = []
    for (let shareSessionEpoch = 0; ; shareSessionEpoch++) {
      const partitions = [{ partitionIndex: partition, acknowledgementBatches }]
      const topics = acknowledgementBatches === null ? [] : [{ topicId: this.places.topicId, partitions }]
      const limits = { maxWaitMs: MAX_WAIT_MS, minBytes: 1, maxRecords: 500, batchSize: 500 }
      const request = { groupId, memberId, shareSessionEpoch, ...limits, topics, forgottenTopicsData: [] }
      const response = await this.places.leader.ask(SHARE_FETCH!, 1, request)
      const answered = response?.responses[0]?.partitions[0]
      if (response === null || response.errorCode !== 0 || (answered !== undefined && answered.errorCode !== 0)) return
      const acquired: { firstOffset: bigint; lastOffset: bigint }[] = answered?.acquiredRecords ?? []
      if (acquired.length > 0) this.lastDataMs = performance.now()
      acknowledgementBatches =
        acquired.length === 0 ? null : acquired.map(({ firstOffset, lastOffset }) => ({ firstOffset, lastOffset, acknowledgeTypes: [1] }))
    }
  }

  async #join(memberId: string): Promise<void> {
    const { topic, id: groupId } = this.holding
    let memberEpoch = 0
    await until(async () => {
      const body = { groupId, memberId, memberEpoch, rackId: null, subscribedTopicNames: memberEpoch === 0 ? [topic] : null }
      const answer = await this.places.coordinator.ask(SHARE_GROUP_HEARTBEAT!, 1, body)
      if (answer.errorCode === 0) memberEpoch = answer.memberEpoch
      return answer.assignment?.topicPartitions.length > 0 ? answer : null
    })
  }
}

/** A transaction into which a record goes again and again. */
class Transaction extends Connection {
  protected async run(): Promise<void> {
    const { topic, partition, id: transactionalId } = this.holding
    const begin = { transactionalId, transactionTimeoutMs: 600_000, producerId: -1n, producerEpoch: -1 }
    const { producerId, producerEpoch } = await until(async () => {
      const answer = await this.places.coordinator.ask(INIT_PRODUCER_ID!, 4, begin)
      return answer.errorCode === 0 ? answer : null
    })
    const topics = [{ name: topic, partitions: [partition] }]
    const identity = {
      v3AndBelowTransactionalId: transactionalId,
      v3AndBelowProducerId: producerId,
      v3AndBelowProducerEpoch: producerEpoch,
    }
    await until(async () => {
      const answer = await this.places.coordinator.ask(ADD_PARTITIONS_TO_TXN!, 3, { ...identity, v3AndBelowTopics: topics })
      return answer.resultsByTopicV3AndBelow[0].resultsByPartition[0].partitionErrorCode === 0 ? answer : null
    })
    for (let baseSequence = 0; ; baseSequence++) {
      const records = recordBatch(['x'], { transactional: true, producerId, producerEpoch, baseSequence, timestampMs: Date.now() })
      const topicData = [{ name: topic, partitionData: [{ index: partition, records }] }]
      const response = await this.places.leader.ask(PRODUCE!, 9, { transactionalId, acks: -1, timeoutMs: 10_000, topicData })
      if (response === null || response.responses[0].partitionResponses[0].errorCode !== 0) return
      this.lastDataMs = performance.now()
      await sleep(EVERY_MS)
    }
  }
}
