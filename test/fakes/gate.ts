// The world of a session, as its test wants it: a Gate whose judge, plans, offers and clock of rights are plain objects.

import type { Principal, Verified } from '../../src/auth/principal.ts'
import { Counter, type CounterName, counterMemory, counterRow } from '../../src/base/counters.ts'
import { type Authorizer, type Rights, Verdict } from '../../src/policy/authorizer.ts'
import { Names } from '../../src/policy/names.ts'
import { type Caller, type Outcome, PASS, type Plan, type RequestStream } from '../../src/policy/outcome.ts'
import type { Entry } from '../../src/proxy/arrival.ts'
import type { Dialer } from '../../src/proxy/dial.ts'
import type { ClientCertificate, Gate, Limits, ListenerView, Offer } from '../../src/proxy/gate.ts'
import { heldMemory } from '../../src/proxy/held.ts'
import { Listener } from '../../src/proxy/listener.ts'
import { principalOf } from './principal.ts'
import { dialerOf, plainUpstream } from './upstream.ts'

export const principal = (name: string, expiresAtMs = Date.now() + 3_600_000): Principal =>
  principalOf(`service:test/${name}`, { expiresAtMs })

export interface FakeRights extends Rights {
  epoch: number
}

const rightsOf = (who: Principal): FakeRights => ({
  principal: who,
  epoch: 1,
  check: () => Verdict.Allowed,
  operations: () => 0,
  settle: async () => {},
  explain: () => ({ verdict: Verdict.Refused, why: 'fake', grant: null, rule: null, shadow: null, generation: 1, engine: 'embedded' }),
  denies: () => false,
  mayWriteSomething: () => Verdict.Allowed,
  mayConnect: () => Verdict.Allowed,
})

export interface FakeWorld {
  readonly gate: Gate
  readonly view: ListenerView
  readonly listener: Listener
  readonly port: number
  readonly closedCauses: { cause: string; detail: string }[]
  /** Of the last login. */
  rights: FakeRights
  count(name: CounterName): number
  close(): void
}

export interface FakeWorldOptions {
  readonly broker: { readonly host: string; readonly port: number }
  readonly limits?: Partial<Limits>
  /** Plain and without a login if left out. */
  readonly dialer?: Dialer
  /** What becomes of a request; PASS if left out. */
  judge?(frame: Buffer, caller: Caller, last: boolean): Outcome
  stream?(head: Buffer, caller: Caller): RequestStream | null
  verify?(token: string, listener?: ListenerView, certificate?: ClientCertificate | null): Promise<Verified>
  /** What clients pass before their session. */
  readonly entry?: Entry
  nodeFor?(nodeId: number | null): number
  brokerIsSilent?(): boolean
}

export async function fakeWorld(options: FakeWorldOptions): Promise<FakeWorld> {
  const counters = counterRow(counterMemory(1), 0)
  const closedCauses: { cause: string; detail: string }[] = []
  const offer: Offer = {
    nodeId: 1,
    ranges: new Map([[0, [3, 13]]]),
    answer: () => Buffer.from([0, 0, 0, 0, 0, 0]),
    serves: () => true,
  }
  const world = { rights: rightsOf(principal('nobody')) } as FakeWorld & { rights: FakeRights }
  const authorizer: Authorizer = {
    engine: 'embedded',
    generation: 1,
    acls: { bindings: () => [], learn: async () => {} },
    rights: who => (world.rights = rightsOf(who)),
  }
  const plan: Plan = { apiKey: 0, apiVersion: 9, judge: options.judge ?? (() => PASS), ...(options.stream && { stream: options.stream }) }
  const silent = () => {}
  const gate: Gate = {
    limits: {
      requestBytes: 64 << 20,
      heldBytes: 256 << 20,
      connections: 1000,
      loginTimeMs: 10_000,
      sessionMaxMs: 3_600_000,
      inFlight: 256,
      idleMs: 600_000,
      ...options.limits,
    },
    names: new Names(),
    authorizer,
    cluster: {
      clusterId: 'fake',
      autoCreates: () => false,
      topicsMoved: silent,
      topicOf: () => null,
      learn: async () => {},
      topicsEpoch: 0,
      topicNames: () => [],
      hasTopic: () => false,
      idOf: () => null,
      learned: silent,
    },
    counters,
    held: heldMemory(),
    verify: options.verify ?? (async token => ({ kind: 'principal', principal: principal(token) })),
    nodeFor: (_listener, nodeId) => options.nodeFor?.(nodeId) ?? 1,
    offer: () => offer,
    brokerAddress: () => ({ nodeId: 1, authenticateVersion: 2, ...options.broker }),
    brokerIsSilent: () => options.brokerIsSilent?.() ?? false,
    dialer: options.dialer ?? dialerOf(plainUpstream, 1000),
    brokerState: () => new Map(),
    log: {
      loginRefused: silent,
      loggedIn: silent,
      refused: silent,
      undecided: silent,
      hidden: silent,
      aclsNotChanged: silent,
      closed: (_client, _principal, cause, detail) => closedCauses.push({ cause, detail }),
    },
  }
  const view: ListenerView = { name: 'clients', issuers: ['test'], addresses: { get: () => undefined, learn: async () => {} } }
  const listener = new Listener({
    gate,
    view,
    host: '127.0.0.1',
    port: 0,
    nodeId: null,
    reusePort: false,
    entry: options.entry ?? null,
    planFor: () => plan,
  })
  const port = await listener.listen()
  return Object.assign(world, {
    gate,
    view,
    listener,
    port,
    closedCauses,
    count: (name: CounterName) => counters[Counter[name]]!,
    close: () => listener.close(),
  })
}
