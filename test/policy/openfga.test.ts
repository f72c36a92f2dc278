// The OpenFGA engine on a real store: equal to the embedded engine and to the store's own answers, and what it does when the store is gone.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mock, test } from 'node:test'
import fc from 'fast-check'
import type { OpenFga as OpenFgaServer } from '../../scripts/stack/openfga.ts'
import { modelJson, startOpenFga } from '../../scripts/stack/openfga.ts'
import { applyGrants } from '../../src/policy/apply.ts'
import { Operation, Resource, Verdict } from '../../src/policy/authorizer.ts'
import type { Tuple } from '../../src/policy/grant-tuples.ts'
import { conditionText, tuplesOf } from '../../src/policy/grant-tuples.ts'
import { whoOf } from '../../src/policy/memberships.ts'
import { Names } from '../../src/policy/names.ts'
import { OpenFga } from '../../src/policy/openfga.ts'
import { OpenFgaStore } from '../../src/policy/openfga-client.ts'
import { OpenFgaEngine } from '../../src/policy/openfga-engine.ts'
import { shippedModel } from '../../src/policy/openfga-model.ts'
import type { GivenAnswer } from '../../src/policy/openfga-questions.ts'
import type { Grant, PolicyDocument } from '../../src/policy/policy-document.ts'
import { StoreGraph } from '../../src/policy/store-graph.ts'
import { startFaultyOpenFga } from '../fakes/faulty-openfga.ts'
import { principalOf } from '../fakes/principal.ts'
import { until } from '../fakes/until.ts'
import { sharedOpenFga } from '../parts.ts'
import { moments, policy, principal, question } from './arbitrary.ts'
import { compareMeanings, verdictOf } from './meaning.ts'

const ORIGIN = { listener: '', address: '10.20.1.1' }
const CLUSTER = 'main'
const PROMISED_MS = 2_000
const RUNS = Number(process.env['FC_OPENFGA_RUNS'] ?? 60)

const server = await sharedOpenFga()
const clock = {
  get nowMs() {
    return Date.now()
  },
}

const somebody = (name: string, more: object = {}) => principalOf(`service:corp/${name}`, more)
const document = (grants: readonly Partial<Grant>[]): PolicyDocument => ({
  generation: 1,
  hash: '',
  files: [],
  rules: [],
  shadows: [],
  tests: [],
  readsAddress: false,
  grants: grants.map((grant, i) => ({
    id: `g${i}`,
    to: [{ kind: 'service', issuer: 'corp', name: 'app' }],
    covers: [],
    sinceMs: null,
    untilMs: null,
    networks: null,
    hours: null,
    why: null,
    owner: null,
    place: { file: 'policy.yaml', line: 1 },
    ...grant,
  })),
})
const topics = (text: string, operations = 1 << Operation.Read, prefix = true) => ({ resource: Resource.Topic, prefix, text, operations })

async function storeOf(on: OpenFgaServer = server, authorizationModel = shippedModel()) {
  const { store, model } = await on.createStore('openfga-test', authorizationModel)
  const address = { url: on.url, token: null }
  return { store, model, address, client: new OpenFgaStore(address, store, model, 5_000) }
}

/** A model made of the text of the one that is shipped. */
async function modelLike(change: (text: string) => string): Promise<object> {
  const file = join(mkdtempSync(join(tmpdir(), 'topicgate-')), 'model.fga')
  writeFileSync(file, change(readFileSync(join(import.meta.dirname, '..', '..', 'config', 'model.fga'), 'utf8')))
  return modelJson(file)
}

type Made = Awaited<ReturnType<typeof storeOf>>

async function engineOn({ store, model, address }: Made, policyDocument: PolicyDocument, more: object = {}) {
  let worker: OpenFga | null = null
  const engine = new OpenFgaEngine(
    {
      cluster: CLUSTER,
      ...address,
      store,
      model,
      objects: 'auto',
      apply: 'manual',
      grantsMs: 30_000,
      objectsMs: 10_000,
      entries: 1000,
      ...more,
    },
    policyDocument,
    async message => worker?.receive(message),
  )
  await engine.open()
  const names = new Names()
  const options = { names, clock, cluster: CLUSTER, maxStaleMs: 0 }
  worker = new OpenFga(policyDocument, engine.initial(), asked => engine.ask(asked), options)
  return { engine, worker, names }
}

