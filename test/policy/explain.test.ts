// What explain says was tried agrees with what the authorizer decides, for any policy.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { needsOf, servedApis } from '../../src/policy/api-needs.ts'
import { Verdict } from '../../src/policy/authorizer.ts'
import { Embedded } from '../../src/policy/embedded.ts'
import { explain } from '../../src/policy/explain.ts'
import { Names } from '../../src/policy/names.ts'
import { SUPPORTED } from '../../src/policy/operations.ts'
import { rules } from '../../src/policy/rules.ts'
import { keysOf, matchesAny } from '../../src/policy/subjects.ts'
import { apis } from '../../src/protocol/messages/index.ts'
import { moments, policy, principal, question } from './arbitrary.ts'

test('a rule that denies, a grant that allows or a shadow that lets through was tried, exactly when it decided', () => {
  fc.assert(
    fc.property(policy, principal, question, moments, (document, who, { operation, resource, name, address, listener }, [nowMs]) => {
      fc.pre(name.toString().length === name.length && (SUPPORTED[resource] & (1 << operation)) !== 0)
      const names = new Names()
      const authorizer = new Embedded(document, { names, clock: { nowMs: nowMs! } })
      const rights = authorizer.rights(who, { listener, address })
      const asked = names.text(resource, name.toString())
      const verdict = rights.check(operation, asked)
      const reason = rights.explain(operation, asked)
      const keys = keysOf(who)
      const given = new Set(document.grants.filter(({ to }) => matchesAny(to, keys)).map(({ id }) => id))

      const said = explain(
        {
          judged: document,
          asker: { principal: who, keys, address, listener },
          given,
          nowMs: nowMs!,
          operation,
          resource,
          name: name.toString(),
        },
        reason,
      )

      const applying = (outcome: string) => said.tried.filter(tried => tried.outcome === outcome).map(({ id }) => id)
      assert.equal(said.verdict === 'refused', verdict === Verdict.Refused)
      if (reason.rule !== null) assert.ok(applying('denies').includes(reason.rule))
      else assert.deepEqual(applying('denies'), [])
      if (reason.grant !== null && reason.why !== 'right on the cluster') assert.ok(applying('allows').includes(reason.grant))
      if (verdict === Verdict.Refused && reason.rule === null) assert.deepEqual([...applying('allows'), ...applying('lets through')], [])
      if (verdict === Verdict.Allowed && reason.why !== 'right on the cluster')
        assert.ok(applying('allows').length + applying('lets through').length > 0)
      for (const { outcome, misses } of said.tried) assert.equal(outcome === 'does not apply', misses.length > 0)
    }),
    { numRuns: 500 },
  )
})

test('every kind of resource that a served API names is among its needs', () => {
  const entities = { topicName: 2, groupId: 3, transactionalId: 5 } as const
  for (const name of servedApis()) {
    const found = needsOf(name, null)!
    const kinds = new Set(found.needs.map(({ resource }) => resource as number))
    const { special, judges, says } = found.rule
    if (special !== null && judges.length > 0) assert.ok(found.needs.length > 0, `${name} has a plan of its own, and no line in SPECIAL`)
    for (const word of (says.needs ?? '').replace('any topic', '').matchAll(/\b(topic|group|transactional id)\b/g)) {
      const entity = { topic: 'topicName', group: 'groupId', 'transactional id': 'transactionalId' }[word[1]!] as keyof typeof entities
      assert.ok(kinds.has(entities[entity]), `${name} needs something on a ${word[1]}`)
    }
  }
  assert.equal(servedApis().length, rules.length)
})

test('an API or a version that is not served needs nothing that could be explained', () => {
  assert.equal(needsOf('NoSuchApi', null), null)
  assert.equal(needsOf('Fetch', 3), null)
  assert.equal(needsOf('fetch', 12)!.version, 12)
  assert.ok(apis.length > servedApis().length)
})
