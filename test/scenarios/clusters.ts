// What scenarios are recorded from: a Kafka that judges itself, and an open one behind the gate, with what passes between the two.

import { connect } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import { type Kafka, startKafka } from '../../scripts/stack/kafka.ts'
import { UNKNOWN_TOPIC_OR_PARTITION } from '../../src/policy/answers.ts'
import { Operation } from '../../src/policy/authorizer.ts'
import { namesOf } from '../../src/policy/operations.ts'
import type { Cover } from '../../src/policy/policy-document.ts'
import { RawClient as Client, type RawClient } from '../equivalence/raw-client.ts'
import { awakenCoordinators, SETTINGS, seed, untilLed } from '../equivalence/world.ts'
import { type BrokerEnd, type FakeBroker, fakeBroker } from '../fakes/broker.ts'
import { Frames } from '../fakes/frames.ts'
import { type PolicyText, TOPICS } from './form.ts'
import { emptyGroups } from './groups.ts'
import { type Asked, decodeResponse, isSilent, readRequest } from './play.ts'
import { policyOf } from './stage.ts'

const INTERNAL = /^__/

export class LiveCluster {
  readonly kafka: Kafka
  readonly admin: RawClient
  /** Ids in hex, by name. */
  readonly base: ReadonlyMap<string, string>
  readonly #judges: boolean

  static async start(judges: boolean): Promise<LiveCluster> {
    // Delegation tokens are off, as they are to clients of the gate.
    const properties = { ...SETTINGS, 'unstable.api.versions.enable': 'true', ...(judges && { 'delegation.token.secret.key': '' }) }
    const kafka = await startKafka({ authorizer: judges, properties })
    const open = (who: string) => openAt(kafka, judges ? who : null)
    const admin = await open('admin')
    const base = await seed(admin, TOPICS)
    await awakenCoordinators(admin)
    return new LiveCluster(kafka, admin, base, judges)
  }

  private constructor(kafka: Kafka, admin: RawClient, base: ReadonlyMap<string, string>, judges: boolean) {
    this.kafka = kafka
    this.admin = admin
    this.base = base
    this.#judges = judges
  }

  get port(): number {
    return this.kafka.nodes[0]!.port
  }

