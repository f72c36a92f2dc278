// A layout becomes the steps that a stream walk takes one by one, so that it can stop between any two bytes.

import type { Layout, Slot } from './schema.ts'
import { counted, fixedBytes } from './walk.ts'
import { type Counted, FIXED } from './wire.ts'

/** What a step does. */
export const Kind = { Fixed: 0, Counted: 1, List: 2, FixedList: 3, Nullable: 4, Tags: 5 } as const

export interface Step {
  readonly kind: number
  /** Bytes of a fixed-width step, or of one element of a list of such. */
  readonly bytes: number
  readonly counted: Counted | null
  readonly text: boolean
  /** -1: not marked. */
  readonly mark: number
  readonly ended: number
  /** Steps of a list's element, or of a structure that may be null. */
  readonly body: readonly Step[]
  readonly tags: ReadonlyMap<number, readonly Step[]>
  readonly refusedTags: ReadonlySet<number>
}

export type StreamProgram = readonly Step[]

type Marks = ReadonlyMap<string, number>
const NO_TAGS: ReadonlyMap<number, readonly Step[]> = new Map()
const NONE: ReadonlySet<number> = new Set()
const step = (kind: number, more: Partial<Step>): Step => ({
  kind,
  bytes: 0,
  counted: null,
  text: false,
  mark: -1,
  ended: -1,
  body: [],
  tags: NO_TAGS,
  refusedTags: NONE,
  ...more,
})

/**
 * Paths as in `compileWalk`, of which a stream can mark fixed-width values, strings, elements that are strings, a list's count and its end.
 * @throws {TypeError} a mark that only a whole message can give: bytes, records, structures, tag buffers
 */
export function compileStream(layout: Layout, marks: Marks): StreamProgram {
  return stepsOf(layout, marks, '')
}

function stepsOf(layout: Layout, marks: Marks, path: string): readonly Step[] {
  const steps: Step[] = []
  let run = 0
  const flush = () => {
    if (run > 0) steps.push(step(Kind.Fixed, { bytes: run }))
    run = 0
  }
  for (const s of layout.slots) {
    if (s.tag >= 0) continue
    const wide = FIXED[s.type]
    if (wide !== undefined && !marks.has(path + s.name)) run += wide
    else {
      flush()
      steps.push(...stepsOfSlot(s, layout.flexible, marks, path + s.name))
    }
  }
  flush()
  wholeOnly(marks, `${path}#tags`)
  if (layout.flexible) {
    const tagged = layout.slots.filter(s => s.tag >= 0)
    const tags = new Map(tagged.map(s => [s.tag, stepsOfSlot(s, true, marks, path + s.name)]))
    steps.push(step(Kind.Tags, { tags, refusedTags: layout.refusedTags }))
  }
  return steps
}

function stepsOfSlot(s: Slot, flexible: boolean, marks: Marks, path: string): readonly Step[] {
  const mark = marks.get(path) ?? -1
  const wide = FIXED[s.type]
  if (wide !== undefined) return [step(Kind.Fixed, { bytes: wide, mark })]
  if (s.type === 'list') return [listStep(s, flexible, marks, path)]
  if (s.type === 'struct') {
    wholeOnly(marks, path)
    const body = stepsOf(s.of as Layout, marks, `${path}.`)
    return s.nullable ? [step(Kind.Nullable, { bytes: 1, body })] : body
  }
  if (s.type !== 'string') wholeOnly(marks, path)
  return [step(Kind.Counted, { counted: counted(s, flexible, path), text: s.type === 'string', mark })]
}

function listStep(s: Slot, flexible: boolean, marks: Marks, path: string): Step {
  const of = s.of as Layout | Slot
  const text = !('slots' in of) && of.type === 'string'
  if (!text) wholeOnly(marks, `${path}[]`)
  wholeOnly(marks, `${path}[#]`)
  const shared = { counted: counted(s, flexible, path), mark: marks.get(path) ?? -1, ended: marks.get(`${path}[end]`) ?? -1 }
  const bytes = fixedBytes(of, marks, path)
  if (bytes > 0) return step(Kind.FixedList, { ...shared, bytes })
  const element = (): readonly Step[] => {
    if ('slots' in of) return stepsOf(of, marks, `${path}.`)
    return [step(Kind.Counted, { counted: counted(of, flexible, `${path}[]`), text, mark: marks.get(`${path}[]`) ?? -1 })]
  }
  return step(Kind.List, { ...shared, body: element() })
}

function wholeOnly(marks: Marks, path: string): void {
  if (marks.has(path)) throw new TypeError(`'${path}' cannot be marked in a stream`)
}
