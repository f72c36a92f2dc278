// A client family under test: its driver process, and the requests of clients/PROTOCOL.md as methods.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { driverCommand, type Family } from '../../scripts/stack/drivers.ts'

/** How a client logs in: a token as it is, a token endpoint, or SASL/PLAIN. */
export type Login =
  | { readonly token: string }
  | { readonly endpoint: string; readonly clientId: string; readonly clientSecret: string }
  | { readonly username: string; readonly password: string }

/** PEM files: whom the client trusts, and its own certificate if it has one. */
export interface ClientTls {
  readonly ca: string
  readonly cert?: string
  readonly key?: string
  readonly store?: string
}

export interface Message {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly key: string | null
  readonly value: string | null
}

export interface Outgoing {
  readonly key?: string
  readonly value: string
  readonly partition?: number
}

/** What a user of the client sees when Kafka says no. */
export class ClientError extends Error {
  override readonly name: string
  constructor(name: string, message: string) {
    super(message)
    this.name = name
  }
}

/** A command that sees another /etc/hosts than everybody else. */
const knowing = (hostsFile: string, command: readonly string[]): readonly string[] => {
  const script = 'mount --bind "$0" /etc/hosts && exec "$@"'
  return ['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c', script, hostsFile, ...command]
}

const WAIT_TIMEOUT_MS = 60_000

/** One driver process, from which any number of clients are opened. */
export class Driver {
  readonly family: Family
  readonly #process: ChildProcessWithoutNullStreams
  readonly #waiting = new Map<number, { resolve(value: any): void; reject(error: Error): void }>()
  readonly #consumers = new Map<string, Consumer>()
  #count = 0
  #stderr = ''

  private constructor(family: Family, command: readonly string[]) {
    this.family = family
    this.#process = spawn(command[0], command.slice(1), { stdio: 'pipe' })
    createInterface({ input: this.#process.stdout }).on('line', line => this.#hear(JSON.parse(line)))
    this.#process.stderr.setEncoding('utf8').on('data', text => (this.#stderr = `${this.#stderr}${text}`.slice(-4000)))
    this.#process.on('error', error => this.#fail(error.message))
    this.#process.on('exit', code => this.#fail(`ended with ${code}`))
  }

  /** Starts the driver of a family, building it when that has not been done. @param hostsFile what its /etc/hosts says */
  static async start(family: Family, hostsFile?: string): Promise<Driver> {
    const command = await driverCommand(family)
    return new Driver(family, hostsFile === undefined ? command : knowing(hostsFile, command))
  }

  /** A client with its own connections. */
  async open(bootstrap: string, login?: Login, tls?: ClientTls): Promise<Client> {
    const name = this.unique('client')
    await this.ask('open', { client: name, bootstrap, login, tls })
    return new Client(this, name)
  }

  /** Ends the driver and everything that it opened. */
  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const ended = new Promise(resolve => this.#process.once('exit', resolve))
    this.#process.stdin.end()
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 5_000)
    await ended
    clearTimeout(timer)
  }

  unique(kind: string): string {
    return `${this.family}-${kind}-${++this.#count}`
  }

  /** @throws {ClientError} as the client saw it. */
  ask(request: string, parameters: object): Promise<any> {
    const id = ++this.#count
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#process.stdin.write(`${JSON.stringify({ id, do: request, ...parameters })}\n`)
    })
  }

  register(consumer: Consumer): void {
    this.#consumers.set(consumer.name, consumer)
  }

  #hear(line: any): void {
    if (line.consumer) {
      const consumer = this.#consumers.get(line.consumer)
      if (line.message) consumer?.got(line.message)
      else if (!line.error) consumer?.moved(line)
      else consumer?.failed(new ClientError(line.error.name, line.error.message))
      return
    }
    const waiting = this.#waiting.get(line.id)
    this.#waiting.delete(line.id)
    if (line.error) waiting?.reject(new ClientError(line.error.name, line.error.message))
    else waiting?.resolve(line.ok)
  }

  #fail(why: string): void {
    const error = new Error(`the ${this.family} driver ${why}\n${this.#stderr}`)
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }
}

/** One client: a producer and an admin that stay open, and any number of consumers. */
export class Client {
  readonly #driver: Driver
  readonly #name: string

  constructor(driver: Driver, name: string) {
    this.#driver = driver
    this.#name = name
  }

