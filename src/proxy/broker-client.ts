// A small client for the gate's own requests to a broker: one at a time or pipelined, never the clients' bytes.

import type { Socket } from 'node:net'
import { compileDecode, compileEncode } from '../protocol/codec.ts'
import { type Api, layout, within } from '../protocol/schema.ts'
import { MalformedError } from '../protocol/wire.ts'
import type { Upstream } from './upstream.ts'

/** A response longer than this is taken for garbage: 100 000 topics fit. */
const MAX_RESPONSE_BYTES = 256 * 1024 * 1024

interface Codec {
  readonly flexible: boolean
  encode(body: unknown): Buffer
  decode(bytes: Buffer, at: number): any
}
const codecs = new Map<string, Codec>()

function codecOf(api: Api, version: number): Codec {
  const key = `${api.key}/${version}`
  let codec = codecs.get(key)
  if (codec === undefined) {
    const flexible = within(api.flexible, version)
    codec = {
      flexible,
      encode: compileEncode(layout(api.request, version, flexible)),
      decode: compileDecode(layout(api.response, version, flexible)),
    }
    codecs.set(key, codec)
  }
  return codec
}

interface Asked {
  /** null: the whole frame is wanted as it came. */
  readonly api: Api | null
  readonly version: number
  readonly correlationId: number
  readonly resolve: (body: any) => void
  readonly reject: (why: Error) => void
}

/** Nothing came back in time. */
class SilenceError extends Error {}

const SILENT = new Set(['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN'])

/** It failed as it does when a host has gone: without a word from it. */
export function isSilence(why: Error): boolean {
  const { cause } = why
  return (
    why instanceof SilenceError || SILENT.has(String((why as NodeJS.ErrnoException).code)) || (cause instanceof Error && isSilence(cause))
  )
}

/** One connection of the gate's own to one broker. After any failure it is closed, and everything that waits is rejected. */
export class BrokerClient {
  readonly #socket: Socket
  readonly #clientId: Buffer
  readonly #asked: Asked[] = []
  #nextId = 1
  #received: Buffer = Buffer.alloc(0)
  #filled = 0
  #closed: Error | null = null
  /** Called once, when the connection has ended for whatever reason. */
  onClosed: (() => void) | null = null

  private constructor(socket: Socket, clientId: string) {
    this.#socket = socket
    this.#clientId = Buffer.from(clientId)
    socket.on('data', bytes => this.#take(bytes as Buffer))
    socket.on('error', why => this.#fail(why))
    socket.on('close', () => this.#fail(new Error('the broker closed the connection')))
  }

  /** @throws when no connection comes about within `timeoutMs` */
  static open(
    upstream: Upstream,
    at: { readonly host: string; readonly port: number },
    clientId: string,
    timeoutMs: number,
  ): Promise<BrokerClient> {
    return new Promise((resolve, reject) => {
      const socket = upstream.connect(at, null)
      const timer = setTimeout(() => socket.destroy(new SilenceError(`no connection within ${timeoutMs} ms`)), timeoutMs)
      socket.once('error', why => {
        clearTimeout(timer)
        reject(why)
      })
      socket.once('close', () => reject(new Error('the broker closed the connection')))
      socket.once(upstream.secure ? 'secureConnect' : 'connect', () => {
        clearTimeout(timer)
        resolve(new BrokerClient(socket, clientId))
      })
    })
  }

  get closed(): boolean {
    return this.#closed !== null
  }

  /** Sends one request and resolves with its decoded response. @throws when none comes within `timeoutMs`: the connection is closed then */
  ask(api: Api, version: number, body: unknown, timeoutMs: number): Promise<any> {
    const correlationId = this.#nextId++ & 0x7fffffff
    return this.#send(this.#frame(api, version, correlationId, body), { api, version, correlationId }, api.name, timeoutMs)
  }

  /** Sends a whole frame and resolves with the whole frame of its response. */
  exchange(frame: Buffer, timeoutMs: number): Promise<Buffer> {
    return this.#send(frame, { api: null, version: 0, correlationId: frame.readInt32BE(8) }, 'login', timeoutMs)
  }

  close(): void {
    this.#fail(new Error('closed by the gate'))
  }

  async #send(frame: Buffer, about: Omit<Asked, 'resolve' | 'reject'>, what: string, timeoutMs: number): Promise<any> {
    if (this.#closed !== null) throw this.#closed
    const { promise, resolve, reject } = Promise.withResolvers<any>()
    this.#asked.push({ ...about, resolve, reject })
    this.#socket.write(frame)
    const timer = setTimeout(() => this.#fail(new SilenceError(`${what}: no answer within ${timeoutMs} ms`)), timeoutMs)
    try {
      return await promise
    } finally {
      clearTimeout(timer)
    }
  }

  #frame(api: Api, version: number, correlationId: number, value: unknown): Buffer {
    const codec = codecOf(api, version)
    const body = codec.encode(value)
    const headBytes = 14 + this.#clientId.length + (codec.flexible ? 1 : 0)
    const frame = Buffer.alloc(headBytes + body.length)
    frame.writeInt32BE(frame.length - 4, 0)
    frame.writeInt16BE(api.key, 4)
    frame.writeInt16BE(version, 6)
    frame.writeInt32BE(correlationId, 8)
    frame.writeInt16BE(this.#clientId.length, 12)
    this.#clientId.copy(frame, 14)
    body.copy(frame, headBytes)
    return frame
  }

  #take(bytes: Buffer): void {
    if (this.#filled + bytes.length > this.#received.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(16 * 1024, this.#received.length * 2, this.#filled + bytes.length))
      this.#received.copy(grown, 0, 0, this.#filled)
      this.#received = grown
    }
    bytes.copy(this.#received, this.#filled)
    this.#filled += bytes.length
    try {
      let at = 0
      while (this.#filled - at >= 4) {
        const sizeBytes = this.#received.readInt32BE(at)
        if (sizeBytes < 4 || sizeBytes > MAX_RESPONSE_BYTES) throw new MalformedError(`a response of ${sizeBytes} bytes`, 0)
        if (this.#filled - at < 4 + sizeBytes) break
        // A copy: decoded byte fields are views of what they were read from.
        this.#answered(Buffer.from(this.#received.subarray(at, at + 4 + sizeBytes)))
        at += 4 + sizeBytes
      }
      if (at > 0) {
        this.#received.copyWithin(0, at, this.#filled)
        this.#filled -= at
      }
    } catch (why) {
      this.#fail(why as Error)
    }
  }

  #answered(frame: Buffer): void {
    const asked = this.#asked.shift()
    const correlationId = frame.readInt32BE(4)
    if (asked === undefined || asked.correlationId !== correlationId) throw new MalformedError('an answer that was not asked for', 4)
    const { api } = asked
    if (api === null) {
      asked.resolve(frame)
      return
    }
    let { version } = asked
    // KIP-511: a broker that does not know the version of ApiVersions answers in version 0.
    if (api.key === 18 && frame.length >= 10 && frame.readInt16BE(8) === 35) version = 0
    const codec = codecOf(api, version)
    asked.resolve(codec.decode(frame, codec.flexible && api.key !== 18 ? 9 : 8))
  }

  #fail(why: Error): void {
    if (this.#closed !== null) return
    this.#closed = why
    this.#socket.destroy()
    for (const asked of this.#asked.splice(0)) asked.reject(why)
    this.onClosed?.()
  }
}
