// The admin API over HTTP: who calls, by which name and with which token; bounded bodies; problems as RFC 9457 writes them.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Principal, Verified } from '../auth/principal.ts'
import type { AdminConfig } from '../base/config-admin.ts'
import { close, listen } from '../base/http.ts'
import type { Log } from '../base/log.ts'
import { shortest } from '../base/networks.ts'
import type { Verdict } from '../policy/authorizer.ts'
import type { KeptQuestion } from '../policy/kept.ts'
import { UnfitStoreError } from '../policy/openfga-model.ts'
import { NotDone, type Subscriptions } from '../policy/subscriptions.ts'
import { readInput } from './admin-input.ts'
import { type Asked, ROUTES, type Route, routesAt, Unprocessable } from './admin-routes.ts'
import { Certificates } from './certificates.ts'
import { openApi } from './openapi.ts'
import { AGAIN, Refused, send, sendRefused } from './refused.ts'

/** What came of one request, for the audit. */
export interface AdminDeed {
  /** Null: nobody was logged in. */
  readonly caller: Principal | null
  /** `subscription.approve` and the like. */
  readonly api: string
  /** Of the subscription; '': none. */
  readonly id: string
  readonly grant: string | null
  readonly address: string
  readonly software: string | null
  /** Null: it was done. */
  readonly problem: string | null
}

export interface AdminSources {
  readonly config: AdminConfig
  readonly version: string
  /** Aliases of all issuers. */
  readonly issuers: readonly string[]
  readonly log: Log
  /** Judges a token of the issuers that the configuration names for this. */
  verify(token: string): Promise<Verified>
  /** Null: the engine has not answered yet. @throws {UnfitStoreError} when it knows none */
  subscriptions(): Subscriptions | null
  /** By the gate's own policy, from this address. */
  mayDescribeCluster(caller: Principal, address: string): Promise<Verdict>
  /** What the gate keeps, as `KeptAnswer` has it. */
  kept(question: KeptQuestion): Promise<object>
  record(deed: AdminDeed): void
}

const STATUS: Readonly<Record<NotDone['kind'], number>> = { unknown: 404, forbidden: 403, conflict: 409, tooMany: 429, busy: 503 }

export class AdminServer {
  readonly #sources: AdminSources
  readonly #certificates: Certificates | null
  readonly #server: ReturnType<typeof createServer>
  readonly #description: string

  /** @throws when a certificate cannot be used */
  constructor(sources: AdminSources) {
    this.#sources = sources
    this.#description = JSON.stringify(openApi(sources.version))
    const { tls } = sources.config
    const times = { headersTimeout: 5000, requestTimeout: 10_000, keepAliveTimeout: 30_000, connectionsCheckingInterval: 1000 }
    const options = { ...times, maxHeaderSize: 24 * 1024 }
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      this.#answer(request, response).catch(() => response.destroy())
    }
    if (tls === null) {
      this.#certificates = null
      this.#server = createServer(options, answer)
    } else {
      const certificates = new Certificates(tls, problem => this.#reload(problem))
      const server = createTlsServer({ ...options, ...certificates.options, handshakeTimeout: 5000 }, answer)
      this.#certificates = certificates
      this.#server = server
    }
    this.#server.maxConnections = 64
  }

