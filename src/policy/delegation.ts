// Delegated ownership: what files below a path may say, as files at the root of the policy folder allow it. Nobody can widen their own share.

import type { Path } from '../base/errors.ts'
import type { YamlFile } from '../base/yaml.ts'
import type { KindKey } from './operations.ts'
import { KIND_KEYS, KINDS } from './operations.ts'
import { containsPattern, patternText } from './pattern-text.ts'
import type { Grant, Pattern, Place, Rule, Shadow } from './policy-document.ts'
import type { PolicyText } from './policy-schema.ts'
import { readPattern, Wrong, wholeKind } from './policy-words.ts'

/** What one file says, and where it stands. */
export interface Said {
  readonly yaml: YamlFile
  /** Below the policy folder, as `teams/payments/cards.yaml`; a file at its root has no /. */
  readonly within: string
  readonly text: PolicyText
  readonly grants: readonly Grant[]
  readonly rules: readonly Rule[]
  readonly shadows: readonly Shadow[]
  /** Where in the file something that was read from it stands. */
  pathOf(item: Grant | Rule | Shadow): Path
}

/** One entry of `delegate`. */
interface Share {
  /** `teams/payments/`, or a file. */
  readonly path: string
  readonly patterns: readonly Pattern[]
  readonly place: Place
}

/** Keys that a root file may demand of every grant. */
export type Required = 'until' | 'why' | 'owner'

const isRoot = ({ within }: Said): boolean => !within.includes('/')

/** Complains of everything in these files that they may not say. */
export function checkDelegation(files: readonly Said[]): void {
  for (const file of files.filter(one => !isRoot(one))) {
    for (const key of ['delegate', 'require'] as const)
      if (file.text[key] !== undefined) file.yaml.complain([key], 'may stand only in a file at the root of the policy folder')
  }
  const roots = files.filter(isRoot)
  checkRequired(files, new Set(roots.flatMap(({ text }) => [text.require ?? []].flat())))
  const shares = roots.flatMap(sharesOf)
  if (shares.length === 0) return
  for (const file of files.filter(one => !isRoot(one))) checkFile(file, shares)
}

/** Whether a file gets what a root file delegates to it. */
export const isDelegated = (within: string): boolean => within.includes('/')

function sharesOf({ yaml, text }: Said): Share[] {
  const { delegate } = text
  if (delegate === undefined || !yaml.isClean(['delegate'])) return []
  return Object.entries(delegate).map(([path, share]) => {
    const at = ['delegate', path]
    const kinds = share.everything ? KIND_KEYS : KIND_KEYS.filter(kind => share[kind] !== undefined)
    const patterns = kinds.flatMap(kind => patternsOf(yaml, [...at, kind], kind, share.everything ? true : share[kind]!))
    return { path: path.replace(/\*+$/, ''), patterns, place: { file: yaml.file, ...yaml.where(at) } }
  })
}

type Texts = true | Parameters<typeof readPattern>[0] | readonly Parameters<typeof readPattern>[0][]

function patternsOf(yaml: YamlFile, at: Path, kind: KindKey, texts: Texts): Pattern[] {
  if (texts === true || KINDS[kind] === KINDS.cluster) return [wholeKind(kind, 0)]
  return [texts].flat().flatMap(text => {
    const pattern = readPattern(text as Parameters<typeof readPattern>[0], kind)
    if (!(pattern instanceof Wrong)) return pattern
    yaml.complain(at, pattern.problem, pattern.hint)
    return []
  })
}

function checkFile(file: Said, shares: readonly Share[]): void {
  const { yaml, within, grants, rules, shadows, pathOf } = file
  const mine = shares.filter(({ path }) => (path.endsWith('/') ? within.startsWith(path) : within === path))
  if (mine.length === 0) {
    yaml.complain([], 'nothing is delegated to this file', 'name its folder in delegate: of a file at the root')
    return
  }
  const complain = (path: Path, pattern: Pattern) => {
    const share = mine.find(({ patterns }) => !patterns.some(one => containsPattern(one, pattern)))
    if (share !== undefined)
      yaml.complain(
        path,
        `${patternText(pattern)} lies outside of what is delegated here`,
        `${share.place.file}:${share.place.line} says what is`,
      )
  }
  for (const grant of grants) for (const cover of grant.covers) complain(pathOf(grant), cover)
  for (const rule of rules) for (const cover of rule.denies) complain(pathOf(rule), cover)
  for (const shadow of shadows) for (const pattern of shadow.patterns) complain(pathOf(shadow), pattern)
}

function checkRequired(files: readonly Said[], required: ReadonlySet<Required>): void {
  for (const { yaml, grants, pathOf } of files) {
    for (const grant of grants) {
      const has = { until: grant.untilMs !== null, why: grant.why !== null, owner: grant.owner !== null }
      for (const key of required)
        if (!has[key]) yaml.complain([...pathOf(grant), key], 'is missing', 'require: of this policy demands it of every grant')
    }
  }
}
