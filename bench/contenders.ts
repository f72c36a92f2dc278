// Who is measured: nothing in between, HAProxy in TCP mode with its defaults, TopicGate with every check on; each before the same sink.
// Proxies listen twice: plainly, and with TLS, which clients reach through a front that encrypts for them.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { type Certificate, makeAuthority } from '../scripts/stack/certificates.ts'
import { dataFolder, logTail, onFreePorts, type Part, startPart, untilReady } from '../scripts/stack/part.ts'
import { type DevIssuer, startDevIssuer } from '../src/auth/dev-issuer.ts'
import { generator, ran } from './generator.ts'
import { PEER_CPU, PROXY_CPU, pinned } from './machine.ts'

const START_TIMEOUT_MS = 20_000
/** This checkout of TopicGate. */
export const HERE = join(import.meta.dirname, '..')
/** Grants of others, as a policy has them. */
const OTHER_GRANTS = 200

export interface Contender {
  readonly name: string
  readonly pid: number
  readonly port: number
  /** Where the same contender is reached through the front and TLS; 0: it is not. */
  readonly tlsPort: number
  stop(): Promise<void>
}

export interface GateContender extends Contender {
  /** Milliseconds from the start of the process to its first answer. */
  readonly firstAnswerMs: number
  /** Requests that were judged until now. */
  judged(): Promise<number>
}

/** The issuer of this run, and a token of the one client in a file. */
export interface Login {
  readonly issuer: DevIssuer
  readonly tokenFile: string
  /** What proxies show clients that come by TLS: ECDSA on P-256. */
  readonly certificate: Certificate
  stop(): Promise<void>
}

export async function startLogin(): Promise<Login> {
  const issuer = await startDevIssuer({ lifetimeMs: 3_600_000 })
  const folder = dataFolder('login')
  const tokenFile = join(folder, 'token')
  writeFileSync(tokenFile, await issuer.mint({ service: 'bench' }))
  const authority = await makeAuthority(folder)
  const certificate = await authority.issue('proxy', { names: ['IP:127.0.0.1'] })
  return { issuer, tokenFile, certificate, stop: () => issuer.stop() }
}

/** A broker that forgets; `check`: one that says what it has received. */
export function startSink(kind: 'sink' | 'check-sink'): Promise<Contender> {
  return onFreePorts(1, async ([port]) => {
    const folder = dataFolder(kind)
    const part = startPart(kind, ...pinned(PEER_CPU, generator(), [kind, `port=${port}`, `bytes=${2 ** 20}`]), { folder })
    await ready(part, () => readFileSync(part.logFile, 'utf8').startsWith('ready'))
    return contender('direct', part, [port!])
  })
}

export async function startHaproxy(name: string, sinkPort: number, { certificate }: Login): Promise<Contender> {
  return onFreePorts(3, async ([port, tlsPort, frontPort]) => {
    const folder = dataFolder('haproxy')
    const config = HAPROXY + listens(port!, sinkPort) + listens(tlsPort!, sinkPort, `ssl crt ${certificate.store}`)
    const part = haproxy(PROXY_CPU, folder, config)
    await ready(part, () => answers(port!))
    return withFront(contender(name, part, [port!, frontPort!]), tlsPort!)
  })
}

/** @param checkout the folder whose sources run */
export function startGate(sinkPort: number, login: Login, name = 'topicgate', checkout = HERE): Promise<GateContender> {
  const main = join(checkout, 'src', 'main.ts')
  return onFreePorts(4, async ([port, tlsPort, healthPort, frontPort]) => {
    const folder = dataFolder('gate')
    const file = join(folder, 'topicgate.yaml')
    writeFileSync(file, stringify(gateConfig({ port: port!, tlsPort: tlsPort!, healthPort: healthPort!, sinkPort, login })))
    writeFileSync(join(folder, 'policy.yaml'), stringify(policy()))
    const since = Date.now()
    const part = startPart(name, ...pinned(PROXY_CPU, process.execPath, [main, 'run', '-c', file]), { folder })
    try {
      const { ms } = await ran<{ ms: number }>('ping', { port: port!, since })
      await ready(part, () => /^ready$/m.test(readFileSync(part.logFile, 'utf8')))
      return {
        ...(await withFront(contender(name, part, [port!, frontPort!]), tlsPort!)),
        firstAnswerMs: ms,
        judged: () => counter(`http://127.0.0.1:${healthPort}/metrics`, 'topicgate_requests_judged_total'),
      }
    } catch (error) {
      await part.kill()
      throw new Error(`the gate does not answer:\n${logTail(part)}`, { cause: error })
    }
  })
}

