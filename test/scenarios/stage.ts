// The gate of a scenario, in this process: a real session, real plans and the embedded engine, before a broker that its scenario brings.

import { stringify } from 'yaml'
import { Embedded } from '../../src/policy/embedded.ts'
import { Names } from '../../src/policy/names.ts'
import type { AddressView } from '../../src/policy/outcome.ts'
import type { PolicyDocument } from '../../src/policy/policy-document.ts'
import { readPolicy } from '../../src/policy/policy-file.ts'
import { Cluster } from '../../src/proxy/cluster.ts'
import type { Gate } from '../../src/proxy/gate.ts'
import { Listener } from '../../src/proxy/listener.ts'
import { RawClient } from '../equivalence/raw-client.ts'
import { type FakeWorld, fakeWorld } from '../fakes/gate.ts'
import type { PolicyText } from './form.ts'

/** Where clients reach the broker, as the gate tells them. */
export const GATE_ADDRESS = { host: 'gate.test', port: 19092 } as const

let generation = 0
export function policyOf({ grants = [], rules = [] }: PolicyText): PolicyDocument {
  const withIds = (what: string, items: readonly object[]) => items.map((item, i) => ({ id: `${what}-${i}`, ...item }))
  const text = stringify({ version: 1, grants: withIds('grant', grants), rules: withIds('rule', rules) })
  return readPolicy([{ file: 'policy.yaml', text }], { issuers: [{ alias: 'test', organizationRoles: [] }], generation: ++generation })
}

export interface StageOptions {
  readonly policy: PolicyText
  readonly broker: { readonly host: string; readonly port: number }
  readonly clusterId: string
  /** The name of a topic by its id in hex, as the cluster says it; null: none has it. */
  nameOf(id: string): Promise<string | null>
  /** Whether the cluster has a topic of this name. */
  has(name: string): Promise<boolean>
}

export class Stage {
  readonly cluster: Cluster
  readonly #world: FakeWorld
  readonly #listener: Listener
  readonly #authorizer: Embedded
  readonly #port: number

  static async open(options: StageOptions): Promise<Stage> {
    const names = new Names()
    const world = await fakeWorld({ broker: options.broker })
    const authorizer = new Embedded(policyOf(options.policy), { names, principals: 10 })
    const cluster = new Cluster({
      names,
      topicsOf: ids => Promise.all(ids.map(async id => [id, await options.nameOf(id)] as const)),
      topicsNamed: topics => Promise.all(topics.map(async name => [name, await options.has(name)] as const)),
    })
    cluster.clusterId = options.clusterId
    const state = new Map<string, any>()
    const gate: Gate = { ...world.gate, names, authorizer, cluster, brokerState: () => state }
    const view = { ...world.view, addresses: ADDRESSES }
    const listener = new Listener({ gate, view, host: '127.0.0.1', port: 0, nodeId: 1, reusePort: false, entry: null })
    return new Stage(world, listener, authorizer, cluster, await listener.listen())
  }

  private constructor(world: FakeWorld, listener: Listener, authorizer: Embedded, cluster: Cluster, port: number) {
    this.#world = world
    this.#listener = listener
    this.#authorizer = authorizer
    this.cluster = cluster
    this.#port = port
  }

  /** A connection of its own, logged in: the token of a test is its name. */
  connect(service: string): Promise<RawClient> {
    return RawClient.open('127.0.0.1', this.#port, { mechanism: 'OAUTHBEARER', token: service })
  }

  replacePolicy(policy: PolicyText): void {
    this.#authorizer.replace(policyOf(policy))
  }

  close(): void {
    this.#listener.close()
    this.#world.close()
  }
}

const ADDRESSES: AddressView = { get: () => GATE_ADDRESS, learn: async () => {} }
