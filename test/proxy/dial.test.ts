// Brokers that take a connection and then say nothing: the dial has a deadline, and its client is closed with it. By a clock of the test's own.

import assert from 'node:assert/strict'
import { afterEach, mock, test } from 'node:test'
import { Upstream, type UpstreamOptions } from '../../src/proxy/upstream.ts'
import { type BrokerEnd, fakeBroker } from '../fakes/broker.ts'
import { encodeResponse, FakeClient } from '../fakes/client.ts'
import { dialerOf } from '../fakes/upstream.ts'
import { closeAll, world } from '../fakes/world.ts'

const READY_MS = 10_000
const sasl = { mechanism: 'PLAIN', username: 'gate', password: { value: 'secret', file: null } } as const
const tls = { ca: null, cert: null, key: null, serverName: null, serverNames: {} }

afterEach(async () => {
  mock.timers.reset()
  await closeAll()
})

/** @param before what passes at the broker before it falls silent; all of it */
function silent(when: string, options: Pick<UpstreamOptions, 'tls' | 'sasl'>, before: (end: BrokerEnd) => Promise<void>): void {
  test(`a broker that says nothing ${when} is given up after ten seconds, and its client is closed`, async () => {
    const behind = await fakeBroker()
    const dialer = dialerOf(new Upstream({ bootstrap: [], hosts: null, ...options }), 1000, 1)
    const { gate } = await world({ dialer, limits: { loginTimeMs: 60_000 } }, behind)
    mock.timers.enable({ apis: ['setTimeout'] })
    const client = await FakeClient.connect(gate.port)
    assert.equal(await client.login(), 0)
    const end = await behind.accepted()
    await before(end)

    mock.timers.tick(READY_MS - 1)
    assert.deepEqual(gate.closedCauses, [])
    mock.timers.tick(1)

    await Promise.all([client.closed, end.closed])
    assert.deepEqual(gate.closedCauses, [{ cause: 'dial failed', detail: `not ready within ${READY_MS} ms` }])
    assert.equal(gate.count('dialFailed'), 1)
    assert.equal(gate.gate.dialer.full(1), null)
  })
}

silent('to TLS', { tls, sasl: null }, async end => {
  if (end.rest.length === 0) await new Promise(resolve => end.socket.once('data', resolve))
})
silent('to the login', { tls: null, sasl }, async end => {
  assert.equal((await end.next())!.readInt16BE(4), 17)
})
silent('in the middle of the login', { tls: null, sasl }, async end => {
  const handshake = (await end.next())!
  end.write(encodeResponse(17, 1, handshake.readInt32BE(8), { errorCode: 0, mechanisms: ['PLAIN'] }))
  assert.equal((await end.next())!.readInt16BE(4), 36)
})
