// Main's part of a running gate: what exists once, the workers, and the order in which all of it comes up and goes down.

import { TokenVerifier } from '../auth/oauthbearer.ts'
import { type OwnToken, TokenUnavailable } from '../auth/own-token.ts'
import type { Principal, Verified } from '../auth/principal.ts'
import { AuditFile, type AuditLine } from '../base/audit.ts'
import type { Config } from '../base/config.ts'
import { addressText } from '../base/config-address.ts'
import { Counter, counterMemory, counterRow } from '../base/counters.ts'
import type { Log } from '../base/log.ts'
import type { Origin, Verdict } from '../policy/authorizer.ts'
import type { Kept, KeptQuestion } from '../policy/kept.ts'
import type { PolicyDocument } from '../policy/policy-document.ts'
import { ClusterSide } from './cluster-side.ts'
import type { NamedTopics, TopicFacts } from './cluster-state.ts'
import { type Engine, openEngine } from './engine.ts'
import { heldMemory } from './held.ts'
import type { Home } from './home.ts'
import { ListenerCertificates } from './listener-certificates.ts'
import { type OwnTokenSource, ownTokenSource } from './own-login.ts'
import { within } from './waits.ts'
import { WorkerPool, workerCount } from './worker-pool.ts'

/** How often sessions' losses are looked at. */
const LOSS_ROUND_MS = 2000
/** How long the start waits for a cluster that does not answer; it is looked for on and on after that. */
const FIRST_CONTACT_MS = 5000

export interface ProcessOptions {
  readonly config: Config
  readonly document: PolicyDocument
  readonly log: Log
  /** A worker has died: nothing can be served as it should be. */
  onFatal(why: Error): void
}

interface BoundListener {
  readonly name: string
  readonly host: string
  readonly port: number
  readonly advertised: string
}

export class GateProcess implements Home {
  readonly config: Config
  readonly listeners: BoundListener[] = []
  document: PolicyDocument
  /** The policy files hold what is in force. */
  policyIsFresh = true
  draining = false
  ready = false
  readonly startedAtMs = Date.now()
  readonly #log: Log
  readonly #options: ProcessOptions
  readonly #pool: WorkerPool
  readonly #verifier: TokenVerifier
  readonly #audit: AuditFile[]
  readonly #tokens: OwnTokenSource | null
  readonly #cluster: ClusterSide
  #engine: Engine | null = null
  #certificates: ListenerCertificates | null = null
  #closing = false
  #losses = 0
  #refusals = 0
  #lossTimer: NodeJS.Timeout | undefined
  readonly counters: SharedArrayBuffer
  readonly held = heldMemory()