async function verdict(rights: ReturnType<OpenFga['rights']>, operation: Operation, name: ReturnType<Names['text']>) {
  for (let round = 0; round < 3; round++) {
    const found = rights.check(operation, name)
    if (found !== Verdict.Unknown) return found
    await rights.settle()
  }
  return rights.check(operation, name)
}

/** Resolves with how many ms it took. */
async function becomes(what: () => Promise<boolean> | boolean, withinMs: number): Promise<number> {
  const startMs = performance.now()
  await until(what, withinMs)
  return Math.round(performance.now() - startMs)
}

test('applied grants give the same verdicts embedded, through the gate, and as plain checks in the store, at every moment and from everywhere', {
  timeout: 300_000,
}, async () => {
  const made = await storeOf()
  let allowed = 0
  await fc.assert(
    fc.asyncProperty(
      policy,
      fc.array(principal, { minLength: 1, maxLength: 3 }),
      fc.array(question, { minLength: 1, maxLength: 4 }),
      moments,
      async (random, people, questions, times) => {
        allowed += (await compareMeanings(made, random, people, questions, times.slice(0, 2))).allowed
      },
    ),
    { numRuns: RUNS, endOnFailure: true },
  )
  assert.ok(allowed > RUNS, `only ${allowed} were allowed`)
})

test('applying twice writes nothing; what a file no longer has goes, but subscriptions and what others wrote stay', async () => {
  const { client } = await storeOf()
  const two = document([
    { covers: [topics('a.', 1 << Operation.Write)] },
    { covers: [topics('b', 1 << Operation.Read, false)], untilMs: Date.now() + 60_000 },
  ]).grants
  const others = [
    { user: 'user:corp/bob', relation: 'reader', object: 'topic:main/news' },
    { user: 'user:corp/bob', relation: 'grantee', object: 'grant:main/sub-1' },
    { user: 'grant:main/sub-1#holder', relation: 'read', object: 'topic:main/news' },
    { user: 'user:corp/bob', relation: 'grantee', object: 'grant:other/g0' },
  ]
  await client.write([], others)
  assert.deepEqual(await applyGrants(client, two, CLUSTER), { grants: 2, written: 7, deleted: 0 })
  assert.deepEqual(await applyGrants(client, two, CLUSTER), { grants: 2, written: 0, deleted: 0 })
  const later = [{ ...two[1]!, untilMs: two[1]!.untilMs! + 1 }]
  assert.deepEqual(await applyGrants(client, later, CLUSTER), { grants: 1, written: 1, deleted: 5 })
  const left: Tuple[] = []
  for await (const tuple of client.tuples()) left.push(tuple)
  const text = (t: Tuple) => [t.user, t.relation, t.object, conditionText(t.condition)].join(' ')
  assert.deepEqual(left.map(text).sort(), [...others, ...tuplesOf(later, CLUSTER)].map(text).sort())
})

