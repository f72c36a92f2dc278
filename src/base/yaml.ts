// Strict YAML: one document, no duplicate keys, no merge keys, bounded aliases; every complaint knows its line and column.

import { Buffer } from 'node:buffer'
import { readFileSync, statSync } from 'node:fs'
import { type Document, isMap, isPair, isScalar, isSeq, LineCounter, type Node, parseDocument, type Scalar, visit } from 'yaml'
import type { z } from 'zod'
import type { Path, Problem } from './errors.ts'
import { pathText } from './errors.ts'
import { shapeProblems } from './shape.ts'

const MAX_BYTES = 1024 * 1024
const MAX_ALIASES = 100

/** Where strings of a file come from besides the file itself. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>
  /** The text of a file named by `${file:path}`. @throws when it cannot be read */
  readonly readFile: (path: string) => string
  /** Whether the value at this path is a secret: it may be neither empty nor have a default. */
  readonly isSecret: (path: Path) => boolean
}

/** One file as it was read, and what is wrong with it. */
export class YamlFile {
  readonly file: string
  readonly problems: Problem[] = []
  /** What the file says as plain values; undefined if it cannot be read at all. */
  value: unknown
  readonly #lines = new LineCounter()
  readonly #overridden: string[] = []
  #content = ''
  #document: Document.Parsed | null = null
  /** Paths of values that came from `${…}`: they may be numbers or booleans. */
  readonly #filled = new Set<string>()
  /** Files by the path of the value that is nothing but one file's text. */
  readonly #files = new Map<string, string>()

  /** @param text the file's content, or null: it is read from disk */
  constructor(file: string, text: string | null = null, surroundings: Surroundings | null = null) {
    this.file = file
    const content = text ?? this.#read()
    if (content === null) return
    if (Buffer.byteLength(content) > MAX_BYTES) {
      this.complain([], 'is larger than 1 MiB', 'split it')
      return
    }
    this.#content = content
    const document = parseDocument(content, {
      lineCounter: this.#lines,
      stringKeys: true,
      prettyErrors: false,
      merge: false,
      version: '1.2',
    })
    this.#document = document
    for (const error of [...document.errors, ...document.warnings]) {
      this.#add(error.pos[0], '', yamlProblem(error.code, error.message), error.code === 'DUPLICATE_KEY' ? 'keep one of them' : null)
    }
    if (document.errors.some(error => error.code !== 'DUPLICATE_KEY')) return
    if (surroundings !== null) this.#fill(surroundings)
    try {
      this.value = document.toJS({ maxAliasCount: MAX_ALIASES })
    } catch {
      this.complain([], 'has too many aliases, or aliases of aliases', `at most ${MAX_ALIASES} are followed`)
    }
  }

  /** Whether nothing is wrong at or below this path. */
  isClean(path: Path): boolean {
    const text = pathText(path)
    return !this.problems.some(({ path: p }) => p === text || (p.startsWith(text) && /^[.[]/.test(p.slice(text.length))))
  }

  /** The file, as it is written, whose text is the value at this path; null: it is something else. */
  fileOf(path: Path): string | null {
    const text = pathText(path)
    return this.#overridden.includes(text) ? null : (this.#files.get(text) ?? null)
  }

  /** Puts a value in place of what the file says. */
  override(path: Path, value: unknown): void {
    if (typeof this.value !== 'object' || this.value === null) return
    let here = this.value as Record<string | number, unknown>
    for (const [i, part] of path.slice(0, -1).entries()) {
      const next = Object.hasOwn(here, part) ? here[part] : undefined
      here = (typeof next === 'object' && next !== null ? next : (here[part] = typeof path[i + 1] === 'number' ? [] : {})) as typeof here
    }
    here[path.at(-1)!] = value
    this.#overridden.push(pathText(path))
  }

  complainOf(file: string, path: string, problem: string, hint: string | null): void {
    this.problems.push({ file, line: 1, col: 1, path, problem, hint })
  }

  complain(path: Path, problem: string, hint: string | null = null): void {
    this.#add(this.#offset(path), pathText(path), problem, hint)
  }

  /** Complains of the value at `path` where its text is wrong, if it stands in the file as it is. @param offset into `text` */
  complainWithin(path: Path, text: string, offset: number, problem: string, hint: string | null): void {
    const start = this.#offset(path)
    const within = this.#content.slice(start, start + text.length + 2).indexOf(text)
    this.#add(within < 0 ? start : start + within + offset, pathText(path), problem, hint)
  }

  /** All problems, in the order of the file. */
  sorted(): Problem[] {
    return this.problems.sort((a, b) => a.line - b.line || a.col - b.col)
  }

  /** Where the value at this path stands, or the nearest thing around it. */
  where(path: Path): Pick<Problem, 'line' | 'col'> {
    return this.#position(this.#offset(path))
  }

  /** Complains of everything in which the value differs from the schema. Returns whether it has the shape. */
  check(schema: z.ZodType): boolean {
    if (this.value === undefined) return false
    let result = schema.safeParse(this.value)
    if (!result.success && this.#retype(result.error)) result = schema.safeParse(this.value)
    if (result.success) return true
    for (const { path, problem, hint, key } of shapeProblems(result.error.issues, this.value, schema)) {
      const at = pathText(key === null ? path : [...path, key])
      if (this.problems.some(p => p.path === at)) continue
      this.#add(key === null ? this.#offset(path) : this.#keyOffset(path, key), at, problem, hint)
    }
    return false
  }

  #read(): string | null {
    try {
      if (statSync(this.file).size > MAX_BYTES) {
        this.complain([], 'is larger than 1 MiB', 'split it')
        return null
      }
      return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(this.file))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      this.complain([], code === 'ENOENT' ? 'does not exist' : `cannot be read: ${code ?? 'it is not UTF-8'}`)
      return null
    }
  }

