// What zod found wrong with a value, in words for the person who wrote it.

import { z } from 'zod'
import type { Path } from './errors.ts'
import { meant } from './errors.ts'

export interface ShapeProblem {
  readonly path: Path
  /** The key below `path` that is meant, or null: the value at `path`. */
  readonly key: string | null
  readonly problem: string
  readonly hint: string | null
}

type Issue = z.core.$ZodIssue

/** @param schema what the value was held against, for the names that would have been known */
export function shapeProblems(issues: readonly Issue[], value: unknown, schema: z.ZodType): ShapeProblem[] {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' })
  return issues.flatMap(issue => problemsOf(issue, [], value, json))
}

function problemsOf(issue: Issue, above: Path, root: unknown, json: Json): ShapeProblem[] {
  const path = [...above, ...(issue.path as Path)]
  const found = valueAt(root, path)
  const one = (problem: string, hint: string | null = null): ShapeProblem[] => [{ path, key: null, problem, hint }]
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map(key => ({ path, key, problem: 'unknown key', hint: meant(key, knownKeys(json, path)) }))
    case 'invalid_type':
      return found === undefined ? missing(path) : one(`must be ${article(issue.expected)}, not ${typeName(found)}`)
    case 'invalid_value':
      if (found === undefined) return missing(path)
      if (issue.values.length === 1) return one(`must be ${String(issue.values[0])}`)
      return one(`${show(found)} is not known here`, meant(String(found), issue.values.map(String)))
    case 'invalid_union':
      return found === undefined ? missing(path) : unionProblems(issue, path, root, json)
    case 'invalid_key':
      return [
        {
          path: path.slice(0, -1),
          key: String(path.at(-1)),
          problem: 'this key has the wrong form',
          hint: issue.issues[0]?.message ?? null,
        },
      ]
    case 'too_small':
      return one(issue.origin === 'array' || issue.origin === 'string' ? 'must not be empty' : `must be at least ${issue.minimum}`)
    case 'too_big':
      return one(issue.origin === 'string' ? `is longer than ${issue.maximum} characters` : `must be at most ${issue.maximum}`)
    default: {
      const [problem, hint] = issue.message.split(' | ')
      return one(problem!, hint ?? null)
    }
  }
}

/** The problems of the branch that the writer most likely meant: the one that reached deepest before it failed. */
function unionProblems(issue: Extract<Issue, { code: 'invalid_union' }>, path: Path, root: unknown, json: Json): ShapeProblem[] {
  const shaped = issue.errors.filter(branch => !branch.some(i => i.code === 'invalid_type' && i.path.length === 0))
  const best = shaped.filter(branch => branch.some(i => i.code !== 'invalid_value' || i.path.length > 0))
  const chosen = best.sort((a, b) => a.length - b.length)[0]
  if (chosen !== undefined) return chosen.flatMap(i => problemsOf(i, path, root, json))
  const found = valueAt(root, path)
  const words = issue.errors.flatMap(branch => branch.flatMap(i => (i.code === 'invalid_value' ? i.values.map(String) : [])))
  if (words.length > 0 && shaped.length > 0)
    return [{ path, key: null, problem: `${show(found)} is not known here`, hint: meant(String(found), words) }]
  const expected = issue.errors.flatMap(branch =>
    branch.flatMap(i => (i.code === 'invalid_type' ? [article(i.expected)] : i.code === 'invalid_value' ? i.values.map(String) : [])),
  )
  return [{ path, key: null, problem: `must be ${[...new Set(expected)].join(' or ')}, not ${typeName(found)}`, hint: null }]
}

const missing = (path: Path): ShapeProblem[] => [
  { path: path.slice(0, -1), key: typeof path.at(-1) === 'string' ? String(path.at(-1)) : null, problem: 'is missing', hint: null },
]

type Json = { readonly [key: string]: any }

/** The keys that the schema knows at a path, in any of its branches. */
function knownKeys(json: Json, path: Path): string[] {
  let here: Json[] = branches(json)
  for (const part of path) {
    here = here.flatMap(branch => {
      const next =
        typeof part === 'number'
          ? (branch['prefixItems']?.[part] ?? branch['items'])
          : (branch['properties']?.[part] ?? branch['additionalProperties'])
      return typeof next === 'object' && next !== null ? branches(next) : []
    })
  }
  return [...new Set(here.flatMap(branch => Object.keys(branch['properties'] ?? {})))]
}

const branches = (json: Json): Json[] => [
  json,
  ...[...(json['anyOf'] ?? []), ...(json['oneOf'] ?? []), ...(json['allOf'] ?? [])].flatMap(branches),
]

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (v, part) => (typeof v === 'object' && v !== null && Object.hasOwn(v, part) ? (v as any)[part] : undefined),
    value,
  )
}

function typeName(value: unknown): string {
  if (value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  return article(typeof value)
}

function article(type: string): string {
  switch (type) {
    case 'string':
      return 'text'
    case 'object':
    case 'record':
      return 'a map'
    case 'array':
      return 'a list'
    case 'boolean':
      return 'true or false'
    case 'int':
      return 'a whole number'
    default:
      return `a ${type}`
  }
}

function show(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value))
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}
