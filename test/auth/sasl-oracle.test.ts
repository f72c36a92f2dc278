// The same frames to Kafka's own SaslServerAuthenticator and to ours: the same answers, the same closes.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { kafkaLibs } from '../../scripts/stack/jars.ts'
import type { Verified } from '../../src/auth/principal.ts'
import { SaslExchange } from '../../src/auth/sasl.ts'
import { MalformedError } from '../../src/protocol/wire.ts'
import { principalOf } from '../fakes/principal.ts'

const SESSION_MS = 60_000
const A = '\u0001'

const int16 = (n: number) => (n & 0xffff).toString(16).padStart(4, '0')
const int32 = (n: number) => n.toString(16).padStart(8, '0')
const sized = (hex: string) => Buffer.from(int32(hex.length / 2) + hex, 'hex')
const head = (key: number, version: number) => `${int16(key)}${int16(version)}00000007000163`
const text = (value: string) => int16(Buffer.byteLength(value)) + Buffer.from(value).toString('hex')
const handshake = (version: number, mechanism = 'OAUTHBEARER') => sized(head(17, version) + text(mechanism))
function authenticate(bytes: Buffer, version: number): Buffer {
  const hex = bytes.toString('hex')
  if (version < 2) return sized(head(36, version) + int32(bytes.length) + hex)
  const n = bytes.length + 1
  const length = n < 128 ? n.toString(16).padStart(2, '0') : ((n & 127) | 128).toString(16) + (n >> 7).toString(16).padStart(2, '0')
  return sized(`${head(36, version)}00${length}${hex}00`)
}
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const nowS = Math.floor(Date.now() / 1000)
/** An unsigned token, as Kafka's stock validator for development takes them. */
const token = (sub: string, exp = nowS + 3600) => `${part({ alg: 'none' })}.${part({ sub, exp, iat: nowS - 60 })}.`
const message = (bearer: string, authzid = '') => Buffer.from(`n,${authzid},${A}auth=Bearer ${bearer}${A}${A}`)

const MESSAGES: Readonly<Record<string, Buffer>> = {
  alice: message(token('alice')),
  bob: message(token('bob')),
  'alice as alice': message(token('alice'), 'a=alice'),
  'alice as bob': message(token('alice'), 'a=bob'),
  expired: message(token('alice', nowS - 3600)),
  'no token': message('x.y.z'),
  acknowledgement: Buffer.from(A),
  junk: Buffer.from('user\u0000user\u0000secret'),
  nothing: Buffer.alloc(0),
}
const FRAMES: Readonly<Record<string, Buffer>> = {
  'ApiVersions v0': sized(head(18, 0)),
  'ApiVersions v3': sized(`${head(18, 3)}000263027600`),
  'ApiVersions v99': sized(`${head(18, 99)}00`),
  'Handshake v0': handshake(0),
  'Handshake v1': handshake(1),
  'Handshake v2': handshake(2),
  'Handshake PLAIN': handshake(1, 'PLAIN'),
  'Handshake v0 PLAIN': handshake(0, 'PLAIN'),
  'Handshake cut': sized(`${head(17, 1)}000b4f41`),
  'Heartbeat v0': sized(`${head(12, 0)}${text('g')}${int32(1)}${text('m')}`),
  'Produce, cut': sized(head(0, 3)),
  'unknown API': sized(`${head(1000, 0)}00`),
  'a frame of nothing': sized(''),
  'a frame of three': sized('001100'),
  'GET / HTTP': sized(Buffer.from('GET / HTTP/1.1\r\n\r\n').toString('hex')),
  ...Object.fromEntries(Object.entries(MESSAGES).map(([name, bytes]) => [`bare ${name}`, sized(bytes.toString('hex'))])),
  ...Object.fromEntries(
    [0, 1, 2, 3].flatMap(version =>
      Object.entries(MESSAGES).map(([name, bytes]) => [`Authenticate v${version} ${name}`, authenticate(bytes, version)]),
    ),
  ),
}

const SCRIPTS: readonly (readonly string[])[] = [
  ['ApiVersions v0', 'Handshake v1', 'Authenticate v1 alice', 'Heartbeat v0'],
  ['ApiVersions v99', 'ApiVersions v0', 'ApiVersions v0'],
  ['ApiVersions v3', 'Handshake v1', 'Authenticate v2 alice', 'Handshake v1', 'Authenticate v2 alice', 'Heartbeat v0'],
  ['Handshake v1', 'Authenticate v1 expired', 'Authenticate v1 acknowledgement'],
  ['Handshake v1', 'Authenticate v2 no token', 'Authenticate v2 alice', 'Heartbeat v0'],
  ['Handshake v0', 'bare expired', 'bare acknowledgement'],
  ['Handshake v0', 'bare alice', 'Heartbeat v0', 'Handshake v1', 'Authenticate v1 alice'],
  ['Handshake v1', 'Authenticate v1 alice', 'Handshake v1', 'Authenticate v1 bob'],
  ['Handshake v1', 'Authenticate v1 alice', 'Handshake v1', 'Authenticate v1 junk'],
  ['Handshake v1', 'Authenticate v1 alice', 'Handshake PLAIN'],
  ['Handshake v1', 'Authenticate v1 alice', 'Handshake v1', 'Heartbeat v0'],
  ...Object.keys(FRAMES).flatMap(frame => [
    [frame],
    ['Handshake v1', frame],
    ['Handshake v0', frame],
    ['ApiVersions v0', frame],
    ['Handshake v1', 'Authenticate v1 expired', frame],
  ]),
  ...drawn(200),
]

