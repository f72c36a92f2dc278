// Names as OpenFGA takes them: whatever bytes they hold, each has an object of its own, which is nothing but a name.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Resource } from '../../src/policy/authorizer.ts'
import { encode, nameObject } from '../../src/policy/encode.ts'
import { names } from './odd-names.ts'

test('letters, digits, dot, underscore and dash stay, any other byte is written in hexadecimal', () => {
  assert.equal(encode('a b:#*@ä+/'), 'a+20b+3A+23+2A+40+C3+A4+2B+2F')
})

test('of a million names no two share an object, and none of the objects is more than a name', { timeout: 120_000 }, t => {
  const cluster = 'c:l/u#s*'
  const plain = /^topic:c\+3Al\+2Fu\+23s\+2A\/(?:[A-Za-z0-9._-]|\+[0-9A-F]{2})*$/
  const hashed = /^topic:c\+3Al\+2Fu\+23s\+2A\/@[A-Za-z0-9_-]{43}$/
  const seen = new Map<string, string>()
  let hashes = 0
  const look = (bytes: Uint8Array): void => {
    const object = nameObject(cluster, Resource.Topic, bytes)
    if (object.length > 256) assert.fail(`${object} is too long`)
    if (hashed.test(object)) hashes++
    else if (!plain.test(object)) assert.fail(`${object} is more than a name`)
    const name = Buffer.from(bytes).toString('latin1')
    if ((seen.get(object) ?? name) !== name) assert.fail(`${object} is ${JSON.stringify(name)}, and ${JSON.stringify(seen.get(object))}`)
    seen.set(object, name)
  }

  fc.assert(
    fc.property(fc.noBias(fc.integer()), fc.array(fc.uint8Array({ maxLength: 400 })), (seed, others) => {
      for (const bytes of names(50_000, seed)) look(bytes)
      for (const bytes of others) look(bytes)
    }),
    { numRuns: 32, endOnFailure: true },
  )

  assert.ok(seen.size >= 1_000_000 && hashes > 10_000, `${seen.size} names, ${hashes} hashed`)
  t.diagnostic(`${seen.size} names, ${hashes} hashed`)
})
