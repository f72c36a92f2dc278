// What is wrong with a file that a person wrote: where, what, and how to mend it; all of it at once.

export interface Problem {
  readonly file: string
  readonly line: number
  readonly col: number
  /** `grants[0].topics[1]`; empty: the file as a whole. */
  readonly path: string
  readonly problem: string
  readonly hint: string | null
}

export type Path = readonly (string | number)[]

export function pathText(path: Path): string {
  return path.map((part, i) => (typeof part === 'number' ? `[${part}]` : plain(part, i))).join('')
}

function plain(part: string, i: number): string {
  if (!/^[\w-]+$/.test(part)) return `[${JSON.stringify(part)}]`
  return i === 0 ? part : `.${part}`
}

/** `file:line:col  path  problem  hint`, on one line. */
export function problemText({ file, line, col, path, problem, hint }: Problem): string {
  const text = [`${file}:${line}:${col}`, path || '.', problem, ...(hint === null ? [] : [hint])].join('  ')
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, c => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** A configuration or policy that is refused; commands end with exit code 3. */
export class InvalidFileError extends Error {
  readonly code = 'ERR_INVALID_FILE'
  readonly problems: readonly Problem[]
  constructor(problems: readonly Problem[]) {
    super(problems.map(problemText).join('\n'))
    this.name = 'InvalidFileError'
    this.problems = problems
  }
}

/** The word that was probably meant, as a hint; else the words that there are. */
export function meant(word: string, known: readonly string[]): string {
  const near = known
    .map(candidate => ({ candidate, steps: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.steps - b.steps)[0]
  if (near !== undefined && near.steps <= Math.max(1, Math.floor(near.candidate.length / 3))) return `did you mean ${near.candidate}?`
  return known.length === 0 ? 'nothing may stand here' : `known: ${known.join(', ')}`
}

/** Levenshtein's, with one row; letters in another order are one step; long words are not compared. */
function distance(a: string, b: string): number {
  if (a.length > 64 || b.length > 64) return 64
  if ([...a].sort().join() === [...b].sort().join()) return 1
  const row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    let before = row[0]!
    row[0] = i
    for (let j = 1; j <= b.length; j++) {
      const kept = row[j]!
      row[j] = Math.min(kept + 1, row[j - 1]! + 1, before + Number(a[i - 1] !== b[j - 1]))
      before = kept
    }
  }
  return row[b.length]!
}
