// Tokens for Amazon MSK as Amazon's own package signs them: byte by byte what AWS documents, with fixed keys and a fixed clock.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { generateAuthToken } from 'aws-msk-iam-sasl-signer-js'
import { missingSigner, signForMsk } from '../../src/auth/msk-iam.ts'
import { setAws } from '../fakes/aws-environment.ts'
import { type AwsKey, expectedToken, REGION, tokenService, verifyToken } from '../fakes/msk.ts'
import { encoded, signatureOf } from '../fakes/sigv4.ts'

const NOW = Date.parse('2026-11-27T03:14:15.900Z')
const DATE = '20261127T031415Z'
const AGENT = 'aws-msk-iam-sasl-signer-js/1.0.3'
const ID = 'AKIDEXAMPLE'
const KEY: AwsKey = { secretKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
const ROLE = 'arn:aws:iam::111122223333:role/topicgate'
const ROLE_KEY = { secretKey: 'of the role', sessionToken: 'session/token+with=signs' }
const nobody = { region: REGION, role: null, profile: null }

function fixedClock(t: TestContext): void {
  t.mock.timers.enable({ apis: ['Date'], now: NOW })
}

const profile = (id: string, secretKey: string) =>
  `[other]\naws_access_key_id = NO\n[gate]\naws_access_key_id = ${id}\naws_secret_access_key = ${secretKey}\n`

/** A shared file with the profile `gate`. */
function credentials(t: TestContext, id: string, secretKey: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'topicgate-aws-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'credentials')
  writeFileSync(file, profile(id, secretKey))
  return file
}

test('the signature is computed as in the example that AWS publishes', () => {
  const scope = '20130524/us-east-1/s3/aws4_request'
  const date = '20130524T000000Z'
  const query = [
    ['X-Amz-Algorithm', 'AWS4-HMAC-SHA256'],
    ['X-Amz-Credential', `AKIAIOSFODNN7EXAMPLE/${scope}`],
    ['X-Amz-Date', date],
    ['X-Amz-Expires', '86400'],
    ['X-Amz-SignedHeaders', 'host'],
  ] as const
  const request = { method: 'GET', host: 'examplebucket.s3.amazonaws.com', path: '/test.txt', query, payloadHash: 'UNSIGNED-PAYLOAD' }

  // Amazon S3 API Reference, Authenticating Requests: Using Query Parameters.
  assert.equal(
    signatureOf(request, { secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', scope, date }),
    'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
  )
})

test('keys of the environment: the token is that of the documents, to the byte, and good for 900 seconds', async t => {
  fixedClock(t)
  setAws(t, { AWS_ACCESS_KEY_ID: ID, AWS_SECRET_ACCESS_KEY: KEY.secretKey })

  const { token, expiresAtMs } = await signForMsk(nobody)

  assert.equal(token, expectedToken(ID, KEY, DATE, AGENT))
  assert.equal(token, (await generateAuthToken({ region: REGION })).token)
  assert.equal(expiresAtMs, Date.parse('2026-11-27T03:29:15Z'))
  assert.deepEqual(verifyToken(token, new Map([[ID, KEY]]), NOW), { expiresAtMs })
})

test('a profile of the shared files gives its keys, also those that the file was given later', async t => {
  const file = credentials(t, ID, KEY.secretKey)
  fixedClock(t)
  setAws(t, { AWS_SHARED_CREDENTIALS_FILE: file })

  const first = await signForMsk({ ...nobody, profile: 'gate' })
  writeFileSync(file, profile(ID, 'another'))
  const second = await signForMsk({ ...nobody, profile: 'gate' })

  assert.equal(first.token, expectedToken(ID, KEY, DATE, AGENT))
  assert.equal(second.token, expectedToken(ID, { secretKey: 'another' }, DATE, AGENT))
})

test('a role is assumed under the gate’s name by the keys of the environment, or of a profile, and its own keys sign', async t => {
  const service = await tokenService('ASIAROLE', ROLE_KEY)
  t.after(() => service.stop())
  const file = credentials(t, 'AKIDPROFILE', 'x')
  fixedClock(t)
  setAws(t, {
    AWS_ACCESS_KEY_ID: ID,
    AWS_SECRET_ACCESS_KEY: KEY.secretKey,
    AWS_SHARED_CREDENTIALS_FILE: file,
    AWS_ENDPOINT_URL_STS: service.url,
  })

  const tokens = [await signForMsk({ ...nobody, role: ROLE }), await signForMsk({ ...nobody, role: ROLE, profile: 'gate' })]

  for (const { token } of tokens) assert.equal(token, expectedToken('ASIAROLE', ROLE_KEY, DATE, AGENT))
  const asked = service.asked.map(({ form, accessKeyId }) => [
    form.get('Action'),
    form.get('RoleArn'),
    form.get('RoleSessionName'),
    accessKeyId,
  ])
  assert.deepEqual(asked, [
    ['AssumeRole', ROLE, 'topicgate', ID],
    ['AssumeRole', ROLE, 'topicgate', 'AKIDPROFILE'],
  ])
})

test('keys that end sooner than a token would: it says 900 seconds all the same, and is not used for longer than they are good', async t => {
  const service = await tokenService('ASIAROLE', ROLE_KEY, 599_978)
  t.after(() => service.stop())
  fixedClock(t)
  setAws(t, { AWS_ACCESS_KEY_ID: ID, AWS_SECRET_ACCESS_KEY: KEY.secretKey, AWS_ENDPOINT_URL_STS: service.url })

  const { token, expiresAtMs } = await signForMsk({ ...nobody, role: ROLE })

  assert.equal(token, expectedToken('ASIAROLE', ROLE_KEY, DATE, AGENT))
  assert.equal(expiresAtMs, NOW + 599_978)
})

test('who verifies refuses another region, action or key, a changed or missing part, and what is over', () => {
  const keys = new Map([[ID, KEY]])
  const good = expectedToken(ID, KEY, DATE, AGENT)
  const changed = (from: string, to: string) =>
    Buffer.from(Buffer.from(good, 'base64url').toString().replaceAll(from, to)).toString('base64url')
  const refusal = (token: string, nowMs = NOW, known = keys) => {
    const verified = verifyToken(token, known, nowMs)
    return 'refused' in verified ? verified.refused : 'good'
  }

  assert.deepEqual(
    [
      refusal(good),
      refusal(changed(REGION, 'us-east-1')),
      refusal(changed(`%2F${REGION}%2F`, '%2Fus-east-1%2F')),
      refusal(changed(encoded('kafka-cluster:Connect'), encoded('kafka-cluster:DescribeCluster'))),
      refusal(changed('X-Amz-Expires=900', 'X-Amz-Expires=899')),
      refusal(changed('X-Amz-Expires=900', 'X-Amz-Expires=86400')),
      refusal(expectedToken(ID, { secretKey: 'wrong' }, DATE, AGENT)),
      refusal(expectedToken('AKIDOTHER', KEY, DATE, AGENT)),
      refusal(good, NOW + 901_000),
      refusal(good, NOW - 301_000),
      refusal(expectedToken(ID, KEY, DATE, AGENT), NOW, new Map([[ID, { ...KEY, sessionToken: 'x' }]])),
    ],
    [
      'good',
      'not our address',
      'another scope',
      'another action',
      'another signature',
      'not for up to 900 seconds',
      'another signature',
      'no such key',
      'expired, or not yet valid',
      'expired, or not yet valid',
      'no such key',
    ],
  )
})

test('without credentials it says so', async t => {
  setAws(t, {})
  await assert.rejects(signForMsk(nobody), /Could not load credentials from any providers/)
})

test('without the signer it says what to install', async t => {
  const hooks = registerHooks({
    resolve: (name, context, next) => next(name === 'aws-msk-iam-sasl-signer-js' ? 'no-such-package' : name, context),
  })
  t.after(() => hooks.deregister())

  assert.deepEqual(missingSigner(), {
    problem: 'AWS_MSK_IAM needs the package aws-msk-iam-sasl-signer-js, which is not installed',
    hint: 'npm install aws-msk-iam-sasl-signer-js, beside topicgate',
  })
  await assert.rejects(signForMsk(nobody), /not installed: npm install aws-msk-iam-sasl-signer-js/)
})
