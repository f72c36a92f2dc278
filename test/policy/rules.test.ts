// Guards of the rule table: no name goes unjudged, no address unrewritten, no page stale.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { apisPage } from '../../scripts/print-docs.ts'
import { Edition } from '../../src/policy/edition.ts'
import { endpointsOf } from '../../src/policy/endpoints.ts'
import { offered, planFor, RowPlan, ruleOf } from '../../src/policy/plan.ts'
import { rules } from '../../src/policy/rules.ts'
import { compileDecode } from '../../src/protocol/codec.ts'
import { ListOffsets } from '../../src/protocol/messages/02-list-offsets.ts'
import { apis } from '../../src/protocol/messages/index.ts'
import { type Api, type Layout, layoutOf, type Slot, slotAt, within } from '../../src/protocol/schema.ts'
import { compileWalk } from '../../src/protocol/walk.ts'
import { Given } from './given.ts'

const NAMES = ['topicName', 'groupId', 'transactionalId']
/** Names that Kafka's tables do not mark, and ids that stand for names. */
const UNMARKED = ['FindCoordinator.key', 'FindCoordinator.coordinatorKeys']
const BY_CLUSTER = 'a right on the cluster is asked for, which covers all topics, as in Kafka'
/** Fields that name something and need no right, with the reason. */
const EXCUSED: { readonly [field: string]: string } = {
  'WriteTxnMarkers.markers.topics.name': BY_CLUSTER,
  'AlterReplicaLogDirs.dirs.topics.name': BY_CLUSTER,
  'DescribeLogDirs.topics.topic': BY_CLUSTER,
  'ElectLeaders.topicPartitions.topic': BY_CLUSTER,
  'AlterPartitionReassignments.topics.name': BY_CLUSTER,
  'ListPartitionReassignments.topics.name': BY_CLUSTER,
  'DescribeQuorum.topics.topicName': BY_CLUSTER,
  'ConsumerGroupHeartbeat.topicPartitions.topicId': 'what the member has been assigned: the broker does not ask for it either',
  ...Object.fromEntries(
    ['subtopologies.nodes', 'globalStores.source', 'globalStores.processor'].flatMap(node =>
      ['sourceTopics', 'sinkTopic'].map(field => [
        `StreamsGroupTopologyDescriptionUpdate.topologyDescription.${node}.${field}`,
        'a description for people: KIP-1331 asks for READ on the group alone',
      ]),
    ),
  ),
}

/** Paths of all fields of a layout that name a resource. */
function named(api: string, layout: Layout, path = ''): string[] {
  return layout.slots.flatMap(slot => {
    const here = path + slot.name
    const of = slot.of
    if (of !== null && 'slots' in of) return named(api, of, `${here}.`)
    const entity = slot.entity ?? (of as Slot | null)?.entity ?? ''
    return NAMES.includes(entity) || slot.name === 'topicId' || UNMARKED.includes(`${api}.${here}`) ? [here] : []
  })
}

/** Fields of a request that name something which nobody judges. */
function unjudged(api: Api, version: number): string[] {
  const plan = planFor(api.key, version)!
  const judged = plan instanceof RowPlan ? plan.judges.map(path => path.replace('[]', '')) : ruleOf(api.key)!.judges
  return named(api.name, layoutOf(api, version, 'request'))
    .filter(path => !judged.includes(path) && !(`${api.name}.${path}` in EXCUSED))
    .map(path => `${api.name}.${path} v${version}`)
}

test('every name in a request of every version that is offered is judged', () => {
  let seen = 0
  for (const [key, [min, max]] of offered) {
    const { api } = ruleOf(key)!
    for (let version = min; version <= max; version++) {
      assert.deepEqual(unjudged(api, version), [])
      seen += named(api.name, layoutOf(api, version, 'request')).length
    }
  }
  assert.ok(seen > 100, `${seen} fields`)
})

test('what a newer Kafka adds is named: a field that names a topic, a group or a transactional id', () => {
  const request = { ...ListOffsets.request, laterGroup: 'string 11+ @groupId' }
  const later = { ...ListOffsets, request } as Api
  assert.deepEqual(unjudged(ListOffsets, 11), [])
  assert.deepEqual(unjudged(later, 11), ['ListOffsets.laterGroup v11'])
})

test('every API that Kafka has is in the table, but those of the login', () => {
  assert.deepEqual(
    apis.filter(({ key }) => ruleOf(key) === null).map(({ name }) => name),
    ['SaslHandshake', 'SaslAuthenticate'],
  )
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  assert.ok(readme.includes(`All ${apis.length} APIs of Kafka`), 'README.md says how many there are')
})

/** Their own tests say which of the names are asked for: a transactional id only for a transaction, nothing for what is forgotten, nor for ACLs. */
const OWN_TESTS = ['Produce', 'Fetch', 'Metadata', 'StreamsGroupTopologyDescriptionUpdate', 'DescribeAcls', 'CreateAcls', 'DeleteAcls']

