// When a login at the broker is renewed, and how long that may take; how, under load, is for test/e2e/broker-logins.test.ts.

import assert from 'node:assert/strict'
import { mock, type TestContext, test } from 'node:test'
import { Upstream } from '../../src/proxy/upstream.ts'
import { AnsweringBroker, type Answers, offersEverything } from '../fakes/answering-broker.ts'
import { FakeClient } from '../fakes/client.ts'
import { type FakeWorld, fakeWorld } from '../fakes/gate.ts'
import { dialerOf } from '../fakes/upstream.ts'

const SESSIONS = 50
const LIFETIME_MS = 3_600_000
const LOGGED_IN = { errorCode: 0, errorMessage: null, authBytes: Buffer.alloc(0), sessionLifetimeMs: BigInt(LIFETIME_MS) }
const DONE_MS = 60_000

/** A gate before a broker that demands a login, and answers otherwise as the test says. */
async function before(t: TestContext, answers: Answers): Promise<{ world: FakeWorld; broker: AnsweringBroker }> {
  const broker = await AnsweringBroker.start({
    18: offersEverything,
    3: () => ({ brokers: [], topics: [] }),
    17: () => ({ errorCode: 0, mechanisms: ['PLAIN'] }),
    36: () => LOGGED_IN,
    ...answers,
  })
  const sasl = { mechanism: 'PLAIN', username: 'gate', password: { value: 'x', file: null } } as const
  const upstream = new Upstream({ bootstrap: [], hosts: null, tls: null, sasl })
  const world = await fakeWorld({ broker: { host: '127.0.0.1', port: broker.port }, dialer: dialerOf(upstream, 1000) })
  t.after(async () => {
    world.close()
    await broker.stop()
  })
  return { world, broker }
}

test('renewals fall due when 80 to 90 % of what the broker announced are over, and not all at the same moment', async t => {
  const { world } = await before(t, {})
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

for (const [when, silentAt] of [
  ['the handshake', 17],
  ['the credentials', 36],
] as const)
  test(`a renewal that the broker does not answer, at ${when}, ends the session after a minute`, async t => {
    const asked = Promise.withResolvers<void>()
    let logins = 0
    const silentTheSecondTime = (answer: object) => () => {
      if (logins++ === 0) return answer
      asked.resolve()
      return null
    }
    const handshake = { errorCode: 0, mechanisms: ['PLAIN'] }
    const { world } = await before(t, { [silentAt]: silentTheSecondTime(silentAt === 17 ? handshake : LOGGED_IN) })
    mock.timers.enable({ apis: ['setTimeout'] })
    t.after(() => mock.timers.reset())
    const client = await FakeClient.connect(world.port)
    assert.equal(await client.login(), 0)
    assert.notEqual(await client.ask(3, 12, { topics: [], allowAutoTopicCreation: false }), null)

    mock.timers.tick(0.9 * LIFETIME_MS)
    await asked.promise
    mock.timers.tick(DONE_MS - 1)
    assert.deepEqual(world.closedCauses, [])
    mock.timers.tick(1)

    assert.equal(await client.next(), null)
    assert.deepEqual(world.closedCauses, [{ cause: 'broker login failed', detail: `not renewed within ${DONE_MS} ms` }])
  })
