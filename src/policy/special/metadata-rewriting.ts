// One Metadata response in the making: which byte ranges of the broker's stay, and what is put between them.

import { resize } from '../../protocol/header.ts'
import { Broker, type MetadataWalk } from '../../protocol/metadata-walk.ts'
import { countBytes } from '../../protocol/splice.ts'
import { LEADER_NOT_AVAILABLE, OPERATIONS_OMITTED } from '../answers.ts'
import { Operation } from '../authorizer.ts'
import type { Edition } from '../edition.ts'
import type { Name } from '../names.ts'
import type { Caller } from '../outcome.ts'

/** Topics that lie side by side and stay. */
interface Run {
  readonly frame: Buffer
  readonly start: number
  end: number
}
const NO_ID = Buffer.alloc(16)

export class Rewriting {
  /** Some verdict is not known. */
  unknown = false
  /** And will not be. */
  undecided = false
  readonly hidden: Name[] = []
  readonly #edition: Edition
  readonly #caller: Caller
  readonly #runs: Run[] = []
  #run: Run | null = null
  readonly #grafts: Buffer[] = []
  readonly #notes: [Name, number, Operation][] = []
  #kept = 0

  /** @param told names that the broker was not asked about, and what is told of them */
  constructor(edition: Edition, told: readonly (readonly [Name, number])[], caller: Caller) {
    this.#edition = edition
    this.#caller = caller
    for (const [name, errorCode] of told) this.#grafts.push(this.#entry(name, null, errorCode))
  }

  keep(frame: Buffer, start: number, end: number): void {
    this.#kept++
    const run = this.#run
    if (run !== null && run.end === start && run.frame === frame) run.end = end
    else this.#runs.push((this.#run = { frame, start, end }))
  }

  /** @param id what it was asked for by; null: by its name */
  refuse(name: Name, id: Buffer | null, errorCode: number, operation: Operation): void {
    this.#grafts.push(this.#entry(name, id, errorCode))
    this.note(name, errorCode, operation)
  }

  /** Something that is refused or undecided, to be told by `tell`. */
  note(name: Name, errorCode: number, operation: Operation): void {
    this.#notes.push([name, errorCode, operation])
  }

  tell(): void {
    for (const name of this.hidden) this.#caller.hidden(Operation.Describe, name)
    for (const [name, errorCode, operation] of this.#notes) {
      if (errorCode === LEADER_NOT_AVAILABLE) this.#caller.undecided(operation, name)
      else this.#caller.refused(operation, name, errorCode)
    }
  }

  /** The response; everything but its topics comes from `first`. */
  frame(first: Buffer, walk: MetadataWalk): Buffer {
    const pieces: Buffer[] = [first.subarray(0, walk.brokersCountStart), ...this.#brokers(first, walk)]
    pieces.push(first.subarray(walk.brokersEnd, walk.topicsCountStart))
    pieces.push(countBytes(this.#kept + this.#grafts.length, this.#edition.flexible))
    for (const { frame, start, end } of this.#runs) pieces.push(frame.subarray(start, end))
    for (const graft of this.#grafts) pieces.push(graft)
    pieces.push(first.subarray(walk.topicsEnd))
    return resize(Buffer.concat(pieces))
  }

  /** The list with our addresses; a node that has none here is left out. */
  #brokers(frame: Buffer, { brokers, brokerCount }: MetadataWalk): Buffer[] {
    const { flexible } = this.#edition
    const list: Buffer[] = []
    let count = 0
    for (let row = 0; row < brokerCount * Broker.Columns; row += Broker.Columns) {
      const address = this.#caller.addresses.get(brokers[row + Broker.NodeId]!)
      if (address === undefined) continue
      count++
      const start = brokers[row + Broker.Start]!
      const host = Buffer.from(address.host)
      const port = Buffer.alloc(4)
      port.writeInt32BE(address.port)
      const rest = frame.subarray(brokers[row + Broker.HostEnd]! + 4, brokers[row + Broker.End]!)
      list.push(frame.subarray(start, start + 4), lengthOf(host, flexible), host, port, rest)
    }
    return [countBytes(count, flexible), ...list]
  }

  /** A topic that is only an error: errorCode, name, topicId, isInternal, no partitions, operations not asked for. */
  #entry(name: Name, id: Buffer | null, errorCode: number): Buffer {
    const { flexible, version } = this.#edition
    const code = Buffer.alloc(2)
    code.writeInt16BE(errorCode)
    const pieces: Buffer[] = [code]
    if (id !== null)
      pieces.push(Buffer.of(0), id) // the name is null
    else {
      pieces.push(lengthOf(name.bytes, flexible), name.bytes)
      if (version >= 10) pieces.push(NO_ID)
    }
    if (version >= 1) pieces.push(Buffer.of(0))
    pieces.push(countBytes(0, flexible))
    if (version >= 8) pieces.push(OMITTED)
    if (flexible) pieces.push(Buffer.of(0))
    return Buffer.concat(pieces)
  }
}
const OMITTED = Buffer.alloc(4)
OMITTED.writeInt32BE(OPERATIONS_OMITTED)

/** A string's length: int16, or uvarint of one more. */
const lengthOf = (text: Buffer, flexible: boolean): Buffer => countBytes(text.length, flexible).subarray(flexible ? 0 : 2)
