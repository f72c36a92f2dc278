// Clients that come in by TLS, by server name and through load balancers: who becomes a session, and as what the others are counted.

import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import tls from 'node:tls'
import { type Authority, type Certificate, makeAuthority } from '../../scripts/stack/certificates.ts'
import type { ListenerConfig } from '../../src/base/config-listener.ts'
import { PASS } from '../../src/policy/outcome.ts'
import { Entry } from '../../src/proxy/arrival.ts'
import { blockBytes, budget } from '../../src/proxy/buffers.ts'
import type { ClientCertificate } from '../../src/proxy/gate.ts'
import { acceptsSecured } from '../../src/proxy/onread.ts'
import { answerAll, fakeBroker } from '../fakes/broker.ts'
import { encodeRequest, FakeClient, loginFrames } from '../fakes/client.ts'
import { request, response } from '../fakes/frames.ts'
import { type FakeWorld, fakeWorld, principal } from '../fakes/gate.ts'
import { noise } from '../fakes/noise.ts'
import { spoilDate } from '../fakes/odd-certificate.ts'
import { until } from '../fakes/until.ts'

let folder: string
let authority: Authority
let own: Certificate
let next: Certificate
let old: Certificate
let alice: Certificate
let strangers: Authority
let stranger: Certificate

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'topicgate-tls-'))
  authority = await makeAuthority(folder)
  strangers = await makeAuthority(folder, 'strangers')
  const names = ['DNS:localhost', 'IP:127.0.0.1', 'DNS:gate.example.com', 'DNS:*.gate.example.com']
  own = await authority.issue('own', { names })
  next = await authority.issue('next', { names })
  old = await authority.issue('old', { expired: true })
  alice = await authority.issue('alice')
  stranger = await strangers.issue('stranger')
})
after(() => rmSync(folder, { recursive: true }))

const open: { close(): unknown }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
  await until(() => blockBytes().busy === 0)
})

interface Coming {
  readonly clientAuth?: 'none' | 'optional' | 'required'
  readonly sni?: string
  readonly from?: readonly string[]
  readonly plain?: boolean
  readonly handshakeMs?: number
}
interface Met {
  readonly world: FakeWorld
  readonly addresses: string[]
  readonly nodes: (number | null)[]
  readonly certificates: (ClientCertificate | null)[]
}

const echo = (frame: Buffer) => response(frame.readInt32BE(8), frame.subarray(14))

async function meet({ clientAuth = 'none', sni, from, plain = false, handshakeMs = 10_000 }: Coming): Promise<Met> {
  for (const [file, source] of [
    ['cert.pem', own.cert],
    ['key.pem', own.key],
    ['clients.pem', authority.ca],
  ] as const)
    copyFileSync(source, join(folder, file))
  const config: ListenerConfig = {
    name: 'clients',
    bind: { host: '127.0.0.1', port: 0 },
    tls: plain
      ? null
      : {
          cert: join(folder, 'cert.pem'),
          key: join(folder, 'key.pem'),
          clientCa: clientAuth === 'none' ? null : join(folder, 'clients.pem'),
          clientAuth,
        },
    advertise: { host: 'gate.example.com', port: null },
    brokers: sni === undefined ? 'auto' : { sni },
    clientAddress: from === undefined ? 'direct' : { proxyProtocol: from },
    issuers: ['test'],
  }
  const entry = new Entry(config, handshakeMs)
  const nodes: (number | null)[] = []
  const certificates: (ClientCertificate | null)[] = []
  const addresses: string[] = []
  const broker = await fakeBroker(end => void answerAll(end, echo))
  const world = await fakeWorld({
    broker,
    entry,
    judge: () => PASS,
    nodeFor: nodeId => {
      nodes.push(nodeId)
      return nodeId === 77 ? -1 : 1
    },
    verify: async (token, _listener, certificate) => {
      certificates.push(certificate ?? null)
      return { kind: 'principal', principal: principal(token) }
    },
  })
  const { authorizer } = world.gate
  const rights = authorizer.rights.bind(authorizer)
  Object.assign(authorizer, {
    rights: (who: Parameters<typeof rights>[0], origin: { address: string }) => {
      addresses.push(origin.address)
      return rights(who, origin as never)
    },
  })
  open.push(broker, world, { close: () => entry.stop() })
  return { world, addresses, nodes, certificates }
}

