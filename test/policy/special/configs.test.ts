// DescribeConfigs, AlterConfigs and IncrementalAlterConfigs: each resource by its kind, and addresses that stay hidden.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PASS } from '../../../src/policy/outcome.ts'
import { DescribeConfigs } from '../../../src/protocol/messages/32-describe-configs.ts'
import { AlterConfigs } from '../../../src/protocol/messages/33-alter-configs.ts'
import { IncrementalAlterConfigs } from '../../../src/protocol/messages/44-incremental-alter-configs.ts'
import { answered, edited, forwarded, Given, judge, request } from '../given.ts'

const [TOPIC, BROKER, LOGGER, METRICS, GROUP] = [2, 4, 8, 16, 32]
const resource = (resourceType: number, resourceName: string) => ({ resourceType, resourceName })
const KINDS = [resource(TOPIC, 't'), resource(BROKER, '1'), resource(LOGGER, '1'), resource(METRICS, 'm'), resource(GROUP, 'g')]
const asked = (resources: object[]) => ({ resources: resources.map(r => ({ ...r, configurationKeys: null })) })
const codes = (results: any[]) => results.map(r => `${r.resourceName} ${r.errorCode} ${r.errorMessage}`)

test('topics and groups are judged by name, the rest by the cluster, and each refusal has its own code', () => {
  const frame = request(DescribeConfigs, 4, asked(KINDS))
  const caller = new Given()

  assert.deepEqual(codes(answered(DescribeConfigs, 4, judge(DescribeConfigs, 4, frame, caller)).results), [
    't 29 Topic authorization failed.',
    '1 31 Cluster authorization failed.',
    '1 31 Cluster authorization failed.',
    'm 31 Cluster authorization failed.',
    'g 30 Group authorization failed.',
  ])
  assert.deepEqual(caller.told, [
    'refused DescribeConfigs Topic:t 29',
    'refused DescribeConfigs Cluster:kafka-cluster 31',
    'refused DescribeConfigs Group:g 30',
  ])
})

test('a kind of resource that nobody knows is never forwarded, nor what stands beside it', () => {
  const frame = request(DescribeConfigs, 1, asked([resource(TOPIC, 't'), resource(64, 'new')]))
  const caller = new Given({ allow: ['DescribeConfigs Topic:t'] })

  const { results } = answered(DescribeConfigs, 1, judge(DescribeConfigs, 1, frame, caller))

  assert.deepEqual(
    results.map((r: any) => r.errorCode),
    [42, 42],
  )
})

test('where a broker and its controllers can be reached is not shown, in no list of synonyms either', async () => {
  const caller = new Given({ allow: ['DescribeConfigs Cluster:kafka-cluster'] })
  const config = (name: string, value: string, synonym = name) => ({
    name,
    value,
    readOnly: false,
    configSource: 5,
    isSensitive: false,
    synonyms: [{ name: synonym, value, source: 5 }],
    configType: 2,
    documentation: null,
  })
  const configs = [
    config('listeners', 'CLIENTS://10.1.2.3:9092'),
    config('advertised.listeners', 'CLIENTS://10.1.2.3:9092', 'listeners'),
    config('controller.quorum.voters', '1@10.1.2.3:9093'),
    config('controller.quorum.bootstrap.servers', '10.1.2.3:9093'),
    config('controller.quorum.election.timeout.ms', '1000'),
    config('num.io.threads', '8'),
  ]
  for (const version of [1, 4]) {
    const outcome = judge(DescribeConfigs, version, request(DescribeConfigs, version, asked([resource(BROKER, '1')])), caller)
    const result = { errorCode: 0, errorMessage: '', resourceType: BROKER, resourceName: '1', configs }

    const answer = await edited(DescribeConfigs, version, outcome, { results: [result] })

    const [{ configs: shown }] = answer.results
    assert.deepEqual(
      shown.map((c: any) => c.value),
      [null, null, null, null, '1000', '8'],
    )
    assert.ok(!JSON.stringify(answer, (_, v) => (typeof v === 'bigint' ? Number(v) : v)).includes('10.1.2.3'))
  }
})

const setting = (name: string, value: string | null, configOperation = 0) => ({ name, value, configOperation })
const altered = (r: object, ...configs: object[]) => ({ ...r, configs })
const alter = (resources: object[]) => request(IncrementalAlterConfigs, 1, { resources, validateOnly: false })

test('what may be altered goes to the broker, and the answers keep the order of the request', async () => {
  const frame = alter([
    altered(resource(TOPIC, 'no'), setting('a', '1')),
    altered(resource(TOPIC, 'yes'), setting('a', '1')),
    altered(resource(BROKER, '1'), setting('a', '1')),
  ])
  const outcome = judge(IncrementalAlterConfigs, 1, frame, new Given({ allow: ['AlterConfigs Topic:yes'] }))

  assert.deepEqual(
    forwarded(IncrementalAlterConfigs, 1, outcome).resources.map((r: any) => r.resourceName),
    ['yes'],
  )
  const broker = { responses: [{ errorCode: 0, errorMessage: null, ...resource(TOPIC, 'yes') }] }
  assert.deepEqual(codes((await edited(IncrementalAlterConfigs, 1, outcome, broker)).responses), [
    'no 29 Topic authorization failed.',
    'yes 0 null',
    '1 31 null',
  ])
})

test('what a broker finds wrong before it asks who may is told so to whoever may not', () => {
  const frame = alter([
    altered(resource(TOPIC, 'twice'), setting('a', '1')),
    altered(resource(TOPIC, 'twice'), setting('b', '1')),
    altered(resource(TOPIC, 'keys'), setting('a', '1'), setting('a', '2')),
    altered(resource(TOPIC, 'nulls'), setting('a', null), setting('b', null), setting('c', null, 1)),
    altered(resource(64, 'new'), setting('a', '1')),
  ])

  const { responses } = answered(IncrementalAlterConfigs, 1, judge(IncrementalAlterConfigs, 1, frame, new Given()))

  assert.deepEqual(codes(responses), [
    'twice 42 Each resource must appear at most once.',
    'twice 42 Each resource must appear at most once.',
    'keys 42 Error due to duplicate config keys',
    'nulls 42 Null value not supported for : a, b',
    'new 42 Unknown resource type 64',
  ])
})

test('all allowed passes as it came; a logger has no place in the older request', () => {
  const caller = new Given({ allow: ['AlterConfigs Topic:yes', 'AlterConfigs Cluster:kafka-cluster'] })
  assert.equal(judge(IncrementalAlterConfigs, 1, alter([altered(resource(TOPIC, 'yes'), setting('a', '1'))]), caller), PASS)
  const old = request(AlterConfigs, 2, {
    resources: [{ ...resource(LOGGER, '1'), configs: [{ name: 'root', value: 'INFO' }] }],
    validateOnly: false,
  })
  assert.deepEqual(codes(answered(AlterConfigs, 2, judge(AlterConfigs, 2, old, caller)).responses), ['1 42 Unknown resource type 8'])
})
