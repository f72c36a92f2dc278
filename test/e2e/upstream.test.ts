// Every way to a real broker: TLS, certificates of our own, each login, tokens passed through, and logins that end while clients work.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { stringify } from 'yaml'
import { until } from '../fakes/until.ts'
import { makeTopics } from './topics.ts'
import { clientOf, fetchFrom, produce, roundTrip, SHORT_MS, startUpstreamWorld, TOPIC, type UpstreamWorld, USER } from './upstream-world.ts'

let world: UpstreamWorld
let token: string
before(async () => {
  world = await startUpstreamWorld()
  token = await world.issuer.mint({ service: 'orders' })
  await makeTopics(world.kafka, { [TOPIC]: 1 })
})
after(() => world?.stop())

const password = { username: USER, password: USER }
const own = () => ({ tokenUrl: world.issuer.tokenUrl, clientId: 'topicgate', clientSecret: world.issuer.secret })
const ways: readonly [what: string, listener: string, cluster: () => object][] = [
  ['TLS', 'TLS', () => ({ tls: { ca: world.authority.ca } })],
  ['TLS with a certificate of the gate', 'MTLS', () => ({ tls: { ca: world.authority.ca, cert: world.own.cert, key: world.own.key } })],
  ['TLS under another server name', 'TLS', () => ({ tls: { ca: world.authority.ca, serverName: 'kafka.internal' } })],
  ['PLAIN', 'SASL', () => ({ tls: { ca: world.authority.ca }, sasl: { mechanism: 'PLAIN', ...password } })],
  ['SCRAM-SHA-256', 'SASL', () => ({ tls: { ca: world.authority.ca }, sasl: { mechanism: 'SCRAM-SHA-256', ...password } })],
  ['SCRAM-SHA-512', 'SASL', () => ({ tls: { ca: world.authority.ca }, sasl: { mechanism: 'SCRAM-SHA-512', ...password } })],
  ['OAUTHBEARER', 'SASL', () => ({ tls: { ca: world.authority.ca }, sasl: { mechanism: 'OAUTHBEARER', ...own() } })],
]
for (const [what, listener, cluster] of ways) {
  test(`${what}: records go in and come out`, async () => {
    // Tokens of the gate's own come from main to its workers.
    const workers = what === 'OAUTHBEARER' ? 2 : 1
    const gate = await world.gate({ bootstrap: [world.at(listener)], ...cluster() }, { config: { workers } })

    for (let i = 0; i < workers * 3; i++) await roundTrip(gate, token, `${i} by ${what}`)
    await gate.stop()
  })
}

test('a token that is passed through makes the broker see the person', async () => {
  const gate = await world.gate({
    bootstrap: [world.at('SASL')],
    tls: { ca: world.authority.ca },
    sasl: { mechanism: 'PASSTHROUGH' },
    control: { sasl: { mechanism: 'PLAIN', ...password } },
  })
  const person = await world.issuer.mint({ user: '0b5c7a52-6f0e-4d39-9c55-1b8f6f3f2a10' })

  await roundTrip(gate, person, 'as myself')

  const seen = world.brokerLog().filter(line => line.includes('"requestApiKeyName":"PRODUCE"') && line.includes('0b5c7a52-6f0e-4d39'))
  assert.equal(seen.length, 1)
  await gate.stop()
})

test('a person who logs in again is logged in again at the broker, with the new token', async () => {
  const gate = await world.gate({
    bootstrap: [world.at('SASL')],
    tls: { ca: world.authority.ca },
    sasl: { mechanism: 'PASSTHROUGH' },
    control: { sasl: { mechanism: 'PLAIN', ...password } },
  })
  const mint = (lifetimeS: number) => world.issuer.mint({ user: 'lena' }, { exp: Math.floor(Date.now() / 1000) + lifetimeS })
  const endsAtMs = Date.now() + 8_000
  const client = await clientOf(gate, await mint(8))
  await produce(client, 'by the first token')
  await sleep(1500)

  await client.ask('SaslHandshake', 1, { mechanism: 'OAUTHBEARER' })
  const authBytes = Buffer.from(`n,,\x01auth=Bearer ${await mint(60)}\x01\x01`)
  const again: any = await client.ask('SaslAuthenticate', 2, { authBytes })
  assert.equal(again.response.errorCode, 0)
  await produce(client, 'at once')
  await sleep(endsAtMs - Date.now() + 1_500)

  await produce(client, 'long after the first token has ended')
  client.close()
  await gate.stop()
})

