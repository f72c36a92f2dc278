// The shipped model: its assertions pass in the engine that serves, and its JSON says the same.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fga, modelJson } from '../../scripts/stack/openfga.ts'
import { FOR_SUBSCRIPTIONS, isShipped, missingRelations, shippedModel, takenBy } from '../../src/policy/openfga-model.ts'
import { BRINGS, COMES_BY, NAMESPACE_ROLES, rolesBy, withBrought } from '../../src/policy/roles.ts'
import { StoreState } from '../../src/policy/store-state.ts'
import { sharedOpenFga } from '../parts.ts'

const MODEL = join(import.meta.dirname, '..', '..', 'config', 'model.fga')
const ASSERTIONS = join(import.meta.dirname, 'openfga', 'store.fga.yaml')

test('all assertions on the model hold, and one that is wrong would be found', async () => {
  await fga('model', 'test', '--tests', ASSERTIONS)
  const wrong = join(mkdtempSync(join(tmpdir(), 'topicgate-')), 'store.fga.yaml')
  const text = readFileSync(ASSERTIONS, 'utf8').replace('../../../config/model.fga', MODEL)
  writeFileSync(wrong, text.replace('can_read: true', 'can_read: false'))
  await assert.rejects(fga('model', 'test', '--tests', wrong))
})

test('the model as JSON is the model as people read it', async () => {
  assert.deepEqual(shippedModel(), await modelJson(MODEL))
})

test('the model is known again when a server gives it back, and no other is taken for it', async () => {
  const server = await sharedOpenFga()
  const { store, model } = await server.createStore('model-test', shippedModel())
  const { authorization_model: back } = await server.call('GET', `/stores/${store}/authorization-models/${model}`)
  assert.ok(isShipped(back))
  assert.deepEqual(missingRelations(back, FOR_SUBSCRIPTIONS), [])
  const other = structuredClone(back)
  const topic = other.type_definitions.find(({ type }: { type: string }) => type === 'topic')
  topic.relations.can_read = topic.relations.can_write
  assert.ok(!isShipped(other))
  delete topic.relations.can_read
  assert.deepEqual(missingRelations(other), ['topic#can_read'])
})

test('what goes along with every name is found missing: a relation, the type of its users, and both kinds of principals', () => {
  const without = (change: (definitions: any[]) => any[]) => {
    const model = shippedModel() as { type_definitions: any[] }
    return missingRelations({ ...model, type_definitions: change(model.type_definitions) })
  }
  const links = (change: (relations: any, type: string) => void) =>
    without(definitions => {
      for (const { type, metadata } of definitions) if (metadata?.relations.prefix) change(metadata.relations, type)
      return definitions
    })

  assert.deepEqual(
    without(definitions => {
      const topic = definitions.find(({ type }) => type === 'topic')
      for (const part of [topic.relations, topic.metadata.relations]) delete part.cluster
      return definitions
    }),
    ['topic#cluster: [cluster]'],
  )
  assert.deepEqual(
    links((relations, type) => {
      if (type === 'consumer_group') relations.prefix.directly_related_user_types[0].type = 'topic_prefix'
    }),
    ['consumer_group#prefix: [group_prefix]'],
  )
  for (const unlike of [{ condition: 'in_force' }, { wildcard: {} }, { relation: 'parent' }]) {
    const missing = links(relations => Object.assign(relations.namespace.directly_related_user_types[0], unlike))
    assert.deepEqual(
      missing,
      ['topic', 'consumer_group', 'transactional_id'].map(type => `${type}#namespace: [namespace]`),
    )
  }
  assert.deepEqual(
    without(definitions => definitions.filter(({ type }) => type !== 'service')),
    ['type service'],
  )
})

test('of memberships only those are taken that the model knows, for that kind of principal and without a condition', () => {
  const model = shippedModel() as { type_definitions: any[] }
  const org = model.type_definitions.find(({ type }) => type === 'org')
  for (const part of [org.relations, org.metadata.relations]) delete part.auditor
  org.metadata.relations.admin.directly_related_user_types = [
    { type: 'user', condition: '' },
    { type: 'service', condition: 'not_expired' },
  ]
  const takes = takenBy(model)
  const taken = (user: string) =>
    ['org#member', 'org#admin', 'org#auditor', 'role#assignee', 'group#member', 'guild#member'].filter(one => {
      const [type, relation] = one.split('#') as [string, string]
      return takes({ user, relation, object: `${type}:corp/acme` })
    })

  assert.deepEqual(taken('user:corp/eve'), ['org#member', 'org#admin', 'role#assignee', 'group#member'])
  assert.deepEqual(taken('service:corp/app'), ['org#member', 'role#assignee', 'group#member'])
  assert.deepEqual(missingRelations(model, FOR_SUBSCRIPTIONS), ['org#admin: [service]', 'org#auditor: [user]', 'org#auditor: [service]'])
})

test('what roles of a namespace bring, and come by, are the formulas of the model', () => {
  const { type_definitions } = shippedModel() as { type_definitions: { type: string; relations: object }[] }
  const namespace = type_definitions.find(({ type }) => type === 'namespace')!
  const sources = NAMESPACE_ROLES.map(role => {
    const userset = (namespace.relations as any)[role]
    const children: any[] = userset.union?.child ?? [userset]
    const brought = children.flatMap(({ computedUserset }) => computedUserset?.relation ?? [])
    const come = children.flatMap(({ tupleToUserset }) => tupleToUserset?.tupleset.relation ?? []).filter(by => by !== 'parent')
    return [role, brought.sort(), come]
  })

  assert.deepEqual(
    sources,
    NAMESPACE_ROLES.map(role => [
      role,
      NAMESPACE_ROLES.filter(other => BRINGS[other]?.includes(role)).sort(),
      Object.keys(COMES_BY).filter(relation => COMES_BY[relation] === role),
    ]),
  )
  assert.deepEqual(rolesBy(new Set(['owner', 'parent'])), ['owner'])
  assert.deepEqual(rolesBy(new Set(['cluster', 'org', 'blocked'])), ['blocked', 'superuser', 'viewer'])
  assert.deepEqual(new Set(withBrought('owner')), new Set(NAMESPACE_ROLES.slice(2)))
})

test('a role that stands on another cluster’s namespace is asked for: one of ours may descend from it', () => {
  const state = new StoreState('prod')
  const change = (user: string, relation: string, object: string) => ({ tuple: { user, relation, object }, deleted: false })
  state.apply([change('namespace:all/pay', 'parent', 'namespace:prod/pay'), change('user:a/eve', 'blocked', 'namespace:all/pay')])

  assert.deepEqual(state.namespaces, ['pay'])
  assert.deepEqual(rolesBy(state.namespaceRelations), ['blocked'])
})
