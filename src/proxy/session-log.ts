// What sessions report, as log lines for operators and audit lines for the record; never a token, never a line per allowed request.

import type { Principal } from '../auth/principal.ts'
import type { AuditLine } from '../base/audit.ts'
import { type Log, RateLimit } from '../base/log.ts'
import { clip } from '../base/text.ts'
import { ulid } from '../base/ulid.ts'
import type { Operation, Origin, Reason } from '../policy/authorizer.ts'
import type { Name } from '../policy/names.ts'
import { KIND_NAMES, operationName } from '../policy/operations.ts'
import { errorName } from '../protocol/error-codes.ts'
import { apis } from '../protocol/messages/index.ts'
import type { ClientFacts, RequestFacts, SessionLog } from './gate.ts'

/** Log lines of one kind a second; the audit has every decision. */
const LINES_PER_SECOND = 10
/** Audit lines about what was allowed, a second and worker. */
const ALLOWS_PER_SECOND = 100
const MAX_NAME = 512
const NAMES = new Map(apis.map(api => [api.key, api.name]))

/** How connections end when nothing is wrong. */
const EXPECTED: ReadonlySet<string> = new Set(['client closed', 'drained', 'shut down', 'idle', 'sessionsExpired'])

type Verdict = AuditLine['verdict']
interface Judged {
  readonly verdict: Verdict
  readonly reason: string
  readonly principal: Principal | null
  readonly client: ClientFacts
  readonly request: RequestFacts | null
  readonly operation: Operation | null
  readonly name: Name | null
  readonly why: Reason | null
  readonly error: string | null
}

export interface LogOptions {
  readonly log: Log
  /** Gets every audit line; batches them as it likes. */
  record(line: AuditLine): void
  /** Where rights are changed. */
  policyFiles?(): readonly string[]
  now?(): number
}

/** One a worker. */
export class WorkerLog implements SessionLog {
  readonly #log: Log
  readonly #record: (line: AuditLine) => void
  readonly #policyFiles: () => readonly string[]
  readonly #now: () => number
  readonly #logins = new RateLimit(LINES_PER_SECOND)
  readonly #refusals = new RateLimit(LINES_PER_SECOND)
  readonly #undecided = new RateLimit(LINES_PER_SECOND)
  readonly #allows = new RateLimit(ALLOWS_PER_SECOND)
  readonly #closes = new RateLimit(LINES_PER_SECOND)
  readonly #acls = new RateLimit(LINES_PER_SECOND)

  constructor({ log, record, policyFiles, now }: LogOptions) {
    this.#log = log
    this.#record = record
    this.#policyFiles = policyFiles ?? (() => [])
    this.#now = now ?? Date.now
  }

  loginRefused(client: ClientFacts, why: string): void {
    const line = this.#audit({ ...NOTHING, verdict: 'refused', reason: why, client, error: 'SASL_AUTHENTICATION_FAILED' })
    const skipped = this.#logins.take(this.#now())
    if (skipped >= 0) this.#log.warn({ decision: line.id, ...facts(client), why: line.reason, ...more(skipped) }, 'login refused')
  }

  loggedIn(client: ClientFacts, principal: Principal): void {
    this.#log.debug({ ...facts(client), principal: clip(principal.id) }, 'logged in')
  }

  refused(
    client: ClientFacts,
    principal: Principal,
    request: RequestFacts,
    operation: Operation,
    name: Name,
    reason: Reason,
    errorCode: number,
  ): void {
    const error = errorName(errorCode)
    const line = this.#audit({ verdict: 'refused', reason: reason.why, principal, client, request, operation, name, why: reason, error })
    const skipped = this.#refusals.take(this.#now())
    if (skipped >= 0) this.#log.warn({ ...judged(line), error, ...more(skipped) }, 'refused')
  }

  /** A missing grant or a rule was let through by a shadow; the evaluator knows of the client only where it comes from. */
  wouldRefuse(principal: Principal, origin: Origin, operation: Operation, name: Name, reason: Reason): void {
    const client = { id: null, software: null, connection: '', certificate: null, ...origin }
    this.#audit({ ...NOTHING, verdict: 'would_refuse', reason: reason.why, principal, client, operation, name, why: reason })
  }

