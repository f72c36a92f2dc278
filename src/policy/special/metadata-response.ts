// The broker's response to Metadata: our addresses in place of the brokers', hidden topics cut, refused ones put in; the rest is copied.

import { responseBodyAt } from '../../protocol/header.ts'
import { Broker, MetadataWalk, Topic } from '../../protocol/metadata-walk.ts'
import type { Layout } from '../../protocol/schema.ts'
import { i16, i32, MalformedError } from '../../protocol/wire.ts'
import { LEADER_NOT_AVAILABLE, OPERATIONS_OMITTED, TOPIC_AUTHORIZATION_FAILED, UNKNOWN_TOPIC_OR_PARTITION } from '../answers.ts'
import { Operation, Resource, Verdict } from '../authorizer.ts'
import type { Edition } from '../edition.ts'
import { clusterName, isZeroId } from '../judging.ts'
import type { Name } from '../names.ts'
import { type Caller, type ResponseEdit, UndecidedError } from '../outcome.ts'
import { Rewriting } from './metadata-rewriting.ts'

const INVALID_TOPIC_EXCEPTION = 17

/** How the request named its topics. */
export type Asked = 'all' | 'names' | 'ids'

export class MetadataEdit implements ResponseEdit {
  readonly frames: 1 | 2
  readonly #edition: Edition
  readonly #clientEdition: Edition
  readonly #caller: Caller
  readonly #asked: Asked
  readonly #told: readonly (readonly [Name, number])[]
  readonly #lacking: ReadonlyMap<Name, number>

  /**
   * @param edition of the request that the broker got, and so of its response
   * @param told names that the broker was not asked about, and what is told of them
   * @param lacking names that may not be created by asking, and what is told of them if they are not there
   */
  constructor(
    edition: Edition,
    clientEdition: Edition,
    caller: Caller,
    asked: Asked,
    told: readonly (readonly [Name, number])[],
    lacking: ReadonlyMap<Name, number>,
    frames: 1 | 2,
  ) {
    this.#edition = edition
    this.#clientEdition = clientEdition
    this.#caller = caller
    this.#asked = asked
    this.#told = told
    this.#lacking = lacking
    this.frames = frames
  }

  whole(frames: readonly Buffer[]): Buffer | Promise<Buffer> {
    const { addresses, rights } = this.#caller
    const walks = this.#read(frames)
    const learning = this.#unknownNodes(frames[0]!, walks[0]!)
    if (learning.length === 0) {
      const rewritten = this.#rewrite(frames, walks, false)
      if (rewritten !== null) return rewritten
    }
    const kept = frames.map(frame => Buffer.from(frame))
    return Promise.all(learning.map(n => addresses.learn(n.nodeId, n.host, n.port))).then(
      () => this.#rewrite(kept, this.#read(kept), false) ?? rights.settle().then(() => this.#rewrite(kept, this.#read(kept), true)!),
    )
  }

