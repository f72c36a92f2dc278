// NodeEndpoints (KIP-951): broker addresses in the tag buffer that ends a Produce or Fetch response; never let through as they are.

import { resize } from '../protocol/header.ts'
import { i32, MalformedError, size, skipTags, uvarint } from '../protocol/wire.ts'
import type { AddressView } from './outcome.ts'

interface Endpoint {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  /** As it stands on the wire: a compact nullable string. */
  readonly rack: Buffer
}

const ENDPOINTS_TAG = 0
const NO_RACK = Buffer.of(0)
const NO_TAGS = Buffer.of(0)
const NO_ENDPOINTS = Buffer.of(1)

/** True if the tag buffer at `at` says more than that it is empty. */
export const hasTags = (bytes: Buffer, at: number): boolean => bytes[at] !== 0

/** Rewrites the tag buffer at `at`, the last thing in `frame`, to our addresses; nodes that cannot be reached here are left out. */
export function rewriteNodeEndpoints(frame: Buffer, at: number, addresses: AddressView): Buffer | Promise<Buffer> {
  const endpoints = readEndpoints(frame, at)
  const unknown = endpoints.filter(e => addresses.get(e.nodeId) === undefined)
  const rewritten = (head: Buffer) => resize(Buffer.concat([head, tagBuffer(ours(endpoints, addresses, true))]))
  if (unknown.length === 0) return rewritten(frame.subarray(0, at))
  const head = Buffer.from(frame.subarray(0, at))
  return Promise.all(unknown.map(e => addresses.learn(e.nodeId, e.host, e.port))).then(() => rewritten(head))
}

/**
 * The same for a tail whose length has already been promised: as many bytes as `tail` has. Our endpoints if they fit and the rest is
 * filled by a tagged field that nobody knows, else only that: clients then fall back to the nodes that they know.
 */
export function fitNodeEndpoints(tail: Buffer, addresses: AddressView): Buffer {
  if (tail.length === 1) return tail
  const endpoints = readEndpoints(tail, 0)
  for (const e of endpoints) if (addresses.get(e.nodeId) === undefined) void addresses.learn(e.nodeId, e.host, e.port)
  for (const withRacks of [true, false]) {
    const content = ours(endpoints, addresses, withRacks)
    if (content === null) break
    const exact = tagBuffer(content)
    if (exact.length === tail.length) return exact
    const gap = tail.length - exact.length
    if (gap >= 2) return Buffer.concat([Buffer.of(2), exact.subarray(1), filler(gap)])
  }
  return Buffer.concat([Buffer.of(1), filler(tail.length - 1)])
}

/**
 * The same for ShareFetch, whose addresses stand in a list of their own before the last tag buffer: at least 2 bytes, and what the broker
 * tagged is not kept.
 */
export function fitEndpointList(tail: Buffer, addresses: AddressView): Buffer {
  const endpoints: Endpoint[] = []
  const tagsAt = readElements(tail, 0, endpoints)
  if (!(tagsAt < tail.length) || skipTags(tail, tagsAt) !== tail.length)
    throw new MalformedError('a tail does not end with its frame', tagsAt)
  for (const e of endpoints) if (addresses.get(e.nodeId) === undefined) void addresses.learn(e.nodeId, e.host, e.port)
  for (const withRacks of [true, false]) {
    const list = ours(endpoints, addresses, withRacks) ?? NO_ENDPOINTS
    const gap = tail.length - list.length - 1
    if (gap === 0) return Buffer.concat([list, NO_TAGS])
    if (gap >= 2) return Buffer.concat([list, Buffer.of(1), filler(gap)])
  }
  return Buffer.concat([NO_ENDPOINTS, Buffer.of(1), filler(tail.length - 2)])
}

function readEndpoints(bytes: Buffer, at: number): Endpoint[] {
  const endpoints: Endpoint[] = []
  let p = at
  let tags = uvarint(bytes, p)
  p += size
  for (; tags > 0; tags--) {
    const tag = uvarint(bytes, p)
    p += size
    const length = uvarint(bytes, p)
    p += size
    if (!(p + length <= bytes.length)) throw new MalformedError('tagged field runs past the end of the frame', p)
    if (tag === ENDPOINTS_TAG) readList(bytes, p, p + length, endpoints)
    p += length
  }
  if (p !== bytes.length) throw new MalformedError('tag buffer does not end with the frame', p)
  return endpoints
}

function readList(bytes: Buffer, at: number, end: number, into: Endpoint[]): void {
  const p = readElements(bytes, at, into)
  if (!(p <= end)) throw new MalformedError('nodeEndpoints runs past its end', at)
  if (p !== end) throw new MalformedError('nodeEndpoints is shorter than its size', at)
}

/** Returns where the list ends that begins at `at` with its count. */
function readElements(bytes: Buffer, at: number, into: Endpoint[]): number {
  let p = at
  let left = uvarint(bytes, p) - 1
  p += size
  for (; left > 0; left--) {
    const nodeId = i32(bytes, p)
    const hostLength = uvarint(bytes, p + 4) - 1
    p += 4 + size
    const host = bytes.toString('utf8', p, p + hostLength)
    p += hostLength
    const port = i32(bytes, p)
    p += 4
    const rackAt = p
    p += Math.max(0, uvarint(bytes, p) - 1)
    p += size
    const rack = Buffer.from(bytes.subarray(rackAt, p))
    p = skipTags(bytes, p)
    if (!(p <= bytes.length)) throw new MalformedError('nodeEndpoints runs past its end', at)
    into.push({ nodeId, host, port, rack })
  }
  return p
}

/** The list's content with our addresses, or null when no node is left. */
function ours(endpoints: readonly Endpoint[], addresses: AddressView, withRacks: boolean): Buffer | null {
  const elements: Buffer[] = []
  for (const { nodeId, rack } of endpoints) {
    const address = addresses.get(nodeId)
    if (address === undefined) continue
    const host = Buffer.from(address.host)
    const numbers = Buffer.alloc(8)
    numbers.writeInt32BE(nodeId, 0)
    numbers.writeInt32BE(address.port, 4)
    elements.push(
      numbers.subarray(0, 4),
      uvarintBytes(host.length + 1),
      host,
      numbers.subarray(4),
      withRacks ? rack : NO_RACK,
      Buffer.of(0),
    )
  }
  if (elements.length === 0) return null
  return Buffer.concat([uvarintBytes(elements.length / 6 + 1), ...elements])
}

function tagBuffer(content: Buffer | null): Buffer {
  if (content === null) return Buffer.of(0)
  return Buffer.concat([Buffer.of(1, ENDPOINTS_TAG), uvarintBytes(content.length), content])
}

/** A tagged field of exactly `length` bytes (2 or more) that no version of Kafka defines; its tag is above every known one. */
function filler(length: number): Buffer {
  for (const tag of [127, 16383]) {
    const head = uvarintBytes(tag).length
    for (let sizeBytes = 1; sizeBytes <= 5; sizeBytes++) {
      const content = length - head - sizeBytes
      if (content < 0) break
      const field = uvarintBytes(content)
      if (field.length === sizeBytes) return Buffer.concat([uvarintBytes(tag), field, Buffer.alloc(content)])
    }
  }
  throw new RangeError(`no tagged field has ${length} bytes`)
}

function uvarintBytes(value: number): Buffer {
  const bytes: number[] = []
  let v = value
  for (; v > 127; v >>>= 7) bytes.push((v & 127) | 128)
  return Buffer.from([...bytes, v])
}
