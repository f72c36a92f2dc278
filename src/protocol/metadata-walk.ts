// The Metadata response, walked by hand: with 10 000 partitions the closures take too long. Tested equal to them.

import { mustBeUtf8 } from './walk.ts'
import { type Counted, i16, i32, lengthAt, malformed, pastEnd, size, skipTags } from './wire.ts'

const lengths = (name: string, compact: boolean, prefix: 2 | 4, nullable: boolean): Counted => ({
  name,
  compact,
  prefix,
  nullable,
  max: prefix === 2 ? 32767 : 0x7fffffff,
})

/** Columns of a broker: five numbers each in `brokers`. Offsets into the bytes that were read. */
export const Broker = { Start: 0, End: 1, NodeId: 2, HostStart: 3, HostEnd: 4, Columns: 5 } as const

/** Columns of a topic in `topics`. */
export const Topic = {
  Start: 0,
  /** Where the next topic begins. */
  End: 1,
  /** -1 when the name is null. */
  NameStart: 2,
  NameEnd: 3,
  /** 16 bytes, -1 before version 10. */
  IdAt: 4,
  /** topicAuthorizedOperations, 4 bytes, -1 before version 8. */
  OperationsAt: 5,
  Columns: 6,
} as const

/** One version of the Metadata response; an object is read into again and again, and keeps what was read last. */
export class MetadataWalk {
  readonly version: number
  /** Spans of the two lists' counts; the brokers end where `brokersEnd` says. */
  brokersCountStart = 0
  brokersCountEnd = 0
  brokersEnd = 0
  brokerCount = 0
  brokers = new Int32Array(16 * Broker.Columns)
  /** -1 when null, or before version 2. */
  clusterIdStart = -1
  clusterIdEnd = -1
  /** -1 before version 1. */
  controllerIdAt = -1
  topicsCountStart = 0
  topicsCountEnd = 0
  topicsEnd = 0
  topicCount = 0
  topics = new Int32Array(256 * Topic.Columns)
  /** clusterAuthorizedOperations, versions 8 to 10; else -1. */
  clusterOperationsAt = -1
  /** The message's own error, from version 13; else 0. */
  errorCode = 0
  readonly #flexible: boolean
  readonly #host: Counted
  readonly #rack: Counted
  readonly #list: Counted
  readonly #name: Counted
  readonly #partitionBytes: number

  /** @throws {TypeError} no such version */
  constructor(version: number) {
    if (version < 0 || version > 13) throw new TypeError(`Metadata has no version ${version}`)
    this.version = version
    this.#flexible = version >= 9
    this.#host = lengths('host', this.#flexible, 2, false)
    this.#rack = lengths('rack', this.#flexible, 2, true)
    this.#list = lengths('list', this.#flexible, 4, false)
    this.#name = lengths('topics.name', this.#flexible, 2, version >= 12)
    // errorCode, partitionIndex, leaderId, and leaderEpoch from version 7
    this.#partitionBytes = version >= 7 ? 14 : 10
  }

