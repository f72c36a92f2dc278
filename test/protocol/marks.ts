// What protocol tests share: APIs by name, and sets of marks over a whole layout.

import { apis } from '../../src/protocol/messages/index.ts'
import type { Api, Layout } from '../../src/protocol/schema.ts'

export const allApis: readonly Api[] = apis

export function apiNamed(name: string): Api {
  const found = allApis.find(a => a.name === name)
  if (found === undefined) throw new Error(`no API ${name}`)
  return found
}

/** Every path that a stream can mark. */
export function streamMarks(layout: Layout, marks = new Map<string, number>(), path = ''): Map<string, number> {
  const mark = (p: string) => marks.set(p, marks.size)
  for (const s of layout.slots) {
    const here = path + s.name
    if (s.type === 'list') {
      mark(here)
      mark(`${here}[end]`)
      const of = s.of!
      if ('slots' in of) streamMarks(of, marks, `${here}.`)
      else if (of.type === 'string') mark(`${here}[]`)
    } else if (s.type === 'struct') streamMarks(s.of as Layout, marks, `${here}.`)
    else if (s.type !== 'bytes' && s.type !== 'records') mark(here)
  }
  return marks
}

/** Every path that a whole walk can mark. */
export function allMarks(layout: Layout, marks = new Map<string, number>(), path = ''): Map<string, number> {
  const mark = (p: string) => marks.set(p, marks.size)
  mark(`${path}#tags`)
  for (const s of layout.slots) {
    const here = path + s.name
    mark(here)
    if (s.type === 'list') {
      for (const suffix of ['[]', '[#]', '[end]']) mark(here + suffix)
      if ('slots' in s.of!) allMarks(s.of, marks, `${here}.`)
    } else if (s.type === 'struct') allMarks(s.of as Layout, marks, `${here}.`)
  }
  return marks
}
