// One question to the admin API of a running gate: what it answers, or why not, as an exit code.

import { readFileSync } from 'node:fs'
import { request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { demandHttps } from '../auth/fetched.ts'
import { Exit, ExitError } from './exit.ts'
import { readToken } from './token.ts'

interface Problem {
  readonly title?: string
  readonly detail?: string
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[]
}

export interface AdminOptions {
  readonly url: string
  /** Files. */
  readonly token: string
  readonly ca?: string
}

const TIMEOUT_MS = 15_000
/** What the caller wrote is wrong; everything else that is refused is not his writing's fault. */
const USAGE = [400, 422]

/** @throws {ExitError} */
export async function askAdmin({ url, token, ca }: AdminOptions, method: string, path: string, body?: object): Promise<unknown> {
  if (!URL.canParse(path, url) || !/^https?:$/.test(new URL(url).protocol))
    throw new ExitError(Exit.usage, `${url} is not the address of an admin API`)
  demandSafe(url)
  const headers = { authorization: `Bearer ${await readToken(token)}`, 'content-type': 'application/json' }
  const trusted = ca === undefined ? {} : { ca: readFileSync(ca) }
  const { status, text } = await send(
    new URL(path, url),
    { method, headers, timeout: TIMEOUT_MS, ...trusted },
    JSON.stringify(body ?? null),
  )
  const answer = parse(text)
  if (status < 300 && answer !== null) return answer
  const { title, detail, errors } = (answer ?? {}) as Problem
  const lines = [`${detail ?? title ?? `${url} answered ${status}`}`, ...(errors ?? []).map(one => `${one.pointer}  ${one.detail}`)]
  throw new ExitError(USAGE.includes(status) ? Exit.usage : Exit.unexpected, lines.join('\n'))
}

function demandSafe(url: string): void {
  try {
    demandHttps(url, 'tokens go')
  } catch (why) {
    throw new ExitError(Exit.usage, (why as Error).message)
  }
}

function send(url: URL, options: object, body: string): Promise<{ readonly status: number; readonly text: string }> {
  const open = url.protocol === 'https:' ? tlsRequest : plainRequest
  return new Promise((resolve, reject) => {
    const request = open(url, options, response => {
      let text = ''
      response.setEncoding('utf8').on('data', piece => {
        text += piece
      })
      response.on('end', () => resolve({ status: response.statusCode!, text }))
      response.on('error', reject)
    })
    request.on('timeout', () => request.destroy(new Error('no answer in time')))
    request.on('error', why => reject(new ExitError(Exit.unexpected, `no answer from ${url.origin}: ${why.message}`)))
    request.end(body === 'null' ? undefined : body)
  })
}

function parse(text: string): object | null {
  try {
    return JSON.parse(text) as object
  } catch {
    return null
  }
}
