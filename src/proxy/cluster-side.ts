// The cluster behind, as main sees it: its nodes, the ports that stand for them in every worker, and responses that wait for a port.

import type { Config } from '../base/config.ts'
import type { ClusterConfig } from '../base/config-cluster.ts'
import type { Log } from '../base/log.ts'
import { advertisedPort, BrokerPorts, isNamePlan } from './addresses.ts'
import type { BrokerProblem, BrokerStanding } from './broker-problems.ts'
import type { ClusterState, NamedTopics, TopicFacts } from './cluster-state.ts'
import { Control } from './control.ts'
import { type OwnTokenSource, ownTokenSource } from './own-login.ts'
import { nameOf } from './sni.ts'
import { Upstream } from './upstream.ts'
import { within } from './waits.ts'
import type { WorkerPool } from './worker-pool.ts'

const REFRESH_MS = 30_000
const CONTROL_TIMEOUT_MS = 5000
/** How long a response that names a new node may wait for the node's port. */
const NEW_NODE_MS = 1000

export interface ClusterSideOptions {
  readonly config: Config
  readonly pool: WorkerPool
  readonly log: Log
  /** For clients' connections, and for the control connection where it logs in alike. */
  readonly tokens: OwnTokenSource | null
  /** The port that a listener was bound to. */
  boundPort(listener: string): number
  isClosing(): boolean
}

export class ClusterSide {
  readonly #options: ClusterSideOptions
  readonly #ports: BrokerPorts
  readonly #control: Control
  readonly #upstream: Upstream
  /** Says how clients' connections log in, where the gate does otherwise; nothing is dialled by it. */
  readonly #clientsLogin: Upstream | null
  readonly #tokens: OwnTokenSource | null
  readonly #wantedStates = new Set<(state: ClusterState) => void>()
  readonly #opened = new Map<readonly [listener: string, nodeId: number], number>()
  /** The last state of the cluster is known to all workers, and its brokers have ports. */
  #changed: Promise<void> = Promise.resolve()

