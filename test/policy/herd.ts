// Principals whose answers were all given in one second, each asking for something again and again: what the store is asked from then on.

import { mock } from 'node:test'
import { Operation, Resource, Verdict } from '../../src/policy/authorizer.ts'
import type { Feed } from '../../src/policy/feed.ts'
import { Names } from '../../src/policy/names.ts'
import { OpenFga } from '../../src/policy/openfga.ts'
import { OpenFgaAnswers } from '../../src/policy/openfga-answers.ts'
import type { OpenFgaStore } from '../../src/policy/openfga-client.ts'
import type { Question } from '../../src/policy/openfga-questions.ts'
import type { Coverage } from '../../src/policy/policy-document.ts'
import { ALWAYS } from '../../src/policy/policy-document.ts'
import { StoreState } from '../../src/policy/store-state.ts'
import { principalOf } from '../fakes/principal.ts'

/** The part of a store that is asked here; each must be given `grant:main/all`. */
export type Asked = Pick<OpenFgaStore, 'objects' | 'allChecks'>

export interface Herd {
  /** Questions in each simulated second, from that on in which all came. */
  readonly asked: readonly number[]
  /** How often somebody had to wait for an answer after the first. */
  readonly waited: number
}

const GRANTS_MS = 30_000
/** In the first second the clock moves by so much, so that few come at once; then each asks for something at each step. */
const ARRIVE_MS = 20
const STEP_MS = 100
const ORIGIN = { listener: '', address: '10.20.1.1' }
const covers = [{ resource: Resource.Topic, prefix: true, text: 'orders', operations: 1 << Operation.Read }]
const coverage: Coverage = { id: 'all', covers, place: null, ...ALWAYS }

/** Simulates so many seconds, as fast as the store answers. */
export async function runHerd(store: Asked, principals: number, seconds: number): Promise<Herd> {
  mock.timers.enable({ apis: ['Date', 'setTimeout'], now: Date.now() })
  // A slow machine must not make questions late.
  const now = mock.method(performance, 'now', () => Date.now())
  try {
    return await simulate(store, principals, seconds)
  } finally {
    now.mock.restore()
    mock.timers.reset()
  }
}

async function simulate(store: Asked, principals: number, seconds: number): Promise<Herd> {
  const asked = new Array<number>(seconds).fill(0)
  let second = 0
  let underWay = 0
  const objects: Asked['objects'] = (...question) => {
    asked[second]!++
    return store.objects(...question)
  }
  const answers = answersOf({ objects, allChecks: (...questions) => store.allChecks(...questions) })
  const ask = async (question: Question) => {
    if (question.kind !== 'given') throw new Error(`nobody should ask for ${question.kind}`)
    underWay++
    return answers.given(question).finally(() => underWay--)
  }
  const names = new Names()
  const clock = {
    get nowMs(): number {
      return Date.now()
    },
  }
  const snapshot = { version: 1, coverage: [coverage], objects: new Set<string>(), namespaces: [], readsAddress: false }
  const document = { generation: 1, hash: '', files: [], grants: [], rules: [], shadows: [], tests: [], readsAddress: false }
  const worker = new OpenFga(document, snapshot, ask, { names, clock, cluster: 'main', maxStaleMs: 0 })
  const topic = names.text(Resource.Topic, 'orders')
  const all = Array.from({ length: principals }, (_, i) => worker.rights(principalOf(`service:corp/p${i}`), ORIGIN))
  const startMs = Date.now()
  let waited = 0
  for (let passedMs = 0; passedMs < seconds * 1_000; passedMs = Date.now() - startMs) {
    second = Math.floor(passedMs / 1_000)
    const come = Math.min(principals, Math.ceil((principals * (passedMs + ARRIVE_MS)) / 1_000))
    for (const rights of all.slice(0, come)) {
      if (rights.check(Operation.Read, topic) === Verdict.Allowed) continue
      if (second > 0) waited++
      void rights.settle()
    }
    do await new Promise(resolve => setImmediate(resolve))
    while (underWay > 0)
    mock.timers.tick(second === 0 ? ARRIVE_MS : STEP_MS)
  }
  return { asked, waited }
}

function answersOf(store: Asked): OpenFgaAnswers {
  const cache = { grantsMs: GRANTS_MS, objectsMs: GRANTS_MS, entries: 100_000 }
  const settings = { cluster: 'main', url: '', store: '', model: null, token: null, objects: 'auto', apply: 'manual', ...cache } as const
  const answers = new OpenFgaAnswers(settings, new StoreState('main'), () => 1)
  const feed: Pick<Feed, 'healthy'> = { healthy: true }
  answers.ready(store as OpenFgaStore, feed as Feed, 'auto', () => true)
  return answers
}

/** The most in one second after the first, and how many there are a second in the long run: in the second half. */
export function rates({ asked }: Herd): { most: number; steady: number } {
  const late = asked.slice(asked.length / 2)
  return { most: Math.max(...asked.slice(1)), steady: late.reduce((sum, n) => sum + n, 0) / late.length }
}
