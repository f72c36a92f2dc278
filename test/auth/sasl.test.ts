// The server's side of SASL, frame by frame: what a client gets, when it is closed, and whom it is afterwards.
// Bytes are written by hand from Kafka's protocol guide; texts and order are those of SaslServerAuthenticator.java.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Principal, Verified } from '../../src/auth/principal.ts'
import { SaslExchange, type SaslOptions, type SaslStep } from '../../src/auth/sasl.ts'
import { MalformedError } from '../../src/protocol/wire.ts'
import { principalOf } from '../fakes/principal.ts'

const A = '\u0001'
const T0 = 1_700_000_000_000
const principal = (name: string, expiresAtMs = T0 + 300_000): Principal => principalOf(`user:corp/${name}`, { expiresAtMs })

/** Tokens are names; `bad` is refused, `later` cannot be decided. */
async function verify(token: string): Promise<Verified> {
  if (token === 'bad') return { kind: 'refused', why: 'token expired' }
  if (token === 'later') return { kind: 'unavailable', why: 'no keys' }
  return { kind: 'principal', principal: principal(token) }
}

function open(options: Partial<SaslOptions> = {}) {
  const clock = { ms: T0 }
  const exchange = new SaslExchange({
    verify,
    apiVersions: () => Buffer.from('0000aabb', 'hex'),
    sessionMaxMs: 3_600_000,
    now: () => clock.ms,
    ...options,
  })
  return { exchange, clock }
}

const int16 = (n: number) => n.toString(16).padStart(4, '0')
const int32 = (n: number) => n.toString(16).padStart(8, '0')
const sized = (hex: string) => Buffer.from(int32(hex.length / 2) + hex, 'hex')
/** Header v1: key, version, correlation id 7, client id "c". */
const head = (key: number, version: number) => `${int16(key)}${int16(version)}00000007000163`
const text = (value: string) => int16(Buffer.byteLength(value)) + Buffer.from(value).toString('hex')
const handshake = (version = 1, mechanism = 'OAUTHBEARER') => sized(head(17, version) + text(mechanism))
const message = (token: string, authzid = '') => Buffer.from(`n,${authzid},${A}auth=Bearer ${token}${A}${A}`)
function authenticate(bytes: Buffer, version = 1): Buffer {
  const hex = bytes.toString('hex')
  if (version < 2) return sized(head(36, version) + int32(bytes.length) + hex)
  assert.ok(bytes.length < 127)
  return sized(`${head(36, 2)}00${(bytes.length + 1).toString(16).padStart(2, '0')}${hex}00`)
}
const apiVersions = sized(`${head(18, 0)}`)

const HANDSHAKE_OK = sized(`00000007${int16(0)}${int32(1)}${text('OAUTHBEARER')}`)
const authenticated = (lifetimeMs: number) => sized(`000000070000000000000000${lifetimeMs.toString(16).padStart(16, '0')}`)
const failed = (why: string) => sized(`00000007${int16(58)}${text(why)}00000000${'0'.repeat(16)}`)

async function run(exchange: SaslExchange, ...frames: Buffer[]): Promise<SaslStep> {
  let step: SaslStep | undefined
  for (const frame of frames) step = await exchange.take(frame)
  return step!
}
const hex = (frame: Buffer | null) => frame?.toString('hex') ?? null

test('ApiVersions, handshake, token: logged in, with the session length announced', async () => {
  const { exchange } = open()

  const versions = await run(exchange, apiVersions)
  const greeted = await run(exchange, handshake())
  const done = await run(exchange, authenticate(message('alice')))

  assert.equal(hex(versions.reply), '00000008000000070000aabb')
  assert.equal(hex(greeted.reply), hex(HANDSHAKE_OK))
  assert.equal(hex(done.reply), hex(authenticated(300_000)))
  assert.deepEqual([done.close, done.session?.principal.name, done.session?.expiresAtMs], [null, 'alice', T0 + 300_000])
  assert.equal(exchange.session, done.session)
  assert.equal(exchange.idle, true)
})

test('the session ends at the configured maximum, where the token would last longer', async () => {
  const { exchange } = open({ sessionMaxMs: 60_000 })

  const done = await run(exchange, handshake(), authenticate(message('alice')))

  assert.equal(hex(done.reply), hex(authenticated(60_000)))
})

test('SaslAuthenticate v0 announces no session length, and it is enforced all the same', async () => {
  const { exchange } = open()

  const done = await run(exchange, handshake(), authenticate(message('alice'), 0))

  assert.equal(hex(done.reply), hex(sized('000000070000000000000000')))
  assert.equal(done.session?.expiresAtMs, T0 + 300_000)
})

test('SaslAuthenticate v2 is answered in its flexible form', async () => {
  const { exchange } = open()

  const done = await run(exchange, handshake(), authenticate(message('alice'), 2))

  assert.equal(hex(done.reply), hex(sized('000000070000000101000000000004 93e000'.replace(' ', ''))))
})