const failures: readonly [what: string, listener: string, cluster: () => object, said: RegExp][] = [
  ['an authority that is not known', 'TLS', () => ({ tls: {} }), /unable to verify the first certificate|self-signed certificate/],
  [
    'a name that the certificate does not carry',
    'TLS',
    () => ({ tls: { ca: world.authority.ca, serverName: 'evil.internal' } }),
    /does not match certificate's altnames/,
  ],
  [
    'a certificate that is over',
    'OLD',
    () => ({ tls: { ca: world.authority.ca } }),
    /certificate has expired \(the certificate of 127\.0\.0\.1:\d+ is valid from 2020-01-01T00:00:00\.000Z to 2020-02-01T00:00:00\.000Z\)/,
  ],
  [
    'a certificate of ours that the broker does not know',
    'MTLS',
    () => ({ tls: { ca: world.authority.ca, cert: world.strange.cert, key: world.strange.key } }),
    /alert|closed/,
  ],
  ['plain text to a TLS port', 'TLS', () => ({ tls: 'off' }), /closed|no answer|bytes/],
  [
    'a password that is wrong',
    'SASL',
    () => ({ tls: { ca: world.authority.ca }, sasl: { mechanism: 'SCRAM-SHA-512', username: USER, password: 'wrong' } }),
    /refused the login by SCRAM-SHA-512 \(58\): Authentication failed/,
  ],
]
for (const [what, listener, cluster, said] of failures) {
  test(`${what} reads plainly in the log and in /readyz`, async () => {
    const gate = await world.gate({ bootstrap: [world.at(listener)], ...cluster() })

    const state: any = await (await fetch(`${gate.healthUrl}/readyz`)).json()
    assert.match(state.cluster.lastError, said)
    assert.equal(state.cluster.reachable, false)
    assert.match(readFileSync(gate.logFile, 'utf8'), said)
    assert.equal(await gate.metric('topicgate_cluster_login_refused'), Number(what === 'a password that is wrong'))
    await gate.stop()
  })
}

test('a wrong password is not tried in a tight loop, and a mended file is taken up', async () => {
  const file = join(world.folder, 'password')
  writeFileSync(file, 'wrong')
  const sasl = { mechanism: 'PLAIN', username: USER, password: `\${file:${file}}` }
  const before = refusals()
  const gate = await world.gate({ bootstrap: [world.at('SASL')], tls: { ca: world.authority.ca }, sasl })

  await sleep(2500)
  assert.ok(refusals() - before <= 3, `${refusals() - before} logins in 2.5 s`)
  writeFileSync(file, USER)

  await until(async () => (await gate.metric('topicgate_cluster_reachable')) === 1)
  await roundTrip(gate, token, 'with the right password')
  await gate.stop()
})

test('a certificate that is replaced is used by the next connection, and those that are open go on', async () => {
  const [cert, key] = [join(world.folder, 'used.pem'), join(world.folder, 'used.key')]
  copyFileSync(world.own.cert, cert)
  copyFileSync(world.own.key, key)
  const gate = await world.gate({ bootstrap: [world.at('MTLS')], tls: { ca: world.authority.ca, cert, key } })
  const client = await clientOf(gate, token)
  await produce(client, 'before')
  const next = await world.authority.issue('topicgate-next')

  copyFileSync(next.key, key)
  copyFileSync(next.cert, cert)
  await until(async () => readFileSync(gate.logFile, 'utf8').includes('certificates or credentials for the brokers have changed'))

  await produce(client, 'on the same connection')
  // The log is main's word; a worker reads the files for itself.
  await until(async () => {
    await roundTrip(gate, token, 'by the new certificate')
    return world.brokerLog().some(line => line.includes('"requestApiKeyName":"PRODUCE"') && line.includes('CN=topicgate-next'))
  })
  client.close()
  await gate.stop()
})