test('the names in requests that Kafka’s own classes wrote are asked for, each of them', () => {
  let asked = 0
  for (const line of readFileSync(new URL('../golden/messages.jsonl', import.meta.url), 'utf8')
    .trim()
    .split('\n')) {
    const { message, version, hex } = JSON.parse(line)
    const api = apis.find(a => `${a.name}Request` === message)
    const plan = api && planFor(api.key, version)
    if (!api || !plan || OWN_TESTS.includes(api.name)) continue
    const layout = layoutOf(api, version, 'request')
    const body = Buffer.from(hex, 'hex')
    if (api.name === 'FindCoordinator' && compileDecode(layout)(body, 0).keyType > 1) continue
    const caller = new Given()
    const paths = named(api.name, layout)
      .filter(path => !path.endsWith('topicId'))
      .map(path => (slotAt(layout, path)!.type === 'list' ? `${path}[]` : path))
    const names: string[] = []
    compileWalk(layout, new Map(paths.map((path, mark) => [path, mark])))(body, 0, (_mark, b, start, end) => {
      if (start >= 0) names.push(b.toString('utf8', start, end))
    })
    plan.judge(frameOf(api.key, version, body, within(api.flexible, version)), caller, true)
    for (const name of names)
      assert.ok(
        caller.asked.some(right => right.endsWith(`:${name}`)),
        `${message} v${version}: ${name}`,
      )
    asked += names.length
  }
  assert.ok(asked > 40, `${asked} names`)
})

function frameOf(key: number, version: number, body: Buffer, flexible: boolean): Buffer {
  const head = Buffer.alloc(flexible ? 15 : 14)
  head.writeInt16BE(key, 4)
  head.writeInt16BE(version, 6)
  head.writeInt16BE(-1, 12)
  const frame = Buffer.concat([head, body])
  frame.writeInt32BE(frame.length - 4, 0)
  return frame
}

test('what a row says it judges stands in some version of the request', () => {
  for (const { api, judges, special } of rules) {
    if (special === null) continue
    const there = new Set<string>()
    for (let v = api.versions.min; v <= api.versions.max; v++)
      for (const path of named(api.name, layoutOf(api, v, 'request'))) there.add(path)
    for (const path of judges) assert.ok(there.has(path), `${api.name}.${path}`)
  }
})

test('every version that is offered has a plan, of its own key and version', () => {
  for (const [key, [min, max]] of offered) {
    for (let version = min; version <= max; version++) {
      const plan = planFor(key, version)!
      assert.deepEqual([plan.apiKey, plan.apiVersion], [key, version])
      assert.equal(planFor(key, version), plan, 'made once')
    }
    assert.equal(planFor(key, min - 1), null)
    assert.equal(planFor(key, max + 1), null)
  }
})

test('an API has one row at most, and what has none is closed in all its versions', () => {
  assert.equal(new Set(rules.map(rule => rule.api.key)).size, rules.length)
  for (const { key, versions } of apis) {
    if (offered.has(key)) continue
    for (let version = versions.min; version <= versions.max; version++) assert.equal(planFor(key, version), null)
  }
})

/** Written by hand from the protocol guide: which responses carry addresses in line, from which version to which. */
const ADDRESSES = ['Metadata 0-13', 'FindCoordinator 0-6', 'DescribeCluster 0-2', 'ShareFetch 1-2', 'ShareAcknowledge 1-2']
/** In a tagged field: rewritten by their own plans. */
const TAGGED = ['Produce', 'Fetch']

test('addresses are found in every response that carries them, and no other', () => {
  const found: string[] = []
  for (const api of apis) {
    const versions: number[] = []
    for (let v = api.versions.min; v <= api.versions.max; v++) if (endpointsOf(new Edition(api, v)) !== null) versions.push(v)
    if (versions.length > 0) found.push(`${api.name} ${versions[0]}-${versions.at(-1)}`)
  }
  assert.deepEqual(found.sort(), [...ADDRESSES].sort())
})

test('no other field of a response is a host or a port, but those that are excused', () => {
  const excused = /^(DescribeQuorum\.nodes\.listeners|StreamsGroup|DescribeAcls|DeleteAcls|.*clientHost)/
  for (const api of apis) {
    for (let v = api.versions.min; v <= api.versions.max; v++) {
      for (const path of fields(layoutOf(api, v, 'response'))) {
        if (!/(^|\.)(host|port|.*Host|.*Port)$/.test(path)) continue
        const isAddress = [...ADDRESSES.map(line => line.split(' ')[0]), ...TAGGED].includes(api.name)
        assert.ok(isAddress || excused.test(`${api.name}.${path}`), `${api.name}.${path} v${v}`)
      }
    }
  }
})

const fields = (layout: Layout, path = ''): string[] =>
  layout.slots.flatMap(({ name, of }) => (of !== null && 'slots' in of ? fields(of, `${path}${name}.`) : [path + name]))

test('docs/apis.md is what the table says', () => {
  assert.equal(readFileSync(new URL('../../docs/apis.md', import.meta.url), 'utf8'), apisPage(), 'run npm run docs')
})
