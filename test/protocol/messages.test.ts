// The tables of messages are those of the pinned Kafka's own jar.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { differences, stale, summary } from '../../scripts/import-messages.ts'
import { messageTables } from '../../scripts/message-tables.ts'
import { kafkaLibs, toolLibs } from '../../scripts/stack/jars.ts'
import { versions } from '../../scripts/stack/versions.ts'
import type { Fields } from '../../src/protocol/schema.ts'
import { allApis } from './marks.ts'

test("the tables are those of the pinned Kafka's own definitions", async () => {
  const jar = join(await kafkaLibs(), `kafka-clients-${versions.kafka.broker}.jar`)
  assert.deepEqual(differences(messageTables(jar)), [])
})

test('a table that lacks a field, a version or an API, or has a field too many, is named', async () => {
  const jar = join(await kafkaLibs(), `kafka-clients-${versions.kafka.broker}.jar`)
  const tables = messageTables(jar)
  const metadata = tables.get('03-metadata.ts')!
  tables.set('03-metadata.ts', metadata.replace('topicId: ', 'topicUuid: '))
  tables.set('95-later.ts', 'export {}')
  const heartbeat = tables.get('12-heartbeat.ts')!
  tables.set('12-heartbeat.ts', heartbeat.replace("'0-4'", "'0-5'"))
  const found = differences(tables).join('\n')
  assert.match(found, /MISSING in 03-metadata.ts: topicUuid/)
  assert.match(found, /NOT IN KAFKA, but in 03-metadata.ts: topicId/)
  assert.match(found, /MISSING 95-later.ts/)
  assert.match(found, /MISSING in 12-heartbeat.ts: .*'0-5'/)
})

test('whoever imports tables is told what was written, and that nothing was', async () => {
  const tables = messageTables(join(await kafkaLibs(), `kafka-clients-${versions.kafka.broker}.jar`))
  const told = (wrote: boolean) => summary(tables, stale(tables), differences(tables), wrote)
  const count = `${allApis.length} tables`

  assert.equal(told(true), `${count}, no difference`)
  tables.set('12-heartbeat.ts', '')
  assert.equal(told(true), `${count}, written to src/protocol/messages: 12-heartbeat.ts; read \`git diff\``)
  assert.equal(told(false), `${count}, differ: 12-heartbeat.ts`)
  const ours = new Map(tables).set('96-gone.ts', '')
  assert.equal(summary(tables, stale(tables, ours), differences(tables, ours), true), `${count}, none of them changed`)
})

test('to tables of an older Kafka, everything that came after is named: APIs, versions and fields', async () => {
  const [older, newer] = [
    messageTables(join(await toolLibs(), `kafka-clients-${versions.kafka.tools}.jar`)),
    messageTables(join(await kafkaLibs(), `kafka-clients-${versions.kafka.broker}.jar`)),
  ]
  const found = differences(newer, older)
  assert.deepEqual(
    found.filter(line => line.startsWith('MISSING ') && line.includes('the jar has this API')).map(line => line.split(' ')[1]),
    ['93-streams-group-topology-description-update.ts:', '94-unregister-controller.ts:'],
  )
  const text = found.join('\n')
  assert.match(text, /MISSING in 18-api-versions.ts: .*api\(18, 'ApiVersions', '0-5'/)
  assert.match(text, /MISSING in 88-streams-group-heartbeat.ts: topologyDescriptionRequired/)
})

/** Every field of a response that carries an address: rewritten, or the reason why it is not. */
const ADDRESSES: { readonly [path: string]: string } = {
  'Produce nodeEndpoints.host': 'rewritten',
  'Produce nodeEndpoints.port': 'rewritten',
  'Fetch nodeEndpoints.host': 'rewritten',
  'Fetch nodeEndpoints.port': 'rewritten',
  'Metadata brokers.host': 'rewritten',
  'Metadata brokers.port': 'rewritten',
  'FindCoordinator host': 'rewritten',
  'FindCoordinator port': 'rewritten',
  'FindCoordinator coordinators.host': 'rewritten',
  'FindCoordinator coordinators.port': 'rewritten',
  'DescribeCluster brokers.host': 'rewritten',
  'DescribeCluster brokers.port': 'rewritten',
  'DescribeQuorum nodes.listeners.host': 'rewritten',
  'DescribeQuorum nodes.listeners.port': 'rewritten',
  'ShareFetch nodeEndpoints.host': 'rewritten',
  'ShareFetch nodeEndpoints.port': 'rewritten',
  'ShareAcknowledge nodeEndpoints.host': 'rewritten',
  'ShareAcknowledge nodeEndpoints.port': 'rewritten',
  'DescribeGroups groups.members.clientHost': "a client's address, not a broker's",
  'ConsumerGroupDescribe groups.members.clientHost': "a client's address, not a broker's",
  'ShareGroupDescribe groups.members.clientHost': "a client's address, not a broker's",
  'StreamsGroupDescribe groups.members.clientHost': "a client's address, not a broker's",
  'StreamsGroupHeartbeat partitionsByUserEndpoint.userEndpoint.host': 'an address of the application, where no broker listens',
  'StreamsGroupHeartbeat partitionsByUserEndpoint.userEndpoint.port': 'an address of the application, where no broker listens',
  'StreamsGroupDescribe groups.members.userEndpoint.host': 'an address of the application, where no broker listens',
  'StreamsGroupDescribe groups.members.userEndpoint.port': 'an address of the application, where no broker listens',
  'DescribeAcls resources.acls.host': 'the pattern of an ACL',
  'DeleteAcls filterResults.matchingAcls.host': 'the pattern of an ACL',
}

function addressFields(fields: Fields, path = ''): string[] {
  return Object.entries(fields).flatMap(([name, f]) => {
    if (typeof f !== 'string' && typeof f.of !== 'string') return addressFields(f.of, `${path}${name}.`)
    return /host$|port$|address/i.test(name) ? [path + name] : []
  })
}

test('every field of a response that carries an address is rewritten, or excused', () => {
  const inSchema = allApis.flatMap(a => addressFields(a.response as Fields).map(path => `${a.name} ${path}`))
  assert.deepEqual(inSchema.sort(), Object.keys(ADDRESSES).sort())
})
