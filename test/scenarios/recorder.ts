// Records scenarios: asks a Kafka with StandardAuthorizer, and the gate before an open one, and keeps what agrees.

import { isDeepStrictEqual } from 'node:util'
import { LiveCluster, Tap } from './clusters.ts'
import { askedBy, type Message, type Scenario, type Step, THE_ANSWER, THE_REQUEST, type Then } from './form.ts'
import { type Address, Live } from './naming.ts'
import { CLUSTER_ID, messageOf, Players, requestText, responseText, sorted, written } from './play.ts'
import { GATE_ADDRESS, Stage } from './stage.ts'
import { changed, Topics } from './topics.ts'

const BROKER_ADDRESS: Address = { host: 'broker.test', port: 9092 }
/** For what the gate sends on without an answer to wait for. */
const SILENCE_MS = 300

/** One cluster while one scenario is recorded. */
class LiveSide {
  readonly cluster: LiveCluster
  readonly naming: Live
  readonly topics: Topics
  readonly players: Players

  constructor(cluster: LiveCluster, called: Address, connect: (who: string) => ReturnType<LiveCluster['connect']>) {
    this.cluster = cluster
    this.naming = new Live({ host: '127.0.0.1', port: cluster.port }, called)
    this.topics = new Topics(this.naming)
    this.players = new Players({ naming: this.naming, connect })
    this.learn(cluster.base)
  }

  learn(ids: ReadonlyMap<string, string>): void {
    for (const [name, id] of ids) this.topics.add(name, id)
  }
}

interface Recording {
  readonly kafka: LiveSide
  readonly behind: LiveSide
  readonly stage: Stage
}

export class Recorder {
  readonly #reference: LiveCluster
  readonly #open: LiveCluster
  readonly #tap: Tap

  static async start(): Promise<Recorder> {
    const [reference, open] = await Promise.all([LiveCluster.start(true), LiveCluster.start(false)])
    return new Recorder(reference, open, await Tap.before(open.port))
  }

  private constructor(reference: LiveCluster, open: LiveCluster, tap: Tap) {
    this.#reference = reference
    this.#open = open
    this.#tap = tap
  }

  async stop(): Promise<void> {
    await this.#tap.close()
    await Promise.all([this.#reference.stop(), this.#open.stop()])
  }

  /** What is expected after each step; null: nothing is compared. @throws when the gate answers otherwise than Kafka, and no reason is given */
  async record(scenario: Scenario): Promise<(Then | null)[]> {
    const { given } = scenario
    await Promise.all([this.#reference.clear(), this.#open.clear()])
    await this.#reference.grant(given)
    const stage = await Stage.open({
      policy: given,
      broker: this.#tap.address,
      clusterId: CLUSTER_ID,
      nameOf: id => this.#open.nameOf(id),
      has: name => this.#open.has(name),
    })
    const kafka = new LiveSide(this.#reference, GATE_ADDRESS, who => this.#reference.connect(who))
    const behind = new LiveSide(this.#open, BROKER_ADDRESS, who => (who === 'admin' ? this.#open.connect(who) : stage.connect(who)))
    const then: (Then | null)[] = []
    try {
      for (const side of [kafka, behind]) side.learn(await side.cluster.make(given.topics ?? []))
      stage.cluster.learnFacts(behind.topics.facts)
      for (const step of scenario.steps) then.push(await this.#step(scenario, step, { kafka, behind, stage }))
    } finally {
      for (const { players } of [kafka, behind]) players.close()
      stage.close()
    }
    if (scenario.differs !== undefined && !then.some(step => step?.['Kafka answers'] !== undefined))
      throw new Error('does not differ any more')
    return then
  }

  async #step(scenario: Scenario, { when }: Step, on: Recording): Promise<Then | null> {
    const { kafka, behind, stage } = on
    if (when.as === undefined) {
      stage.replacePolicy(when)
      await this.#reference.grant(when)
      return null
    }
    this.#tap.forget()
    const request = written(scenario, when, behind.naming)
    const [expected, client] = [await kafka.players.ask(scenario, when), await behind.players.ask(scenario, when)]
    if (when.as === 'admin') {
      await this.#learn(changed(askedBy(scenario, when).api.name, when.request), on)
      return null
    }
    if (client === 'nothing') await new Promise(resolve => setTimeout(resolve, SILENCE_MS))
    const seen = this.#seen(request, behind, client)
    if (isDeepStrictEqual(client, expected)) return seen
    if (scenario.differs === undefined) throw new Error(`Kafka ${JSON.stringify(expected)}\n  gate  ${JSON.stringify(client)}`)
    return { ...seen, 'Kafka answers': expected }
  }

  async #learn({ made, removed }: ReturnType<typeof changed>, { kafka, behind, stage }: Recording): Promise<void> {
    for (const side of [kafka, behind]) {
      for (const name of removed) side.topics.remove(name)
      side.learn(await side.cluster.led(made))
    }
    stage.cluster.learnFacts(behind.topics.facts)
  }

  #seen(request: object, { naming }: LiveSide, client: Message): Then {
    const asked = messageOf(this.#tap.asked.map(one => requestText(one, naming)))
    const answers = messageOf(this.#tap.answers.map(({ to, body }) => responseText(to, body, naming)))
    return {
      'broker sees': isDeepStrictEqual(asked, request) ? THE_REQUEST : asked,
      ...(answers === 'nothing' ? {} : { 'broker answers': answers }),
      'client sees': answers !== 'nothing' && isDeepStrictEqual(sorted(answers), client) ? THE_ANSWER : client,
    }
  }
}
