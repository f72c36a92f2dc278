// Kafka's own AuthorizerIntegrationTest, run through the gate: its ACLs become the gate's policy by `policy import acls`' own code.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { suiteCommand } from '../../scripts/stack/drivers.ts'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { type Acl, importAcls } from '../../src/policy/import-acls.ts'
import { importedText } from '../../src/policy/imported.ts'
import { type Gate, startGate } from '../e2e/gate.ts'

/** How one test of the class went; a test with parameters has a line for each. */
export interface SuiteLine {
  readonly test: string
  readonly passed: boolean
  /** What JUnit says of a failure. */
  readonly why?: string
}

const NOBODY = 'version: 1\ngrants: []\n'
const ADOPT_MS = 15_000

/** @param names methods of the class; none: all. @param tell gets each line as it comes */
export async function runSuite(names: readonly string[], tell: (line: SuiteLine) => void = () => {}): Promise<SuiteLine[]> {
  const issuer = await startDevIssuer({ lifetimeMs: 3_600_000 })
  const [command, ...args] = await suiteCommand()
  const java = spawn(command!, [...args, ...names], { stdio: 'pipe' })
  try {
    return await conversation(java, issuer, tell)
  } finally {
    java.kill('SIGKILL')
    await issuer.stop()
  }
}

/** The test says when its broker is up, and which ACLs there are; it goes on when it has its answer. */
async function conversation(
  java: ChildProcessWithoutNullStreams,
  issuer: DevIssuer,
  tell: (line: SuiteLine) => void,
): Promise<SuiteLine[]> {
  const lines: SuiteLine[] = []
  let gate: Gate | undefined
  let stderr = ''
  java.stderr.setEncoding('utf8').on('data', text => (stderr = `${stderr}${text}`.slice(-4000)))
  const ended = new Promise<number | null>((resolve, reject) => java.on('error', reject).on('close', resolve))
  const perform = async (asked: any): Promise<object> => {
    if (asked.do === 'acls') await adopt(gate!, asked.acls)
    else {
      await gate?.stop()
      gate = undefined
    }
    if (asked.do !== 'start') return {}
    const token = await issuer.mint({ service: 'client' })
    gate = await startGate({ bootstrap: asked.bootstrap, issuers: [issuer.settings('dev')], policy: NOBODY })
    return { port: gate.port, token }
  }
  for await (const text of createInterface({ input: java.stdout })) {
    const line = JSON.parse(text)
    if (line.test !== undefined) {
      lines.push(line)
      tell(line)
      continue
    }
    const answer = await perform(line).catch(error => ({ error: String(error) }))
    java.stdin.write(`${JSON.stringify(answer)}\n`)
  }
  await gate?.stop()
  if ((await ended) !== 0 || lines.length === 0) throw new Error(`Kafka's tests ended badly:\n${stderr}`)
  return lines
}

/** Gives the gate these ACLs as its policy, and waits until it judges by them. */
async function adopt(gate: Gate, acls: readonly Acl[]): Promise<void> {
  const before = await gate.metric('topicgate_policy_generation')
  const policy = importAcls(acls, name => ({ kind: 'service', name: name.replace('User:', '') }))
  // An ACL for an operation that its kind of resource does not have changes nothing at a broker either.
  const unsaid = policy.remarks.filter(({ why }) => !why.includes('means nothing'))
  if (unsaid.length > 0) throw new Error(`ACLs that the import cannot say: ${JSON.stringify(unsaid)}`)
  gate.setPolicy(importedText("the test's ACLs", policy))
  process.kill(gate.pid, 'SIGHUP')
  const endsAtMs = performance.now() + ADOPT_MS
  while ((await gate.metric('topicgate_policy_generation')) === before) {
    if (performance.now() > endsAtMs) throw new Error('the gate does not take the policy')
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}
