// How the store is asked about one principal, and how long what it says counts, by a clock that the test moves.

import assert from 'node:assert/strict'
import { mock, type TestContext, test } from 'node:test'
import { Operation, Resource } from '../../src/policy/authorizer.ts'
import type { Feed } from '../../src/policy/feed.ts'
import type { Tuple } from '../../src/policy/grant-tuples.ts'
import { tuplesOf } from '../../src/policy/grant-tuples.ts'
import { whoOf } from '../../src/policy/memberships.ts'
import { OpenFgaAnswers } from '../../src/policy/openfga-answers.ts'
import { OpenFgaStore } from '../../src/policy/openfga-client.ts'
import { shippedModel, takenBy } from '../../src/policy/openfga-model.ts'
import { ALWAYS, type Grant } from '../../src/policy/policy-document.ts'
import { StoreState } from '../../src/policy/store-state.ts'
import { startFaultyOpenFga } from '../fakes/faulty-openfga.ts'
import { principalOf } from '../fakes/principal.ts'
import { sharedOpenFga } from '../parts.ts'

const CLUSTER = 'main'
const ADDRESS = '10.20.1.1'
const OBJECTS_MS = 1_000
const GRANTS_MS = 2_000
const names = [{ resource: Resource.Topic, bytes: Buffer.from('news'), operations: 1 << Operation.Read }]
const who = (name: string) => whoOf(principalOf(`user:corp/${name}`))

/** Answers out of a real store, whose questions are listened to, at a time that stands still until it is moved. */
async function world(t: TestContext, tuples: readonly Tuple[] = []) {
  const server = await sharedOpenFga()
  const { store, model } = await server.createStore('answers', shippedModel(), tuples as never)
  const heard: string[] = []
  const way = await startFaultyOpenFga(server.url, (verb, body) => heard.push(`${verb} ${JSON.parse(body).consistency}`))
  mock.timers.enable({ apis: ['Date', 'setTimeout'], now: Date.now() })
  const now = mock.method(performance, 'now', () => Date.now())
  t.after(() => [now.mock.restore(), mock.timers.reset(), way.stop()])
  const cache = { grantsMs: GRANTS_MS, objectsMs: OBJECTS_MS, entries: 1000 }
  const settings = { cluster: CLUSTER, url: way.url, store, model, token: null, objects: 'auto', apply: 'manual', ...cache } as const
  const state = new StoreState(CLUSTER)
  state.apply(tuples.map(tuple => ({ tuple, deleted: false })))
  const answers = new OpenFgaAnswers(settings, state, () => 1)
  const feed: Pick<Feed, 'healthy'> = { healthy: true }
  answers.ready(new OpenFgaStore({ url: way.url, token: null }, store, model, 5_000), feed as Feed, 'auto', takenBy(shippedModel()))
  /** How what somebody was given, and what of a name, is asked for now. */
  const asked = async (name: string): Promise<Set<string>> => {
    heard.length = 0
    await Promise.all([answers.given({ who: who(name), address: ADDRESS }), answers.names({ who: who(name), address: ADDRESS, names })])
    return new Set(heard)
  }
  return { answers, state, asked }
}

const EXACT = new Set(['list-objects HIGHER_CONSISTENCY', 'batch-check HIGHER_CONSISTENCY'])
const USUAL = new Set(['list-objects MINIMIZE_LATENCY', 'batch-check MINIMIZE_LATENCY'])

test('for as long as OpenFGA’s own caches may hold what was before a change, whom it reaches is asked about past them', async t => {
  const { answers, asked } = await world(t)
  assert.deepEqual(await asked('eve'), USUAL)

  answers.drop({ snapshot: false, users: new Set(['user:corp/eve']) })

  assert.deepEqual([await asked('eve'), await asked('bob')], [EXACT, USUAL])
  mock.timers.tick(11_000)
  assert.deepEqual([await asked('eve'), await asked('bob')], [EXACT, USUAL])
  mock.timers.tick(2_000)
  assert.deepEqual([await asked('eve'), await asked('bob')], [USUAL, USUAL])

  answers.drop({ snapshot: true, users: null })

  mock.timers.tick(11_000)
  assert.deepEqual([await asked('eve'), await asked('bob')], [EXACT, EXACT])
  mock.timers.tick(2_000)
  assert.deepEqual([await asked('eve'), await asked('bob')], [USUAL, USUAL])
})

const untilEvening: Grant = {
  ...ALWAYS,
  id: 'evening',
  to: [{ kind: 'user', issuer: 'corp', name: 'eve' }],
  covers: [{ resource: Resource.Topic, prefix: true, text: 'a.', operations: 1 << Operation.Read }],
  untilMs: Date.UTC(2099, 0),
  why: null,
  owner: null,
  place: { file: '', line: 1 },
}
const until2099 = { name: 'not_expired', context: { expires_at: '2099-01-01T00:00:00Z' } }
const conditional: readonly Tuple[] = [
  { user: 'user:corp/root', relation: 'break_glass', object: 'cluster:main', condition: until2099 },
  { user: 'user:corp/bob', relation: 'reader', object: 'topic:main/news', condition: until2099 },
]

test('where a condition can be reached beside those of grants, what was given counts no longer than what is said of a name', async t => {
  const { answers, state } = await world(t, [...tuplesOf([untilEvening], CLUSTER), ...conditional])
  const lives = async (name: string): Promise<[given: number, named: number]> => {
    const question = { who: who(name), address: ADDRESS }
    const [given, named] = [await answers.given(question), await answers.names({ ...question, names })]
    return [given.endsAtMs - Date.now(), named.endsAtMs - Date.now()]
  }
  t.mock.method(Math, 'random', () => 0)

  assert.deepEqual(await lives('eve'), [OBJECTS_MS, OBJECTS_MS])
  state.apply([{ tuple: conditional[0]!, deleted: true }])
  assert.deepEqual(await lives('fay'), [OBJECTS_MS, OBJECTS_MS])
  state.apply([{ tuple: conditional[1]!, deleted: true }])
  assert.deepEqual(await lives('gus'), [GRANTS_MS, OBJECTS_MS])
})