/** A client behind its handshake. */
async function secured({ world }: Met, options: tls.ConnectionOptions = {}, before?: Buffer): Promise<FakeClient> {
  const raw = net.connect({ port: world.port, host: '127.0.0.1', noDelay: true })
  if (before !== undefined) raw.write(before)
  const socket = tls.connect({ socket: raw, ca: readFileSync(authority.ca), servername: 'localhost', ...options })
  const client = new FakeClient(socket)
  open.push({ close: () => socket.destroy() })
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
  return client
}
/** Of a client that is turned away: nothing reaches it. */
async function turnedAway(met: Met, options: tls.ConnectionOptions = {}): Promise<void> {
  const client = await secured(met, options).catch(() => null)
  if (client !== null) assert.notEqual(await client.login().catch(() => null), 0)
  await client?.closed
}
async function raw({ world }: Met, bytes: Buffer | string, then?: Buffer): Promise<FakeClient> {
  const client = await FakeClient.connect(world.port)
  client.socket.write(bytes)
  if (then !== undefined) {
    await sleep(20)
    client.socket.write(then)
  }
  return client
}
const cause = (met: Met) => met.world.closedCauses.at(-1)?.cause
const withCert = ({ cert, key }: Certificate) => ({ cert: readFileSync(cert), key: readFileSync(key) })

