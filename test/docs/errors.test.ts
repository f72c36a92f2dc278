// docs/errors.md is complete: whatever the code can send or log stands there.

import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { ErrorCode } from '../../src/protocol/error-codes.ts'

const page = readFileSync('docs/errors.md', 'utf8')
const sources = globSync('src/{auth,base,cli,policy,proxy}/**/*.ts').map(file => readFileSync(file, 'utf8'))

function found(pattern: RegExp, texts = sources): string[] {
  return [...new Set(texts.flatMap(text => [...text.matchAll(pattern)].map(match => match[1]!)))].sort()
}

const section = (title: string): string => page.split('\n## ').find(part => part.startsWith(`${title}\n`))!

test('every error of Kafka that can be sent stands in docs/errors.md, with its code', () => {
  const names = found(/\b([A-Z][A-Z0-9_]{3,})\b/g).filter(name => Object.hasOwn(ErrorCode, name) && name !== 'NONE')
  const missing = names.filter(name => {
    const code = ErrorCode[name as keyof typeof ErrorCode]
    return !page.includes(`| ${String(code).replace('-', '−')} | ${name} |`)
  })
  assert.ok(names.length > 10)
  assert.deepEqual(missing, [])
})

test('every cause of a closed connection stands in docs/errors.md', () => {
  const proxy = globSync('src/proxy/**/*.ts').map(file => readFileSync(file, 'utf8'))
  const logins = found(/'([^']+)'/g, found(/readonly close: null \|([^\n]+)/g))
  const causes = [
    ...found(/\.(?:close|finish|brokerEnded)\(\s*'([^']+)'/g, proxy),
    ...found(/\.closed\([^;]*?, null, '([^']+)'/g, proxy),
    ...found(/new Refusal\('([^']+)'/g, proxy),
    ...found(/\bcause: '([^']+)'/g),
    ...logins,
  ]
  assert.ok(causes.length > 8)
  assert.equal(logins.length, 4)
  const told = section('Why a connection was closed')
  assert.deepEqual(
    causes.filter(cause => !told.includes(`\`${cause}\``)),
    [],
  )
})

test('every reason of a decision stands in docs/errors.md', () => {
  const verdicts = readFileSync('src/policy/verdicts.ts', 'utf8')
  const written = found(/\breason: '([^']+)'/g, [readFileSync('src/proxy/session-log.ts', 'utf8')])
  const reasons = [
    ...found(/reason\(\w+, '([^']+)'/g, [verdicts]),
    ...found(/why: '([^']+)'/g, [verdicts]),
    ...found(/\? '([^']+)' : '/g, [verdicts]),
    ...written,
  ]
  assert.ok(reasons.length > 6)
  assert.ok(written.length > 0)
  const told = section('Why a decision came out')
  assert.deepEqual(
    reasons.filter(reason => !told.includes(`\`${reason}\``)),
    [],
  )
})

test('every code of an exception stands in docs/errors.md', () => {
  const codes = found(/code = '([A-Z_]+)'/g, [...sources, ...globSync('src/protocol/*.ts').map(file => readFileSync(file, 'utf8'))])
  assert.deepEqual(
    codes.filter(code => !page.includes(`\`${code}\``)),
    [],
  )
})