  /** Walks serve all responses of a version: what they hold is good until the next call. */
  #read(frames: readonly Buffer[]): readonly MetadataWalk[] {
    const { version, flexible } = this.#edition
    const walks = walksOf(version)
    for (let i = 0; i < frames.length; i++) {
      const frame = frames[i]!
      const end = walks[i]!.read(frame, responseBodyAt(frame, 3, flexible))
      if (end !== frame.length) throw new MalformedError('Metadata response does not end with its frame', end)
    }
    return walks
  }

  stream(): null {
    return null
  }

  #unknownNodes(frame: Buffer, walk: MetadataWalk): { nodeId: number; host: string; port: number }[] {
    const unknown = []
    for (let k = 0; k < walk.brokerCount; k++) {
      const row = k * Broker.Columns
      const nodeId = walk.brokers[row + Broker.NodeId]!
      if (this.#caller.addresses.get(nodeId) !== undefined) continue
      const host = frame.toString('utf8', walk.brokers[row + Broker.HostStart]!, walk.brokers[row + Broker.HostEnd]!)
      unknown.push({ nodeId, host, port: walk.port(frame, k) })
    }
    return unknown
  }

  /** null: some verdict is not known yet, and `last` is not set. Numbers are changed in place; doing it twice does no harm. */
  #rewrite(frames: readonly Buffer[], walks: readonly MetadataWalk[], last: boolean): Buffer | null {
    const out = new Rewriting(this.#edition, this.#told, this.#caller)
    const lacking = this.#current()
    for (let i = 0; i < frames.length; i++) {
      const frame = frames[i]!
      const { topics, topicCount } = walks[i]!
      for (let t = 0, row = 0; t < topicCount; t++, row += Topic.Columns) {
        if (this.#topic(frame, topics, row, lacking, out, last)) out.keep(frame, topics[row + Topic.Start]!, topics[row + Topic.End]!)
      }
    }
    if (!this.#clusterOperations(frames[0]!, walks[0]!.clusterOperationsAt, last)) out.unknown = true
    if (out.unknown && !last) return null
    if (out.undecided && this.#asked === 'all') throw new UndecidedError('Metadata of all topics')
    out.tell()
    const frame = out.frame(frames[0]!, walks[0]!)
    return this.#edition === this.#clientEdition ? frame : this.#translate(frame)
  }

  /** Whether one topic stays; `row` is its place among the walk's columns. */
  #topic(frame: Buffer, topics: Int32Array, row: number, lacking: ReadonlyMap<Name, number>, out: Rewriting, last: boolean): boolean {
    const nameStart = topics[row + Topic.NameStart]!
    if (nameStart < 0) return true // an id that nobody knows
    const { names, rights } = this.#caller
    const name = names.of(Resource.Topic, frame, nameStart, topics[row + Topic.NameEnd]!)
    const idAt = topics[row + Topic.IdAt]!
    const verdict = rights.check(Operation.Describe, name)
    if (verdict === Verdict.Allowed) {
      const codeAt = topics[row + Topic.Start]!
      const operationsAt = topics[row + Topic.OperationsAt]!
      if (idAt >= 0) this.#learn(frame, codeAt, idAt, name)
      if (lacking.size > 0 && this.#lacks(frame, codeAt, operationsAt, name, lacking, out)) return true
      if (operationsAt < 0 || this.#operations(frame, operationsAt, name)) return true
    } else if (verdict === Verdict.Refused) {
      if (this.#asked === 'all') out.hidden.push(name)
      else out.refuse(name, this.#idFor(frame, idAt), TOPIC_AUTHORIZATION_FAILED, Operation.Describe)
      return false
    }
    out.unknown = true
    if (last) {
      out.undecided = true
      if (this.#asked !== 'all') out.refuse(name, this.#idFor(frame, idAt), LEADER_NOT_AVAILABLE, Operation.Describe)
    }
    return false
  }

  /** Asked for by id, a topic is told of by its id; else only by its name. */
  #idFor(frame: Buffer, idAt: number): Buffer | null {
    return this.#asked === 'ids' ? Buffer.from(frame.subarray(idAt, idAt + 16)) : null
  }

  /** A topic that is not there, and that asking would have made a broker create, had the client the right to it. */
  #lacks(frame: Buffer, codeAt: number, operationsAt: number, name: Name, lacking: ReadonlyMap<Name, number>, out: Rewriting): boolean {
    const code = lacking.get(name)
    if (code === undefined) return false
    const theirs = i16(frame, codeAt)
    if (theirs !== UNKNOWN_TOPIC_OR_PARTITION && theirs !== INVALID_TOPIC_EXCEPTION && theirs !== code) return false
    frame.writeInt16BE(code, codeAt)
    if (operationsAt >= 0) frame.writeInt32BE(OPERATIONS_OMITTED, operationsAt)
    out.note(name, code, Operation.Create)
    return true
  }

  /** KIP-430: what the broker's open door allows, and the caller may do. False: not known yet. */
  #operations(frame: Buffer, at: number, name: Name): boolean {
    const theirs = i32(frame, at)
    if (theirs === OPERATIONS_OMITTED) return true
    const ours = this.#caller.rights.operations(name)
    if (ours === -1) return false
    frame.writeInt32BE(theirs & ours, at)
    return true
  }

  #clusterOperations(frame: Buffer, at: number, last: boolean): boolean {
    if (at < 0 || i32(frame, at) === OPERATIONS_OMITTED) return true
    const name = clusterName(this.#caller)
    const verdict = this.#caller.rights.check(Operation.Describe, name)
    if (verdict === Verdict.Allowed && this.#operations(frame, at, name)) return true
    if (verdict === Verdict.Refused || last) frame.writeInt32BE(0, at)
    return verdict === Verdict.Refused
  }

  #learn(frame: Buffer, codeAt: number, at: number, name: Name): void {
    if (i16(frame, codeAt) !== 0) return
    const { cluster } = this.#caller
    const known = cluster.idOf(name)
    if ((known !== null && sameId(known, frame, at)) || isZeroId(frame, at)) return
    cluster.learned(Buffer.from(frame.subarray(at, at + 16)), name)
  }

  #current(): ReadonlyMap<Name, number> {
    if (this.#lacking.size === 0) return this.#lacking
    return new Map([...this.#lacking].map(([name, code]) => [this.#caller.names.current(name), code]))
  }

  /** The broker was asked in a newer version than the client speaks: the same fields, without those that the client's version has not. */
  #translate(frame: Buffer): Buffer {
    return this.#clientEdition.withBody(frame, narrowed(this.#edition.decodeResponse(frame), this.#clientEdition.response))
  }
}

function narrowed(value: Record<string, unknown>, to: Layout): Record<string, unknown> {
  const fields = to.slots.map(slot => {
    const field = value[slot.name]
    const inner = slot.type === 'list' && slot.of !== null && 'slots' in slot.of ? slot.of : null
    return [slot.name, inner === null ? field : (field as Record<string, unknown>[]).map(element => narrowed(element, inner))]
  })
  return Object.fromEntries(fields)
}

const sameId = (id: Buffer, b: Buffer, at: number): boolean =>
  i32(id, 12) === i32(b, at + 12) && i32(id, 8) === i32(b, at + 8) && i32(id, 4) === i32(b, at + 4) && i32(id, 0) === i32(b, at)

const walksByVersion = new Map<number, readonly MetadataWalk[]>()
/** One for each frame that a response may have. */
function walksOf(version: number): readonly MetadataWalk[] {
  let walks = walksByVersion.get(version)
  if (walks === undefined) walksByVersion.set(version, (walks = [new MetadataWalk(version), new MetadataWalk(version)]))
  return walks
}
