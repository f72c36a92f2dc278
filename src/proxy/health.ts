// Health over HTTP: alive, ready, metrics. It says of this process only; what it depends on stands in the body.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { close, listen } from '../base/http.ts'

export interface HealthSources {
  /** Whether this process serves, and what an operator wants to know of what it depends on. */
  readiness(): { readonly ready: boolean } & Record<string, unknown>
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>
}

export class HealthServer {
  readonly #server: Server
  readonly #sources: HealthSources

  constructor(sources: HealthSources) {
    this.#sources = sources
    this.#server = createServer(
      { headersTimeout: 5000, requestTimeout: 5000, keepAliveTimeout: 30_000, maxHeaderSize: 8192 },
      (request, response) => {
        this.#answer(request, response).catch(() => response.destroy())
      },
    )
    this.#server.maxConnections = 64
  }

  /** Resolves with the port. @throws when the address cannot be bound */
  listen(host: string, port: number): Promise<number> {
    return listen(this.#server, { host, port })
  }

  close(): void {
    void close(this.#server)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('cache-control', 'no-store')
    response.setHeader('x-content-type-options', 'nosniff')
    if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, 'text/plain', 'GET only\n')
    const path = request.url?.split('?', 1)[0]
    if (path === '/livez') return send(response, 200, 'text/plain', 'ok\n')
    if (path === '/readyz') {
      const state = this.#sources.readiness()
      return send(response, state.ready ? 200 : 503, 'application/json', `${JSON.stringify(state)}\n`)
    }
    if (path === '/metrics') {
      const { contentType, text } = await this.#sources.metrics()
      return send(response, 200, contentType, text)
    }
    return send(response, 404, 'text/plain', 'try /livez, /readyz or /metrics\n')
  }
}

function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}
