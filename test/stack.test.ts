// The parts that scripts get once: whoever waits for one is told so, and what is there is whole.

import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { once } from '../scripts/stack/cache.ts'

const home = mkdtempSync(join(tmpdir(), 'topicgate-stack-'))
const before = process.env['TOPICGATE_STACK']
process.env['TOPICGATE_STACK'] = home
after(() => {
  if (before === undefined) delete process.env['TOPICGATE_STACK']
  else process.env['TOPICGATE_STACK'] = before
  rmSync(home, { recursive: true })
})

test('while a part is got, a line every ten seconds says how long it has taken, and none does so afterwards', async t => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const said: string[] = []
  t.mock.method(process.stderr, 'write', (line: string) => said.push(line.trimEnd()))

  const folder = await once('part-1', 'Part 1', async draft => {
    t.mock.timers.tick(9_999)
    assert.equal(said.length, 1)
    t.mock.timers.tick(10_001)
    writeFileSync(join(draft, 'file'), '')
  })
  t.mock.timers.tick(60_000)
  await once('part-1', 'Part 1', async () => assert.fail('it is there'))

  assert.deepEqual(
    said.map(line => line.replace(/\d+\.\d s$/, 'n s')),
    ['stack: Part 1: getting it (once)', 'stack: Part 1: 0 s so far', 'stack: Part 1: 0 s so far', 'stack: Part 1: ready after n s'],
  )
  assert.deepEqual(readdirSync(folder), ['file'])
})

test('a part that cannot be got is not there, and nobody is told that it is on its way', async t => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const said: string[] = []
  t.mock.method(process.stderr, 'write', (line: string) => said.push(line))

  await assert.rejects(
    once('part-2', 'Part 2', async () => {
      throw new Error('no network')
    }),
    /no network/,
  )
  t.mock.timers.tick(60_000)

  assert.equal(said.length, 1)
  assert.ok(!existsSync(join(home, 'part-2')))
})