test('a grant taken from the store, its coverage narrowed, or a person blocked is felt within two seconds', async t => {
  const made = await storeOf()
  const judged = document([{ covers: [topics('a.')] }])
  await applyGrants(made.client, judged.grants, CLUSTER)
  const { engine, worker, names } = await engineOn(made, judged)
  const rights = worker.rights(somebody('app'), ORIGIN)
  const name = names.text(Resource.Topic, 'a.b')
  const is = (wanted: Verdict) => async () => (await verdict(rights, Operation.Read, name)) === wanted
  assert.equal(await verdictOf(rights, Operation.Read, name), Verdict.Allowed)
  const taken: number[] = []
  for (const tuple of [
    { user: 'service:corp/app', relation: 'grantee', object: 'grant:main/g0' },
    { user: 'grant:main/g0#holder', relation: 'read', object: 'topic_prefix:main/a.' },
  ]) {
    const holder = { ...tuple, relation: 'holder' }
    const all = tuple.relation === 'grantee' ? [tuple, holder] : [tuple]
    await made.client.write(all, [])
    taken.push(await becomes(is(Verdict.Refused), PROMISED_MS))
    await made.client.write([], all)
    taken.push(await becomes(is(Verdict.Allowed), PROMISED_MS))
  }
  for (const object of ['cluster:main', 'topic:main/a.b']) {
    const blocked = { user: 'service:corp/app', relation: 'blocked', object }
    await made.client.write([], [blocked])
    taken.push(await becomes(is(Verdict.Refused), PROMISED_MS))
    await made.client.write([blocked], [])
    taken.push(await becomes(is(Verdict.Allowed), PROMISED_MS))
  }
  engine.stop()
  t.diagnostic(`felt after ${taken.join(', ')} ms`)
})

test('of two gates on one store, each feels within two seconds that a grant was narrowed through the other, and that it was taken away', async t => {
  const made = await storeOf()
  const wide = document([{ covers: [topics('a.', (1 << Operation.Read) | (1 << Operation.Write))] }])
  const narrow = document([{ covers: [topics('a.b.', (1 << Operation.Read) | (1 << Operation.Write))] }])
  const first = await engineOn(made, wide, { apply: 'auto' })
  const gates = [first, await engineOn(made, wide)]
  const mayWrite = async (name: string): Promise<Verdict[]> => {
    const judge = ({ worker, names }: typeof first) =>
      verdictOf(worker.rights(somebody('app'), ORIGIN), Operation.Write, names.text(Resource.Topic, name))
    return Promise.all(gates.map(judge))
  }
  const allAre = (wanted: Verdict, name: string) => async () => (await mayWrite(name)).every(one => one === wanted)
  const felt: number[] = []
  assert.ok(await allAre(Verdict.Allowed, 'a.c')())
  for (const next of [narrow, wide, document([]), wide]) {
    await first.engine.replace(next)
    felt.push(await becomes(allAre(next === wide ? Verdict.Allowed : Verdict.Refused, 'a.c'), PROMISED_MS))
    assert.ok(await allAre(next.grants.length === 0 ? Verdict.Refused : Verdict.Allowed, 'a.b.c')())
  }
  for (const { engine } of gates) engine.stop()
  t.diagnostic(`felt at both after ${felt.join(', ')} ms`)
})

test('while the store does not say what changed, what it answers counts for no longer than five seconds', async () => {
  const faulty = await startFaultyOpenFga(server.url)
  const made = await storeOf()
  const { engine } = await engineOn({ ...made, address: { url: faulty.url, token: null } }, document([]))
  const life = async (name: string): Promise<number> => {
    const ask = () => engine.ask({ kind: 'given', who: whoOf(somebody(name)), address: '' }) as Promise<GivenAnswer>
    // With each new fault the connections that stood are closed under the client.
    const given = await ask().catch(ask)
    return given.endsAtMs - Date.now()
  }
  mock.timers.enable({ apis: ['Date'], now: Date.now() })
  try {
    assert.ok((await life('before')) >= 15_000)
    faulty.set('unavailable', 'changes')
    mock.timers.tick(6_000)
    assert.ok((await life('meanwhile')) <= 5_000)
    assert.equal(engine.status()['connected'], false)
    faulty.set('none')
    await until(() => engine.status()['connected'] === true)
    assert.ok((await life('after')) >= 15_000)
  } finally {
    mock.timers.reset()
    engine.stop()
    faulty.stop()
  }
})

