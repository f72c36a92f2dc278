// The header of the PROXY protocol: both versions as load balancers write them, byte by byte, and everything that only looks like one.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MalformedError } from '../../src/protocol/wire.ts'
import { readProxyHeader } from '../../src/proxy/proxy-protocol.ts'

const SIGNATURE = '0d0a0d0a000d0a515549540a'
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** Lines and bytes of the specification's own examples and of HAProxy 2.6, and whose connection they say it is. */
const GOOD: readonly (readonly [string, Buffer, string | null])[] = [
  ['version 1, IPv4', Buffer.from('PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n'), '255.255.255.255'],
  ['version 1, IPv6', Buffer.from('PROXY TCP6 2001:db8::7 2001:db8::1 56324 9093\r\n'), '2001:db8::7'],
  ['version 1, UNKNOWN alone', Buffer.from('PROXY UNKNOWN\r\n'), null],
  ['version 1, the longest UNKNOWN', Buffer.from(`PROXY UNKNOWN ${`${'ffff:f...f:ffff '.repeat(5)}`}65535\r\n`), null],
  ['version 2, IPv4', hex(`${SIGNATURE} 21 11 000c 0a090807 0a000001 dc04 2383`), '10.9.8.7'],
  [
    'version 2, IPv6',
    hex(`${SIGNATURE} 21 21 0024 20010db8000000000000000000000007 20010db8000000000000000000000001 dc04 2383`),
    '2001:db8::7',
  ],
  [
    'version 2, IPv4 mapped into IPv6',
    hex(`${SIGNATURE} 21 21 0024 00000000000000000000ffff0a090807 ${'00'.repeat(16)} dc04 2383`),
    '10.9.8.7',
  ],
  ['version 2, LOCAL', hex(`${SIGNATURE} 20 00 0000`), null],
  ['version 2, LOCAL with addresses that count for nothing', hex(`${SIGNATURE} 20 11 000c 0a090807 0a000001 dc04 2383`), null],
  ['version 2, with additional fields', hex(`${SIGNATURE} 21 11 0013 0a090807 0a000001 dc04 2383 03 0004 a1b2c3d4`), '10.9.8.7'],
]

for (const [name, bytes, address] of GOOD) {
  test(`${name}: exactly the header is taken, however it is cut`, () => {
    const behind = Buffer.concat([bytes, Buffer.from([0, 0, 0, 18, 0, 18])])

    assert.deepEqual(readProxyHeader(behind), { sizeBytes: bytes.length, address })
    for (let length = 0; length < bytes.length; length++) assert.equal(readProxyHeader(bytes.subarray(0, length)), null)
  })
}

const BAD: readonly (readonly [string, Buffer])[] = [
  ['a Kafka frame', hex('00000012 0012 0000 00000001 ffff')],
  ['a TLS hello', hex('16030100f5010000f10303')],
  ['lower case', Buffer.from('proxy TCP4 10.0.0.1 10.0.0.2 1 2\r\n')],
  ['a line without its carriage return', Buffer.from('PROXY TCP4 10.0.0.1 10.0.0.2 1 2\n')],
  ['a line that does not end', Buffer.from(`PROXY TCP4 ${'1'.repeat(200)}`)],
  ['an address that is none', Buffer.from('PROXY TCP4 10.0.0.256 10.0.0.2 1 2\r\n')],
  ['an address of the other family', Buffer.from('PROXY TCP4 ::1 ::1 1 2\r\n')],
  ['an address with a zone', Buffer.from('PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n')],
  ['a port that is none', Buffer.from('PROXY TCP4 10.0.0.1 10.0.0.2 1 65536\r\n')],
  ['a port that is missing', Buffer.from('PROXY TCP4 10.0.0.1 10.0.0.2 1\r\n')],
  ['two spaces', Buffer.from('PROXY TCP4  10.0.0.1 10.0.0.2 1 2\r\n')],
  ['a number with leading zeros', Buffer.from('PROXY TCP4 10.0.0.1 10.0.0.2 01 2\r\n')],
  ['UDP in version 1', Buffer.from('PROXY UDP4 10.0.0.1 10.0.0.2 1 2\r\n')],
  ['version 3', hex(`${SIGNATURE} 31 11 000c 0a090807 0a000001 dc04 2383`)],
  ['an unknown command', hex(`${SIGNATURE} 22 11 000c 0a090807 0a000001 dc04 2383`)],
  ['UDP in version 2', hex(`${SIGNATURE} 21 12 000c 0a090807 0a000001 dc04 2383`)],
  ['a unix socket', hex(`${SIGNATURE} 21 31 00d8 ${'00'.repeat(216)}`)],
  ['addresses that are cut', hex(`${SIGNATURE} 21 11 0008 0a090807 0a000001`)],
  ['64 KiB of additional fields', hex(`${SIGNATURE} 21 11 ffff`)],
]

for (const [name, bytes] of BAD) {
  test(`${name} is no header`, () => {
    assert.throws(() => readProxyHeader(bytes), MalformedError)
  })
}

test('whatever the bytes are: a header within them, a wish for more that ends, or malformed', () => {
  const start = fc.constantFrom(
    '',
    'PROXY ',
    'PROXY TCP4 ',
    'PROXY UNKNOWN',
    hex(SIGNATURE).toString('latin1'),
    hex(`${SIGNATURE}21`).toString('latin1'),
  )
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 6000 }), (head, tail) => {
      const bytes = Buffer.concat([Buffer.from(head, 'latin1'), tail])
      try {
        const header = readProxyHeader(bytes)
        if (header === null) assert.ok(bytes.length < 16 + 4096)
        else assert.ok(header.sizeBytes <= bytes.length)
      } catch (error) {
        assert.ok(error instanceof MalformedError, String(error))
      }
    }),
    { numRuns: 2000 },
  )
})

test('a changed byte of a good header never makes another one of another length', () => {
  fc.assert(
    fc.property(fc.constantFrom(...GOOD), fc.nat(), fc.nat(255), ([, good], at, byte) => {
      const bytes = Buffer.from(good)
      bytes[at % bytes.length] = byte
      try {
        const header = readProxyHeader(bytes)
        assert.ok(header === null || header.sizeBytes <= bytes.length)
      } catch (error) {
        assert.ok(error instanceof MalformedError, String(error))
      }
    }),
    { numRuns: 2000 },
  )
})