/** What clients are spared: a HAProxy on their CPU shakes hands and encrypts for them, a new session for each connection. */
async function withFront(of: Contender, tlsPort: number): Promise<Contender> {
  const config = `${HAPROXY.replace('nbthread 1', 'nbthread 1\n  maxconn 5000\n  tune.bufsize 65536')}${listens(of.tlsPort, tlsPort, '', 'ssl verify none no-ssl-reuse')}`
  const part = haproxy(PEER_CPU, dataFolder('front'), config)
  await ready(part, () => answers(of.tlsPort))
  return { ...of, stop: async () => void (await Promise.all([part.stop(), of.stop()])) }
}

function haproxy(cpu: number, folder: string, config: string): Part {
  const file = join(folder, 'haproxy.cfg')
  writeFileSync(file, config)
  return startPart('haproxy', ...pinned(cpu, 'haproxy', ['-db', '-f', file]), { folder })
}

const contender = (name: string, part: Part, [port, tlsPort = 0]: [port: number, tlsPort?: number]): Contender => ({
  name,
  pid: part.pid,
  port,
  tlsPort,
  stop: () => part.stop(),
})

async function ready(part: Part, is: () => boolean | Promise<boolean>): Promise<void> {
  await untilReady(part, async () => is(), START_TIMEOUT_MS)
}

async function answers(port: number): Promise<boolean> {
  await ran('ping', { port, since: 0 })
  return true
}

const HAPROXY = `global
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
`
const listens = (port: number, to: number, bindOptions = '', serverOptions = ''): string => `listen port-${port}
  bind 127.0.0.1:${port} ${bindOptions}
  server next 127.0.0.1:${to} ${serverOptions}
`

interface GateConfig {
  readonly port: number
  readonly tlsPort: number
  readonly healthPort: number
  readonly sinkPort: number
  readonly login: Login
}

const gateConfig = ({ port, tlsPort, healthPort, sinkPort, login: { issuer, certificate } }: GateConfig): object => ({
  version: 1,
  cluster: { name: 'bench', bootstrap: [`127.0.0.1:${sinkPort}`] },
  listeners: [
    { name: 'clients', bind: `127.0.0.1:${port}`, brokers: { ports: 'auto' }, clientAddress: 'direct' },
    {
      name: 'tls-clients',
      bind: `127.0.0.1:${tlsPort}`,
      tls: { cert: certificate.cert, key: certificate.key },
      brokers: { ports: 'auto' },
      clientAddress: 'direct',
    },
  ],
  issuers: [{ alias: 'corp', issuer: issuer.issuer, audience: 'kafka', kind: 'keycloak' }],
  policy: 'policy.yaml',
  audit: { to: ['stdout'] },
  health: { bind: `127.0.0.1:${healthPort}` },
  workers: 1,
})

const policy = (): object => ({
  version: 1,
  grants: [
    { id: 'bench', to: 'service:bench', allow: ['produce', 'consume'], topics: ['bench.open'], consumerGroups: ['bench'] },
    ...Array.from({ length: OTHER_GRANTS }, (_, i) => ({
      id: `team-${i}`,
      to: [`service:team-${i}`, `group:/teams/${i}`],
      allow: 'produce',
      topics: [`team-${i}.*`],
    })),
  ],
})

async function counter(url: string, name: string): Promise<number> {
  const text = await (await fetch(url)).text()
  const samples = text.split('\n').filter(line => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
  if (samples.length === 0) throw new Error(`no counter ${name}`)
  return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}