test('a gate whose clock is a day ahead of the store’s misses nothing, also when the store did not say for a moment what changed', async t => {
  const faulty = await startFaultyOpenFga(server.url)
  const made = await storeOf()
  const judged = document([{ covers: [topics('a.')] }])
  await applyGrants(made.client, judged.grants, CLUSTER)
  const now = Date.now
  const ahead = mock.method(Date, 'now', () => now() + 86_400_000)
  const { engine, worker, names } = await engineOn({ ...made, address: { url: faulty.url, token: null } }, judged)
  t.after(() => [engine.stop(), faulty.stop(), ahead.mock.restore()])
  const rights = worker.rights(somebody('app'), ORIGIN)
  const reads = () => verdict(rights, Operation.Read, names.text(Resource.Topic, 'a.b'))
  assert.equal(await verdictOf(rights, Operation.Read, names.text(Resource.Topic, 'a.b')), Verdict.Allowed)
  faulty.set('unavailable', 'changes')
  const before = faulty.asked.get('changes')!
  await becomes(() => faulty.asked.get('changes')! > before, 5_000)
  faulty.set('none')

  await made.client.write([{ user: 'grant:main/g0#holder', relation: 'read', object: 'topic_prefix:main/a.' }], [])

  await becomes(async () => (await reads()) === Verdict.Refused, 5_000)
})

test('what relationships give is heeded: an owner of a namespace, a reader of a topic, a superuser of the cluster', async () => {
  const made = await storeOf()
  await made.client.write(
    [],
    [
      { user: 'group:corp/+2Fpayments#member', relation: 'member', object: 'team:payments' },
      { user: 'team:payments#member', relation: 'owner', object: 'namespace:main/payments' },
      { user: 'service:corp/app', relation: 'reader', object: 'topic:main/news' },
      { user: 'service:corp/root', relation: 'admin', object: 'cluster:main' },
    ],
  )
  const { engine, worker, names } = await engineOn(made, document([]))
  const may = async (who: ReturnType<typeof somebody>, operation: Operation, resource: Resource, name: string) =>
    (await verdictOf(worker.rights(who, ORIGIN), operation, names.text(resource, name))) === Verdict.Allowed
  const member = somebody('pay', { groups: ['/payments'] })
  assert.ok(await may(member, Operation.Write, Resource.Topic, 'payments.eu'))
  assert.ok(await may(member, Operation.Create, Resource.Topic, 'payments.new'))
  assert.ok(await may(member, Operation.Read, Resource.Group, 'payments.app'))
  assert.ok(!(await may(member, Operation.Write, Resource.Topic, 'paymentsx')))
  assert.ok(!(await may(somebody('pay'), Operation.Describe, Resource.Topic, 'payments.eu')))
  assert.ok(await may(somebody('app'), Operation.Read, Resource.Topic, 'news'))
  assert.ok(await may(somebody('app'), Operation.Describe, Resource.Topic, 'news'))
  assert.ok(!(await may(somebody('app'), Operation.Write, Resource.Topic, 'news')))
  assert.ok(await may(somebody('root'), Operation.Delete, Resource.Topic, 'news'))
  assert.ok(await may(somebody('root'), Operation.Alter, Resource.Cluster, 'kafka-cluster'))
  engine.stop()
})

test('whoever may write by a relationship alone may write idempotently, unless a rule or a block stands against it', async () => {
  const made = await storeOf()
  await made.client.write(
    [],
    [
      { user: 'service:corp/owner', relation: 'owner', object: 'namespace:main/payments' },
      { user: 'service:corp/kept', relation: 'owner', object: 'namespace:main/ruled' },
      { user: 'service:corp/writer', relation: 'writer', object: 'topic:main/news' },
      { user: 'service:corp/reader', relation: 'reader', object: 'topic:main/news' },
      { user: 'service:corp/bad', relation: 'writer', object: 'topic:main/news' },
      { user: 'service:corp/bad', relation: 'blocked', object: 'cluster:main' },
    ],
  )
  const denies = [{ resource: Resource.Topic, prefix: true, text: 'ruled.', operations: 1 << Operation.Write }]
  const rule = { id: 'r', denies, for: null, except: [], when: null, unless: null, shadowUntilMs: null, place: { file: '', line: 1 } }
  const { engine, worker } = await engineOn(made, { ...document([]), rules: [rule] })
  const mayWrite: Record<string, boolean> = {}
  for (const who of ['owner', 'kept', 'writer', 'reader', 'bad', 'stranger']) {
    const rights = worker.rights(somebody(who), ORIGIN)
    for (let round = 0; round < 5 && rights.mayWriteSomething() === Verdict.Unknown; round++) await rights.settle()
    mayWrite[who] = rights.mayWriteSomething() === Verdict.Allowed
  }
  assert.deepEqual(mayWrite, { owner: true, kept: false, writer: true, reader: false, bad: false, stranger: false })
  engine.stop()
})

