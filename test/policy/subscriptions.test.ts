// Subscriptions on a real OpenFGA: who may do what at which stage, what the store says then, and many who do it at once.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Principal } from '../../src/auth/principal.ts'
import { ulid } from '../../src/base/ulid.ts'
import { changesFor } from '../../src/policy/apply.ts'
import { membershipsOf, userOf, whoOf } from '../../src/policy/memberships.ts'
import { OpenFgaStore } from '../../src/policy/openfga-client.ts'
import { shippedModel } from '../../src/policy/openfga-model.ts'
import type { Subscription } from '../../src/policy/subscription.ts'
import { factTuples, grantIdOf, iso, partyId, stageAt, stateTuple } from '../../src/policy/subscription.ts'
import { NotDone, Subscriptions, type Wish } from '../../src/policy/subscriptions.ts'
import { principalOf } from '../fakes/principal.ts'
import { sharedOpenFga } from '../parts.ts'

const server = await sharedOpenFga()
const HOUR_MS = 3_600_000

const app = principalOf('service:corp/app')
const dan = principalOf('user:corp/dan')
const auditor = principalOf('user:corp/alice', { organizations: { acme: ['auditor'] } })
const member = principalOf('user:corp/bob', { organizations: { acme: [] } })
const stranger = principalOf('user:corp/eve', { organizations: { umbrella: ['auditor', 'admin'] } })

async function world() {
  const { store: id, model } = await server.createStore('subscriptions-test', shippedModel())
  const store = new OpenFgaStore({ url: server.url, token: null }, id, model, 5_000)
  let aheadMs = 0
  const memberships = (who: Principal) => membershipsOf(whoOf(who)).map(one => ({ user: userOf(who), ...one }))
  const open = () => new Subscriptions(store, 'main', memberships, () => Date.now() + aheadMs)
  /** Whether OpenFGA itself, asked then, says that the app may read topic and group. */
  const reads = async (at: number, user = 'service:corp/app') => {
    const objects = ['topic:main/orders', 'consumer_group:main/app-1']
    const checks = objects.map(object => ({ user, relation: 'can_read', object, contextual: [] }))
    const answers = await store.checks(checks, { now: iso(at), source_ip: '10.0.0.1' }, true)
    assert.equal(answers[0], answers[1])
    return answers[0]
  }
  const pass = (ms: number) => {
    aheadMs += ms
  }
  return { store, subscriptions: open(), open, reads, pass }
}

const wish = (more: Partial<Wish> = {}): Wish => ({
  subscriber: { type: 'service', issuer: 'corp', name: 'app' },
  org: { issuer: 'corp', alias: 'acme' },
  topic: 'orders',
  group: 'app-1',
  untilMs: Math.floor(Date.now() / 1000) * 1000 + HOUR_MS,
  ...more,
})

const notDone = (kind: NotDone['kind'], text: RegExp) => (why: unknown) => {
  assert.ok(why instanceof NotDone, String(why))
  assert.equal(why.kind, kind)
  assert.match(why.message, text)
  return true
}

const did = ({ history }: Subscription) => history.map(({ did, by }) => `${did} by ${by}`)

test('a subscription is a grant from its approval to its end, and who asked and who approved is kept', async () => {
  const { subscriptions, reads, store } = await world()
  const asked = await subscriptions.request(dan, wish({ why: 'AUD-1' }))
  const before = await reads(Date.now())
  const approved = await subscriptions.approve(auditor, asked.id, 'fine')

  assert.deepEqual([asked.stage, before], ['requested', false])
  assert.deepEqual(did(approved), ['requested by user:corp/dan', 'approved by user:corp/alice'])
  assert.deepEqual(
    [await reads(Date.now()), await reads(asked.untilMs + 1), await reads(Date.now(), 'user:corp/dan')],
    [true, false, false],
  )
  assert.deepEqual(await subscriptions.get(dan, asked.id), approved)
  const tuples = await store.read({ object: `subscription:main/${asked.id}` })
  assert.deepEqual(tuples.map(({ user, relation }) => `${user.replace(/^turn:\d+$/, 'turn')} ${relation}`).sort(), [
    'consumer_group:main/app-1 group_id',
    'org:corp/acme org',
    'service:corp/app subscriber',
    'topic:main/orders topic',
    'turn state',
    'user:corp/alice approved_by',
    'user:corp/dan requester',
  ])
  const grant = await store.read({ object: `grant:main/sub-${asked.id}` })
  assert.deepEqual(grant.map(({ user, relation }) => `${user} ${relation}`).sort(), ['service:corp/app grantee', 'service:corp/app holder'])
  const changes = await changesFor(store.tuples(), [], 'main')
  assert.deepEqual([changes.deletes, changes.writes], [[], []])
})

