// What is fetched from issuers: over https or no further than this machine, no more than a bound of it, and what went wrong in words.

import { isLoopback, withoutBrackets } from '../base/config-address.ts'

/** @param allowHttp over the network in the clear, for once @throws {TypeError} */
export function demandHttps(url: string, what: string, allowHttp = false): void {
  const { protocol, hostname } = new URL(url)
  if (protocol === 'https:' || (protocol === 'http:' && (allowHttp || isLoopback(withoutBrackets(hostname))))) return
  throw new TypeError(`${url}: ${what} over https only, except for loopback addresses`)
}

/** @throws {Error} when it is longer than `maxBytes` */
export async function readBounded(response: Response, url: string, maxBytes: number): Promise<string> {
  if (response.body === null) return ''
  const reader = response.body.getReader()
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return Buffer.concat(chunks).toString()
    sizeBytes += value.length
    if (sizeBytes > maxBytes) {
      await reader.cancel()
      throw new Error(`${url} is larger than ${maxBytes / 1024} KiB`)
    }
    chunks.push(value)
  }
}

/** `fetch failed` says nothing: its cause does. */
export function plainMessage(error: unknown): string {
  const { message, cause } = error as Error
  const inner = cause as (Error & { code?: string }) | undefined
  return inner === undefined ? message : `${message}: ${inner.code ?? inner.message}`
}
