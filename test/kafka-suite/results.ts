// How each test of Kafka's own went through the gate, as it was last measured: what a run must show again.

import { readFileSync, writeFileSync } from 'node:fs'

export interface SuiteResults {
  /** The version of the test jars. */
  readonly kafka: string
  /** By the test's name: `passed`, or why it does not. */
  readonly results: Readonly<Record<string, string>>
}

const file = new URL('results.json', import.meta.url)

export const suiteResults = (): SuiteResults => JSON.parse(readFileSync(file, 'utf8'))

export function keepResults(results: SuiteResults): void {
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`)
}