test('only auditors and admins of the organization approve, and never what is their own or in another’s name', async () => {
  const { subscriptions, reads, store } = await world()
  await store.write([], [{ user: 'role:corp/realm/boss#assignee', relation: 'admin', object: 'org:corp/acme' }])
  const { id } = await subscriptions.request(app, wish())
  const boss = principalOf('user:corp/boss', { realmRoles: ['boss'] })
  const ownAsked = await subscriptions.request(auditor, wish({ group: 'other' }))
  const alice = { type: 'user', issuer: 'corp', name: 'alice' } as const
  const ownUse = await subscriptions.request(dan, wish({ group: 'hers', subscriber: alice }))
  const acted = principalOf(auditor.id, { ...auditor, acting: { kind: 'impersonation', by: 'root' } })

  await assert.rejects(subscriptions.approve(app, id), notDone('forbidden', /only auditors and admins of acme/))
  await assert.rejects(subscriptions.approve(member, id), notDone('unknown', /there is no subscription/))
  await assert.rejects(subscriptions.approve(stranger, id), notDone('unknown', /there is no subscription/))
  await assert.rejects(subscriptions.approve(auditor, ownAsked.id), notDone('forbidden', /your own/))
  await assert.rejects(subscriptions.approve(auditor, ownUse.id), notDone('forbidden', /your own/))
  await assert.rejects(subscriptions.approve(acted, id), notDone('forbidden', /root acts for user:corp\/alice/))
  for (const strange of ['', 'x', '../x', 'a#b', `${id}#state`, id.toUpperCase(), '*', `${id}/`])
    await assert.rejects(subscriptions.approve(auditor, strange), notDone('unknown', /there is no subscription/))
  assert.equal(await reads(Date.now()), false)
  await subscriptions.approve(boss, id)
  await subscriptions.approve(boss, ownAsked.id)
  assert.equal(await reads(Date.now()), true)

  await store.write([], [{ user: 'user:corp/boss', relation: 'blocked', object: 'cluster:main' }])
  await assert.rejects(subscriptions.approve(boss, ownUse.id), notDone('forbidden', /is blocked/))
  await assert.rejects(subscriptions.request(boss, wish({ group: 'x' })), notDone('forbidden', /is blocked/))
})

test('what lies in a namespace of an organization is not given by another one', async () => {
  const { subscriptions, store } = await world()
  const before = await subscriptions.request(app, wish({ topic: 'bank.payments', group: 'g' }))
  const running = await subscriptions.request(app, wish({ topic: 'bank.cards', group: 'g' }))
  await subscriptions.approve(auditor, running.id)
  await store.write([], [{ user: 'org:corp/bank', relation: 'org', object: 'namespace:main/bank' }])
  const refused = notDone('forbidden', /lies in a namespace of another organization than acme/)

  await assert.rejects(subscriptions.approve(auditor, before.id), refused)
  await assert.rejects(subscriptions.extend(auditor, running.id, running.untilMs + HOUR_MS), refused)
  await assert.rejects(subscriptions.request(app, wish({ topic: 'bank.payments.eu', group: 'h' })), refused)
  await assert.rejects(subscriptions.request(app, wish({ topic: 'orders', group: 'bank.settlement' })), refused)
  await assert.rejects(subscriptions.request(app, wish({ topic: `bank${'.x'.repeat(120)}`, group: 'h' })), refused)
  const banker = principalOf('user:corp/bert', { organizations: { bank: ['auditor'] } })
  const asked = await subscriptions.request(
    app,
    wish({ topic: 'bank.payments', group: 'bank.app', org: { issuer: 'corp', alias: 'bank' } }),
  )
  assert.equal((await subscriptions.approve(banker, asked.id)).stage, 'approved')
  assert.equal((await subscriptions.request(app, wish({ topic: 'bank', group: 'banking.x' }))).stage, 'requested')
})

test('no number of extensions, however long their reasons, keeps a subscription from being revoked', async () => {
  const { subscriptions } = await world()
  const { id, untilMs } = await subscriptions.request(app, wish())
  await subscriptions.approve(auditor, id)
  const why = '語'.repeat(200)
  let extended = 0
  const refused = notDone('conflict', /was extended often enough/)
  await assert.rejects(async () => {
    for (;;) await subscriptions.extend(auditor, id, untilMs + ++extended * 1000, why)
  }, refused)

  assert.ok(extended > 20)
  assert.equal((await subscriptions.revoke(app, id, why)).stage, 'revoked')
})

