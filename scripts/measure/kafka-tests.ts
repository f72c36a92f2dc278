// Kafka's whole AuthorizerIntegrationTest through the gate: what passes is written down in test/kafka-suite/results.json.

import { keepResults, suiteResults } from '../../test/kafka-suite/results.ts'
import { runSuite } from '../../test/kafka-suite/suite.ts'
import { versions } from '../stack/versions.ts'

/** A reason that is written down stays; a failure that is new comes with what JUnit says. */
export async function measure(): Promise<Record<string, unknown>> {
  const before = suiteResults().results
  const startedAtMs = performance.now()
  const lines = await runSuite([])
  const outcome = ({ test, passed, why }: (typeof lines)[number]) => {
    if (passed) return 'passed'
    const known = before[test]
    return known === undefined || known === 'passed' ? String(why) : known
  }
  const results = Object.fromEntries(lines.map(line => [line.test, outcome(line)] as const).sort(([a], [b]) => (a < b ? -1 : 1)))
  keepResults({ kafka: versions.kafka.tools, results })
  const changed = Object.keys({ ...before, ...results }).filter(test => before[test] !== results[test])
  return {
    tests: lines.length,
    passed: lines.filter(({ passed }) => passed).length,
    unlikeBefore: changed.join(' '),
    durationS: Math.round((performance.now() - startedAtMs) / 1000),
  }
}
