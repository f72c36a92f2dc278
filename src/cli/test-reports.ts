// Results of policy tests as a tree for people, as JUnit XML for build servers, and as JSON.

import { placeText } from '../policy/pattern-text.ts'
import type { PolicyDocument, PolicyTest } from '../policy/policy-document.ts'
import { type Failure, type TestRun, testText } from '../policy/policy-tests.ts'
import { failureWords } from './policy-test.ts'

interface Result {
  readonly test: PolicyTest
  readonly failures: readonly Failure[]
}

const resultsOf = ({ tests }: PolicyDocument, { failures }: TestRun): Result[] =>
  tests.map(test => ({ test, failures: failures.filter(failure => failure.test === test) }))

/** The results of each file together. */
function byFile(results: readonly Result[]): Map<string, Result[]> {
  const files = new Map<string, Result[]>()
  for (const result of results) {
    const { file } = result.test.place
    const list = files.get(file)
    if (list === undefined) files.set(file, [result])
    else list.push(result)
  }
  return files
}

/** One entry a test, or one for each of its questions that failed. */
export function asJson(document: PolicyDocument, run: TestRun): object[] {
  return resultsOf(document, run).flatMap(({ test, failures }): object[] => {
    const base = { test: placeText(test.place), ...(test.name === null ? {} : { name: test.name }) }
    if (failures.length === 0) return [{ ...base, ok: true }]
    return failures.map(({ key, question, operation, reason: { grant, rule, why } }) => ({
      ...base,
      ok: false,
      key,
      question,
      operation,
      grant,
      rule,
      why,
    }))
  })
}

export function asTree(document: PolicyDocument, run: TestRun): string {
  const lines: string[] = []
  for (const [file, results] of byFile(resultsOf(document, run))) {
    lines.push(file)
    for (const { test, failures } of results) {
      const questions = test.can.length + test.cannot.length
      lines.push(
        `  ${failures.length === 0 ? 'ok  ' : 'FAIL'}  ${testText(test)}  ${questions === 1 ? '1 question' : `${questions} questions`}`,
      )
      for (const failure of failures) lines.push(`        ${failureWords(failure)}`)
    }
  }
  const untouched = document.grants.filter(({ id }) => !run.touched.has(id))
  if (untouched.length > 0) lines.push('grants that no test touches', ...untouched.map(({ id, place }) => `  ${placeText(place)}  ${id}`))
  return lines.map(line => `${line}\n`).join('')
}

export function asJunit(document: PolicyDocument, run: TestRun): string {
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites tests="${run.tests}" failures="${failed(resultsOf(document, run))}">`,
  ]
  for (const [file, results] of byFile(resultsOf(document, run))) {
    lines.push(`  <testsuite name="${xml(file)}" tests="${results.length}" failures="${failed(results)}">`)
    for (const { test, failures } of results) {
      const head = `    <testcase classname="${xml(file)}" name="${xml(testText(test))}" file="${xml(file)}" line="${test.place.line}"`
      if (failures.length === 0) lines.push(`${head}/>`)
      else {
        const words = failures.map(failureWords)
        lines.push(`${head}>`, `      <failure message="${xml(words[0]!)}">${xml(words.join('\n'))}</failure>`, '    </testcase>')
      }
    }
    lines.push('  </testsuite>')
  }
  lines.push('</testsuites>')
  return lines.map(line => `${line}\n`).join('')
}

const failed = (results: readonly Result[]): number => results.filter(({ failures }) => failures.length > 0).length

const ENTITIES: { readonly [character: string]: string } = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/** Fit for XML 1.0, which has no control characters, not even as entities. */
const xml = (text: string): string =>
  text.replace(/[&<>"]/g, character => ENTITIES[character]!).replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
