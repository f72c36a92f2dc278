// The life of a session: login, dial, order, waiting, and every way in which it ends.

import assert from 'node:assert/strict'
import { after, afterEach, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { NONE, PASS, type ResponseEdit } from '../../src/policy/outcome.ts'
import { blockBytes } from '../../src/proxy/buffers.ts'
import { answerAll, fakeBroker } from '../fakes/broker.ts'
import { decodeResponse, encodeRequest, FakeClient, loginFrames } from '../fakes/client.ts'
import { request, response } from '../fakes/frames.ts'
import { type FakeWorldOptions, fakeWorld, principal } from '../fakes/gate.ts'
import { until } from '../fakes/until.ts'
import { closeAll, loggedIn, open, world } from '../fakes/world.ts'

afterEach(closeAll)
after(() => until(() => blockBytes().busy === 0))

const SHORT_MS = 1_500

const echo = (frame: Buffer) => response(frame.readInt32BE(8), frame.subarray(14))
const answerOf = (frame: Buffer, text: string) => response(frame.readInt32BE(8), Buffer.from(text))

describe('login', () => {
  it('answers ApiVersions, SaslHandshake and SaslAuthenticate, and dials the broker for that client alone', async () => {
    const { gate, broker } = await world()
    const client = await FakeClient.connect(gate.port)

    client.write(encodeRequest(18, 0, 7, {}))
    assert.equal((await client.next())!.readInt32BE(4), 7)
    assert.equal(broker.connections.length, 0)
    assert.equal(await client.login(), 0)

    await broker.accepted()
    assert.equal(broker.connections.length, 1)
    assert.equal(gate.count('loginsAccepted'), 1)
  })

  it('serves what was sent behind SaslAuthenticate in the same segment, in order', async () => {
    const { gate } = await world({}, await fakeBroker(end => void answerAll(end, echo)))
    const client = await FakeClient.connect(gate.port)

    client.write(Buffer.concat([loginFrames(), request(0, 9, 1, Buffer.from('one')), request(0, 9, 2, Buffer.from('two'))]))

    const ids = []
    for (let i = 0; i < 4; i++) ids.push((await client.next())!.readInt32BE(4))
    assert.deepEqual(ids, [-1, -2, 1, 2])
  })

  it('closes on another API before login, without an answer and without a broker', async () => {
    const { gate, broker } = await world()
    const client = await FakeClient.connect(gate.port)

    client.write(request(0, 9, 1))

    assert.equal(await client.next(), null)
    assert.equal(broker.connections.length, 0)
    assert.equal(gate.count('closedApi'), 1)
  })

  it('tells a refused token in two rounds and counts it once', async () => {
    const { gate } = await world({ verify: async () => ({ kind: 'refused', why: 'expired' }) })
    const client = await FakeClient.connect(gate.port)
    assert.equal(await client.login(), 0)

    client.write(encodeRequest(36, 2, 3, { authBytes: Buffer.from([1]) }))

    assert.equal(decodeResponse(36, 2, (await client.next())!).errorCode, 58)
    assert.equal(await client.next(), null)
    assert.equal(gate.count('loginsRefused'), 1)
  })

  it('gives up on a client that does not log in', async () => {
    const { gate } = await world({ limits: { loginTimeMs: 100 } })
    const client = await FakeClient.connect(gate.port)

    assert.equal(await client.next(), null)
    assert.equal(gate.closedCauses[0]!.cause, 'login too slow')
  })

  it('lets a session end at the first frame after its token, and delivers what is owed', async t => {
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
    const { gate, broker } = await world({
      verify: async () => ({ kind: 'principal', principal: principal('short', Date.now() + SHORT_MS) }),
    })
    const client = await loggedIn(gate)
    const end = await broker.accepted()
    client.write(request(1, 4, 1))
    await end.next()
    t.mock.timers.tick(SHORT_MS)

    client.write(request(1, 4, 2))
    await until(() => gate.count('sessionsExpired') === 1)
    end.write(response(1, Buffer.from('owed')))

    assert.equal((await client.next())!.subarray(8).toString(), 'owed')
    assert.equal(await client.next(), null)
    assert.equal(gate.count('sessionsExpired'), 1)
  })

  it('takes a new token on the live connection, and serves what comes behind it', async () => {
    const { gate } = await world({}, await fakeBroker(end => void answerAll(end, echo)))
    const client = await loggedIn(gate)

    client.write(Buffer.concat([request(0, 9, 1), loginFrames(), request(0, 9, 2)]))

    const ids = []
    for (let i = 0; i < 4; i++) ids.push((await client.next())!.readInt32BE(4))
    assert.deepEqual(ids, [1, -1, -2, 2])
    assert.equal(gate.count('loginsAccepted'), 2)
  })
})

describe('order', () => {
  it('keeps answers of ours in the turn of their requests', async () => {
    const judge: FakeWorldOptions['judge'] = frame =>
      frame.readInt32BE(8) % 2 === 0 ? { kind: 'answer', frame: answerOf(frame, 'ours'), thenClose: false } : PASS
    const { gate, broker } = await world({ judge })
    const client = await loggedIn(gate)
    const end = await broker.accepted()

    client.write(Buffer.concat([0, 1, 2, 3, 4].map(id => request(0, 9, id))))
    assert.equal((await client.next())!.readInt32BE(4), 0)
    for (const id of [1, 3]) assert.equal((await end.next())!.readInt32BE(8), id)
    end.write(Buffer.concat([response(1), response(3)]))

    for (const id of [1, 2, 3, 4]) assert.equal((await client.next())!.readInt32BE(4), id)
  })

  it('keeps order and loses nothing while a verdict is waited for', async () => {
    const judge: FakeWorldOptions['judge'] = (frame, _caller, last) =>
      frame.readInt32BE(8) === 2 && !last ? { kind: 'wait', ready: sleep(30) } : PASS
    const { gate } = await world({ judge }, await fakeBroker(end => void answerAll(end, echo)))
    const client = await loggedIn(gate)
    const bodies = [1, 2, 3, 4].map(id => Buffer.alloc(id * 70_000, id))

    client.write(Buffer.concat(bodies.map((body, i) => request(0, 9, i + 1, body))))

    for (const [i, body] of bodies.entries()) {
      const frame = (await client.next())!
      assert.equal(frame.readInt32BE(4), i + 1)
      assert.ok(frame.subarray(8).equals(body))
    }
  })

  it('sends two requests for one, and gives both responses to their edit', async () => {
    const edit: ResponseEdit = {
      frames: 2,
      whole: frames => response(9, Buffer.concat(frames.map(frame => frame.subarray(8)))),
      stream: () => null,
    }
    const judge: FakeWorldOptions['judge'] = frame => ({
      kind: 'forward',
      frames: [frame, frame].map(f => Buffer.from(f)),
      response: edit,
      thenClose: false,
    })
    const { gate, broker } = await world({ judge })
    const client = await loggedIn(gate)
    const end = await broker.accepted()

    client.write(request(3, 12, 9))
    await end.next()
    await end.next()
    end.write(Buffer.concat([response(9, Buffer.from('a')), response(9, Buffer.from('b'))]))

    assert.equal((await client.next())!.subarray(8).toString(), 'ab')
  })

  it('waits for an edit that must ask first, and keeps the responses behind it', async () => {
    const edit: ResponseEdit = {
      frames: 1,
      whole: ([frame]) => sleep(20, response(frame!.readInt32BE(4), Buffer.from('late'))),
      stream: () => null,
    }
    const judge: FakeWorldOptions['judge'] = frame =>
      frame.readInt32BE(8) === 1 ? { kind: 'forward', frames: null, response: edit, thenClose: false } : PASS
    const { gate } = await world({ judge }, await fakeBroker(end => void answerAll(end, echo)))
    const client = await loggedIn(gate)

    client.write(Buffer.concat([request(3, 12, 1), request(3, 12, 2, Buffer.from('x'))]))

    assert.equal((await client.next())!.subarray(8).toString(), 'late')
    assert.equal((await client.next())!.subarray(8).toString(), 'x')
  })

  it('stops reading requests above the in-flight limit, and goes on below it', async () => {
    const { gate, broker } = await world({ limits: { inFlight: 2 } })
    const client = await loggedIn(gate)
    const end = await broker.accepted()

    client.write(Buffer.concat([1, 2, 3, 4, 5].map(id => request(0, 9, id))))
    await end.next()
    await end.next()
    await sleep(50)
    assert.equal(end.rest.length, 0)
    end.write(response(1))

    assert.equal((await end.next())!.readInt32BE(8), 3)
  })

  it('expects no response where none is due, and closes once it has been sent on', async () => {
    const judge: FakeWorldOptions['judge'] = () => ({ kind: 'forward', frames: null, response: NONE, thenClose: true })
    const { gate, broker } = await world({ judge })
    const client = await loggedIn(gate)
    const end = await broker.accepted()

    client.write(Buffer.concat([request(0, 9, 1, Buffer.alloc(100_000)), request(0, 9, 2)]))

    assert.equal((await end.next())!.length, 100_014)
    assert.equal(await end.next(), null)
    assert.equal(await client.next(), null)
  })
})

describe('rights that were lost', () => {
  const fetching = (verdict: () => 'yes' | 'no' | 'unknown'): FakeWorldOptions => ({
    broker: { host: '', port: 0 },
    judge: () => ({
      kind: 'forward',
      frames: null,
      response: { frames: 1, whole: ([frame]) => frame!, stream: () => null, stillAllowed: verdict },
      thenClose: false,
    }),
  })

  it('close both sides before another byte leaves', async () => {
    const { gate, broker } = await world(fetching(() => 'no'))
    const client = await loggedIn(gate)
    const end = await broker.accepted()
    client.write(request(1, 4, 1))
    await end.next()

    gate.rights.epoch++
    end.write(response(1, Buffer.from('secret')))

    assert.equal(await client.next(), null)
    assert.equal(client.rest.length, 0)
    await end.closed
    assert.equal(gate.count('rightsLost'), 1)
  })

  it('are noticed without a byte from the broker', async () => {
    const { gate, broker } = await world(fetching(() => 'no'))
    const client = await loggedIn(gate)
    client.write(request(1, 4, 1))
    await (await broker.accepted()).next()

    gate.rights.epoch++

    assert.equal(await client.next(), null)
  })

  it('close after a second while nobody can say', async () => {
    const { gate, broker } = await world(fetching(() => 'unknown'))
    const client = await loggedIn(gate)
    const end = await broker.accepted()
    client.write(request(1, 4, 1))
    await end.next()
    const from = Date.now()

    gate.rights.epoch++
    end.write(response(1, Buffer.from('secret')))

    assert.equal(await client.next(), null)
    assert.ok(Date.now() - from > 900)
    assert.equal(gate.count('undecided'), 1)
  })

  it('are given back in time: the response goes on', async () => {
    let asked = 0
    const { gate, broker } = await world(fetching(() => (++asked > 2 ? 'yes' : 'unknown')))
    const client = await loggedIn(gate)
    const end = await broker.accepted()
    client.write(request(1, 4, 1))
    await end.next()

    gate.rights.epoch++
    end.write(response(1, Buffer.from('data')))

    assert.equal((await client.next())!.subarray(8).toString(), 'data')
  })
})

describe('ends', () => {
  it('closes the client at once when the broker closes, after what the broker had sent', async () => {
    const { gate, broker } = await world()
    const client = await loggedIn(gate)
    const end = await broker.accepted()
    client.write(request(0, 9, 1))
    await end.next()

    end.write(response(1, Buffer.from('last')))
    end.socket.end()

    assert.equal((await client.next())!.subarray(8).toString(), 'last')
    assert.equal(await client.next(), null)
    assert.equal(gate.count('brokerClosed'), 1)
  })

  it('still gives the broker what a client sent before it closed', async () => {
    const { gate, broker } = await world({ judge: () => ({ kind: 'forward', frames: null, response: NONE, thenClose: false }) })
    const client = await loggedIn(gate)
    const end = await broker.accepted()
    const frame = request(0, 9, 1, Buffer.alloc(8 << 20, 5))

    client.socket.end(frame)

    assert.ok((await end.next())!.equals(frame))
    await end.closed
  })

  it('closes the client when the broker cannot be reached', async () => {
    const broker = await fakeBroker()
    await broker.close()
    const gate = await fakeWorld({ broker })
    open.push(gate)
    const client = await FakeClient.connect(gate.port)

    client.write(loginFrames())
    while ((await client.next()) !== null);

    assert.equal(gate.count('dialFailed'), 1)
  })

  it('counts a response that is not due as malformed and closes both sides', async () => {
    const { gate, broker } = await world()
    const client = await loggedIn(gate)
    const end = await broker.accepted()
    client.write(request(0, 9, 1))
    await end.next()

    end.write(response(2))

    assert.equal(await client.next(), null)
    await end.closed
    assert.equal(gate.count('malformed'), 1)
  })

  it('counts an exception as a bug and closes that connection only', async () => {
    let broken = true
    const judge: FakeWorldOptions['judge'] = () => {
      if (broken) throw new TypeError('a bug')
      return PASS
    }
    const { gate } = await world({ judge }, await fakeBroker(end => void answerAll(end, echo)))
    const [first, second] = [await loggedIn(gate), await loggedIn(gate)]

    first.write(request(0, 9, 1))
    assert.equal(await first.next(), null)
    broken = false
    second.write(request(0, 9, 1))

    assert.equal((await second.next())!.readInt32BE(4), 1)
    assert.equal(gate.count('bugs'), 1)
  })

  it('drains: requests in flight are answered, then every connection ends', async () => {
    const { gate, broker } = await world()
    const client = await loggedIn(gate)
    const end = await broker.accepted()
    client.write(request(0, 9, 1))
    await end.next()

    const drained = gate.listener.drain(5_000)
    end.write(response(1))

    assert.equal((await client.next())!.readInt32BE(4), 1)
    assert.equal(await client.next(), null)
    await drained
  })

  it('lets no more connections in than the limit', async () => {
    const { gate } = await world({ limits: { connections: 1 } })
    await loggedIn(gate)

    const second = await FakeClient.connect(gate.port)

    assert.equal(await second.next(), null)
  })

  it('a broker that is asked for the first time has its time, though the gate itself hears nothing of it', async () => {
    const { gate, broker } = await world({ brokerIsSilent: () => true })
    const client = await loggedIn(gate)
    const end = await broker.accepted()
    client.write(request(0, 9, 1))
    await end.next()

    await sleep(600) // two rounds
    end.write(response(1))

    assert.equal((await client.next())!.readInt32BE(4), 1)
  })

  it('a broker that owes an answer, and gives nobody a word has gone; one that is only slow has not', async t => {
    let silent = false
    let aheadMs = 0
    const now = performance.now.bind(performance)
    t.mock.method(performance, 'now', () => now() + aheadMs)
    const later = async (ms: number): Promise<void> => {
      aheadMs += ms
      await sleep(600) // two rounds
    }
    const { gate, broker } = await world({ limits: { idleMs: 3_600_000 }, brokerIsSilent: () => silent })
    const [waiting, quiet] = [await loggedIn(gate), await loggedIn(gate)]
    const end = await broker.accepted()
    waiting.write(request(0, 9, 1))
    await end.next()

    await later(120_000)
    assert.deepEqual(gate.closedCauses, [], 'the broker may take its time')
    silent = true
    end.write(response(1))
    assert.equal((await waiting.next())!.readInt32BE(4), 1)
    waiting.write(request(0, 9, 2))
    await end.next()
    await later(25_000)
    assert.deepEqual(gate.closedCauses, [], 'it has been heard 25 s ago')
    await later(10_000)

    assert.equal(await waiting.next(), null)
    assert.deepEqual(
      gate.closedCauses.map(({ cause }) => cause),
      ['broker lost'],
    )
    quiet.socket.destroy()
  })

  it('closes what has been idle for too long', async () => {
    const { gate } = await world({ limits: { idleMs: 1_000 } })
    const client = await loggedIn(gate)

    assert.equal(await client.next(), null)
    assert.equal(gate.closedCauses.at(-1)!.cause, 'idle')
  })
})
