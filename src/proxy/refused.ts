// A request to the admin API that is refused: what its sender is told, and nothing more; as RFC 9457 writes problems.

import type { ServerResponse } from 'node:http'

export class Refused extends Error {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Which part of the body is wrong, as a JSON pointer, and why. */
  readonly errors: readonly { readonly pointer: string; readonly detail: string }[] | undefined
  constructor(status: number, detail: string, headers: Readonly<Record<string, string>> = {}, errors?: Refused['errors']) {
    super(detail)
    this.name = 'Refused'
    this.status = status
    this.headers = headers
    this.errors = errors
  }
}

/** Whoever is refused for now may come again soon. */
export const AGAIN = { 'retry-after': '1' }

export const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  501: 'Not Implemented',
  503: 'Service Unavailable',
}

export function sendRefused(response: ServerResponse, { status, message, headers, errors }: Refused): void {
  const problem = {
    type: 'about:blank',
    title: TITLES[status] ?? 'Error',
    status,
    detail: message,
    ...(errors !== undefined && { errors }),
  }
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  // What is left of a body that was not read would be taken for the next request.
  if (!response.req.complete) response.setHeader('connection', 'close')
  send(response, status, 'application/problem+json', JSON.stringify(problem))
}

export function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.setHeader('cache-control', 'no-store')
  response.setHeader('x-content-type-options', 'nosniff')
  response.writeHead(status, { 'content-type': contentType, 'content-length': Buffer.byteLength(body) })
  response.end(response.req.method === 'HEAD' ? undefined : body)
}
