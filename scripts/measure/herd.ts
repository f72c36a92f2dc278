// Many whose answers were all given in one second, each of them asking for something again and again: what a real OpenFGA is asked from then on.

import { setTimeout as sleep } from 'node:timers/promises'
import { clock } from '../../src/base/clock.ts'
import { Operation, Resource, type Rights, Verdict } from '../../src/policy/authorizer.ts'
import { Names } from '../../src/policy/names.ts'
import { ALWAYS, type Grant } from '../../src/policy/policy-document.ts'
import { principalOf } from '../../test/fakes/principal.ts'
import { startOpenFga } from '../stack/openfga.ts'
import { ORIGIN, openStoreWorld, policyOf } from './store-world.ts'

const PRINCIPALS = 1_000
const GRANTS_MS = 20_000
const SECONDS = 100
/** Each principal asks for something once in a step. */
const STEP_MS = 100

const grant: Grant = {
  ...ALWAYS,
  id: 'all',
  to: [{ kind: 'anyone', issuer: 'corp' }],
  covers: [{ resource: Resource.Topic, prefix: true, text: 'orders', operations: 1 << Operation.Read }],
  why: null,
  owner: null,
  place: { file: '', line: 1 },
}

export async function measure(): Promise<Record<string, unknown>> {
  const openFga = await startOpenFga('memory')
  const names = new Names()
  const world = await openStoreWorld(openFga, policyOf([grant]), names, { grantsMs: GRANTS_MS })
  const topic = names.text(Resource.Topic, 'orders')
  const all = Array.from({ length: PRINCIPALS }, (_, i) => world.authorizer.rights(principalOf(`service:corp/p${i}`), ORIGIN))
  const seen = await watch(all, rights => rights.check(Operation.Read, topic) === Verdict.Allowed, world.asked)
  world.stop()
  await openFga.stop()
  return { principals: PRINCIPALS, grantsMs: GRANTS_MS, ...seen }
}

/** Lets all come within a second, and looks on. */
async function watch(all: readonly Rights[], isAllowed: (rights: Rights) => boolean, asked: () => number): Promise<Record<string, number>> {
  const perSecond = new Array<number>(SECONDS).fill(0)
  const served = new Set<Rights>()
  let servedMs = Number.POSITIVE_INFINITY
  let waitedAgain = 0
  let before = asked()
  const startMs = performance.now()
  for (let passedMs = 0; passedMs < SECONDS * 1_000; passedMs = performance.now() - startMs) {
    clock.tick()
    const now = asked()
    perSecond[Math.floor(passedMs / 1_000)]! += now - before
    before = now
    for (const rights of all.slice(0, (all.length * (passedMs + STEP_MS)) / 1_000)) {
      if (isAllowed(rights)) served.add(rights)
      else {
        if (served.has(rights)) waitedAgain++
        void rights.settle()
      }
    }
    if (served.size === all.length) servedMs = Math.min(servedMs, passedMs)
    await sleep(STEP_MS)
  }
  const late = perSecond.slice(SECONDS / 2)
  const steady = late.reduce((sum, n) => sum + n, 0) / late.length
  const most = Math.max(...perSecond.slice(Math.ceil(servedMs / 1_000)))
  const rounded = { askedInFirstSecond: perSecond[0]!, allServedAfterMs: Math.round(servedMs), steadyPerSecond: Math.round(steady) }
  return { ...rounded, mostInOneSecond: most, ratio: Math.round((most / steady) * 100) / 100, waitedAgain }
}
