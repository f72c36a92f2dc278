// The ledger on a real OpenFGA: of writers that begin at one turn one writes, and the others write nothing at all.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Tuple } from '../../src/policy/grant-tuples.ts'
import { Ledger } from '../../src/policy/ledger.ts'
import { OpenFgaStore, WriteConflict } from '../../src/policy/openfga-client.ts'
import { OpenFgaEngine } from '../../src/policy/openfga-engine.ts'
import { shippedModel } from '../../src/policy/openfga-model.ts'
import { sharedOpenFga } from '../parts.ts'

const server = await sharedOpenFga()

async function openStore(made = server.createStore('ledger-test', shippedModel())) {
  const { store, model } = await made
  return new OpenFgaStore({ url: server.url, token: null }, store, model, 5_000)
}

const reader = (name: string): Tuple => ({ user: `user:corp/${name}`, relation: 'reader', object: 'topic:main/t' })
const readers = async (store: OpenFgaStore) => (await store.read({ object: 'topic:main/t' })).map(({ user }) => user)

test('of many writers at one turn exactly one writes, at the first turn and at every other', async () => {
  const store = await openStore()
  const ledgers = Array.from({ length: 8 }, () => new Ledger(store, 'main', 'policy'))

  for (let round = 0; round < 10; round++) {
    const turn = await ledgers[0]!.turn()
    assert.equal(turn?.number ?? 0, round)
    const ends = await Promise.allSettled(ledgers.map((ledger, i) => ledger.write(turn, [], [reader(`${round}-${i}`)], `w${i}`)))
    const lost = ends.filter(end => end.status === 'rejected').map(end => end.reason)
    assert.equal(lost.length, 7)
    assert.ok(
      lost.every(why => why instanceof WriteConflict),
      String(lost[0]),
    )
  }

  assert.equal((await readers(store)).length, 10)
})

test('a first turn that comes late is refused, whatever turn it is by then', async () => {
  const store = await openStore()
  const [a, b] = [new Ledger(store, 'main', 'policy'), new Ledger(store, 'main', 'policy')]
  const second = await b.write(await b.write(null, [], [], 'b'), [], [], 'b')

  await assert.rejects(a.write(null, [], [reader('late')], 'a'), WriteConflict)

  assert.deepEqual(await a.turn(), second)
  assert.deepEqual(await readers(store), [])
})

test('a write fails as a whole when a tuple of it is gone or there already; the turn stays', async () => {
  const store = await openStore()
  const ledger = new Ledger(store, 'main', 'subscriptions')
  const turn = await ledger.write(null, [], [reader('a')])

  await assert.rejects(ledger.write(turn, [reader('nobody')], [reader('b')]), WriteConflict)
  await assert.rejects(ledger.write(turn, [], [reader('b'), reader('a')]), WriteConflict)

  assert.deepEqual(await ledger.turn(), turn)
  assert.deepEqual(await readers(store), ['user:corp/a'])
  assert.equal(await new Ledger(store, 'main', 'policy').turn(), null)
  assert.equal(await new Ledger(store, 'other', 'subscriptions').turn(), null)
})

test('turns that move drop nothing that a gate knows of anybody', async t => {
  const made = await server.createStore('ledger-test', shippedModel())
  const client = await openStore(Promise.resolve(made))
  const cache = { grantsMs: 30_000, objectsMs: 10_000, entries: 100 }
  const settings = { cluster: 'main', url: server.url, token: null, ...made, ...cache, objects: 'auto', apply: 'manual' } as const
  const document = { generation: 1, hash: '', files: [], rules: [], shadows: [], tests: [], readsAddress: false, grants: [] }
  const told: string[] = []
  const dropped = Promise.withResolvers<void>()
  const engine = new OpenFgaEngine(settings, document, async message => {
    if (message.kind !== 'drop') return
    told.push(JSON.stringify(message.users))
    dropped.resolve()
  })
  await engine.open()
  t.after(() => engine.stop())

  const ledger = new Ledger(client, 'main', 'policy')
  let turn = await ledger.turn()
  for (let i = 0; i < 5; i++) turn = await ledger.write(turn, [], [], 'leader')
  await client.write([], [reader('a')])
  await dropped.promise

  assert.deepEqual(told, ['["user:corp/a"]'])
})