describe('TLS', () => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    it(`serves a client with ${version}, in order, without ALPN`, async () => {
      const met = await meet({})
      const client = await secured(met, { minVersion: version, maxVersion: version, ALPNProtocols: ['kafka', 'h2'] })
      assert.equal((client.socket as tls.TLSSocket).alpnProtocol, false)

      assert.equal(await client.login(), 0)
      client.write(Buffer.concat([request(0, 9, 1, Buffer.from('one')), request(0, 9, 2, Buffer.from('two'))]))

      assert.equal((await client.next())!.readInt32BE(4), 1)
      assert.equal((await client.next())!.readInt32BE(4), 2)
      assert.equal(met.world.count('connectionsOpened'), 1)
    })
  }

  for (const [memory, budgetBytes] of [
    ['with memory to spare', 512 << 20],
    ['with hardly any memory', 256 << 10],
  ] as const)
    it(`carries megabytes both ways ${memory}, every byte as it was, also to a client that reads late`, async t => {
      budget(budgetBytes)
      t.after(() => budget(512 << 20))
      const met = await meet({})
      const client = await secured(met)
      assert.equal(await client.login(), 0)
      const bodies = Array.from({ length: 12 }, (_, i) => noise(700_000 + i, i + 1))

      client.socket.pause()
      for (const [i, body] of bodies.entries()) client.write(request(0, 9, i, body))
      await sleep(200)
      client.socket.resume()

      for (const [i, body] of bodies.entries()) {
        const frame = (await client.next())!
        assert.equal(frame.readInt32BE(4), i)
        assert.ok(frame.subarray(8).equals(body))
      }
      assert.equal(met.world.count('bugs'), 0)
    })

  it('records are read into memory of ours on this Node', async () => {
    await meet({})
    assert.equal(acceptsSecured(), true)
  })

  it('what comes with the end of the handshake, and breaks off in the middle of a frame, is not lost', async () => {
    const met = await meet({})
    const body = Buffer.alloc(9_000, 7)
    const bytes = Buffer.concat([loginFrames(), request(0, 9, 3, body)])
    const socket = tls.connect({ port: met.world.port, host: '127.0.0.1', ca: readFileSync(authority.ca), servername: 'localhost' })
    open.push({ close: () => socket.destroy() })
    socket.write(bytes.subarray(0, bytes.length - 4_000))
    const client = new FakeClient(socket)
    assert.deepEqual([(await client.next())!.readInt32BE(4), (await client.next())!.readInt32BE(4)], [-1, -2])

    client.write(bytes.subarray(bytes.length - 4_000))

    assert.ok((await client.next())!.subarray(8).equals(body))
  })

  it('closes when the client does, and when the gate does', async () => {
    const met = await meet({})
    const [first, second] = [await secured(met), await secured(met)]
    assert.deepEqual([await first.login(), await second.login()], [0, 0])

    first.socket.end()
    await first.closed
    met.world.listener.close()
    await second.closed

    assert.equal(met.world.count('connectionsClosed'), 2)
  })

  it('below 1.2 is refused', async () => {
    const met = await meet({})

    await assert.rejects(secured(met, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }))
    await until(() => met.world.count('tlsFailed') === 1)

    assert.equal(cause(met), 'tlsFailed')
  })

  for (const [name, bytes] of [
    ['Kafka', encodeRequest(18, 3, 1, { clientSoftwareName: 'x', clientSoftwareVersion: '1' })],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['a PROXY header', Buffer.from('PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n')],
  ] as const) {
    it(`plain text on a TLS port is closed and counted as that: ${name}`, async () => {
      const met = await meet({})

      await (await raw(met, bytes)).closed

      assert.equal(met.world.count('plainOnTlsPort'), 1)
      assert.equal(met.world.count('connectionsOpened'), met.world.count('connectionsClosed'))
    })
  }

  it('a handshake that does not come is given up', async () => {
    const met = await meet({ handshakeMs: 100 })
    const client = await FakeClient.connect(met.world.port)
    const half = await raw(met, Buffer.from('16030100f50100', 'hex'))

    await Promise.all([client.closed, half.closed])

    assert.equal(met.world.count('tlsFailed'), 2)
  })

  it('connections in their handshake count, and go with the gate', async () => {
    const met = await meet({})
    const client = await FakeClient.connect(met.world.port)
    await until(() => met.world.listener.sessions.arriving.size === 1)

    await met.world.listener.drain(1000)
    await client.closed

    assert.equal(met.world.listener.sessions.arriving.size, 0)
  })

  it('new certificates are taken up when their files change; connections live on', async () => {
    const met = await meet({})
    const before = await secured(met)
    assert.equal(await before.login(), 0)

    copyFileSync(next.cert, join(folder, 'cert.pem'))
    copyFileSync(next.key, join(folder, 'key.pem'))
    const wanted = new X509Certificate(readFileSync(next.cert)).fingerprint256
    const endsAtMs = performance.now() + 10_000
    for (;;) {
      const client = await secured(met)
      const seen = (client.socket as tls.TLSSocket).getPeerX509Certificate()!.fingerprint256
      client.socket.destroy()
      if (seen === wanted) break
      assert.ok(performance.now() < endsAtMs, 'the new certificate is not shown')
      await sleep(200)
    }

    before.write(request(0, 9, 5, Buffer.from('still')))
    assert.equal((await before.next())!.readInt32BE(4), 5)
  })
})