test('after handshake v0 tokens come and go as bare frames', async () => {
  const { exchange } = open()
  await run(exchange, handshake(0))
  assert.equal(exchange.wants(3), true)

  const done = await run(exchange, sized(message('alice').toString('hex')))

  assert.equal(hex(done.reply), '00000000')
  assert.equal(done.session?.principal.name, 'alice')
})

test('a bare token that is bad is challenged, then closed without an error frame', async () => {
  const { exchange } = open()

  const challenged = await run(exchange, handshake(0), sized(message('bad').toString('hex')))
  const ended = await run(exchange, sized('01'))

  assert.equal(challenged.reply?.subarray(4).toString(), '{"status":"invalid_token"}')
  assert.deepEqual([ended.reply, ended.close, ended.delayMs], [null, 'login refused', 100])
})

test('a bad token takes two rounds: the challenge at once, error 58 with the same text and the close delayed', async () => {
  const { exchange } = open()
  await run(exchange, handshake())

  const challenged = await run(exchange, authenticate(message('bad')))
  const ended = await run(exchange, authenticate(Buffer.from(A)))

  const json = '{"status":"invalid_token"}'
  assert.equal(
    hex(challenged.reply),
    hex(sized(`0000000700000000${int32(json.length)}${Buffer.from(json).toString('hex')}${'0'.repeat(16)}`)),
  )
  assert.deepEqual([challenged.close, challenged.delayMs, challenged.why], [null, 0, 'token expired'])
  assert.equal(hex(ended.reply), hex(failed(json)))
  assert.deepEqual([ended.close, ended.delayMs, exchange.session], ['login refused', 100, null])
})

test('a client that answers the challenge with another token is judged afresh', async () => {
  const { exchange } = open()

  const done = await run(exchange, handshake(), authenticate(message('bad')), authenticate(message('alice')))

  assert.equal(done.session?.principal.name, 'alice')
})

test('a single 0x01 without a challenge is a malformed message', async () => {
  const { exchange } = open()

  const ended = await run(exchange, handshake(), authenticate(Buffer.from(A)))

  assert.equal(hex(ended.reply), hex(failed(invalid('authentication'))))
})
const invalid = (during: string) => `Authentication failed during ${during} due to invalid credentials with SASL mechanism OAUTHBEARER`

test('a message outside the grammar is told nothing but that it failed', async () => {
  const { exchange } = open()

  const ended = await run(exchange, handshake(), authenticate(Buffer.from('user\u0000user\u0000secret')))

  assert.equal(hex(ended.reply), hex(failed(invalid('authentication'))))
  assert.deepEqual([ended.close, ended.delayMs], ['login refused', 100])
})

test("an authorization id that is not the token's principal is refused, its own is not", async () => {
  const refused = await run(open().exchange, handshake(), authenticate(message('alice', 'a=bob')))
  const accepted = await run(open().exchange, handshake(), authenticate(message('alice', 'a=alice')))

  const why = "Authentication failed: Client requested an authorization id (bob) that is different from the token's principal name (alice)"
  assert.equal(hex(refused.reply), hex(failed(why)))
  assert.equal(accepted.session?.principal.name, 'alice')
})

test('a token that cannot be checked is neither accepted nor refused: the connection closes without a word', async () => {
  const { exchange } = open()

  const ended = await run(exchange, handshake(), authenticate(message('later')))

  assert.deepEqual([ended.reply, ended.close, ended.why], [null, 'login undecided', 'no keys'])
})

test('an unknown mechanism is answered 33 with those that are offered, then closed, both delayed', async () => {
  const { exchange } = open({ failureDelayMs: 250 })

  const ended = await run(exchange, handshake(1, 'PLAIN'))

  assert.equal(hex(ended.reply), hex(sized(`00000007${int16(33)}${int32(1)}${text('OAUTHBEARER')}`)))
  assert.deepEqual([ended.close, ended.delayMs], ['login refused', 250])
})

test('any other API before the handshake is closed at once, without an answer', async () => {
  for (let key = -1; key < 100; key++) {
    if (key === 17 || key === 18) continue
    const step = await run(open().exchange, sized(`${int16(key & 0xffff)}${head(0, 0).slice(4)}0000`))
    assert.deepEqual([step.reply, step.close, step.delayMs], [null, 'illegal SASL state', 0], `key ${key}`)
  }
})

test('a second ApiVersions is closed, but after an answer that was an error it may be asked again', async () => {
  const twice = open().exchange
  assert.equal((await run(twice, apiVersions, apiVersions)).close, 'illegal SASL state')

  let answers = ['0023', '0000']
  const again = open({ apiVersions: () => Buffer.from(answers.shift()!, 'hex') }).exchange
  assert.equal(hex((await run(again, apiVersions, apiVersions)).reply), hex(sized('000000070000')))
  answers = []
})

test('another API in the token state is told error 34 in its own answer, then closed', async () => {
  const { exchange } = open()
  const heartbeat = sized(`${head(12, 0)}${text('g')}${int32(1)}${text('m')}`)

  const ended = await run(exchange, handshake(), heartbeat)

  assert.equal(hex(ended.reply), hex(sized(`00000007${int16(34)}`)))
  assert.deepEqual([ended.close, ended.delayMs], ['illegal SASL state', 100])
})