test('what was approved, revoked or is over is not approved again', async () => {
  const { subscriptions, reads, pass } = await world()
  const one = await subscriptions.request(app, wish())
  await subscriptions.approve(auditor, one.id)
  await assert.rejects(subscriptions.approve(auditor, one.id), notDone('conflict', /is approved already/))
  const revoked = await subscriptions.revoke(app, one.id, 'done')
  const after = await reads(Date.now())
  await assert.rejects(subscriptions.approve(auditor, one.id), notDone('conflict', /is revoked already/))
  await assert.rejects(subscriptions.revoke(app, one.id), notDone('conflict', /is revoked already/))
  await assert.rejects(subscriptions.extend(auditor, one.id, one.untilMs + HOUR_MS), notDone('conflict', /is not in force/))
  const late = await subscriptions.request(app, wish())
  pass(2 * HOUR_MS)
  await assert.rejects(subscriptions.approve(auditor, late.id), notDone('conflict', /is ended already/))

  assert.deepEqual(did(revoked).at(-1), 'revoked by service:corp/app')
  assert.deepEqual([after, revoked.stage], [false, 'revoked'])
  assert.equal(await reads(Date.now()), false)
})

test('the same is not asked for twice while it stands, and a group has one subscriber', async () => {
  const { subscriptions, pass } = await world()
  const one = await subscriptions.request(app, wish())
  await assert.rejects(subscriptions.request(app, wish()), notDone('conflict', new RegExp(`requested already: subscription ${one.id}`)))
  await assert.rejects(
    subscriptions.request(dan, wish({ org: { issuer: 'corp', alias: 'umbrella' } })),
    notDone('conflict', /^the same is requested already$/),
  )
  const other = { type: 'service', issuer: 'corp', name: 'other' } as const
  const rival = await subscriptions.request(dan, wish({ subscriber: other }))
  await subscriptions.approve(auditor, one.id)
  await subscriptions.request(app, wish({ topic: 'payments' }))

  await assert.rejects(subscriptions.approve(auditor, rival.id), notDone('conflict', /app-1 belongs to another/))
  await assert.rejects(subscriptions.request(dan, wish({ subscriber: other, topic: 'x' })), notDone('conflict', /app-1 belongs to another/))
  await subscriptions.revoke(auditor, rival.id)
  pass(2 * HOUR_MS)
  const later = Date.now() + 4 * HOUR_MS
  const next = await subscriptions.request(dan, wish({ subscriber: other, untilMs: later }))
  assert.equal((await subscriptions.approve(auditor, next.id)).stage, 'approved')
})

test('a group keeps those that stand, so many and no more: what is over leaves it', async () => {
  const { subscriptions, store, pass } = await world()
  const ofGroup = async () =>
    (await store.read({ user: 'consumer_group:main/app-1', relation: 'group_id', object: 'subscription:' })).length
  const over = await subscriptions.request(app, wish())
  await subscriptions.revoke(app, over.id)
  const standing = await subscriptions.request(app, wish())
  const afterRevocation = await ofGroup()
  const others = Array.from({ length: 499 }, (_, i) => ({
    ...standing,
    requester: { ...standing.requester, name: 'other' },
    id: ulid(Date.now()).toLowerCase(),
    topic: `t${i}`,
  }))
  const turn = { number: 1, holder: '' }
  await store.write(
    [],
    others.flatMap(one => [...factTuples(one, 'main'), stateTuple(one, 'main', turn)]),
  )

  assert.equal(afterRevocation, 1)
  await assert.rejects(subscriptions.request(app, wish({ topic: 'more' })), notDone('conflict', /app-1 has 500 subscriptions already/))
  assert.equal((await subscriptions.get(app, over.id)).stage, 'revoked')
  await subscriptions.revoke(app, standing.id)
  await subscriptions.request(app, wish({ topic: 'more' }))
  assert.equal(await ofGroup(), 500)
  pass(26 * HOUR_MS)
  await subscriptions.request(app, wish({ untilMs: Date.now() + 100 * HOUR_MS }))
  assert.equal(await ofGroup(), 451)
})

test('an extension is a further grant: the one before stays to its end, and a revocation takes all', async () => {
  const { subscriptions, reads, store } = await world()
  const { id, untilMs } = await subscriptions.request(app, wish())
  await subscriptions.approve(auditor, id)
  await assert.rejects(subscriptions.extend(auditor, id, untilMs), notDone('conflict', /does not end before/))
  await assert.rejects(subscriptions.extend(app, id, untilMs + 1), notDone('forbidden', /only auditors/))
  const ends = [1, 2, 3].map(n => untilMs + n * HOUR_MS)
  for (const end of ends) await subscriptions.extend(auditor, id, end)
  const one = await subscriptions.get(app, id)
  const grants = await Promise.all([1, 2, 3, 4].map(n => store.read({ object: `grant:main/${grantIdOf(id, n)}` })))

  assert.deepEqual([one.untilMs, one.grants], [ends[2], 4])
  assert.deepEqual(
    grants.map(({ length }) => length),
    [0, 0, 2, 2],
  )
  assert.deepEqual([await reads(ends[2]! - 1), await reads(ends[2]!)], [true, false])
  await store.write([{ user: 'service:corp/app', relation: 'grantee', object: `grant:main/${grantIdOf(id, 3)}` }], [])
  await subscriptions.revoke(auditor, id)
  assert.equal(await reads(Date.now()), false)
  for await (const { user, object } of store.tuples()) assert.ok(!`${user} ${object}`.includes('grant:'), `${user} ${object}`)
})

