// TLS towards brokers: which name is asked for and verified, which versions are spoken, and files that change under way.

import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import tls from 'node:tls'
import { type Authority, authorityOf, type Certificate, makeAuthority } from '../../scripts/stack/certificates.ts'
import type { ClusterTls } from '../../src/base/config-cluster.ts'
import { onWrongDates } from '../../src/proxy/refused-certificate.ts'
import { Upstream } from '../../src/proxy/upstream.ts'
import { FakeClient } from '../fakes/client.ts'
import { fakeWorld } from '../fakes/gate.ts'
import { dialerOf } from '../fakes/upstream.ts'

const folder = mkdtempSync(join(tmpdir(), 'topicgate-'))
const closing: (() => unknown)[] = [() => rmSync(folder, { recursive: true })]
after(() => {
  for (const close of closing.reverse()) close()
})
let authority: Authority
let broker: Certificate
before(async () => {
  authority = await makeAuthority(folder)
  broker = await authority.issue('broker', { names: ['DNS:localhost', 'DNS:kafka-1.internal', 'IP:127.0.0.1'] })
})

/** A TLS server that remembers what names it was asked for and who asked. */
async function server(options: tls.TlsOptions = {}) {
  const seen: { servername: string | false; subject: string | undefined; protocol: string | null }[] = []
  const it = tls.createServer({ key: readFileSync(broker.key), cert: readFileSync(broker.cert), ...options }, socket => {
    socket.on('error', () => undefined)
    seen.push({
      servername: socket.servername ?? false,
      subject: socket.getPeerCertificate().subject?.CN as string,
      protocol: socket.getProtocol(),
    })
    socket.end()
  })
  await new Promise<void>(resolve => it.listen(0, '127.0.0.1', resolve))
  closing.push(() => it.close())
  let connections = 0
  it.on('connection', () => connections++)
  it.on('tlsClientError', () => undefined)
  return { seen, port: (it.address() as AddressInfo).port, accepted: () => connections }
}

function upstream(over: Partial<ClusterTls> = {}, onChange?: (problem: string | null) => void): Upstream {
  const settings = { ca: authority.ca, cert: null, key: null, serverName: null, serverNames: {}, ...over }
  const made = new Upstream({ bootstrap: [], hosts: null, tls: settings, sasl: null, ...(onChange && { onChange }) })
  closing.push(() => made.stop())
  return made
}

/** 'ok' or the code of the error. */
function reach(from: Upstream, host: string, port: number): Promise<string> {
  return new Promise(resolve => {
    const socket = from.connect({ host, port }, null)
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    socket.once('secureConnect', () => {
      socket.once('close', () => resolve('ok'))
      socket.resume()
    })
  })
}

function failure(from: Upstream, host: string, port: number): Promise<Error> {
  return new Promise((resolve, reject) => {
    const socket = from.connect({ host, port }, null)
    socket.once('error', resolve)
    socket.once('secureConnect', () => reject(new Error('it was accepted')))
  })
}

test('the host is asked for and verified, an address is verified alone, a configured name stands in for both', async () => {
  const { seen, port } = await server()

  assert.equal(await reach(upstream(), 'localhost', port), 'ok')
  assert.equal(await reach(upstream(), '127.0.0.1', port), 'ok')
  assert.equal(await reach(upstream({ serverName: 'kafka-1.internal' }), '127.0.0.1', port), 'ok')
  assert.equal(await reach(upstream({ serverNames: { '127.0.0.1': 'kafka-1.internal' } }), '127.0.0.1', port), 'ok')

  assert.deepEqual(
    seen.map(({ servername }) => servername),
    ['localhost', false, 'kafka-1.internal', 'kafka-1.internal'],
  )
})

test('a name or address that the certificate does not carry is refused, whatever the host', async () => {
  const { port } = await server()

  assert.equal(await reach(upstream({ serverName: 'kafka-2.internal' }), 'localhost', port), 'ERR_TLS_CERT_ALTNAME_INVALID')
  assert.equal(await reach(upstream({ serverNames: { '127.0.0.1': '10.0.0.1' } }), '127.0.0.1', port), 'ERR_TLS_CERT_ALTNAME_INVALID')
  assert.notEqual(await reach(upstream({ ca: null }), 'localhost', port), 'ok')
})

