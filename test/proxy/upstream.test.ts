// The broker's side of a session against brokers that are scripted: logins, renewals, refusals, queues, and answers that nobody wants.

import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { NONE } from '../../src/policy/outcome.ts'
import { Dialer } from '../../src/proxy/dial.ts'
import { Upstream } from '../../src/proxy/upstream.ts'
import { answerAll, type BrokerEnd, type FakeBroker, fakeBroker } from '../fakes/broker.ts'
import { encodeResponse, FakeClient, loginFrames } from '../fakes/client.ts'
import { request, response } from '../fakes/frames.ts'
import { type FakeWorld, type FakeWorldOptions, fakeWorld } from '../fakes/gate.ts'
import { dialerOf, plainUpstream } from '../fakes/upstream.ts'

const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

const sasl = { mechanism: 'PLAIN', username: 'gate', password: { value: 'secret', file: null } } as const
const plainLogin = (hosts: readonly string[] | null = null) => new Upstream({ bootstrap: [], hosts, tls: null, sasl })

async function world(broker: FakeBroker, options: Omit<FakeWorldOptions, 'broker'> = {}): Promise<FakeWorld> {
  const gate = await fakeWorld({ dialer: dialerOf(plainLogin(), 1000), ...options, broker })
  open.push(broker, gate)
  return gate
}
async function loggedIn(gate: FakeWorld): Promise<FakeClient> {
  const client = await FakeClient.connect(gate.port)
  assert.equal(await client.login(), 0)
  return client
}
const echo = (frame: Buffer) => response(frame.readInt32BE(8), frame.subarray(14))

/** Answers logins, and everything else with what was asked. */
function answer(frame: Buffer, lifetimeMs = 0, errorCode = 0): Buffer {
  const id = frame.readInt32BE(8)
  switch (frame.readInt16BE(4)) {
    case 17:
      return encodeResponse(17, 1, id, { errorCode: 0, mechanisms: ['PLAIN'] })
    case 36:
      return encodeResponse(36, 1, id, {
        errorCode,
        errorMessage: errorCode === 0 ? null : 'no such account',
        authBytes: Buffer.alloc(0),
        sessionLifetimeMs: BigInt(lifetimeMs),
      })
    default:
      return echo(frame)
  }
}
/** Writes byte by byte, so that every reader sees every split. */
async function slowly(end: BrokerEnd, bytes: Buffer): Promise<void> {
  for (const byte of bytes) {
    end.write(Buffer.of(byte))
    await sleep(1)
  }
}

describe('login at the broker', () => {
  it('comes before the first request, however the answers are cut', async () => {
    const broker = await fakeBroker(async end => {
      for (let frame = await end.next(); frame !== null; frame = await end.next()) await slowly(end, answer(frame))
    })
    const gate = await world(broker)
    const client = await FakeClient.connect(gate.port)

    client.write(Buffer.concat([loginFrames(), request(0, 9, 1, Buffer.from('one')), request(0, 9, 2, Buffer.from('two'))]))

    const got = []
    for (let i = 0; i < 4; i++) got.push(await client.next())
    assert.deepEqual(
      got.slice(2).map(frame => frame!.toString('latin1', 8)),
      ['one', 'two'],
    )
  })

  it('that is refused closes the client, is counted, and is not tried again at once', async () => {
    const broker = await fakeBroker(end => void answerAll(end, frame => answer(frame, 0, 58)))
    const gate = await world(broker)
    const [first, second] = [await loggedIn(gate), await FakeClient.connect(gate.port)]

    await first.closed
    await second.login()
    await second.closed

    assert.equal(broker.connections.length, 1)
    assert.equal(gate.count('brokerLoginsRefused'), 1)
    assert.equal(gate.count('dialFailed'), 2)
    assert.match(gate.closedCauses[0]!.detail, /refused the login by PLAIN \(58\): no such account/)
  })

  it('fails when the broker sends more than it was asked for', async () => {
    const broker = await fakeBroker(
      end => void answerAll(end, frame => Buffer.concat([answer(frame), response(1, Buffer.from('for somebody else'))])),
    )
    const gate = await world(broker)
    const client = await loggedIn(gate)

    assert.equal(await client.next(), null)
    assert.equal(gate.closedCauses[0]!.cause, 'dial failed')
  })

  it('is not done on a host outside of the patterns', async () => {
    const broker = await fakeBroker(end => void answerAll(end, answer))
    const gate = await world(broker, { dialer: dialerOf(plainLogin(['*.kafka.internal']), 1000) })
    const client = await loggedIn(gate)

    assert.equal(await client.next(), null)
    assert.equal(broker.connections.length, 0)
    assert.match(gate.closedCauses[0]!.detail, /127\.0\.0\.1 is not among cluster\.hosts/)
  })
})

