// docs/policy-guide.md is run: its files are written, its commands print what stands there, its relationships are written to a store.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import type { Tuple } from '../../src/policy/grant-tuples.ts'
import { OpenFgaStore } from '../../src/policy/openfga-client.ts'
import { shippedModel } from '../../src/policy/openfga-model.ts'
import { sharedOpenFga } from '../parts.ts'

const page = readFileSync('docs/policy-guide.md', 'utf8')
const blocks = [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language, text]) => ({ language: language!, text: text! }))

function run(args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<string> {
  const child = spawn(process.execPath, [resolve('src/main.ts'), ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (piece: string) => {
      text += piece
    })
  return new Promise((done, failed) => {
    child.on('error', failed)
    child.on('close', () => done(text))
  })
}

test('every file of the policy guide is good, and every command prints what stands there', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'topicgate-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const server = await sharedOpenFga()
  const { store, model } = await server.createStore('policy-guide', shippedModel())
  const env = { ...process.env, OPENFGA_URL: server.url, OPENFGA_STORE: store }
  let commands = 0
  for (const { language, text } of blocks) {
    if (language === 'console') {
      for (const [, command, output] of text.matchAll(/^\$ topicgate (.*)\n((?:(?!\$ ).*\n)*)/gm)) {
        commands++
        assert.equal(await run(command!.split(' '), folder, env), output, command)
      }
      continue
    }
    const [, name, content] = /^# (\S+)\n(.*)$/s.exec(text)!
    mkdirSync(dirname(join(folder, name!)), { recursive: true })
    writeFileSync(join(folder, name!), language === 'ndjson' ? content! : text)
    if (name === 'relationships.yaml') {
      await new OpenFgaStore({ url: server.url, token: null }, store, model, 5_000).write([], parse(content!) as Tuple[])
    } else if (/^(grants|rules):/m.test(content!)) {
      assert.match(await run(['policy', 'test', name!], folder, env), / 0 failed\n$/, name)
    }
  }
  assert.ok(commands >= 12)
})

test('the guide begins with ten lines', () => {
  const [first] = blocks
  assert.equal(first!.text.slice(0, first!.text.indexOf('tests:')).trimEnd().split('\n').length, 7)
  assert.ok(first!.text.trimEnd().split('\n').length - 1 === 10)
})