  /** Where the messages went, in no promised order. */
  produce(topic: string, messages: readonly Outgoing[]): Promise<{ partition: number; offset: number }[]> {
    return this.#ask('produce', { topic, messages })
  }

  /**
   * A consumer in a group, from the earliest offset.
   * @param topics names, or a pattern (protocol `consumer`)
   */
  async subscribe(
    group: string,
    topics: readonly string[] | string,
    protocol: 'classic' | 'cooperative' | 'consumer' | 'share' = 'classic',
  ): Promise<Consumer> {
    const consumer = new Consumer(this.#driver, this.#driver.unique('consumer'))
    this.#driver.register(consumer)
    const asked = typeof topics === 'string' ? { topics: [], pattern: topics } : { topics }
    const how = protocol === 'cooperative' ? { protocol: 'classic', assignor: 'cooperative' } : { protocol }
    await this.#ask('subscribe', { consumer: consumer.name, group, ...asked, ...how })
    return consumer
  }

  /** Reads `count` messages, writes them and commits their offsets in one transaction, or aborts it: what was read. */
  transfer(what: { from: string; to: string; group: string; transactionalId: string; count: number; abort?: boolean }): Promise<string[]> {
    return this.#ask('transfer', what)
  }

  topics(): Promise<string[]> {
    return this.#ask('topics')
  }

  describe(topic: string): Promise<{ partition: number; leader: number }[]> {
    return this.#ask('describe', { topic })
  }

  async create(topic: string, partitions: number, replicas: number): Promise<void> {
    await this.#ask('create', { topic, partitions, replicas })
  }

  async delete(topic: string): Promise<void> {
    await this.#ask('delete', { topic })
  }

  nodes(): Promise<{ id: number; host: string; port: number }[]> {
    return this.#ask('nodes')
  }

  groups(): Promise<string[]> {
    return this.#ask('groups')
  }

  /** As the broker has it (Java). */
  groupType(group: string): Promise<string> {
    return this.#ask('groupType', { group })
  }

  async close(): Promise<void> {
    await this.#ask('close')
  }

  #ask(request: string, parameters: object = {}): Promise<any> {
    return this.#driver.ask(request, { client: this.#name, ...parameters })
  }
}

/** A consumer that runs until it is stopped: what it got and what it was told, in order. */
export class Consumer {
  readonly name: string
  readonly messages: Message[] = []
  readonly errors: ClientError[] = []
  /** How many partitions came with each rebalance, and how many went. */
  readonly assigned: number[] = []
  readonly revoked: number[] = []
  /** Called as each message arrives. */
  onMessage: (message: Message) => void = () => {}
  readonly #driver: Driver
  #changed: () => void = () => {}

  constructor(driver: Driver, name: string) {
    this.#driver = driver
    this.name = name
  }

  got(message: Message): void {
    this.messages.push(message)
    this.onMessage(message)
    this.#changed()
  }

  moved({ assigned, revoked }: { assigned?: number; revoked?: number }): void {
    if (assigned) this.assigned.push(assigned)
    if (revoked) this.revoked.push(revoked)
    this.#changed()
  }

  failed(error: ClientError): void {
    this.errors.push(error)
    this.#changed()
  }

  /** Waits until `count` messages are there. @throws {ClientError} when the client reports an error first. */
  async received(count: number): Promise<readonly Message[]> {
    const errorsBefore = this.errors.length
    await this.#until(() => this.messages.length >= count || this.errors.length > errorsBefore, `${count} messages`)
    if (this.messages.length < count) throw this.errors[errorsBefore]
    return this.messages
  }

  /** Waits for the next error that the client reports, one that is there already included. */
  async error(): Promise<ClientError> {
    await this.#until(() => this.errors.length > 0, 'an error')
    return this.errors.shift()!
  }

  /** Waits until it has this many partitions. */
  async holds(count: number): Promise<void> {
    await this.#until(() => this.held === count, `${count} partitions, not ${this.assigned} less ${this.revoked}`)
  }

  get held(): number {
    return sum(this.assigned) - sum(this.revoked)
  }

  async stop(): Promise<void> {
    await this.#driver.ask('unsubscribe', { consumer: this.name })
  }

  #until(done: () => boolean, what: string): Promise<void> {
    if (done()) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const late = () =>
        reject(new Error(`${this.name}: waited for ${what}, has ${this.messages.length} messages and errors ${this.errors}`))
      const timer = setTimeout(late, WAIT_TIMEOUT_MS)
      this.#changed = () => {
        if (!done()) return
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0)
