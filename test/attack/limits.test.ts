// What a client sends must not cost others anything: sizes that lie, bytes that trickle, text meant for logs, names meant for metrics, broken messages by the hundred.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Resource } from '../../src/policy/authorizer.ts'
import { Names } from '../../src/policy/names.ts'
import { planFor } from '../../src/policy/plan.ts'
import { apis } from '../../src/protocol/messages/index.ts'
import { within } from '../../src/protocol/schema.ts'
import { encodeRequest, FakeClient, loginFrames } from '../fakes/client.ts'
import { request } from '../fakes/frames.ts'
import { until } from '../fakes/until.ts'
import { FakeCaller } from '../policy/special/caller.ts'
import { type Golden, goldenLines } from '../protocol/golden.ts'
import { mutated } from '../protocol/mutate.ts'
import { type Random, seeded } from '../protocol/random.ts'
import { dataAnswers, loginAnd, OPEN, produceBody, sendAlone, startWorld, type World } from './world.ts'

const LOGIN_TIME_MS = 1500
const seed = Number(process.env['ATTACK_SEED'] ?? Date.now() % 2 ** 32)
let world: World
before(async () => {
  world = await startWorld(dataAnswers(() => Buffer.alloc(0)))
})
after(() => world?.stop())

/** Bytes of memory that the gate has now. */
const residentBytes = (): number => 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${world.gate.pid}/status`, 'utf8'))![1])
const size = (n: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(n)
  return bytes
}

test('a size that is negative or too great closes the connection at its four bytes, before login and after', async () => {
  const token = await world.token('writer')
  for (const n of [0x7fffffff, -1, -0x80000000, 256 * 1024 + 1]) await sendAlone(world.gate.port, size(n))
  for (const n of [0x7fffffff, -1, -0x80000000, (100 << 20) + 1]) await sendAlone(world.gate.port, loginAnd(token, size(n)))
  assert.equal(await world.gate.metric('topicgate_oversized_total'), 8)
})

test('memory grows with the bytes that came, not with those that were announced', async () => {
  const before = residentBytes()
  const clients = await Promise.all(Array.from({ length: 40 }, () => world.client('writer')))
  for (const client of clients) client.write(Buffer.concat([size(99 << 20), request(3, 12, 1).subarray(4), Buffer.alloc(100)]))
  await sleep(300)
  assert.ok(residentBytes() - before < 64 << 20, `${(residentBytes() - before) >> 20} MiB more`)
  for (const client of clients) client.socket.destroy()
})

test('whoever does not log in in time is closed, also when a byte comes now and then', async t => {
  const hurried = await startWorld({}, { limits: { loginTime: `${LOGIN_TIME_MS}ms` } })
  t.after(() => hurried.stop())
  const client = await FakeClient.connect(hurried.gate.port)
  const frames = loginFrames(await hurried.token('writer'))
  const from = performance.now()
  for (let i = 0; !client.socket.destroyed && i < frames.length; i++) {
    client.write(frames.subarray(i, i + 1))
    await Promise.race([client.closed, sleep(50)])
  }
  await client.closed
  assert.ok(performance.now() - from < LOGIN_TIME_MS + 5000)
})

test('what is announced before a login cannot take the room of those who have logged in', async () => {
  const frame = Buffer.concat([size(256 * 1024), request(17, 1, 1).subarray(4)])
  const sockets = await Promise.all(Array.from({ length: 700 }, () => FakeClient.connect(world.gate.port)))
  for (const { socket } of sockets) socket.write(frame)
  const held = () => world.gate.metric('topicgate_held_bytes', { side: 'requests' })
  await until(async () => (await held()) > 0)
  await sleep(200)
  assert.ok((await held()) <= (512 << 20) / 4, `${await held()} bytes`)
  for (const { socket } of sockets) socket.destroy()
})

test('text from strangers makes no line of its own, and no terminal obeys it', async () => {
  const evil = 'a\r\n{"verdict":"allowed"}\u001b[2J\u0000\u202e\u2028b'
  const clientId = evil + 'x'.repeat(32_000 - Buffer.byteLength(evil))
  const client = await world.client('writer')
  client.write(encodeRequest(18, 3, 1, { clientSoftwareName: 'ok', clientSoftwareVersion: '1' }, clientId))
  await client.next()
  client.write(encodeRequest(0, 9, 2, produceBody([`secret.${evil}`], null), clientId))
  await client.next()
  client.socket.destroy()
  const stranger = await FakeClient.connect(world.gate.port)
  stranger.write(encodeRequest(17, 1, 1, { mechanism: evil }, clientId))
  while ((await stranger.next()) !== null);
  const refused = () => world.gate.audit().filter(line => line.resource?.name.startsWith('secret.a'))
  await until(() => refused().length > 0)
  await sleep(200)

  assert.equal(refused().length, 1)
  assert.ok(JSON.stringify(refused()[0]).length < 4096)
  for (const file of [readFileSync(world.gate.logFile, 'utf8'), JSON.stringify(world.gate.audit())]) {
    assert.ok(!/[\r\u0000\u001b\u202e\u2028]/.test(file))
    for (const line of file.split('\n').filter(text => text.startsWith('{'))) JSON.parse(line)
  }
  assert.equal(world.gate.audit().filter(line => line.verdict === 'allowed').length, 0)
})

test('names, client ids and versions make no new series of metrics', async () => {
  const series = async () =>
    (await (await fetch(`${world.gate.healthUrl}/metrics`)).text())
      .split('\n')
      .map(line => line.split(' ')[0])
      .filter(name => !name!.startsWith('#'))
  const before = new Set((await series()).filter(name => name!.startsWith('topicgate_') && !name!.startsWith('topicgate_nodejs')))
  for (let i = 0; i < 30; i++) {
    const client = await world.client('writer')
    const names = Array.from({ length: 100 }, (_, k) => `secret.${i}.${k}`)
    client.write(encodeRequest(0, 9, 2, produceBody(names, null), `client-${i}`))
    await client.next()
    client.socket.destroy()
  }
  const more = (await series()).filter(name => name!.startsWith('topicgate_') && !name!.startsWith('topicgate_nodejs') && !before.has(name))
  assert.deepEqual(more, [])
})

test('names are bounded in bytes, not only in number', () => {
  const names = new Names(1 << 20, 1 << 20)
  for (let i = 0; i < 100; i++) names.of(Resource.Group, Buffer.alloc(32_000, i), 0, 32_000)
  assert.ok(names.size <= 34 && names.generation >= 2)
})

test('sixty thousand refused names, or one name sixty thousand times, are judged in time', () => {
  const many = Array.from({ length: 60_000 }, (_, i) => `t${i}`)
  const same = many.map(() => 'twice')
  const caller = new FakeCaller()
  const before = process.threadCpuUsage()
  for (const names of [many, same]) {
    const bodies: [number, number, object][] = [
      [0, 9, produceBody(names, null)],
      [3, 9, { topics: names.map(name => ({ name })), allowAutoTopicCreation: false }],
      [10, 4, { keyType: 0, coordinatorKeys: names }],
      [20, 5, { topicNames: names, timeoutMs: 1 }],
      [
        24,
        3,
        {
          v3AndBelowTransactionalId: 'x',
          v3AndBelowProducerId: 1n,
          v3AndBelowProducerEpoch: 0,
          v3AndBelowTopics: names.map((name, i) => ({ name, partitions: [i] })),
        },
      ],
      [33, 2, { resources: names.map(resourceName => ({ resourceType: 2, resourceName, configs: [] })), validateOnly: false }],
      [37, 3, { topics: names.map(name => ({ name, count: 2, assignments: null })), timeoutMs: 1, validateOnly: false }],
    ]
    for (const [key, version, body] of bodies) planFor(key, version)!.judge(encodeRequest(key, version, 1, body), caller, true)
  }
  const { user, system } = process.threadCpuUsage(before)
  assert.ok(user + system < 20_000_000, `${(user + system) / 1000} ms of CPU time`)
})

test('a request with more names than a fetch session may have partitions is read no further, whether it is walked or decoded', () => {
  const ask = (key: number, version: number, body: object) =>
    planFor(key, version)!.judge(encodeRequest(key, version, 1, body), new FakeCaller(), true)
  const of = <T>(count: number, element: T): T[] => new Array(count).fill(element)
  const metadata = (count: number) => ask(3, 9, { topics: of(count, { name: 'x' }), allowAutoTopicCreation: false })
  const many = 2 ** 18 + 1
  const decoded: [number, number, object][] = [
    [32, 4, { resources: [{ resourceType: 2, resourceName: 'x', configurationKeys: of(many - 1, 'x') }] }],
    [68, 1, { groupId: 'g', memberId: 'm', memberEpoch: 0, subscribedTopicNames: of(many, 'x'), topicPartitions: null }],
    [69, 1, { groupIds: of(many, 'x') }],
    [75, 0, { topics: of(many, { name: 'x' }), cursor: null }],
    [92, 0, { groupId: 'g', topics: [], unknownTags: Array.from({ length: many }, (_, tag) => [tag, Buffer.alloc(0)]) }],
  ]

  assert.throws(() => metadata(many), /too many elements/)
  assert.equal(metadata(many - 1).kind, 'forward')
  for (const [key, version, body] of decoded) assert.throws(() => ask(key, version, body), /too many (elements|unknown tags)/, `${key}`)
})

test('of thousands of refused names in one request, a thousand are listed, and that there were more', async () => {
  const client = await world.client('writer')
  const topics = Array.from({ length: 3_000 }, (_, i) => ({ name: `secret.many-${i}` }))
  const refused = () => world.gate.audit().filter(line => line.resource?.name.startsWith('secret.many-'))

  const answer = await client.ask(3, 9, { topics, allowAutoTopicCreation: false })
  while (refused().length < 1_000) await sleep(20)

  assert.equal(answer.topics.length, 3_000)
  assert.equal(refused().length, 1_000)
  assert.match(refused().at(-1)!.reason, /further names of this request are not listed/)
  client.socket.destroy()
})

function broken({ api: name, version, bytes }: Golden, random: Random): Buffer {
  const api = apis.find(a => a.name === name)!
  const head = request(api.key, version, 5, within(api.flexible, version) ? Buffer.of(0) : Buffer.alloc(0))
  const body = random(4) === 0 ? bytes : mutated(bytes, random)
  const frame = Buffer.concat([head, body])
  return Buffer.concat([size(frame.length - 4), frame.subarray(4)])
}

/** Waits for an answer, or the end of the connection, or a little while: some requests want no answer, some brokers give none. */
async function tryFrame(token: string, frame: Buffer): Promise<void> {
  const client = await FakeClient.connect(world.gate.port)
  client.write(Buffer.concat([loginFrames(token), frame]))
  await client.next()
  await client.next()
  await Promise.race([client.next(), sleep(150)])
  client.socket.destroy()
}

test('hundreds of broken messages end their connections and nothing else', async () => {
  const random = seeded(seed)
  const token = await world.token('writer')
  const requests = goldenLines().filter(line => line.side === 'request' && line.api !== 'SaslHandshake' && line.api !== 'SaslAuthenticate')
  const judged = await world.gate.metric('topicgate_requests_judged_total')
  const closed = await world.gate.metric('topicgate_connections_closed_total')
  for (let round = 0; round < 20; round++) {
    const frames = Array.from({ length: 25 }, () => broken(requests[random(requests.length)]!, random))
    await Promise.all(frames.map(frame => tryFrame(token, frame)))
  }
  assert.ok((await world.gate.metric('topicgate_connections_closed_total')) >= closed + 400)
  assert.ok((await world.gate.metric('topicgate_requests_judged_total')) > judged)
  assert.ok(world.gate.running)
  assert.equal(
    await world.gate.metric('topicgate_bugs_total'),
    0,
    `seed ${seed}: ${readFileSync(world.gate.logFile, 'utf8')
      .split('\n')
      .filter(line => line.includes('"bug"'))
      .slice(0, 3)}`,
  )
  const client = await world.client('writer')
  assert.equal((await client.ask(0, 9, produceBody([OPEN.name], null))).responses[0].partitionResponses[0].errorCode, 0)
  client.socket.destroy()
})

test('no token, nor a part of one, nor where a broker is, stands in anything that the gate has written of clients', async () => {
  const tokens = await Promise.all(['writer', 'nobody'].map(world.token))
  const parts = tokens.flatMap(token => token.split('.')).filter(part => part.length >= 40)
  assert.ok(parts.length >= 4)
  const log = () => readFileSync(world.gate.logFile, 'utf8')
  const before = log().length
  const audited = world.gate.audit().length
  const bad = [tokens[0]!.slice(0, -6), `${tokens[1]}x`]
  const malformed = Buffer.from([0, 0, 0, 9, 0, 0, 0, 9, 1, 2, 3, 4, 5])
  // Of each kind of line the log has ten a second.
  await until(async () => {
    for (const token of bad)
      await sendAlone(world.gate.port, Buffer.concat([loginFrames(token), encodeRequest(36, 2, 3, { authBytes: Buffer.of(1) })]))
    await sendAlone(world.gate.port, loginAnd(tokens[0]!, malformed))
    const lines = log().slice(before)
    return lines.includes('"login refused"') && lines.includes('"cause":"malformed"')
  })
  await until(
    () =>
      world.gate
        .audit()
        .slice(audited)
        .filter(line => line.error === 'SASL_AUTHENTICATION_FAILED').length >= bad.length,
  )

  const pages = await Promise.all(
    ['/metrics', '/readyz', '/livez', '/x'].map(async path => (await fetch(world.gate.healthUrl + path)).text()),
  )
  const written = [log(), JSON.stringify(world.gate.audit())].join('\n')
  assert.deepEqual(
    parts.filter(part => `${written}\n${pages.join('\n')}`.includes(part.slice(0, 40))),
    [],
  )
  const broker = `127.0.0.1:${world.broker.port}`
  assert.ok(!pages.join('\n').includes(broker), 'whoever asks for the pages learns of brokers')
  assert.ok(!written.includes(broker), 'whoever reads what was written learns of brokers')
})
