// Many names are asked about by lists, and what they say is what a check of each name says.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Resource } from '../../src/policy/authorizer.ts'
import { nameObject } from '../../src/policy/encode.ts'
import { OpenFgaEngine } from '../../src/policy/openfga-engine.ts'
import { shippedModel } from '../../src/policy/openfga-model.ts'
import type { AskedName, NamesAnswer } from '../../src/policy/openfga-questions.ts'
import { SUPPORTED } from '../../src/policy/operations.ts'
import { ALWAYS } from '../../src/policy/policy-document.ts'
import { startFaultyOpenFga } from '../fakes/faulty-openfga.ts'
import { sharedOpenFga } from '../parts.ts'

const USER = 'user:corp/lena'
const WHO = { id: USER, type: 'user', issuer: 'corp', name: 'lena', groups: ['/eu'], realmRoles: [], clientRoles: {}, organizations: {} }
const ADDRESS = '10.20.1.1'

/** Names with relationships of every kind that a topic may have, and one each that has none. */
const names: readonly AskedName[] = Array.from({ length: 60 }, (_, i) => ({
  resource: i % 3 === 2 ? Resource.Group : Resource.Topic,
  bytes: Buffer.from(i % 10 === 9 ? `${i}`.padEnd(249, 'ü') : `n ${i}`),
  operations: SUPPORTED[i % 3 === 2 ? Resource.Group : Resource.Topic],
}))
const object = (i: number): string => nameObject('main', names[i]!.resource, names[i]!.bytes)
const fromOffices = (ranges: string[]) => ({ condition: { name: 'from_network', context: { cidrs: ranges } } })
const tuples = names.flatMap((_, i) => {
  const isTopic = names[i]!.resource === Resource.Topic
  const reads = isTopic ? 'reader' : 'consumer'
  const kinds = [
    [{ user: USER, relation: reads, object: object(i) }],
    [{ user: 'group:corp/+2Feu#member', relation: 'viewer', object: object(i) }],
    isTopic ? [{ user: USER, relation: 'reader', object: object(i), ...fromOffices(['10.20.0.0/16']) }] : [],
    isTopic ? [{ user: USER, relation: 'reader', object: object(i), ...fromOffices(['192.0.2.0/24']) }] : [],
    [{ user: 'user:corp/other', relation: reads, object: object(i) }],
    [{ user: USER, relation: 'owner', object: object(i) }],
    [
      { user: USER, relation: reads, object: object(i) },
      { user: 'group:corp/+2Feu#member', relation: 'blocked', object: object(i) },
    ],
    [],
  ]
  return kinds[i % kinds.length]!
})

test('lists say what checks of each name say, in as many questions as there are operations', async t => {
  const server = await sharedOpenFga()
  const counted = await startFaultyOpenFga(server.url)
  const { store, model } = await server.createStore('lists', shippedModel(), tuples)
  const document = { generation: 1, hash: '', files: [], grants: [], rules: [], shadows: [], tests: [], readsAddress: false, ...ALWAYS }
  const cache = { grantsMs: 30_000, objectsMs: 10_000, entries: 1000 }
  const settings = { cluster: 'main', url: counted.url, token: null, store, model, objects: 'auto', apply: 'manual', ...cache } as const
  const engine = new OpenFgaEngine(settings, document, async () => {})
  t.after(() => [engine.stop(), counted.stop()])
  await engine.open()
  const ask = async (some: readonly AskedName[]): Promise<NamesAnswer> =>
    (await engine.ask({ kind: 'names', who: WHO as never, address: ADDRESS, names: some })) as NamesAnswer

  const one: NamesAnswer['names'][number][] = []
  for (const name of names) one.push(...(await ask([name])).names)
  counted.asked.clear()
  const [many, again] = await Promise.all([ask(names), ask(names.slice(0, 30))])

  const listed = (counted.asked.get('list-objects') ?? 0) + (counted.asked.get('streamed-list-objects') ?? 0)
  assert.deepEqual(many.names, one)
  assert.deepEqual(again.names, one.slice(0, 30))
  assert.equal(counted.asked.get('batch-check'), undefined)
  assert.equal(listed, 9 + 6, 'of topics: blocked and eight operations; of groups: blocked and five')
  assert.deepEqual(
    [one.some(({ blocked }) => blocked), one.filter(({ allowed }) => allowed !== 0).length > 15, one.some(({ allowed }) => allowed === 0)],
    [true, true, true],
  )
})
