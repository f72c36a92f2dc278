// `policy watch` as people run it, on a real OpenFGA: one of two leads, a killed one is replaced in mid-apply, and the store ends as the policy.

import assert from 'node:assert/strict'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { dataFolder, type Part, startPart } from '../../scripts/stack/part.ts'
import { OpenFgaStore } from '../../src/policy/openfga-client.ts'
import { shippedModel } from '../../src/policy/openfga-model.ts'
import { startFaultyOpenFga } from '../fakes/faulty-openfga.ts'
import { sharedOpenFga } from '../parts.ts'
import { configText, topicgate } from './command.ts'

const server = await sharedOpenFga()
const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts')
const LEASE = '1500ms'

const policyOf = (count: number, topic = 't') =>
  `version: 1\ngrants:\n${Array.from({ length: count }, (_, i) => `  - { id: g${i}, to: "service:s${i}", allow: produce, topics: ["${topic}${i}.*"] }\n`).join('')}`

/** A store, and a folder with a configuration and a policy for it. */
async function world(policy: string, model = shippedModel()) {
  const { store, model: made } = await server.createStore('policy-watch-test', model)
  const folder = dataFolder('watch')
  const policyFile = join(folder, 'policy.yaml')
  const setPolicy = (text: string) => {
    writeFileSync(`${policyFile}.next`, text)
    renameSync(`${policyFile}.next`, policyFile)
  }
  setPolicy(policy)
  const config = join(folder, 'topicgate.yaml')
  writeFileSync(
    config,
    `${configText('https://issuer.example', 'policy.yaml')}authorizer: { engine: openfga, openfga: { url: "${server.url}", store: ${store} } }\n`,
  )
  const tuplesOf = async (object: string) => (await server.call('POST', `/stores/${store}/read`, { tuple_key: { object } })).tuples
  const count = async () => {
    let tuples = 0
    for await (const _ of new OpenFgaStore({ url: server.url, token: null }, store, made, 5_000).tuples()) tuples++
    return tuples
  }
  return { store, config, setPolicy, count, tuplesOf }
}

/** One watcher and what it says, as objects. */
function watch(t: TestContext, config: string, ...more: string[]) {
  const args = [MAIN, 'policy', 'watch', '-c', config, '--json', '--lease', LEASE, '--every', '1s', ...more]
  const part: Part = startPart('watch', process.execPath, args, { folder: dataFolder('watcher') })
  t.after(() => part.kill())
  const events = () =>
    readFileSync(part.logFile, 'utf8')
      .split('\n')
      .filter(line => line.startsWith('{'))
      .map(line => JSON.parse(line))
  const said = async (event: string, count = 1) => {
    for (;;) {
      const found = events().filter(one => one.event === event)
      if (found.length >= count) return found[count - 1]
      if (!part.running) throw new Error(`the watcher has ended: ${readFileSync(part.logFile, 'utf8')}`)
      await sleep(25)
    }
  }
  return { part, events, said }
}

const planOf = async (config: string) => JSON.parse((await topicgate('policy', 'plan', '-c', config, '--json')).stdout)

test('a watcher that is killed in mid-apply is replaced, and what it began is finished', { timeout: 120_000 }, async t => {
  const { config, count } = await world(policyOf(60))
  const way = await startFaultyOpenFga(server.url)
  t.after(() => way.stop())
  const hung = way.hangAt('write', 3)

  const first = watch(t, config, '--set', `authorizer.openfga.url=${way.url}`)
  await first.said('leading')
  await hung
  // Before the second one starts, since it takes over after a lease without a sign of life.
  const begun = await count()
  const second = watch(t, config)
  assert.match((await second.said('following')).leader, /-[0-9a-f]{8}$/)
  await first.part.kill()
  const { written } = await second.said('applied')
  const whole = await count()

  assert.ok(begun > 90 && begun < whole / 2, `${begun} of ${whole} tuples`)
  assert.equal(begun + written, whole)
  assert.deepEqual(await planOf(config), { grants: [], unchanged: 60, removedShare: 0 })
})

test('a leader that was held up writes nothing more once another leads, though it wanted to write something else', {
  timeout: 120_000,
}, async t => {
  const { config, store } = await world(policyOf(60))
  const other = join(dataFolder('other'), 'policy.yaml')
  writeFileSync(other, policyOf(60, 'other'))
  const way = await startFaultyOpenFga(server.url)
  t.after(() => way.stop())
  const hung = way.hangAt('write', 3)
  const first = watch(t, config, other, '--set', `authorizer.openfga.url=${way.url}`)
  await hung
  process.kill(-first.part.pid, 'SIGSTOP')
  const second = watch(t, config, '--yes')
  await second.said('applied')

  way.set('none')
  process.kill(-first.part.pid, 'SIGCONT')
  await first.said('following')

  assert.deepEqual(await planOf(config), { grants: [], unchanged: 60, removedShare: 0 })
  const { tuples } = await server.call('POST', `/stores/${store}/read`, { tuple_key: { relation: 'turn', object: 'ledger:main/policy' } })
  assert.equal(tuples.length, 1)
  await second.part.stop()
  await first.said('leading', 2)
})

test('changed files are applied; a bad one, or one that takes too much away, leaves the store as it is; drift is mended', {
  timeout: 120_000,
}, async t => {
  const { config, store, setPolicy, tuplesOf } = await world(policyOf(10))
  const { part, said, events } = watch(t, config)
  await said('applied')

  setPolicy(policyOf(11))
  const added = await said('applied', 2)
  setPolicy('version: 1\ngrants: [{ id: x }]\n')
  const bad = await said('failed')
  setPolicy(policyOf(2))
  const withheld = await said('withheld')
  const kept = (await tuplesOf('grant:main/g9')).length
  setPolicy(policyOf(11))
  await server.call('POST', `/stores/${store}/write`, {
    deletes: { tuple_keys: [{ user: 'service:corp/s3', relation: 'holder', object: 'grant:main/g3' }] },
  })
  const mended = await said('applied', 3)

  assert.deepEqual(
    [added, mended].map(({ plan }) => plan.grants.map(({ id, change }: any) => `${id} ${change}`)),
    [['g10 added'], ['g3 changed']],
  )
  assert.match(bad.why, /policy refused, the one before stays: .*policy\.yaml:2:1/)
  assert.ok(withheld.plan.removedShare > 0.7)
  assert.equal(kept, 2)
  assert.deepEqual(await planOf(config), { grants: [], unchanged: 11, removedShare: 0 })
  const started = Date.now()
  await part.stop()
  assert.ok(Date.now() - started < 10_000)
  assert.equal(events().filter(({ event }) => event === 'leading').length, 1)
})

test('a store whose model has no ledger is refused with the code of an invalid configuration, until it gets the one that is shipped', async t => {
  const model = shippedModel() as { type_definitions: { type: string }[] }
  const without = { ...model, type_definitions: model.type_definitions.filter(({ type }) => type !== 'ledger') }
  const { config, store } = await world(policyOf(1), without)
  const { status, stderr } = await topicgate('policy', 'watch', '-c', config)
  assert.equal(status, 3)
  assert.match(stderr, /has no ledger#cluster, ledger#turn/)
  assert.equal((await topicgate('policy', 'watch', '-c', config, '--lease', '1')).status, 2)
  const given = await topicgate('policy', 'init-store', '--url', server.url, '--store', store, '--json')
  const answer = JSON.parse(given.stdout)
  assert.equal(answer.store, store)
  await watch(t, config, '--set', `authorizer.openfga.model=${answer.model}`).said('applied')
})
