// How often a real store is asked for principals that use many topics: once each, and once more for each role that stands on namespaces.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ORIGIN, openStoreWorld, policyOf } from '../../scripts/measure/store-world.ts'
import type { Tuple } from '../../scripts/stack/openfga.ts'
import { Operation, Resource, Verdict } from '../../src/policy/authorizer.ts'
import { Names } from '../../src/policy/names.ts'
import { ALWAYS, type Grant } from '../../src/policy/policy-document.ts'
import { principalOf } from '../fakes/principal.ts'
import { sharedOpenFga } from '../parts.ts'

const PRINCIPALS = 20
const TOPICS = 1_000
const person = (i: number): string => `service:corp/p${i}`
const topicOf = (i: number): string => `t${i % PRINCIPALS}.${i}`

/** Each principal reads under a prefix of its own. */
const grants = Array.from(
  { length: PRINCIPALS },
  (_, i): Grant => ({
    ...ALWAYS,
    id: `g${i}`,
    to: [{ kind: 'service', issuer: 'corp', name: `p${i}` }],
    covers: [{ resource: Resource.Topic, prefix: true, text: `t${i}.`, operations: 1 << Operation.Read }],
    why: null,
    owner: null,
    place: { file: '', line: 1 },
  }),
)
const namespace = (i: number): string => `namespace:main/t${i}`

/** Calls for a principal of which nothing is known, by its second connection, and by one to a worker that knows nothing; topics that it may use. */
interface Visits {
  readonly calls: readonly (readonly [cold: number, warm: number, elsewhere: number])[]
  readonly allowed: readonly (readonly [reads: number, writes: number])[]
}

/** One principal after another asks about all topics, by three connections. */
async function visits(tuples: readonly Tuple[]): Promise<Visits> {
  const names = new Names()
  const topics = Array.from({ length: TOPICS }, (_, i) => names.text(Resource.Topic, topicOf(i)))
  const document = policyOf(grants)
  const world = await openStoreWorld(await sharedOpenFga(), document, names, { grantsMs: 600_000, tuples })
  const visit = async (who: string) => {
    const before = world.asked()
    const rights = world.authorizer.rights(principalOf(who), ORIGIN)
    const count = (operation: Operation, verdict: Verdict): number => topics.filter(one => rights.check(operation, one) === verdict).length
    for (let round = 0; round < 10 && count(Operation.Read, Verdict.Unknown) > 0; round++) await rights.settle()
    assert.equal(count(Operation.Read, Verdict.Undecided), 0)
    const allowed = [count(Operation.Read, Verdict.Allowed), count(Operation.Write, Verdict.Allowed)] as const
    return { calls: world.asked() - before, allowed }
  }
  const calls: [number, number, number][] = []
  const allowed: (readonly [number, number])[] = []
  try {
    for (let i = 0; i < PRINCIPALS; i++) {
      const [cold, warm] = [await visit(person(i)), await visit(person(i))]
      // A worker whose policy is replaced asks for everybody anew, as one that has just started does.
      world.authorizer.replace(document)
      const elsewhere = await visit(person(i))
      assert.deepEqual([warm.allowed, elsewhere.allowed], [cold.allowed, cold.allowed])
      calls.push([cold.calls, warm.calls, elsewhere.calls])
      allowed.push(cold.allowed)
    }
  } finally {
    world.stop()
  }
  return { calls, allowed }
}

const each = <T>(one: T): T[] => new Array(PRINCIPALS).fill(one)
const OWN = TOPICS / PRINCIPALS

test('a principal costs one call, however many topics, connections and workers there are; two, where relationships stand on the cluster', async () => {
  const grantsAlone = await visits([])
  const withAdmin = await visits([{ user: 'service:corp/root', relation: 'admin', object: 'cluster:main' }])

  assert.deepEqual([grantsAlone.calls, withAdmin.calls], [each([1, 0, 0]), each([2, 0, 0])])
  assert.deepEqual([grantsAlone.allowed, withAdmin.allowed], [each([OWN, 0]), each([OWN, 0])])
})

test('with namespaces a principal costs one call more for each role that stands on one, however many there are', async () => {
  const tuples = Array.from({ length: PRINCIPALS }, (_, i): Tuple[] => [
    { user: person(i), relation: 'writer', object: namespace(i) },
    { user: person(i), relation: 'config_viewer', object: namespace((i + 1) % PRINCIPALS) },
    { user: 'namespace:main/all', relation: 'parent', object: namespace(i) },
  ])
  const { calls, allowed } = await visits(tuples.flat())

  assert.deepEqual(calls, each([1 + 2, 0, 0]))
  assert.deepEqual(allowed, each([OWN, OWN]))
})