describe('a login that ends', () => {
  it('is renewed in its turn: nothing is forwarded until that is done', async () => {
    const broker = await fakeBroker()
    const gate = await world(broker)
    const client = await loggedIn(gate)
    client.write(request(0, 9, 1, Buffer.from('before')))
    const end = await broker.accepted()
    for (let i = 0; i < 2; i++) end.write(answer((await end.next())!, 1500))
    const before = (await end.next())!
    assert.equal(before.readInt16BE(4), 0)

    const handshake = (await end.next())!
    assert.equal(handshake.readInt16BE(4), 17)
    client.write(request(0, 9, 2, Buffer.from('behind')))
    await sleep(50)
    assert.equal(end.rest.length, 0)
    end.write(Buffer.concat([echo(before), answer(handshake)]))
    assert.equal((await client.next())!.toString('latin1', 8), 'before')
    const authenticate = (await end.next())!
    assert.equal(authenticate.readInt16BE(4), 36)
    await sleep(50)
    assert.equal(end.rest.length, 0)
    end.write(answer(authenticate))

    const behind = (await end.next())!
    assert.equal(behind.readInt16BE(4), 0)
    end.write(echo(behind))
    assert.equal((await client.next())!.toString('latin1', 8), 'behind')
  })

  it('waits for the end of a request that is being passed on in pieces', async () => {
    const broker = await fakeBroker(end => void answerAll(end, frame => answer(frame, 1500)))
    const gate = await world(broker, { stream: () => ({ response: null, push: (_bytes, start, end) => end - start }) })
    const client = await loggedIn(gate)
    const large = request(0, 9, 1, Buffer.alloc(300_000, 'x'))
    const end = await broker.accepted()

    // The renewal falls due in the middle of the frame: a frame of ours inside of it would be read as a part of it.
    for (let at = 0; at < large.length; at += 15_000) {
      client.write(large.subarray(at, at + 15_000))
      await sleep(100)
    }

    const got = (await client.next())!
    assert.equal(got.length, 8 + 300_000)
    assert.ok(got.subarray(8).every(byte => byte === 0x78))
    client.write(request(0, 9, 2, Buffer.from('behind')))
    assert.equal((await client.next())!.toString('latin1', 8), 'behind')
    assert.ok(!end.socket.destroyed)
  })

  it('closes the client if the broker does not take it any more', async () => {
    const broker = await fakeBroker(end => {
      let logins = 0
      void answerAll(end, frame => answer(frame, 1300, frame.readInt16BE(4) === 36 && logins++ > 0 ? 58 : 0))
    })
    const gate = await world(broker)
    const client = await loggedIn(gate)

    assert.equal(await client.next(), null)
    assert.equal(gate.closedCauses[0]!.cause, 'broker login failed')
    assert.equal(gate.count('brokerLoginsRefused'), 1)
  })
})

