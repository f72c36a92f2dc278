// ACLs through the gate, by Kafka's own tool: what the policy amounts to is listed, and changed by nobody but the policy.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Keycloak } from '../../scripts/stack/keycloak.ts'
import { dataFolder } from '../../scripts/stack/part.ts'
import { oauthProperties, runTool, type ToolRun } from '../../scripts/stack/tools.ts'
import { sharedKafka, sharedKeycloak } from '../parts.ts'
import { engineConfig, engineNames } from './engines.ts'
import { type Gate, startGate } from './gate.ts'

const policy = `
version: 1
networks: { offices: [10.20.0.0/16] }
grants:
  - { id: ops, to: "service:orders-service", allow: manage, cluster: true }
  - { id: read, to: ["group:/finance/**", "role:auditor"], allow: consume, topics: ["orders.*"], consumerGroups: [audit] }
  - { id: from-offices, to: "user:lena", allow: produce, topics: [payments], from: [offices] }
rules:
  - { id: never, deny: delete, topics: ["*"] }
`
/** As the tool prints them, sorted. */
const ALL = [
  'CLUSTER kafka-cluster LITERAL: Service:corp/orders-service * ALTER ALLOW',
  'CLUSTER kafka-cluster LITERAL: Service:corp/orders-service * ALTER_CONFIGS ALLOW',
  'CLUSTER kafka-cluster LITERAL: Service:corp/orders-service * CREATE ALLOW',
  'CLUSTER kafka-cluster LITERAL: Service:corp/orders-service * DESCRIBE ALLOW',
  'CLUSTER kafka-cluster LITERAL: Service:corp/orders-service * DESCRIBE_CONFIGS ALLOW',
  'GROUP audit LITERAL: Group:corp/finance/** * READ ALLOW',
  'GROUP audit LITERAL: Role:corp/auditor * READ ALLOW',
  'TOPIC * LITERAL: User:* * DELETE DENY',
  'TOPIC orders. PREFIXED: Group:corp/finance/** * READ ALLOW',
  'TOPIC orders. PREFIXED: Role:corp/auditor * READ ALLOW',
  'TOPIC payments LITERAL: Grant:from-offices * WRITE ALLOW',
]

let keycloak: Keycloak
let properties: string
const gates: Gate[] = []

before(async () => {
  const [kafka, issuer] = await Promise.all([sharedKafka(), sharedKeycloak()])
  keycloak = issuer
  const issuers = [{ alias: 'corp', issuer: keycloak.issuer, audience: 'kafka', kind: 'keycloak' }]
  for (const engine of engineNames) {
    gates.push(await startGate({ bootstrap: kafka.bootstrap, policy, issuers, config: await engineConfig(engine) }))
  }
  properties = join(dataFolder('acls'), 'client.properties')
  writeFileSync(properties, oauthProperties(keycloak.tokenEndpoint, 'orders-service', 'orders-secret'))
})
after(() => Promise.all(gates.map(gate => gate.stop())))

function kafkaAcls(gate: Gate, args: readonly string[]): Promise<ToolRun> {
  const common = ['--bootstrap-server', gate.bootstrap, '--command-config', properties]
  return runTool('acls', [...common, ...args], { tokenEndpoint: keycloak.tokenEndpoint })
}

/** Current ACLs for resource `ResourcePattern(resourceType=TOPIC, name=a, patternType=LITERAL)`: and its entries below. */
function printed({ code, stdout, stderr }: ToolRun): string[] {
  assert.equal(code, 0, stderr)
  const lines: string[] = []
  let pattern = ''
  for (const line of stdout.split('\n')) {
    const head = /resourceType=(\w+), name=(.*), patternType=(\w+)\)/.exec(line)
    const entry = /principal=(.*), host=(\S*), operation=(\w+), permissionType=(\w+)\)/.exec(line)
    if (head !== null) pattern = head.slice(1).join(' ')
    else if (entry !== null) lines.push(`${pattern}: ${entry.slice(1).join(' ')}`)
  }
  return lines.sort()
}

for (const [i, engine] of engineNames.entries()) {
  test(`kafka-acls --list shows what the policy amounts to, engine ${engine}`, async () => {
    assert.deepEqual(printed(await kafkaAcls(gates[i]!, ['--list'])), ALL)
  })
}

test('kafka-acls --list shows what concerns one name', async () => {
  const about = await kafkaAcls(gates[0]!, ['--list', '--topic', 'orders.new', '--resource-pattern-type', 'match'])

  assert.deepEqual(printed(about), [ALL[7], ALL[8], ALL[9]])
})

test('kafka-acls --add changes nothing; it is told so, and the log names the policy', async () => {
  const gate = gates[0]!
  const { stdout, stderr } = await kafkaAcls(gate, ['--add', '--allow-principal', 'User:x', '--operation', 'Read', '--topic', 'a'])

  assert.match(stdout + stderr, /SecurityDisabledException: No Authorizer is configured\./)
  const line = readFileSync(gate.logFile, 'utf8')
    .split('\n')
    .find(one => one.includes('ACLs are not changed'))
  assert.ok(line, 'a line in the log')
  const { api, policy: files } = JSON.parse(line)
  assert.deepEqual([api, files], ['CreateAcls', [gate.policyFile]])
})
