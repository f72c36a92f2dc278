// TLS towards brokers: which name is asked for and verified, which versions are spoken, and files that change under way.

import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import tls from 'node:tls'
import { type Authority, type Certificate, makeAuthority } from '../../scripts/stack/certificates.ts'
import type { ClusterTls } from '../../src/base/config-cluster.ts'
import { Upstream } from '../../src/proxy/upstream.ts'

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
  return { seen, port: (it.address() as AddressInfo).port }
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

test('a certificate of the gate that is over is named with its date', async () => {
  const old = await authority.issue('old', { expired: true })

  const text = await upstream({ cert: old.cert, key: old.key }).explain(
    { host: 'localhost', port: 1 },
    new Error('alert certificate expired'),
  )

  assert.equal(text, `the gate's certificate ${old.cert} expired on 2020-02-01T00:00:00.000Z`)
})

test('files that hold no certificate are refused at once', () => {
  const file = join(folder, 'nothing.pem')
  writeFileSync(file, 'nothing')
  assert.throws(() => upstream({ cert: file, key: file }))
})
