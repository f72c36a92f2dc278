// What a Fetch asks for and what of it went to the broker: one table a request, or a fetch session's that lasts (KIP-227).

import { randomInt } from 'node:crypto'
import type { Rights } from './authorizer.ts'
import type { Name } from './names.ts'
import type { Refusal } from './topic-answers.ts'

/** Above it a session is given up: its client begins another. */
export const MAX_PARTITIONS = 1 << 18
/** A short list is searched faster than a hash is made. */
const HASHED_FROM = 8
const FOREVER = Number.MAX_SAFE_INTEGER

/** Shared by all topics whose partitions need not be kept; never written to. */
const NO_PARAMS = new Map<number, Buffer>()

/** One topic, by name or by id. All its partitions share its verdict. */
export class FetchTopic implements Refusal {
  /** As it stands in requests and responses: name with its length, or id. */
  readonly wireKey: Buffer
  /** Bytes of `wireKey` before name or id. */
  readonly prefixBytes: number
  readonly hash: number
  /** null: an id that is not resolved. */
  name: Name | null
  /** What is told of it; 0: allowed. */
  errorCode: number
  /** Found when judging again, and made true when the request is committed. */
  nextCode = 0
  /** Its partitions as the client asked for them last: index -> the element as it stood on the wire. */
  params = NO_PARAMS
  /** The broker holds its partitions for this session (or was asked for them). */
  sent: boolean
  /** No response to a later request may still bring it. */
  lastSent: number

  constructor(wireKey: Buffer, prefixBytes: number, hash: number, name: Name | null, errorCode: number) {
    this.wireKey = wireKey
    this.prefixBytes = prefixBytes
    this.hash = hash
    this.name = name
    this.errorCode = errorCode
    this.nextCode = errorCode
    this.sent = errorCode === 0
    this.lastSent = this.sent ? FOREVER : -1
  }

  get partitions(): Iterable<number> {
    return this.params.keys()
  }

  /** Keeps what the client asked of one partition. Returns how many partitions came in. */
  put(index: number, bytes: Buffer, start: number, end: number): number {
    if (this.params === NO_PARAMS) this.params = new Map()
    const known = this.params.get(index)
    if (known !== undefined && known.length === end - start) {
      bytes.copy(known, 0, start, end)
      return 0
    }
    this.params.set(index, Buffer.from(bytes.subarray(start, end)))
    return known === undefined ? 1 : 0
  }

  send(): void {
    this.sent = true
    this.lastSent = FOREVER
  }

  /** @param request number of the last request whose response may bring it */
  unsend(request: number): void {
    this.sent = false
    this.lastSent = request
  }
}

/** Topics by their key's bytes. */
export class TopicTable {
  readonly topics: FetchTopic[] = []
  #buckets: Map<number, FetchTopic[]> | null = null
  #lastFound: FetchTopic | null = null

