// Every call of Java's Admin interface through the gate: whoever may do everything gets what the cluster gives, and a stranger reads what StandardAuthorizer would tell him.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { run } from '../../scripts/stack/cache.ts'
import { javaCommand } from '../../scripts/stack/drivers.ts'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { sharedKafka, sharedOracle, uniqueName } from '../parts.ts'
import { type Gate, startGate } from './gate.ts'
import { shownCall } from './shown.ts'

interface Outcome {
  /** `ok`, or the class of the exception. */
  readonly outcome: string
  /** What was got, or the exception's message. */
  readonly detail: string
}
type Side = 'direct' | 'gate' | 'stranger to the oracle' | 'stranger to the gate'

const stem = uniqueName('admin')
const policy = `
version: 1
grants:
  - { id: topics, to: "service:ops", allow: [read, write, create, delete, alter, describe, describe_configs, alter_configs], topics: ["*"] }
  - { id: groups, to: "service:ops", allow: [read, delete, describe, describe_configs, alter_configs], consumerGroups: ["*"] }
  - { id: ids, to: "service:ops", allow: [write, describe], transactionalIds: ["*"] }
  - { id: cluster, to: "service:ops", allow: [create, alter, describe, cluster_action, describe_configs, alter_configs, idempotent_write], cluster: true }
`
const TOKENS = { outcome: 'DelegationTokenDisabledException', why: 'the broker would mint tokens for the gate itself' }
/** What is answered otherwise on purpose, whoever asks. */
const DIFFERS: Readonly<Record<string, { readonly outcome: string; readonly stranger?: string; readonly why: string }>> = {
  createDelegationToken: { ...TOKENS, stranger: TOKENS.outcome },
  renewDelegationToken: { ...TOKENS, stranger: TOKENS.outcome },
  expireDelegationToken: { ...TOKENS, stranger: TOKENS.outcome },
  describeDelegationToken: { ...TOKENS, stranger: TOKENS.outcome },
  alterUserScramCredentials: { outcome: 'UnsupportedVersionException', why: 'credentials of the cluster are not made through the gate' },
  describeAcls: { outcome: 'ok', why: 'lists what the policy amounts to; this cluster has no ACLs' },
}

let issuer: DevIssuer
let gate: Gate
let missing: string
let methods: readonly string[]
let outcomes: ReadonlyMap<string, Outcome>
const of = (method: string, side: Side): Outcome => outcomes.get(`${method} ${side}`)!

before(async () => {
  const [kafka, oracle, dev] = await Promise.all([sharedKafka(), sharedOracle(), startDevIssuer()])
  issuer = dev
  gate = await startGate({ bootstrap: kafka.bootstrap, policy, issuers: [issuer.settings('dev')] })
  const sides: Record<Side, object> = {
    direct: { bootstrap: kafka.bootstrap },
    gate: { bootstrap: gate.bootstrap, login: { token: await issuer.mint({ service: 'ops' }) } },
    'stranger to the oracle': { bootstrap: oracle.bootstrap, login: { username: 'carol', password: 'carol' } },
    'stranger to the gate': { bootstrap: gate.bootstrap, login: { token: await issuer.mint({ service: 'carol' }) } },
  }
  const given = Object.entries(sides).map(([side, how], at) => JSON.stringify({ side, stem: `${stem}-${at}`, ...how }))
  const [command, ...start] = await javaCommand('AdminCalls')
  const [first, ...lines] = (await run(command!, [...start, ...given])).trim().split('\n')
  missing = JSON.parse(first!).missing
  const read = lines.map(line => JSON.parse(line))
  methods = [...new Set<string>(read.map(({ method }) => method))]
  outcomes = new Map(read.map(({ side, method, ...outcome }) => [`${method} ${side}`, outcome]))
})
after(async () => {
  await gate?.stop()
  await issuer?.stop()
})

test('no method of the interface is left out', () => {
  assert.equal(missing, '', 'write a call for each of these in AdminCalls.java')
  assert.ok(methods.length >= 60, `${methods.length} methods`)
})

test('whoever may do everything gets what the cluster itself gives, or what is said of it', () => {
  const seen = methods.map(method => [method, DIFFERS[method] === undefined ? of(method, 'gate') : of(method, 'gate').outcome])
  const expected = methods.map(method => [method, DIFFERS[method]?.outcome ?? of(method, 'direct')])

  assert.deepEqual(seen, expected)
})

test('a stranger reads what a broker with StandardAuthorizer tells him', () => {
  const seen = methods.map(method => [method, of(method, 'stranger to the gate').outcome])
  const expected = methods.map(method => [method, DIFFERS[method]?.stranger ?? of(method, 'stranger to the oracle').outcome])

  assert.deepEqual(seen, expected)
})

test('what a stranger gets without an error tells him nothing', () => {
  const open = methods.filter(method => of(method, 'stranger to the gate').outcome === 'ok')
  const seen = open.map(method => [method, of(method, 'stranger to the gate').detail])

  assert.deepEqual(
    seen,
    open.map(method => [method, of(method, 'stranger to the oracle').detail]),
  )
  for (const method of methods) {
    shownCall(method, {
      'with every right': of(method, 'gate').outcome,
      stranger: of(method, 'stranger to the gate').outcome,
      differs: DIFFERS[method]?.why ?? '',
    })
  }
})
