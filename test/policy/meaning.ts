// One meaning, two engines: what a policy's grants say embedded, through the gate's OpenFGA engine, and to any other program that asks the store.

import assert from 'node:assert/strict'
import type { Principal } from '../../src/auth/principal.ts'
import { applyGrants } from '../../src/policy/apply.ts'
import { Operation, Resource, type Rights, Verdict } from '../../src/policy/authorizer.ts'
import { Embedded } from '../../src/policy/embedded.ts'
import { clusterObject, type NamedResource, nameObject, prefixObject } from '../../src/policy/encode.ts'
import { membershipsOf, userOf, whoOf } from '../../src/policy/memberships.ts'
import { type Name, Names } from '../../src/policy/names.ts'
import { OpenFga } from '../../src/policy/openfga.ts'
import type { Check, OpenFgaStore } from '../../src/policy/openfga-client.ts'
import { OpenFgaEngine } from '../../src/policy/openfga-engine.ts'
import { namesOf, OPERATIONS, operationName, SUPPORTED } from '../../src/policy/operations.ts'
import type { Grant, PolicyDocument } from '../../src/policy/policy-document.ts'
import type { Question } from './reference.ts'

const CLUSTER = 'main'

/** A store of its own. */
export interface Made {
  readonly store: string
  readonly model: string
  readonly address: { readonly url: string; readonly token: string | null }
  readonly client: OpenFgaStore
}

/** What was compared. */
export interface Compared {
  readonly questions: number
  readonly allowed: number
}

type Asked = Pick<Question, 'operation' | 'resource' | 'name'>

/**
 * Applies the policy's grants to the store and asks everything of everybody, from each address and at each moment, three times over.
 * Rules and shadows are left out: a store has none.
 */
export async function compareMeanings(
  made: Made,
  random: PolicyDocument,
  people: readonly Principal[],
  questions: readonly Omit<Question, 'principal' | 'nowMs'>[],
  moments: readonly number[],
): Promise<Compared> {
  const grants = random.grants.map(grant => later(known(grant)))
  const judged = { ...random, rules: [], shadows: [], grants }
  await applyGrants(made.client, grants, CLUSTER)
  const clock = { nowMs: moments[0]! + LATER_MS }
  const names = new Names()
  const engine = new OpenFgaEngine({ ...SETTINGS, ...made.address, store: made.store, model: made.model }, judged, async () => undefined)
  await engine.open()
  const options = { names, clock, cluster: CLUSTER, maxStaleMs: 0 }
  const gate = new OpenFga(judged, engine.initial(), question => engine.ask(question), options)
  const embedded = new Embedded(judged, { names, clock })
  // In the store whoever may write a topic may write idempotently; the gate says so in mayWriteSomething.
  const asked = [...questions, ...grants.flatMap(questionsOn)].filter(
    q => SUPPORTED[q.resource] & (1 << q.operation) && q.operation !== Operation.IdempotentWrite,
  )
  const addresses = [...new Set(questions.map(q => q.address).filter(address => address !== ''))]
  const cases = addresses.flatMap(address => people.map(p => ({ p, address })))
  let allowed = 0
  // The clock never goes back.
  for (const nowMs of moments.map(moment => moment + LATER_MS)) {
    clock.nowMs = nowMs
    for (const { p, address } of cases) {
      const [here, reference] = [gate.rights(p, { listener: '', address }), embedded.rights(p, { listener: '', address })]
      const nameOf = (q: Asked): Name => names.of(q.resource, q.name, 0, q.name.length)
      const verdicts = asked.map(q => reference.check(q.operation, nameOf(q)))
      for (const [i, q] of asked.entries())
        assert.equal(await verdictOf(here, q.operation, nameOf(q)), verdicts[i], textOf(p, q, address, nowMs))
      const context = { now: new Date(nowMs).toISOString(), source_ip: address }
      const checks = asked.map(q => plainCheck(p, q, grants))
      const plain = await wholeAnswers(made.client, checks, context)
      for (const [i, q] of asked.entries())
        assert.equal(plain[i], verdicts[i] === Verdict.Allowed, `the store: ${textOf(p, q, address, nowMs)}`)
      while (here.mayWriteSomething() === Verdict.Unknown) await here.settle()
      assert.equal(here.mayWriteSomething(), reference.mayWriteSomething())
      allowed += verdicts.filter(verdict => verdict === Verdict.Allowed).length
    }
  }
  engine.stop()
  return { questions: asked.length * cases.length * moments.length, allowed }
}

