// Whole histories of fetch sessions, of three connections and two principals before one broker: each answer is the one that a simple model gives.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Forward, Plan, ResponseEdit } from '../../../src/policy/outcome.ts'
import { fetchPlan } from '../../../src/policy/special/fetch.ts'
import { Fetch } from '../../../src/protocol/messages/01-fetch.ts'
import { FakeCaller, FakeRights } from './caller.ts'
import { type FetchBody, keyOf, ModelBroker, ModelConsumer } from './fetch-model.ts'
import { frames } from './frames.ts'

const RUNS = Number(process.env['FC_RUNS'] ?? 50)
const STEPS = 100
const NAMES = ['a', 'b', 'c', 'nobody'] as const
/** Connections 0 and 1 are of the same principal. */
const PRINCIPALS = ['lena', 'lena', 'max'] as const
const [REFUSED, UNKNOWN_TOPIC, UNKNOWN_ID, UNDECIDED, NOT_FOUND, WRONG_EPOCH] = [29, 3, 100, 6, 70, 71]

const topic = fc.constantFrom(...NAMES)
const connection = fc.nat(2)
const weighted = <K extends string>(weight: number, kind: K) => ({
  weight,
  arbitrary: fc.record({
    kind: fc.constant(kind),
    at: connection,
    topic,
    partition: fc.nat(2),
    offset: fc.nat(9),
    throttled: fc.nat(9).map(n => n === 0),
  }),
})
const step = fc.oneof(
  weighted(24, 'fetch'),
  weighted(10, 'want'),
  weighted(6, 'drop'),
  weighted(6, 'allow'),
  weighted(6, 'refuse'),
  weighted(2, 'undecide'),
  weighted(3, 'decide'),
  weighted(2, 'evict'),
  weighted(1, 'empty'),
  weighted(2, 'delete'),
  weighted(3, 'recreate'),
  weighted(3, 'renew'),
  weighted(2, 'wrong epoch'),
  weighted(2, 'steal'),
  weighted(2, 'close of others'),
  weighted(2, 'reconnect'),
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

/** What happened, over all histories: a kind of step that never mattered would show here. */
const tally = new Map<string, number>()
const count = (what: string): void => void tally.set(what, (tally.get(what) ?? 0) + 1)

class World {
  readonly #version: number
  readonly #plan: Plan
  /** Room for fewer sessions than there are connections, now and then. */
  readonly #broker: ModelBroker
  readonly #brokerState = new Map<string, any>()
  readonly #rights: Readonly<Record<string, FakeRights>>
  readonly #ids = new Map<string, string | null>()
  /** The id of each topic that there is. */
  readonly #there = new Map<string, string>()
  #generation = 0
  readonly #callers: FakeCaller[]
  readonly #consumers = PRINCIPALS.map(() => new ModelConsumer())
  /** What the sessions of each connection hold, as its client must see it. */
  readonly #sessions = PRINCIPALS.map(() => new Map<number, { epoch: number; keys: Set<string> }>())

  constructor(version: number, capacity: number) {
    this.#version = version
    this.#plan = fetchPlan(version)
    this.#broker = new ModelBroker(capacity)
    for (const name of NAMES) this.#create(name)
    this.#there.delete('nobody')
    const rightsOf = (name: string) => Object.assign(new FakeRights().allow('Read topic:a'), { principal: { id: `user:test/${name}` } })
    this.#rights = { lena: rightsOf('lena'), max: rightsOf('max') }
    this.#callers = PRINCIPALS.map((_, at) => this.#connect(at))
  }

  async take(step: Step): Promise<void> {
    const { kind, at, topic: name, partition, offset } = step
    const consumer = this.#consumers[at]!
    const rights = this.#rights[PRINCIPALS[at]!]!
    const word = `Read topic:${name}`
    switch (kind) {
      case 'fetch':
        return this.#fetch(at, step.throttled)
      case 'want':
        return void consumer.wants.set(`${this.#keyOf(name)}/${partition}`, BigInt(offset))
      case 'drop':
        return void consumer.wants.delete(`${this.#keyOf(name)}/${partition}`)
      case 'allow':
        return void rights.allow(word)
      case 'refuse':
        return void rights.refuse(word)
      case 'undecide':
        rights.undecided.add(word)
        return void rights.epoch++
      case 'decide':
        rights.undecided.clear()
        return void rights.epoch++
      case 'evict':
        return void this.#broker.sessions.delete(consumer.sessionId)
      case 'empty':
        return consumer.wants.clear()
      case 'delete':
        return void this.#there.delete(name)
      case 'recreate':
        return name === 'nobody' ? undefined : this.#create(name)
      case 'renew':
        return this.#renew(consumer)
      case 'wrong epoch':
        return this.#wrongEpoch(at, partition + 1)
      case 'steal':
        return this.#steal(at, (at + 1 + (partition % 2)) % 3)
      case 'close of others':
        return this.#closeOthers(at, (at + 1 + (partition % 2)) % 3)
      case 'reconnect':
        this.#callers[at] = this.#connect(at)
        return this.#sessions[at]!.clear()
    }
  }

  #connect(at: number): FakeCaller {
    const caller = new FakeCaller(this.#brokerState)
    return Object.assign(caller, { rights: this.#rights[PRINCIPALS[at]!]!, ids: this.#ids })
  }

  /** A topic that comes again has another id; the old one keeps its name in what follows, as it does until the gate has noticed. */
  #create(name: string): void {
    const id = `${name.charCodeAt(0).toString(16)}${(this.#generation++).toString(16).padStart(30, '0')}`
    this.#ids.set(id, name === 'nobody' ? null : name)
    this.#there.set(name, id)
    this.#newest.set(name, id)
  }
  readonly #newest = new Map<string, string>()

  #keyOf(name: string): string {
    return this.#version >= 13 ? this.#newest.get(name)! : name
  }

  #nameOf(key: string): string {
    return this.#version >= 13 ? (this.#ids.get(key) ?? 'nobody') : key
  }

  /** Fresh metadata: wanted ids become those that the topics have now. */
  #renew(consumer: ModelConsumer): void {
    const wants = [...consumer.wants].map(([key, offset]) => {
      const [topicKey, partition] = key.split('/')
      return [`${this.#keyOf(this.#nameOf(topicKey!))}/${partition}`, offset] as const
    })
    consumer.wants = new Map(wants)
  }

  /** 0: the broker is asked, and has it. */
  #codeOf(at: number, key: string): number {
    const { allowed, undecided } = this.#rights[PRINCIPALS[at]!]!
    const name = this.#nameOf(key)
    if (this.#version >= 13 && name === 'nobody') return UNKNOWN_ID
    if (undecided.has(`Read topic:${name}`)) return UNDECIDED
    if (!allowed.has(`Read topic:${name}`)) return REFUSED
    return this.#brokerCode(key)
  }

  #brokerCode(key: string): number {
    const isThere = this.#version >= 13 ? [...this.#there.values()].includes(key) : this.#there.has(key)
    return isThere ? 0 : this.#version >= 13 ? UNKNOWN_ID : UNKNOWN_TOPIC
  }

  async #fetch(at: number, throttled: boolean): Promise<void> {
    const consumer = this.#consumers[at]!
    const ask = consumer.next()
    const answer = await this.#ask(at, ask.sessionId, ask.sessionEpoch, ask.byKey, ask.forgotten, throttled)
    consumer.take(answer)
  }

  /** Of a session that is there, or of none. */
  async #wrongEpoch(at: number, by: number): Promise<void> {
    const consumer = this.#consumers[at]!
    const epoch = Math.max(1, consumer.epoch + by)
    consumer.take(await this.#ask(at, consumer.sessionId, epoch, new Map(), [], false))
  }

  /** Another connection's session serves nobody else, and goes on. */
  async #steal(at: number, of: number): Promise<void> {
    const { sessionId, epoch } = this.#consumers[of]!
    if (sessionId === 0 || epoch <= 0 || this.#sessions[at]!.has(sessionId)) return
    const { errorCode } = await this.#ask(at, sessionId, epoch, new Map(), [], false)
    assert.equal(errorCode, NOT_FOUND)
    count('stolen')
  }

  /** It is closed by nobody but its principal, who may have come by another connection. */
  async #closeOthers(at: number, of: number): Promise<void> {
    const { sessionId } = this.#consumers[of]!
    if (!this.#broker.sessions.has(sessionId)) return
    await this.#ask(at, sessionId, -1, new Map([[`${this.#keyOf('a')}/0`, 1n]]), [], false)
    const isOwn = PRINCIPALS[at] === PRINCIPALS[of]
    assert.equal(this.#broker.sessions.has(sessionId), !isOwn)
    count(isOwn ? 'closed by its principal' : 'not closed by another')
  }

  async #ask(at: number, sessionId: number, sessionEpoch: number, named: Map<string, bigint>, forgotten: string[], throttled: boolean) {
    const frame = this.#request({ sessionId, sessionEpoch, topics: this.#topics(named), forgottenTopicsData: this.#forgotten(forgotten) })
    const expected = this.#expect(at, sessionId, sessionEpoch, named, forgotten)
    const outcome = this.#plan.judge(frame, this.#callers[at]!, true)
    assert.ok(outcome.kind === 'answer' || outcome.kind === 'forward')
    const io = frames(Fetch, this.#version)
    const isThrottled = throttled && outcome.kind === 'forward'
    const answer = io.readResponse(outcome.kind === 'answer' ? outcome.frame! : await this.#served(at, frame, outcome, throttled))

    assert.equal(answer.errorCode, expected.errorCode)
    const told = answer.responses.flatMap((t: any) => t.partitions.map((p: any) => `${keyOf(t)}/${p.partitionIndex} ${p.errorCode}`))
    const whole = expected.keys.map(key => `${key} ${this.#codeOf(at, key.split('/')[0]!)}`)
    assert.deepEqual(told.sort(), isThrottled || expected.errorCode !== 0 ? [] : whole.sort())
    for (const line of told) count(`partition ${line.split(' ')[1]}`)
    count(`error ${answer.errorCode}`)
    this.#remember(at, sessionId, sessionEpoch, answer.sessionId, expected)
    const keys = told.map((line: string) => line.split(' ')[0]!)
    return { errorCode: answer.errorCode, sessionId: answer.sessionId, throttleTimeMs: answer.throttleTimeMs, keys }
  }

  /** FetchManager.java newContext, for sessions that serve one connection. */
  #expect(at: number, sessionId: number, sessionEpoch: number, named: Map<string, bigint>, forgotten: string[]) {
    if (sessionEpoch <= 0) return { errorCode: 0, keys: [...named.keys()] }
    const session = this.#sessions[at]!.get(sessionId)
    if (session === undefined) return { errorCode: NOT_FOUND, keys: [] }
    if (session.epoch !== sessionEpoch) return { errorCode: WRONG_EPOCH, keys: [] }
    const keys = new Set([...session.keys, ...named.keys()])
    for (const key of forgotten) keys.delete(key)
    return { errorCode: this.#broker.sessions.has(sessionId) ? 0 : NOT_FOUND, keys: [...keys] }
  }

  #remember(at: number, asked: number, epoch: number, given: number, { errorCode, keys }: { errorCode: number; keys: string[] }): void {
    const sessions = this.#sessions[at]!
    if (errorCode === WRONG_EPOCH) return
    if (errorCode !== 0 || epoch <= 0) sessions.delete(asked)
    if (errorCode !== 0) return
    if (given === 0) sessions.delete(asked)
    else sessions.set(given, { epoch: epoch <= 0 ? 1 : epoch + 1, keys: new Set(keys) })
  }

  /** Through the broker, which must not see what may not be read. */
  async #served(at: number, frame: Buffer, outcome: Forward, throttled: boolean): Promise<Buffer> {
    const io = frames(Fetch, this.#version)
    const body: FetchBody = io.readRequest(outcome.frames?.[0] ?? frame)
    const may = (key: string) => [0, UNKNOWN_TOPIC, UNKNOWN_ID].includes(this.#codeOf(at, key)) && this.#nameOf(key) !== 'nobody'
    const isOpen = (key: string) => (this.#version < 13 && key === 'nobody' ? this.#codeOf(at, key) === UNKNOWN_TOPIC : may(key))
    for (const one of body.topics) assert.ok(isOpen(keyOf(one)), `${this.#nameOf(keyOf(one))} reached the broker`)
    const theirs = this.#broker.fetch(this.#version, body, throttled)
    const responses = theirs.read.map(key => {
      const [topicKey, partition] = key.split('/') as [string, string]
      assert.ok(isOpen(topicKey), `the broker reads ${this.#nameOf(topicKey)}`)
      const partitionIndex = Number(partition)
      const errorCode = this.#brokerCode(topicKey)
      return { ...this.#keyed(topicKey), partitions: [{ partitionIndex, errorCode, highWatermark: 9n, records: Buffer.alloc(0) }] }
    })
    const { errorCode, sessionId } = theirs
    const bytes = io.response({ throttleTimeMs: throttled ? 1 : 0, errorCode, sessionId, responses })
    const edit = outcome.response as ResponseEdit | null
    const stream = edit?.stream() ?? null
    if (stream === null) return edit === null ? bytes : edit.whole([bytes])
    const pieces: Buffer[] = []
    assert.equal(
      stream.push(bytes, 0, bytes.length, piece => pieces.push(Buffer.from(piece))),
      true,
    )
    return Buffer.concat(pieces)
  }

  #request(body: object): Buffer {
    return frames(Fetch, this.#version).request({ maxWaitMs: 1, minBytes: 1, ...body })
  }

  #keyed(key: string): object {
    return this.#version >= 13 ? { topicId: key } : { topic: key }
  }

  #topics(named: Map<string, bigint>): object[] {
    return [...named].map(([key, fetchOffset]) => {
      const [topicKey, partition] = key.split('/') as [string, string]
      return { ...this.#keyed(topicKey), partitions: [{ partition: Number(partition), fetchOffset, partitionMaxBytes: 1 }] }
    })
  }

  #forgotten(keys: readonly string[]): object[] {
    return keys.map(key => {
      const [topicKey, partition] = key.split('/') as [string, string]
      return { ...this.#keyed(topicKey), partitions: [Number(partition)] }
    })
  }
}

let steps = 0
for (const version of [12, 18]) {
  test(`v${version}: ${RUNS * STEPS} steps of histories without one difference`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: STEPS, maxLength: STEPS }), fc.constantFrom(1, 2, 1000), async (history, capacity) => {
        const world = new World(version, capacity)
        for (const one of history) {
          await world.take(one)
          steps++
        }
      }),
      { numRuns: RUNS },
    )
  })
}

const SEEN = ['stolen', 'closed by its principal', 'not closed by another', 'error 0', 'error 70', 'error 71']
const CODES = [0, REFUSED, UNKNOWN_TOPIC, UNKNOWN_ID, UNDECIDED]

test('all that the histories are about has come up in them', t => {
  t.diagnostic(`${steps} steps of fetch sessions, 0 differences; ${JSON.stringify(Object.fromEntries([...tally].sort()))}`)
  for (const what of [...SEEN, ...CODES.map(code => `partition ${code}`)]) assert.ok((tally.get(what) ?? 0) >= RUNS / 25, what)
})
