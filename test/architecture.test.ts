// The house rules that a machine can see: floors, first lines, what the data path may not use, nothing of one machine.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '..')
/** From the top down: a file imports from its own floor and from those after it. */
const floors = ['main', 'cli', 'proxy', 'policy', 'auth', 'protocol', 'base']

const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter(file => file !== '')
const texts = new Map<string, string>()

function textOf(file: string): string {
  let text = texts.get(file)
  if (text === undefined) texts.set(file, (text = readFileSync(join(root, file), 'utf8')))
  return text
}

function filesIn(...folders: string[]): string[] {
  return tracked.filter(file => file.endsWith('.ts') && folders.some(folder => file.startsWith(`${folder}/`)))
}

/** The floor of a file in src: its folder, or its own name at the top. */
function floorOf(file: string): number {
  return floors.indexOf(relative('src', file).split('/')[0].replace(/\.ts$/, ''))
}

function importsOf(file: string): string[] {
  const found = textOf(file).matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g)
  return [...found].map(match => match[1])
}

test('every file in src stands on a floor', () => {
  assert.deepEqual(
    filesIn('src').filter(file => floorOf(file) < 0),
    [],
  )
})

test('imports only run down', () => {
  const climbing: string[] = []
  for (const file of filesIn('src')) {
    for (const imported of importsOf(file).filter(name => name.startsWith('.'))) {
      const target = normalize(join(dirname(file), imported))
      if (!target.startsWith('src/') || floorOf(target) < floorOf(file)) climbing.push(`${file} imports ${imported}`)
    }
  }
  assert.deepEqual(climbing, [])
})

test('the protocol floor imports no package', () => {
  const packages = filesIn('src/protocol').flatMap(file => importsOf(file).map(name => `${file} imports ${name}`))
  assert.deepEqual(
    packages.filter(line => !/imports (\.|node:)/.test(line)),
    [],
  )
})

test('relative imports say .ts', () => {
  const without = filesIn('src', 'test', 'scripts', 'bench').flatMap(file =>
    importsOf(file)
      .filter(name => name.startsWith('.') && !/\.(ts|json)$|\$\{/.test(name))
      .map(name => `${file} imports ${name}`),
  )
  assert.deepEqual(without, [])
})

test('no file in src has more than 300 lines', () => {
  assert.deepEqual(
    filesIn('src').filter(file => textOf(file).split('\n').length > 301),
    [],
  )
})

test('every file begins by saying what it is for', () => {
  const written = filesIn('src', 'test', 'scripts', 'bench').filter(file => !/^src\/protocol\/messages\/\d/.test(file))
  const silent = written.filter(file => !/^(#!.*\n)?(\/\/|\/\*\*) [A-Za-z`]\S* \S/.test(textOf(file)))
  assert.deepEqual(silent, [])
})

/** What would cost a copy, a promise or an object for each frame. */
const forbidden = [/\bBuffer\.concat\b/, /\bfor await\b/, /\breadBig(U)?Int64/, /\bnew Function\b/, /\beval\(/]
/** Files of the two floors that no request or response of a client passes through. */
const offTheDataPath = new Map([
  ['src/protocol/encode.ts', 'writes answers and our own requests'],
  ['src/proxy/arrival.ts', 'ends where the first frame begins'],
  ['src/protocol/codec.ts', 'decodes and encodes fragments, answers and our own requests'],
])

test('the data path copies, waits and allocates nothing for each frame', () => {
  const found: string[] = []
  for (const file of filesIn('src/proxy', 'src/protocol', 'src/policy/special')) {
    if (offTheDataPath.has(file)) continue
    // What is refused or rewritten is joined there, for the requests that have it.
    const here = file.startsWith('src/policy/special/') ? forbidden.slice(1) : forbidden
    for (const pattern of here) if (pattern.test(textOf(file))) found.push(`${file}: ${pattern.source}`)
  }
  assert.deepEqual(found, [])
})

test('nothing names a place on one machine', () => {
  // Written apart, so that this file does not find itself.
  const places = new RegExp(['/ro' + 'ot/', '/wo' + 'rk/', '/tm' + 'p/brief', '/ho' + 'me/[a-z]+/', '/Us' + 'ers/'].join('|'))
  const texts = tracked.filter(file => !/\.(jsonl|png|jar|bin)$/.test(file))
  const found = texts.filter(file => places.test(textOf(file)))
  assert.deepEqual(found, [])
})
