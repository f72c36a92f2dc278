// Bytes through a session, however they are cut, and what it does with bytes that are not Kafka's.

import assert from 'node:assert/strict'
import { after, afterEach, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { PASS, type RequestStream, type ResponseEdit } from '../../src/policy/outcome.ts'
import { blockBytes, budget } from '../../src/proxy/buffers.ts'
import { acceptsByHandle, selfTest } from '../../src/proxy/onread.ts'
import { answerAll, fakeBroker } from '../fakes/broker.ts'
import { FakeClient } from '../fakes/client.ts'
import { request, response } from '../fakes/frames.ts'
import { type FakeWorld, type FakeWorldOptions, fakeWorld } from '../fakes/gate.ts'
import { noise } from '../fakes/noise.ts'
import { until } from '../fakes/until.ts'
import { closeAll, loggedIn, open, world } from '../fakes/world.ts'

afterEach(closeAll)
after(async () => {
  await until(() => blockBytes().busy === 0)
})

const echo = (frame: Buffer) => response(frame.readInt32BE(8), frame.subarray(14))
/** Stops in between, so that the receiver sees the cut. */
async function writeCut(client: FakeClient, bytes: Buffer, cuts: readonly number[]): Promise<void> {
  let from = 0
  for (const cut of [...cuts, bytes.length]) {
    if (cut <= from) continue
    client.write(bytes.subarray(from, cut))
    from = cut
    await new Promise(resolve => setImmediate(resolve))
  }
}
const heldEdit: ResponseEdit = { frames: 1, whole: ([frame]) => frame!, stream: () => null }
const edited =
  (response: ResponseEdit): FakeWorldOptions['judge'] =>
  () => ({ kind: 'forward', frames: null, response, thenClose: false })

/** Passes pieces on as they come, the first one in two. */
const streamEdit = (): ResponseEdit => ({
  frames: 1,
  whole: ([frame]) => frame!,
  stream() {
    let left = -1
    let head = Buffer.alloc(0)
    return {
      push(bytes, start, end, send) {
        let at = start
        if (left === -1) {
          const take = Math.min(4 - head.length, end - at)
          head = Buffer.concat([head, bytes.subarray(at, at + take)])
          at += take
          if (head.length < 4) return false
          left = head.readInt32BE(0)
          send(head)
        }
        left -= end - at
        if (end > at) send(bytes.subarray(at, end))
        return left === 0
      },
    }
  },
})
const walkThrough = (): RequestStream => ({ response: null, push: (_bytes, start, end) => end - start })

const SHAPES: { readonly [shape: string]: Omit<FakeWorldOptions, 'broker'> } = {
  'passed through': {},
  'with every response held': { judge: edited(heldEdit) },
  'with every response streamed by its edit': { judge: edited(streamEdit()) },
  'with large requests streamed': { stream: walkThrough },
  'with changed frames in fresh memory': {
    judge: frame => ({ kind: 'forward', frames: [Buffer.from(frame)], response: null, thenClose: false }),
  },
}

describe('the self-test', () => {
  it('finds that accepted sockets can be read by their handle on this Node', async () => {
    assert.equal(await selfTest(), true)
    assert.equal(acceptsByHandle(), true)
  })
})

for (const [shape, options] of Object.entries(SHAPES)) {
  describe(`frames, ${shape}`, () => {
    it('come whole and in order when they are cut at every byte', async () => {
      const { gate } = await world(options, await fakeBroker(end => void answerAll(end, echo)))
      const client = await loggedIn(gate)
      const bodies = [0, 1, 30, 3].map((length, i) => noise(length, i + 1))
      const bytes = Buffer.concat(bodies.map((body, i) => request(0, 9, i, body)))

      await writeCut(client, bytes, Array.from(bytes.keys()))

      for (const [i, body] of bodies.entries()) assert.deepEqual(await client.next(), response(i, body))
    })

    it('come whole and in order whatever their sizes and cuts, and however much memory there is', async t => {
      t.after(() => budget(512 << 20))
      const { gate } = await world(options, await fakeBroker(end => void answerAll(end, echo)))
      const client = await loggedIn(gate)
      const size = fc.oneof(fc.nat(40), fc.nat(3_000), fc.integer({ min: 60_000, max: 70_000 }), fc.nat(1_200_000))
      let id = 0

      await fc.assert(
        fc.asyncProperty(
          fc.array(size, { minLength: 1, maxLength: 8 }),
          fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }),
          fc.constantFrom(64 << 10, 256 << 10, 8 << 20, 512 << 20),
          async (sizes, cuts, budgetBytes) => {
            budget(budgetBytes)
            const first = id
            const bodies = sizes.map(length => noise(length, length + 7))
            const bytes = Buffer.concat(bodies.map(body => request(0, 9, id++, body)))
            const places = cuts.map(cut => Math.floor(cut * bytes.length)).sort((a, b) => a - b)
            const written = writeCut(client, bytes, places)
            for (const [i, body] of bodies.entries()) {
              const frame = (await client.next())!
              assert.equal(frame.readInt32BE(4), first + i)
              assert.ok(frame.subarray(8).equals(body), `body ${i} of ${sizes}`)
            }
            await written
          },
        ),
        { numRuns: 40 },
      )
    })
  })
}

