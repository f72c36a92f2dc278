// AWS Signature Version 4 of a presigned request, as whoever receives one computes it anew.

import { createHash, createHmac } from 'node:crypto'

/** A request whose signature stands in its query string; names and values of `query` are decoded. */
export interface Presigned {
  readonly method: string
  readonly host: string
  readonly path: string
  readonly query: readonly (readonly [name: string, value: string])[]
  /** The hash of the body in hex, or what stands for it. */
  readonly payloadHash: string
}

/** Whose key, and for which day, region and service: `X-Amz-Credential` without its first part. */
export interface Scope {
  readonly secretKey: string
  /** `yyyymmdd/region/service/aws4_request`. */
  readonly scope: string
  /** `yyyymmddThhmmssZ`. */
  readonly date: string
}

export const EMPTY_HASH = sha256('')

/** @returns the signature in hex, of the header `host` alone and of all query parameters that are given */
export function signatureOf({ method, host, path, query, payloadHash }: Presigned, { secretKey, scope, date }: Scope): string {
  const pairs = query.map(([name, value]) => `${encoded(name)}=${encoded(value)}`).sort()
  const request = [method, path, pairs.join('&'), `host:${host}`, '', 'host', payloadHash].join('\n')
  const toSign = ['AWS4-HMAC-SHA256', date, scope, sha256(request)].join('\n')
  const key = scope.split('/').reduce<Buffer>((last, part) => hmac(last, part), Buffer.from(`AWS4${secretKey}`))
  return hmac(key, toSign).toString('hex')
}

/** Everything but letters, digits and `-._~` as `%XX`. */
export const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, each => `%${each.charCodeAt(0).toString(16).toUpperCase()}`)

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
