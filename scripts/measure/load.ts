// What principals that ask for all topics cost each engine and OpenFGA, and how long they wait: with nothing known, and with what was given known.

import { type Authorizer, Operation, Resource, Verdict } from '../../src/policy/authorizer.ts'
import { Embedded } from '../../src/policy/embedded.ts'
import { nameObject } from '../../src/policy/encode.ts'
import { Names } from '../../src/policy/names.ts'
import { ALWAYS, type Grant, type PolicyDocument, type Subject } from '../../src/policy/policy-document.ts'
import { principalOf } from '../../test/fakes/principal.ts'
import { say } from '../stack/cache.ts'
import { type Datastore, type OpenFga as OpenFgaServer, startOpenFga } from '../stack/openfga.ts'
import { part } from './part.ts'
import { CLUSTER, ORIGIN, openStoreWorld, policyOf } from './store-world.ts'

/** Of the principals so many come, at most; and so many at the same time. */
const COME = 400
const AT_ONCE = 16
/** Grants that each principal is given; what nobody of them is given is somebody else's. */
const GIVEN = 4

interface Load {
  readonly topics: number
  readonly grants: number
  readonly principals: number
  /** Namespaces that somebody owns; `own`: topics that have relationships of their own. */
  readonly namespaces?: number
  readonly own?: number
}

const USUAL: Load = { topics: 1_000, grants: 100, principals: 1_000 }
/** One number moves, the others stay; and then all are large. */
const GRANTS_ALONE: readonly Load[] = [
  USUAL,
  ...[100, 10_000].map(topics => ({ ...USUAL, topics })),
  ...[10, 1_000].map(grants => ({ ...USUAL, grants })),
  ...[100, 2_000].map(principals => ({ ...USUAL, principals })),
  { topics: 10_000, grants: 1_000, principals: 2_000 },
]
const WITH_RELATIONSHIPS: readonly Load[] = [
  { topics: 10_000, grants: 1_000, principals: 200, namespaces: 200 },
  { topics: 10_000, grants: 1_000, principals: 200, own: 5_000 },
]
const DATASTORES: readonly Datastore[] = ['memory', 'postgres']

export async function measure(): Promise<Record<string, unknown>> {
  const figures: Record<string, unknown> = {}
  const note = async (engine: string, load: Load, measured: Promise<Record<string, number>>): Promise<void> => {
    const name = `${engine}: ${nameOf(load)}`
    figures[name] = await measured
    say(name)
  }
  for (const load of GRANTS_ALONE) await note('embedded', load, inFile(load))
  for (const datastore of DATASTORES) {
    const openFga = await startOpenFga(datastore)
    for (const load of [...GRANTS_ALONE, ...WITH_RELATIONSHIPS]) await note(datastore, load, inStore(openFga, load))
    await openFga.stop()
  }
  return figures
}

function nameOf({ topics, grants, principals, namespaces, own }: Load): string {
  const more = `${namespaces === undefined ? '' : `, ${namespaces} namespaces`}${own === undefined ? '' : `, ${own} topics with tuples`}`
  return `${topics} topics, ${grants} grants, ${principals} principals${more}`
}

function inFile(load: Load): Promise<Record<string, number>> {
  const names = new Names()
  return visits(load, names, new Embedded(documentOf(load), { names }), () => 0)
}

async function inStore(openFga: OpenFgaServer, load: Load): Promise<Record<string, number>> {
  const { principals, namespaces = 0, own = 0 } = load
  const owners = Array.from({ length: namespaces }, (_, i) => ({
    user: `service:corp/p${i}`,
    relation: 'owner',
    object: `namespace:${CLUSTER}/t${i}`,
  }))
  const readers = Array.from({ length: own }, (_, i) => ({
    user: `service:corp/p${i % principals}`,
    relation: 'reader',
    object: nameObject(CLUSTER, Resource.Topic, topicOf(i)),
  }))
  const names = new Names()
  const tuples = [...owners, ...readers]
  const world = await openStoreWorld(openFga, documentOf(load), names, { grantsMs: 600_000, tuples })
  const figures = await visits(load, names, world.authorizer, world.asked)
  world.stop()
  return figures
}

/** Each principal asks for all topics, and then again. */
async function visits(load: Load, names: Names, authorizer: Authorizer, asked: () => number): Promise<Record<string, number>> {
  const topics = Array.from({ length: load.topics }, (_, i) => names.text(Resource.Topic, topicOf(i)))
  const coldMs: number[] = []
  const warmMs: number[] = []
  const visitors = Math.min(COME, load.principals)
  let next = 0
  let undecided = 0
  const visit = async (): Promise<void> => {
    while (next < visitors) {
      const rights = authorizer.rights(principalOf(`service:corp/p${next++}`), ORIGIN)
      const count = (verdict: Verdict): number => topics.filter(topic => rights.check(Operation.Describe, topic) === verdict).length
      const startMs = performance.now()
      for (let rounds = 0; count(Verdict.Unknown) > 0 && rounds < 5; rounds++) await rights.settle()
      coldMs.push(performance.now() - startMs)
      const againMs = performance.now()
      if (count(Verdict.Undecided) > 0) undecided++
      warmMs.push(performance.now() - againMs)
    }
  }
  const startMs = performance.now()
  await Promise.all(Array.from({ length: AT_ONCE }, visit))
  const tookMs = performance.now() - startMs
  return {
    callsPerPrincipal: asked() / visitors,
    coldP50Ms: part(coldMs, 0.5),
    coldP99Ms: part(coldMs, 0.99),
    warmP50Ms: part(warmMs, 0.5),
    warmP99Ms: part(warmMs, 0.99),
    undecided,
    principalsPerSecond: Math.round((visitors / tookMs) * 1000),
  }
}

const topicOf = (i: number): string => `t${i % 1_000}.${Math.floor(i / 1_000)}`

/** Each grant covers a prefix. */
function documentOf({ grants: count, principals }: Load): PolicyDocument {
  const to = Array.from({ length: count }, (): Subject[] => [])
  for (let i = 0; i < principals * GIVEN; i++) {
    to[(i * 31) % count]!.push({ kind: 'service', issuer: 'corp', name: `p${Math.floor(i / GIVEN)}` })
  }
  const grants = to.map(
    (subjects, i): Grant => ({
      ...ALWAYS,
      id: `g${i}`,
      to: subjects.length > 0 ? subjects : [{ kind: 'service', issuer: 'corp', name: `else${i}` }],
      covers: [{ resource: Resource.Topic, prefix: true, text: `t${i}.`, operations: 1 << Operation.Read }],
      why: null,
      owner: null,
      place: { file: '', line: 1 },
    }),
  )
  return policyOf(grants)
}
