// What sessions report: audit lines about what was allowed are a sample, bounded by the second.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AuditLine } from '../../src/base/audit.ts'
import { openLog } from '../../src/base/log.ts'
import { Operation, Resource, Verdict } from '../../src/policy/authorizer.ts'
import { Names } from '../../src/policy/names.ts'
import { WorkerLog } from '../../src/proxy/session-log.ts'
import { principalOf } from '../fakes/principal.ts'

test('allowed decisions are audited with their grant, no more than a hundred a second', () => {
  const lines: AuditLine[] = []
  let nowMs = 0
  let explained = 0
  const log = new WorkerLog({ log: openLog(0), record: line => lines.push(line), now: () => nowMs })
  const name = new Names().text(Resource.Topic, 'orders')
  const principal = principalOf('service:corp/app', { token: { iss: '', azp: 'app', sid: null, jti: null } })
  const explain = () => {
    explained++
    return {
      verdict: Verdict.Allowed,
      why: 'grant',
      grant: 'orders-read',
      rule: null,
      shadow: null,
      generation: 3,
      engine: 'embedded' as const,
    }
  }
  const allow = () => log.allowed(principal, { listener: 'clients', address: '10.0.0.1' }, Operation.Read, name, explain)

  for (let i = 0; i < 500; i++) allow()
  assert.deepEqual([lines.length, explained], [100, 100])
  nowMs = 1_000
  allow()
  assert.equal(lines.length, 101)
  const { verdict, grant, operation, resource, error } = lines[0]!
  assert.deepEqual(
    { verdict, grant, operation, resource, error },
    { verdict: 'allowed', grant: 'orders-read', operation: 'read', resource: { kind: 'topic', name: 'orders' }, error: null },
  )
})
