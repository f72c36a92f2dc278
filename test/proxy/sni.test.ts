// Server names: which broker each stands for, and none but ours.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nameOf, ServerNames } from '../../src/proxy/sni.ts'

const names = new ServerNames('gate.example.com', 'b{nodeId}.gate.example.com')

test('the bootstrap name stands for any broker, a broker’s name for that broker, as DNS compares them', () => {
  assert.equal(names.nodeOf('gate.example.com'), null)
  assert.equal(names.nodeOf('GATE.example.com.'), null)
  assert.equal(names.nodeOf('b0.gate.example.com'), 0)
  assert.equal(names.nodeOf('B12.Gate.Example.Com'), 12)
  assert.equal(names.nodeOf(nameOf('b{nodeId}.gate.example.com', 2147483647)), 2147483647)
})

test('every other name is unknown', () => {
  const strange = [
    '',
    'example.com',
    'b.gate.example.com',
    'b-1.gate.example.com',
    'b01.gate.example.com',
    'b1.gate.example.com.evil.org',
    'xb1.gate.example.com',
    'b1xgate.example.com',
    'b2147483648.gate.example.com',
    'b99999999999999999999.gate.example.com',
    'b1e3.gate.example.com',
    'b٣.gate.example.com',
    'b1.gate.example.com..',
  ]
  for (const name of strange) assert.equal(names.nodeOf(name), undefined, name)
})
