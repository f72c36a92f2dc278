// Takes elements out of a list on the wire, and puts others in, without reading what stays.

import { resize } from '../protocol/header.ts'
import { slotAt } from '../protocol/schema.ts'
import { countBytes, type Edit, splice } from '../protocol/splice.ts'
import { MalformedError, size, uvarint } from '../protocol/wire.ts'
import type { Edition } from './edition.ts'

export interface Span {
  readonly start: number
  readonly end: number
}
/** Where a list lies in a frame: its count, and each of its elements with all their bytes. */
export interface ListAt {
  readonly count: Span
  readonly elements: readonly Span[]
  readonly isNull: boolean
}
/** Bytes of one element, put in where `before` of the list's own elements stand before it; `LAST` is behind them all. */
export interface Graft {
  readonly before: number
  readonly bytes: Buffer
}
export const FIRST = 0
export const LAST = Number.POSITIVE_INFINITY
/** Where it stood in the request: behind the answers to all that stood before it. */
export const IN_ORDER = -1

const NOTHING = Buffer.alloc(0)

/** Finds a list that stands at the top of a message; made once for each version. */
export function listFinder(edition: Edition, side: 'request' | 'response', path: string): (frame: Buffer) => ListAt {
  const slot = slotAt(edition[side], path)
  if (slot?.type !== 'list') throw new TypeError(`${edition.api.name} v${edition.version} ${side}: no list ${path}`)
  const marks = [path, `${path}[#]`]
  const walk = side === 'request' ? edition.requestWalk(marks) : edition.responseWalk(marks)
  return frame => {
    let count: Span = { start: 0, end: 0 }
    const elements: Span[] = []
    walk(frame, (mark, _b, start, end) => {
      if (mark === 0) count = { start, end }
      else elements.push({ start, end })
    })
    return { count, elements, isNull: count.start < 0 }
  }
}

/** The text of a string that lies in `element` with its length. */
export function stringIn(frame: Buffer, element: Span, flexible: boolean): string {
  let start = element.start + 2
  if (flexible) {
    uvarint(frame, element.start)
    start = element.start + size
  }
  return frame.toString('utf8', start, element.end)
}

/** The edits that take elements out of a list: its count first, then the elements' spans. */
function cutEdits(list: ListAt, isGone: (index: number) => boolean, flexible: boolean): Edit[] {
  const edits: Edit[] = []
  for (let i = 0; i < list.elements.length; i++) {
    if (isGone(i)) edits.push({ start: list.elements[i]!.start, end: list.elements[i]!.end, bytes: NOTHING })
  }
  return [{ ...list.count, bytes: countBytes(list.elements.length - edits.length, flexible) }, ...edits]
}

/** The frame without some elements of one of its lists. */
export const without = (frame: Buffer, list: ListAt, isGone: (index: number) => boolean, flexible: boolean): Buffer =>
  resize(splice(frame, cutEdits(list, isGone, flexible)))

/** The frame with more elements in one of its lists. Grafts of one place keep their order. */
export function withGrafts(frame: Buffer, list: ListAt, grafts: readonly Graft[], flexible: boolean): Buffer {
  if (list.isNull) throw new MalformedError('the broker answered null where a list was due', list.count.start)
  const { elements, count } = list
  const sorted = [...grafts].sort((a, b) => (a.before === b.before ? 0 : a.before - b.before))
  const end = elements.at(-1)?.end ?? count.end
  const edits: Edit[] = [{ ...count, bytes: countBytes(elements.length + grafts.length, flexible) }]
  for (const { before, bytes } of sorted) {
    const at = before < elements.length ? elements[before]!.start : end
    edits.push({ start: at, end: at, bytes })
  }
  return resize(splice(frame, edits))
}

/** `all`: every partition that was named; `once`: a set of them. */
export type Merged = 'all' | 'once'

/** Elements that answer for one name become one, with the partitions of all: OffsetCommitResponse.Builder, and maps by partition elsewhere. */
export function mergedByName(elements: readonly any[], merged: Merged): any[] {
  const byName = new Map<string, any>()
  for (const element of elements) {
    const key = `${element.topicId} ${element.name ?? element.groupId}`
    const known = byName.get(key)
    if (known === undefined)
      byName.set(key, element.partitions === undefined ? element : { ...element, partitions: [...element.partitions] })
    else if (known.partitions !== undefined) for (const partition of element.partitions) known.partitions.push(partition)
  }
  const answers = [...byName.values()]
  if (merged === 'all') return answers
  for (const answer of answers) {
    const byIndex = new Map((answer.partitions ?? []).map((partition: any) => [partition.partitionIndex, partition]))
    if (answer.partitions !== undefined) answer.partitions = [...byIndex.values()]
  }
  return answers
}
