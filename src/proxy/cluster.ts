// What one worker knows of the cluster: topic ids and names, looked up by bytes; filled from main and from relayed responses.

import { randomInt } from 'node:crypto'
import { Resource } from '../policy/authorizer.ts'
import { isTopicName, type Name, type Names } from '../policy/names.ts'
import type { ClusterView } from '../policy/outcome.ts'
import { i32 } from '../protocol/wire.ts'
import type { NamedTopics, TopicFacts } from './cluster-state.ts'

/** How long "no such id" is believed, and what was said of a name. */
const BELIEVED_MS = 1000
/** Ids, and names, that wait to be asked: more than that at once stay undecided. */
const MAX_WANTED = 10_000
/** What is kept of names: what a request of many names learns in one round must still be there after the next. */
const MAX_NAMED = 4 * MAX_WANTED

export interface ClusterOptions {
  readonly names: Names
  readonly maxIds?: number
  topicsOf(ids: readonly string[]): Promise<TopicFacts>
  topicsNamed(names: readonly string[]): Promise<NamedTopics>
  /** Topics are being made or deleted: whoever keeps the list should look. */
  topicsMoved?(): void
  now?(): number
}

/** Topic ids are random numbers, so four of their bytes are a hash; a seed keeps clients from choosing collisions. */
export class Cluster implements ClusterView {
  clusterId: string | null = null
  /** Brokers that make no topic when one is asked for. */
  autoCreateOff: ReadonlySet<number> = new Set()
  readonly #options: ClusterOptions
  readonly #seed = randomInt(1, 2 ** 31)
  readonly #maxIds: number
  #ids = Buffer.alloc(256 * 16)
  /** By entry; null: it was deleted, and its id is as good as any that no topic has. */
  #topics: (Name | null)[] = new Array(256).fill(null)
  #slots = new Int32Array(512).fill(-1)
  #size = 0
  /** Entry of each topic by its name's slot, for names of one generation. */
  #bySlot: number[] = []
  #generation = -1
  topicsEpoch = 0
  #movedIsTold = false
  readonly #absentUntil = new Map<string, number>()
  readonly #wanted = new Set<string>()
  readonly #named = new Map<string, { readonly there: boolean; readonly untilMs: number }>()
  readonly #wantedNames = new Set<string>()
  #gathering: Promise<void> | null = null

  constructor(options: ClusterOptions) {
    this.#options = options
    this.#maxIds = options.maxIds ?? 1 << 20
  }

