// Every key and every version: nothing that has no row, and nothing before a login, comes through.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { offered, offeredBy, planFor, ruleOf } from '../../src/policy/plan.ts'
import { apis } from '../../src/protocol/messages/index.ts'
import { BrokerApiOffer } from '../../src/proxy/api-versions.ts'
import { request } from '../fakes/frames.ts'
import { framesIn, loginAnd, sendAlone, startWorld, type World } from './world.ts'

const SASL: ReadonlySet<number> = new Set([17, 18, 36])
/** GetTelemetrySubscriptions and PushTelemetry: the gate of these tests does not offer them. */
const TELEMETRY = [71, 72]
const EDGES = [-32768, -2, -1, 32767]
/** From -1 to three above what is served. */
const outside = (min: number, max: number): number[] => [
  ...Array.from({ length: min + 1 }, (_, i) => i - 1),
  ...[1, 2, 3].map(above => max + above),
]
let world: World
before(async () => {
  world = await startWorld()
})
after(() => world?.stop())

/** A broker that claims every API there may ever be, before a gate that offers these. */
const claimsAllTo = (ours: typeof offered) =>
  new BrokerApiOffer({
    nodeId: 1,
    clusterId: 'x',
    ours,
    broker: {
      ranges: Array.from({ length: 32768 }, (_, key) => [key, 0, 32767] as const),
      supportedFeatures: [],
      finalizedFeatures: [],
      finalizedFeaturesEpoch: -1n,
      zkMigrationReady: false,
    },
  })
const claimsAll = claimsAllTo(offered)

test('of all 65 536 keys, only those with a row are served or planned, whatever the broker claims', t => {
  let refused = 0
  const versions = [...EDGES, ...Array.from({ length: 30 }, (_, i) => i)]
  for (let key = -32768; key <= 32767; key++) {
    const isOurs = SASL.has(key) || (ruleOf(key) !== null && offered.has(key))
    if (isOurs) continue
    for (const version of versions) {
      assert.equal(claimsAll.serves(key, version), false, `key ${key} version ${version}`)
      assert.equal(planFor(key, version), null, `key ${key} version ${version}`)
      refused++
    }
  }
  t.diagnostic(`${refused} pairs of a key without a row and a version: none served, none planned`)
})

test('telemetry is served only where the configuration says so; every other API that has a row is served anyway', () => {
  const [asked, unasked] = [true, false].map(clientTelemetry => claimsAllTo(offeredBy({ clientTelemetry })))
  for (let key = -32768; key <= 32767; key++) {
    const { min } = apis.find(api => api.key === key)?.versions ?? { min: 0 }
    assert.equal(unasked!.serves(key, min), asked!.serves(key, min) && !TELEMETRY.includes(key), `key ${key}`)
  }
  assert.deepEqual(
    TELEMETRY.map(key => asked!.serves(key, 0)),
    [true, true],
  )
})

test('of all 65 536 versions of a key with a row, only those in its range are planned', t => {
  let refused = 0
  for (const [key, [min, max]] of offered) {
    for (let version = -32768; version <= 32767; version++) {
      if (version >= min && version <= max) continue
      if (planFor(key, version) !== null || claimsAll.serves(key, version)) assert.fail(`key ${key} version ${version}`)
      refused++
    }
  }
  t.diagnostic(`${refused} versions outside of the ranges of ${offered.size} keys: none served, none planned`)
})

test('before login every other API is closed without an answer, and nothing reaches the broker', async () => {
  const keys = [
    ...apis.map(api => api.key).filter(key => !SASL.has(key)),
    4,
    5,
    6,
    7,
    52,
    53,
    54,
    58,
    59,
    62,
    95,
    10_000,
    -1,
    -32768,
    32767,
  ]
  const before = world.broker.asked.length
  for (const key of keys) {
    const api = apis.find(a => a.key === key)
    for (const version of api === undefined ? [0] : [api.versions.min, api.versions.max]) {
      const came = await sendAlone(world.gate.port, request(key, version, 1, Buffer.alloc(16)))
      assert.equal(came.length, 0, `key ${key} version ${version}`)
    }
  }
  assert.deepEqual(
    world.broker.asked.slice(before).filter(asked => asked.apiKey !== 3 && asked.apiKey !== 18),
    [],
  )
})

test('after login a key without a row, or a version out of its range, closes the connection and reaches nobody', async () => {
  const token = await world.token('writer')
  const known = new Set(offered.keys())
  const strange = [-32768, -1, 4, 5, 6, 7, 52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 73, 82, 95, 96, 100, 128, 255, 256, 1000, 10_000, 32767]
  const frames = [
    ...[...strange.filter(key => !known.has(key)), ...TELEMETRY].map(key => request(key, 0, 3, Buffer.alloc(16))),
    ...[...offered].flatMap(([key, [min, max]]) => outside(min, max).map(version => request(key, version, 3, Buffer.alloc(16)))),
  ]
  for (const frame of frames) {
    const came = framesIn(await sendAlone(world.gate.port, loginAnd(token, frame)))
    assert.equal(came.length, 2, `key ${frame.readInt16BE(4)} version ${frame.readInt16BE(6)}: only the login is answered`)
  }
  assert.deepEqual(world.reached(), [])
})
