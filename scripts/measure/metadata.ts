// What all-topics Metadata takes through a whole gate behind a real OpenFGA: 2 000 principals, 10 000 topics, 1 000 grants, over real sockets.

import { startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { shippedModel } from '../../src/policy/openfga-model.ts'
import { startGate } from '../../test/e2e/gate.ts'
import { AnsweringBroker, clusterAnswers } from '../../test/fakes/answering-broker.ts'
import { encodeResponse, FakeClient } from '../../test/fakes/client.ts'
import { startFaultyOpenFga } from '../../test/fakes/faulty-openfga.ts'
import { type Datastore, startOpenFga } from '../stack/openfga.ts'
import { part } from './part.ts'

const TOPICS = 10_000
const GRANTS = 1_000
const PRINCIPALS = 2_000
/** Grants that each principal is given, and principals that come at the same time. */
const GIVEN = 4
const AT_ONCE = 16
/** Connections that stay, and ask again one after the other. */
const STAY = 200
const METADATA = 3
const VERSION = 12
const HEAD_BYTES = 8

export async function measure(): Promise<Record<string, unknown>> {
  return { memory: await through('memory'), postgres: await through('postgres') }
}

async function through(datastore: Datastore): Promise<Record<string, number>> {
  const openFga = await startOpenFga(datastore)
  const counted = await startFaultyOpenFga(openFga.url)
  const { store } = await openFga.createStore('metadata', shippedModel())
  const broker = await brokerOf(
    Object.fromEntries(Array.from({ length: TOPICS }, (_, i) => [topicOf(i), i.toString(16).padStart(32, '0')])),
  )
  const issuer = await startDevIssuer({ lifetimeMs: 3_600_000 })
  const gate = await startGate({
    bootstrap: `127.0.0.1:${broker.port}`,
    policy: policyText(),
    issuers: [issuer.settings('dev')],
    config: { authorizer: { engine: 'openfga', openfga: { url: counted.url, store, apply: 'auto' } } },
  })
  counted.asked.clear()
  try {
    const coldMs: number[] = []
    const stay: FakeClient[] = []
    let next = 0
    const visit = async (): Promise<void> => {
      while (next < PRINCIPALS) {
        const i = next++
        const client = await FakeClient.connect(gate.port)
        if ((await client.login(await issuer.mint({ service: `p${i}` }))) !== 0) throw new Error('a login was refused')
        coldMs.push(await timed(client))
        if (i < STAY) stay.push(client)
        else client.socket.destroy()
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, visit))
    const calls = [...counted.asked].reduce((sum, [verb, count]) => (verb === 'changes' ? sum : sum + count), 0)
    const warmMs: number[] = []
    for (let round = 0; round < 3; round++) for (const client of stay) warmMs.push(await timed(client))
    for (const client of stay) client.socket.destroy()
    return {
      callsPerPrincipal: calls / PRINCIPALS,
      coldP50Ms: part(coldMs, 0.5),
      coldP99Ms: part(coldMs, 0.99),
      warmP50Ms: part(warmMs, 0.5),
      warmP99Ms: part(warmMs, 0.99),
    }
  } finally {
    await gate.stop()
    await issuer.stop()
    await broker.stop()
    counted.stop()
    await openFga.stop()
  }
}

/** From the request to the whole response. @throws {Error} when it does not list what the principal was given */
async function timed(client: FakeClient): Promise<number> {
  const sinceMs = performance.now()
  const { topics } = await client.ask(METADATA, VERSION, { topics: null, allowAutoTopicCreation: false })
  const tookMs = performance.now() - sinceMs
  if (topics.length !== GIVEN * (TOPICS / GRANTS)) throw new Error(`${topics.length} topics are listed`)
  return tookMs
}

/** Answers are encoded once. */
async function brokerOf(topics: Readonly<Record<string, string>>): Promise<AnsweringBroker> {
  const brokers: AnsweringBroker[] = []
  const answers = clusterAnswers(() => brokers, topics)
  const encoded = new Map<number, Buffer>()
  const all = (request: any, version: number): Buffer => {
    let answer = encoded.get(version)
    if (answer === undefined) encoded.set(version, (answer = encodeResponse(METADATA, version, 0, answers[METADATA]!(request, version))))
    return answer.subarray(HEAD_BYTES)
  }
  const broker = await AnsweringBroker.start({
    ...answers,
    [METADATA]: (request, version) => (request.topics === null ? all(request, version) : answers[METADATA]!(request, version)),
  })
  brokers.push(broker)
  return broker
}

const topicOf = (i: number): string => `t${i % GRANTS}.${Math.floor(i / GRANTS)}`

/** Each grant covers a prefix of ten topics, and is given to eight. */
function policyText(): string {
  const to = Array.from({ length: GRANTS }, (): string[] => [])
  for (let i = 0; i < PRINCIPALS * GIVEN; i++) to[(i * 31) % GRANTS]!.push(`"service:p${Math.floor(i / GIVEN)}"`)
  return `version: 1
grants:
${to.map((subjects, i) => `  - { id: g${i}, to: [${subjects.join(', ')}], allow: consume, topics: ["t${i}.*"] }`).join('\n')}
`
}