  /** Reads the body that begins at p; returns where it ends. @throws {MalformedError} */
  read(b: Buffer, p: number): number {
    const v = this.version
    if (v >= 3) p += 4 // throttleTimeMs
    p = this.#readBrokers(b, p)
    this.clusterIdStart = -1
    this.clusterIdEnd = -1
    if (v >= 2) {
      const n = lengthAt(b, p, this.#rack)
      p += size
      if (n >= 0) {
        this.clusterIdStart = p
        p += n
        this.clusterIdEnd = p
        mustBeUtf8(b, this.clusterIdStart, p, 'clusterId')
      }
    }
    this.controllerIdAt = v >= 1 ? p : -1
    if (v >= 1) p += 4
    p = this.#readTopics(b, p)
    this.clusterOperationsAt = -1
    if (v >= 8 && v <= 10) {
      this.clusterOperationsAt = p
      p += 4
    }
    this.errorCode = 0
    if (v >= 13) {
      if (p + 2 > b.length) pastEnd('errorCode', p)
      this.errorCode = i16(b, p)
      p += 2
    }
    if (this.#flexible) p = skipTags(b, p)
    if (p > b.length) pastEnd('Metadata response', p)
    return p
  }

  /** Error code of topic `i`. */
  topicError(b: Buffer, i: number): number {
    return i16(b, this.topics[i * Topic.Columns + Topic.Start]!)
  }

  /** Port of broker `i`. */
  port(b: Buffer, i: number): number {
    return i32(b, this.brokers[i * Broker.Columns + Broker.HostEnd]!)
  }

  #readBrokers(b: Buffer, p: number): number {
    const n = lengthAt(b, p, this.#list)
    this.brokersCountStart = p
    p += size
    this.brokersCountEnd = p
    this.brokerCount = n
    if (n * Broker.Columns > this.brokers.length) this.brokers = new Int32Array(n * Broker.Columns * 2)
    const columns = this.brokers
    for (let i = 0, row = 0; i < n; i++, row += Broker.Columns) {
      columns[row + Broker.Start] = p
      if (p + 4 > b.length) pastEnd('nodeId', p)
      columns[row + Broker.NodeId] = i32(b, p)
      p += 4
      const host = lengthAt(b, p, this.#host)
      p += size
      mustBeUtf8(b, p, p + host, 'host')
      columns[row + Broker.HostStart] = p
      p += host
      columns[row + Broker.HostEnd] = p
      p += 4 // port
      if (p > b.length) pastEnd('port', p)
      if (this.version >= 1) {
        const rack = lengthAt(b, p, this.#rack)
        p += rack > 0 ? size + rack : size
      }
      if (this.#flexible) p = skipTags(b, p)
      columns[row + Broker.End] = p
    }
    this.brokersEnd = p
    return p
  }

  #readTopics(b: Buffer, p: number): number {
    const n = lengthAt(b, p, this.#list)
    this.topicsCountStart = p
    p += size
    this.topicsCountEnd = p
    this.topicCount = n
    if (n * Topic.Columns > this.topics.length) this.topics = new Int32Array(n * Topic.Columns * 2)
    for (let i = 0; i < n; i++) p = this.#readTopic(b, p, i * Topic.Columns)
    this.topicsEnd = p
    return p
  }

  #readTopic(b: Buffer, p: number, row: number): number {
    const v = this.version
    const columns = this.topics
    columns[row + Topic.Start] = p
    p += 2 // errorCode
    const name = lengthAt(b, p, this.#name)
    p += size
    columns[row + Topic.NameStart] = name < 0 ? -1 : p
    columns[row + Topic.NameEnd] = name < 0 ? -1 : p + name
    if (name > 0) {
      mustBeUtf8(b, p, p + name, 'topics.name')
      p += name
    }
    columns[row + Topic.IdAt] = v >= 10 ? p : -1
    if (v >= 10) p += 16
    if (v >= 1) p++ // isInternal
    p = this.#flexible ? this.#compactPartitions(b, p) : this.#partitions(b, p)
    columns[row + Topic.OperationsAt] = v >= 8 ? p : -1
    if (v >= 8) p += 4
    if (this.#flexible) p = skipTags(b, p)
    if (p > b.length) pastEnd('topic', p)
    columns[row + Topic.End] = p
    return p
  }

  #compactPartitions(b: Buffer, p: number): number {
    const length = b.length
    let n = lengthAt(b, p, this.#list)
    p += size
    for (; n > 0; n--) {
      p += 14
      // replicaNodes, isrNodes, offlineReplicas: their counts are nearly always one byte.
      for (let list = 0; list < 3; list++) {
        const x = p < length ? b[p]! : 0
        if (x === 0 || x > 127) p = this.#nodes(b, p)
        else p += 4 * x - 3
        if (p > length) pastEnd('replicas', p)
      }
      p = p < length && b[p] === 0 ? p + 1 : skipTags(b, p)
    }
    return p
  }

  #partitions(b: Buffer, p: number): number {
    const length = b.length
    const lists = this.version >= 5 ? 3 : 2
    const bytes = this.#partitionBytes
    let n = lengthAt(b, p, this.#list)
    p += size
    for (; n > 0; n--) {
      p += bytes
      for (let list = 0; list < lists; list++) {
        if (p + 4 > length) pastEnd('replicas', p)
        if (b[p] === 0 && b[p + 1] === 0 && b[p + 2] === 0) p += 4 + 4 * b[p + 3]!
        else p = this.#nodes(b, p)
        if (p > length) pastEnd('replicas', p)
      }
    }
    return p
  }

  #nodes(b: Buffer, p: number): number {
    const n = lengthAt(b, p, this.#list)
    const end = p + size + 4 * n
    if (end > b.length) malformed(`${n} nodes cannot fit`, p)
    return end
  }
}
