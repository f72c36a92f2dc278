// Ports of brokers: which one a node gets, that it is opened once, and what becomes of those that get none.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { advertisedPort, BrokerPorts, portFor } from '../../src/proxy/addresses.ts'

const range = { firstPort: 9093, lastPort: 9095, firstNode: 1, firstAdvertised: 9093 }

test('node N gets first port + N − first node, and none outside of the range', () => {
  assert.equal(portFor(range, 1), 9093)
  assert.equal(portFor(range, 3), 9095)
  assert.equal(portFor(range, 4), undefined)
  assert.equal(portFor(range, 0), undefined)
  assert.equal(portFor('auto', 7), 0)
  assert.equal(portFor('auto', -1), undefined)
})

test('clients are told the port of the same place in the advertised range', () => {
  assert.equal(advertisedPort({ ...range, firstAdvertised: 30001 }, 9095), 30003)
  assert.equal(advertisedPort(range, 9095), 9095)
  assert.equal(advertisedPort('auto', 40123), 40123)
})

function book(open: (listener: string, nodeId: number, port: number) => Promise<number>) {
  const missing: string[] = []
  const ports = new BrokerPorts({
    listeners: [
      { name: 'a', plan: range },
      { name: 'b', plan: 'auto' },
    ],
    open,
    onMissing: (listener, nodeId, why) => missing.push(`${listener}/${nodeId}: ${why}`),
  })
  return { ports, missing }
}

test('a node gets its port on every listener, once, however many ask for it', async () => {
  const opened: string[] = []
  const { ports } = book(async (listener, nodeId, port) => {
    opened.push(`${listener}/${nodeId}/${port}`)
    return port
  })

  await Promise.all([ports.ensure(1), ports.ensure(1), ports.ensure(2)])
  await ports.ensure(1)

  assert.deepEqual(opened.sort(), ['a/1/9093', 'a/2/9094', 'b/1/0', 'b/2/0'])
})

test('a broker beyond the range is told of once, and the other listeners serve it', async () => {
  const opened: string[] = []
  const { ports, missing } = book(async (listener, nodeId, port) => {
    opened.push(`${listener}/${nodeId}`)
    return port
  })

  await ports.ensure(9)
  await ports.ensure(9)

  assert.deepEqual(opened, ['b/9'])
  assert.equal(missing.length, 1)
  assert.match(missing[0]!, /^a\/9: .*no port/)
  assert.equal(ports.missing, 1)
})

test('a port that is taken is tried again, and counts as missing until then', async () => {
  let taken = true
  const { ports, missing } = book(async (listener, _nodeId, port) => {
    if (listener === 'a' && taken) throw new Error('EADDRINUSE')
    return port
  })

  await ports.ensure(1)
  assert.deepEqual([missing, ports.missing], [['a/1: EADDRINUSE'], 1])
  taken = false
  await ports.ensure(1)

  assert.equal(ports.missing, 0)
})
