// Every kind of security towards three real brokers with an authorizer of their own, and the client families through TLS before it: a sample of `npm run measure -- matrix`.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Family, families } from '../../scripts/stack/drivers.ts'
import { Driver } from './client.ts'
import { asItShould, MatrixWorld, type Security, securities } from './matrix-world.ts'
import { type Way, ways } from './ways.ts'

/** Each security has one client and one way, in turn; all clients meet where most is between them and the brokers. */
const everybody: Security = 'SCRAM-SHA-512'
const cells: readonly [Security, Family, Way][] = [
  ...securities
    .filter(security => security !== everybody)
    .map((security, i): [Security, Family, Way] => [security, families[i % families.length]!, ways[i % ways.length]!]),
  ...families.map((family, i): [Security, Family, Way] => [everybody, family, ways[(i + 1) % ways.length]!]),
]

let world: MatrixWorld
const drivers = new Map<Family, Driver>()

before(async () => {
  world = await MatrixWorld.start()
  for (const family of families) drivers.set(family, await Driver.start(family, world.ways.hosts))
  await Promise.all(securities.map(security => world.gate(security)))
})
after(async () => {
  await Promise.all([...drivers.values()].map(driver => driver.stop()))
  await world?.stop()
})

for (const [security, family, way] of cells) {
  test(`${security}: ${family} through ${way} produces, consumes and is refused`, async () => {
    assert.deepEqual(await world.outcome(drivers.get(family)!, security, way), asItShould(security))
  })
}
