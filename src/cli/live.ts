// `topicgate validate --live`: goes the whole way to brokers, issuers and the store, step by step, and says at which one it ends.

import { lookup } from 'node:dns/promises'
import { connect, isIP, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { IssuerKeys } from '../auth/issuer.ts'
import type { Config } from '../base/config.ts'
import { addressText } from '../base/config-address.ts'
import type { BrokerSasl } from '../base/config-cluster.ts'
import { demandFit } from '../policy/openfga-model.ts'
import { offered } from '../policy/plan.ts'
import { Metadata } from '../protocol/messages/03-metadata.ts'
import { apis } from '../protocol/messages/index.ts'
import { portFor } from '../proxy/addresses.ts'
import { servedRanges } from '../proxy/api-versions.ts'
import { maxVersionOf } from '../proxy/cluster-state.ts'
import { type Address, hello, type Known } from '../proxy/hello.ts'
import { type OwnTokenSource, ownTokenSource } from '../proxy/own-login.ts'
import { Upstream } from '../proxy/upstream.ts'
import { brokerHint, issuerHint, storeHint } from './live-hints.ts'

/** One step, one line. */
export interface LiveCheck {
  readonly check: string
  readonly ok: boolean
  /** What was seen, when all is well. */
  readonly seen: string | null
  readonly problem: string | null
  readonly hint: string | null
}

/** A broker that has answered. */
interface Seen extends Known {
  readonly at: Address
}

const TIMEOUT_MS = 5_000
const NEEDED = ['Produce', 'Fetch', 'ListOffsets', 'Metadata']

class Report {
  readonly checks: LiveCheck[] = []

  /** Runs one step. @returns undefined when it failed */
  async step<T>(check: string, work: () => Promise<readonly [T, string | null]>, hintFor = brokerHint): Promise<T | undefined> {
    try {
      const [value, seen] = await work()
      this.checks.push({ check, ok: true, seen, problem: null, hint: null })
      return value
    } catch (why) {
      const problem = plain(why as Error)
      this.fail(check, problem, hintFor(problem))
      return undefined
    }
  }

  fail(check: string, problem: string, hint: string | null): void {
    this.checks.push({ check, ok: false, seen: null, problem, hint })
  }
}

export async function liveChecks(config: Config): Promise<LiveCheck[]> {
  const report = new Report()
  await checkCluster(config, report)
  for (const issuer of config.issuers) {
    const fetched = async () => {
      const keys = new IssuerKeys(issuer)
      await keys.start()
      keys.stop()
      if (!keys.status.usable) throw new Error(keys.status.lastError ?? 'its keys cannot be used')
      return [null, 'its keys can be fetched'] as const
    }
    await report.step(`issuer ${issuer.alias}`, fetched, issuerHint)
  }
  await checkStore(config, report)
  return report.checks
}

async function checkCluster(config: Config, report: Report): Promise<void> {
  const { sasl, controlSasl, bootstrap } = config.cluster
  const known = await withLogin(config, report, controlSasl, async (upstream, login) => {
    let first: Seen | undefined
    for (const at of bootstrap) {
      const one = await checkBroker(report, upstream, at, login)
      if (first === undefined) first = one
      else one?.client.close()
    }
    // Of the cluster brokers tell nothing before a login.
    if (first !== undefined && login) await checkMetadata(config, report, upstream, first)
    first?.client.close()
    return first
  })
  if (known === undefined || sasl === null || sasl === controlSasl || sasl.mechanism === 'PASSTHROUGH') return
  await withLogin(config, report, sasl, async (upstream, login) => {
    if (login) (await checkOffer(report, upstream, known.at, "login of clients' connections"))?.client.close()
  })
}

/** @param work is told whether there is all that a login takes @returns undefined when there are files that cannot be used */
async function withLogin<T>(
  { cluster }: Config,
  report: Report,
  sasl: BrokerSasl | null,
  work: (upstream: Upstream, login: boolean) => Promise<T>,
): Promise<T | undefined> {
  let tokens: OwnTokenSource | null
  let upstream: Upstream
  try {
    tokens = ownTokenSource(sasl)
    upstream = new Upstream({ ...cluster, sasl, ownToken: refused => tokens!.tokens.token(refused) })
  } catch (why) {
    report.fail('files', plain(why as Error), 'cluster.tls.ca, cert and key are PEM files, and the key is that of the certificate')
    return undefined
  }
  try {
    return await work(upstream, tokens === null || (await checkToken(report, tokens)))
  } finally {
    upstream.stop()
    tokens?.stop()
  }
}

/** The gate's own token, which it takes to log in: without one there is no use in trying. */
async function checkToken(report: Report, { tokens }: OwnTokenSource): Promise<boolean> {
  const got = await report.step('token for the brokers', async () => {
    const { expiresAtMs } = await tokens.token()
    return [true, `good until ${new Date(expiresAtMs).toISOString()}`]
  })
  return got !== undefined
}

/** From the name to what it offers. @returns undefined when a step failed */
async function checkBroker(report: Report, upstream: Upstream, at: Address, login: boolean): Promise<Seen | undefined> {
  const name = addressText(at.host, at.port)
  if (isIP(at.host) === 0) {
    const found = await report.step(`dns ${at.host}`, async () => {
      const addresses = await lookup(at.host, { all: true })
      return [addresses, addresses.map(({ address }) => address).join(' ')]
    })
    if (found === undefined) return undefined
  }
  const reached = await report.step(`tcp ${name}`, async () => [await reach(connect(at), 'connect', () => null), null] as const)
  if (reached === undefined) return undefined
  if (upstream.secure && !(await checkTls(report, upstream, at, name))) return undefined
  return checkOffer(report, upstream, at, login && upstream.logsIn ? 'login and offer' : 'offer', login)
}

function checkOffer(report: Report, upstream: Upstream, at: Address, step: string, login = true): Promise<Seen | undefined> {
  return report.step(`${step} ${addressText(at.host, at.port)}`, async () => {
    const known = await hello(upstream, at, { clientId: 'topicgate-validate', timeoutMs: TIMEOUT_MS, login })
    const served = servedRanges(known.offer, offered)
    const missing = NEEDED.filter(api => !served.has(apis.find(({ name: n }) => n === api)!.key))
    if (missing.length > 0) {
      known.client.close()
      throw new Error(`no version of ${missing.join(', ')} is served by both the gate and the broker`)
    }
    const hidden = known.offer.ranges.length - served.size
    return [{ ...known, at }, `${served.size} APIs${hidden > 0 ? `, ${hidden} of the broker's are not passed on` : ''}`]
  })
}

async function checkTls(report: Report, upstream: Upstream, at: Address, name: string): Promise<boolean> {
  const seen = await report.step(`tls ${name}`, async () => {
    try {
      const text = await reach(upstream.connect(at, null), 'secureConnect', socket => {
        const tls = socket as TLSSocket
        const { subject, valid_to } = tls.getPeerCertificate()
        return `${tls.getProtocol()}, ${subject?.CN ?? 'no name'}, until ${new Date(valid_to).toISOString()}`
      })
      return [text, text] as const
    } catch (why) {
      throw new Error(upstream.explain(why as Error))
    }
  })
  return seen !== undefined
}

async function checkMetadata(config: Config, report: Report, upstream: Upstream, { client, offer }: Known): Promise<void> {
  const version = Math.min(Metadata.versions.max, maxVersionOf(offer, Metadata.key))
  const metadata = await report.step('metadata', async () => {
    const asked = await client.ask(Metadata, version, { topics: [], allowAutoTopicCreation: false }, TIMEOUT_MS)
    return [asked, `cluster ${asked.clusterId ?? 'without an id'}, ${asked.brokers.length} brokers`]
  })
  for (const { nodeId, host, port } of metadata?.brokers ?? []) {
    if (!upstream.allows(host)) {
      report.fail(`broker ${nodeId}`, `${host} is not among cluster.hosts`, 'add it, if it is one of yours')
      continue
    }
    for (const { name, brokers } of config.listeners) {
      if ((brokers === 'auto' || 'firstPort' in brokers) && portFor(brokers, nodeId) === undefined)
        report.fail(`listener ${name}`, `has no port for broker ${nodeId}`, 'widen brokers.ports, or set brokers.firstNode')
    }
    // What the cluster advertises is what clients' connections are dialled to.
    if (!config.cluster.bootstrap.some(b => b.host === host && b.port === port)) {
      ;(await checkBroker(report, upstream, { host, port }, false))?.client.close()
    }
  }
}

async function checkStore(config: Config, report: Report): Promise<void> {
  const { engine, openfga } = config.authorizer
  if (engine !== 'openfga' || openfga === null) return
  const store = `${openfga.url.replace(/\/$/, '')}/stores/${openfga.store}`
  const headers: Record<string, string> = openfga.token === null ? {} : { authorization: `Bearer ${openfga.token}` }
  const ask = async (url: string) => {
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) })
    const body: any = await response.json().catch(() => ({}))
    if (!response.ok) throw new Error(`${url} answered ${response.status} ${body.message ?? ''}`.trim())
    return body
  }
  const named = async () => {
    const { id, name } = await ask(store)
    if (id !== openfga.store) throw new Error(`${store} is not answered as by OpenFGA`)
    return [id, name as string] as const
  }
  if ((await report.step(`openfga store ${openfga.store}`, named, storeHint)) === undefined) return
  const fit = async () => {
    const model =
      openfga.model === null
        ? (await ask(`${store}/authorization-models?page_size=1`)).authorization_models[0]
        : (await ask(`${store}/authorization-models/${openfga.model}`)).authorization_model
    if (model === undefined) throw new Error('the store has no model')
    demandFit(model, model.id)
    return [model, openfga.model ?? `${model.id}, the newest`] as const
  }
  await report.step('openfga model', fit, storeHint)
}

/** Waits for a socket's event, says what was seen, and closes it. */
function reach<T>(socket: Socket, event: 'connect' | 'secureConnect', look: (socket: Socket) => T): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${TIMEOUT_MS} ms`)), TIMEOUT_MS)
    socket.once('error', reject)
    socket.once('close', () => {
      clearTimeout(timer)
      reject(new Error('the other side closed the connection'))
    })
    socket.once(event, () => {
      resolve(look(socket))
      socket.destroy()
    })
  })
}

function plain({ message, cause }: Error): string {
  const inner = cause as (Error & { code?: string }) | undefined
  return inner === undefined ? message : `${message}: ${inner.code ?? inner.message}`
}
