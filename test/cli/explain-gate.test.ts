// `topicgate explain --gate`: what a gate that runs keeps stands beside each step, and it is plain when its policy is another.

import assert from 'node:assert/strict'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { gateLines, keptLines } from '../../src/cli/explain-gate.ts'
import { loadPolicy } from '../../src/policy/policy-file.ts'
import type { KeptText } from '../../src/proxy/admin-kept.ts'
import { configText, files, topicgate } from './command.ts'

const POLICY = `version: 1
grants:
  - { id: makers, to: service:maker, allow: create, cluster: true }
`
const END = '2027-01-04T09:00:30.000Z'
const GIVEN = {
  grants: ['orders', 'sub-1.2'],
  roles: { cluster: ['viewer'], namespaces: { 'a+20b': ['owner'] } },
  endsAt: END,
  stale: false,
}
const MEMBERSHIPS = { groups: [], realmRoles: [], clientRoles: {}, organizations: {} }
const RESOURCE = { blocked: false, answered: ['read', 'write'], allowed: ['read'], undecided: ['alter'], endsAt: END } as const
const STATE = { worker: 1, address: null, memberships: MEMBERSHIPS, given: GIVEN, resource: null } satisfies KeptText['kept'][number]
const KEPT: KeptText = {
  engine: 'openfga',
  policy: { generation: 3, hash: '0123456789ab', fresh: true },
  store: { connected: true, lagMs: 12, failing: false },
  kept: [STATE],
}

/** An admin API that answers every question so. Returns what it was asked, and the options that name it. */
async function gate(t: TestContext, status: number, answer: object) {
  const asked: Pick<IncomingMessage, 'url' | 'headers'>[] = []
  const server = createServer((request, response) => {
    asked.push(request)
    response.writeHead(status).end(JSON.stringify(answer))
  }).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const at = files(t, { 'topicgate.yaml': configText('http://127.0.0.1:1', 'policy.yaml'), 'policy.yaml': POLICY, token: 'a.b.c' })
  const question = ['explain', '-c', at['topicgate.yaml']!, '--as', 'service:app', '--api', 'CreateTopics', '--topic', 'a&b']
  const ask = (...more: string[]) => topicgate(...question, '--gate', `http://127.0.0.1:${port}`, '--gate-token', at['token']!, ...more)
  return { asked, ask, question, policyFile: at['policy.yaml']! }
}

test('each step has what the gate answers of its resource, and the policy of both is held together', async t => {
  const world = await gate(t, 200, KEPT)
  const json = JSON.parse((await world.ask('--json')).stdout)
  const { hash } = loadPolicy(world.policyFile, { issuers: null, generation: 1 })
  const same = await gate(t, 200, { ...KEPT, policy: { ...KEPT.policy, hash: hash.slice(0, 12) } })
  const without = JSON.parse((await topicgate(...world.question, '--json')).stdout)

  assert.deepEqual(
    world.asked.map(({ url, headers }) => [url, headers.authorization]).sort(),
    ['kind=cluster&name=kafka-cluster', 'kind=topic&name=a%26b'].map(what => [
      `/v1/kept?principal=service%3Acorp%2Fapp&${what}`,
      'Bearer a.b.c',
    ]),
  )
  assert.deepEqual(
    json.steps.map(({ kept }: { kept: object }) => kept),
    Array(2).fill({ ...KEPT, samePolicy: false }),
  )
  assert.deepEqual(JSON.parse((await same.ask('--json')).stdout).steps[0].kept.samePolicy, true)
  assert.deepEqual([without.steps.length, without.steps[0].kept], [2, null])
  assert.match(
    (await world.ask()).stdout,
    /^gate: it judges by other policy files.*\n(create|topic).*(\n {2}.*)*\n {2}gate: worker 1: grant orders,/m,
  )
})

test('a gate that refuses, or is asked without a token, ends the command with what it said', async t => {
  const { ask, question } = await gate(t, 403, { title: 'Forbidden', detail: 'user:corp/x may not describe the cluster' })
  const refused = await ask()
  const tokenless = await topicgate(...question, '--gate', 'http://127.0.0.1:1')
  const far = await topicgate(...question, '--gate', 'http://gate.example.com', '--gate-token', 'token')

  assert.deepEqual([refused.status, refused.stderr], [1, 'user:corp/x may not describe the cluster\n'])
  assert.deepEqual([tokenless.status, tokenless.stderr], [2, '--gate and --gate-token stand together\n'])
  assert.equal(far.status, 2)
  assert.match(far.stderr, /tokens go over https only/)
})

const lines = (more: Partial<KeptText>, operation = 'read') => keptLines({ ...KEPT, samePolicy: true, ...more }, operation, 'topic:orders')

test('people read which worker keeps what, until when', () => {
  assert.deepEqual(lines({}), [
    `gate: worker 1: grant orders, grant sub-1.2, viewer of the cluster, owner of a+20b, until ${END}; topic:orders: nothing is kept of it by itself`,
  ])
  const of = (state: Partial<KeptText['kept'][number]>, operation = 'read') => lines({ kept: [{ ...STATE, ...state }] }, operation)[0]
  assert.match(of({ address: '10.0.0.1' })!, /^gate: worker 1 from 10\.0\.0\.1: /)
  assert.match(of({ given: null })!, /: what was given is not known, and would be asked; /)
  assert.match(of({ given: { ...GIVEN, grants: [], roles: { cluster: [], namespaces: {} } } })!, /: nothing is given, until /)
  assert.match(of({ given: { ...GIVEN, stale: true } })!, /, over since 2027\S+, counts by cache\.maxStale; /)
  const own = (resource: object, operation: string) =>
    of({ resource: { ...RESOURCE, ...resource } as never }, operation)!.split('topic:orders: ')[1]
  assert.deepEqual(
    ['read', 'write', 'alter', 'delete'].map(operation => own({}, operation)),
    [`read allowed, until ${END}`, `write refused, until ${END}`, `alter undecided, until ${END}`, `delete not asked, until ${END}`],
  )
  assert.equal(own({ blocked: true }, 'read'), `blocked, until ${END}`)
})

test('a gate that keeps nothing, or needs not, says so', () => {
  assert.deepEqual(lines({ kept: [] }), ['gate: nothing is kept of this principal: it would be asked now'])
  assert.deepEqual(lines({ engine: 'embedded', store: null, kept: [] }), ['gate: engine embedded: it judges by the policy alone'])
})

test('what is odd about the gate itself stands before all steps', () => {
  const odd = (more: Partial<Parameters<typeof gateLines>[0]>) => gateLines({ ...KEPT, samePolicy: true, ...more })
  const silent = 'gate: OpenFGA does not answer it'

  assert.deepEqual(odd({}), [])
  assert.deepEqual(odd({ store: null }), [])
  assert.deepEqual(odd({ samePolicy: false }), [
    'gate: it judges by other policy files than were read here: generation 3, hash 0123456789ab',
  ])
  assert.deepEqual(odd({ policy: { ...KEPT.policy, fresh: false } }), [
    'gate: what its policy files hold now was refused: generation 3 stays in force',
  ])
  assert.deepEqual(odd({ store: { connected: false, failing: false } }), [silent])
  assert.deepEqual(odd({ store: { connected: true, lagMs: 1, failing: true } }), [silent])
})