describe('what does not belong here', () => {
  const first = async (bytes: Buffer, login: boolean): Promise<FakeWorld> => {
    const { gate } = await world()
    const client = login ? await loggedIn(gate) : await FakeClient.connect(gate.port)
    client.write(bytes)
    assert.equal(await client.next(), null)
    assert.equal(client.rest.length, 0)
    return gate
  }
  const size = (n: number): Buffer => {
    const bytes = Buffer.alloc(64)
    bytes.writeInt32BE(n, 0)
    return bytes
  }

  it('TLS is recognised', async () => {
    const gate = await first(Buffer.from('16030100f5010000f1030300', 'hex'), false)
    assert.equal(gate.count('tlsOnPlainPort'), 1)
  })
  it('HTTP is recognised', async () => {
    const gate = await first(Buffer.from('GET / HTTP/1.1\r\nHost: gate\r\n\r\n'), false)
    assert.equal(gate.count('notKafka'), 1)
  })
  it('a PROXY header from somebody who may not send one is garbage', async () => {
    const v1 = await first(Buffer.from('PROXY TCP4 10.9.9.9 10.0.0.1 1 2\r\n'), false)
    const v2 = await first(Buffer.from('0d0a0d0a000d0a515549540a2111000c0a0909090a00000100010002', 'hex'), false)
    assert.equal(v1.count('notKafka'), 1)
    assert.equal(v2.count('notKafka'), 1)
  })
  it('a frame over the limit is closed on its four bytes', async () => {
    assert.equal((await first(size((64 << 20) + 1), true)).count('oversized'), 1)
  })
  it('a negative size is closed', async () => {
    assert.equal((await first(size(-1), true)).count('oversized'), 1)
  })
  it('before login a quarter of a MiB is too much', async () => {
    assert.equal((await first(size(256 * 1024 + 1), false)).count('oversized'), 1)
  })
  it('a frame shorter than its header is malformed', async () => {
    assert.equal((await first(size(9), true)).count('malformed'), 1)
  })

  it('nothing is allocated from the size that a frame announces', async () => {
    const { gate } = await world({ limits: { requestBytes: 100 << 20, heldBytes: 1 << 30 } })
    const clients = await Promise.all(['a', 'b', 'c', 'd'].map(name => loggedIn(gate, name)))
    const before = process.memoryUsage().arrayBuffers

    for (const client of clients) client.write(size(100 << 20))
    await until(() => gate.gate.held[0] === 4 * ((100 << 20) + 4))

    assert.ok(process.memoryUsage().arrayBuffers - before < 4 << 20)
    for (const client of clients) client.socket.destroy()
    await until(() => gate.gate.held[0] === 0)
  })
})

describe('held bytes', () => {
  it('a frame waits for room in the budget, and goes on when there is some', async () => {
    const { gate } = await world(
      { limits: { requestBytes: 2 << 20, heldBytes: 8 << 20 } },
      await fakeBroker(end => void answerAll(end, echo)),
    )
    gate.gate.held[0] = 6 << 20
    const client = await loggedIn(gate)
    const frame = request(0, 9, 1, noise(1_500_000, 3))

    client.write(frame.subarray(0, 1000))
    await sleep(20)
    client.write(frame.subarray(1000))
    await sleep(100)
    assert.equal(client.rest.length, 0)
    gate.gate.held[0] = 0

    assert.ok((await client.next())!.subarray(8).equals(frame.subarray(14)))
    assert.equal(gate.gate.held[0], 0)
    assert.ok(gate.gate.held.every(count => count === 0))
  })

  it('one principal has no more than a quarter', async () => {
    const { gate } = await world({ limits: { requestBytes: 2 << 20, heldBytes: 8 << 20 } })
    const [one, two] = [await loggedIn(gate), await loggedIn(gate)]
    const frame = request(0, 9, 1, noise(1_500_000, 3))

    one.write(frame.subarray(0, 1000))
    two.write(frame.subarray(0, 1000))
    await until(() => gate.gate.held[0] === frame.length)
    await sleep(50)

    assert.equal(gate.gate.held[0], frame.length)
  })
})

