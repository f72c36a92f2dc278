// `topicgate run`: serves until a signal ends it. The banner, the log and `ready` go to stderr; stdout has audit lines only.

import type { Command } from 'commander'
import { addressText } from '../base/config-address.ts'
import type { Log } from '../base/log.ts'
import type { PolicyDocument } from '../policy/policy-document.ts'
import type { GateProcess } from '../proxy/process.ts'
import type { ServedAdmin } from '../proxy/process-admin.ts'
import { collect } from './policy-options.ts'
import { version } from './version.ts'

/** How long connections that are open may finish what is in flight after SIGTERM. */
const DRAIN_MS = 25_000

export function register(program: Command): void {
  program
    .command('run')
    .description('serve')
    .requiredOption('-c, --config <file>', 'topicgate.yaml')
    .option('--set <key=value>', 'override one value of the file, as cluster.name=test; may be repeated', collect, [])
    .action(({ config, set }: { config: string; set: string[] }) => run(config, set))
}

async function run(file: string, sets: readonly string[]): Promise<void> {
  const { loadConfig } = await import('../base/config.ts')
  const { readPolicyOf, watchPolicy } = await import('../policy/watch.ts')
  const config = loadConfig(file, sets)
  const document = readPolicyOf(config, 1)
  const [{ GateProcess }, { openLog }, { serveHealth }, { keepYoungGeneration }, { demandCertificates }, { demandSigner }] =
    await Promise.all([
      import('../proxy/process.ts'),
      import('../base/log.ts'),
      import('../proxy/process-health.ts'),
      import('../base/young-generation.ts'),
      import('../proxy/listener-certificates.ts'),
      import('../proxy/own-login.ts'),
    ])
  demandCertificates(config)
  demandSigner(config)
  keepYoungGeneration()
  const log = openLog(null)
  const ended = Promise.withResolvers<void>()
  const gate = new GateProcess({ config, document, log, onFatal: why => ended.reject(why) })
  const health = await serveHealth(gate, version())
  let admin: ServedAdmin | null = null
  try {
    await gate.start()
    const { serveAdmin } = await import('../proxy/process-admin.ts')
    admin = await serveAdmin(gate, version(), log)
    const watching = watchPolicy(
      config,
      document,
      next => adopt(gate, next, log),
      why => keep(gate, why, log),
    )
    const stopListening = onSignals(gate, log, { reload: () => watching.now(), end: ended.resolve })
    process.stderr.write(`${banner(gate, health.port, admin?.port ?? null).join('\n')}\nready\n`)
    await ended.promise.finally(() => {
      stopListening()
      watching.stop()
    })
  } finally {
    admin?.close()
    await gate.close()
    health.close()
  }
}

async function adopt(gate: GateProcess, document: PolicyDocument, log: Log): Promise<void> {
  await gate.replacePolicy(document)
  gate.policyIsFresh = true
  log.info({ generation: document.generation, hash: document.hash.slice(0, 12) }, 'policy replaced')
}

function keep(gate: GateProcess, why: Error, log: Log): void {
  gate.policyIsFresh = false
  log.error({ generation: gate.document.generation, problems: why.message.split('\n') }, 'policy refused: the one in force stays')
}

interface Ends {
  reload(): void
  end(): void
}

/** SIGTERM drains, SIGINT stops, either one the second time stops at once; SIGHUP reads files again. @returns what forgets them */
function onSignals(gate: GateProcess, log: Log, { reload, end }: Ends): () => void {
  let ending = false
  const stop = (signal: NodeJS.Signals) => {
    if (ending) return end()
    ending = true
    log.info({ signal }, 'ending')
    void gate.drain(signal === 'SIGTERM' ? DRAIN_MS : 1000).finally(end)
  }
  const hangUp = () => {
    gate.reopenAudit()
    reload()
  }
  process.on('SIGTERM', stop).on('SIGINT', stop).on('SIGHUP', hangUp)
  return () => void process.off('SIGTERM', stop).off('SIGINT', stop).off('SIGHUP', hangUp)
}

function banner(gate: GateProcess, healthPort: number | null, adminPort: number | null): string[] {
  const { config, document, cluster } = gate
  const { state } = cluster
  const brokers = state.brokers.length
  return [
    `topicgate ${version()}  node ${process.version}  ${gate.workers} ${gate.workers === 1 ? 'worker' : 'workers'}`,
    ...gate.listeners.map(({ name, host, port, advertised }) => {
      const nodes = cluster.brokerPorts(name).map(([nodeId, nodePort]) => `${nodeId}:${nodePort}`)
      return `listener ${name}  ${addressText(host, port)}  advertised ${advertised}  brokers ${nodes.length === 0 ? 'none yet' : nodes.join(' ')}`
    }),
    `cluster ${config.cluster.name}  ${state.reachable ? `${state.clusterId}  ${brokers} ${brokers === 1 ? 'broker' : 'brokers'}` : 'unreachable'}`,
    ...config.issuers.map(({ alias, issuer }) => `issuer ${alias}  ${issuer}`),
    `engine ${config.authorizer.engine}`,
    `policy ${document.files.length === 0 ? 'none, the store stands alone' : config.policy}  generation ${document.generation}  ${document.grants.length} grants  ${document.rules.length} rules  ${document.hash.slice(0, 12)}`,
    ...(adminPort === null ? [] : [`admin ${addressText(config.admin!.bind.host, adminPort)}`]),
    ...(healthPort === null ? [] : [`health ${addressText(config.health!.bind.host, healthPort)}`]),
  ]
}
