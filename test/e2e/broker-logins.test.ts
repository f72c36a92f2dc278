// Logins at a real broker that last twenty seconds: tokens of a real Keycloak, and renewals under load, by each mechanism.

import assert from 'node:assert/strict'
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { type Kafka, startKafka } from '../../scripts/stack/kafka.ts'
import type { Keycloak } from '../../scripts/stack/keycloak.ts'
import { dataFolder } from '../../scripts/stack/part.ts'
import { LoginRefused } from '../../src/auth/broker-login.ts'
import type { OAuthSasl } from '../../src/base/config-cluster.ts'
import { compileDecode } from '../../src/protocol/codec.ts'
import { responseHeaderBytes } from '../../src/protocol/header.ts'
import { layout } from '../../src/protocol/schema.ts'
import { hello } from '../../src/proxy/hello.ts'
import { ownTokenSource } from '../../src/proxy/own-login.ts'
import { Upstream } from '../../src/proxy/upstream.ts'
import { apiNamed, RawClient, requestFrame } from '../equivalence/raw-client.ts'
import { recordBatch } from '../fakes/record-batch.ts'
import { sharedKeycloak, uniqueName } from '../parts.ts'
import { type Gate, startGate } from './gate.ts'
import { makeTopics } from './topics.ts'

const USER = 'gate'
/** A tenth of it is what the broker has at least for all that is in flight when a renewal begins. */
const LOGIN_MS = 20_000
/** Requests of one client that wait for their answers. */
const IN_FLIGHT = 100
const CLIENTS = 2
const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER', 'PASSTHROUGH'] as const
const topicOf = (mechanism: string) => `logins.${mechanism}`

let keycloak: Keycloak
let kafka: Kafka
let at: { host: string; port: number }

before(async () => {
  keycloak = await sharedKeycloak()
  const jwks = `${keycloak.issuer}/protocol/openid-connect/certs`
  kafka = await startKafka({
    scramUsers: [USER],
    jvm: [`-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${jwks}`],
    listeners: [{ name: 'LOGINS', protocol: 'SASL_PLAINTEXT', properties: listener(jwks) }],
  })
  at = { host: '127.0.0.1', port: kafka.nodes[0]!.ports['LOGINS']! }
  await makeTopics(kafka, Object.fromEntries(MECHANISMS.map(mechanism => [topicOf(mechanism), CLIENTS])))
})
after(() => kafka?.stop())

function listener(jwks: string): Record<string, string> {
  const jaas = (module: string, rest = '') => `org.apache.kafka.common.security.${module} required${rest};`
  const enabled = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER']
  return {
    'sasl.enabled.mechanisms': enabled.join(),
    ...Object.fromEntries(enabled.map(mechanism => [`${mechanism.toLowerCase()}.connections.max.reauth.ms`, String(LOGIN_MS)])),
    'plain.sasl.jaas.config': jaas('plain.PlainLoginModule', ` user_${USER}="${USER}"`),
    'scram-sha-256.sasl.jaas.config': jaas('scram.ScramLoginModule'),
    'scram-sha-512.sasl.jaas.config': jaas('scram.ScramLoginModule'),
    'oauthbearer.sasl.jaas.config': jaas('oauthbearer.OAuthBearerLoginModule'),
    'oauthbearer.sasl.server.callback.handler.class': 'org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler',
    'sasl.oauthbearer.jwks.endpoint.url': jwks,
    'sasl.oauthbearer.expected.issuer': keycloak.issuer,
    'sasl.oauthbearer.expected.audience': 'kafka',
  }
}

