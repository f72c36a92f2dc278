// `topicgate token inspect` and `topicgate apis`: what they say, as text and as JSON.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { after, test } from 'node:test'
import { startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { type ApiLine, apiTable } from '../../src/policy/api-table.ts'
import { configText, files, topicgate } from './command.ts'

const issuer = await startDevIssuer()
after(() => issuer.stop())

const given = async (t: Parameters<typeof files>[0], token: string) =>
  files(t, { token, 'topicgate.yaml': configText(issuer.issuer, 'policy.yaml'), 'policy.yaml': 'version: 1\n' })

test('a good token passes each check and names its principal', async t => {
  const token = await issuer.mint({ service: 'orders-service', realmRoles: ['writer'] })
  const at = await given(t, token)

  const { status, stdout, stderr } = await topicgate('token', 'inspect', at.token, '-c', at['topicgate.yaml'], '--json')

  const report = JSON.parse(stdout)
  assert.deepEqual([status, stderr, report.ok, report.why], [0, '', true, null])
  assert.deepEqual(
    report.checks.map((check: { check: string; ok: boolean }) => `${check.check} ${check.ok}`),
    ['size', 'form', 'issuer', 'header', 'time', 'audience', 'type', 'signature', 'principal'].map(check => `${check} true`),
  )
  assert.equal(report.principal.id, 'service:corp/orders-service')
  assert.deepEqual(report.principal.realmRoles, ['writer'])
  assert.ok(!stdout.includes(token.split('.')[2]!), 'the signature is printed')
})

test('every wrong thing is named, not only the first', async t => {
  const token = await issuer.mint({ user: 'lena' }, { aud: 'account', exp: 1_700_000_000, iat: 1_699_999_000, typ: 'ID' })
  const forged = `${token.slice(0, -8)}AAAAAAAA`
  const at = await given(t, forged)

  const { status, stdout } = await topicgate('token', 'inspect', at.token, '-c', at['topicgate.yaml'])

  assert.equal(status, 0)
  assert.match(stdout, /^NO {2}time: token expired \d+ s ago/m)
  assert.match(stdout, /^NO {2}audience: token has aud=\["account"\]; add an Audience mapper for client kafka$/m)
  assert.match(stdout, /^NO {2}type: token is not an access token \(typ="ID"\)/m)
  assert.match(stdout, /^NO {2}signature: token has a signature that does not match its key$/m)
  assert.match(stdout, /\nrefused: token expired \d+ s ago/)
})

test('a token is judged as of the moment that was asked for', async t => {
  const token = await issuer.mint({ user: 'lena' }, { exp: 1_700_000_000, iat: 1_699_999_000 })
  const at = await given(t, token)

  const { stdout } = await topicgate('token', 'inspect', at.token, '-c', at['topicgate.yaml'], '--at', '2023-11-14T22:10:00Z')

  assert.match(stdout, /\naccepted\n$/)
})

test('without a configuration the claims are shown and nothing is called good', async t => {
  const at = await given(t, await issuer.mint({ user: 'lena' }, { iss: 'https://elsewhere.example.com' }))

  const shown = await topicgate('token', 'inspect', at.token)
  const strange = await topicgate('token', 'inspect', at.token, '-c', at['topicgate.yaml'])

  assert.match(shown.stdout, /\n {2}sub: "lena"\n/)
  assert.match(shown.stdout, /\nnot checked: give -c topicgate.yaml\n$/)
  assert.match(strange.stdout, /^NO {2}issuer: token has iss="https:\/\/elsewhere.example.com"/m)
  assert.match(strange.stdout, /^- {3}signature$/m)
})

test('what is no token ends with a reason', async t => {
  const at = files(t, { opaque: 'not-a-jwt', empty: '\n' })

  const opaque = await topicgate('token', 'inspect', at.opaque)
  const empty = await topicgate('token', 'inspect', at.empty)
  const missing = await topicgate('token', 'inspect', 'no-such-file')

  assert.deepEqual([opaque.status, empty.status, missing.status], [3, 2, 2])
  assert.match(missing.stderr, /no-such-file cannot be read: ENOENT/)
})

test('apis lists every API of Kafka: what it needs, or that it is not served', async () => {
  const { status, stdout } = await topicgate('apis', '--json')
  const text = await topicgate('apis')

  const list = JSON.parse(stdout) as ApiLine[]
  assert.equal(status, 0)
  assert.deepEqual(list, apiTable())
  assert.ok(list.length > 70)
  for (const { name, versions, needs } of list) {
    const line = versions === null ? `${name}  not served: the connection is closed\n` : `${name}  ${versions}\n      needs: ${needs}\n`
    assert.ok(text.stdout.includes(line), name)
  }
})

test('a token that is piped in is read once, however often it is asked for', async () => {
  const asks = "const { readToken } = await import('./src/cli/token.ts'); console.log(await readToken('-'), await readToken('-'))"
  const child = spawn(process.execPath, ['--input-type=module', '-e', asks], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end('Bearer abc\n')

  assert.equal((await text(child.stdout)).trim(), 'abc abc')
})