const LIFE_MS = 100 * 366 * 86_400_000
const SETTINGS = { cluster: CLUSTER, objects: 'auto', apply: 'manual', grantsMs: LIFE_MS, objectsMs: LIFE_MS, entries: 1000 } as const
const ANSWER_TIMEOUT_MS = 240_000

/** Random policies speak of the weekend of October 2026 on which clocks go back in Berlin; this leads to the next such one that lies ahead. */
const LATER_MS = weekendAhead() - Date.UTC(2026, 9, 24)

function weekendAhead(): number {
  for (let year = new Date().getUTCFullYear(); ; year++) {
    const last = new Date(Date.UTC(year, 9, 31))
    const saturdayMs = Date.UTC(year, 9, 31 - last.getUTCDay() - 1)
    if (saturdayMs > Date.now()) return saturdayMs
  }
}

function later(grant: Grant): Grant {
  const shift = (ms: number | null): number | null => ms && ms + LATER_MS
  return { ...grant, sinceMs: shift(grant.sinceMs), untilMs: shift(grant.untilMs) }
}

const textOf = (p: Principal, { operation, resource, name }: Asked, address: string, nowMs: number): string =>
  JSON.stringify({ who: whoOf(p), operation: operationName(operation), resource, name: String(name), address, at: new Date(nowMs) })

/** A busy server leaves answers out: what is missing is asked again. */
async function wholeAnswers(client: OpenFgaStore, checks: readonly Check[], context: object): Promise<(boolean | undefined)[]> {
  const endMs = performance.now() + ANSWER_TIMEOUT_MS
  const answers = await client.checks(checks, context, true)
  while (answers.includes(undefined) && performance.now() < endMs) {
    const missing = [...answers.keys()].filter(i => answers[i] === undefined)
    const again = await client.checks(
      missing.map(i => checks[i]!),
      context,
      true,
    )
    for (const [n, i] of missing.entries()) answers[i] = again[n]
  }
  return answers
}

/** What it comes to: a store that is slow to answer is asked again. */
export async function verdictOf(rights: Rights, operation: Operation, name: Name): Promise<Verdict> {
  for (const endMs = performance.now() + ANSWER_TIMEOUT_MS; ; ) {
    const found = rights.check(operation, name)
    if (found === Verdict.Allowed || found === Verdict.Refused || performance.now() > endMs) return found
    await rights.settle()
  }
}

/** Random grants cover operations that their kind does not know. */
const known = (grant: Grant): Grant => ({
  ...grant,
  covers: grant.covers.map(cover => ({ ...cover, operations: cover.operations & SUPPORTED[cover.resource] })),
})

/** A question to each thing that a grant covers. */
const questionsOn = (grant: Grant): Asked[] =>
  grant.covers.flatMap(({ resource, prefix, text, operations }) => {
    const name = Buffer.from(resource === Resource.Cluster ? 'kafka-cluster' : prefix ? `${text}x` : text)
    return namesOf(operations).map(operation => ({ resource, name, operation: OPERATIONS[operation] }))
  })

/** The question as another program would ask it: memberships, the cluster and every prefix of the name as contextual tuples. */
function plainCheck(p: Principal, { resource, name, operation }: Asked, grants: readonly Grant[]): Check {
  const who = whoOf(p)
  const user = userOf(who)
  const object = nameObject(CLUSTER, resource, name)
  const contextual = membershipsOf(who).map(({ relation, object }) => ({ user, relation, object }))
  if (resource !== Resource.Cluster) {
    contextual.push({ user: clusterObject(CLUSTER), relation: 'cluster', object })
    const prefixes = grants
      .flatMap(g => g.covers)
      .filter(c => c.prefix && c.resource === resource)
      .map(c => Buffer.from(c.text))
    const fitting = new Set(
      prefixes.filter(prefix => name.subarray(0, prefix.length).equals(prefix)).map(prefix => prefix.toString('latin1')),
    )
    for (const prefix of fitting)
      contextual.push({ user: prefixObject(CLUSTER, resource as NamedResource, Buffer.from(prefix, 'latin1')), relation: 'prefix', object })
  }
  return { user, relation: `can_${operationName(operation)}`, object, contextual }
}