describe('client certificates', () => {
  it('required: who has none, or another authority’s, is closed and counted as that', async () => {
    const met = await meet({ clientAuth: 'required' })

    await turnedAway(met)
    await turnedAway(met, withCert(stranger))
    await turnedAway(met, withCert(old))
    await turnedAway(met, { ...withCert(old), maxVersion: 'TLSv1.2' })
    await until(() => met.world.count('clientCertificateRefused') === 4)

    const details = met.world.closedCauses.map(({ detail }) => detail)
    assert.match(details[0]!, /was not accepted: no certificate$/)
    assert.match(details[1]!, /was not accepted: [A-Z_]+ \(CN=stranger, valid from /)
    const expired = /CERT_HAS_EXPIRED \(CN=old, valid from 2020-01-01T00:00:00\.000Z to 2020-02-01T00:00:00\.000Z\)$/
    for (const detail of details.slice(2)) assert.match(detail, expired)
  })

  it('required: who has none is told so by an alert', async () => {
    const met = await meet({ clientAuth: 'required' })
    const client = await secured(met)

    const [error] = await once(client.socket, 'error')

    assert.equal(error.code, 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED')
  })

  for (const clientAuth of ['required', 'optional'] as const)
    it(`${clientAuth}: a certificate whose dates cannot be read is refused like any other, and the gate lives on`, async () => {
      const met = await meet({ clientAuth })
      const odd = await authority.issue('odd', { expired: true })
      spoilDate(odd)

      await turnedAway(met, withCert(odd))
      await until(() => met.world.count('clientCertificateRefused') === 1)

      assert.match(
        met.world.closedCauses[0]!.detail,
        /was not accepted: [A-Z_]+ \(CN=odd, valid from no date to 2020-02-01T00:00:00\.000Z\)$/,
      )
      assert.equal(await (await secured(met, withCert(alice))).login(), 0)
    })

  it('who has one is known by its subject and thumbprint, also when the session is resumed', async () => {
    const met = await meet({ clientAuth: 'required' })
    const client = await secured(met, withCert(alice))
    const ticket = new Promise<Buffer>(resolve => (client.socket as tls.TLSSocket).once('session', resolve))
    assert.equal(await client.login(), 0)
    const thumbprint = createHash('sha256')
      .update(new X509Certificate(readFileSync(alice.cert)).raw)
      .digest('base64url')

    const again = await secured(met, { ...withCert(alice), session: await ticket })
    assert.equal((again.socket as tls.TLSSocket).isSessionReused(), true)
    assert.equal(await again.login(), 0)

    assert.deepEqual(met.certificates, [
      { subject: 'CN=alice', thumbprint },
      { subject: 'CN=alice', thumbprint },
    ])
  })

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
    it(`another authority is taken up when its file changes, and who has the former one’s comes in no more, with ${version}`, async () => {
      const met = await meet({ clientAuth: 'required' })
      const options = { maxVersion: version }
      const before = await secured(met, { ...withCert(alice), ...options })
      const socket = before.socket as tls.TLSSocket
      // By 1.3 it comes behind the handshake.
      const session = version === 'TLSv1.2' ? socket.getSession()! : await new Promise<Buffer>(resolve => socket.once('session', resolve))
      assert.equal(await before.login(), 0)
      const comesIn = async (certificate: Certificate, also: tls.ConnectionOptions = {}): Promise<boolean> => {
        const client = await secured(met, { ...withCert(certificate), ...options, ...also }).catch(() => null)
        const answered = (await client?.login().catch(() => null)) === 0
        client?.socket.destroy()
        return answered
      }
      assert.ok(await comesIn(alice, { session }))
      assert.ok(!(await comesIn(stranger)))

      copyFileSync(strangers.ca, join(folder, 'clients.pem'))
      await until(() => comesIn(stranger))

      assert.ok(!(await comesIn(alice)))
      assert.ok(!(await comesIn(alice, { session })), 'an old TLS session still lets its client in')
      before.write(request(0, 9, 5, Buffer.from('still')))
      assert.equal((await before.next())!.readInt32BE(4), 5)
    })

  it('optional: who has none is served without one, who has a bad one is not', async () => {
    const met = await meet({ clientAuth: 'optional' })

    assert.equal(await (await secured(met)).login(), 0)
    await turnedAway(met, withCert(stranger))
    await turnedAway(met, withCert(old))
    await until(() => met.world.count('clientCertificateRefused') === 2)

    assert.deepEqual(met.certificates, [null])
    assert.match(met.world.closedCauses[0]!.detail, /was not accepted: [A-Z_]+ \(CN=stranger, valid from /)
    assert.match(
      met.world.closedCauses[1]!.detail,
      /CERT_HAS_EXPIRED \(CN=old, valid from 2020-01-01T00:00:00\.000Z to 2020-02-01T00:00:00\.000Z\)/,
    )
  })
})

describe('server names', () => {
  const sni = 'b{nodeId}.gate.example.com'

  it('the bootstrap name and brokers’ names lead to their brokers', async () => {
    const met = await meet({ sni })
    for (const servername of ['gate.example.com', 'b0.gate.example.com', 'B12.gate.example.com']) {
      assert.equal(await (await secured(met, { servername })).login(), 0)
    }
    assert.deepEqual(met.nodes, [null, 0, 12])
  })

  it('a name that is not ours, and none at all, are closed and counted as that', async () => {
    const met = await meet({ sni })

    await turnedAway(met, { servername: 'evil.example.com', checkServerIdentity: () => undefined })
    await turnedAway(met, { servername: '', checkServerIdentity: () => undefined })
    await until(() => met.world.count('unknownServerName') === 2)

    assert.deepEqual(met.nodes, [])
  })

  it('the name of a broker that is not there is closed', async () => {
    const met = await meet({ sni })
    await turnedAway(met, { servername: 'b77.gate.example.com' })
    assert.equal(cause(met), 'no broker')
  })
})

describe('the PROXY protocol', () => {
  const v1 = Buffer.from('PROXY TCP4 10.9.8.7 10.0.0.1 50000 9092\r\n')
  const v2 = Buffer.from('0d0a0d0a000d0a515549540a2121002420010db800000000000000000000000720010db8000000000000000000000001dc042383', 'hex')

  for (const [name, header, address] of [
    ['version 1', v1, '10.9.8.7'],
    ['version 2', v2, '2001:db8::7'],
  ] as const) {
    it(`${name}: the address that it names counts, whether the rest comes with it or later`, async () => {
      const met = await meet({ plain: true, from: ['127.0.0.0/8'] })

      const split = await raw(met, header.subarray(0, 9), header.subarray(9))
      assert.equal(await split.login(), 0)
      const client = await FakeClient.connect(met.world.port)
      client.write(Buffer.concat([header, encodeRequest(18, 0, 7, {})]))
      assert.equal((await client.next())!.readInt32BE(4), 7)
      assert.equal(await client.login(), 0)

      assert.deepEqual(met.addresses, [address, address])
    })

    it(`${name}: with it comes the beginning of a frame`, async () => {
      const met = await meet({ plain: true, from: ['127.0.0.1/32'] })
      const body = Buffer.alloc(9_000, 7)
      const bytes = Buffer.concat([header, loginFrames(), request(0, 9, 3, body)])
      const client = await raw(met, bytes.subarray(0, bytes.length - 4_000), bytes.subarray(bytes.length - 4_000))

      assert.deepEqual([(await client.next())!.readInt32BE(4), (await client.next())!.readInt32BE(4)], [-1, -2])
      assert.ok((await client.next())!.subarray(8).equals(body))
    })

    it(`${name}: before TLS`, async () => {
      const met = await meet({ from: ['127.0.0.1/32'] })
      assert.equal(await (await secured(met, {}, header)).login(), 0)
      assert.deepEqual(met.addresses, [address])
    })
  }

  it('LOCAL is the load balancer’s own connection', async () => {
    const met = await meet({ plain: true, from: ['127.0.0.0/8'] })
    const client = await raw(met, Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex'))
    assert.equal(await client.login(), 0)
    assert.deepEqual(met.addresses, ['127.0.0.1'])
  })

  it('from a listed network it is demanded', async () => {
    const met = await meet({ plain: true, from: ['127.0.0.0/8'] })

    await (await raw(met, encodeRequest(18, 0, 7, {}))).closed

    assert.equal(met.world.count('proxyHeaderRefused'), 1)
    assert.equal(met.world.count('loginsAccepted'), 0)
  })

  it('from elsewhere it is garbage, and nobody’s address; clients from there connect without one', async () => {
    const met = await meet({ plain: true, from: ['10.0.1.0/24'] })

    await (await raw(met, v1)).closed
    await (await raw(met, v2)).closed
    const client = await FakeClient.connect(met.world.port)
    assert.equal(await client.login(), 0)

    assert.equal(met.world.count('notKafka'), 2)
    assert.deepEqual(met.addresses, ['127.0.0.1'])
  })

  it('a second header is garbage too', async () => {
    const met = await meet({ plain: true, from: ['127.0.0.0/8'] })
    await (await raw(met, Buffer.concat([v1, v1]))).closed
    assert.equal(met.world.count('notKafka'), 1)
  })
})
