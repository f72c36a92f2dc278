// Names of resources, interned from their bytes: a known name is found without making a string.

import { randomInt } from 'node:crypto'
import type { Resource } from './authorizer.ts'

const SLAB_BYTES = 64 * 1024
/** Names on the wire may be 32 KiB long: their number alone bounds nothing. */
const MAX_BYTES = 64 * 1024 * 1024

/** org.apache.kafka.common.internals.Topic.isValid. */
export const isTopicName = (text: string): boolean => /^[a-zA-Z0-9._-]{1,249}$/.test(text) && text !== '.' && text !== '..'

/** One resource name of one type. Two equal names of one generation are the same object. */
export interface Name {
  readonly resource: Resource
  /** UTF-8. */
  readonly bytes: Buffer
  readonly text: string
  /** Index into arrays of verdicts, valid in its generation only. */
  readonly slot: number
  readonly generation: number
}

/**
 * A bounded table of names; one a worker. When it is full it is emptied and its generation moves: whoever keeps verdicts by slot
 * forgets them, and whoever keeps a Name asks `current` for it again.
 */
export class Names {
  generation = 0
  /** Slots in use: no live slot is this or more. */
  size = 0
  readonly #max: number
  readonly #maxBytes: number
  #sizeBytes = 0
  #buckets: (Entry | null)[]
  #mask: number
  /** Bytes of names lie side by side here; a full slab is left to the names that lie in it. */
  #slab: Buffer = Buffer.alloc(0)
  #used = 0

  constructor(max = 1 << 18, maxBytes = MAX_BYTES) {
    this.#max = max
    this.#maxBytes = maxBytes
    this.#buckets = new Array(1024).fill(null)
    this.#mask = 1023
  }

  /** The name that lies in `bytes` from `start` to `end`. */
  of(resource: Resource, bytes: Uint8Array, start: number, end: number): Name {
    const hash = hashOf(resource, bytes, start, end)
    for (let e = this.#buckets[hash & this.#mask]!; e !== null; e = e.next!) {
      if (e.hash === hash && e.resource === resource && e.equals(bytes, start, end)) return e
    }
    return this.#add(resource, hash, bytes, start, end)
  }

  text(resource: Resource, text: string): Name {
    const bytes = Buffer.from(text)
    return this.of(resource, bytes, 0, bytes.length)
  }

  /** The same name in this generation. */
  current(name: Name): Name {
    return name.generation === this.generation ? name : this.of(name.resource, name.bytes, 0, name.bytes.length)
  }

  #add(resource: Resource, hash: number, bytes: Uint8Array, start: number, end: number): Name {
    if (this.size >= this.#max || this.#sizeBytes >= this.#maxBytes) {
      this.generation++
      this.size = 0
      this.#sizeBytes = 0
      this.#buckets = new Array(1024).fill(null)
      this.#mask = 1023
    } else if (this.size > this.#mask) this.#grow()
    const at = hash & this.#mask
    const from = this.#copy(bytes, start, end)
    const entry = new Entry(resource, hash, this.#slab, from, end - start, this.size++, this.generation, this.#buckets[at]!)
    this.#buckets[at] = entry
    return entry
  }

  /** Where the bytes lie in the slab from now on. */
  #copy(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start
    this.#sizeBytes += length
    if (this.#used + length > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, length))
      this.#used = 0
    }
    const from = this.#used
    this.#slab.set(bytes.subarray(start, end), from)
    this.#used += length
    return from
  }

  #grow(): void {
    const old = this.#buckets
    this.#mask = old.length * 4 - 1
    this.#buckets = new Array(old.length * 4).fill(null)
    for (let e of old) {
      while (e !== null) {
        const next: Entry | null = e.next
        const at = e.hash & this.#mask
        e.next = this.#buckets[at]!
        this.#buckets[at] = e
        e = next
      }
    }
  }
}

class Entry implements Name {
  readonly resource: Resource
  readonly hash: number
  readonly slot: number
  readonly generation: number
  next: Entry | null
  readonly #slab: Buffer
  readonly #from: number
  readonly #length: number
  #bytes: Buffer | null = null
  #text: string | null = null

  constructor(
    resource: Resource,
    hash: number,
    slab: Buffer,
    from: number,
    length: number,
    slot: number,
    generation: number,
    next: Entry | null,
  ) {
    this.resource = resource
    this.hash = hash
    this.#slab = slab
    this.#from = from
    this.#length = length
    this.slot = slot
    this.generation = generation
    this.next = next
  }

  get bytes(): Buffer {
    return (this.#bytes ??= this.#slab.subarray(this.#from, this.#from + this.#length))
  }

  get text(): string {
    return (this.#text ??= this.bytes.toString())
  }

  /** Compared in the slab: names have no buffer of their own until one is asked for. */
  equals(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#length !== end - start) return false
    const slab = this.#slab
    for (let i = this.#from, j = start; j < end; i++, j++) if (slab[i] !== bytes[j]) return false
    return true
  }
}

/** Not to be known from outside: names that are made to meet in one bucket would slow every look-up down. */
const SEED = randomInt(2 ** 32)
const SPREAD = randomInt(2 ** 31) * 2 + 1

/** Four bytes at a step; the resource and the length count too. */
function hashOf(resource: Resource, bytes: Uint8Array, start: number, end: number): number {
  let hash = SEED ^ Math.imul(resource + ((end - start) << 3), 0x9e3779b1)
  let i = start
  for (const last = end - 3; i < last; i += 4) {
    const word = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    hash = Math.imul(hash ^ word, 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 15), SPREAD)
  }
  for (; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
  hash ^= hash >>> 16
  hash = Math.imul(hash, 0xc2b2ae35)
  return (hash ^ (hash >>> 13)) | 0
}