  /** The topic whose name or id lies in `bytes` from `start` to `end`. */
  find(bytes: Buffer, start: number, end: number): FetchTopic | null {
    const last = this.#lastFound
    if (last !== null && same(last, bytes, start, end)) return last
    const among = this.#buckets === null ? this.topics : this.#buckets.get(hashOf(bytes, start, end))
    if (among !== undefined) for (const topic of among) if (same(topic, bytes, start, end)) return (this.#lastFound = topic)
    return null
  }

  /** @param keyAt where the key begins, with its length */
  add(bytes: Buffer, keyAt: number, start: number, end: number, name: Name | null, errorCode: number): FetchTopic {
    const key = Buffer.from(bytes.subarray(keyAt, end))
    const topic = new FetchTopic(key, start - keyAt, hashOf(bytes, start, end), name, errorCode)
    this.topics.push(topic)
    if (this.#buckets !== null) this.#bucket(topic)
    else if (this.topics.length > HASHED_FROM) {
      this.#buckets = new Map()
      for (const t of this.topics) this.#bucket(t)
    }
    return topic
  }

  removeWhere(isGone: (topic: FetchTopic) => boolean): void {
    let kept = 0
    for (const topic of this.topics) {
      if (!isGone(topic)) this.topics[kept++] = topic
      else if (this.#buckets !== null) {
        const bucket = this.#buckets.get(topic.hash)!
        bucket.splice(bucket.indexOf(topic), 1)
        if (bucket.length === 0) this.#buckets.delete(topic.hash)
      }
    }
    this.topics.length = kept
    this.#lastFound = null
  }

  #bucket(topic: FetchTopic): void {
    const bucket = this.#buckets!.get(topic.hash)
    if (bucket === undefined) this.#buckets!.set(topic.hash, [topic])
    else bucket.push(topic)
  }
}

/** What turned when verdicts were looked at again. */
export interface Changes {
  readonly allowed: readonly FetchTopic[]
  readonly refused: readonly FetchTopic[]
}

/** A fetch session as the broker keeps it for this client, and what the client believes it holds. */
export class FetchSession {
  readonly id: number
  readonly apiVersion: number
  readonly table: TopicTable
  /** The epoch that the client's next request must name. */
  epoch = 1
  /** Requests forwarded in it; the one that made it is 0. */
  requests = 0
  /** Responses seen. */
  answered = 0
  partitions = 0
  /** Topics that are told an error in every response. */
  stopped = 0
  /** Topics whose code must be looked at again in every request: not decided, or an id that nobody knew. */
  open = 0
  /** Some topic has no partitions any more. */
  emptied = false
  /** The error entries for every response, or null: to be written. */
  grafts: { readonly bytes: Buffer; readonly topics: number } | null = null
  #rights: Rights | null = null
  #epoch = -1

  constructor(id: number, apiVersion: number, table: TopicTable) {
    this.id = id
    this.apiVersion = apiVersion
    this.table = table
    for (const topic of table.topics) this.partitions += topic.params.size
  }

  /** Every verdict in the table still holds. */
  isCurrent(rights: Rights): boolean {
    return this.open === 0 && this.#rights === rights && this.#epoch === rights.epoch
  }

  judgedBy(rights: Rights, epoch: number): void {
    this.#rights = rights
    this.#epoch = epoch
  }

  /** Makes the verdicts found anew true: what is refused now leaves the broker's session, what is allowed now joins it. */
  turn(request: number): Changes {
    const allowed: FetchTopic[] = []
    const refused: FetchTopic[] = []
    for (const topic of this.table.topics) {
      if (topic.params.size === 0 || topic.nextCode === topic.errorCode) continue
      topic.errorCode = topic.nextCode
      this.grafts = null
      if (topic.errorCode === 0) {
        topic.send()
        allowed.push(topic)
      } else if (topic.sent) {
        topic.unsend(request - 1)
        refused.push(topic)
      }
    }
    return { allowed, refused }
  }

  /** Kafka's FetchMetadata.nextEpoch. */
  advance(): void {
    this.requests++
    this.epoch = this.epoch === 0x7fffffff ? 1 : this.epoch + 1
  }

  /** Response number `request` has been passed on: topics that only older ones could bring are dropped. */
  passed(request: number): void {
    this.answered = request
    if (!this.emptied) return
    this.emptied = false
    this.table.removeWhere(topic => {
      if (topic.params.size > 0) return false
      if (topic.lastSent <= request) return true
      this.emptied = true
      return false
    })
  }
}

/** Not to be known from outside: keys that are made to meet in one bucket would slow every look-up down. */
const SEED = randomInt(2 ** 32)
const SPREAD = randomInt(2 ** 31) * 2 + 1

function hashOf(bytes: Buffer, start: number, end: number): number {
  let hash = SEED
  for (let i = start; i < end; i++) {
    hash = Math.imul(hash ^ bytes[i]!, SPREAD)
    hash ^= hash >>> 15
  }
  return hash
}

function same({ wireKey, prefixBytes }: FetchTopic, bytes: Buffer, start: number, end: number): boolean {
  if (wireKey.length - prefixBytes !== end - start) return false
  for (let i = prefixBytes, j = start; j < end; i++, j++) if (wireKey[i] !== bytes[j]) return false
  return true
}
