// What is kept of a store, when it holds more than is kept.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Resource } from '../../src/policy/authorizer.ts'
import { prefixObject } from '../../src/policy/encode.ts'
import { shippedModel, typesAside } from '../../src/policy/openfga-model.ts'
import { StoreState } from '../../src/policy/store-state.ts'

const reader = (n: number) => ({ user: `user:corp/u${n}`, relation: 'reader', object: `topic:main/t${n}` })
const added = (tuple: ReturnType<typeof reader>) => ({ tuple, deleted: false })

test('in a store with more relationships than are kept every name is asked about, and grants are kept all the same', () => {
  const state = new StoreState('main', 2)
  state.apply([reader(1), reader(2)].map(added))
  assert.deepEqual(state.snapshot('auto').objects, new Set(['topic:main/t1', 'topic:main/t2']))

  const viaTeam = { user: 'team:payments#member', relation: 'reader', object: 'topic:main/t9' }
  state.apply([added(reader(3)), added(viaTeam)])
  const cover = { user: 'grant:main/g#holder', relation: 'read', object: 'topic:main/x' }
  const given = { user: 'user:corp/u1', relation: 'grantee', object: 'grant:main/g' }
  state.apply([cover, given, { ...given, relation: 'holder' }].map(added))

  assert.equal(state.isWhole, false)
  assert.equal(state.snapshot('auto').objects, null)
  assert.equal(state.snapshot('never').objects?.size, 0)
  assert.equal(state.snapshot('auto').coverage[0]?.covers[0]?.text, 'x')
  assert.ok(state.mentions('team:payments'))
})

test('a relationship that was not kept still reaches its user when it is taken away', () => {
  const state = new StoreState('main', 1)
  state.apply([reader(1), reader(2)].map(added))
  assert.deepEqual(state.apply([{ tuple: reader(2), deleted: true }]).users, new Set(['user:corp/u2']))
  assert.equal(state.apply([{ tuple: { ...reader(3), user: 'team:a#member' }, deleted: true }]).users, null)
  assert.deepEqual(state.apply([{ tuple: reader(1), deleted: true }]).users, new Set(['user:corp/u1']))
})

test('what stands on ledgers and subscriptions reaches nobody, unless another type of the model refers to them', () => {
  const state = new StoreState('main')
  const model = shippedModel() as { type_definitions: { type: string; metadata: { relations: Record<string, any> } }[] }
  state.passOver(typesAside(model))
  const turn = { user: 'turn:7', relation: 'turn', object: 'ledger:main/policy' }
  const subscriber = { user: 'team:a#member', relation: 'subscriber', object: 'subscription:main/x' }
  assert.deepEqual(state.apply([turn, subscriber].map(tuple => ({ tuple, deleted: false }))), { snapshot: false, users: new Set() })
  assert.deepEqual([state.size, state.mentions('team:a'), state.hasConditions], [0, false, false])

  const topic = model.type_definitions.find(({ type }) => type === 'topic')!
  topic.metadata.relations['reader'].directly_related_user_types.push({ type: 'subscription', relation: 'subscriber' })
  assert.ok(!typesAside(model).has('subscription'))
})

test('a prefix that stands as a hash is counted until the policy says what it is', () => {
  const state = new StoreState('main')
  const text = 'é'.repeat(120)
  const covers = [{ resource: Resource.Topic, prefix: true, text, operations: 8 }]
  state.apply([added({ user: 'grant:main/g#holder', relation: 'read', object: prefixObject('main', Resource.Topic, text) })])
  assert.equal(state.unreadable, 1)
  const always = { sinceMs: null, untilMs: null, networks: null, hours: null }
  state.learn([{ id: 'g', to: [], covers, why: null, owner: null, place: { file: 'p', line: 1 }, ...always }])
  assert.equal(state.unreadable, 0)
})

test('what is taken away and given again between two looks reaches its user: an answer may have been given between', () => {
  const state = new StoreState('main')
  state.apply([added(reader(1)), added({ ...reader(2), user: 'team:a#member' })])
  const again = (n: number, user: string) => [{ tuple: { ...reader(n), user }, deleted: true }, added({ ...reader(n), user })]
  assert.deepEqual(state.apply(again(1, 'user:corp/u1')), { snapshot: true, users: new Set(['user:corp/u1']) })
  assert.equal(state.apply(again(2, 'team:a#member')).users, null)
  assert.equal(state.size, 2)
  assert.deepEqual(state.apply([added(reader(1))]), { snapshot: false, users: new Set() })
})

test('a condition that becomes another is news, though the tuple stood before', () => {
  const state = new StoreState('main')
  const until = (year: number) => ({
    name: 'in_force',
    context: {
      since: '0001-01-01T00:00:00Z',
      until: `${year}-01-01T00:00:00Z`,
      networks: [],
      days: [0, 1, 2, 3, 4, 5, 6],
      from_minute: 0,
      to_minute: 1440,
      zone: 'UTC',
    },
  })
  const holder = { user: 'user:corp/u1', relation: 'holder', object: 'grant:main/g' }
  const covers = { user: 'grant:main/g#holder', relation: 'read', object: 'topic:main/x' }
  state.apply([added({ ...holder, relation: 'grantee' }), added({ ...holder, condition: until(2030) } as typeof holder), added(covers)])
  const untilMs = () => state.snapshot('auto').coverage[0]?.untilMs
  assert.equal(untilMs(), Date.parse('2030-01-01T00:00:00Z'))
  const changed = state.apply([{ tuple: holder, deleted: true }, added({ ...holder, condition: until(2027) } as typeof holder)])
  assert.deepEqual(changed, { snapshot: true, users: new Set(['user:corp/u1']) })
  assert.equal(untilMs(), Date.parse('2027-01-01T00:00:00Z'))
  state.apply([{ tuple: holder, deleted: true }, added(holder)])
  assert.equal(untilMs(), null)
})