test('TLS 1.2 and 1.3 are spoken, nothing older', async () => {
  const [two, one] = [
    await server({ maxVersion: 'TLSv1.2' }),
    await server({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
  ]

  assert.equal(await reach(upstream(), 'localhost', two.port), 'ok')
  assert.equal(two.seen[0]!.protocol, 'TLSv1.2')
  assert.notEqual(await reach(upstream(), 'localhost', one.port), 'ok')
})

test('a certificate is taken up with its key; half of a pair changes nothing, and is told', async () => {
  const { seen, port } = await server({ requestCert: true, ca: readFileSync(authority.ca) })
  const [first, second] = [await authority.issue('first'), await authority.issue('second')]
  const [cert, key] = [join(folder, 'used.pem'), join(folder, 'used.key')]
  copyFileSync(first.cert, cert)
  copyFileSync(first.key, key)
  const told: (string | null)[] = []
  const wake: (() => void)[] = []
  const changed = () => new Promise<void>(resolve => wake.push(resolve))
  const from = upstream({ cert, key }, problem => {
    told.push(problem)
    for (const resolve of wake.splice(0)) resolve()
  })
  assert.equal(await reach(from, 'localhost', port), 'ok')

  copyFileSync(second.cert, cert)
  await changed()
  assert.equal(await reach(from, 'localhost', port), 'ok')
  copyFileSync(second.key, key)
  await changed()
  assert.equal(await reach(from, 'localhost', port), 'ok')

  assert.deepEqual(
    seen.map(({ subject }) => subject),
    ['first', 'first', 'second'],
  )
  assert.match(told[0]!, /cluster\.tls: .*what was read before stays in use/)
  assert.equal(told[1], null)
})

test('another authority is taken up when its file changes: brokers of the former one are refused from then on', async () => {
  const next = await makeAuthority(folder, 'next-authority')
  const theirs = await next.issue('next-broker', { names: ['DNS:localhost'] })
  const [former, latter] = [await server(), await server({ key: readFileSync(theirs.key), cert: readFileSync(theirs.cert) })]
  const ca = join(folder, 'used-ca.pem')
  copyFileSync(authority.ca, ca)
  let wake: (problem: string | null) => void = () => undefined
  const from = upstream({ ca }, problem => wake(problem))
  /** Replaces the file. @returns what is said of it */
  const replaced = (text: string) =>
    new Promise<string | null>(resolve => {
      wake = resolve
      writeFileSync(ca, text)
    })
  const both = async () => [await reach(from, 'localhost', former.port), await reach(from, 'localhost', latter.port)]
  const [old, young] = [readFileSync(authority.ca, 'utf8'), readFileSync(next.ca, 'utf8')]
  const UNKNOWN = 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'
  assert.deepEqual(await both(), ['ok', UNKNOWN])

  assert.equal(await replaced(old + young), null)
  assert.deepEqual(await both(), ['ok', 'ok'])

  assert.equal(await replaced(young), null)
  assert.deepEqual(await both(), [UNKNOWN, 'ok'])
})

test('a certificate of the gate that is over is named with its date', async () => {
  const old = await authority.issue('old', { expired: true })

  const text = upstream({ cert: old.cert, key: old.key }).explain(new Error('alert certificate expired'))

  assert.equal(text, `alert certificate expired (the gate's certificate ${old.cert} expired on 2020-02-01T00:00:00.000Z)`)
})

const DATES = 'is valid from 2020-01-01T00:00:00.000Z to 2020-02-01T00:00:00.000Z'

test('a certificate of a broker that is over is named with its dates, from the handshake that it failed', async () => {
  const old = await authority.issue('old-broker', { expired: true, names: ['DNS:localhost'] })
  const { port, accepted } = await server({ key: readFileSync(old.key), cert: readFileSync(old.cert) })
  const from = upstream()

  const error = await failure(from, 'localhost', port)

  assert.equal(from.explain(error), `certificate has expired (the certificate of localhost:${port} ${DATES})`)
  assert.equal(accepted(), 1)
})

test('a certificate of a broker whose dates cannot be read is named all the same, and nothing is thrown', () => {
  const shown = { valid_from: 'Bad time value', valid_to: 'Feb  1 00:00:00 2020 GMT', subject: { CN: 'odd' } }
  const socket = Object.assign(new EventEmitter(), { getPeerCertificate: () => shown })
  const told: string[] = []
  onWrongDates(socket as never, { host: 'localhost', port: 9093 }, (_error, dates) => told.push(dates))

  socket.emit('secure')
  socket.emit('error', Object.assign(new Error('certificate has expired'), { code: 'CERT_HAS_EXPIRED' }))

  assert.deepEqual(told, ['the certificate of localhost:9093 is valid from no date to 2020-02-01T00:00:00.000Z'])
})

test('a certificate between the broker and the authority is named when it is the one that is over', async () => {
  const between = await authority.issue('between', { expired: true, signs: true })
  const leaf = await authorityOf(folder, 'between').issue('leaf', { names: ['DNS:localhost'] })
  const chain = `${readFileSync(leaf.cert, 'utf8')}\n${readFileSync(between.cert, 'utf8')}`
  const { port } = await server({ key: readFileSync(leaf.key), cert: chain })
  const from = upstream()

  const error = await failure(from, 'localhost', port)

  assert.equal(from.explain(error), `certificate has expired (the certificate of between, above that of localhost:${port}, ${DATES})`)
})

test('clients that are turned away for a broker’s certificate have its dates in their lines, and nothing is dialled for that', async () => {
  const old = await authority.issue('old-broker', { expired: true, names: ['DNS:localhost'] })
  const { port, accepted } = await server({ key: readFileSync(old.key), cert: readFileSync(old.cert) })
  const world = await fakeWorld({ broker: { host: 'localhost', port }, dialer: dialerOf(upstream(), 1000) })
  closing.push(() => world.close())

  for (let i = 0; i < 5; i++) {
    const client = await FakeClient.connect(world.port)
    await client.login()
    await client.closed
  }

  assert.equal(world.closedCauses.length, 5)
  for (const { cause, detail } of world.closedCauses) {
    assert.deepEqual([cause, detail], ['dial failed', `certificate has expired (the certificate of localhost:${port} ${DATES})`])
  }
  assert.ok(accepted() <= world.count('dialFailed'))
})

test('files that hold no certificate are refused at once', () => {
  const file = join(folder, 'nothing.pem')
  writeFileSync(file, 'nothing')
  assert.throws(() => upstream({ cert: file, key: file }))
})