/** A client of the realm for the time of the test; its tokens are for Kafka only where the scope is asked for. */
async function register(t: TestContext, scope: string, over: object): Promise<string> {
  const clientId = uniqueName('gate')
  const [id, scopeId] = [randomUUID(), randomUUID()]
  const config = { 'included.client.audience': 'kafka', 'access.token.claim': 'true' }
  const mapper = { name: 'aud', protocol: 'openid-connect', protocolMapper: 'oidc-audience-mapper', config }
  await keycloak.admin('POST', '/client-scopes', { id: scopeId, name: scope, protocol: 'openid-connect', protocolMappers: [mapper] })
  t.after(() => keycloak.admin('DELETE', `/client-scopes/${scopeId}`))
  const service = { serviceAccountsEnabled: true, standardFlowEnabled: false, publicClient: false, fullScopeAllowed: false }
  const scopes = { defaultClientScopes: ['basic'], optionalClientScopes: [scope] }
  await keycloak.admin('POST', '/clients', { id, clientId, protocol: 'openid-connect', ...service, ...scopes, ...over })
  t.after(() => keycloak.admin('DELETE', `/clients/${id}`))
  return clientId
}

/** Logs in as the configuration says and asks the broker for its topics. */
async function logIn(t: TestContext, over: Partial<OAuthSasl> & { readonly clientId: string }): Promise<void> {
  const none = { tokenUrl: null, issuer: null, clientSecret: null, privateKey: null, keyId: null, scope: null, audience: null }
  const sasl: OAuthSasl = { mechanism: 'OAUTHBEARER', ...none, extensions: {}, ...over }
  const source = ownTokenSource(sasl)!
  t.after(() => source.stop())
  const upstream = new Upstream({ bootstrap: [], hosts: null, tls: null, sasl, ownToken: refused => source.tokens.token(refused) })
  const { client, lifetimeMs } = await hello(upstream, at, { clientId: 'test', timeoutMs: 10_000, login: true })
  const { topics } = await client.ask(apiNamed('Metadata'), 12, { topics: null, allowAutoTopicCreation: false }, 10_000)
  client.close()
  assert.ok(topics.length > 0)
  assert.ok(lifetimeMs > 0 && lifetimeMs <= LOGIN_MS)
}

test('a client secret and a scope, found by discovery, get a token that the broker takes; without the scope it does not', async t => {
  const scope = uniqueName('kafka')
  const clientId = await register(t, scope, { secret: 'hush' })
  const from = { issuer: keycloak.issuer, clientId, clientSecret: { value: 'hush', file: null } }

  await logIn(t, { ...from, scope })
  await logIn(t, { ...from, scope, extensions: { logicalCluster: 'lkc-abc12', identityPoolId: 'pool-abc1' } })

  await assert.rejects(logIn(t, from), (error: unknown) => error instanceof LoginRefused && /\(58\)/.test(error.message))
  await assert.rejects(
    logIn(t, { ...from, clientSecret: { value: 'wrong', file: null } }),
    /no token for the brokers: .*\/token answered 401 (invalid|unauthorized)_client/,
  )
})

for (const [kind, pair] of [
  ['RSA', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
  ['EC', () => generateKeyPairSync('ec', { namedCurve: 'P-256' })],
] as const) {
  test(`an ${kind} key that the realm knows signs for the gate (private_key_jwt), by the token endpoint or by discovery`, async t => {
    const { publicKey, privateKey } = pair()
    const file = join(dataFolder('keys'), 'gate.key')
    writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }))
    const keyId = 'gate-1'
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid: keyId, use: 'sig', alg: kind === 'RSA' ? 'RS256' : 'ES256' }
    const attributes = {
      'use.jwks.string': 'true',
      'jwks.string': JSON.stringify({ keys: [jwk] }),
      'token.endpoint.auth.signing.alg': jwk.alg,
    }
    const scope = uniqueName('kafka')
    const clientId = await register(t, scope, { clientAuthenticatorType: 'client-jwt', attributes })

    await logIn(t, { issuer: keycloak.issuer, clientId, scope, privateKey: file, keyId })
    await logIn(t, { tokenUrl: keycloak.tokenEndpoint, clientId, scope, privateKey: file, keyId })
  })
}

const clusterOf = (mechanism: (typeof MECHANISMS)[number]) => {
  const password = { username: USER, password: USER }
  switch (mechanism) {
    case 'OAUTHBEARER':
      return { sasl: { mechanism, issuer: keycloak.issuer, clientId: 'orders-service', clientSecret: 'orders-secret' } }
    case 'PASSTHROUGH':
      return { sasl: { mechanism }, control: { sasl: { mechanism: 'PLAIN', ...password } } }
    default:
      return { sasl: { mechanism, ...password } }
  }
}

