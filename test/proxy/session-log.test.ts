// What sessions report: how loudly their ends are logged, and that audit lines about what was allowed are a sample.

import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { pino } from 'pino'
import type { AuditLine } from '../../src/base/audit.ts'
import { openLog } from '../../src/base/log.ts'
import { Operation, Resource, Verdict } from '../../src/policy/authorizer.ts'
import { Names } from '../../src/policy/names.ts'
import { WorkerLog } from '../../src/proxy/session-log.ts'
import { encodeRequest } from '../fakes/client.ts'
import { request } from '../fakes/frames.ts'
import { principal } from '../fakes/gate.ts'
import { principalOf } from '../fakes/principal.ts'
import { closeAll, loggedIn, world } from '../fakes/world.ts'

afterEach(closeAll)

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

test('a session that ends with its token is no news, whatever comes after it; a request that is not offered is', async t => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const afterwards = { request: request(1, 4, 1), authenticate: encodeRequest(36, 2, 1, { authBytes: Buffer.alloc(1) }) }
  const causes: string[] = []
  for (const frame of Object.values(afterwards)) {
    const { gate } = await world({ verify: async () => ({ kind: 'principal', principal: principal('short', Date.now() + 1_500) }) })
    const client = await loggedIn(gate)
    t.mock.timers.tick(1_500)
    client.write(frame)
    assert.equal(await client.next(), null)
    causes.push(...gate.closedCauses.map(({ cause }) => cause))
  }

  assert.deepEqual(causes, ['sessionsExpired', 'sessionsExpired'])
  assert.deepEqual([...causes, 'closedApi'].map(levelOf), ['debug', 'debug', 'info'])
})

/** Of the log line about a connection that has ended so. */
function levelOf(cause: string): string {
  const lines: string[] = []
  const log = pino({ level: 'debug', formatters: { level: label => ({ level: label }) } }, { write: line => void lines.push(line) })
  const client = { id: null, software: null, address: '10.0.0.1', listener: 'clients', connection: '1', certificate: null }
  new WorkerLog({ log, record: () => {} }).closed(client, null, cause, '')
  return (JSON.parse(lines[0]!) as { level: string }).level
}
