// What a running gate says of itself over HTTP: its readiness and its metrics.

import { Counter, counterRow } from '../base/counters.ts'
import type { Figure } from '../base/metrics.ts'
import { HealthServer } from './health.ts'
import type { GateProcess } from './process.ts'

export interface ServedHealth {
  /** null: the configuration wants none. */
  readonly port: number | null
  close(): void
}

/** @throws when the address cannot be bound */
export async function serveHealth(gate: GateProcess, version: string): Promise<ServedHealth> {
  const bind = gate.config.health?.bind
  if (bind === undefined) return { port: null, close: () => undefined }
  const metrics = lazily(async () => {
    const { Metrics } = await import('../base/metrics.ts')
    return new Metrics({ version, workers: gate.workers, counters: gate.counters, figures: figures(gate) })
  })
  const server = new HealthServer({
    readiness: () => readiness(gate),
    metrics: async () => {
      const { contentType, text } = await metrics().then(async m => ({ contentType: m.contentType, text: await m.text() }))
      return { contentType, text }
    },
  })
  return { port: await server.listen(bind.host, bind.port), close: () => server.close() }
}

/** `ready` says of this process only: a cluster that is down is not mended by taking the gate out of service. */
function readiness(gate: GateProcess) {
  const { cluster, document } = gate
  const { state } = cluster
  const issuers = [...gate.issuers].map(([alias, { usable, lastError }]) => [
    alias,
    { usable, ...(lastError === null ? {} : { lastError }) },
  ])
  return {
    ready: gate.ready && !gate.draining,
    draining: gate.draining,
    cluster: {
      reachable: state.reachable,
      ...cluster.problem,
      clusterId: state.clusterId,
      brokers: state.brokers.length,
      alive: state.brokers.filter(broker => broker.alive).length,
      withoutPort: cluster.missingPorts,
      problems: cluster.brokerProblems,
    },
    issuers: Object.fromEntries(issuers),
    engine: { name: gate.config.authorizer.engine, ...gate.engineStatus },
    policy: { generation: document.generation, hash: document.hash.slice(0, 12) },
  }
}

const one = (name: string, help: string, read: () => number): Figure => ({ name, help, read })

function figures(gate: GateProcess): Figure[] {
  const { held, workers, counters } = gate
  return [
    {
      name: 'connections',
      help: 'Client connections that are open.',
      labels: ['worker'],
      read: () =>
        Array.from({ length: workers }, (_, worker) => {
          const row = counterRow(counters, worker)
          return { labels: { worker: String(worker) }, value: row[Counter.connectionsOpened]! - row[Counter.connectionsClosed]! }
        }),
    },
    {
      name: 'held_bytes',
      help: 'Bytes of frames that wait in memory.',
      labels: ['side'],
      read: () => ['requests', 'responses'].map((side, i) => ({ labels: { side }, value: Atomics.load(held, i) })),
    },
    one('cluster_reachable', '1 while the control connection works.', () => Number(gate.cluster.state.reachable)),
    one('cluster_login_refused', '1 while a broker refuses a login of the gate: its own, or that of clients’ connections.', () =>
      Number(gate.cluster.loginRefused),
    ),
    one('brokers_outside_hosts', 'Brokers that the cluster names on hosts outside cluster.hosts.', () => gate.cluster.foreignBrokers),
    one('brokers', 'Brokers of the cluster.', () => gate.cluster.state.brokers.length),
    one('brokers_alive', 'Brokers that answered when they were last asked.', () => gate.cluster.state.brokers.filter(b => b.alive).length),
    {
      name: 'listener_certificate_ends_seconds',
      help: 'When the certificate of a listener ends, in seconds since 1970.',
      labels: ['listener'],
      read: () => [...gate.certificateEnds].map(([listener, endsMs]) => ({ labels: { listener }, value: endsMs / 1000 })),
    },
    one('brokers_without_port', 'Brokers that a listener has no port for.', () => gate.cluster.missingPorts),
    one('policy_generation', 'Generation of the policy in force.', () => gate.document.generation),
    one('policy_last_reload_successful', '0 while the policy files hold what was refused.', () => Number(gate.policyIsFresh)),
    one('audit_lines_dropped', 'Audit lines that found their queue full.', () => gate.auditDropped),
    one('ready', '1 while this process takes connections.', () => Number(gate.ready && !gate.draining)),
    one('start_time_seconds', 'When this process began, in seconds since 1970.', () => gate.startedAtMs / 1000),
    {
      name: 'issuer_keys_usable',
      help: '1 while tokens of the issuer can be checked.',
      labels: ['issuer'],
      read: () => [...gate.issuers].map(([issuer, { usable }]) => ({ labels: { issuer }, value: Number(usable) })),
    },
    ...(gate.config.authorizer.engine === 'openfga' ? openFgaFigures(gate) : []),
  ]
}

/** Whether it is OpenFGA that leaves questions undecided. */
function openFgaFigures(gate: GateProcess): Figure[] {
  const status = () => gate.engineStatus
  return [
    one('openfga_connected', '1 while OpenFGA says what changed in its store.', () => Number(status()['connected'] === true)),
    one('openfga_failing', '1 while questions to OpenFGA keep failing, so that few are asked.', () => Number(status()['failing'] === true)),
    one(
      'openfga_lag_seconds',
      'Since OpenFGA last said what changed in its store; until it has, since the start.',
      () => Number(status()['lagMs'] ?? Date.now() - gate.startedAtMs) / 1000,
    ),
  ]
}

/** Made at the first call. */
function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null
  return () => (made ??= make())
}
