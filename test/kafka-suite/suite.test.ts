// Those of Kafka's own tests that walk through the tables of AuthorizerIntegrationTest: every request without a right, with DESCRIBE alone, and with what it needs.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { versions } from '../../scripts/stack/versions.ts'
import { suiteResults } from './results.ts'
import { runSuite } from './suite.ts'

const TABLES = ['testAuthorizationWithTopicExisting', 'testAuthorizationWithTopicNotExisting']

test("Kafka's tables of requests, errors and ACLs hold through the gate", async () => {
  const lines = await runSuite(TABLES)

  assert.deepEqual(
    lines.map(({ test: name, why }) => [name, why]).sort(),
    TABLES.map(name => [name, undefined]),
  )
})

test('what is written down of all of them was measured with these jars, and says why of each that does not pass', () => {
  const { kafka, results } = suiteResults()

  assert.equal(kafka, versions.kafka.tools)
  assert.ok(Object.keys(results).length >= 240)
  for (const [name, result] of Object.entries(results)) assert.doesNotMatch(result, /Exception|Error/, `${name} needs a reason in words`)
  for (const name of TABLES) assert.equal(results[name], 'passed')
})