  topicOf(bytes: Uint8Array, at: number): Name | null | undefined {
    const entry = this.#find(bytes as Buffer, at)
    const name = entry < 0 ? null : this.#currentName(entry)
    if (name !== null) return name
    const id = Buffer.prototype.toString.call(bytes, 'hex', at, at + 16)
    const until = this.#absentUntil.get(id)
    if (until !== undefined) {
      if (this.#nowMs < until) return null
      this.#absentUntil.delete(id)
    }
    if (this.#wanted.size < MAX_WANTED) this.#wanted.add(id)
    return undefined
  }

  get #nowMs(): number {
    return this.#options.now?.() ?? performance.now()
  }

  /** Together with all that the same read has brought. Whatever others want later keeps nobody waiting. */
  learn(): Promise<void> {
    return (this.#gathering ??= Promise.resolve().then(() => {
      this.#gathering = null
      return this.#learnWanted()
    }))
  }

  idOf(name: Name): Buffer | null {
    const entry = this.#entryOf(name)
    return entry === undefined ? null : Buffer.from(this.#ids.subarray(entry * 16, entry * 16 + 16))
  }

  /** The newest topic of this name, if it is there. */
  #entryOf(name: Name): number | undefined {
    const { names } = this.#options
    if (this.#generation !== names.generation) this.#indexNames()
    const current = names.current(name)
    // Looking a name up may have emptied the table of names.
    if (this.#generation !== names.generation) this.#indexNames()
    const entry = this.#bySlot[current.slot]
    return entry === undefined || this.#topics[entry] === null ? undefined : entry
  }

  autoCreates(nodeId: number): boolean {
    return !this.autoCreateOff.has(nodeId)
  }

  /** Once for all that one turn of the loop brings. */
  topicsMoved(): void {
    if (this.#movedIsTold) return
    this.#movedIsTold = true
    this.#options.topicsMoved?.()
    setImmediate(() => {
      this.#movedIsTold = false
    })
  }

  topicNames(): readonly Name[] {
    const names = new Set<Name>()
    for (let entry = 0; entry < this.#size; entry++) {
      const name = this.#currentName(entry)
      if (name !== null) names.add(name)
    }
    return [...names]
  }

  hasTopic(name: Name, wants = true): boolean | undefined {
    if (this.#entryOf(name) !== undefined) return true
    if (!isTopicName(name.text)) return false
    const said = this.#named.get(name.text)
    if (said !== undefined && this.#nowMs < said.untilMs) return said.there
    if (wants && this.#wantedNames.size < MAX_WANTED) this.#wantedNames.add(name.text)
    return undefined
  }

  /** By a response: of a broker that may not know yet that a topic is deleted. */
  learned(id: Buffer, name: Name): void {
    if (this.#find(id, 0) >= 0) return
    this.topicsMoved()
    this.#insert(id, 0, name)
  }

  /** Takes in what main has learnt. */
  learnFacts(facts: TopicFacts): void {
    const now = this.#nowMs
    for (const [hex, text] of facts) {
      if (text === null) {
        if (this.#absentUntil.size >= MAX_WANTED) this.#absentUntil.clear()
        this.#absentUntil.set(hex, now + BELIEVED_MS)
        const entry = this.#find(Buffer.from(hex, 'hex'), 0)
        if (entry >= 0 && this.#topics[entry] !== null) {
          this.#topics[entry] = null
          this.topicsEpoch++
        }
      } else {
        this.#absentUntil.delete(hex)
        const id = Buffer.from(hex, 'hex')
        const name = this.#options.names.text(Resource.Topic, text)
        const entry = this.#find(id, 0)
        if (entry < 0) this.#insert(id, 0, name)
        else if (this.#topics[entry] === null) this.#revive(entry, name)
      }
    }
  }

  /** Whoever said that it was gone had not learnt of it yet. */
  #revive(entry: number, name: Name): void {
    this.#topics[entry] = name
    this.topicsEpoch++
    if (this.#entryOf(name) === undefined) this.#bySlot[this.#options.names.current(name).slot] = entry
  }

  async #learnWanted(): Promise<void> {
    const [ids, names] = [[...this.#wanted], [...this.#wantedNames]]
    this.#wanted.clear()
    this.#wantedNames.clear()
    try {
      const [facts, named] = await Promise.all([
        ids.length > 0 ? this.#options.topicsOf(ids) : [],
        names.length > 0 ? this.#options.topicsNamed(names) : [],
      ])
      this.learnFacts(facts)
      this.#learnNamed(named)
    } catch {
      // What got no answer stays unknown.
    }
  }

  /** The oldest stand first: those that are over go, and some more when there are too many. */
  #learnNamed(named: NamedTopics): void {
    const nowMs = this.#nowMs
    for (const [name, there] of named) {
      this.#named.delete(name)
      this.#named.set(name, { there, untilMs: nowMs + BELIEVED_MS })
    }
    for (const [name, { untilMs }] of this.#named) {
      if (untilMs > nowMs && this.#named.size <= MAX_NAMED) return
      this.#named.delete(name)
    }
  }

  #hash(bytes: Buffer, at: number): number {
    const h = Math.imul(i32(bytes, at) ^ this.#seed, 0x9e3779b1) ^ Math.imul(i32(bytes, at + 8) ^ i32(bytes, at + 12), 0x85ebca6b)
    return (h ^ (h >>> 15)) >>> 0
  }

  #find(bytes: Buffer, at: number): number {
    const mask = this.#slots.length - 1
    for (let slot = this.#hash(bytes, at) & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot]!
      if (entry < 0 || this.#same(entry, bytes, at)) return entry
    }
  }

  #same(entry: number, bytes: Buffer, at: number): boolean {
    const ids = this.#ids
    const p = entry * 16
    return (
      i32(ids, p) === i32(bytes, at) &&
      i32(ids, p + 4) === i32(bytes, at + 4) &&
      i32(ids, p + 8) === i32(bytes, at + 8) &&
      i32(ids, p + 12) === i32(bytes, at + 12)
    )
  }

  #currentName(entry: number): Name | null {
    const name = this.#topics[entry]!
    if (name === null || name.generation === this.#options.names.generation) return name
    return (this.#topics[entry] = this.#options.names.current(name))
  }

  #insert(id: Buffer, at: number, name: Name): void {
    if (this.#size >= this.#maxIds) this.#empty()
    if (this.#size * 2 >= this.#slots.length || this.#size * 16 >= this.#ids.length) this.#grow()
    const entry = this.#size++
    this.topicsEpoch++
    id.copy(this.#ids, entry * 16, at, at + 16)
    this.#topics[entry] = name
    this.#place(entry)
    if (this.#generation === this.#options.names.generation) this.#bySlot[this.#options.names.current(name).slot] = entry
  }

  #place(entry: number): void {
    const mask = this.#slots.length - 1
    let slot = this.#hash(this.#ids, entry * 16) & mask
    while (this.#slots[slot]! >= 0) slot = (slot + 1) & mask
    this.#slots[slot] = entry
  }

  #grow(): void {
    const ids = Buffer.alloc(this.#ids.length * 2)
    this.#ids.copy(ids)
    this.#ids = ids
    this.#slots = new Int32Array(this.#slots.length * 2).fill(-1)
    for (let entry = 0; entry < this.#size; entry++) this.#place(entry)
  }

  #empty(): void {
    this.#size = 0
    this.#slots.fill(-1)
    this.#topics = []
    this.#bySlot = []
  }

  #indexNames(): void {
    const { names } = this.#options
    // Making names current may itself empty their table once; the second pass then finds them all in one generation.
    do {
      this.#generation = names.generation
      this.#bySlot = []
      for (let entry = 0; entry < this.#size; entry++) {
        const name = this.#currentName(entry)
        if (name !== null) this.#bySlot[name.slot] = entry
      }
    } while (this.#generation !== names.generation && this.#size < 1 << 19)
  }
}
