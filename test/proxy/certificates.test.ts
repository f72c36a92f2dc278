// Certificates of listeners: used only if they are whole, taken up when they change, and spoken of before they end.

import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Certificate, makeAuthority } from '../../scripts/stack/certificates.ts'
import { loadConfig } from '../../src/base/config.ts'
import type { ListenerConfig } from '../../src/base/config-listener.ts'
import { Certificates, toldNames } from '../../src/proxy/certificates.ts'
import { demandCertificates, ListenerCertificates } from '../../src/proxy/listener-certificates.ts'

let folder: string
let own: Certificate
let old: Certificate
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'topicgate-certificates-'))
  const authority = await makeAuthority(folder)
  own = await authority.issue('own', { names: ['DNS:gate.example.com', 'DNS:*.gate.example.com', 'IP:127.0.0.1'] })
  old = await authority.issue('old', { names: ['DNS:gate.example.com'], expired: true })
})
after(() => rmSync(folder, { recursive: true }))

const tlsOf = ({ cert, key }: Pick<Certificate, 'cert' | 'key'>) => ({ cert, key, clientCa: null, clientAuth: 'none' as const })
const listener = (of: Pick<Certificate, 'cert' | 'key'>, host: string, sni = 'b{nodeId}.gate.example.com'): ListenerConfig => ({
  name: 'clients',
  bind: { host: '127.0.0.1', port: 0 },
  tls: tlsOf(of),
  advertise: { host, port: null },
  brokers: { sni },
  clientAddress: null,
  issuers: [],
})

/** What the log is told. */
function logged(listeners: readonly ListenerConfig[]): string[] {
  const lines: string[] = []
  const take = (level: string) => (facts: object, text: string) => void lines.push(`${level} ${text} ${JSON.stringify(facts)}`)
  const log = { info: take('info'), warn: take('warn'), error: take('error') }
  new ListenerCertificates(listeners, log as never).stop()
  return lines
}

test('an expired certificate is named with its date', () => {
  const lines = logged([listener(old, 'gate.example.com', 'gate{nodeId}.example.com')])
  assert.ok(
    lines.some(line => line.startsWith('error') && line.includes(`${old.cert} expired on 2020-02-01T00:00:00.000Z`)),
    lines.join('\n'),
  )
})

test('one that ends within 30 days, or has not begun, is told of, with its date', () => {
  const certificates = new Certificates(tlsOf(own), () => undefined)
  const { validToMs, validFromMs } = certificates.facts
  assert.match(certificates.deadline(validToMs - 29 * 86_400_000)!, /expires on \d{4}-\d\d-\d\dT/)
  assert.match(certificates.deadline(validToMs)!, /expired on/)
  assert.match(certificates.deadline(validFromMs - 1)!, /is not valid before/)
  certificates.stop()
})

test('names that clients are told and the certificate does not stand for are warned of', () => {
  assert.deepEqual(toldNames(listener(own, 'gate.example.com')), ['gate.example.com', 'b0.gate.example.com'])
  assert.ok(!logged([listener(own, 'gate.example.com')]).some(line => line.includes('does not cover')))
  assert.ok(
    logged([listener(own, 'kafka.example.org')]).some(line => line.startsWith('warn') && line.includes('"names":["kafka.example.org"]')),
  )
})

test('a key that does not fit, and a file that is none, are refused', () => {
  const text = join(folder, 'text.pem')
  writeFileSync(text, 'no certificate')
  assert.throws(() => new Certificates(tlsOf({ cert: own.cert, key: old.key }), () => undefined), /key values mismatch/)
  assert.throws(() => new Certificates(tlsOf({ cert: text, key: own.key }), () => undefined), /cannot be used/)
  assert.throws(() => new Certificates(tlsOf({ cert: join(folder, 'nowhere'), key: own.key }), () => undefined), /ENOENT/)
})

test('a certificate of the admin API that cannot be used is an invalid configuration, at its place', () => {
  const file = join(folder, 'topicgate.yaml')
  writeFileSync(
    file,
    `version: 1
cluster: { name: main, bootstrap: [127.0.0.1:1] }
listeners: [{ name: clients, bind: 127.0.0.1:0 }]
issuers: [{ alias: corp, issuer: "https://id.example.com", audience: kafka }]
admin: { bind: "10.0.0.1:9990", tls: { cert: own.pem, key: old.key }, auth: { issuer: corp, scope: admin } }
`,
  )
  assert.throws(() => demandCertificates(loadConfig(file)), /topicgate\.yaml:5:38 {2}admin\.tls {2}.*key values mismatch/)
})

test('a change that cannot be used leaves what was read before in use', async () => {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  copyFileSync(own.cert, cert)
  copyFileSync(own.key, key)
  const told: (string | null)[] = []
  const certificates = new Certificates(tlsOf({ cert, key }), problem => told.push(problem))

  copyFileSync(old.cert, cert)
  await certificates.look()
  assert.match(certificates.facts.subject, /own/)
  copyFileSync(old.key, key)
  await certificates.look()

  assert.match(certificates.facts.subject, /old/)
  assert.match(told[0]!, /key values mismatch/)
  assert.deepEqual(told.slice(1), [null])
  certificates.stop()
})
