// A store that stands alone: with the engine openfga and no policy named, none need be there; everywhere else a policy that is missing is an error.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { OpenFgaStore } from '../../src/policy/openfga-client.ts'
import { shippedModel } from '../../src/policy/openfga-model.ts'
import { sharedOpenFga } from '../parts.ts'
import { configText, files, topicgate } from './command.ts'

const NAMED = configText('https://id.example.com', 'policy.yaml')
const UNNAMED = NAMED.replace('policy: policy.yaml\n', '')
const openfga = (more = '') =>
  `authorizer: { engine: openfga, openfga: { url: "http://127.0.0.1:1", store: 01ARZ3NDEKTSV4RRFFQ69G5FAV${more} } }\n`

const folder = (t: TestContext, config: string): string =>
  files(t, { 'topicgate.yaml': config })['topicgate.yaml']!.slice(0, -'topicgate.yaml'.length)

test('validate takes no policy for an empty one with a store alone, and says so', async t => {
  const at = folder(t, UNNAMED + openfga())
  const validate = async (...more: string[]) => {
    const { status, stdout, stderr } = await topicgate('validate', '-c', `${at}topicgate.yaml`, ...more)
    return [status, stdout + stderr.replaceAll(at, '')]
  }
  const missing = [3, 'ok  config\npolicy.yaml:1:1  .  does not exist\nnot ok  policy  1 problem\n']

  assert.deepEqual(await validate(), [0, 'ok  config\nok  policy  there is none: the store stands alone\nok  policy tests\n'])
  assert.deepEqual(await validate('--set', 'policy=policy.yaml'), missing)
  assert.deepEqual(await validate('--set', 'authorizer.engine=embedded'), missing)
  assert.deepEqual(await validate('--set', 'authorizer.openfga.apply=auto'), missing)
  symlinkSync('nowhere.yaml', `${at}policy.yaml`)
  assert.deepEqual(await validate(), missing)
  rmSync(`${at}policy.yaml`)
  writeFileSync(`${at}policy.yaml`, 'version: 1\nrulez: []\n')
  assert.deepEqual(await validate(), [
    3,
    'ok  config\npolicy.yaml:2:1  rulez  unknown key  did you mean rules?\nnot ok  policy  1 problem\n',
  ])
})

test('without a store a policy that is not named is missed as before', async t => {
  const at = folder(t, UNNAMED)

  const { status, stderr } = await topicgate('validate', '-c', `${at}topicgate.yaml`)

  assert.deepEqual([status, stderr.replaceAll(at, '')], [3, 'policy.yaml:1:1  .  does not exist\nnot ok  policy  1 problem\n'])
})

test('what would bring a store to its policy wants one: no policy would take every grant away', async t => {
  const at = folder(t, UNNAMED + openfga())

  for (const command of ['plan', 'apply', 'test']) {
    const { status, stderr } = await topicgate('policy', command, '-c', `${at}topicgate.yaml`)
    assert.deepEqual([status, stderr.replaceAll(at, '')], [3, 'policy.yaml:1:1  .  does not exist\n'], command)
  }
})

test('a gate runs by relationships alone, and takes up a policy that comes later', async t => {
  const server = await sharedOpenFga()
  const { store, model } = await server.createStore('alone', shippedModel())
  const reader = { user: 'service:corp/etl', relation: 'reader', object: 'topic:main/acme.events' }
  await new OpenFgaStore({ url: server.url, token: null }, store, model, 5_000).write([], [reader])
  const issuer = await startDevIssuer()
  t.after(() => issuer.stop())
  const engine = `authorizer: { engine: openfga, openfga: { url: "${server.url}", store: ${store}, model: ${model} } }\n`
  const config = UNNAMED.replace('https://id.example.com', issuer.settings('corp').issuer)
  const at = folder(t, `${config + engine}workers: 1\n`)
  const explained = async () => {
    const asked = ['--as', 'service:etl', '--operation', 'read', '--topic', 'acme.events', '--json']
    const { stdout, stderr } = await topicgate('explain', '-c', `${at}topicgate.yaml`, ...asked)
    assert.equal(stderr, '')
    const { verdict, reason } = JSON.parse(stdout)
    return [verdict, reason]
  }

  assert.deepEqual(await explained(), ['allowed', 'relationship'])
  const child = spawn(process.execPath, ['src/main.ts', 'run', '-c', `${at}topicgate.yaml`], { stdio: ['ignore', 'ignore', 'pipe'] })
  t.after(() => child.kill('SIGKILL'))
  const ended = once(child, 'close')
  let said = ''
  child.stderr.setEncoding('utf8').on('data', text => (said += text))
  const says = async (what: RegExp) => {
    while (!what.test(said)) {
      assert.equal(child.exitCode, null, said)
      await Promise.race([once(child.stderr, 'data'), ended])
    }
  }
  await says(/^policy none, the store stands alone {2}generation 1 {2}0 grants {2}0 rules /m)
  await says(/^ready$/m)
  writeFileSync(`${at}policy.yaml`, 'version: 1\nrules: [{ id: closed, deny: read, topics: ["acme.*"] }]\n')
  await says(/"generation":2.*"policy replaced"/)
  assert.deepEqual(await explained(), ['refused', 'rule'])
  rmSync(`${at}policy.yaml`)
  await says(/policy refused: the one in force stays/)
  child.kill('SIGTERM')
  assert.deepEqual(await ended, [0, null])
})
