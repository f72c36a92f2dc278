// Addresses and blocks, against Node's own BlockList.

import assert from 'node:assert/strict'
import { BlockList } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { Networks, parseAddress, parseBlock } from '../../src/base/networks.ts'

test('an address is in a block exactly when Node says so', () => {
  const v4 = fc.ipV4()
  const v6 = fc.ipV6()
  fc.assert(
    fc.property(fc.oneof(v4, v6), fc.oneof(v4, v6), fc.integer({ min: 0, max: 128 }), (base, address, bits) => {
      const most = base.includes(':') ? 128 : 32
      const length = Math.min(bits, most)
      const start = masked(parseAddress(base)!, length + 128 - most)
      const family = (text: string) => (text.includes(':') ? 'ipv6' : 'ipv4')
      const text = most === 32 ? [...start.subarray(12)].join('.') : hex(start)
      const blocks = new BlockList()
      blocks.addSubnet(text, length, family(text))

      assert.equal(new Networks([`${text}/${length}`]).has(text), true)
      if (family(base) === family(address))
        assert.equal(new Networks([`${text}/${length}`]).has(address), blocks.check(address, family(address)))
    }),
    { numRuns: 2000 },
  )
})

test('an IPv4-mapped address is the IPv4 address', () => {
  assert.equal(new Networks(['10.20.0.0/16']).has('::ffff:10.20.1.1'), true)
  assert.equal(new Networks(['10.20.0.0/16']).has('::ffff:0a15:101'), false)
})

test('what is no address is neither in nor out', () => {
  for (const text of ['', 'localhost', '10.0.0', '10.0.0.256', 'fe80::1%eth0'])
    assert.equal(new Networks(['0.0.0.0/0', '::/0']).has(text), undefined)
})

test('a block with bits behind its length, or a length that is none, is refused in words', () => {
  assert.equal(parseBlock('10.20.0.1/16'), '10.20.0.1 has bits set after the first 16')
  assert.equal(parseBlock('10.20.0.0/33'), 'the length after / must be 0 to 32')
  assert.equal(parseBlock('10.20.0.0/'), 'the length after / must be 0 to 32')
  assert.equal(parseBlock('10.20.0.0/8/9'), 'a block has one /')
  assert.equal(parseBlock('offices'), '"offices" is not an IP address')
})

function masked(address: Uint8Array, bits: number): Uint8Array {
  return address.map((byte, i) => byte & (0xff00 >>> Math.min(8, Math.max(0, bits - i * 8))) & 0xff)
}

function hex(address: Uint8Array): string {
  return Array.from({ length: 8 }, (_, i) => ((address[i * 2]! << 8) | address[i * 2 + 1]!).toString(16)).join(':')
}
