// The policy's own tests: judged by the embedded evaluator on the file's grants and rules, whatever engine serves; shadows count as if enforced.

import type { Principal } from '../auth/principal.ts'
import type { Problem } from '../base/errors.ts'
import { InvalidFileError, meant, problemText } from '../base/errors.ts'
import type { Operation, Reason } from './authorizer.ts'
import { Verdict } from './authorizer.ts'
import { Embedded } from './embedded.ts'
import { Names } from './names.ts'
import type { OperationName } from './operations.ts'
import {
  KIND_KEYS,
  KIND_NAMES,
  KINDS,
  namesOf,
  OPERATION_NAMES,
  OPERATIONS,
  SUPPORTED,
  VERB_NAMES,
  VERBS,
  withImplied,
} from './operations.ts'
import type { PolicyDocument, PolicyTest, Question } from './policy-document.ts'
import { isVerb, Wrong } from './policy-words.ts'

/** A question that did not come out as the test says. */
export interface Failure {
  readonly test: PolicyTest
  readonly key: 'can' | 'cannot'
  readonly question: string
  readonly operation: OperationName
  readonly reason: Reason
}

export interface TestRun {
  readonly tests: number
  readonly questions: number
  readonly failures: readonly Failure[]
  /** Ids of grants on which the answer to some `can` rests; only when it was asked for. */
  readonly touched: ReadonlySet<string>
}

/** Policy tests that fail; commands end with exit code 4. */
export class PolicyTestsError extends InvalidFileError {
  readonly failures: readonly Failure[]
  constructor(failures: readonly Failure[]) {
    super(failures.map(problemOf))
    this.name = 'PolicyTestsError'
    this.failures = failures
  }
}

/** Reads `consume topic:acme.events`. @param key what of a verb is asked depends on it */
export function readQuestion(text: string, key: 'can' | 'cannot'): Question | Wrong {
  const [, word, kindText, name] = /^(\S+)\s+([A-Za-z]+)(?::(.*))?$/s.exec(text.trim()) ?? []
  if (word === undefined) return new Wrong(`${text} is not a question`, 'write <verb or operation> <kind>:<name>, as consume topic:orders')
  const kind = KIND_KEYS.find(k => KIND_NAMES[KINDS[k]] === kindText)
  if (kind === undefined) return new Wrong(`${kindText} is not a kind of resource`, meant(kindText!, Object.values(KIND_NAMES)))
  if (kind !== 'cluster' && (name === undefined || name === ''))
    return new Wrong(`${text} names no ${kindText}`, `write ${kindText}:<name>`)
  const known = isVerb(word) ? VERBS[word][kind] : Object.hasOwn(OPERATIONS, word) ? 1 << OPERATIONS[word as OperationName] : -1
  if (known === -1) return new Wrong(`${word} is not a verb or an operation`, meant(word, [...VERB_NAMES, ...OPERATION_NAMES]))
  const resource = KINDS[kind]
  let operations = known & SUPPORTED[resource]
  if (isVerb(word)) {
    operations = withImplied(operations)
    if (key === 'cannot' && word !== 'observe') operations &= ~(1 << OPERATIONS.describe)
  }
  if (operations === 0) return new Wrong(`${word} says nothing about a ${kindText}`, isVerb(word) && known !== 0 ? 'ask observe' : null)
  return { text, resource, name: kind === 'cluster' ? 'kafka-cluster' : name!, operations }
}

/** Judges all tests of a document. @param isTracing whether to say which grants the answers rest on */
export function runTests(document: PolicyDocument, nowMs: number, isTracing = false): TestRun {
  const failures: Failure[] = []
  const touched = new Set<string>()
  let questions = 0
  const clock = { nowMs }
  const names = new Names()
  const rules = document.rules.map(rule => ({ ...rule, shadowUntilMs: null }))
  const authorizer = new Embedded({ ...document, rules, shadows: [] }, { names, clock })
  for (const test of document.tests) {
    clock.nowMs = test.atMs ?? nowMs
    const rights = authorizer.rights(principalOf(test), { listener: '', address: test.address ?? '' })
    for (const key of ['can', 'cannot'] as const) {
      for (const question of test[key]) {
        questions++
        const name = names.text(question.resource, question.name)
        for (const operation of namesOf(question.operations)) {
          const code: Operation = OPERATIONS[operation]
          const isAllowed = rights.check(code, name) === Verdict.Allowed
          if (isTracing && isAllowed && key === 'can' && isMeant(code, question)) touched.add(rights.explain(code, name).grant ?? '')
          if (isAllowed === (key === 'can')) continue
          failures.push({ test, key, question: question.text, operation, reason: rights.explain(code, name) })
          break
        }
      }
    }
  }
  return { tests: document.tests.length, questions, failures, touched }
}

/** @throws {PolicyTestsError} when any test fails */
export function demandTests(document: PolicyDocument, nowMs: number): void {
  const { failures } = runTests(document, nowMs)
  if (failures.length > 0) throw new PolicyTestsError(failures)
}

/** Describe comes along with a verb: who may look is no reason why somebody may read. */
const isMeant = (operation: Operation, { operations }: Question): boolean =>
  operation !== OPERATIONS.describe || operations === 1 << OPERATIONS.describe

/** How a test is called: by its name, or by whom it is about. */
export const testText = ({ name, as, place }: PolicyTest): string => name ?? `${as.subject.kind}:${as.subject.name} (line ${place.line})`

export function failureText(failure: Failure): string {
  return problemText(problemOf(failure))
}

function problemOf({ test, key, question, operation, reason }: Failure): Problem {
  const { file, line, col = 1 } = test.place
  const who = `${test.as.subject.kind}:${test.as.subject.name}`
  const because = reason.rule !== null ? `rule ${reason.rule}` : reason.grant !== null ? `grant ${reason.grant}` : reason.why
  return {
    file,
    line,
    col,
    path: `tests.${key}`,
    problem: key === 'can' ? `${who} cannot ${question}: ${operation} is refused` : `${who} can ${question}: ${operation} is allowed`,
    hint: because,
  }
}

function principalOf({ as }: PolicyTest): Principal {
  const { subject } = as
  return {
    id: `${subject.kind}:${subject.issuer}/${subject.name}`,
    type: subject.kind,
    issuer: subject.issuer,
    name: subject.name,
    groups: as.groups,
    realmRoles: as.realmRoles,
    clientRoles: as.clientRoles,
    organizations: as.organizations,
    claims: as.claims,
    acting: as.acting === null ? null : { kind: as.acting, by: '' },
    expiresAtMs: Number.POSITIVE_INFINITY,
    token: { iss: '', azp: null, sid: null, jti: null },
  }
}
