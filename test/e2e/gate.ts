// TopicGate as its users run it: a process of its own, files in a folder, audit lines on stdout, `ready` on stderr.

import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { dataFolder, logTail, onFreePorts, type Part, startPart, untilReady } from '../../scripts/stack/part.ts'
import { until } from '../fakes/until.ts'

export interface GateOptions {
  /** `host:port` with commas: the cluster behind. */
  readonly bootstrap: string
  /** policy.yaml, as text. */
  readonly policy: string
  /** Entries of `issuers:`. */
  readonly issuers: readonly object[]
  readonly clusterName?: string
  /** Put over the rest of topicgate.yaml. */
  readonly config?: object
  readonly workers?: number | 'auto'
  readonly dataDir?: string
  /** Its clock is ahead by as many ms as stand in this file; whoever writes it turns the clock. */
  readonly clockFile?: string
}

export interface Gate {
  /** What clients get as their bootstrap address. */
  readonly bootstrap: string
  readonly host: string
  readonly port: number
  /** Of `/livez`, `/readyz`, `/metrics`. */
  readonly healthUrl: string
  readonly configFile: string
  readonly policyFile: string
  readonly pid: number
  readonly logFile: string
  readonly running: boolean
  /** Audit lines so far. A line is written soon after the client was told. */
  audit(): any[]
  /** The first audit line that is wanted, behind the first `after`, once it is written. */
  audited(wanted: (line: any) => boolean, after?: number): Promise<any>
  /** The sum of a metric's samples whose labels hold `labels`. */
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>
  /** Replaces the policy file in one step, as editors and Kubernetes do. */
  setPolicy(policy: string): void
  stop(): Promise<void>
  kill(): Promise<void>
}

const READY_TIMEOUT_MS = 90_000
const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts')
const SHIFTED_CLOCK = join(import.meta.dirname, 'shifted-clock.ts')

export function startGate(options: GateOptions): Promise<Gate> {
  return onFreePorts(2, ports => launch(options, ports[0]!, ports[1]!))
}

async function launch(options: GateOptions, port: number, healthPort: number): Promise<Gate> {
  const folder = options.dataDir ?? dataFolder('gate')
  const policyFile = join(folder, 'policy.yaml')
  const configFile = join(folder, 'topicgate.yaml')
  const auditFile = join(folder, 'audit.ndjson')
  writeFileSync(policyFile, options.policy)
  writeFileSync(auditFile, '')
  const config = {
    version: 1,
    cluster: { name: options.clusterName ?? 'main', bootstrap: options.bootstrap.split(',') },
    listeners: [{ name: 'clients', bind: `127.0.0.1:${port}`, brokers: { ports: 'auto' }, clientAddress: 'direct' }],
    issuers: options.issuers,
    policy: 'policy.yaml',
    audit: { to: [`file:${auditFile}`] },
    health: { bind: `127.0.0.1:${healthPort}` },
    workers: options.workers ?? 1,
    ...options.config,
  }
  writeFileSync(configFile, stringify(config))
  const { clockFile } = options
  const [preload, env] = clockFile === undefined ? [[], {}] : [['--import', SHIFTED_CLOCK], { TOPICGATE_TEST_CLOCK: clockFile }]
  const part = startPart('topicgate', process.execPath, [...preload, MAIN, 'run', '-c', configFile], { folder, env })
  try {
    await untilReady(part, async () => /^ready$/m.test(readFileSync(part.logFile, 'utf8')), READY_TIMEOUT_MS)
  } catch (error) {
    await part.kill()
    throw error
  }
  return running(part, port, `http://127.0.0.1:${healthPort}`, configFile, policyFile, auditFile)
}

function running(part: Part, port: number, healthUrl: string, configFile: string, policyFile: string, auditFile: string): Gate {
  const audit = (): any[] =>
    readFileSync(auditFile, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map(line => JSON.parse(line))
  return {
    bootstrap: `127.0.0.1:${port}`,
    host: '127.0.0.1',
    port,
    healthUrl,
    configFile,
    policyFile,
    pid: part.pid,
    logFile: part.logFile,
    get running() {
      return part.running
    },
    audit,
    audited: async (wanted, after = 0) => {
      let line: any
      await until(() => (line = audit().slice(after).find(wanted)) !== undefined)
      return line
    },
    metric: async (name, labels = {}) => {
      const text = await (await fetch(`${healthUrl}/metrics`)).text()
      const wanted = Object.entries(labels).map(([k, v]) => `${k}="${v}"`)
      return text
        .split('\n')
        .filter(line => (line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && wanted.every(w => line.includes(w)))
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
    },
    setPolicy: policy => {
      writeFileSync(`${policyFile}.next`, policy)
      renameSync(`${policyFile}.next`, policyFile)
    },
    stop: async () => {
      await part.stop()
      if (/Unhandled|uncaught/i.test(logTail(part))) throw new Error(`the gate ended badly:\n${logTail(part)}`)
    },
    kill: () => part.kill(),
  }
}