test('versions that are not served are closed', async () => {
  assert.equal((await run(open().exchange, handshake(2))).close, 'illegal SASL state')
  assert.equal((await run(open().exchange, handshake(), sized(`${head(36, 3)}0000`))).close, 'illegal SASL state')
})

test('frames that break the protocol are malformed, at every length', async () => {
  for (const whole of [handshake(), authenticate(message('alice'), 1), authenticate(message('alice'), 2)]) {
    for (let end = 8; end < whole.length; end++) {
      const cut = Buffer.from(whole.subarray(0, end))
      const { exchange } = open()
      if (whole.readInt16BE(4) === 36) await run(exchange, handshake())
      assert.throws(() => exchange.take(cut), MalformedError, `cut at ${end}`)
    }
    const { exchange } = open()
    if (whole.readInt16BE(4) === 36) await run(exchange, handshake())
    assert.throws(() => exchange.take(Buffer.concat([whole, Buffer.alloc(1)])), MalformedError)
  }
})

test('frames too short for a header are closed', async () => {
  for (let n = 4; n < 8; n++) assert.equal((await run(open().exchange, Buffer.alloc(n))).close, 'illegal SASL state')
})

test('nothing is taken after the end', async () => {
  const { exchange } = open()

  const step = await run(exchange, handshake(1, 'PLAIN'), handshake())

  assert.deepEqual([step.reply, step.close], [null, 'illegal SASL state'])
})

async function loggedIn(options: Partial<SaslOptions> = {}) {
  const world = open(options)
  await run(world.exchange, handshake(), authenticate(message('alice')))
  return world
}

test('after login only the two SASL requests are for the exchange, while it re-authenticates every frame is', async () => {
  const { exchange } = await loggedIn()
  assert.deepEqual([exchange.wants(0), exchange.wants(18), exchange.wants(17), exchange.wants(36)], [false, false, true, true])

  await run(exchange, handshake())

  assert.deepEqual([exchange.wants(0), exchange.idle], [true, false])
})

test('the same principal renews its session on the open connection', async () => {
  const { exchange, clock } = await loggedIn()
  clock.ms += 200_000
  const expiresAtMs = clock.ms + 100_000

  const greeted = await run(exchange, handshake())
  assert.equal(exchange.session?.principal.name, 'alice', 'the former session stands until the new one is there')
  const done = await run(exchange, authenticate(message('alice')))

  assert.equal(hex(greeted.reply), hex(HANDSHAKE_OK))
  assert.equal(hex(done.reply), hex(authenticated(100_000)))
  assert.equal(done.session?.expiresAtMs, expiresAtMs)
})

test('a session that has ended can still be renewed by a handshake', async () => {
  const { exchange, clock } = await loggedIn({
    verify: async name => ({ kind: 'principal', principal: principal(name, clock0.ms + 1_000) }),
  })
  clock.ms += 10_000

  assert.equal(hex((await run(exchange, handshake())).reply), hex(HANDSHAKE_OK))
})
const clock0 = { ms: T0 }

test('another principal on re-authentication is refused in the words of Kafka', async () => {
  const { exchange } = await loggedIn()

  const ended = await run(exchange, handshake(), authenticate(message('bob')))

  assert.equal(hex(ended.reply), hex(failed('Cannot change principals during re-authentication from User.alice: User.bob')))
  assert.deepEqual([ended.close, ended.session], ['login refused', null])
})

test('a malformed message on re-authentication says so', async () => {
  const { exchange } = await loggedIn()

  const ended = await run(exchange, handshake(), authenticate(Buffer.from('x')))

  assert.equal(hex(ended.reply), hex(failed(invalid('re-authentication'))))
})

test('a handshake within a second of the one before is an ordinary request: error 34, and the connection goes on', async () => {
  const { exchange, clock } = await loggedIn()
  await run(exchange, handshake(), authenticate(message('alice')))
  clock.ms += 999

  const early = await run(exchange, handshake())
  clock.ms += 1
  const due = await run(exchange, handshake())

  assert.equal(hex(early.reply), hex(sized(`00000007${int16(34)}00000000`)))
  assert.equal(early.close, null)
  assert.equal(hex(due.reply), hex(HANDSHAKE_OK))
})

test('SaslAuthenticate without a handshake is answered 34, and the connection goes on', async () => {
  const { exchange } = await loggedIn()

  const step = await run(exchange, authenticate(message('alice')))

  const why = 'SaslAuthenticate request received after successful authentication'
  assert.equal(hex(step.reply), hex(sized(`00000007${int16(34)}${text(why)}00000000${'0'.repeat(16)}`)))
  assert.deepEqual([step.close, exchange.idle], [null, true])
})

test('SaslAuthenticate after the session has ended closes without a word', async () => {
  const { exchange, clock } = await loggedIn()
  clock.ms += 300_000

  const step = await run(exchange, authenticate(message('alice')))

  assert.deepEqual([step.reply, step.close], [null, 'sessionsExpired'])
})
