// The same bytes as the same users to a broker that judges itself and to the gate before an open one: the answers must be equal.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { compileDecode } from '../../src/protocol/codec.ts'
import { responseHeaderBytes } from '../../src/protocol/header.ts'
import { apis } from '../../src/protocol/messages/index.ts'
import { layout, within } from '../../src/protocol/schema.ts'
import { ADMIN_SHAPES } from './admin-requests.ts'
import { CLUSTER_SHAPES } from './cluster-requests.ts'
import { mask } from './mask.ts'
import { apiNamed, type RawClient, requestFrame } from './raw-client.ts'
import { CLIENT_SHAPES } from './requests.ts'
import { type Shape, TOPICS } from './shapes.ts'
import { GROUP_PROTOCOL_SHAPES, NO_SUCH_TOPIC, STATE_APIS } from './share-requests.ts'
import { STREAMS_SHAPES } from './streams-requests.ts'
import { TRANSACTION_SHAPES } from './transaction-requests.ts'
import { type OneSide, startWorld, USERS, type World } from './world.ts'

const SHAPES = [...CLIENT_SHAPES, ...TRANSACTION_SHAPES, ...ADMIN_SHAPES, ...CLUSTER_SHAPES, ...GROUP_PROTOCOL_SHAPES, ...STREAMS_SHAPES]
/** Each side has its own way to log in. */
const LOGIN: ReadonlySet<string> = new Set(['ApiVersions', 'SaslHandshake', 'SaslAuthenticate'])
const EVERYTHING = process.env['EQUIVALENCE'] === 'all'
/** For a person who looks into one API: its name. */
const ONLY = process.env['EQUIVALENCE_API']

let world: World
let comparisons = 0
let explanations = 0
before(async () => {
  world = await startWorld()
})
after(async () => {
  await world?.stop()
})

interface Explained {
  readonly api: string
  readonly shape: string
  readonly users: readonly string[]
  /** Default: all. */
  readonly versions?: readonly number[]
  readonly why: string
}
const NO_SUCH_ID = 'UNKNOWN_TOPIC_ID, where a broker with an authorizer fails with UNKNOWN_SERVER_ERROR'
/** What is different on purpose, with the reason. */
const EXPLAINED: readonly Explained[] = [
  ...['ShareFetch', 'ShareAcknowledge'].map(api => ({
    api,
    shape: NO_SUCH_TOPIC,
    users: ['alice', 'frank'],
    why: NO_SUCH_ID,
  })),
  { api: 'ShareFetch', shape: `${NO_SUCH_TOPIC} at first`, users: ['alice', 'dave', 'frank'], why: NO_SUCH_ID },
  ...STATE_APIS.map(api => ({ api, shape: 'two topics', users: ['dave'], why: 'brokers do not come through the gate' })),
  { api: 'AddPartitionsToTxn', shape: 'as brokers ask', users: ['dave'], why: 'brokers do not come through the gate' },
  { api: 'CreateAcls', shape: 'two', users: ['dave', 'erin'], why: 'rights stand in the policy, not in ACLs' },
  { api: 'DeleteAcls', shape: 'two', users: ['dave', 'erin'], why: 'rights stand in the policy, not in ACLs' },
  {
    api: 'AlterUserScramCredentials',
    shape: 'one of each',
    users: ['dave', 'erin'],
    why: 'a broker’s credentials are not the gate’s to change',
  },
  { api: 'DescribeQuorum', shape: 'metadata', versions: [2], users: ['dave', 'erin'], why: 'addresses of controllers are not shown' },
]
const explanationOf = (shape: Shape, version: number, user: string): Explained | undefined =>
  EXPLAINED.find(e => e.api === shape.api && e.shape === shape.shape && e.users.includes(user) && (e.versions?.includes(version) ?? true))

/** Lowest, middle and highest of a shape's versions; all with EQUIVALENCE=all. */
function versionsOf(shape: Shape): number[] {
  const { min, max } = apiNamed(shape.api).versions
  const [from, to] = [Math.max(min, shape.versions?.[0] ?? min), Math.min(max, shape.versions?.[1] ?? max)]
  if (EVERYTHING) return Array.from({ length: to - from + 1 }, (_, i) => from + i)
  return [...new Set([from, (from + to) >> 1, to])]
}

async function answerOf(side: OneSide, shape: Shape, version: number, user: string): Promise<unknown> {
  const api = apiNamed(shape.api)
  const client = await side.open(user)
  try {
    await askBefore(side, shape, version, user, client)
    client.send(requestFrame(api, version, shape.body(side, { version, user })))
    if (shape.silent) {
      const reply = await client.ask('Metadata', 12, { topics: [] }).catch(() => ({ closed: true }))
      return 'closed' in reply ? 'closed' : 'open'
    }
    const frame = await client.read()
    if (frame === null) return 'closed'
    const flexible = within(api.flexible, version)
    return mask(compileDecode(layout(api.response, version, flexible))(frame, responseHeaderBytes(api.key, flexible)), side)
  } finally {
    client.close()
  }
}