  constructor(options: ClusterSideOptions) {
    const { config, pool, log, tokens } = options
    const { cluster } = config
    this.#options = options
    this.#ports = new BrokerPorts({
      listeners: config.listeners.map(({ name, brokers }) => ({ name, plan: brokers })),
      open: (listener, nodeId, port) => this.#openBrokerPort(listener, nodeId, port),
      onMissing: (listener, nodeId, why) => log.error({ listener, nodeId, why }, 'no port for a broker: its clients cannot reach it'),
    })
    this.#tokens = cluster.controlSasl === cluster.sasl ? tokens : ownTokenSource(cluster.controlSasl)
    this.#upstream = new Upstream({
      ...cluster,
      sasl: cluster.controlSasl,
      ownToken: refused => this.#tokens!.tokens.token(refused),
      onChange: problem => this.#filesChanged(problem),
    })
    this.#clientsLogin = hasLoginOfItsOwn(cluster)
      ? new Upstream({
          ...cluster,
          tls: null,
          ownToken: refused => tokens!.tokens.token(refused),
          onChange: problem => this.#filesChanged(problem),
        })
      : null
    this.#control = new Control({
      upstream: this.#upstream,
      clientsLogin: this.#clientsLogin,
      bootstrap: cluster.bootstrap,
      clientId: 'topicgate-control',
      refreshMs: REFRESH_MS,
      timeoutMs: CONTROL_TIMEOUT_MS,
      onState: state => {
        this.#changed = this.#clusterChanged(state)
      },
      onTopics: facts => void pool.tell({ kind: 'topics', facts }),
      onForeign: (nodeId, host) => log.error({ nodeId, host }, 'the cluster names a broker outside cluster.hosts: it is not dialled'),
      onProblem: (standing, problem) => this.#brokerChanged(standing, problem),
      onReachable: (reachable, why) => (reachable ? log.info('cluster reached') : log.error({ why }, 'cluster unreachable')),
    })
  }

  /** Resolves when the cluster was reached, and all workers have ports for its brokers. */
  async start(): Promise<void> {
    await this.#control.start()
    await this.#changed
  }

  stop(): void {
    this.#control.stop()
    this.#upstream.stop()
    this.#clientsLogin?.stop()
    this.#tokens?.stop()
  }

  /** Something says that the cluster has changed: it is looked at now. */
  wake(): void {
    this.#control.wake()
  }

  /** Brokers have refused clients' connections. A client's own token says nothing about the gate. */
  loginsRefused(): void {
    if (this.#options.config.cluster.sasl?.mechanism !== 'PASSTHROUGH') this.#control.doubtLogins()
  }

  topicsOf(ids: readonly string[]): Promise<TopicFacts> {
    return this.#control.topicsOf(ids)
  }

  topicsNamed(names: readonly string[]): Promise<NamedTopics> {
    return this.#control.topicsNamed(names)
  }

  topicsMoved(): void {
    this.#control.topicsMoved()
  }

  async nodeNamed(nodeId: number, host: string, port: number): Promise<void> {
    const known = (state: ClusterState) => state.brokers.some(b => b.nodeId === nodeId && b.offer !== null)
    if (!known(this.#control.state)) {
      this.#options.log.info({ nodeId, host, port }, 'a response names a new broker')
      this.#control.wake()
      await within(this.#stateThat(known), NEW_NODE_MS)
    }
    await within(this.#ports.ensure(nodeId), NEW_NODE_MS)
  }

  get state(): ClusterState {
    return this.#control.state
  }

  /** What keeps the cluster from being reached, and whether that is a login which it refuses; null: nothing does. */
  get problem(): { readonly lastError: string; readonly loginRefused: boolean } | null {
    const { lastError, refused } = this.#control
    return lastError === null ? null : { lastError, loginRefused: refused }
  }

  /** Brokers that could not be asked when they last were, or do not take a login, be the cluster reached or not. */
  get brokerProblems(): readonly BrokerProblem[] {
    return this.#control.brokerProblems
  }

  /** A broker refuses a login: the gate's own, or that of clients' connections. */
  get loginRefused(): boolean {
    return this.#control.refused || this.brokerProblems.some(({ loginRefused }) => loginRefused)
  }

  /** Brokers that the cluster names on hosts that may not be dialled. */
  get foreignBrokers(): number {
    return this.#control.foreign
  }

  get missingPorts(): number {
    return this.#ports.missing
  }

  /** [node id, port] of the brokers that a listener's clients can reach. */
  brokerPorts(listener: string): (readonly [number, number])[] {
    return [...this.#opened].flatMap(([key, port]) => (key[0] === listener ? [[key[1], port] as const] : [])).sort((a, b) => a[0] - b[0])
  }

  #brokerChanged({ nodeId, address }: BrokerStanding, problem: BrokerProblem | null): void {
    const { log } = this.#options
    if (problem === null) log.info({ nodeId, address }, 'a broker is well again')
    else {
      const what = problem.loginRefused ? 'a broker refuses the login of the gate' : 'a broker cannot be asked'
      log.error({ nodeId, address, why: problem.lastError }, what)
    }
  }

  #filesChanged(problem: string | null): void {
    const { log } = this.#options
    if (problem === null) log.info('certificates or credentials for the brokers have changed')
    else log.error({ problem }, 'certificates for the brokers cannot be used')
    this.#control.credentialsChanged()
  }

  async #clusterChanged(state: ClusterState): Promise<void> {
    const { pool, log, isClosing } = this.#options
    try {
      await pool.tell({ kind: 'cluster', state })
      const nodeIds = state.brokers.map(({ nodeId }) => nodeId)
      this.#ports.keep(new Set(nodeIds))
      await Promise.all(nodeIds.map(nodeId => this.#ports.ensure(nodeId)))
      for (const take of this.#wantedStates) take(state)
    } catch (why) {
      if (!isClosing()) log.error({ why: (why as Error).message }, 'a worker did not take the state of the cluster')
    }
  }

  #stateThat(holds: (state: ClusterState) => boolean): Promise<void> {
    return new Promise(resolve => {
      const take = (state: ClusterState) => {
        if (!holds(state)) return
        this.#wantedStates.delete(take)
        resolve()
      }
      this.#wantedStates.add(take)
      setTimeout(() => this.#wantedStates.delete(take), NEW_NODE_MS).unref()
    })
  }

  async #openBrokerPort(listener: string, nodeId: number, port: number): Promise<number> {
    const { bind, advertise, brokers } = this.#options.config.listeners.find(({ name }) => name === listener)!
    if (isNamePlan(brokers)) {
      const shared = advertise?.port ?? this.#options.boundPort(listener)
      this.#opened.set([listener, nodeId], shared)
      await this.#options.pool.tell({ kind: 'advertise', listener, nodeId, host: nameOf(brokers.sni, nodeId), port: shared })
      return shared
    }
    const opened = await this.#options.pool.listen(listener, nodeId, bind.host, port)
    this.#opened.set([listener, nodeId], opened)
    const told = { host: advertise?.host ?? bind.host, port: advertisedPort(brokers, opened) }
    await this.#options.pool.tell({ kind: 'advertise', listener, nodeId, ...told })
    return opened
  }
}

/** Clients' connections log in otherwise than the gate itself, and by what it has. */
const hasLoginOfItsOwn = ({ sasl, controlSasl }: ClusterConfig): boolean =>
  sasl !== null && sasl !== controlSasl && sasl.mechanism !== 'PASSTHROUGH'