// All at once: they wait more than they work.
describe('under load', { concurrency: MECHANISMS.length }, () => {
  for (const mechanism of MECHANISMS) {
    test(`${mechanism}: logins are renewed with ${CLIENTS * IN_FLIGHT} requests in flight, none lost, doubled or out of order`, async t => {
      const topic = topicOf(mechanism)
      const gate = await startGate({
        bootstrap: '',
        policy: 'version: 1\ngrants:\n  - { id: all, to: [anyone], allow: [produce], topics: ["logins.*"] }\n',
        issuers: [{ alias: 'corp', issuer: keycloak.issuer, audience: 'kafka', kind: 'keycloak' }],
        config: { cluster: { name: 'main', bootstrap: [`${at.host}:${at.port}`], tls: 'off', ...clusterOf(mechanism) } },
      })
      t.after(() => gate.kill())

      const counts = await Promise.all(Array.from({ length: CLIENTS }, (_, partition) => keepBusy(gate, topic, partition)))

      for (const { written, most } of counts) {
        assert.deepEqual(
          written,
          written.map((_, i) => i),
        )
        assert.equal(most, IN_FLIGHT)
      }
      assert.equal(await gate.metric('topicgate_broker_closed_total'), 0)
      assert.equal(await gate.metric('topicgate_connections_opened_total'), CLIENTS)
      await gate.stop()
    })
  }
})

/** Writes records one a request, as many in flight as may be, and logs in again on the way; answers must come in order. @returns the offsets that the records got */
async function keepBusy(gate: Gate, topic: string, partition: number) {
  const token = () => keycloak.serviceToken('orders-service', 'orders-secret')
  const client = await RawClient.open(gate.host, gate.port, { mechanism: 'OAUTHBEARER', token: await token() })
  const startedAtMs = performance.now()
  const template = produceFrame(topic, partition)
  const written: number[] = []
  let [sent, answered, most] = [0, 0, 0]
  const send = (frame: Buffer) => {
    frame.writeInt32BE(++sent, 8)
    client.send(frame)
  }
  const answer = async () => {
    const frame = await client.read()
    assert.ok(frame !== null, `closed: ${readFileSync(gate.logFile, 'utf8').slice(-1000)}`)
    assert.equal(frame.readInt32BE(4), ++answered)
    return frame
  }
  const answers = async () => {
    while (answered < sent) written.push(offsetIn(await answer()))
  }
  const busy = async (untilMs: number) => {
    while (performance.now() < untilMs) {
      while (sent - answered < IN_FLIGHT) send(Buffer.from(template))
      most = Math.max(most, sent - answered)
      written.push(offsetIn(await answer()))
    }
  }
  await busy(startedAtMs + LOGIN_MS * 0.1)
  const authBytes = Buffer.from(`n,,\x01auth=Bearer ${await token()}\x01\x01`)
  send(requestFrame(apiNamed('SaslHandshake'), 1, { mechanism: 'OAUTHBEARER' }))
  while (answered < sent - 1) written.push(offsetIn(await answer()))
  await answer()
  send(requestFrame(apiNamed('SaslAuthenticate'), 1, { authBytes }))
  assert.equal((await answer()).readInt16BE(8), 0)
  await busy(startedAtMs + LOGIN_MS * 1.15)
  await answers()
  client.close()
  return { written, most }
}

const produce = apiNamed('Produce')
const decodeProduced = compileDecode(layout(produce.response, 9, true))

function produceFrame(topic: string, index: number): Buffer {
  const partitionData = [{ index, records: recordBatch(['x']) }]
  return requestFrame(produce, 9, { transactionalId: null, acks: -1, timeoutMs: 10_000, topicData: [{ name: topic, partitionData }] })
}

function offsetIn(frame: Buffer): number {
  const [{ errorCode, baseOffset }] = decodeProduced(frame, responseHeaderBytes(produce.key, true)).responses[0].partitionResponses
  assert.equal(errorCode, 0)
  return Number(baseOffset)
}