test('a grant with holders unlike its grantees is asked for, time and address included', async () => {
  const made = await storeOf()
  const judged = document([{ covers: [topics('a')], networks: ['10.0.0.0/8'] }])
  await applyGrants(made.client, judged.grants, CLUSTER)
  await made.client.write([], [{ user: 'service:corp/other', relation: 'holder', object: 'grant:main/g0' }])
  const { engine, worker, names } = await engineOn(made, judged)
  const name = names.text(Resource.Topic, 'a1')
  const from = (who: string, address: string) => verdictOf(worker.rights(somebody(who), { listener: '', address }), Operation.Read, name)
  assert.equal(await from('app', '10.1.1.1'), Verdict.Allowed)
  assert.equal(await from('app', '8.8.8.8'), Verdict.Refused)
  assert.equal(await from('other', '8.8.8.8'), Verdict.Allowed)
  engine.stop()
})

test('an OpenFGA that hangs or is gone leaves undecided what is not known, lets known answers live, and is forgiven', {
  timeout: 60_000,
}, async () => {
  const own = await startOpenFga()
  const made = await storeOf(own)
  const judged = document([{ covers: [topics('a')] }])
  await applyGrants(made.client, judged.grants, CLUSTER)
  const { engine, worker, names } = await engineOn(made, judged, { grantsMs: 4_000 })
  const name = names.text(Resource.Topic, 'a1')
  const known = worker.rights(somebody('app'), ORIGIN)
  assert.equal(await verdictOf(known, Operation.Read, name), Verdict.Allowed)
  process.kill(own.pid, 'SIGSTOP')
  const waitedMs: number[] = []
  for (const role of ['r', 's', 't']) {
    const unknown = worker.rights(somebody('app', { realmRoles: [role] }), ORIGIN)
    assert.equal(unknown.check(Operation.Read, name), Verdict.Unknown)
    const startMs = performance.now()
    const settled = unknown.settle()
    if (waitedMs.length === 0) assert.equal(known.check(Operation.Read, name), Verdict.Allowed)
    await settled
    waitedMs.push(performance.now() - startMs)
    assert.equal(unknown.check(Operation.Read, name), Verdict.Undecided)
  }
  assert.ok(Math.max(...waitedMs) < 1_300, `${waitedMs} ms`)
  await becomes(async () => (await verdict(known, Operation.Read, name)) === Verdict.Undecided, 8_000)
  process.kill(own.pid, 'SIGCONT')
  await becomes(async () => (await verdict(known, Operation.Read, name)) === Verdict.Allowed, 5_000)
  await own.stop()
  await becomes(async () => (await verdict(known, Operation.Read, name)) === Verdict.Undecided, 8_000)
  engine.stop()
})

test('principals that are asked for at once are one question', async () => {
  const made = await storeOf()
  const { engine } = await engineOn(made, document([]))
  const who = whoOf(somebody('app'))
  const answers = await Promise.all(Array.from({ length: 50 }, () => engine.ask({ kind: 'given', who, address: '' })))
  assert.equal(new Set(answers).size, 1)
  engine.stop()
})