  connect(who: string): Promise<RawClient> {
    return openAt(this.kafka, this.#judges ? who : null)
  }

  async ask(api: string, version: number, body: object): Promise<any> {
    return ((await this.admin.ask(api, version, body)) as { response: any }).response
  }

  /** Topics of one partition. @returns their ids in hex */
  async make(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (names.length === 0) return new Map()
    const topics = names.map(name => ({ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }))
    const made = await this.ask('CreateTopics', 7, { topics, timeoutMs: 30_000, validateOnly: false })
    for (const { name, errorCode } of made.topics) if (errorCode !== 0) throw new Error(`${name} was not made: error ${errorCode}`)
    return this.led(names)
  }

  /** Waits until topics have leaders. @returns their ids in hex */
  async led(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    for (const name of names) await untilLed(this.admin, name)
    const { topics } = await this.ask('Metadata', 12, { topics: names.map(name => ({ name })), allowAutoTopicCreation: false })
    return new Map(topics.map((topic: any) => [topic.name, topic.topicId]))
  }

  async nameOf(topicId: string): Promise<string | null> {
    const { topics } = await this.ask('Metadata', 12, { topics: [{ name: null, topicId }], allowAutoTopicCreation: false })
    return topics[0].name
  }

  async has(name: string): Promise<boolean> {
    const { topics } = await this.ask('Metadata', 12, { topics: [{ name }], allowAutoTopicCreation: false })
    return topics[0].errorCode !== UNKNOWN_TOPIC_OR_PARTITION
  }

  /** Takes away what scenarios have left. */
  async clear(): Promise<void> {
    await emptyGroups((api, version, body) => this.ask(api, version, body))
    for (;;) {
      const { topics } = await this.ask('Metadata', 12, { topics: null, allowAutoTopicCreation: false })
      const left = topics.map((topic: any) => topic.name).filter((name: string) => !this.base.has(name) && !INTERNAL.test(name))
      if (left.length === 0) return
      await this.ask('DeleteTopics', 6, { topics: left.map((name: string) => ({ name })), timeoutMs: 30_000 })
    }
  }

  /** These rights and no others. */
  async grant(policy: PolicyText): Promise<void> {
    const creations = aclsOf(policy)
    await this.ask('DeleteAcls', 3, { filters: [ANY_ACL] })
    if (creations.length > 0) await this.ask('CreateAcls', 3, { creations })
    for (const wanted = lines(creations); ; ) {
      const { resources } = await this.ask('DescribeAcls', 3, ANY_ACL)
      const held = resources.flatMap(({ acls, ...resource }: any) =>
        acls.map((acl: any) => ({ ...resource, resourcePatternType: resource.patternType, ...acl })),
      )
      if (isDeepStrictEqual(lines(held), wanted)) return
    }
  }

  stop(): Promise<void> {
    this.admin.close()
    return this.kafka.stop()
  }
}

const openAt = (kafka: Kafka, who: string | null): Promise<RawClient> =>
  Client.open('127.0.0.1', kafka.nodes[0]!.port, who === null ? null : { mechanism: 'PLAIN', name: who })

const [ANY, DENY, ALLOW, LITERAL, PREFIXED] = [1, 2, 3, 3, 4]
const ANY_ACL = {
  resourceTypeFilter: ANY,
  resourceNameFilter: null,
  patternTypeFilter: ANY,
  principalFilter: null,
  hostFilter: null,
  operation: ANY,
  permissionType: ANY,
}
const CODES: { readonly [name: string]: number } = Object.fromEntries(
  Object.values(Operation).flatMap(code => namesOf(1 << code).map(name => [name, code])),
)

const lines = (acls: readonly any[]): Set<string> =>
  new Set(
    acls.map(acl =>
      [acl.resourceType, acl.resourceName, acl.resourcePatternType, acl.principal, acl.operation, acl.permissionType].join(' '),
    ),
  )

/** The same rights as ACLs. */
function aclsOf(policy: PolicyText): object[] {
  const { grants, rules } = policyOf(policy)
  const acls = (covers: readonly Cover[], subjects: readonly any[], permissionType: number) =>
    covers.flatMap(({ resource, prefix, text, operations }) =>
      subjects.flatMap(({ name }) =>
        namesOf(operations).map(operation => ({
          resourceType: resource,
          resourceName: resource === 4 ? 'kafka-cluster' : text === '' ? '*' : text,
          resourcePatternType: prefix && text !== '' ? PREFIXED : LITERAL,
          principal: `User:${name}`,
          host: '*',
          operation: CODES[operation],
          permissionType,
        })),
      ),
    )
  return [
    ...grants.flatMap(grant => acls(grant.covers, grant.to, ALLOW)),
    ...rules.flatMap(rule => acls(rule.denies, rule.for ?? [], DENY)),
  ]
}

/** Passes on what the gate and a broker say to each other, and keeps it. */
export class Tap {
  readonly #fake: FakeBroker
  asked: Asked[] = []
  answers: { readonly to: Asked; readonly body: any }[] = []

  static async before(port: number): Promise<Tap> {
    const tap: Tap = new Tap(await fakeBroker(end => void tap.#pass(end, port)))
    return tap
  }

  private constructor(fake: FakeBroker) {
    this.#fake = fake
  }

  get address(): { readonly host: string; readonly port: number } {
    return { host: this.#fake.host, port: this.#fake.port }
  }

  forget(): void {
    this.asked = []
    this.answers = []
  }

  close(): Promise<void> {
    return this.#fake.close()
  }

  async #pass(gate: BrokerEnd, port: number): Promise<void> {
    const socket = connect(port, '127.0.0.1')
    const broker = new Frames(socket)
    const owed: Asked[] = []
    const passOn = async () => {
      for (let frame = await gate.next(); frame !== null; frame = await gate.next()) {
        const asked = readRequest(Buffer.from(frame))
        this.asked.push(asked)
        if (!isSilent(asked)) owed.push(asked)
        socket.write(frame)
      }
      socket.destroy()
    }
    void passOn()
    for (let frame = await broker.next(); frame !== null; frame = await broker.next()) {
      const to = owed.shift()!
      this.answers.push({ to, body: decodeResponse(to.api, to.version, Buffer.from(frame)) })
      gate.write(frame)
    }
    gate.socket.destroy()
  }
}
