// The golden lines: messages of all broker APIs at all versions, as Kafka's own Java classes wrote them.

import { readFileSync } from 'node:fs'

export interface Golden {
  readonly api: string
  readonly side: 'request' | 'response'
  readonly version: number
  readonly bytes: Buffer
  /** As Kafka's DataJsonConverter classes write it; numbers that do not fit a double are bigints. */
  readonly json: any
}

export function goldenLines(): Golden[] {
  const text = readFileSync(new URL('../golden/messages.jsonl', import.meta.url), 'utf8')
  return text.trimEnd().split('\n').map(readLine)
}

export function readLine(line: string): Golden {
  const g = exactJson(line) as { message: string; version: number; hex: string; json: unknown }
  const [, api, side] = /^(.*)(Request|Response)$/.exec(g.message)!
  return {
    api: api!,
    side: side === 'Request' ? 'request' : 'response',
    version: g.version,
    bytes: Buffer.from(g.hex, 'hex'),
    json: g.json,
  }
}

/** JSON whose integers keep all their digits. */
export function exactJson(text: string): unknown {
  return JSON.parse(text, ((_key: string, value: unknown, context: { source?: string }) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context.source!) ? BigInt(context.source!) : value) as (
    key: string,
    value: unknown,
  ) => unknown)
}