  constructor(options: ProcessOptions) {
    const { config, document, log } = options
    this.#options = options
    this.config = config
    this.document = document
    this.#log = log
    const workers = workerCount(config.workers)
    this.counters = counterMemory(workers)
    this.#pool = new WorkerPool({ count: workers, home: this, log, onFatal: why => this.#lost(why) })
    this.#verifier = new TokenVerifier(config.issuers)
    this.#audit = config.audit.to.map(to => new AuditFile(to.kind === 'file' ? to.path : null))
    this.#tokens = ownTokenSource(config.cluster.sasl)
    this.#cluster = new ClusterSide({
      config,
      pool: this.#pool,
      log,
      tokens: this.#tokens,
      boundPort: listener => this.listeners.find(({ name }) => name === listener)!.port,
      isClosing: () => this.#closing,
    })
  }

  /** Resolves when clients can be served; a cluster or issuer that does not answer does not keep it from that. @throws when an address cannot be bound */
  async start(): Promise<void> {
    this.#engine = await openEngine(this.config, this.document, message => this.#pool.tell({ kind: 'engine', message }))
    this.#certificates = new ListenerCertificates(this.config.listeners, this.#log)
    const keys = this.#verifier.start()
    const { config, document, counters } = this
    const engine = this.#engine?.initial() ?? null
    await this.#pool.open({ config, document, engine, counters, held: this.held.buffer })
    for (const { name, bind, advertise } of this.config.listeners) {
      const port = await this.#pool.listen(name, null, bind.host, bind.port)
      const host = advertise?.host ?? bind.host
      this.listeners.push({ name, host: bind.host, port, advertised: addressText(host, advertise?.port ?? port) })
    }
    await within(Promise.all([this.#cluster.start(), keys.catch(() => undefined)]), FIRST_CONTACT_MS)
    this.ready = true
    this.#lossTimer = setInterval(() => this.#lookForLosses(), LOSS_ROUND_MS)
    this.#lossTimer.unref()
  }

  /** Sessions that lose their brokers say that the cluster has changed, sooner than the next round would. */
  #lookForLosses(): void {
    const refusals = this.sum('brokerLoginsRefused')
    if (refusals !== this.#refusals) this.#cluster.loginsRefused()
    this.#refusals = refusals
    const losses = this.sum('dialFailed') + this.sum('brokerClosed')
    if (losses !== this.#losses) this.#cluster.wake()
    this.#losses = losses
  }

  /** Judges by another policy from now on: resolves when every worker does. */
  async replacePolicy(document: PolicyDocument): Promise<void> {
    this.document = document
    await this.#engine?.replace(document)
    await this.#pool.tell({ kind: 'policy', document })
  }

  reopenAudit(): void {
    for (const file of this.#audit) file.reopen()
  }

  /** No new connections, those that are open finish what is in flight; then all is closed. */
  async drain(withinMs: number): Promise<void> {
    this.draining = true
    await within(this.#pool.tell({ kind: 'drain', withinMs }), withinMs + 1000)
    await this.close()
  }

  async close(): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    this.ready = false
    clearInterval(this.#lossTimer)
    this.#cluster.stop()
    this.#certificates?.stop()
    this.#tokens?.stop()
    this.#verifier.stop()
    this.#engine?.stop()
    await within(
      this.#pool.tell({ kind: 'close' }).catch(() => undefined),
      2000,
    )
    await Promise.all(this.#audit.map(file => file.flush(2000)))
    await this.#pool.terminate()
  }

  verify(token: string, listener: string, thumbprint: string | null): Promise<Verified> {
    const issuers = this.config.listeners.find(({ name }) => name === listener)?.issuers ?? []
    return this.#verifier.verify(token, issuers, thumbprint)
  }

  topicsOf(ids: readonly string[]): Promise<TopicFacts> {
    return this.#cluster.topicsOf(ids)
  }

  topicsNamed(names: readonly string[]): Promise<NamedTopics> {
    return this.#cluster.topicsNamed(names)
  }

  async topicsMoved(): Promise<void> {
    this.#cluster.topicsMoved()
  }

  nodeNamed(nodeId: number, host: string, port: number): Promise<void> {
    return this.#cluster.nodeNamed(nodeId, host, port)
  }

  ownToken(refused: string | null): Promise<OwnToken> {
    return this.#tokens?.tokens.token(refused) ?? Promise.reject(new TokenUnavailable('this configuration asks for no token'))
  }

  askEngine(question: unknown): Promise<unknown> {
    return this.#engine === null ? Promise.reject(new Error('no engine in main')) : this.#engine.ask(question)
  }

  async record(lines: readonly AuditLine[]): Promise<void> {
    for (const file of this.#audit) for (const line of lines) file.write(line)
  }

  verifyOf(token: string, issuers: readonly string[]): Promise<Verified> {
    return this.#verifier.verify(token, issuers)
  }

  /** What each worker keeps of a principal. */
  kept(question: KeptQuestion): Promise<Kept[][]> {
    return this.#pool.kept(question)
  }

  mayDescribeCluster(principal: Principal, origin: Origin): Promise<Verdict> {
    return this.#pool.mayDescribeCluster(principal, origin)
  }

  get engine(): Engine | null {
    return this.#engine
  }

  get cluster(): Pick<
    ClusterSide,
    'state' | 'problem' | 'brokerProblems' | 'loginRefused' | 'foreignBrokers' | 'missingPorts' | 'brokerPorts'
  > {
    return this.#cluster
  }

  /** When each listener's certificate ends, in epoch ms. */
  get certificateEnds(): ReadonlyMap<string, number> {
    return this.#certificates?.ends ?? new Map()
  }

  get auditDropped(): number {
    return this.#audit.reduce((sum, file) => sum + file.dropped, this.sum('auditDropped'))
  }

  get issuers() {
    return this.#verifier.status()
  }

  get engineStatus(): Record<string, unknown> {
    return this.#engine?.status() ?? {}
  }

  get workers(): number {
    return this.#pool.count
  }

  sum(counter: keyof typeof Counter): number {
    let sum = 0
    for (let worker = 0; worker < this.workers; worker++) sum += counterRow(this.counters, worker)[Counter[counter]]!
    return sum
  }

  #lost(why: Error): void {
    if (!this.#closing) this.#options.onFatal(why)
  }
}
