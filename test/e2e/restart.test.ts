// Clients of every family at work while brokers die and come back, certificates and passwords are replaced, and the gate itself is killed: a short form of `npm run measure -- rolling` and `reconnect`.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from 'node:tls'
import { families } from '../../scripts/stack/drivers.ts'
import { Crowd } from './crowd.ts'
import { RollingWorld } from './rolling-world.ts'
import { shown } from './shown.ts'
import { PARTITIONS, Stream, topicOf } from './stream.ts'
import { makeTopics } from './topics.ts'
import { GATE_NAME } from './ways.ts'

const VICTIM = 2
const CROWD = 100
const DIALS_PER_SECOND = 50

let world: RollingWorld
let crowd: Crowd | undefined
const streams: Stream[] = []

before(async () => {
  world = await RollingWorld.start({ dialsPerSecond: DIALS_PER_SECOND })
  await makeTopics(world.kafka, Object.fromEntries(families.map(family => [topicOf(family), PARTITIONS])))
  streams.push(...(await Promise.all(families.map(family => Stream.start(world, family)))))
  await allGoOn()
})
after(() => {
  crowd?.leave()
  return world?.stop()
})

const allGoOn = () => Promise.all(streams.map(stream => stream.goesOn()))

test('a broker is killed, and comes back with another certificate while passwords and certificates change: clients carry on', async () => {
  crowd = new Crowd(world, VICTIM, CROWD, await world.issuer.mint({ service: 'crowd' }))
  await crowd.come()

  await world.kafka.kill(VICTIM)
  await allGoOn()
  const server = await world.newServerCertificate()
  await world.newGateCertificate()
  await world.newBrokerCertificate()
  await world.newPassword()
  await world.restartBroker(VICTIM)

  const cameAtMs = performance.now()
  await crowd.come()
  await allGoOn()
  assert.equal(crowd.served, CROWD)
  // Half a second's dials may come at once, the others at the rate.
  const leastMs = (CROWD / DIALS_PER_SECOND - 0.5) * 1000
  assert.ok(crowd.servedAfterMs(cameAtMs).at(-1)! >= leastMs, `the crowd was there within ${crowd.servedAfterMs(cameAtMs).at(-1)} ms`)
  while ((await certificate()) !== server) await sleep(100)
  crowd.leave()
})

/** The fingerprint of the certificate that a client sees now. */
function certificate(): Promise<string> {
  const port = Number(world.bootstrap.split(':')[1])
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', servername: GATE_NAME, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate()!.fingerprint256)
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

test('the gate is killed and started again: clients carry on', async () => {
  await world.gate.kill()
  await world.startGate()

  await allGoOn()
})

for (const [i, family] of families.entries()) {
  test(`${family}: nothing that was acknowledged is lost, nothing is there twice, and all of it was read`, async () => {
    const { acknowledged, lost, doubled, unread } = await streams[i]!.end()

    assert.ok(acknowledged > 0)
    assert.deepEqual({ lost, doubled, unread }, { lost: 0, doubled: 0, unread: 0 })
    shown('features', 'carries on when a broker is killed', family)
  })
}