async function askBefore(side: OneSide, shape: Shape, version: number, user: string, client: RawClient): Promise<void> {
  for (const step of shape.before?.(side, { version, user }) ?? []) {
    const asker = step.user === undefined ? client : await side.open(step.user)
    await asker.ask(step.api, step.version, step.body)
    if (asker !== client) asker.close()
  }
}

for (const shape of SHAPES.filter(({ api, wide }) => (ONLY === undefined || ONLY.split(',').includes(api)) && (EVERYTHING || !wide))) {
  for (const version of versionsOf(shape)) {
    for (const user of shape.users ?? USERS) {
      test(`${shape.api} v${version}, ${shape.shape}, as ${user}: the gate answers as a broker with StandardAuthorizer does`, async () => {
        const expected = await answerOf(world.reference, shape, version, user)
        const actual = await answerOf(world.candidate, shape, version, user)
        comparisons++

        const explained = explanationOf(shape, version, user)
        if (!explained) return assert.deepEqual(actual, expected)
        assert.notDeepEqual(actual, expected, `no longer different: ${explained.why}`)
        explanations++
      })
    }
  }
}

async function apiVersionsOf(side: OneSide): Promise<any> {
  const client = await side.open('alice')
  const reply: any = await client.ask('ApiVersions', 4, { clientSoftwareName: 'oracle', clientSoftwareVersion: '1' })
  client.close()
  return reply.response
}

test('every API that brokers offer is asked in its lowest and highest version, and in one between', async () => {
  const { apiKeys } = await apiVersionsOf(world.reference)
  const offered = new Map<number, number>(apiKeys.map((k: any) => [k.apiKey, k.maxVersion]))
  const missing: string[] = []
  for (const { key, name, versions } of apis.filter(api => offered.has(api.key) && !LOGIN.has(api.name))) {
    const highest = Math.min(versions.max, offered.get(key)!)
    const asked = SHAPES.filter(shape => shape.api === name && !shape.wide).flatMap(versionsOf)
    if (!asked.includes(versions.min)) missing.push(`${name} v${versions.min}`)
    if (!asked.includes(highest) || asked.some(version => version > highest)) missing.push(`${name} v${highest}`)
    if (highest - versions.min > 1 && !asked.some(version => version > versions.min && version < highest)) missing.push(`${name}, between`)
  }
  assert.deepEqual(missing, [])
})

test('the gate offers the same versions of the same APIs, and the same features', async () => {
  const offerOf = async (side: OneSide) => {
    const { apiKeys, finalizedFeatures } = await apiVersionsOf(side)
    return [apiKeys.map((k: any) => `${k.apiKey} ${k.minVersion}-${k.maxVersion}`).sort(), finalizedFeatures]
  }

  assert.deepEqual(await offerOf(world.candidate), await offerOf(world.reference))
})

/** All that the super user can see of a cluster. */
async function stateOf(side: OneSide): Promise<unknown> {
  const client = await side.open('dave')
  const ask = async (api: string, version: number, body: object): Promise<any> => ((await client.ask(api, version, body)) as any).response
  const { topics } = await ask('Metadata', 12, { topics: null, allowAutoTopicCreation: false })
  const names: string[] = topics.map((topic: any) => topic.name).filter((name: string) => !name.startsWith('__'))
  const ends = (timestamp: bigint) =>
    ask('ListOffsets', 7, {
      replicaId: -1,
      topics: names.map(name => ({ name, partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp }] })),
    })
  const { groups } = await ask('ListGroups', 5, { statesFilter: [], typesFilter: [] })
  const groupIds: string[] = groups.map((group: any) => group.groupId)
  const state = {
    names: names.sort(),
    partitions: topics.map((topic: any) => `${topic.name} ${topic.partitions.length}`).sort(),
    first: await ends(-2n),
    last: await ends(-1n),
    groupIds: groupIds.sort(),
    offsets: await ask('OffsetFetch', 8, { groups: groupIds.map(groupId => ({ groupId, topics: null })), requireStable: false }),
    settings: await ask('DescribeConfigs', 4, {
      resources: TOPICS.map(resourceName => ({ resourceType: 2, resourceName, configurationKeys: ['retention.ms'] })),
    }),
    transactions: await ask('ListTransactions', 1, { stateFilters: [], producerIdFilters: [], durationFilter: -1n }),
    quotas: await ask('DescribeClientQuotas', 1, { components: [], strict: false }),
  }
  client.close()
  return mask(state, side)
}

test('both clusters hold the same afterwards: what was refused left no trace, what was allowed did', async t => {
  assert.deepEqual(await stateOf(world.candidate), await stateOf(world.reference))
  t.diagnostic(`comparisons ${comparisons}`)
  t.diagnostic(`explained ${explanations}`)
})
