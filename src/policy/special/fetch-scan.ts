// One Fetch request as it lies in its frame: where its topics, partitions and session stand, in numbers only.

import type { Visit } from '../../protocol/walk.ts'
import { i32 } from '../../protocol/wire.ts'

export const FETCH_MARKS = (byId: boolean): string[] => {
  const key = byId ? 'topicId' : 'topic'
  return [
    'replicaId',
    'replicaState.replicaId',
    'sessionId',
    'sessionEpoch',
    'topics',
    `topics.${key}`,
    'topics.partitions[]',
    'topics[]',
    'forgottenTopicsData',
    `forgottenTopicsData.${key}`,
    'forgottenTopicsData.partitions[]',
  ]
}
const REPLICA_ID = 0
const REPLICA_STATE = 1
const SESSION_ID = 2
const SESSION_EPOCH = 3
const TOPICS = 4
const KEY = 5
const PARTITION = 6
const TOPIC = 7
const FORGOTTEN = 8
const FORGOTTEN_KEY = 9
const FORGOTTEN_PARTITION = 10

/** Lists longer than this are not kept for the next request. */
const KEPT = 4096

/** Filled anew for each request: arrays are used again, `length` numbers say how far they are valid. */
export class FetchScan {
  replicaId = -1
  sessionId = 0
  sessionIdAt = -1
  /** -1, Kafka's FINAL_EPOCH: no session. */
  sessionEpoch = -1
  sessionEpochAt = -1
  topicsCountStart = 0
  topicsCountEnd = 0
  forgottenCountStart = 0
  forgottenCountEnd = 0
  topics = 0
  forgotten = 0
  /** Topic i: its element's span, its key's span, and its partitions from `firstPartition[i]` to `firstPartition[i + 1]`. */
  topicStart: number[] = []
  topicEnd: number[] = []
  keyStart: number[] = []
  keyEnd: number[] = []
  firstPartition: number[] = [0]
  partitionStart: number[] = []
  partitionEnd: number[] = []
  forgottenKeyStart: number[] = []
  forgottenKeyEnd: number[] = []
  firstForgotten: number[] = [0]
  forgottenPartition: number[] = []
  #partitions = 0
  #forgottenPartitions = 0

  reset(): void {
    if (this.partitionStart.length > KEPT || this.topicStart.length > KEPT || this.forgottenPartition.length > KEPT) this.#shrink()
    this.replicaId = -1
    this.sessionId = 0
    this.sessionIdAt = -1
    this.sessionEpoch = -1
    this.topics = 0
    this.forgotten = 0
    this.#partitions = 0
    this.#forgottenPartitions = 0
  }

  readonly visit: Visit = (mark, bytes, start, end) => {
    switch (mark) {
      case PARTITION:
        this.partitionStart[this.#partitions] = start
        this.partitionEnd[this.#partitions++] = end
        return
      case KEY:
        this.keyStart[this.topics] = start
        this.keyEnd[this.topics] = end
        return
      case TOPIC:
        this.topicStart[this.topics] = start
        this.topicEnd[this.topics++] = end
        this.firstPartition[this.topics] = this.#partitions
        return
      case FORGOTTEN_PARTITION:
        this.forgottenPartition[this.#forgottenPartitions++] = i32(bytes, start)
        this.firstForgotten[this.forgotten] = this.#forgottenPartitions
        return
      case FORGOTTEN_KEY:
        this.forgottenKeyStart[this.forgotten] = start
        this.forgottenKeyEnd[this.forgotten++] = end
        this.firstForgotten[this.forgotten] = this.#forgottenPartitions
        return
      case TOPICS:
        this.topicsCountStart = start
        this.topicsCountEnd = end
        return
      case FORGOTTEN:
        this.forgottenCountStart = start
        this.forgottenCountEnd = end
        return
      default:
        this.#number(mark, bytes, start)
    }
  }

  #number(mark: number, bytes: Buffer, start: number): void {
    const value = i32(bytes, start)
    if (mark === SESSION_ID) {
      this.sessionId = value
      this.sessionIdAt = start
    } else if (mark === SESSION_EPOCH) {
      this.sessionEpoch = value
      this.sessionEpochAt = start
    } else if (mark === REPLICA_ID || mark === REPLICA_STATE) this.replicaId = value
  }

  #shrink(): void {
    this.topicStart = []
    this.topicEnd = []
    this.keyStart = []
    this.keyEnd = []
    this.firstPartition = [0]
    this.partitionStart = []
    this.partitionEnd = []
    this.forgottenKeyStart = []
    this.forgottenKeyEnd = []
    this.firstForgotten = [0]
    this.forgottenPartition = []
  }
}
