// Under a budget that is used up, what TLS sends is the same bytes in the same order, and no connection takes more than its part.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import type net from 'node:net'
import { after, afterEach, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import tls from 'node:tls'
import { blockBytes, budget } from '../../src/proxy/buffers.ts'
import { adoptSecured, connectTo } from '../../src/proxy/onread.ts'
import { noise } from '../fakes/noise.ts'
import { until } from '../fakes/until.ts'

const KIB = 1024
const BUDGET_BYTES = 8 << 20
const KEPT_BYTES = BUDGET_BYTES / 8
const KEY = { ciphers: 'PSK', maxVersion: 'TLSv1.2', pskCallback: () => Buffer.from('topicgate') } as const
const silent = { target: () => Buffer.alloc(KIB), filled() {}, took() {} }

const ends: net.Socket[] = []
let server: tls.Server
let port: number

beforeEach(async () => {
  budget(BUDGET_BYTES)
  server = tls.createServer(KEY).listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as net.AddressInfo).port
})
afterEach(async () => {
  for (const end of ends.splice(0)) end.destroy()
  server.close()
  await until(() => blockBytes().kept === 0)
})
after(() => budget(512 << 20))

const clientKey = {
  ...KEY,
  pskCallback: () => ({ psk: KEY.pskCallback(), identity: 'probe' }),
  checkServerIdentity: () => undefined,
}

/** A sender by TLS and who reads it: as a client is served, or as a broker is dialled. */
const pairs = {
  'an accepted connection': async () => {
    const reader = tls.connect({ ...clientKey, port, host: '127.0.0.1' })
    const [[accepted]] = await Promise.all([once(server, 'secureConnection'), once(reader, 'secureConnect')])
    return { sender: adoptSecured(accepted, silent), reader }
  },
  'one to a broker': async () => {
    const sender = connectTo({ host: '127.0.0.1', port }, null, clientKey)
    const [[reader]] = await Promise.all([once(server, 'secureConnection'), once(sender, 'secureConnect')])
    return { sender, reader: reader as net.Socket }
  },
} as const

async function pairOf(
  open: () => Promise<{ sender: net.Socket; reader: net.Socket }>,
): Promise<{ sender: net.Socket; reader: net.Socket }> {
  const pair = await open()
  for (const end of [pair.sender, pair.reader]) ends.push(end.on('error', () => undefined))
  return pair
}

for (const [name, open] of Object.entries(pairs)) {
  test(`${name} delivers every byte in order, alone and corked, to a reader that stops and goes on`, async () => {
    const { sender, reader } = await pairOf(open)
    const sizes = [1, 16 * KIB, 16 * KIB + 1, 300 * KIB, 0, 700, 3 << 20, 70 * KIB, 5, 64 * KIB]
    const sent = sizes.map((size, i) => noise(size, i + 1))
    const got: Buffer[] = []
    let callbacks = 0
    reader.on('data', (chunk: Buffer) => {
      got.push(chunk)
      reader.pause()
      setTimeout(() => reader.resume(), got.length % 16 === 0 ? 5 : 0)
    })

    for (let round = 0; round < 2; round++) {
      if (round === 1) sender.cork()
      for (const piece of sent) sender.write(piece, () => callbacks++)
    }
    sender.uncork()
    const bytes = sizes.reduce((sum, size) => sum + size, 0)
    await until(() => got.reduce((sum, { length }) => sum + length, 0) === 2 * bytes, 30_000)

    assert.ok(Buffer.concat(got).equals(Buffer.concat([...sent, ...sent])))
    await until(() => callbacks === 2 * sizes.length)
    assert.ok(blockBytes().kept > 0 && blockBytes().kept <= KEPT_BYTES / 16, `${blockBytes().kept} bytes are kept by one connection`)
  })

  test(`${name} that ends while pieces wait says so to those who wrote, and keeps nothing`, async () => {
    const { sender, reader } = await pairOf(open)
    reader.pause()
    const ended = new Promise<Error | null | undefined>(resolve => sender.write(Buffer.alloc(32 << 20), resolve))
    await sleep(50)

    reader.destroy()
    sender.destroy()

    assert.ok((await ended) instanceof Error)
    await until(() => blockBytes().kept === 0)
  })
}

test('many connections together keep no more than an eighth of the budget, and the last ones still send', async () => {
  const body = noise(200 * KIB, 3)
  for (let i = 0; i < 60; i++) {
    const { sender, reader } = await pairOf(pairs['an accepted connection'])
    sender.write(body)
    let count = 0
    reader.on('data', (chunk: Buffer) => {
      assert.ok(chunk.equals(body.subarray(count, count + chunk.length)))
      count += chunk.length
    })
    await until(() => count === body.length)
  }

  assert.ok(blockBytes().kept > KEPT_BYTES / 2, 'the budget was used')
  assert.ok(blockBytes().kept <= KEPT_BYTES)
})
