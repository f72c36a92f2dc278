// A way to a real OpenFGA that can be made to fail: hanging, slow, refusing, answering by halves, or gone.

import { createServer, request, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

export type Fault = 'none' | 'hang' | 'slow' | 'unavailable' | 'tooMany' | 'half' | 'gone'
export const faults: readonly Fault[] = ['hang', 'slow', 'unavailable', 'tooMany', 'half', 'gone']

const SLOW_MS = 700
const STATUS = { unavailable: 500, tooMany: 429 } as const

export interface FaultyOpenFga {
  readonly url: string
  /**
   * How the next questions fare; those that hang are let go when the fault is another.
   * @param verb only those whose path ends so; without it: all
   */
  set(fault: Fault, verb?: string): void
  /** Hangs from the `count`th request on whose path ends in `verb`; resolves when that one has come. */
  hangAt(verb: string, count: number): Promise<void>
  /** Requests that came, by the last part of their path. */
  readonly asked: Map<string, number>
  stop(): void
}

/**
 * @param target address of the OpenFGA behind
 * @param hear is told of each request: the last part of its path, and its body
 */
export async function startFaultyOpenFga(target: string, hear?: (verb: string, body: string) => void): Promise<FaultyOpenFga> {
  let set: Fault = 'none'
  let only: string | undefined
  let hang: { readonly verb: string; readonly count: number; come(): void } | null = null
  const sockets = new Set<Socket>()
  const asked = new Map<string, number>()
  const server: Server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = []
    incoming.on('data', chunk => chunks.push(chunk))
    incoming.on('end', () => {
      const verb = incoming.url!.split('?', 1)[0]!.split('/').at(-1)!
      asked.set(verb, (asked.get(verb) ?? 0) + 1)
      hear?.(verb, Buffer.concat(chunks).toString())
      if (hang?.verb === verb && asked.get(verb)! >= hang.count) {
        set = 'hang'
        only = undefined
        hang.come()
        hang = null
      }
      const fault = only === undefined || only === verb ? set : 'none'
      if (fault === 'hang') return
      if (fault === 'gone') return void incoming.socket.destroy()
      if (fault === 'unavailable' || fault === 'tooMany') return answer(outgoing, STATUS[fault], '{"code":"internal_error","message":"no"}')
      const halved = fault === 'half' && verb === 'batch-check'
      const forward = () => {
        const headers = { ...incoming.headers, host: new URL(target).host }
        const behind = request(new URL(incoming.url!, target), { method: incoming.method!, headers }, response => {
          const parts: Buffer[] = []
          response.on('data', part => parts.push(part))
          response.on('end', () => {
            const body = Buffer.concat(parts).toString()
            answer(outgoing, response.statusCode!, halved ? halfOf(body) : body)
          })
        })
        behind.on('error', () => outgoing.destroy())
        behind.end(Buffer.concat(chunks))
      }
      if (fault === 'slow') setTimeout(forward, SLOW_MS)
      else forward()
    })
  })
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    if (set === 'gone' && only === undefined) socket.destroy()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const drop = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    hangAt: (verb, count) =>
      new Promise(come => {
        hang = { verb, count, come }
      }),
    set: (next, verb) => {
      set = next
      only = verb
      drop()
    },
    stop: () => {
      server.close()
      drop()
    },
  }
}

function answer(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

/** Every second item of a batch is missing. */
function halfOf(body: string): string {
  const { result } = JSON.parse(body) as { result: Record<string, unknown> }
  return JSON.stringify({ result: Object.fromEntries(Object.entries(result).filter((_, i) => i % 2 === 0)) })
}