describe('connections in their turn', () => {
  /** Those that wait do so until a login at the broker is over, however long that takes. */
  const oneAtATime = (perSecond: number) => new Dialer(plainLogin(), { perSecond, budget: Number.POSITIVE_INFINITY, underWay: 1 })

  it('wait for it, and those whose clients have gone are never made', async () => {
    const mayLogIn = Promise.withResolvers<void>()
    const broker = await fakeBroker(end => void mayLogIn.promise.then(() => answerAll(end, answer)))
    const gate = await world(broker, { dialer: oneAtATime(1000) })
    const clients = []
    for (let i = 0; i < 4; i++) clients.push(await loggedIn(gate))

    for (const client of clients.slice(1, 3)) {
      client.socket.destroy()
      await client.closed
    }
    mayLogIn.resolve()
    clients[3]!.write(request(0, 9, 1, Buffer.from('late')))

    assert.equal((await clients[3]!.next())!.toString('latin1', 8), 'late')
    assert.equal(broker.connections.length, 2)
  })

  it('are refused at accept while too many wait', async () => {
    const gate = await world(await fakeBroker(), { dialer: oneAtATime(1) })
    const clients = await Promise.all(Array.from({ length: 6 }, () => loggedIn(gate)))

    const late = await FakeClient.connect(gate.port)

    assert.equal(await late.login(), null)
    for (const client of clients) client.socket.destroy()
  })

  it('never are more than the budget of a broker: one more is turned away at accept, or fails if its turn comes later', async () => {
    const broker = await fakeBroker(end => void answerAll(end, echo))
    const gate = await world(broker, { dialer: dialerOf(plainUpstream, 1000, 3) })
    const early = await FakeClient.connect(gate.port)
    const clients = await Promise.all(Array.from({ length: 3 }, () => loggedIn(gate)))
    for (const [i, client] of clients.entries()) client.write(request(0, 9, i))
    for (const client of clients) await client.next()

    await early.login()
    await early.closed
    const late = await FakeClient.connect(gate.port)
    assert.equal(await late.login(), null)

    assert.deepEqual(gate.closedCauses.map(({ cause }) => cause).sort(), ['dial failed', 'too many connections'])
    for (const { detail } of gate.closedCauses) assert.match(detail, /the budget of 3 connections to this broker is used up/)
    assert.deepEqual([gate.count('brokerFull'), broker.connections.length], [1, 3])

    clients[0]!.socket.destroy()
    await clients[0]!.closed
    let next = await FakeClient.connect(gate.port)
    while ((await next.login()) === null) next = await FakeClient.connect(gate.port)
    next.write(request(0, 9, 9))
    assert.equal((await next.next())!.readInt32BE(4), 9)
  })

  it('do not stampede a broker: a thousand at once come at its rate, and all are served', async () => {
    const madeAtMs: number[] = []
    const broker = await fakeBroker(end => {
      madeAtMs.push(performance.now())
      void answerAll(end, echo)
    })
    const gate = await world(broker, { dialer: dialerOf(plainUpstream, 400), limits: { connections: 2000, loginTimeMs: 60_000 } })
    const fromMs = performance.now()

    const served = await Promise.all(
      Array.from({ length: 1000 }, async (_, i) => {
        const client = await FakeClient.connect(gate.port)
        client.write(Buffer.concat([loginFrames(), request(0, 9, i)]))
        const got = [await client.next(), await client.next(), await client.next()]
        return got[2]?.readInt32BE(4) === i
      }),
    )

    assert.ok(served.every(Boolean))
    assert.equal(madeAtMs.length, 1000)
    // Half a second's may come at once, the others at the rate.
    const early = madeAtMs.findIndex((atMs, i) => i >= 200 + 0.4 * (atMs - fromMs))
    assert.equal(early, -1, `connection ${early} was made after ${madeAtMs[early]! - fromMs} ms`)
  })

  it('end at once when the broker is away', async () => {
    const broker = await fakeBroker(end => void answerAll(end, echo))
    await broker.close()
    const gate = await fakeWorld({ broker })
    open.push(gate)
    const startedAtMs = performance.now()

    for (let i = 0; i < 5; i++) await (await loggedIn(gate)).closed

    assert.ok(performance.now() - startedAtMs < 1000)
    assert.equal(gate.count('dialFailed'), 5)
  })
})

describe('a broker that takes so many new connections a second, and resets what exceeds them', () => {
  const CLIENTS = 60
  const PER_SECOND = 30
  const DEADLINE_MS = 30_000

  /** As Amazon MSK does. */
  async function limited(answerOne: (frame: Buffer) => Buffer) {
    const takenAtMs: number[] = []
    let resets = 0
    const broker = await fakeBroker(end => {
      const nowMs = performance.now()
      if (takenAtMs.filter(atMs => nowMs - atMs < 1000).length >= PER_SECOND) {
        resets++
        end.socket.resetAndDestroy()
        return
      }
      takenAtMs.push(nowMs)
      void answerAll(end, answerOne)
    })
    return { broker, takenAtMs, resets: () => resets }
  }

  /** Comes back as clients do, until it is served. */
  async function servedInTheEnd(gate: FakeWorld, id: number): Promise<FakeClient> {
    const endsAtMs = performance.now() + DEADLINE_MS
    for (;;) {
      const client = await FakeClient.connect(gate.port)
      client.write(Buffer.concat([loginFrames(), request(0, 9, id)]))
      const got = [await client.next(), await client.next(), await client.next()]
      if (got[2] !== null) {
        assert.equal(got[2]!.readInt32BE(4), id)
        return client
      }
      assert.ok(performance.now() < endsAtMs, `client ${id} was not served`)
      await sleep(50 + Math.random() * 50)
    }
  }

  for (const [how, upstream, answerOne] of [
    ['before the login', plainLogin(), (frame: Buffer) => answer(frame)],
    ['where there is no login', plainUpstream, echo],
  ] as const)
    it(`serves all in the end, though the gate may dial faster: ${how}`, async () => {
      const { broker, takenAtMs, resets } = await limited(answerOne)
      const gate = await world(broker, { dialer: dialerOf(upstream, 1000) })

      const clients = await Promise.all(Array.from({ length: CLIENTS }, (_, i) => servedInTheEnd(gate, i)))

      assert.ok(resets() > 0, 'the broker has never turned one away')
      assert.equal(takenAtMs.length, CLIENTS)
      for (const [i, client] of clients.entries()) {
        client.write(request(0, 9, 1000 + i))
        assert.equal((await client.next())!.readInt32BE(4), 1000 + i)
      }
      assert.equal(gate.count('bugs'), 0)
      assert.equal(gate.count('brokerLoginsRefused'), 0)
    })
})