describe('back-pressure', () => {
  it('a client that does not read stops the broker, in bounded memory, and gets every byte later', async () => {
    const { gate, broker } = await world()
    const client = await loggedIn(gate)
    const end = await broker.accepted()
    client.socket.pause()
    const body = noise(96 << 20, 5)
    client.write(request(1, 4, 1))
    await end.next()
    const before = process.memoryUsage().arrayBuffers

    end.write(response(1, body))
    await sleep(300)

    assert.ok(process.memoryUsage().arrayBuffers - before - body.length < 4 << 20)
    assert.ok(end.socket.writableLength > 64 << 20)
    client.socket.resume()
    assert.ok((await client.next())!.subarray(8).equals(body))
  })

  it('a broker that does not read stops the client', async () => {
    const { gate, broker } = await world({ stream: walkThrough })
    const client = await loggedIn(gate)
    const end = await broker.accepted()
    end.socket.pause()
    const frame = request(0, 9, 1, noise(60 << 20, 5))

    client.write(frame)
    await sleep(300)

    assert.ok(client.socket.writableLength > 30 << 20)
    end.socket.resume()
    assert.ok((await end.next())!.equals(frame))
  })

  it('answers of ours do not pile up for a client that does not read', async () => {
    const answer = Buffer.alloc(100_000)
    const { gate } = await world({
      judge: frame => ({ kind: 'answer', frame: response(frame.readInt32BE(8), answer), thenClose: false }),
    })
    const client = await loggedIn(gate)
    client.socket.pause()

    client.write(Buffer.concat(Array.from({ length: 2000 }, (_, i) => request(0, 9, i))))
    await sleep(300)
    const judged = gate.count('requestsJudged')

    assert.ok(judged < 1500, `${judged} were answered`)
    client.socket.resume()
    for (let i = 0; i < 2000; i++) assert.equal((await client.next())!.readInt32BE(4), i)
  })

  it('the first block that makes memory scarce has every byte of the read that asked for it', async t => {
    budget(1 << 20)
    t.after(() => budget(512 << 20))
    const { gate } = await world({}, await fakeBroker(end => void answerAll(end, echo)))
    const client = await loggedIn(gate)
    const body = noise(3 << 20, 5)

    client.write(request(0, 9, 1, body))

    assert.ok((await client.next())!.subarray(8).equals(body))
  })

  it('a quiet connection keeps no block', async () => {
    const { gate } = await world({}, await fakeBroker(end => void answerAll(end, echo)))
    const client = await loggedIn(gate)
    const body = noise(3 << 20, 5)
    client.write(request(0, 9, 1, body))
    assert.ok((await client.next())!.subarray(8).equals(body))

    await until(() => blockBytes().busy === 0)

    client.write(request(0, 9, 2, body))
    assert.ok((await client.next())!.subarray(8).equals(body))
  })
})

it('the fallback without handles passes the same bytes', async () => {
  const net = await import('node:net')
  const { Sessions } = await import('../../src/proxy/sessions.ts')
  const { Session } = await import('../../src/proxy/session.ts')
  const behind = await fakeBroker(end => void answerAll(end, echo))
  const gate = await fakeWorld({ broker: behind })
  const sessions = new Sessions(gate.gate, () => ({ apiKey: 0, apiVersion: 9, judge: () => PASS }))
  const server = net.createServer({ pauseOnConnect: true }, socket => {
    const facts = { connection: '1', listener: 'clients', address: '127.0.0.1', certificate: null, id: null, software: null }
    const session = new Session(sessions, gate.view, 1, gate.gate.offer(1)!, facts)
    socket.on('data', chunk => session.requests.took(chunk as Buffer))
    socket.pause()
    session.serve(socket)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  open.push(behind, gate, sessions, server)
  const client = await FakeClient.connect((server.address() as { port: number }).port)
  assert.equal(await client.login(), 0)
  const bodies = [10, 100_000, 5 << 20, 0, 700].map(length => noise(length, length + 1))

  client.write(Buffer.concat(bodies.map((body, i) => request(0, 9, i, body))))

  for (const body of bodies) assert.ok((await client.next())!.subarray(8).equals(body))
})
