// A layout becomes a closure that steps over a message and reports where marked fields lie; nothing is decoded.

import { isUtf8 } from 'node:buffer'
import type { Layout, Slot } from './schema.ts'
import { type Counted, FIXED, i32, lengthAt, malformed, pastEnd, size, skipTags, tagAt, tagBytesAt, uvarint } from './wire.ts'

export { skipTags }

/** Told where each marked value lies; `start < 0` is null. Called in wire order, a list's element after what is in it. */
export type Visit = (mark: number, b: Buffer, start: number, end: number) => void

/**
 * Steps over a message that begins at p; returns where it ends, at most `b.length`.
 * What it accepts is never more than what Kafka's generated classes accept. @throws {MalformedError}
 */
export type Walk = (b: Buffer, p: number, visit: Visit) => number

/**
 * `marks` maps paths to the numbers that `visit` is told. A path that this version does not have is passed over. Paths:
 * `a.b` the value, without its length (a list: its count, as it is written; a structure: all of it) · `a[]` each element of a list
 * (a structure whole, a string without its length) · `a[#]` each element, with its length · `a[end]` the place where the list ends ·
 * `a.#tags` a structure's tag buffer, whole; `#tags` the message's own.
 * Strings that are marked must be UTF-8: a broker reads others lossily, and would see another name than the one that was judged.
 */
export function compileWalk(layout: Layout, marks: ReadonlyMap<string, number>): Walk {
  return walkLayout(layout, marks, '')
}

/** Elements that the lists of the message may still have: walking is synchronous, so one number is enough. */
let left = Number.POSITIVE_INFINITY

/** Walks a message that must end where its buffer ends, and whose lists have no more elements than this, all together. @throws {MalformedError} */
export function walkWhole(walk: Walk, b: Buffer, p: number, visit: Visit, maxElements = Number.POSITIVE_INFINITY): void {
  left = maxElements
  try {
    const end = walk(b, p, visit)
    if (end !== b.length) malformed(`${b.length - end} bytes left over`, end)
  } finally {
    left = Number.POSITIVE_INFINITY
  }
}

/** For walks that only check. */
export const unmarked: Visit = () => {}

type Marks = ReadonlyMap<string, number>

function walkLayout(layout: Layout, marks: Marks, path: string): Walk {
  const steps: Walk[] = []
  let run = 0 // fixed-width bytes not yet stepped over: neighbours are fused into one addition
  const flush = () => {
    if (run > 0) steps.push(walkFixed(run))
    run = 0
  }
  for (const s of layout.slots) {
    if (s.tag >= 0) continue
    const wide = FIXED[s.type]
    if (wide !== undefined && !marks.has(path + s.name)) run += wide
    else {
      flush()
      steps.push(walkSlot(s, layout.flexible, marks, path + s.name))
    }
  }
  flush()
  if (layout.flexible) steps.push(walkTags(layout, marks, path))
  return series(steps)
}

function series(steps: readonly Walk[]): Walk {
  const [a, b, c, d] = steps
  switch (steps.length) {
    case 0:
      return (_b, p) => p
    case 1:
      return a!
    case 2:
      return (x, p, v) => b!(x, a!(x, p, v), v)
    case 3:
      return (x, p, v) => c!(x, b!(x, a!(x, p, v), v), v)
    case 4:
      return (x, p, v) => d!(x, c!(x, b!(x, a!(x, p, v), v), v), v)
    default: {
      const head = series(steps.slice(0, 4))
      const tail = series(steps.slice(4))
      return (x, p, v) => tail(x, head(x, p, v), v)
    }
  }
}

const walkFixed =
  (n: number): Walk =>
  (b, p) => {
    const end = p + n
    if (end > b.length) pastEnd(`${n} bytes`, p)
    return end
  }

function walkSlot(s: Slot, flexible: boolean, marks: Marks, path: string): Walk {
  const mark = marks.get(path)
  const wide = FIXED[s.type]
  if (wide !== undefined) {
    const step = walkFixed(wide)
    if (mark === undefined) return step
    return (b, p, visit) => {
      const end = step(b, p, visit)
      visit(mark, b, p, end)
      return end
    }
  }
  if (s.type === 'list') return walkList(s, flexible, marks, path)
  if (s.type === 'struct') return walkStruct(s, marks, path)
  return walkCounted(counted(s, flexible, path), s.type === 'string', mark, undefined)
}

/** How a slot that is not fixed in width says its length. */
export const counted = (s: Slot, flexible: boolean, name: string): Counted => ({
  name,
  compact: flexible,
  prefix: s.type === 'string' ? 2 : 4,
  nullable: s.nullable,
  max: s.type === 'string' ? 32767 : 0x7fffffff,
})

function walkCounted(c: Counted, text: boolean, mark: number | undefined, whole: number | undefined): Walk {
  if (mark === undefined && whole === undefined)
    return (b, p) => {
      const n = lengthAt(b, p, c)
      return n > 0 ? p + size + n : p + size
    }
  return (b, p, visit) => {
    const n = lengthAt(b, p, c)
    const start = p + size
    const end = n > 0 ? start + n : start
    if (text) mustBeUtf8(b, start, end, c.name)
    if (mark !== undefined) {
      if (n < 0) visit(mark, b, -1, -1)
      else visit(mark, b, start, end)
    }
    if (whole !== undefined) visit(whole, b, p, end)
    return end
  }
}

