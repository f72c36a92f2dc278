// Rights that go while connections hold on to them: in long polls of fetch and share sessions, and in open transactions.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { revocations } from '../../scripts/measure/revocations.ts'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { type SharedKafka, sharedKafka, uniqueName } from '../parts.ts'
import { engineNames } from './engines.ts'

/** Promised: README. */
const GONE_WITHIN_MS = 2_000

let kafka: SharedKafka
let issuer: DevIssuer

before(async () => {
  ;[kafka, issuer] = await Promise.all([sharedKafka(), startDevIssuer()])
})
after(() => issuer?.stop())

const places = [...engineNames.map(engine => [engine, 'file'] as const), ['openfga', 'store'] as const]

for (const [engine, place] of places) {
  for (const kind of ['fetch sessions', 'share sessions', 'transactions'] as const) {
    test(`${engine}: data stops within two seconds in ${kind} when the right is taken from the ${place}`, async t => {
      const { maxMs, revocations: count } = await revocations(kind, engine, kafka, issuer, uniqueName('held'), place, 10)

      t.diagnostic(`${count} revocations, at most ${maxMs} ms`)
      assert.ok(maxMs <= GONE_WITHIN_MS, `data came ${maxMs} ms after the right was gone`)
    })
  }
}
