// Holds scenarios against the rule table: no row without a refusal, no version that is not served, no expectation without a source.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { apiTable } from '../../src/policy/api-table.ts'
import { offered } from '../../src/policy/plan.ts'
import { askedBy, readScenario, type Scenario, scenarioFiles, THE_ANSWER, type Then } from './form.ts'

const scenarios = scenarioFiles().map(readScenario)

/** Told so, cut off, or shown less than the broker answered. */
const isRefusal = (then: Then): boolean => {
  const seen = then['client sees']
  return (
    seen === 'closed' || /AUTHORIZATION_FAILED/.test(JSON.stringify(seen)) || (then['broker answers'] !== undefined && seen !== THE_ANSWER)
  )
}
/** Versions in which a refusal cannot be told from an answer. */
const EXCUSED = {
  'DescribeLogDirs v1': 'before v3 there is no field for an error: the list is empty',
  'CreateDelegationToken v1': 'before v3 nobody can ask for somebody else',
}
const refuses = ({ steps }: Scenario): boolean => steps.some(({ then }) => then !== undefined && isRefusal(then))

/** Answered by the login and by the session, which have their own tests. */
const LOGIN = ['SaslHandshake', 'ApiVersions', 'SaslAuthenticate']
const rows = apiTable().filter(({ name, versions }) => versions !== null && !LOGIN.includes(name))

test('an API of a newer Kafka is named here until somebody gives it a row', () => {
  const closed = apiTable().filter(({ versions }) => versions === null)
  assert.deepEqual(
    closed.map(({ name }) => name),
    [],
  )
})

test('every API that is served has scenarios of its first version and of its last: a newer one is named here until it has been looked at', () => {
  const written = new Set(scenarios.map(({ api, version }) => `${api.name} v${version}`))
  const missing = rows.flatMap(({ key, name }) => [...new Set(offered.get(key)!)].map(version => `${name} v${version}`))
  assert.deepEqual(
    missing.filter(line => !written.has(line)),
    [],
  )
})

test('every row of the table that refuses something has a scenario of a refusal, from its first version to its last', () => {
  const refused = new Set(scenarios.filter(refuses).map(({ api, version }) => `${api.name} v${version}`))
  const wanted = rows.filter(row => row.refused !== '').flatMap(({ key, name }) => offered.get(key)!.map(version => `${name} v${version}`))
  const missing = wanted.filter(line => !refused.has(line))
  assert.deepEqual(missing, Object.keys(EXCUSED))
})

test('a scenario asks versions that are served', () => {
  for (const scenario of scenarios) {
    for (const { when } of scenario.steps) {
      if (when.as === undefined || when.as === 'admin') continue
      const { api, version } = askedBy(scenario, when)
      const [min, max] = offered.get(api.key) ?? [1, 0]
      assert.ok(version >= min && version <= max, `${scenario.file}: ${api.name} v${version}`)
    }
  }
})

test('what a scenario expects was recorded, or read at a place that is named', () => {
  for (const { file, source } of scenarios)
    assert.match(source, /^recorded from Kafka \d+\.\d+\.\d+ with StandardAuthorizer$|\.(scala|java) \w+ \(\d\.\d\)$/, file)
})

test('what differs from Kafka says why, and what Kafka answers, and so does its row', () => {
  for (const { file, api, differs, steps } of scenarios) {
    const told = steps.some(({ then }) => then?.['Kafka answers'] !== undefined)
    assert.equal(told, differs !== undefined, file)
    if (told)
      assert.ok(
        rows.some(row => row.key === api.key && row.differs !== ''),
        `${api.name} does not say where it differs`,
      )
  }
})
