// What one warm check costs, the name found from its bytes each time; and what a name costs against many patterns.

import { Operation, Resource, Verdict } from '../src/policy/authorizer.ts'
import { Embedded } from '../src/policy/embedded.ts'
import { Names } from '../src/policy/names.ts'
import { type OperationSet, setOf } from '../src/policy/operations.ts'
import type { Grant, PolicyDocument } from '../src/policy/policy-document.ts'
import { PrefixTree } from '../src/policy/prefix-tree.ts'
import { principalOf } from '../test/fakes/principal.ts'
import { median } from './machine.ts'

export const PRINCIPAL = principalOf('service:corp/bench', { groups: ['/finance/auditors'] })

/** ns for a warm check of one topic among `topics`, interning included; the median of rounds. */
export function warmCheckNs(topics = 1000, rounds = 15): number {
  const names = new Names()
  const patterns = Array.from({ length: 400 }, (_, i) => ({ text: `team-${i}.`, prefix: true }))
  const authorizer = new Embedded(policyOf(patterns, setOf(Operation.Write)), { names })
  const rights = authorizer.rights(PRINCIPAL, { listener: 'bench', address: '127.0.0.1' })
  const bytes = Array.from({ length: topics }, (_, i) => Buffer.from(`team-${i % 400}.orders.created-${i}`))
  const round = (): number => {
    const begin = process.hrtime.bigint()
    let allowed = 0
    for (let n = 0; n < 100; n++) {
      for (const name of bytes) {
        if (rights.check(Operation.Write, names.of(Resource.Topic, name, 0, name.length)) === Verdict.Allowed) allowed++
      }
    }
    if (allowed !== 100 * topics) throw new Error('a check was refused')
    return Number(process.hrtime.bigint() - begin) / (100 * topics)
  }
  return median(Array.from({ length: rounds }, round))
}

/** ns to find the patterns that cover a name among `patterns`, in each of so many rounds of a thousand names; no name comes twice. */
export function matchNs(patterns = 100_000, rounds = 200): number[] {
  const tree = new PrefixTree(
    Array.from({ length: patterns }, (_, i) => ({ bytes: Buffer.from(`team-${i % 1000}.stream-${i}.`), prefix: i % 3 !== 0 })),
  )
  const nameOf = (i: number) => Buffer.from(`team-${(i * 7) % 1000}.stream-${(i * 7) % patterns}.created-${i}`)
  return Array.from({ length: rounds }, (_, round) => {
    const names = Array.from({ length: 1_000 }, (_, i) => nameOf(round * 1_000 + i))
    const begin = process.hrtime.bigint()
    for (const name of names) tree.match(name)
    return Number(process.hrtime.bigint() - begin) / names.length
  })
}

/** A grant to the principal for each of these names and prefixes of topics. */
export function policyOf(topics: readonly { readonly text: string; readonly prefix: boolean }[], operations: OperationSet): PolicyDocument {
  const grants = topics.map(
    (topic, i): Grant => ({
      id: `team-${i}`,
      to: [{ kind: 'service', issuer: 'corp', name: 'bench' }],
      covers: [{ resource: Resource.Topic, ...topic, operations }],
      sinceMs: null,
      untilMs: null,
      networks: null,
      hours: null,
      why: null,
      owner: null,
      place: { file: 'bench', line: 1 },
    }),
  )
  return { generation: 1, hash: '', files: [], grants, rules: [], shadows: [], tests: [], readsAddress: false }
}

if (import.meta.main) {
  console.log(`warm check ${warmCheckNs().toFixed(1)} ns, match against 100 000 patterns ${median(matchNs()).toFixed(1)} ns`)
}