  /** A sample, for `audit.allows: sampled`: the first of each operation and name, and of those so many a second. */
  allowed(principal: Principal, origin: Origin, operation: Operation, name: Name, explain: () => Reason): void {
    if (this.#allows.take(this.#now()) < 0) return
    const client = { id: null, software: null, connection: '', certificate: null, ...origin }
    const why = explain()
    this.#audit({ ...NOTHING, verdict: 'allowed', reason: why.why, principal, client, operation, name, why })
  }

  undecided(client: ClientFacts, principal: Principal, request: RequestFacts, operation: Operation, name: Name): void {
    const line = this.#audit({ ...NOTHING, verdict: 'undecided', reason: 'no answer in time', principal, client, request, operation, name })
    const skipped = this.#undecided.take(this.#now())
    if (skipped >= 0) this.#log.warn({ ...judged(line), ...more(skipped) }, 'undecided')
  }

  hidden(client: ClientFacts, principal: Principal, request: RequestFacts, operation: Operation, name: Name): void {
    // A list of all topics hides thousands from one who may see few: that is no refusal, and worth a line to nobody but who asks for it.
    if (!this.#log.isLevelEnabled('trace')) return
    const resource = `${KIND_NAMES[name.resource]}:${clip(name.text, MAX_NAME)}`
    const api = NAMES.get(request.apiKey)
    this.#log.trace({ ...facts(client), principal: clip(principal.id), api, operation: operationName(operation), resource }, 'hidden')
  }

  aclsNotChanged(client: ClientFacts, principal: Principal, request: RequestFacts): void {
    const skipped = this.#acls.take(this.#now())
    if (skipped < 0) return
    const asked = { principal: clip(principal.id), api: NAMES.get(request.apiKey), policy: this.#policyFiles() }
    this.#log.warn({ ...facts(client), ...asked, ...more(skipped) }, 'ACLs are not changed: rights stand in the policy')
  }

  closed(client: ClientFacts, principal: Principal | null, cause: string, detail: string): void {
    const level = EXPECTED.has(cause) ? 'debug' : 'info'
    if (!this.#log.isLevelEnabled(level)) return
    const skipped = this.#closes.take(this.#now())
    if (skipped < 0) return
    const who = principal === null ? {} : { principal: clip(principal.id) }
    this.#log[level]({ ...facts(client), ...who, cause, detail: clip(detail), ...more(skipped) }, 'closed')
  }

  #audit(of: Judged): AuditLine {
    const nowMs = this.#now()
    const { verdict, principal, client, request, operation, name, why } = of
    const line: AuditLine = {
      time: new Date(nowMs).toISOString(),
      id: ulid(nowMs),
      verdict,
      reason: clip(of.reason, MAX_NAME),
      principal: bounded(principal?.id ?? null),
      issuer: bounded(principal?.issuer ?? null),
      azp: bounded(principal?.token.azp ?? null),
      sid: bounded(principal?.token.sid ?? null),
      jti: bounded(principal?.token.jti ?? null),
      act: principal?.acting ? { kind: principal.acting.kind, by: clip(principal.acting.by) } : null,
      client: {
        id: bounded(client.id),
        software: bounded(client.software),
        address: client.address,
        listener: client.listener,
        connection: client.connection,
        ...(client.certificate !== null && { certificate: clip(client.certificate.subject) }),
      },
      api: request === null ? null : (NAMES.get(request.apiKey) ?? String(request.apiKey)),
      version: request?.apiVersion ?? null,
      operation: operation === null ? null : operationName(operation),
      resource: name === null ? null : { kind: KIND_NAMES[name.resource], name: clip(name.text, MAX_NAME) },
      grant: why?.grant ?? null,
      rule: why?.rule ?? (why?.why === 'rule in shadow' ? why.shadow : null),
      generation: why?.generation ?? null,
      engine: why?.engine ?? null,
      error: of.error,
    }
    this.#record(line)
    return line
  }
}

const NOTHING = { principal: null, request: null, operation: null, name: null, why: null, error: null } as const

const bounded = (text: string | null): string | null => (text === null ? null : clip(text))
const more = (skipped: number) => (skipped > 0 ? { skipped } : {})
const facts = (client: ClientFacts) => ({ connection: client.connection, listener: client.listener, address: client.address })

function judged(line: AuditLine) {
  const { id, principal, client, api, version, operation, resource, reason, rule } = line
  return {
    decision: id,
    connection: client.connection,
    address: client.address,
    principal,
    api,
    version,
    operation,
    resource: resource === null ? null : `${resource.kind}:${resource.name}`,
    reason,
    ...(rule === null ? {} : { rule }),
  }
}
