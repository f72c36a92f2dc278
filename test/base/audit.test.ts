// The audit's queue: lines in order, never in the way, and counted when they are lost.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { AuditFile, type AuditLine } from '../../src/base/audit.ts'

const folder = mkdtempSync(join(tmpdir(), 'topicgate-audit-'))
after(() => rmSync(folder, { recursive: true }))

const line = (id: string): AuditLine => ({
  time: '2026-11-24T00:00:00.000Z',
  id,
  verdict: 'refused',
  reason: 'no grant',
  principal: 'user:corp/x',
  issuer: 'corp',
  azp: null,
  sid: null,
  jti: null,
  act: null,
  client: { id: null, software: null, address: '127.0.0.1', listener: 'clients', connection: '0-1' },
  api: 'Produce',
  version: 9,
  operation: 'write',
  resource: { kind: 'topic', name: 'payments' },
  grant: null,
  rule: null,
  generation: 1,
  engine: 'embedded',
  error: 'TOPIC_AUTHORIZATION_FAILED',
})
const idsOf = (path: string) =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map(text => JSON.parse(text).id)

test('lines arrive whole and in order', async () => {
  const path = join(folder, 'order')
  const audit = new AuditFile(path)

  for (let i = 0; i < 5000; i++) audit.write(line(String(i)))
  await audit.flush(5000)

  assert.deepEqual(
    idsOf(path),
    Array.from({ length: 5000 }, (_, i) => String(i)),
  )
  assert.equal(audit.dropped, 0)
})

test('a full queue drops lines and counts them, and takes new ones once it has room', async () => {
  const path = join(folder, 'full')
  const bytes = Buffer.byteLength(`${JSON.stringify(line('0'))}\n`)
  const audit = new AuditFile(path, bytes * 10)

  for (let i = 0; i < 15; i++) audit.write(line(String(i % 10)))
  await audit.flush(5000)
  audit.write(line('9'))
  await audit.flush(5000)

  assert.equal(audit.dropped, 5)
  assert.equal(idsOf(path).length, 11)
})

test('after a rotation lines go to the new file', async () => {
  const path = join(folder, 'rotated')
  const audit = new AuditFile(path)
  audit.write(line('old'))
  await audit.flush(5000)

  renameSync(path, `${path}.1`)
  audit.reopen()
  audit.write(line('new'))
  await audit.flush(5000)

  assert.deepEqual([idsOf(`${path}.1`), idsOf(path)], [['old'], ['new']])
})

test('a line that cannot be written is counted', async () => {
  const audit = new AuditFile('/dev/full')

  audit.write(line('1'))
  audit.write(line('2'))
  await audit.flush(5000)

  assert.equal(audit.dropped, 2)
})
