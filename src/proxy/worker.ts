// One worker: its listeners, its copies of what main knows, and the Gate that its sessions ask. In a thread of its own or in main's.

import type { Principal, Verified } from '../auth/principal.ts'
import type { AuditLine } from '../base/audit.ts'
import { clock } from '../base/clock.ts'
import type { ListenerConfig } from '../base/config.ts'
import { Counter, type CounterRow, counterRow } from '../base/counters.ts'
import { type Log, openLog } from '../base/log.ts'
import { CLUSTER_NAME } from '../policy/answers.ts'
import { Operation, type Origin, Resource, Verdict } from '../policy/authorizer.ts'
import type { Kept, KeptQuestion } from '../policy/kept.ts'
import { Names } from '../policy/names.ts'
import { offeredBy } from '../policy/plan.ts'
import { Addresses } from './addresses.ts'
import { BrokerApiOffer } from './api-versions.ts'
import { Entry } from './arrival.ts'
import { budget } from './buffers.ts'
import { Cluster } from './cluster.ts'
import { type BrokerState, type ClusterState, UNKNOWN_CLUSTER } from './cluster-state.ts'
import { type Broker, Dialer } from './dial.ts'
import { openAuthorizer, type WorkerAuthorizer } from './engine.ts'
import type { ClientCertificate, Gate, Limits, ListenerView, Offer } from './gate.ts'
import { authenticateVersion } from './hello.ts'
import type { Change, Home, WorkerDoor, WorkerStart } from './home.ts'
import { Listener } from './listener.ts'
import { WorkerLog } from './session-log.ts'
import { Upstream } from './upstream.ts'

/** Audit lines that wait for main; more are dropped, and counted. */
const MAX_AUDIT_LINES = 5000

/** Connections to one broker in the middle of TLS and login, by the whole process: a broker that does ten a second has done these within their deadline. */
const MAX_UNDER_WAY = 100

class View implements ListenerView {
  readonly name: string
  readonly issuers: readonly string[]
  readonly addresses: Addresses
  readonly host: string
  readonly entry: Entry

  constructor(config: ListenerConfig, loginTimeMs: number, home: Home) {
    this.name = config.name
    this.issuers = config.issuers
    this.host = config.bind.host
    this.entry = new Entry(config, loginTimeMs)
    this.addresses = new Addresses(home.nodeNamed.bind(home))
  }
}

export class GateWorker implements Gate, WorkerDoor {
  readonly limits: Limits
  readonly names = new Names()
  readonly counters: CounterRow
  readonly held: Int32Array<SharedArrayBuffer>
  readonly cluster: Cluster
  readonly log: WorkerLog
  readonly dialer: Dialer
  readonly #home: Home
  readonly #start: WorkerStart
  readonly #log: Log
  #authorizer!: WorkerAuthorizer
  readonly #views = new Map<string, View>()
  readonly #listeners: Listener[] = []
  readonly #offers = new Map<number, { readonly of: BrokerState; readonly clusterId: string | null; readonly offer: Offer }>()
  readonly #brokerStates = new Map<number, Map<string, any>>()
  #state: ClusterState = UNKNOWN_CLUSTER
  #brokers = new Map<number, BrokerState & Broker>()
  #turn = 0
  #lines: AuditLine[] = []
  #recording = false
  #policyFiles: readonly string[]

  static async open(start: WorkerStart, home: Home, log: Log = openLog(start.index)): Promise<GateWorker> {
    const worker = new GateWorker(start, home, log)
    const { names, log: sessions } = worker
    const wouldRefuse = sessions.wouldRefuse.bind(sessions)
    const allowed = start.config.audit.allows === 'sampled' ? sessions.allowed.bind(sessions) : null
    worker.#authorizer = await openAuthorizer(start, home, { names, wouldRefuse, allowed })
    return worker
  }

