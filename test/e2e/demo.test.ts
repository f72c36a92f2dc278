// The demo is the first thing that people run: every line comes out as expected, tokens can be had by hand, Ctrl-C ends it all.

import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

const root = join(import.meta.dirname, '..', '..')

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
