// The first message of OAUTHBEARER: read as Kafka's own class reads it, and in one pass.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readInitialResponse } from '../../src/auth/initial-response.ts'
import { kafkaReads } from './kafka-reads.ts'

const A = '\u0001'
const read = (text: string) => readInitialResponse(Buffer.from(text, 'latin1'))

test('a plain message carries its token', () => {
  assert.equal(read(`n,,${A}auth=Bearer abc.def-_~+/==${A}${A}`)?.token, 'abc.def-_~+/==')
})

test('an authorization id and extensions are read', () => {
  const message = read(`n,a=me,${A}traceId=1 2\t${A}auth=bEaReR   t${A}logicalCluster=lkc-1${A}${A}`)

  assert.deepEqual(message, {
    token: 't',
    authzid: 'me',
    extensions: new Map([
      ['traceId', '1 2\t'],
      ['logicalCluster', 'lkc-1'],
    ]),
  })
})

test('two tokens in one message are refused, where Kafka takes the last', () => {
  assert.equal(read(`n,,${A}auth=Bearer a${A}auth=Bearer b${A}${A}`), null)
})

const STRANGE = [
  '',
  'n',
  'n,',
  'n,,',
  `n,,${A}`,
  `n,,${A}${A}`,
  `y,,${A}auth=Bearer t${A}${A}`,
  `p=x,,${A}auth=Bearer t${A}${A}`,
  `n,,${A}auth=Bearer t${A}`,
  `n,,${A}auth=Bearer t`,
  `n,,${A}auth=Bearer t${A}${A}${A}`,
  `n,,${A}auth=Bearer t${A}${A}x`,
  `n,,auth=Bearer t${A}${A}`,
  `n,a=,${A}auth=Bearer t${A}${A}`,
  `n,a=x=2C=3D,${A}auth=Bearer t${A}${A}`,
  `n,a=x=2c,${A}auth=Bearer t${A}${A}`,
  `n,a=x=,${A}auth=Bearer t${A}${A}`,
  `n,b=x,${A}auth=Bearer t${A}${A}`,
  `n,a=x${A}y,${A}auth=Bearer t${A}${A}`,
  `n,a=\u0000,${A}auth=Bearer t${A}${A}`,
  `n,a=\u00e9,${A}auth=Bearer t${A}${A}`,
  `n,,${A}Auth=Bearer t${A}${A}`,
  `n,,${A}auth=Bearer${A}${A}`,
  `n,,${A}auth=Bearer ${A}${A}`,
  `n,,${A}auth=Bearert${A}${A}`,
  `n,,${A}auth=Bearer\tt${A}${A}`,
  `n,,${A}auth=Bearer t ${A}${A}`,
  `n,,${A}auth= Bearer t${A}${A}`,
  `n,,${A}auth=Basic t${A}${A}`,
  `n,,${A}auth=Bearer t=x${A}${A}`,
  `n,,${A}auth=Bearer =${A}${A}`,
  `n,,${A}auth=Bearer t\n${A}${A}`,
  `n,,${A}auth=Bearer t${A}k1=v${A}${A}`,
  `n,,${A}auth=Bearer t${A}k=${A}${A}`,
  `n,,${A}auth=Bearer t${A}=v${A}${A}`,
  `n,,${A}auth=Bearer t${A}k=\u007f${A}${A}`,
  `n,,${A}auth=Bearer t${A}k=a=b${A}${A}`,
  `n,,${A}auth=Bearer t${A}k=1${A}k=2${A}${A}`,
  `n,,${A}k=v${A}${A}`,
  `n,,${A}auth=Bearer t${A}k=\r\n${A}${A}`,
  `n,,${A}auth=bearer! t${A}${A}`,
  A,
  '{"user":"x"}',
  `n,a=a,b,${A}auth=Bearer t${A}${A}`,
]

test('what it reads, and what it refuses, is what Kafka reads and refuses', async () => {
  const messages = [...STRANGE.map(text => Buffer.from(text, 'latin1')), ...mutated(20_000)]

  const lines = await kafkaReads(messages)

  assert.equal(lines.length, messages.length)
  for (const [i, message] of messages.entries()) {
    const ours = readInitialResponse(message)
    const twice = message.toString('latin1').split(`${A}auth=`).length > 2
    if (!(ours === null && twice)) assert.equal(asLine(ours), lines[i], JSON.stringify(message.toString('latin1')))
  }
})

test('a message of 256 KiB is read in a moment, whatever it holds', () => {
  for (const filler of ['a', '=', ',', A, `k=v${A}`, 'n,,', '=2C', ' ']) {
    const startedMs = performance.now()
    read(`n,a=${filler.repeat(262_144 / filler.length)},${A}auth=Bearer t${A}${A}`)
    read(`n,,${A}auth=Bearer ${filler.repeat(262_144 / filler.length)}`)
    assert.ok(performance.now() - startedMs < 2_000)
  }
})

function asLine(message: ReturnType<typeof readInitialResponse>): string {
  if (message === null) return '!'
  const hex = (text: string) => Buffer.from(text).toString('hex')
  const extensions = [...message.extensions].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => hex(`${key}=${value}\n`))
  return `${hex(message.token)}\t${hex(message.authzid)}\t${extensions.join('')}`
}

/** Good messages with bytes changed, cut out and put in, always the same ones. */
function mutated(count: number): Buffer[] {
  let state = 7
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const good = [
    `n,,${A}auth=Bearer t.u-v${A}${A}`,
    `n,a=me=2C,${A}auth=bearer  t==${A}key=some value${A}${A}`,
    `n,,${A}k=v${A}l=\t\r\n${A}auth=BEARER t${A}${A}`,
  ]
  const bytes = Buffer.from(`${A}${A}n,a=.-_~+/2C3D kz\t\r\n\u0000\u007f\u00e9Bearer`, 'latin1')
  return Array.from({ length: count }, () => {
    const message = [...Buffer.from(good[random(good.length)]!, 'latin1')]
    for (let edits = 1 + random(3); edits > 0; edits--) {
      const at = random(message.length + 1)
      const byte = bytes[random(bytes.length)]!
      message.splice(at, random(3), ...(random(3) > 0 ? [byte] : []))
    }
    return Buffer.from(message)
  })
}
