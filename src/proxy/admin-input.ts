// What a request to the admin API carries, read within bounds and held against its route's shape.

import type { IncomingMessage } from 'node:http'
import type { z } from 'zod'
import type { Route } from './admin-routes.ts'
import { Refused } from './refused.ts'

const MAX_BODY_BYTES = 16 * 1024

/** @throws {Refused} */
export async function readInput(request: IncomingMessage, { method, input }: Route): Promise<unknown> {
  if (input === null) return null
  const given = method === 'GET' ? queryOf(request.url!) : await bodyOf(request)
  const read = input.safeParse(given)
  if (read.success) return read.data
  throw new Refused(400, 'the request is not what it must be', {}, read.error.issues.map(errorOf))
}

function queryOf(url: string): Record<string, string> {
  const query = new URL(url, 'http://localhost').searchParams
  for (const key of query.keys()) if (query.getAll(key).length > 1) throw new Refused(400, `${key} stands twice in the query`)
  return Object.fromEntries(query)
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const text = await readBody(request)
  if (text === '') return {}
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? ''))
    throw new Refused(415, 'the body must be application/json')
  try {
    return JSON.parse(text)
  } catch {
    throw new Refused(400, 'the body is no JSON')
  }
}

function readBody(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    if (request.destroyed && !request.complete) return reject(new Refused(400, 'the body is not whole'))
    const pieces: Buffer[] = []
    let sizeBytes = 0
    request.on('data', (piece: Buffer) => {
      sizeBytes += piece.length
      pieces.push(piece)
      if (sizeBytes <= MAX_BODY_BYTES) return
      request.pause()
      reject(new Refused(413, `the body is larger than ${MAX_BODY_BYTES / 1024} KiB`))
    })
    request.on('end', () => resolve(textOf(pieces, sizeBytes)))
    request.on('error', reject)
    request.on('aborted', () => reject(new Refused(400, 'the body is not whole')))
  })
}

function textOf(pieces: readonly Buffer[], sizeBytes: number): string {
  const whole = Buffer.allocUnsafe(sizeBytes)
  let at = 0
  for (const piece of pieces) at += piece.copy(whole, at)
  return whole.toString()
}

function errorOf(issue: z.core.$ZodIssue): { readonly pointer: string; readonly detail: string } {
  const pointer = issue.path.map(part => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
  return { pointer, detail: issue.message.slice(0, 300) }
}
