// What a worker keeps of a principal behind OpenFGA: told as it is, to its end, without a question to anybody.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Operation, Resource, Verdict } from '../../src/policy/authorizer.ts'
import { Names } from '../../src/policy/names.ts'
import { OpenFga } from '../../src/policy/openfga.ts'
import type { Answer, Question } from '../../src/policy/openfga-questions.ts'
import { ALWAYS, type Coverage, type PolicyDocument } from '../../src/policy/policy-document.ts'
import type { Snapshot } from '../../src/policy/store-state.ts'
import { principalOf } from '../fakes/principal.ts'

const READ = 1 << Operation.Read
const LIFE_MS = 30_000
const STALE_MS = 5_000
const DOCUMENT = { generation: 1, hash: '', files: [], grants: [], rules: [], shadows: [], tests: [], readsAddress: false }
const COVERS = [{ resource: Resource.Topic, prefix: true, text: 'orders.', operations: READ }]
const ORDERS: Coverage = { ...ALWAYS, id: 'orders', covers: COVERS, place: null }
const APP = principalOf('service:corp/app', { groups: ['/sales'] })
const HERE = { listener: 'clients', address: '10.0.0.1' }
const TOPIC = { resource: Resource.Topic, name: 'orders.created' }
const OF_APP = { principal: APP.id, ...TOPIC }

/** A worker whose store gives `orders` to everybody, and lets everybody read what has tuples of its own. */
function world(more: Partial<Snapshot> = {}, document: PolicyDocument = DOCUMENT) {
  const clock = { nowMs: Date.now() }
  const startMs = clock.nowMs
  const asked: Question[] = []
  const answer = (question: Question): Answer => {
    if (question.kind === 'given')
      return { grants: ['orders'], roles: { cluster: ['viewer'], namespaces: {} }, endsAtMs: startMs + LIFE_MS, snapshot: 1 }
    assert.equal(question.kind, 'names')
    const names = question.kind === 'names' ? question.names : []
    return { names: names.map(({ operations }) => ({ blocked: false, answered: operations, allowed: READ })), endsAtMs: startMs + 10_000 }
  }
  const ask = async (question: Question) => {
    asked.push(question)
    return answer(question)
  }
  const snapshot: Snapshot = { version: 1, coverage: [ORDERS], objects: new Set(), readsAddress: false, ...more }
  const names = new Names()
  const worker = new OpenFga(document, snapshot, ask, { names, clock, cluster: 'main', maxStaleMs: STALE_MS })
  const serve = async (who = APP, from = HERE) => {
    const rights = worker.rights(who, from)
    const name = names.text(TOPIC.resource, TOPIC.name)
    if (rights.check(Operation.Read, name) === Verdict.Unknown) await rights.settle()
    assert.equal(rights.check(Operation.Read, name), Verdict.Allowed)
  }
  return { worker, clock, asked, serve, startMs }
}

test('of a principal that was not served nothing is kept, and it is not asked for', () => {
  const { worker, asked } = world()

  assert.deepEqual(worker.kept(OF_APP), [])
  assert.deepEqual(asked, [])
})

test('what a served principal was given is told with its end, and telling it asks nobody, past its life too', async () => {
  const { worker, clock, asked, serve, startMs } = world()
  await serve()
  const given = { grants: ['orders'], roles: { cluster: ['viewer'], namespaces: {} }, endsAtMs: startMs + LIFE_MS }
  const memberships = { groups: ['/sales'], realmRoles: [], clientRoles: {}, organizations: {} }
  const kept = { address: null, memberships, named: null }

  assert.deepEqual(worker.kept(OF_APP), [{ ...kept, given: { ...given, isStale: false } }])
  assert.deepEqual(worker.kept({ ...OF_APP, principal: 'service:corp/other' }), [])
  clock.nowMs = startMs + LIFE_MS
  assert.deepEqual(worker.kept(OF_APP), [{ ...kept, given: { ...given, isStale: true } }])
  clock.nowMs = startMs + LIFE_MS + STALE_MS
  assert.deepEqual(worker.kept(OF_APP), [])
  assert.equal(asked.length, 1)
})

test('what was said of one name is told of that name alone, and to its own end', async () => {
  const { worker, clock, serve, startMs } = world({ objects: new Set(['topic:main/orders.created']) })
  await serve()
  const namedOf = (name: string) => worker.kept({ ...OF_APP, name }).map(({ named }) => named)

  const [named] = namedOf(TOPIC.name)
  assert.deepEqual(
    [named!.blocked, named!.allowed, named!.answered & READ, named!.undecided, named!.endsAtMs],
    [false, READ, READ, 0, startMs + 10_000],
  )
  assert.deepEqual(namedOf('orders.paid'), [null])
  clock.nowMs = startMs + 10_000
  assert.deepEqual(namedOf(TOPIC.name), [null])
})

test('what no longer holds is not told', async () => {
  const dropped = world()
  await dropped.serve()
  dropped.worker.receive({ kind: 'drop', users: ['service:corp/app'] })
  const replaced = world()
  await replaced.serve()
  replaced.worker.replace({ ...DOCUMENT, generation: 2 })

  assert.deepEqual(dropped.worker.kept(OF_APP), [])
  assert.deepEqual(replaced.worker.kept(OF_APP), [])
})

test('tokens that say different things, and addresses where answers hang on them, are told apart', async () => {
  const { worker, serve } = world({ readsAddress: true })
  await serve()
  await serve(APP, { listener: 'clients', address: '10.0.0.2' })
  await serve(principalOf(APP.id))

  const told = worker.kept(OF_APP).map(({ address, memberships }) => `${address} ${memberships.groups}`)
  assert.deepEqual(told.sort(), ['10.0.0.1 ', '10.0.0.1 /sales', '10.0.0.2 /sales'])
})
