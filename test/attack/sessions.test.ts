// What belongs to another: fetch sessions, logins, responses, and what an answer may tell of a topic that is not one's own.

import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fakeBroker } from '../fakes/broker.ts'
import { decodeResponse, encodeRequest, FakeClient, loginFrames } from '../fakes/client.ts'
import { request, response } from '../fakes/frames.ts'
import { type FakeWorld, fakeWorld } from '../fakes/gate.ts'
import { recordBatch } from '../fakes/record-batch.ts'
import { dataAnswers, fetchBody, loginAnd, OPEN, policyWith, produceBody, SECRET, startWorld, type World } from './world.ts'

const FETCH_SESSION_ID_NOT_FOUND = 70
const INVALID_FETCH_SESSION_EPOCH = 71

let world: World
before(async () => {
  world = await startWorld(dataAnswers(topic => recordBatch([`of ${topic}`])))
})
after(() => world?.stop())

const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})
const fetches = () => world.broker.asked.filter(asked => asked.apiKey === 1).map(asked => asked.body)

test('a fetch session serves only the connection that opened it, whoever knows its id and epoch', async () => {
  const owner = await world.client('other')
  assert.equal((await owner.ask(1, 12, fetchBody([SECRET.name]))).sessionId, 77)
  const before = fetches().length

  for (const service of ['reader', 'other']) {
    const thief = await world.client(service)
    const stolen = await thief.ask(1, 12, fetchBody([], 77, 1))
    assert.deepEqual([stolen.errorCode, stolen.responses], [FETCH_SESSION_ID_NOT_FOUND, []])
    thief.socket.destroy()
  }
  assert.equal(fetches().length, before)
  assert.equal((await owner.ask(1, 12, fetchBody([], 77, 5))).errorCode, INVALID_FETCH_SESSION_EPOCH)
  assert.equal(fetches().length, before)
  owner.socket.destroy()
})

test('a full fetch that names the session of another principal does not close it', async () => {
  const owner = await world.client('other')
  await owner.ask(1, 12, fetchBody([SECRET.name]))
  const stranger = await world.client('reader')
  await stranger.ask(1, 12, fetchBody([OPEN.name], 77, 0))
  assert.equal(fetches().at(-1).sessionId, 0)
  for (const client of [owner, stranger]) client.socket.destroy()
})

test('a topic that is added to a session later is judged like the first, and a lost right leaves the session', async () => {
  const client = await world.client('reader')
  await client.ask(1, 12, fetchBody([OPEN.name]))
  const added = await client.ask(1, 12, fetchBody([SECRET.name], 77, 1))
  assert.deepEqual(
    added.responses.map((t: any) => [t.topic, t.partitions[0].errorCode]),
    [[SECRET.name, 29]],
  )
  assert.deepEqual(fetches().at(-1).topics, [])

  const generation = await world.gate.metric('topicgate_policy_generation')
  world.gate.setPolicy(policyWith('nobody'))
  while ((await world.gate.metric('topicgate_policy_generation')) === generation) await sleep(50)
  const after = await client.ask(1, 12, fetchBody([], 77, 2))
  assert.deepEqual(
    new Map(after.responses.map((t: any) => [t.topic, t.partitions[0].errorCode])),
    new Map([
      [OPEN.name, 29],
      [SECRET.name, 29],
    ]),
  )
  assert.deepEqual(
    fetches()
      .at(-1)
      .forgottenTopicsData.map((t: any) => t.topic),
    [OPEN.name],
  )
  client.socket.destroy()
  world.gate.setPolicy(policyWith('reader', 'other'))
  while ((await world.gate.metric('topicgate_policy_generation')) === generation + 1) await sleep(50)
})

test('a fetch with a replica id, or with the debugging ones below -1, reaches nobody', async () => {
  const client = await world.client('reader')
  const before = fetches().length
  for (const replicaId of [0, 1, 2147483647, -3]) {
    const answer = await client.ask(1, 12, { ...fetchBody([OPEN.name]), replicaId })
    assert.ok(answer.responses.every((t: any) => t.partitions.every((p: any) => p.errorCode === 29 && (p.records?.length ?? 0) === 0)))
  }
  assert.equal(fetches().length, before)
  client.socket.destroy()
})

test('a topic that is not there and one that is not shown are answered alike', async () => {
  const client = await world.client('reader')
  const absent = `secret.${'x'.repeat(SECRET.name.length - 'secret.'.length)}`
  const asBytes = async (apiKey: number, version: number, body: (name: string) => object) => {
    const frames = []
    for (const name of [SECRET.name, absent]) {
      client.write(encodeRequest(apiKey, version, 4, body(name)))
      frames.push((await client.next())!.toString('latin1').replaceAll(name, 'NAME'))
    }
    return frames
  }
  const bodies: [number, number, (name: string) => object][] = [
    [0, 9, name => produceBody([name], recordBatch(['x']))],
    [1, 12, name => fetchBody([name])],
    [
      2,
      5,
      name => ({
        replicaId: -1,
        isolationLevel: 0,
        topics: [{ name, partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1n }] }],
      }),
    ],
    [
      3,
      9,
      name => ({
        topics: [{ name }],
        allowAutoTopicCreation: true,
        includeClusterAuthorizedOperations: false,
        includeTopicAuthorizedOperations: true,
      }),
    ],
    [20, 5, name => ({ topicNames: [name], timeoutMs: 1 })],
  ]
  for (const [apiKey, version, body] of bodies) {
    const [hidden, nothing] = await asBytes(apiKey, version, body)
    assert.equal(hidden, nothing, `API key ${apiKey}`)
  }
  client.socket.destroy()
})

