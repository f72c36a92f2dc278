// Replays every scenario: what the gate sends to a broker, and what its client reads when that broker answers as Kafka did.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RecordedBroker } from './broker.ts'
import { askedBy, messagesOf, readScenario, type Scenario, type Step, scenarioFiles, THE_ANSWER, TOPICS } from './form.ts'
import { Recorded } from './naming.ts'
import { CLUSTER_ID, Players, requestText, sorted, written } from './play.ts'
import { Stage } from './stage.ts'
import { changed, Topics } from './topics.ts'

const scenarios = scenarioFiles().map(readScenario)

for (const scenario of scenarios) {
  const what = scenario.file.replace(/\.yaml$/, '').replaceAll('/', ', ')
  test(`${what}: the broker sees what may be asked, and the client what Kafka would tell it`, () => replay(scenario))
}

async function replay(scenario: Scenario): Promise<void> {
  const naming = new Recorded()
  const topics = new Topics(naming)
  for (const name of [...TOPICS, ...(scenario.given.topics ?? [])]) topics.add(name)
  const broker = await RecordedBroker.start(naming)
  const nameOf = async (id: string) => topics.nameOf(id)
  const has = async (name: string) => topics.has(name)
  const stage = await Stage.open({ policy: scenario.given, broker: broker.address, clusterId: CLUSTER_ID, nameOf, has })
  stage.cluster.learnFacts(topics.facts)
  const players = new Players({ naming, connect: who => stage.connect(who) })
  try {
    for (const step of scenario.steps) await replayStep(scenario, step, { naming, broker, topics, stage, players })
  } finally {
    players.close()
    stage.close()
    await broker.ended()
  }
  assert.deepEqual(broker.asked, [], 'nothing else reaches the broker')
}

interface Replay {
  readonly naming: Recorded
  readonly broker: RecordedBroker
  readonly topics: Topics
  readonly stage: Stage
  readonly players: Players
}

async function replayStep(scenario: Scenario, { when, then }: Step, on: Replay): Promise<void> {
  const { naming, broker, topics, stage, players } = on
  if (when.as === undefined) return stage.replacePolicy(when)
  if (when.as === 'admin') {
    const { made, removed } = changed(askedBy(scenario, when).api.name, when.request)
    for (const name of removed) topics.remove(name)
    for (const name of made) topics.add(name)
    return stage.cluster.learnFacts(topics.facts)
  }
  assert.ok(then, 'what is expected has been recorded')
  const request = written(scenario, when, naming)
  const expected = messagesOf(then['broker sees'], request)
  broker.answers = messagesOf(then['broker answers'] ?? 'nothing', request)
  const answers = [...broker.answers]

  const client = await players.ask(scenario, when)
  const seen = await broker.seen(expected.length)

  const texts = seen.map(asked => requestText(asked, naming))
  assert.deepEqual(texts, expected, 'what the broker sees')
  const told = then['client sees']
  assert.deepEqual(client, sorted(told === THE_ANSWER ? answers[0] : told), 'what the client sees')
}
