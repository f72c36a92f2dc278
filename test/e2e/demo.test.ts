// The demo is the first thing that people run: every line comes out as expected, tokens can be had by hand, Ctrl-C ends it all.

import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { line } from '../../scripts/demo/table.ts'

const root = join(import.meta.dirname, '..', '..')

test('the whole demo, with Keycloak and OpenFGA, ends by itself once every line has come out as expected', {
  timeout: 180_000,
}, async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [join(root, 'scripts', 'demo.ts'), '--once', '--full'])

  assert.equal(stdout.split('\n').filter(text => /^ {2}✓/.test(text)).length, 9, stdout)
  assert.match(stdout, /^Starting Keycloak/m)
  assert.match(stdout, /^Every line came out as expected\.$/m)
})

test('a line that comes out otherwise is marked, and says what was expected', t => {
  const written = t.mock.method(process.stdout, 'write', () => true)
  const row = { who: 'orders', does: 'produces', expected: 'refused', actual: 'allowed', proof: 'at offset 3' } as const

  assert.deepEqual([line(row), line({ ...row, actual: 'refused' })], [false, true])

  const [wrong, right] = written.mock.calls.map(call => String(call.arguments[0]))
  assert.match(wrong!, /✗ orders .* at offset 3 {3}\(expected: refused\)\n$/)
  assert.match(right!, /✓ orders /)
})

test('the demo shows what it promises, lends tokens while it is up, and ends with Ctrl-C', async t => {
  const demo = spawn(process.execPath, [join(root, 'scripts', 'demo.ts')], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => demo.kill('SIGTERM'))
  let shown = ''
  const up = new Promise<void>((resolve, reject) => {
    demo.stdout.setEncoding('utf8').on('data', text => {
      shown += text
      if (shown.includes('--from-beginning')) resolve()
    })
    demo.once('exit', code => reject(new Error(`the demo ended with ${code}:\n${shown}`)))
  })
  await up

  const lines = shown.split('\n').filter(text => /^ {2}[✓✗]/.test(text))
  assert.equal(lines.filter(text => text.includes('✓')).length, 9, shown)
  assert.equal(new Set(lines.slice(-3).map(text => /connection (\S+?),?(?: |$)/.exec(text)?.[1])).size, 1, 'one connection')
  assert.equal(lines.filter(text => /decision [0-9A-Z]{26}/.test(text)).length, 3, 'refusals name their decision')
  const token = await promisify(execFile)(process.execPath, [join(root, 'src', 'main.ts'), 'demo', 'token', '--as', 'orders'])
  assert.match(token.stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/)

  demo.kill('SIGINT')
  const [code] = await once(demo, 'exit')
  assert.equal(code, 0)
})
