// `cluster:` of topicgate.yaml: TLS and logins towards brokers, and how what does not fit together is refused.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { loadConfig } from '../../src/base/config.ts'
import { InvalidFileError } from '../../src/base/errors.ts'

const folder = mkdtempSync(join(tmpdir(), 'topicgate-'))
after(() => rmSync(folder, { recursive: true }))
writeFileSync(join(folder, 'secret'), 's3cret\n')
for (const name of ['ca.pem', 'gate.pem', 'gate.key']) writeFileSync(join(folder, name), name)
const file = join(folder, 'topicgate.yaml')

function load(cluster: string) {
  writeFileSync(
    file,
    `version: 1
cluster: { name: main, bootstrap: [broker:9093], ${cluster} }
listeners: [{ name: clients, bind: "127.0.0.1:0" }]
issuers: [{ alias: corp, issuer: "https://keycloak.example.com/realms/main", audience: kafka }]
`,
  )
  return loadConfig(file).cluster
}

function problems(cluster: string): string[] {
  try {
    load(cluster)
  } catch (error) {
    if (error instanceof InvalidFileError) return error.problems.map(({ path, problem }) => `${path} ${problem}`)
    throw error
  }
  return []
}

test('files are resolved against the folder of the configuration, and a secret remembers its file', () => {
  const { tls, sasl, controlSasl } = load(
    'tls: { ca: ca.pem, cert: gate.pem, key: gate.key, serverName: { 10.0.0.1: kafka-1 } }, sasl: { mechanism: SCRAM-SHA-512, username: gate, password: "${file:secret}" }',
  )

  assert.deepEqual(tls, {
    ca: join(folder, 'ca.pem'),
    cert: join(folder, 'gate.pem'),
    key: join(folder, 'gate.key'),
    serverName: null,
    serverNames: { '10.0.0.1': 'kafka-1' },
  })
  assert.deepEqual(sasl, { mechanism: 'SCRAM-SHA-512', username: 'gate', password: { value: 's3cret', file: join(folder, 'secret') } })
  assert.deepEqual(controlSasl, sasl)
})

test('a login over plain text must be meant', () => {
  assert.deepEqual(problems('sasl: { mechanism: PLAIN, username: a, password: b }'), [
    'cluster.tls is missing, and sasl: PLAIN would go over the network in the clear',
  ])
  assert.deepEqual(problems('tls: off, sasl: { mechanism: PLAIN, username: a, password: b }'), [])
})

test('a pass-through of tokens wants a login of the gate itself', () => {
  assert.deepEqual(problems('tls: {}, sasl: { mechanism: PASSTHROUGH }'), [
    'cluster.control is missing, and sasl: PASSTHROUGH gives the gate no login of its own',
  ])
  const { sasl, controlSasl } = load(
    'tls: {}, sasl: { mechanism: PASSTHROUGH }, control: { sasl: { mechanism: PLAIN, username: a, password: b } }',
  )
  assert.deepEqual([sasl!.mechanism, controlSasl!.mechanism], ['PASSTHROUGH', 'PLAIN'])
})

test('each mechanism has its own keys', () => {
  assert.deepEqual(problems('tls: {}, sasl: { mechanism: PLAIN, username: a, region: b }'), [
    'cluster.sasl has no password, and PLAIN needs one',
    'cluster.sasl.region is not for PLAIN',
  ])
  assert.deepEqual(problems('tls: {}, sasl: { mechanism: OAUTHBEARER, clientId: a }'), [
    'cluster.sasl has neither tokenUrl nor issuer',
    'cluster.sasl needs one of clientSecret and privateKey',
  ])
  assert.deepEqual(
    problems('tls: {}, sasl: { mechanism: SCRAM, username: a, password: b }'),
    ['cluster.sasl.mechanism "SCRAM" is not known here'].map(t => t.replaceAll('"', '')),
  )
  assert.deepEqual(problems('tls: { cert: gate.pem, ca: nowhere }'), [
    'cluster.tls has one of cert and key',
    'cluster.tls.ca cannot read nowhere',
  ])
})

test('a token endpoint by http is for loopback addresses', () => {
  const sasl = (url: string) => `tls: {}, sasl: { mechanism: OAUTHBEARER, clientId: a, clientSecret: b, tokenUrl: "${url}" }`
  assert.deepEqual(problems(sasl('http://keycloak.example.com/token')), ['cluster.sasl.tokenUrl is http and not on a loopback address'])
  assert.deepEqual(problems(sasl('http://127.0.0.1:8080/token')), [])
})

test('a secret may be neither empty nor have a default', () => {
  assert.deepEqual(problems('tls: {}, sasl: { mechanism: PLAIN, username: a, password: "" }'), [
    'cluster.sasl.password this secret is empty',
  ])
  assert.deepEqual(problems('tls: {}, sasl: { mechanism: PLAIN, username: a, password: "${P:-x}" }'), [
    'cluster.sasl.password a secret may have no default',
  ])
})