test('every script of frames is answered, and ended, as Kafka does', async () => {
  const kafka = await startOracle()
  try {
    for (let at = 0; at < SCRIPTS.length; at += 40) {
      const batch = SCRIPTS.slice(at, at + 40)
      const theirs = await Promise.all(batch.map(script => playToKafka(kafka.port, script)))
      const ours = await Promise.all(batch.map(playToUs))
      for (const [i, script] of batch.entries()) assert.deepEqual(ours[i], theirs[i], script.join(' → '))
    }
  } finally {
    kafka.stop()
  }
})

/** Sequences that are always the same, mostly beginning as clients do. */
function drawn(count: number): string[][] {
  let state = 11
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const names = Object.keys(FRAMES)
  const starts = [
    ['Handshake v1'],
    ['Handshake v0'],
    ['ApiVersions v3', 'Handshake v1'],
    ['Handshake v1', 'Authenticate v1 alice', 'Handshake v1'],
  ]
  return Array.from({ length: count }, () => [
    ...starts[random(starts.length)]!,
    ...Array.from({ length: 1 + random(4) }, () => names[random(names.length)]!),
  ])
}

/** What an answer looks like in a transcript: of ApiVersions only the correlation id and the error code. */
const seen = (name: string, reply: Buffer) => `${name}: ${(name.startsWith('ApiVersions') ? reply.subarray(4, 10) : reply).toString('hex')}`

/** After login only handshakes are the exchange's own; an echo stands for all that the server does, and other frames end a script. */
const endsScript = (name: string) => name !== 'Heartbeat v0' && !name.startsWith('Handshake')

async function playToUs(script: readonly string[]): Promise<string[]> {
  const exchange = new SaslExchange({
    verify,
    apiVersions: (_frame, version) => Buffer.from(version > 4 ? '0023' : '0000', 'hex'),
    sessionMaxMs: SESSION_MS,
    failureDelayMs: 0,
  })
  const transcript: string[] = []
  for (const name of script) {
    const frame = FRAMES[name]!
    if (exchange.idle && endsScript(name)) return transcript
    if (!exchange.wants(frame.length < 6 ? -1 : frame.readInt16BE(4))) {
      transcript.push(seen(name, frame))
      continue
    }
    try {
      const step = await exchange.take(frame)
      if (step.reply !== null && step.close === null && errorCode(name, step.reply) === 34) return transcript
      if (step.reply !== null) transcript.push(seen(name, step.reply))
      if (step.close !== null) return [...transcript, 'closed']
    } catch (error) {
      assert.ok(error instanceof MalformedError)
      return [...transcript, 'closed']
    }
  }
  return transcript
}

async function playToKafka(port: number, script: readonly string[]): Promise<string[]> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  const transcript: string[] = []
  let received: Buffer = Buffer.alloc(0)
  let closed = false
  let wake = () => {}
  socket.on('data', (bytes: Buffer) => {
    received = Buffer.concat([received, bytes])
    wake()
  })
  socket.on('close', () => {
    closed = true
    wake()
  })
  const whole = () => received.length >= 4 && received.length >= 4 + received.readInt32BE(0)
  let loggedIn = false
  for (const name of script) {
    const frame = FRAMES[name]!
    if (loggedIn && endsScript(name)) {
      socket.destroy()
      return transcript
    }
    socket.write(frame)
    while (!whole() && !closed) await new Promise<void>(resolve => (wake = resolve))
    if (!whole()) return [...transcript, 'closed']
    const reply = Buffer.from(received.subarray(0, 4 + received.readInt32BE(0)))
    received = received.subarray(reply.length)
    if (name.startsWith('Handshake') && reply.equals(frame)) {
      socket.destroy()
      return transcript
    }
    transcript.push(seen(name, reply))
    loggedIn = endsLogin(name, reply) || (loggedIn && !name.startsWith('Handshake'))
    if (isFailure(name, reply)) {
      while (!closed) await new Promise<void>(resolve => (wake = resolve))
      return [...transcript, 'closed']
    }
  }
  socket.destroy()
  return transcript
}

const errorCode = (name: string, reply: Buffer) => (reply.length < 10 ? 0 : reply.readInt16BE(name.startsWith('Authenticate v2') ? 9 : 8))
const isFailure = (name: string, reply: Buffer) => !name.startsWith('bare') && [33, 34, 58].includes(errorCode(name, reply))
/** The answer to a good token has no auth bytes; a challenge has. */
const endsLogin = (name: string, reply: Buffer) =>
  (name.startsWith('bare') && reply.length === 4) ||
  (name.startsWith('Authenticate') && errorCode(name, reply) === 0 && !reply.includes('{"status"'))

async function verify(bearer: string): Promise<Verified> {
  try {
    const { sub, exp } = JSON.parse(Buffer.from(bearer.split('.')[1]!, 'base64url').toString()) as { sub: string; exp: number }
    if (exp < nowS) return { kind: 'refused', why: 'expired' }
    return { kind: 'principal', principal: principalOf(`user:t/${sub}`, { expiresAtMs: exp * 1000 }) }
  } catch {
    return { kind: 'refused', why: 'unreadable' }
  }
}

async function startOracle() {
  const args = [
    '-XX:TieredStopAtLevel=1',
    '-cp',
    join(await kafkaLibs(), '*'),
    join(import.meta.dirname, 'SaslOracle.java'),
    String(SESSION_MS),
  ]
  const java = spawn('java', args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const [line] = (await once(java.stdout, 'data')) as [Buffer]
  return { port: Number(line.toString()), stop: () => void java.stdin.end() }
}