  #add(offset: number, path: string, problem: string, hint: string | null): void {
    const isSet = this.#overridden.some(o => path === o || (path.startsWith(o) && /^[.[]/.test(path.slice(o.length))))
    if (isSet) this.complainOf('--set', path, problem, hint)
    else {
      this.problems.push({ file: this.file, ...this.#position(offset), path, problem, hint })
    }
  }

  #position(offset: number): Pick<Problem, 'line' | 'col'> {
    const { line, col } = this.#lines.linePos(offset)
    return { line: line || 1, col: col || 1 }
  }

  /** Where the value at `path` stands, or the nearest thing around it. */
  #offset(path: Path): number {
    for (let n = path.length; n >= 0; n--) {
      const node = this.#document?.getIn(path.slice(0, n), true) as Node | undefined
      if (node?.range) return node.range[0]
    }
    return 0
  }

  #keyOffset(path: Path, key: string): number {
    const node = path.length === 0 ? this.#document?.contents : this.#document?.getIn(path, true)
    const pair = isMap(node) ? node.items.find(item => isScalar(item.key) && item.key.value === key) : undefined
    return (pair?.key as Scalar | undefined)?.range?.[0] ?? this.#offset(path)
  }

  #fill(surroundings: Surroundings): void {
    const document = this.#document!
    visit(document, {
      Scalar: (key, node, ancestors) => {
        if (key === 'key' || typeof node.value !== 'string' || !node.value.includes('${')) return
        const path = pathOf(node, ancestors)
        const filled = fill(node.value, surroundings, surroundings.isSecret(path))
        if (typeof filled === 'string') {
          this.#filled.add(pathText(path))
          const file = /^\$\{file:([^}]*)\}$/.exec(node.value)?.[1]
          if (file !== undefined) this.#files.set(pathText(path), file)
          node.value = filled
        } else this.#add(node.range?.[0] ?? 0, pathText(path), filled.problem, filled.hint)
      },
    })
  }

  /** Gives numbers and booleans that came from `${…}` the type that the schema expects. */
  #retype(error: z.ZodError): boolean {
    let changed = false
    for (const issue of error.issues) {
      const path = issue.path as Path
      if (issue.code !== 'invalid_type' && issue.code !== 'invalid_union') continue
      if (!this.#filled.has(pathText(path))) continue
      const text = at(this.value, path)
      const value = text === 'true' ? true : text === 'false' ? false : /^\d{1,15}$/.test(String(text)) ? Number(text) : undefined
      if (value === undefined) continue
      const parent = at(this.value, path.slice(0, -1)) as Record<string | number, unknown>
      parent[path.at(-1)!] = value
      changed = true
    }
    return changed
  }
}

/** What stands at a path in plain values. */
export function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (v, part) => (typeof v === 'object' && v !== null ? (v as Record<string | number, unknown>)[part] : undefined),
    value,
  )
}

function pathOf(node: Node, ancestors: readonly unknown[]): Path {
  const chain = [...ancestors, node]
  return chain.flatMap((here, i): (string | number)[] => {
    if (isPair(here)) return [String((here.key as Scalar).value)]
    return isSeq(here) ? [here.items.indexOf(chain[i + 1])] : []
  })
}

/** Replaces `${VAR}`, `${VAR:-default}` and `${file:path}`; `$${` stands for `${`. */
function fill(text: string, from: Surroundings, secret: boolean): string | { problem: string; hint: string | null } {
  let wrong: { problem: string; hint: string | null } | null = null
  const filled = text.replace(/\$\$\{|\$\{([^}]*)\}/g, (all, inside: string | undefined) => {
    if (inside === undefined) return '${'
    const value = lookUp(inside, from, secret)
    if (typeof value === 'string') return value
    wrong ??= value
    return all
  })
  return wrong ?? (secret && filled === '' ? { problem: 'this secret is empty', hint: 'an empty secret is never meant' } : filled)
}

function lookUp(inside: string, from: Surroundings, secret: boolean): string | { problem: string; hint: string | null } {
  if (inside.startsWith('file:')) {
    try {
      return from.readFile(inside.slice(5)).replace(/\r?\n$/, '')
    } catch (error) {
      return { problem: `cannot read the file of \${${inside}}`, hint: (error as NodeJS.ErrnoException).code ?? null }
    }
  }
  const [, name, fallback] = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s.exec(inside) ?? []
  if (name === undefined) return { problem: `\${${inside}} is not understood`, hint: `write \${VAR}, \${VAR:-default} or \${file:path}` }
  if (secret && fallback !== undefined) return { problem: 'a secret may have no default', hint: `write \${${name}} or \${file:path}` }
  const value = from.env[name]
  if (value !== undefined && (value !== '' || fallback === undefined)) return value
  return (
    fallback ?? { problem: `the environment variable ${name} is not set`, hint: secret ? null : `set it, or write \${${name}:-default}` }
  )
}

function yamlProblem(code: string, message: string): string {
  if (code === 'DUPLICATE_KEY') return 'this key stands twice in one map'
  if (code === 'MULTIPLE_DOCS') return 'holds more than one document'
  const line = message.split('\n')[0]!
  return `is not YAML: ${line.charAt(0).toLowerCase()}${line.slice(1)}`
}
