// How often a consumer that waits for data asks, through the gate and beside it.

import { startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { startGate } from '../../test/e2e/gate.ts'
import { idlePolls, MAX_WAIT_MS } from '../../test/e2e/idle-polls.ts'
import { makeTopics } from '../../test/e2e/topics.ts'
import { sharedKafka } from '../../test/parts.ts'

const POLLS = 120
const TOPICS = ['idle', 'idle-refused'] as const
const policy = `version: 1\ngrants:\n  - { id: read, to: "service:reader", allow: consume, topics: ["${TOPICS[0]}"] }\n`

export async function measure(): Promise<Record<string, unknown>> {
  const [kafka, issuer] = await Promise.all([sharedKafka(), startDevIssuer()])
  await makeTopics(kafka, Object.fromEntries(TOPICS.map(topic => [topic, 1])))
  const gate = await startGate({ bootstrap: kafka.bootstrap, policy, issuers: [issuer.settings('dev')] })
  const token = await issuer.mint({ service: 'reader' })
  const { direct, allowed, mixed } = await idlePolls(kafka, gate, token, TOPICS, POLLS)
  await gate.stop()
  await issuer.stop()
  const rounded = (of: number) => Math.round(of * 1000) / 1000
  return {
    polls: POLLS,
    maxWaitMs: MAX_WAIT_MS,
    directPerSecond: rounded(direct),
    allowedToDirect: rounded(allowed / direct),
    mixedToDirect: rounded(mixed / direct),
  }
}
