// Brokers' addresses in responses: found in the schema tables wherever a node's id, host and port stand together, and replaced by ours.

import { resize } from '../protocol/header.ts'
import type { Layout } from '../protocol/schema.ts'
import { countBytes, type Edit, splice } from '../protocol/splice.ts'
import { COORDINATOR_NOT_AVAILABLE } from './answers.ts'
import type { Edition } from './edition.ts'
import type { AddressView } from './outcome.ts'

/** Where one version of a message carries addresses. */
interface Place {
  /** Path of the list of structures that hold them; empty: the message itself. */
  readonly list: string
  readonly id: string
  readonly hasErrorCode: boolean
}

/** A node as a broker tells of it, and where its fields lie. */
interface Found {
  nodeId: number
  idAt: number
  host: { start: number; end: number }
  portAt: number
  errorCodeAt: number
  element: { start: number; end: number } | null
}

const NOTHING = Buffer.alloc(0)
const NO_NODE = -1

/**
 * The addresses in one API's responses at one version, or null: it carries none.
 * Produce and Fetch have theirs in a tagged field, which node-endpoints.ts rewrites.
 */
export function endpointsOf(edition: Edition): Endpoints | null {
  const places = placesIn(edition.response, '')
  if (places.length === 0) return null
  if (places.length > 1) throw new TypeError(`${edition.api.name} v${edition.version}: addresses stand in two places`)
  return new Endpoints(edition, places[0]!)
}

function placesIn(layout: Layout, path: string): Place[] {
  const has = (name: string) => layout.slots.some(s => s.name === name)
  const places: Place[] = []
  const id = ['nodeId', 'brokerId'].find(has)
  if (has('host') && has('port') && id !== undefined) {
    places.push({ list: path, id, hasErrorCode: has('errorCode') })
  }
  for (const slot of layout.slots) {
    if (slot.tag >= 0 || slot.type !== 'list' || slot.of === null || !('slots' in slot.of)) continue
    places.push(...placesIn(slot.of, path === '' ? slot.name : `${path}.${slot.name}`))
  }
  return places
}

export class Endpoints {
  readonly #edition: Edition
  readonly #place: Place
  readonly #find: (frame: Buffer) => { nodes: Found[]; count: { start: number; end: number } | null }

  constructor(edition: Edition, place: Place) {
    this.#edition = edition
    this.#place = place
    this.#find = finder(edition, place)
  }

  /**
   * The response with our addresses in it; a promise when a node must be learnt first. The frame is not changed.
   * A node that stays unknown is left out; where the response answers for it, its error becomes COORDINATOR_NOT_AVAILABLE.
   */
  rewrite(frame: Buffer, addresses: AddressView): Buffer | Promise<Buffer> {
    const unknown = this.#nodes(frame).filter(n => n.nodeId !== NO_NODE && addresses.get(n.nodeId) === undefined)
    if (unknown.length === 0) return this.#replace(frame, addresses)
    const kept = Buffer.from(frame)
    return Promise.all(unknown.map(n => addresses.learn(n.nodeId, n.host, n.port))).then(() => this.#replace(kept, addresses))
  }

  #nodes(frame: Buffer): { nodeId: number; host: string; port: number }[] {
    return this.#find(frame).nodes.map(n => ({
      nodeId: n.nodeId,
      host: frame.toString('utf8', n.host.start, n.host.end),
      port: frame.readInt32BE(n.portAt),
    }))
  }

  #replace(frame: Buffer, addresses: AddressView): Buffer {
    const { flexible } = this.#edition
    const { nodes, count } = this.#find(frame)
    const edits: Edit[] = []
    let dropped = 0
    for (const node of nodes) {
      const ours = node.nodeId === NO_NODE ? NO_ADDRESS : addresses.get(node.nodeId)
      if (ours !== undefined) edits.push(...addressEdits(node, ours.host, ours.port, flexible))
      else if (this.#place.hasErrorCode) {
        edits.push(at(node.idAt, int32(NO_NODE)), ...addressEdits(node, '', -1, flexible))
        edits.push(at(node.errorCodeAt, int16(COORDINATOR_NOT_AVAILABLE)))
      } else {
        edits.push({ ...node.element!, bytes: NOTHING })
        dropped++
      }
    }
    if (dropped > 0) edits.push({ ...count!, bytes: countBytes(nodes.length - dropped, flexible) })
    return resize(
      splice(
        frame,
        edits.sort((a, b) => a.start - b.start),
      ),
    )
  }
}

/** A node that is none has no address, and whatever the broker wrote there is not passed on. */
const NO_ADDRESS = { host: '', port: -1 }

const at = (start: number, bytes: Buffer): Edit => ({ start, end: start + bytes.length, bytes })
const addressEdits = (node: Found, host: string, port: number, flexible: boolean): Edit[] => [
  { ...hostField(node, flexible), bytes: stringBytes(host, flexible) },
  at(node.portAt, int32(port)),
]
/** A string with its length, from the span of its content. */
const hostField = ({ host }: Found, flexible: boolean) => ({
  start: host.start - (flexible ? countBytes(host.end - host.start, true).length : 2),
  end: host.end,
})

function stringBytes(text: string, flexible: boolean): Buffer {
  const bytes = Buffer.from(text)
  if (flexible) return Buffer.concat([countBytes(bytes.length, true), bytes])
  const length = Buffer.alloc(2)
  length.writeInt16BE(bytes.length)
  return Buffer.concat([length, bytes])
}
function int32(n: number): Buffer {
  const b = Buffer.alloc(4)
  b.writeInt32BE(n)
  return b
}
function int16(n: number): Buffer {
  const b = Buffer.alloc(2)
  b.writeInt16BE(n)
  return b
}

function finder(edition: Edition, { list, id }: Place) {
  const prefix = list === '' ? '' : `${list}.`
  const walk = edition.responseWalk([`${prefix}${id}`, `${prefix}host`, `${prefix}port`, `${prefix}errorCode`, list, `${list}[]`])
  return (frame: Buffer) => {
    const nodes: Found[] = []
    let count: { start: number; end: number } | null = null
    let node = emptyFound()
    walk(frame, (mark, b, start, end) => {
      if (mark === 4) {
        count = { start, end }
        return
      }
      if (mark === 0) {
        node.nodeId = b.readInt32BE(start)
        node.idAt = start
      } else if (mark === 1) node.host = { start, end }
      else if (mark === 2) node.portAt = start
      else if (mark === 3) node.errorCodeAt = start
      else {
        node.element = { start, end }
        nodes.push(node)
        node = emptyFound()
      }
    })
    if (list === '') nodes.push(node)
    return { nodes, count }
  }
}
const emptyFound = (): Found => ({ nodeId: NO_NODE, idAt: 0, host: { start: 0, end: 0 }, portAt: 0, errorCodeAt: 0, element: null })