  private constructor(start: WorkerStart, home: Home, log: Log) {
    const { config, index, workers } = start
    this.#start = start
    this.#home = home
    this.#log = log
    this.#policyFiles = start.document.files
    budget(config.limits.heldBytes / workers)
    this.counters = counterRow(start.counters, index)
    this.held = new Int32Array(start.held)
    this.cluster = new Cluster({
      names: this.names,
      topicsOf: ids => home.topicsOf(ids),
      topicsNamed: names => home.topicsNamed(names),
      topicsMoved: () => void home.topicsMoved(),
    })
    this.log = new WorkerLog({ log, record: line => this.#record(line), policyFiles: () => this.#policyFiles })
    const { cluster } = config
    const upstream = new Upstream({
      ...cluster,
      ownToken: refused => home.ownToken(refused),
      // Main says so in the log, once for all.
      onChange: () => this.dialer.open(),
    })
    this.dialer = new Dialer(upstream, {
      perSecond: cluster.dialsPerSecond / workers,
      budget: Math.max(1, Math.floor((cluster.connectionsPerBroker ?? Number.POSITIVE_INFINITY) / workers)),
      underWay: Math.ceil(MAX_UNDER_WAY / workers),
    })
    this.limits = { ...config.limits, connections: Math.ceil(config.limits.connections / workers) }
    for (const listener of config.listeners) this.#views.set(listener.name, new View(listener, config.limits.loginTimeMs, home))
  }

  get authorizer() {
    return this.#authorizer.authorizer
  }

  verify(token: string, listener: ListenerView, certificate: ClientCertificate | null): Promise<Verified> {
    return this.#home
      .verify(token, listener.name, certificate?.thumbprint ?? null)
      .catch((why: Error) => ({ kind: 'unavailable', why: why.message }))
  }

  nodeFor(_listener: ListenerView, nodeId: number | null): number {
    if (nodeId !== null) return this.#brokers.has(nodeId) ? nodeId : -1
    const { brokers } = this.#state
    let known = -1
    for (let i = 0; i < brokers.length; i++) {
      const broker = brokers[(this.#turn + i) % brokers.length]!
      if (broker.offer === null) continue
      if (broker.alive) {
        this.#turn = (this.#turn + i + 1) % brokers.length
        return broker.nodeId
      }
      known = broker.nodeId
    }
    return known
  }

  offer(nodeId: number): Offer | null {
    const of = this.#brokers.get(nodeId)
    if (of === undefined || of.offer === null) return null
    const { clusterId } = this.#state
    let kept = this.#offers.get(nodeId)
    if (kept === undefined || kept.of !== of || kept.clusterId !== clusterId) {
      kept = {
        of,
        clusterId,
        offer: new BrokerApiOffer({ nodeId, clusterId, broker: of.offer, ours: offeredBy(this.#start.config.cluster) }),
      }
      this.#offers.set(nodeId, kept)
    }
    return kept.offer
  }

  brokerAddress(nodeId: number): Broker | null {
    return this.#brokers.get(nodeId) ?? null
  }

  brokerIsSilent(nodeId: number): boolean {
    const broker = this.#brokers.get(nodeId)
    return broker === undefined || broker.silent === true
  }

  brokerState(nodeId: number): Map<string, any> {
    let state = this.#brokerStates.get(nodeId)
    if (state === undefined) {
      state = new Map()
      this.#brokerStates.set(nodeId, state)
    }
    return state
  }

  async apply(change: Change): Promise<unknown> {
    switch (change.kind) {
      case 'policy':
        this.#policyFiles = change.document.files
        return this.#authorizer.replace(change.document)
      case 'engine':
        return this.#authorizer.receive(change.message)
      case 'cluster':
        return this.#take(change.state)
      case 'topics':
        return this.cluster.learnFacts(change.facts)
      case 'advertise':
        return this.#views.get(change.listener)!.addresses.set(change.nodeId, change.host, change.port)
      case 'listen':
        return this.#listen(change.listener, change.nodeId, change.port)
      case 'drain':
        return void (await Promise.all(this.#listeners.map(listener => listener.drain(change.withinMs))))
      case 'close':
        this.dialer.upstream.stop()
        for (const view of this.#views.values()) view.entry.stop()
        for (const listener of this.#listeners) listener.close()
        return this.#flushed()
    }
  }

  async kept(question: KeptQuestion): Promise<Kept[]> {
    clock.tick()
    return this.#authorizer.kept(question)
  }

  async mayDescribeCluster(principal: Principal, origin: Origin): Promise<Verdict> {
    const rights = this.authorizer.rights(principal, origin)
    const check = (): Verdict => {
      clock.tick()
      return rights.check(Operation.Describe, this.names.of(Resource.Cluster, CLUSTER_NAME, 0, CLUSTER_NAME.length))
    }
    if (check() === Verdict.Unknown) await rights.settle()
    const verdict = check()
    return verdict === Verdict.Unknown ? Verdict.Undecided : verdict
  }

  #take(state: ClusterState): void {
    this.#state = state
    this.cluster.clusterId = state.clusterId
    this.cluster.autoCreateOff = new Set(state.brokers.filter(({ autoCreate }) => !autoCreate).map(({ nodeId }) => nodeId))
    this.#brokers = new Map(state.brokers.map(of => [of.nodeId, { ...of, authenticateVersion: authenticateVersion(of.offer) }]))
  }

  async #listen(name: string, nodeId: number | null, port: number): Promise<number> {
    const view = this.#views.get(name)!
    const listener = new Listener({
      gate: this,
      view,
      nodeId,
      host: view.host,
      port,
      entry: view.entry,
      reusePort: this.#start.workers > 1,
    })
    const opened = await listener.listen()
    this.#listeners.push(listener)
    return opened
  }

  #record(line: AuditLine): void {
    if (this.#lines.length >= MAX_AUDIT_LINES) {
      this.counters[Counter.auditDropped]!++
      return
    }
    this.#lines.push(line)
    if (!this.#recording) {
      this.#recording = true
      setImmediate(() => void this.#flush())
    }
  }

  /** Hands the lines that have gathered to main, and those that gather meanwhile after them. */
  async #flush(): Promise<void> {
    while (this.#lines.length > 0) {
      const lines = this.#lines
      this.#lines = []
      await this.#home.record(lines).catch((why: Error) => {
        this.counters[Counter.auditDropped]! += lines.length
        this.#log.error({ why: why.message }, 'audit lines were lost')
      })
    }
    this.#recording = false
  }

  async #flushed(): Promise<void> {
    while (this.#recording) await new Promise(resolve => setImmediate(resolve))
    await new Promise<void>(resolve => this.#log.flush(() => resolve()))
  }
}