describe('a broker that has changed between a client’s ApiVersions and its login', () => {
  const changed = (gate: FakeWorld, serves: (apiKey: number, apiVersion: number) => boolean) => {
    const told = gate.gate.offer(1)!
    Object.assign(gate.gate, { offer: () => ({ ...told, serves }) })
  }
  const asks = async (gate: FakeWorld) => {
    const client = await FakeClient.connect(gate.port)
    client.write(request(18, 0, 1))
    assert.equal((await client.next())!.readInt32BE(4), 1)
    return client
  }

  it('and offers less than the client was told: it is closed before its first request, and served when it comes back', async () => {
    const broker = await fakeBroker(end => void answerAll(end, echo))
    const gate = await world(broker, { dialer: dialerOf(plainUpstream, 1000) })
    const client = await asks(gate)

    changed(gate, (_, version) => version < 13)
    client.write(Buffer.concat([loginFrames(), request(0, 9, 2)]))

    assert.equal((await client.next())!.readInt32BE(4), -1)
    assert.equal((await client.next())!.readInt32BE(4), -2)
    assert.equal(await client.next(), null)
    assert.equal(broker.connections.length, 0)
    assert.deepEqual(gate.closedCauses, [{ cause: 'dial failed', detail: 'node 1 offers less than the client was told' }])
    assert.equal(gate.count('dialFailed'), 1)

    const now = { ...gate.gate.offer(1)!, ranges: new Map([[0, [3, 12]]]) }
    Object.assign(gate.gate, { offer: () => now })
    const again = await loggedIn(gate)
    again.write(request(0, 9, 3))
    assert.equal((await again.next())!.readInt32BE(4), 3)
  })

  it('and still offers all that the client was told: it is served', async () => {
    const broker = await fakeBroker(end => void answerAll(end, echo))
    const gate = await world(broker, { dialer: dialerOf(plainUpstream, 1000) })
    const client = await asks(gate)

    changed(gate, (apiKey, version) => apiKey === 0 && version >= 3 && version <= 13)
    assert.equal(await client.login(), 0)
    client.write(request(0, 9, 2))

    assert.equal((await client.next())!.readInt32BE(4), 2)
  })
})

describe('a broker that answers what wants no answer', () => {
  it('is not heard: its answer is dropped, whole or in pieces, and the others keep their order', async () => {
    const broker = await fakeBroker(async end => {
      for (let frame = await end.next(); frame !== null; frame = await end.next()) await slowly(end, echo(frame))
    })
    const gate = await world(broker, {
      dialer: dialerOf(plainUpstream, 1000),
      judge: frame =>
        frame.includes('acks=0')
          ? { kind: 'forward', frames: null, response: NONE, thenClose: false }
          : { kind: 'forward', frames: null, response: null, thenClose: false },
    })
    const client = await loggedIn(gate)

    client.write(request(0, 9, 1, Buffer.from('first')))
    client.write(request(0, 9, 2, Buffer.from('acks=0')))
    client.write(request(0, 9, 3, Buffer.from('acks=0 too')))
    client.write(request(0, 9, 4, Buffer.from('last')))

    assert.equal((await client.next())!.readInt32BE(4), 1)
    assert.equal((await client.next())!.readInt32BE(4), 4)
    assert.equal(gate.count('malformed'), 0)
  })
})
