// The YAML that security teams own: a file or a folder, read whole, checked strictly, all problems at once.

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import type { Problem } from '../base/errors.ts'
import { InvalidFileError } from '../base/errors.ts'
import { YamlFile } from '../base/yaml.ts'
import { checkDelegation } from './delegation.ts'
import type { Grant, PolicyDocument, PolicyTest, Rule, Shadow } from './policy-document.ts'
import { PolicyReader } from './policy-reader.ts'
import type { PolicyText } from './policy-schema.ts'
import { PolicySchema } from './policy-schema.ts'
import { Shared } from './policy-shared.ts'

/** What the configuration says that policy files refer to. */
export interface PolicyContext {
  /** null: not known, names of issuers and roles of organizations are not checked. */
  readonly issuers: readonly IssuerNames[] | null
  /** Names of listeners; absent: not known, and not checked. */
  readonly listeners?: readonly string[]
  readonly generation: number
}
export interface IssuerNames {
  readonly alias: string
  /** The roles in organizations that its configuration maps. */
  readonly organizationRoles: readonly string[]
}

export interface PolicySource {
  readonly file: string
  readonly text: string | null
  /** Its path below the policy folder, with /; absent: at the root. */
  readonly within?: string
  /** A file of tests beside the policy: it may grant and forbid nothing. */
  readonly testsOnly?: boolean
}

/** The files of a policy: the file itself, or every *.yaml of a folder and below, but for names that begin with a dot. */
export function policyFiles(path: string): string[] {
  let isFolder: boolean
  try {
    isFolder = statSync(path).isDirectory()
  } catch {
    return [path]
  }
  if (!isFolder) return [path]
  return readdirSync(path)
    .filter(name => !name.startsWith('.'))
    .sort()
    .flatMap(name => {
      const inside = join(path, name)
      return statSync(inside).isDirectory() || /\.ya?ml$/.test(basename(name)) ? policyFiles(inside) : []
    })
}

/** SHA-256 over names and contents, in hex. @throws when a file cannot be read */
export function policyHash(files: readonly string[]): string {
  const hash = createHash('sha256')
  const folder = commonFolder(files)
  for (const file of files) {
    const content = readFileSync(file)
    hash.update(`${relative(folder, file)}\0${content.length}\0`).update(content)
  }
  return hash.digest('hex')
}

/** The folder in which all of these lie: where it is itself says nothing about the policy. */
function commonFolder(files: readonly string[]): string {
  const [first = '', ...others] = files.map(file => resolve(file))
  let folder = dirname(first)
  while (others.some(file => relative(folder, file).startsWith('..'))) folder = dirname(folder)
  return folder
}

/** @param testPaths files or folders with tests alone. @throws {InvalidFileError} with all problems */
export function loadPolicy(path: string, context: PolicyContext, testPaths: readonly string[] = []): PolicyDocument {
  const files = policyFiles(path)
  if (files.length === 0)
    throw new InvalidFileError([{ file: path, line: 1, col: 1, path: '', problem: 'holds no *.yaml file', hint: null }])
  const beside = testPaths.flatMap(policyFiles).filter(file => !files.includes(file))
  const sources = [...files, ...beside].map(file => {
    const testsOnly = beside.includes(file)
    return { file, text: readText(file), testsOnly, within: testsOnly ? basename(file) : withinOf(path, file) }
  })
  return readPolicy(sources, context)
}

const NOT_IN_TESTS = ['grants', 'rules', 'shadow', 'delegate', 'require']

/** `teams/payments/cards.yaml` of a folder; the name of the file that is the whole policy. */
const withinOf = (path: string, file: string): string => (file === path ? basename(file) : relative(path, file).split(sep).join('/'))

function readText(file: string): string | null {
  try {
    const content = readFileSync(file)
    return content.length > 1024 * 1024 ? null : new TextDecoder('utf-8', { fatal: true }).decode(content)
  } catch {
    return null
  }
}

/** @throws {InvalidFileError} with all problems */
export function readPolicy(sources: readonly PolicySource[], context: PolicyContext): PolicyDocument {
  const problems: Problem[] = []
  const shared = new Shared()
  const readers: PolicyReader[] = []
  const hash = createHash('sha256')
  const folder = commonFolder(sources.map(({ file }) => file))
  for (const { file, text, testsOnly, within } of sources) {
    const yaml = new YamlFile(file, text)
    hash.update(`${relative(folder, file)}\0${Buffer.byteLength(text ?? '')}\0`).update(text ?? '')
    yaml.check(PolicySchema)
    const value = yaml.value
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const key of testsOnly ? NOT_IN_TESTS : []) {
        if (Object.hasOwn(value, key)) yaml.complain([key], 'may not stand in a file of tests', 'move it to the policy')
      }
      readers.push(new PolicyReader(yaml, value as PolicyText, shared, context, within ?? basename(file)))
    }
    problems.push(...(readers.at(-1)?.yaml === yaml ? [] : yaml.problems))
  }
  const grants: Grant[] = []
  const rules: Rule[] = []
  const shadows: Shadow[] = []
  const tests: PolicyTest[] = []
  const said = readers.map(reader => {
    const own = { grants: reader.grants(), rules: reader.rules(), shadows: reader.shadows(shadows.length) }
    grants.push(...own.grants)
    rules.push(...own.rules)
    shadows.push(...own.shadows)
    tests.push(...reader.tests())
    return { yaml: reader.yaml, within: reader.within, text: reader.text, pathOf: (item: object) => reader.pathOf(item), ...own }
  })
  checkDelegation(said)
  for (const { yaml } of said) problems.push(...yaml.problems)
  if (problems.length > 0) throw new InvalidFileError(problems.sort(byPlace))
  return {
    generation: context.generation,
    hash: hash.digest('hex'),
    files: sources.map(source => source.file),
    grants,
    rules,
    shadows,
    tests,
    people: Object.fromEntries([...shared.people].map(([name, { issuer, sub }]) => [name, { issuer, sub }])),
    readsAddress: shared.readsAddress,
  }
}

function byPlace(a: Problem, b: Problem): number {
  return a.file === b.file ? a.line - b.line || a.col - b.col : a.file < b.file ? -1 : 1
}
