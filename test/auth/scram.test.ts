// SCRAM against the example of RFC 7677 and against servers that do not know the password, or want too much.

import assert from 'node:assert/strict'
import { createHook } from 'node:async_hooks'
import { test } from 'node:test'
import { ScramClient } from '../../src/auth/scram.ts'

const NONCE = 'rOprNGfwEbeRWgbNEkqO'
const SERVER_FIRST = 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'
const client = (username = 'user', password = 'pencil') => new ScramClient('sha256', username, password, NONCE)

test('the exchange of RFC 7677 §3 comes out byte by byte', async () => {
  const it = client()

  assert.equal(it.first().toString(), 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO')
  assert.equal(
    (await it.final(SERVER_FIRST)).toString(),
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  )
  it.verify('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
})

test('names with commas and equals signs are written as the grammar wants them', () => {
  assert.equal(client('a,b=c').first().toString(), 'n,,n=a=2Cb=3Dc,r=rOprNGfwEbeRWgbNEkqO')
})

test('a server that does not prove that it knows the password is not believed', async () => {
  for (const final of ['v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl96G4=', 'v=', '', 'v=AAAA', 'x']) {
    const it = client()
    await it.final(SERVER_FIRST)
    assert.throws(() => it.verify(final), /did not prove/)
  }
  assert.throws(() => client().verify('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='), /did not prove/)
  const it = client()
  await it.final(SERVER_FIRST)
  assert.throws(() => it.verify('e=invalid-proof'), /refused: invalid-proof/)
})

test('a nonce that is not ours and longer, too few iterations and too many are refused', async () => {
  const rest = ',s=W22ZaJ0SNY7soEsUEjb6gQ=='
  await assert.rejects(client().final(`r=${NONCE}${rest},i=4096`), /nonce of somebody else/)
  await assert.rejects(client().final(`r=other${rest},i=4096`), /nonce of somebody else/)
  await assert.rejects(client().final(`r=${NONCE}x${rest},i=1`), /wants 1 iterations/)
  await assert.rejects(client().final(`r=${NONCE}x${rest},i=100000000`), /wants 100000000 iterations/)
  for (const bad of ['', 'e=unknown-user', `r=${NONCE}x,s=,i=4096`, `r=${NONCE}x,i=4096`, `m=x,r=${NONCE}x${rest},i=4096`]) {
    await assert.rejects(client().final(bad), /is not one of SCRAM/)
  }
})

test('a thousand logins cost one derivation of the password', async t => {
  let derivations = 0
  const hook = createHook({ init: (_id, type) => void (derivations += Number(type === 'PBKDF2REQUEST')) }).enable()
  t.after(() => hook.disable())

  for (let i = 0; i < 1000; i++) await new ScramClient('sha512', 'user', 'pencil', NONCE).final(SERVER_FIRST)

  assert.equal(derivations, 1)
})