  /** Resolves with the port. @throws when the address cannot be bound */
  listen(): Promise<number> {
    return listen(this.#server, this.#sources.config.bind)
  }

  close(): void {
    this.#certificates?.stop()
    void close(this.#server)
  }

  #reload(problem: string | null): void {
    if (problem !== null) return void this.#sources.log.error({ problem }, 'the certificate of the admin API cannot be used')
    const server = this.#server as ReturnType<typeof createTlsServer>
    server.setSecureContext(this.#certificates!.options)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const from = { address: shortest(request.socket.remoteAddress ?? ''), software: request.headers['user-agent']?.slice(0, 200) ?? null }
    const deed = { caller: null as Principal | null, api: null as string | null, id: '' }
    try {
      const path = this.#pathOf(request)
      if (path === '/openapi.json' && isLook(request.method)) return send(response, 200, 'application/json', this.#description)
      const { route, id } = routeOf(request, path)
      deed.api = route.api
      deed.id = id
      const caller = await this.#callerOf(request)
      deed.caller = caller
      const input = await readInput(request, route)
      const done = (await route.run(this.#askedBy(caller, from.address, id), input)) as {
        readonly id?: string
        readonly grant?: string | null
      }
      const came = { id: done.id ?? id, grant: done.grant ?? null, problem: null }
      if (route.method === 'POST') this.#sources.record({ ...from, caller, api: route.api, ...came })
      send(response, route.status, 'application/json', JSON.stringify(done))
    } catch (why) {
      const refused = this.#refusalOf(why)
      const { api } = deed
      if (api !== null) this.#sources.record({ ...from, ...deed, api, grant: null, problem: refused.message })
      sendRefused(response, refused)
    }
  }

  /** A page of somebody else that a browser was led here by calls the server by another name, or says where it comes from. */
  #pathOf({ headers, url }: IncomingMessage): string {
    const name = /^(\[[0-9a-f:.]+\]|[^:]+)(?::\d+)?$/i.exec(headers.host ?? '')?.[1]?.replace(/^\[|\]$/g, '')
    if (!this.#sources.config.hosts.some(host => host.toLowerCase() === name?.toLowerCase()))
      throw new Refused(421, 'this server is not called so: admin.hosts names what it is called besides its address')
    if (headers.origin !== undefined) throw new Refused(403, 'pages of browsers are not served')
    return url!.split('?', 1)[0]!
  }

  async #callerOf({ headers }: IncomingMessage): Promise<Principal> {
    const { scope } = this.#sources.config
    const token = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(headers.authorization ?? '')?.[1]
    if (token === undefined) throw new Refused(401, 'a bearer token is missing', { 'www-authenticate': `Bearer scope="${scope}"` })
    const verified = await this.#sources.verify(token)
    if (verified.kind === 'unavailable') throw new Refused(503, 'tokens cannot be checked now', AGAIN)
    if (verified.kind === 'refused') {
      this.#sources.log.warn({ why: verified.why }, 'admin: token refused')
      throw new Refused(401, 'the token is not accepted', { 'www-authenticate': 'Bearer error="invalid_token"' })
    }
    const { claims } = verified.principal
    const scopes = [claims['scope'] ?? claims['scp'] ?? []].flat().flatMap(one => String(one).split(' '))
    if (!scopes.includes(scope)) {
      const challenge = `Bearer error="insufficient_scope", scope="${scope}"`
      throw new Refused(403, `the token lacks the scope ${scope}`, { 'www-authenticate': challenge })
    }
    return verified.principal
  }

  #askedBy(caller: Principal, address: string, id: string): Asked {
    const { issuers, kept, mayDescribeCluster } = this.#sources
    return {
      caller,
      subscriptions: () => this.#subscriptions(),
      mayDescribeCluster: () => mayDescribeCluster(caller, address),
      kept,
      issuers,
      id,
      nowMs: Date.now(),
    }
  }

  #subscriptions(): Subscriptions {
    const subscriptions = this.#sources.subscriptions()
    if (subscriptions === null) throw new Refused(503, 'OpenFGA has not answered yet', AGAIN)
    return subscriptions
  }

  #refusalOf(why: unknown): Refused {
    if (why instanceof Refused) return why
    if (why instanceof NotDone) return new Refused(STATUS[why.kind], why.message, why.kind === 'busy' ? AGAIN : {})
    if (why instanceof Unprocessable) return new Refused(422, why.message, {}, [{ pointer: why.pointer, detail: why.message }])
    if (why instanceof UnfitStoreError) return new Refused(501, why.message)
    this.#sources.log.error({ why: (why as Error).message }, 'admin: a request could not be answered')
    return new Refused(503, 'this cannot be answered now', AGAIN)
  }
}

function routeOf(request: IncomingMessage, path: string): { readonly route: Route; readonly id: string } {
  const { routes, id } = routesAt(path)
  if (routes.length === 0) throw new Refused(404, `there is nothing at this path: ${[...new Set(ROUTES.map(one => one.path))].join(', ')}`)
  const route = routes.find(one => one.method === request.method)
  if (route === undefined) throw new Refused(405, 'this path is asked in another way', { allow: routes.map(one => one.method).join(', ') })
  return { route, id }
}

const isLook = (method: string | undefined): boolean => method === 'GET' || method === 'HEAD'