/** Names are nearly always ASCII: the loop is cheaper than a call out of JavaScript. */
export function mustBeUtf8(b: Uint8Array, start: number, end: number, name: string): void {
  for (let i = start; i < end; i++) {
    if (b[i]! > 127) {
      if (!isUtf8(b.subarray(i, end))) malformed(`${name} is not UTF-8`, start)
      return
    }
  }
}

function walkStruct(s: Slot, marks: Marks, path: string): Walk {
  const inner = walkLayout(s.of as Layout, marks, path + '.')
  const mark = marks.get(path)
  const marked: Walk =
    mark === undefined
      ? inner
      : (b, p, visit) => {
          const end = inner(b, p, visit)
          visit(mark, b, p, end)
          return end
        }
  if (!s.nullable) return marked
  return (b, p, visit) => {
    if (p >= b.length) pastEnd(path, p)
    if (b[p]! < 128) return marked(b, p + 1, visit)
    if (mark !== undefined) visit(mark, b, -1, -1)
    return p + 1
  }
}

function walkList(s: Slot, flexible: boolean, marks: Marks, path: string): Walk {
  const c = counted(s, flexible, path)
  const walk = walkElements(s, c, flexible, marks, path)
  const mark = marks.get(path)
  const ended = marks.get(path + '[end]')
  if (mark === undefined && ended === undefined) return walk
  return (b, p, visit) => {
    if (mark !== undefined) {
      if (lengthAt(b, p, c) < 0) visit(mark, b, -1, -1)
      else visit(mark, b, p, p + size)
    }
    const end = walk(b, p, visit)
    if (ended !== undefined) visit(ended, b, end, end)
    return end
  }
}

function walkElements(s: Slot, c: Counted, flexible: boolean, marks: Marks, path: string): Walk {
  const of = s.of as Layout | Slot
  const mark = marks.get(path + '[]')
  const whole = marks.get(path + '[#]')
  const step = mark === undefined && whole === undefined ? fixedBytes(of, marks, path) : 0
  if (step > 0)
    return (b, p) => {
      const n = lengthAt(b, p, c)
      p += size
      if (n <= 0) return p
      if (n * step > b.length - p) pastEnd(c.name, p)
      return p + n * step
    }
  const each = walkElement(of, flexible, marks, path, mark, whole)
  return (b, p, visit) => {
    let n = lengthAt(b, p, c)
    left -= n
    if (left < 0) malformed(`${c.name}: too many elements in one message`, p)
    p += size
    for (; n > 0; n--) p = each(b, p, visit)
    return p
  }
}

function walkElement(
  of: Layout | Slot,
  flexible: boolean,
  marks: Marks,
  path: string,
  mark: number | undefined,
  whole: number | undefined,
): Walk {
  if (!('slots' in of) && FIXED[of.type] === undefined)
    return walkCounted(counted(of, flexible, path + '[]'), of.type === 'string', mark, whole)
  const inner = 'slots' in of ? walkLayout(of, marks, path + '.') : walkFixed(FIXED[of.type]!)
  if (mark === undefined && whole === undefined) return inner
  return (b, p, visit) => {
    const end = inner(b, p, visit)
    if (mark !== undefined) visit(mark, b, p, end)
    if (whole !== undefined) visit(whole, b, p, end)
    return end
  }
}

/** Bytes of an element that is always as long and in which nothing is marked; else 0. */
export function fixedBytes(of: Layout | Slot, marks: Marks, path: string): number {
  if (!('slots' in of)) return FIXED[of.type] ?? 0
  if (of.flexible || of.slots.some(s => FIXED[s.type] === undefined || marks.has(`${path}.${s.name}`))) return 0
  return of.slots.reduce((sum, s) => sum + FIXED[s.type]!, 0)
}

function walkTags(layout: Layout, marks: Marks, path: string): Walk {
  const known = new Map(layout.slots.filter(s => s.tag >= 0).map(s => [s.tag, walkSlot(s, true, marks, path + s.name)]))
  const mark = marks.get(`${path}#tags`)
  const walk = known.size + layout.refusedTags.size === 0 ? skipTags : walkKnownTags(known, layout.refusedTags)
  if (mark === undefined) return walk
  return (b, p, visit) => {
    const end = walk(b, p, visit)
    visit(mark, b, p, end)
    return end
  }
}

function walkKnownTags(known: ReadonlyMap<number, Walk>, refused: ReadonlySet<number>): Walk {
  return (b, p, visit) => {
    if (p < b.length && b[p] === 0) return p + 1
    let n = uvarint(b, p)
    p += size
    for (let last = -1; n > 0; n--) {
      last = tagAt(b, p, last)
      p += size
      const bytes = tagBytesAt(b, p)
      p += size
      const walk = known.get(last)
      if (walk !== undefined) {
        if (walk(b, p, visit) !== p + bytes) malformed(`tag ${last} is not as long as it says`, p)
      } else if (refused.has(last)) malformed(`tag ${last} is not valid for this version`, p)
      p += bytes
    }
    return p
  }
}

/** The number of elements that a marked list count says; -1 for null. */
export function countOf(b: Buffer, start: number, end: number, flexible: boolean): number {
  if (start < 0) return -1
  return flexible ? uvarint(b, start) - 1 : end - start === 4 ? i32(b, start) : malformed('count', start)
}
