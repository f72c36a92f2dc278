// Our answers to ApiVersions against those of a real broker, byte for byte, and what is cut from them.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { compileDecode } from '../../src/protocol/codec.ts'
import { ApiVersions } from '../../src/protocol/messages/18-api-versions.ts'
import { layout } from '../../src/protocol/schema.ts'
import { MalformedError } from '../../src/protocol/wire.ts'
import { BrokerApiOffer, type Ranges } from '../../src/proxy/api-versions.ts'
import type { BrokerOffer } from '../../src/proxy/cluster-state.ts'

interface Captured {
  readonly clusterId: string
  readonly nodeId: number
  readonly cases: readonly { readonly title: string; readonly request: string; readonly response: string }[]
}
const captured: Captured = JSON.parse(readFileSync(new URL('./api-versions.json', import.meta.url), 'utf8'))
const decode = (version: number, hex: string) =>
  compileDecode(layout(ApiVersions.response, version, version >= 3))(Buffer.from(hex, 'hex'), 8)
const hexOf = (title: string) => captured.cases.find(c => c.title === title)!

const answer = decode(4, hexOf('version 4').response)
const broker: BrokerOffer = {
  ranges: answer.apiKeys.map((a: any) => [a.apiKey, a.minVersion, a.maxVersion] as const),
  supportedFeatures: answer.supportedFeatures ?? [],
  finalizedFeaturesEpoch: answer.finalizedFeaturesEpoch ?? -1n,
  finalizedFeatures: answer.finalizedFeatures ?? [],
  zkMigrationReady: answer.zkMigrationReady ?? false,
}
const everything: Ranges = new Map(broker.ranges.map(([key, min, max]) => [key, [min, max] as const]))
const offerOf = (ours: Ranges, of: BrokerOffer = broker) =>
  new BrokerApiOffer({ nodeId: captured.nodeId, clusterId: captured.clusterId, broker: of, ours })

for (const { title, request, response } of captured.cases) {
  test(`answers as a real broker: ${title}`, () => {
    const frame = Buffer.from(request, 'hex')

    // The epoch moves on while a broker runs: what it was at this answer stands in the answer.
    const version = frame.readInt16BE(6) === 9 ? 0 : frame.readInt16BE(6)
    const { finalizedFeaturesEpoch = -1n } = decode(version, response)
    const body = offerOf(everything, { ...broker, finalizedFeaturesEpoch }).answer(frame, frame.readInt16BE(6), true)

    assert.equal(body.toString('hex'), response.slice(16))
  })
}

test('before login the cluster and node that a client names are not looked at', () => {
  const frame = Buffer.from(hexOf('another node').request, 'hex')

  assert.equal(offerOf(everything).answer(frame, 5, false).readInt16BE(0), 0)
})

test('only versions that both sides know are offered, and APIs without a rule are not', () => {
  const ours: Ranges = new Map([
    [0, [3, 13]],
    [1, [4, 12]],
    [3, [0, 13]],
    [9999, [0, 1]],
  ])
  const old = { ...broker, ranges: [...broker.ranges.filter(r => r[0] !== 3), [3, 2, 11] as const] }

  const offer = offerOf(ours, old)

  assert.deepEqual(Object.fromEntries(offer.ranges), { 0: [3, 13], 1: [4, 12], 3: [2, 11], 17: [0, 1], 18: [0, 5], 36: [0, 2] })
  assert.ok(offer.serves(3, 2) && !offer.serves(3, 1) && !offer.serves(3, 12) && !offer.serves(2, 4) && !offer.serves(9999, 0))
})

test('clients are told that Produce begins at 0, but a version below ours is not served', () => {
  const offer = offerOf(new Map([[0, [3, 13]]]))
  const { request } = hexOf('version 4')

  const { apiKeys } = decode(4, `${'0'.repeat(16)}${offer.answer(Buffer.from(request, 'hex'), 4, false).toString('hex')}`)

  assert.deepEqual(apiKeys[0], { apiKey: 0, minVersion: 0, maxVersion: 13 })
  assert.ok(!offer.serves(0, 2) && offer.serves(0, 3))
})

test('a finalized feature is not shown where the APIs that it makes clients use are not offered', () => {
  const names = (ours: Ranges) => {
    const body = offerOf(ours).answer(Buffer.from(hexOf('version 4').request, 'hex'), 4, false)
    return (decode(4, `${'0'.repeat(16)}${body.toString('hex')}`).finalizedFeatures ?? []).map((f: any) => f.name)
  }
  const without = (...keys: number[]): Ranges => new Map([...everything].filter(([key]) => !keys.includes(key)))

  assert.ok(names(everything).includes('transaction.version'), 'the captured broker has it')
  assert.ok(!names(without(26)).includes('transaction.version'))
  assert.ok(!names(new Map([...everything, [0, [3, 11]]])).includes('transaction.version'))
  assert.ok(!names(without(68)).includes('group.version'))
  assert.ok(names(without(26)).includes('metadata.version'))
})

test('a request that ends within its fields is malformed', () => {
  const frame = Buffer.from(hexOf('version 4').request, 'hex')

  for (const end of [14, 16, 20, frame.length - 4]) {
    assert.throws(() => offerOf(everything).answer(frame.subarray(0, end), 4, false), MalformedError, `cut at ${end}`)
  }
})
