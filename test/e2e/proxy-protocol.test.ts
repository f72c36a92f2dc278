// Real clients behind a load balancer that speaks the PROXY protocol: its word counts for `from` and for the audit, and nobody else's does.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import net from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { type Header, type LoadBalancer, startLoadBalancer } from '../fakes/load-balancer.ts'
import { type SharedKafka, sharedKafka, uniqueName } from '../parts.ts'
import { ClientError, Driver } from './client.ts'
import { type Gate, startGate } from './gate.ts'
import { makeTopics } from './topics.ts'

/** Where clients find the balancer, and where the gate sees it come from. */
const FRONT = '127.0.0.2'
const BALANCER = '127.0.0.3'
const topic = uniqueName('behind-a-balancer')
const policy = `version: 1
networks: { offices: [10.20.0.0/16, "2001:db8::/32"] }
grants:
  - { id: from-offices, to: "service:shop", allow: produce, topics: ["${topic}"], from: [offices] }
  # Whoever may write something, from anywhere, may have an idempotent producer.
  - { id: something, to: "service:shop", allow: produce, topics: ["${topic}-for-all"] }
`

let kafka: SharedKafka
let issuer: DevIssuer
let gate: Gate
let balancer: LoadBalancer
let token: string

before(async () => {
  ;[kafka, issuer] = await Promise.all([sharedKafka(), startDevIssuer()])
  await makeTopics(kafka, { [topic]: 1 })
  const clientAddress = { proxyProtocol: [`${BALANCER}/32`] }
  gate = await startGate({
    bootstrap: kafka.bootstrap,
    policy,
    issuers: [issuer.settings('corp')],
    config: {
      listeners: [{ name: 'clients', bind: '127.0.0.1:0', advertise: { host: FRONT }, brokers: { ports: 'auto' }, clientAddress }],
    },
  })
  const [, own, brokers] = /^listener clients .*?:(\d+) .*? brokers (.*)$/m.exec(readFileSync(gate.logFile, 'utf8'))!
  const ports = [own!, ...brokers!.split(' ').map(each => each.split(':')[1]!)].map(Number)
  balancer = await startLoadBalancer(FRONT, BALANCER, '127.0.0.1', ports)
  bootstrap = `${FRONT}:${own}`
  token = await issuer.mint({ service: 'shop' })
})
after(async () => {
  balancer?.stop()
  await gate?.stop()
  await issuer?.stop()
})
let bootstrap: string

const ways: readonly [header: Header, office: string, elsewhere: string][] = [
  ['version 1', '10.20.1.2', '192.0.2.77'],
  ['version 2', '10.20.1.3', '192.0.2.78'],
  ['version 2', '2001:db8::7', '2001:db9::8'],
]
for (const family of ['kafkajs', 'librdkafka'] as const) {
  describe(family, () => {
    let driver: Driver
    before(async () => {
      driver = await Driver.start(family)
    })
    after(() => driver?.stop())

    for (const [header, office, elsewhere] of ways) {
      test(`PROXY ${header}: ${office} may what offices may, ${elsewhere} may not, and the audit names it`, async () => {
        Object.assign(balancer, { header, from: office })
        const inside = await driver.open(bootstrap, { token })
        assert.equal((await inside.produce(topic, [{ value: office }])).length, 1)
        await inside.close()

        Object.assign(balancer, { header, from: elsewhere })
        const outside = await driver.open(bootstrap, { token })
        await assert.rejects(
          outside.produce(topic, [{ value: elsewhere }]),
          (error: unknown) => error instanceof ClientError && error.name === 'TOPIC_AUTHORIZATION_FAILED',
        )
        await outside.close()

        const refused = () =>
          gate.audit().flatMap(({ resource, verdict, client }) => (resource?.name === topic && verdict === 'refused' ? client.address : []))
        while (!refused().includes(elsewhere)) await sleep(20)
        assert.ok(!refused().includes(office))
      })
    }
  })
}

test('a header from who is no balancer is garbage, and a balancer without one is turned away; both are counted', async () => {
  const port = Number(bootstrap.split(':')[1])
  const say = (from: string, bytes: string) =>
    new Promise<void>(resolve => {
      const socket = net.connect({ host: '127.0.0.1', port, localAddress: from }, () => socket.write(bytes))
      socket.on('error', () => undefined).on('close', () => resolve())
    })
  const counted = async () => [await gate.metric('topicgate_not_kafka_total'), await gate.metric('topicgate_proxy_header_refused_total')]
  assert.deepEqual(await counted(), [0, 0])

  await say('127.0.0.1', 'PROXY TCP4 10.20.1.2 127.0.0.1 50000 9092\r\n')
  await say(BALANCER, 'GET / HTTP/1.1\r\n\r\n')

  assert.deepEqual(await counted(), [1, 1])
})