test('logins that end are renewed between requests: nothing is lost, doubled or out of order', async () => {
  const gate = await world.gate({
    bootstrap: [world.at('SHORT')],
    tls: { ca: world.authority.ca },
    sasl: { mechanism: 'SCRAM-SHA-512', ...password },
  })
  const clients = await Promise.all(Array.from({ length: 4 }, () => clientOf(gate, token)))
  const endsAtMs = Date.now() + SHORT_MS * 2.5

  const offsets = await Promise.all(
    clients.map(async (client, i) => {
      const got: number[] = []
      while (Date.now() < endsAtMs) {
        got.push(await produce(client, `renewed ${i} ${got.length}`))
        if (i % 2 === 1) await fetchFrom(client, got.at(-1)!)
      }
      return got
    }),
  )

  for (const got of offsets)
    assert.deepEqual(
      got,
      [...got].sort((a, b) => a - b),
    )
  const all = offsets.flat().sort((a, b) => a - b)
  assert.equal(new Set(all).size, all.length)
  assert.equal(all.at(-1)! - all[0]! + 1, all.length)
  assert.equal(await gate.metric('topicgate_broker_closed_total'), 0)
  for (const client of clients) client.close()
  await gate.stop()
})

const refusals = () => world.brokerLog().filter(line => line.includes('Failed authentication')).length

test('validate --live goes the whole way, and says at which step it ends and what to mend', async () => {
  const ca = world.authority.ca
  const whole = await live({ bootstrap: [world.at('SASL')], tls: { ca }, sasl: { mechanism: 'SCRAM-SHA-512', ...password } })
  assert.deepEqual([whole.status, whole.problems], [0, []])
  for (const step of ['tcp', 'tls', 'login and offer', 'metadata', 'issuer dev'])
    assert.ok(
      whole.seen.some(check => check.startsWith(step)),
      step,
    )

  const cases: readonly [cluster: object, step: RegExp, hint: RegExp][] = [
    [{ bootstrap: ['nowhere.invalid:1'] }, /^dns nowhere/, /resolve/],
    [{ bootstrap: ['127.0.0.1:1'] }, /^tcp /, /nothing listens/],
    [{ bootstrap: [world.at('TLS')], tls: {} }, /^tls /, /cluster\.tls\.ca/],
    [{ bootstrap: [world.at('TLS')], tls: { ca, serverName: 'evil' } }, /^tls /, /serverName/],
    [{ bootstrap: [world.at('OLD')], tls: { ca } }, /^tls .*2020-02-01/, /renew/],
    [
      { bootstrap: [world.at('SASL')], tls: { ca }, sasl: { mechanism: 'PLAIN', username: USER, password: 'x' } },
      /^login /,
      /cluster\.sasl/,
    ],
    [{ bootstrap: [world.at('SHORT')], tls: { ca }, sasl: { mechanism: 'PLAIN', ...password } }, /^login .*SCRAM-SHA-512/, /mechanism/],
    [{ bootstrap: [world.at('TLS', 'localhost')], tls: { ca }, hosts: ['*.internal'] }, /^broker 1 127\.0\.0\.1 is not among/, /yours/],
  ]
  await Promise.all(
    cases.map(async ([cluster, step, hint]) => {
      const { status, problems } = await live(cluster)
      assert.equal(status, 3)
      assert.equal(problems.length, 1, JSON.stringify(problems))
      assert.match(problems[0]!, step)
      assert.match(problems[0]!, hint)
    }),
  )
})

async function live(cluster: object): Promise<{ status: number | null; seen: string[]; problems: string[] }> {
  const folder = mkdtempSync(join(world.folder, 'live-'))
  const file = join(folder, 'topicgate.yaml')
  writeFileSync(join(folder, 'policy.yaml'), 'version: 1\n')
  const issuers = [{ alias: 'dev', issuer: world.issuer.issuer, audience: 'kafka' }]
  const listeners = [{ name: 'clients', bind: '127.0.0.1:0' }]
  writeFileSync(file, stringify({ version: 1, cluster: { name: 'main', ...cluster }, listeners, issuers }))
  const child = spawn(process.execPath, ['src/main.ts', 'validate', '-c', file, '--live', '--json'])
  let text = ''
  child.stdout.setEncoding('utf8').on('data', chunk => (text += chunk))
  const [status] = await once(child, 'close')
  const checks: any[] = JSON.parse(text)
  return {
    status,
    seen: checks.filter(({ ok }) => ok).map(({ check }) => check),
    problems: checks.filter(({ ok }) => !ok).map(({ check, problem, hint }) => `${check} ${problem} ${hint}`),
  }
}
