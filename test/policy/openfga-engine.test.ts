// The OpenFGA engine with `apply: auto`: what a policy has lost is lost at once, and what others wrote meanwhile goes after it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { policyOf } from '../../scripts/measure/store-world.ts'
import { changesFor } from '../../src/policy/apply.ts'
import { Operation, Resource, Verdict } from '../../src/policy/authorizer.ts'
import { grantObject, nameObject } from '../../src/policy/encode.ts'
import { Names } from '../../src/policy/names.ts'
import { OpenFga } from '../../src/policy/openfga.ts'
import { OpenFgaStore } from '../../src/policy/openfga-client.ts'
import { OpenFgaEngine } from '../../src/policy/openfga-engine.ts'
import { shippedModel } from '../../src/policy/openfga-model.ts'
import { ALWAYS, type Grant } from '../../src/policy/policy-document.ts'
import { startFaultyOpenFga } from '../fakes/faulty-openfga.ts'
import { principalOf } from '../fakes/principal.ts'
import { until } from '../fakes/until.ts'
import { sharedOpenFga } from '../parts.ts'

const CLUSTER = 'main'
const APP = 'service:corp/app'

const grantOn = (id: string, prefix: string): Grant => ({
  ...ALWAYS,
  id,
  to: [{ kind: 'service', issuer: 'corp', name: 'app' }],
  covers: [{ resource: Resource.Topic, prefix: true, text: prefix, operations: 1 << Operation.Read }],
  why: null,
  owner: null,
  place: { file: 'policy.yaml', line: 1 },
})
test('a grant that the policy has lost is heeded while the store cannot be read; what another wrote meanwhile goes once it can', async t => {
  const server = await sharedOpenFga()
  const faulty = await startFaultyOpenFga(server.url)
  const { store, model } = await server.createStore('apply-auto', shippedModel())
  const client = new OpenFgaStore({ url: server.url, token: null }, store, model, 5_000)
  const others = [{ user: APP, relation: 'reader', object: nameObject(CLUSTER, Resource.Topic, 'by-others') }]
  await client.write([], others)
  const before = Array.from({ length: 120 }, (_, i) => grantOn(`g${i}`, `t${i}.`))
  const cache = { grantsMs: 600_000, objectsMs: 600_000, entries: 1000 }
  const settings = { cluster: CLUSTER, url: faulty.url, token: null, store, model, objects: 'auto', apply: 'auto', ...cache } as const
  let worker: OpenFga | null = null
  const engine = new OpenFgaEngine(settings, policyOf(before), async message => worker?.receive(message))
  await engine.open()
  t.after(() => [engine.stop(), faulty.stop()])
  const names = new Names()
  const clock = {
    get nowMs() {
      return Date.now()
    },
  }
  worker = new OpenFga(policyOf(before), engine.initial(), asked => engine.ask(asked), {
    names,
    clock,
    cluster: CLUSTER,
    maxStaleMs: 0,
  })
  const rights = worker.rights(principalOf(APP), { listener: '', address: '10.20.1.1' })
  const check = (topic: string): Verdict => rights.check(Operation.Read, names.text(Resource.Topic, topic))
  const read = async (...topics: string[]): Promise<Verdict[]> => {
    if (topics.map(check).includes(Verdict.Unknown)) await rights.settle()
    return topics.map(check)
  }
  assert.deepEqual(await read('t7.x', 't8.x', 'new.x'), [Verdict.Allowed, Verdict.Allowed, Verdict.Refused])
  const after = [...before.filter(({ id }) => id !== 'g7'), grantOn('added', 'new.')]
  faulty.set('hang', 'read')
  const alien = [{ user: APP, relation: 'grantee', object: grantObject(CLUSTER, 'alien') }]
  await client.write([], alien)

  await engine.replace({ ...policyOf(after), generation: 2 })

  assert.equal(check('t7.x'), Verdict.Unknown, 'the worker was told')
  assert.deepEqual(await read('t7.x', 't8.x', 'new.x'), [Verdict.Refused, Verdict.Allowed, Verdict.Allowed])
  faulty.set('none')
  const isMended = async (): Promise<boolean> => (await client.read({ object: alien[0]!.object })).length === 0
  await until(isMended)
  const { deletes, writes } = await changesFor(client.tuples(), after, CLUSTER)
  assert.deepEqual([deletes, writes], [[], []])
  assert.deepEqual(await client.read({ object: others[0]!.object }), others)
})
