// Headers of requests and responses, within their bounds.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readRequestHeader, requestBodyAt, responseBodyAt, responseHeaderBytes, writeResponse } from '../../src/protocol/header.ts'
import { MalformedError } from '../../src/protocol/wire.ts'

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')
// size, key 3, version 9, correlation id 7, client id "cli"
const HEAD = '00000011 0003 0009 00000007 0003 636c69'

test('a request header v1 ends behind the client id', () => {
  const frame = hex(`${HEAD} 00 00`)
  assert.deepEqual(readRequestHeader(frame, false), {
    apiKey: 3,
    apiVersion: 9,
    correlationId: 7,
    clientIdStart: 14,
    clientIdEnd: 17,
    bodyAt: 17,
  })
})

test('a request header v2 has tags behind a client id whose length is still an int16', () => {
  assert.equal(readRequestHeader(hex(`${HEAD} 00`), true).bodyAt, 18)
  assert.equal(readRequestHeader(hex(`${HEAD} 01 05 01 ff`), true).bodyAt, 21)
})

test('a null client id has no span', () => {
  const header = readRequestHeader(hex('0000000b 0003 0009 00000007 ffff 00'), true)
  assert.deepEqual([header.clientIdStart, header.clientIdEnd, header.bodyAt], [-1, -1, 15])
})

test('a header that is cut short, or whose client id has length -2, is malformed', () => {
  const whole = hex(`${HEAD} 00`)
  for (let n = 0; n < whole.length; n++) assert.throws(() => requestBodyAt(whole.subarray(0, n), true), MalformedError, `${n} bytes`)
  assert.throws(() => requestBodyAt(hex('0000000b 0003 0009 00000007 fffe 00'), true), MalformedError)
})

test('ApiVersions answers without a tag buffer whatever its version', () => {
  assert.equal(responseHeaderBytes(18, true), 8)
  assert.equal(responseHeaderBytes(3, true), 9)
  assert.equal(responseHeaderBytes(3, false), 8)
})

test('a response is written with its size and correlation id', () => {
  assert.equal(writeResponse({ apiKey: 3, correlationId: 7 }, true, hex('aabb')).toString('hex'), '000000070000000700aabb')
  assert.equal(writeResponse({ apiKey: 18, correlationId: 7 }, true, hex('aabb')).toString('hex'), '0000000600000007aabb')
})

test('a response body begins behind the tags of its header', () => {
  assert.equal(responseBodyAt(hex('00000008 00000007 01 05 01 ff'), 3, true), 12)
  assert.equal(responseBodyAt(hex('00000004 00000007'), 18, true), 8)
  assert.throws(() => responseBodyAt(hex('00000004 00000007'), 3, true), MalformedError)
})