test('of many who act at once each finds what the one before left: one approval, one request, no half of anything', async () => {
  const { open, store } = await world()
  const replicas = Array.from({ length: 4 }, open)
  const requests = await Promise.allSettled(replicas.map(one => one.request(app, wish())))
  const made = requests.filter(one => one.status === 'fulfilled').map(one => one.value)
  const lost = requests.filter(one => one.status === 'rejected').map(one => one.reason as NotDone)
  const { id } = made[0]!
  const auditors = ['a', 'b', 'c', 'd'].map(name => principalOf(`user:corp/${name}`, { organizations: { acme: ['auditor'] } }))
  const approvals = await Promise.allSettled(replicas.map((one, i) => one.approve(auditors[i]!, id)))
  const races = await Promise.allSettled([
    open().revoke(app, id),
    ...replicas.map((one, i) => one.extend(auditors[i]!, id, made[0]!.untilMs + (i + 1) * HOUR_MS)),
  ])
  const end = await open().get(app, id)
  const grants = (await store.read({ object: `grant:main/${grantIdOf(id, end.grants)}` })).length

  assert.deepEqual([made.length, new Set(lost.map(({ kind }) => kind))], [1, new Set(['conflict'])])
  assert.equal(approvals.filter(({ status }) => status === 'fulfilled').length, 1)
  assert.equal(end.history.filter(({ did }) => did === 'approved').length, 1)
  assert.equal(races[0]!.status, 'fulfilled', String((races[0] as PromiseRejectedResult).reason))
  assert.deepEqual([end.stage, grants], ['revoked', 0])
})

test('a list holds what one asked for, has, or may approve, page by page', async () => {
  const { subscriptions, pass } = await world()
  const ids: string[] = []
  for (let i = 0; i < 5; i++) {
    const { id } = await subscriptions.request(i % 2 === 0 ? app : dan, wish({ group: `g${i}`, topic: `t${i}` }))
    ids.push(id)
    pass(1)
  }
  await subscriptions.approve(auditor, ids[1]!)
  const other = await subscriptions.request(dan, wish({ group: 'u', org: { issuer: 'corp', alias: 'umbrella' } }))
  const list = async (caller: Principal, more: object = {}) => {
    const { subscriptions: found, next } = await subscriptions.list(caller, { limit: 50, ...more })
    return [found.map(({ id }) => id), next]
  }

  assert.deepEqual(await list(auditor), [ids, null])
  assert.deepEqual(await list(app), [[...ids, other.id], null])
  assert.deepEqual(await list(dan), [[ids[1], ids[3], other.id], null])
  assert.deepEqual(await list(stranger), [[other.id], null])
  assert.deepEqual(await list(member), [[], null])
  assert.deepEqual(await list(auditor, { limit: 2 }), [ids.slice(0, 2), ids[1]])
  assert.deepEqual(await list(auditor, { limit: 2, after: ids[3] }), [ids.slice(4), null])
  assert.deepEqual(await list(auditor, { stage: 'approved' }), [[ids[1]], null])
  assert.deepEqual(await list(app, { org: 'umbrella' }), [[other.id], null])
  assert.deepEqual(await list(app, { topic: 't2' }), [[ids[2]], null])
  pass(2 * HOUR_MS)
  assert.deepEqual(await list(auditor, { stage: 'ended' }), [ids, null])
})

test('names that are strange to OpenFGA come back as they were', async () => {
  const { subscriptions } = await world()
  const subscriber = { type: 'service', issuer: 'corp', name: 'a b/c:d#e@f*é😀' } as const
  const group = `${'ü'.repeat(120)}#:/`
  const { id, untilMs } = await subscriptions.request(dan, wish({ subscriber, group, org: { issuer: 'corp', alias: 'a/c#me' } }))
  const one = await subscriptions.get(dan, id)
  assert.deepEqual([one.subscriber, one.group, one.org.alias, one.untilMs], [subscriber, group, 'a/c#me', untilMs])
  assert.deepEqual([partyId(one.requester), stageAt(one, untilMs)], [dan.id, 'ended'])
})