test('a Produce right behind a login that fails is dropped, however the bytes are cut', async () => {
  const before = world.broker.count(0)
  const bad = (await world.token('writer')).slice(0, -8)
  const bytes = loginAnd(bad, encodeRequest(0, 9, 3, produceBody([OPEN.name], recordBatch(['x']))))
  for (let cut = 1; cut < bytes.length; cut += 61) {
    const client = await FakeClient.connect(world.gate.port)
    client.write(bytes.subarray(0, cut))
    await new Promise(resolve => setImmediate(resolve))
    client.write(bytes.subarray(cut))
    while ((await client.next()) !== null);
  }
  assert.equal(world.broker.count(0), before)
})

test('a login and a Produce that come a byte at a time are served as if they had come in one', async () => {
  const before = world.broker.count(0)
  const client = await FakeClient.connect(world.gate.port)
  const bytes = loginAnd(await world.token('writer'), encodeRequest(0, 9, 3, produceBody([OPEN.name], recordBatch(['x']))))
  for (const byte of bytes) client.write(Buffer.of(byte))
  for (let i = 0; i < 2; i++) await client.next()
  assert.equal(decodeResponse(0, 9, (await client.next())!).responses[0].partitionResponses[0].errorCode, 0)
  assert.equal(world.broker.count(0), before + 1)
  client.socket.destroy()
})

const segment = (json: unknown) => Buffer.from(JSON.stringify(json)).toString('base64url')

test('a key id that is a path, a query or very long opens nothing', async () => {
  const [, payload] = (await world.token('writer')).split('.')
  const kids = ['../../../etc/passwd', "' OR 1=1 --", '\u0000', 'x'.repeat(8000), '__proto__', 'constructor', '\u001b[31m\r\nforged']
  for (const kid of kids) {
    for (const alg of ['RS256', 'none', 'HS256']) {
      const client = await FakeClient.connect(world.gate.port)
      client.write(loginFrames(`${segment({ alg, kid, typ: 'JWT' })}.${payload}.${alg === 'none' ? 'AA' : 'c2ln'}`))
      await client.next()
      assert.ok(decodeResponse(36, 2, (await client.next())!).authBytes.includes('invalid_token'), `${alg} ${kid.slice(0, 20)}`)
      client.socket.destroy()
    }
  }
  const huge = await FakeClient.connect(world.gate.port)
  huge.write(loginFrames(`${segment({ alg: 'RS256', kid: 'x'.repeat(1 << 20) })}.${payload}.c2ln`))
  while ((await huge.next()) !== null);
  const client = await world.client('writer')
  client.socket.destroy()
})

async function hostile(
  options: Partial<Parameters<typeof fakeWorld>[0]> = {},
): Promise<{ gate: FakeWorld; broker: Awaited<ReturnType<typeof fakeBroker>> }> {
  const broker = await fakeBroker()
  const gate = await fakeWorld({ ...options, broker })
  open.push(broker, gate)
  return { gate, broker }
}

test('a broker that answers out of turn, twice or unasked loses that client, and no other client gets a byte of it', async () => {
  const answers = [
    (id: number) => response(id + 1, Buffer.from('stray')),
    (id: number) => Buffer.concat([response(id, Buffer.from('due')), response(id, Buffer.from('stray'))]),
    () => Buffer.concat([Buffer.from([255, 255, 255, 255]), Buffer.from('stray')]),
    () => Buffer.from([0, 0, 0, 3, 1, 2, 3, 4]),
  ]
  for (const answer of answers) {
    const { gate, broker } = await hostile()
    const [victim, bystander] = [await FakeClient.connect(gate.port), await FakeClient.connect(gate.port)]
    await victim.login()
    const end = await broker.accepted()
    await bystander.login()
    const other = await broker.accepted()
    victim.write(request(0, 9, 5))
    await end.next()
    bystander.write(request(0, 9, 5))
    await other.next()

    end.write(answer(5))
    await victim.closed
    await end.closed
    assert.ok(!victim.rest.includes('stray'))
    other.write(response(5, Buffer.from('mine')))
    assert.equal((await bystander.next())!.subarray(8).toString(), 'mine')
    assert.equal(gate.count('malformed'), 1)
  }
})

test('answers of the gate itself count as in flight: a client cannot make them pile up behind a request that is not answered', async () => {
  const { gate, broker } = await hostile()
  const client = await FakeClient.connect(gate.port)
  await client.login()
  const end = await broker.accepted()
  client.write(request(0, 9, 1))
  await end.next()
  const before = gate.count('bytesFromClients')
  const flood = Buffer.concat(Array.from({ length: 20_000 }, () => encodeRequest(18, 0, 7, {}, 'c'.repeat(1000))))
  client.write(flood)
  await sleep(500)
  assert.ok(gate.count('bytesFromClients') - before < 8 << 20, `${gate.count('bytesFromClients') - before} bytes were read`)

  end.write(response(1))
  assert.equal((await client.next())!.readInt32BE(4), 1)
  for (let i = 0; i < 20_000; i++) assert.equal((await client.next())!.readInt32BE(4), 7)
})

test('many requests of one correlation id are answered in their order', async () => {
  const { gate, broker } = await hostile()
  const client = await FakeClient.connect(gate.port)
  await client.login()
  const end = await broker.accepted()
  client.write(Buffer.concat(Array.from({ length: 200 }, (_, i) => request(0, 9, 9, Buffer.of(i)))))
  for (let i = 0; i < 200; i++) assert.equal((await end.next())![14], i)
  end.write(Buffer.concat(Array.from({ length: 200 }, (_, i) => response(9, Buffer.of(i)))))
  for (let i = 0; i < 200; i++) assert.equal((await client.next())![8], i)
})
