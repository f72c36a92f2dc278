// When a login at the broker is renewed; how, under load, is for test/e2e/broker-logins.test.ts.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Upstream } from '../../src/proxy/upstream.ts'
import { AnsweringBroker, offersEverything } from '../fakes/answering-broker.ts'
import { FakeClient } from '../fakes/client.ts'
import { fakeWorld } from '../fakes/gate.ts'
import { dialerOf } from '../fakes/upstream.ts'

const SESSIONS = 50
const LIFETIME_MS = 3_600_000

test('renewals fall due when 80 to 90 % of what the broker announced are over, and not all at the same moment', async t => {
  const broker = await AnsweringBroker.start({
    18: offersEverything,
    3: () => ({ brokers: [], topics: [] }),
    17: () => ({ errorCode: 0, mechanisms: ['PLAIN'] }),
    36: () => ({ errorCode: 0, errorMessage: null, authBytes: Buffer.alloc(0), sessionLifetimeMs: BigInt(LIFETIME_MS) }),
  })
  const sasl = { mechanism: 'PLAIN', username: 'gate', password: { value: 'x', file: null } } as const
  const upstream = new Upstream({ bootstrap: [], hosts: null, tls: null, sasl })
  const world = await fakeWorld({ broker: { host: '127.0.0.1', port: broker.port }, dialer: dialerOf(upstream, 1000) })
  t.after(async () => {
    world.close()
    await broker.stop()
  })
  const waits: number[] = []
  const set = globalThis.setTimeout
  t.mock.method(globalThis, 'setTimeout', (run: () => void, ms: number) => {
    if (ms > LIFETIME_MS / 2) waits.push(ms / LIFETIME_MS)
    return set(run, ms)
  })

  for (let i = 0; i < SESSIONS; i++) {
    const client = await FakeClient.connect(world.port)
    assert.equal(await client.login(), 0)
    assert.notEqual(await client.ask(3, 12, { topics: [], allowAutoTopicCreation: false }), null)
  }

  assert.equal(waits.length, SESSIONS)
  assert.ok(
    waits.every(part => part >= 0.8 && part <= 0.9),
    String(waits),
  )
  assert.ok(Math.max(...waits) - Math.min(...waits) > 0.03, 'all at the same moment')
})