test('a membership that the store’s own model does not know is left out of the question, and the others count', async t => {
  const noAuditors = await modelLike(text =>
    text
      .replace(/ {4}define auditor: .*\n/, '')
      .replace(/ or auditor( from org)?/g, '')
      .replace(/, org#auditor( with in_force)?/g, ''),
  )
  const made = await storeOf(server, noAuditors)
  const judged = document([{ to: [{ kind: 'org', issuer: 'corp', name: 'acme' }], covers: [topics('a.')] }])
  await applyGrants(made.client, judged.grants, CLUSTER)
  const { engine, worker, names } = await engineOn(made, judged)
  t.after(() => engine.stop())
  const reads = (organizations: Record<string, string[]>) =>
    verdictOf(worker.rights(somebody('app', { organizations }), ORIGIN), Operation.Read, names.text(Resource.Topic, 'a.b'))

  assert.equal(await reads({ acme: ['auditor'] }), Verdict.Allowed)
  assert.equal(await reads({ other: ['auditor'] }), Verdict.Refused)
  const graph = await StoreGraph.read(made.client, CLUSTER)
  const auditor = somebody('app', { organizations: { acme: ['auditor'] } })
  const walked = await graph.walk(auditor, ORIGIN.address, Date.now(), 'can_read', Resource.Topic, 'a.b')
  assert.equal(walked.allowed, true)
  assert.equal(engine.status()['objects'], 'always')
  assert.throws(() => engine.subscriptions, /has no org#auditor: \[user\], org#auditor: \[service\]/)
})

test('a store whose model does not know what goes along with every topic is refused when it is opened', async () => {
  const noCluster = await modelLike(text =>
    text.replace(/^type topic\n[\s\S]*?(?=\n# -)/m, topic =>
      topic.replace(/ {4}define cluster: .*\n/, '').replace(/ or \w+ from cluster|\w+ from cluster or /g, ''),
    ),
  )
  const made = await storeOf(server, noCluster)

  await assert.rejects(engineOn(made, document([])), {
    code: 'ERR_UNFIT_STORE',
    message: `the model ${made.model} has no topic#cluster: [cluster]`,
  })
})

test('a worker that missed what main told it while it started asks for it', async () => {
  const made = await storeOf()
  const judged = document([{ covers: [topics('a')] }])
  const { engine } = await engineOn(made, judged)
  await applyGrants(made.client, judged.grants, CLUSTER)
  await becomes(() => engine.initial()!.coverage.length === 1, 2_000)
  const names = new Names()
  const late = new OpenFga(judged, null, asked => engine.ask(asked), { names, clock, cluster: CLUSTER, maxStaleMs: 0 })
  const rights = late.rights(somebody('app'), ORIGIN)
  assert.equal(await verdictOf(rights, Operation.Read, names.text(Resource.Topic, 'a1')), Verdict.Allowed)
  engine.stop()
})

test('what every batch leaves out is undecided, and the rest is what the store says', async t => {
  const made = await storeOf()
  const faulty = await startFaultyOpenFga(server.url)
  const roles = ['reader', 'writer'].map(relation => ({ user: 'service:corp/app', relation, object: 'topic:main/news' }))
  await made.client.write([], roles)
  const { engine, worker, names } = await engineOn({ ...made, address: { url: faulty.url, token: null } }, document([]))
  t.after(() => [engine.stop(), faulty.stop()])
  const rights = worker.rights(somebody('app'), ORIGIN)
  assert.equal(await verdict(rights, Operation.Read, names.text(Resource.Topic, 'other')), Verdict.Refused, 'what was given is known')
  const news = names.text(Resource.Topic, 'news')
  const { Read, Write, Create, Delete, Alter, Describe } = Operation
  const { Allowed, Refused, Undecided } = Verdict
  const found = () => [Read, Write, Create, Delete, Alter, Describe].map(operation => rights.check(operation, news))
  // Others that were left out are answered when they are asked for again: Read is the second item of each batch.
  faulty.set('half', 'batch-check')

  assert.equal(rights.operations(news), -1)
  await rights.settle()

  assert.deepEqual(found(), [Undecided, Allowed, Refused, Refused, Refused, Allowed])
  faulty.set('none')
  await becomes(async () => (await verdict(rights, Read, news)) === Allowed, 5_000)
  assert.deepEqual(found(), [Allowed, Allowed, Refused, Refused, Refused, Allowed])
})
