// What people use it for, told as they tell it, with both engines, before real brokers, with tokens of a real Keycloak where it matters whose they are.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { dataFolder } from '../../scripts/stack/part.ts'
import { type DevIdentity, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { RawClient } from '../equivalence/raw-client.ts'
import { sharedKafka, sharedKeycloak, uniqueName } from '../parts.ts'
import { type Client, ClientError, Driver } from './client.ts'
import { type EngineName, engineConfig, engineNames } from './engines.ts'
import { type Gate, startGate } from './gate.ts'
import { makeTopics } from './topics.ts'

const stem = uniqueName('use')
const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
/** What is left of a right when its end is waited for. */
const SHORT_MS = 500

/** The contractor's last minute ends so long after the tests began, by the gate's clock. */
const contractEndsMs = Math.ceil(Date.now() / MINUTE_MS) * MINUTE_MS + 120 * MINUTE_MS
const emergencyEndsMs = contractEndsMs + 60 * MINUTE_MS

/** Of people and programs in the realm of Keycloak, alias `corp`, and of those that the test mints tokens for, alias `dev`. */
const policyFor = (engine: EngineName, breakGlass = '') => {
  const of = `${stem}-${engine}`
  return `
version: 1
issuer: dev
grants:
  # Only auditors of the organization acme consume acme's stream.
  - { id: acme-auditors, to: { org: acme, role: auditor, issuer: corp }, allow: consume, topics: ["${of}.acme"], consumerGroups: ["${of}-audit-*"] }
  - { id: acme-writes, to: service:acme-erp, allow: produce, topics: ["${of}.acme"] }

  # A team owns everything that begins with payments., before any of it is there.
  - id: payments-team
    to: group:/teams/payments
    allow: [produce, consume, manage]
    topics: ["${of}.payments.*"]
    consumerGroups: ["${of}-payments-*"]

  # A contractor, until the last minute of the contract.
  - { id: contractor, to: user:contractor, allow: produce, topics: ["${of}.migration"], until: ${new Date(contractEndsMs).toISOString()}, why: C-77 }

  # Somebody who has all rights on a stream, and for whom an administrator may look and not touch.
  - { id: lena, to: user:lena, allow: [produce, consume], topics: ["${of}.desk"], consumerGroups: ["${of}-desk-*"] }

  # A job that writes by night.
  - { id: settlement, to: service:settlement, allow: produce, topics: ["${of}.settlement"], hours: { between: 22:00-04:00, zone: UTC } }

  # Tenants that do not know of each other.
  - { id: alpha, to: "org:alpha", allow: [produce, consume], topics: ["${of}.alpha.*"], consumerGroups: ["${of}-alpha-*"] }
  - { id: beta, to: "org:beta", allow: [produce, consume], topics: ["${of}.beta.*"], consumerGroups: ["${of}-beta-*"] }
${breakGlass}
rules:
  # Guardrails: nobody makes a topic whose name has capital letters, and who acts for somebody may look and not touch.
  - { id: lower-case, deny: create, topics: ["${of}.*"], unless: { expression: resource.name == resource.name.lowerAscii() } }
  - { id: look-dont-touch, deny: change, everything: true, when: { acting: impersonation } }
`
}
const breakGlassFor = (engine: EngineName) => `
  # Written when it burns, with its end.
  - { id: break-glass, to: role:oncall, allow: manage, topics: ["${stem}-${engine}.*"], until: ${new Date(emergencyEndsMs).toISOString()}, why: INC-9 }
`

const [kafka, keycloak, issuer, driver] = await Promise.all([
  sharedKafka(),
  sharedKeycloak(),
  startDevIssuer({ lifetimeMs: 7 * DAY_MS }),
  Driver.start('franz-go'),
])
const standing = (engine: EngineName) =>
  ['acme', 'migration', 'desk', 'settlement', 'alpha.a', 'beta.b'].map(name => `${stem}-${engine}.${name}`)
await makeTopics(kafka, Object.fromEntries(engineNames.flatMap(standing).map(topic => [topic, 1])))
after(async () => {
  await driver.stop()
  await issuer.stop()
})

/** Two members of acme, one of whom is in the group of its auditors. */
const [auditor, member] = [`${stem}-auditor`, `${stem}-member`]
await makeMembers()

async function makeMembers(): Promise<void> {
  const groupOf = async (path: string, name: string): Promise<string> => {
    await keycloak.admin('POST', path, { name })
    const groups = (await keycloak.admin('GET', path)) as { id: string; name: string }[]
    return groups.find(group => group.name === name)!.id
  }
  const top = await groupOf('/groups', stem)
  const acme = await groupOf(`/groups/${top}/children`, 'acme')
  await groupOf(`/groups/${acme}/children`, 'auditors')
  const [organization] = (await keycloak.admin('GET', '/organizations?search=acme')) as { id: string }[]
  for (const [username, groups] of [
    [auditor, [`/${stem}/acme/auditors`]],
    [member, []],
  ] as const) {
    const person = { username, groups, enabled: true, email: `${username}@acme.example`, firstName: 'A', lastName: 'B' }
    await keycloak.admin('POST', '/users', { ...person, credentials: [{ type: 'password', value: username }] })
    const [user] = (await keycloak.admin('GET', `/users?exact=true&username=${username}`)) as { id: string }[]
    await keycloak.admin('POST', `/organizations/${organization!.id}/members`, user!.id)
  }
}

const refused = (name: string) => (error: unknown) => error instanceof ClientError && error.name === name

for (const engine of engineNames) describe(engine, { concurrency: false }, () => casesOf(engine))

function casesOf(engine: EngineName): void {
  const of = `${stem}-${engine}`
  const clockFile = join(dataFolder('clock'), 'ahead')
  let gate: Gate
  /** Turns the gate's clock on to this moment. */
  const turnTo = (atMs: number): void => writeFileSync(clockFile, String(atMs - Date.now()))

  before(async () => {
    writeFileSync(clockFile, '0')
    const corp = { alias: 'corp', issuer: keycloak.issuer, audience: 'kafka', kind: 'keycloak' }
    const organizations = { claim: 'organization', roles: { auditor: { group: `/${stem}/{org}/auditors` } } }
    const roles = { realm: 'realm_access.roles' }
    gate = await startGate({
      bootstrap: kafka.bootstrap,
      policy: policyFor(engine),
      issuers: [
        { ...corp, organizations },
        { alias: 'dev', issuer: issuer.issuer, audience: 'kafka', kind: 'keycloak', roles, organizations: { claim: 'organization' } },
      ],
      config: await engineConfig(engine),
      clockFile,
    })
  })
  after(() => gate?.stop())

  const open = async (who: DevIdentity | string): Promise<Client> =>
    driver.open(gate.bootstrap, { token: typeof who === 'string' ? who : await issuer.mint(who) })
  const raw = async (who: DevIdentity): Promise<RawClient> =>
    RawClient.open(gate.host, gate.port, { mechanism: 'OAUTHBEARER', token: await issuer.mint(who) })
  const write = (client: Client, topic: string, value = 'x') => client.produce(topic, [{ value, partition: 0 }])
  /** Writes again and again until the answer turns; the gate's clock then. */
  const writesUntil = async (client: Client, topic: string, wanted: 'allowed' | 'refused'): Promise<void> => {
    for (;;) {
      const answer = await write(client, topic).then(
        () => 'allowed',
        error => (refused('TOPIC_AUTHORIZATION_FAILED')(error) ? 'refused' : Promise.reject(error)),
      )
      if (answer === wanted) return
    }
  }
  /** The first refusal that the audit log has of this principal, after so many lines and on this name. */
  const refusalOf = (principal: string, after: number, name?: string): Promise<any> =>
    gate.audited(
      line => line.principal === principal && line.verdict === 'refused' && (name ?? line.resource?.name) === line.resource?.name,
      after,
    )

  test('only auditors of the organization acme consume the stream of acme', async () => {
    const erp = await open({ service: 'acme-erp' })
    await write(erp, `${of}.acme`, 'booked')
    const [hers, his] = await Promise.all([auditor, member].map(async name => open(await keycloak.personToken(name))))

    const seen = await hers!.subscribe(`${of}-audit-1`, [`${of}.acme`])
    assert.deepEqual(
      (await seen.received(1)).map(({ value }) => value),
      ['booked'],
    )
    await assert.rejects(
      async () => (await his!.subscribe(`${of}-audit-2`, [`${of}.acme`])).received(1),
      refused('TOPIC_AUTHORIZATION_FAILED'),
    )
    await assert.rejects(
      async () => (await erp.subscribe(`${of}-audit-3`, [`${of}.acme`])).received(1),
      refused('GROUP_AUTHORIZATION_FAILED'),
    )
    await seen.stop()
  })

  test('a team makes, configures, fills and reads what begins with its prefix, before any of it is there, within the guardrails, and nothing else', async () => {
    const team = { user: 'mia', groups: ['/teams/payments'] }
    const client = await open(team)
    const topic = `${of}.payments.cards`

    await client.create(topic, 1, 1)
    await write(client, topic, 'paid')
    const consumer = await client.subscribe(`${of}-payments-app`, [topic])
    assert.deepEqual(
      (await consumer.received(1)).map(({ value }) => value),
      ['paid'],
    )
    await consumer.stop()
    const admin = await raw(team)
    assert.deepEqual(await configured(admin, topic), [0])
    assert.deepEqual(await configured(admin, `${of}.acme`), [29])
    admin.close()
    await assert.rejects(client.create(`${of}.paymentsx`, 1, 1), refused('TOPIC_AUTHORIZATION_FAILED'))
    await assert.rejects(client.create(`${of}.payments.Cards`, 1, 1), refused('TOPIC_AUTHORIZATION_FAILED'))
    assert.equal((await refusalOf('user:dev/mia', 0, `${of}.payments.Cards`)).rule, 'lower-case')
    await client.delete(topic)
  })

  test('a tenant cannot tell the topics and groups of another from such that are not there', async () => {
    const [alpha, beta] = [
      { user: 'ada', organizations: ['alpha'] },
      { user: 'bo', organizations: ['beta'] },
    ]
    const [a, b] = await Promise.all([open(alpha), open(beta)])
    await write(b, `${of}.beta.b`)
    const working = await b.subscribe(`${of}-beta-g`, [`${of}.beta.b`])
    await working.received(1)

    assert.deepEqual(await a.topics(), [`${of}.alpha.a`])
    assert.deepEqual(await b.topics(), [`${of}.beta.b`])
    assert.deepEqual(await a.groups(), [])
    assert.deepEqual(await b.groups(), [`${of}-beta-g`])
    const spy = await raw(alpha)
    for (const [api, version, body] of questionsAbout(`${of}.beta.b`, `${of}-beta-g`)) {
      const there = textOf(await spy.ask(api, version, body))
      const [, , nothing] = questionsAbout(`${of}.beta.z`, `${of}-beta-z`).find(([name]) => name === api)!
      const notThere = textOf(await spy.ask(api, version, nothing))
      assert.equal(there.replaceAll('beta.b', 'beta.z').replaceAll('beta-g', 'beta-z'), notThere, api)
      assert.match(there, /"errorCode":(29|30)/, api)
    }
    spy.close()
    await working.stop()
  })

  test('an administrator who acts for somebody may look and not touch', async () => {
    const lena = await open({ user: 'lena' })
    await write(lena, `${of}.desk`, 'hers')
    const acting = await open({ user: 'lena', actor: 'admin-7' })

    const looking = await acting.subscribe(`${of}-desk-1`, [`${of}.desk`])
    assert.deepEqual(
      (await looking.received(1)).map(({ value }) => value),
      ['hers'],
    )
    // Clients with idempotent producers, as most are, ask for that first.
    await assert.rejects(write(acting, `${of}.desk`), refused('CLUSTER_AUTHORIZATION_FAILED'))
    await write(lena, `${of}.desk`)
    const { rule, act } = await refusalOf('user:dev/lena', 0)
    assert.deepEqual([rule, act], ['look-dont-touch', { kind: 'impersonation', by: 'admin-7' }])
    await looking.stop()
  })

  test('the right of a contractor ends with the contract, to the minute, on an open connection', async () => {
    const contractor = await open({ user: 'contractor' })
    await write(contractor, `${of}.migration`)
    turnTo(contractEndsMs - MINUTE_MS)
    const again = await open({ user: 'contractor' })
    await write(again, `${of}.migration`)
    const { length } = gate.audit()

    turnTo(contractEndsMs - SHORT_MS)
    await writesUntil(again, `${of}.migration`, 'refused')

    assertTurnedAt(await refusalOf('user:dev/contractor', length), contractEndsMs)
  })

  test('break-glass is written when it burns, names its incident, and ends by itself', async () => {
    const oncall = await open({ user: 'oli', realmRoles: ['oncall'] })
    await assert.rejects(oncall.delete(`${of}.migration`), refused('TOPIC_AUTHORIZATION_FAILED'))

    gate.setPolicy(policyFor(engine, breakGlassFor(engine)))
    await allowedOnce(() => oncall.create(`${of}.rescue`, 1, 1))

    turnTo(emergencyEndsMs - MINUTE_MS)
    const again = await open({ user: 'oli', realmRoles: ['oncall'] })
    const { length } = gate.audit()
    turnTo(emergencyEndsMs - SHORT_MS)
    await refusedOnce(() => again.create(`${of}.rescue-${Math.random()}`, 1, 1))
    assertTurnedAt(await refusalOf('user:dev/oli', length), emergencyEndsMs)
  })

  test('a nightly job may write between ten and four, and at no other time', async () => {
    const tonightMs = Math.ceil((emergencyEndsMs + DAY_MS) / DAY_MS) * DAY_MS + 22 * 60 * MINUTE_MS
    const job = { service: 'settlement' }
    turnTo(tonightMs - MINUTE_MS)
    const evening = await open(job)
    await assert.rejects(write(evening, `${of}.settlement`), refused('TOPIC_AUTHORIZATION_FAILED'))
    turnTo(tonightMs - SHORT_MS)
    await writesUntil(evening, `${of}.settlement`, 'allowed')
    assert.ok(Date.parse((await refusalOf('service:dev/settlement', 0)).time) < tonightMs)

    turnTo(tonightMs + 6 * 60 * MINUTE_MS - MINUTE_MS)
    const morning = await open(job)
    await write(morning, `${of}.settlement`)
    const { length } = gate.audit()
    turnTo(tonightMs + 6 * 60 * MINUTE_MS - SHORT_MS)
    await writesUntil(morning, `${of}.settlement`, 'refused')
    assertTurnedAt(await refusalOf('service:dev/settlement', length), tonightMs + 6 * 60 * MINUTE_MS)
  })

  function assertTurnedAt(line: { readonly time: string }, atMs: number): void {
    assert.ok(Date.parse(line.time) >= atMs, `${line.time} is before ${new Date(atMs).toISOString()}`)
  }
}

/** Tries until it is allowed. */
async function allowedOnce(what: () => Promise<unknown>): Promise<void> {
  while (!(await what().then(() => true, refusedAs(false))));
}

/** Tries until it is refused. */
async function refusedOnce(what: () => Promise<unknown>): Promise<void> {
  while (!(await what().then(() => false, refusedAs(true))));
}

const refusedAs =
  (answer: boolean) =>
  (error: unknown): boolean => {
    if (refused('TOPIC_AUTHORIZATION_FAILED')(error)) return answer
    throw error
  }

async function configured(admin: RawClient, topic: string): Promise<number[]> {
  const configs = [{ name: 'retention.ms', configOperation: 0, value: '86400000' }]
  const reply = await admin.ask('IncrementalAlterConfigs', 1, {
    resources: [{ resourceType: 2, resourceName: topic, configs }],
    validateOnly: false,
  })
  assert.ok('response' in reply)
  return reply.response.responses.map(({ errorCode }: { errorCode: number }) => errorCode)
}

/** Without the controller: Kafka names another one each time. */
const textOf = (reply: object): string =>
  JSON.stringify(reply, (key, value) => (key === 'controllerId' ? 0 : typeof value === 'bigint' ? String(value) : value))

/** What a spy would ask. */
function questionsAbout(topic: string, group: string): [api: string, version: number, body: object][] {
  const partition = { partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1n }
  return [
    ['Metadata', 12, { topics: [{ topicId: '0'.repeat(32), name: topic }], allowAutoTopicCreation: false }],
    ['ListOffsets', 7, { replicaId: -1, isolationLevel: 0, topics: [{ name: topic, partitions: [partition] }] }],
    ['DescribeTopicPartitions', 0, { topics: [{ name: topic }], responsePartitionLimit: 10, cursor: null }],
    ['DescribeConfigs', 4, { resources: [{ resourceType: 2, resourceName: topic, configurationKeys: null }], includeSynonyms: false }],
    ['DescribeGroups', 5, { groups: [group], includeAuthorizedOperations: false }],
    ['ConsumerGroupDescribe', 0, { groupIds: [group], includeAuthorizedOperations: false }],
    ['OffsetFetch', 8, { groups: [{ groupId: group, topics: null }], requireStable: false }],
    ['FindCoordinator', 4, { keyType: 0, coordinatorKeys: [group] }],
  ]
}
