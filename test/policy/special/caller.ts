// A caller for plans: rights by sets of words, a cluster by a map, and everything that was told, in lists.

import { Operation, Resource, type Rights, Verdict } from '../../../src/policy/authorizer.ts'
import { type Name, Names } from '../../../src/policy/names.ts'
import type { Caller } from '../../../src/policy/outcome.ts'

const KIND: { [resource: number]: string } = {
  [Resource.Topic]: 'topic',
  [Resource.Group]: 'group',
  [Resource.Cluster]: 'cluster',
  [Resource.TransactionalId]: 'transactionalId',
}
const WORD: { [operation: number]: string } = Object.fromEntries(Object.entries(Operation).map(([word, code]) => [code, word]))

/** `Write topic:orders`, as the fake's sets and lists have it. */
export const word = (operation: Operation, name: Name): string => `${WORD[operation]} ${KIND[name.resource]}:${name.text}`

export class FakeRights implements Rights {
  readonly principal = { id: 'user:test/lena' } as Rights['principal']
  epoch = 1
  readonly allowed = new Set<string>()
  /** Not known until `settle`. */
  readonly unknown = new Set<string>()
  /** Not known after it either. */
  readonly undecided = new Set<string>()
  settles = 0

  allow(...words: string[]): this {
    for (const w of words) this.allowed.add(w)
    this.epoch++
    return this
  }
  refuse(...words: string[]): this {
    for (const w of words) this.allowed.delete(w)
    this.epoch++
    return this
  }
  check(operation: Operation, name: Name): Verdict {
    const w = word(operation, name)
    if (this.unknown.has(w)) return Verdict.Unknown
    if (this.undecided.has(w)) return Verdict.Undecided
    return this.allowed.has(w) ? Verdict.Allowed : Verdict.Refused
  }
  operations(name: Name): number {
    return Object.values(Operation).reduce((sum, op) => sum + (this.allowed.has(word(op, name)) ? 1 << op : 0), 0)
  }
  async settle(): Promise<void> {
    this.settles++
    this.unknown.clear()
  }
  explain(): never {
    throw new Error('not here')
  }
  denies(): boolean {
    return false
  }
  mayConnect(): Verdict {
    return Verdict.Allowed
  }

  mayWriteSomething(): Verdict {
    return Verdict.Refused
  }
}

export class FakeCaller implements Caller {
  readonly rights = new FakeRights()
  readonly names = new Names()
  readonly nodeId = 1
  readonly state = new Map<string, any>()
  readonly brokerState: Map<string, any>
  readonly told: string[] = []
  /** Hex id -> name; null: there is none. */
  readonly ids = new Map<string, string | null>()
  readonly learntIds = new Map<string, string>()
  readonly nodes = new Map<number, { host: string; port: number }>()
  readonly learnableNodes = new Map<number, { host: string; port: number }>()

  constructor(brokerState = new Map<string, any>()) {
    this.brokerState = brokerState
  }

  readonly cluster = {
    clusterId: 'test',
    autoCreates: () => true,
    topicOf: (bytes: Uint8Array, at: number): Name | null | undefined => {
      const text = this.ids.get(Buffer.from(bytes.subarray(at, at + 16)).toString('hex'))
      return typeof text === 'string' ? this.names.text(Resource.Topic, text) : text
    },
    learn: async () => {},
    idOf: () => null,
    topicsEpoch: 0,
    topicNames: (): Name[] => [...this.ids.values()].flatMap(text => (text === null ? [] : [this.names.text(Resource.Topic, text)])),
    hasTopic: (name: Name) => [...this.ids.values()].includes(name.text),
    topicsMoved: () => {},
    learned: (id: Buffer, name: Name) => {
      this.learntIds.set(id.toString('hex'), name.text)
    },
  }
  readonly addresses = {
    get: (nodeId: number) => this.nodes.get(nodeId),
    learn: async (nodeId: number) => {
      const node = this.learnableNodes.get(nodeId)
      if (node !== undefined) this.nodes.set(nodeId, node)
    },
  }
  readonly acls = { bindings: () => [], learn: async () => {} }
  aclsNotChanged(): void {}
  refused(operation: Operation, name: Name, errorCode: number): void {
    this.told.push(`refused ${word(operation, name)} ${errorCode}`)
  }
  hidden(operation: Operation, name: Name): void {
    this.told.push(`hidden ${word(operation, name)}`)
  }
  undecided(operation: Operation, name: Name): void {
    this.told.push(`undecided ${word(operation, name)}`)
  }
}
