// A client that sends any request of any version, byte for byte, to a broker or to the gate.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { compileDecode, compileEncode } from '../../src/protocol/codec.ts'
import { responseHeaderBytes } from '../../src/protocol/header.ts'
import { apis } from '../../src/protocol/messages/index.ts'
import { type Api, type Layout, layout, type Slot, within } from '../../src/protocol/schema.ts'

export type Login = { readonly mechanism: 'PLAIN'; readonly name: string } | { readonly mechanism: 'OAUTHBEARER'; readonly token: string }

const ANSWER_TIMEOUT_MS = 15_000

export function apiNamed(name: string): Api {
  const api = apis.find(a => a.name === name)
  if (!api) throw new Error(`no API ${name}`)
  return api
}

/** The part of `value` that this layout has: a body written once serves every version. */
export function prune(l: Layout, value: any): any {
  if (value === null || value === undefined) return value
  const kept: any = {}
  for (const s of l.slots) if (value[s.name] !== undefined) kept[s.name] = pruneSlot(s, value[s.name])
  return kept
}
function pruneSlot(s: Slot, value: any): any {
  if (value === null || s.of === null) return value
  const of = s.of
  if (!('slots' in of)) return value
  return Array.isArray(value) ? value.map(v => prune(of, v)) : prune(of, value)
}

/** A whole request frame, its size included. */
export function requestFrame(api: Api, version: number, body: object, correlationId = 7, clientId = 'equivalence'): Buffer {
  const flexible = within(api.flexible, version)
  const l = layout(api.request, version, flexible)
  const bytes = compileEncode(l)(prune(l, body))
  const head = Buffer.alloc(14)
  head.writeInt16BE(api.key, 4)
  head.writeInt16BE(version, 6)
  head.writeInt32BE(correlationId, 8)
  head.writeInt16BE(clientId.length, 12)
  const frame = Buffer.concat([head, Buffer.from(clientId), flexible ? Buffer.of(0) : Buffer.alloc(0), bytes])
  frame.writeInt32BE(frame.length - 4, 0)
  return frame
}

/** What came back: a decoded response, or that the other side hung up. */
export type Reply = { readonly response: any } | { readonly closed: true }

export class RawClient {
  readonly #socket: Socket
  #arrived: Buffer = Buffer.alloc(0)
  #ended = false
  #wake = (): void => {}

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#arrived = Buffer.concat([this.#arrived, chunk])
      this.#wake()
    })
    socket.on('close', () => {
      this.#ended = true
      this.#wake()
    })
  }

  static async open(host: string, port: number, login: Login | null): Promise<RawClient> {
    const socket = connect(port, host)
    socket.setNoDelay(true)
    socket.on('error', () => socket.destroy())
    await once(socket, 'connect')
    const client = new RawClient(socket)
    if (login) await client.#login(login)
    return client
  }

  async #login(login: Login): Promise<void> {
    const greeted = await this.ask('SaslHandshake', 1, { mechanism: login.mechanism })
    const text = login.mechanism === 'PLAIN' ? `\0${login.name}\0${login.name}` : `n,,\x01auth=Bearer ${login.token}\x01\x01`
    const proved = 'response' in greeted ? await this.ask('SaslAuthenticate', 2, { authBytes: Buffer.from(text) }) : greeted
    if (!('response' in proved) || proved.response.errorCode !== 0 || proved.response.authBytes.length > 0)
      throw new Error(`login failed: ${JSON.stringify(proved)}`)
  }

  async ask(apiName: string, version: number, body: object): Promise<Reply> {
    const api = apiNamed(apiName)
    this.send(requestFrame(api, version, body))
    const frame = await this.read()
    if (frame === null) return { closed: true }
    const flexible = within(api.flexible, version)
    const l = layout(api.response, version, flexible)
    return { response: compileDecode(l)(frame, responseHeaderBytes(api.key, flexible)) }
  }

  send(frame: Buffer): void {
    this.#socket.write(frame)
  }

  /** The next response frame, or null when the other side hung up. */
  async read(): Promise<Buffer | null> {
    const size = await this.#take(4)
    if (size === null) return null
    const rest = await this.#take(size.readInt32BE(0))
    return rest === null ? null : Buffer.concat([size, rest])
  }

  async #take(sizeBytes: number): Promise<Buffer | null> {
    const late = setTimeout(() => this.#socket.destroy(new Error('no answer')), ANSWER_TIMEOUT_MS)
    while (this.#arrived.length < sizeBytes && !this.#ended) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
    clearTimeout(late)
    if (this.#arrived.length < sizeBytes) return null
    const bytes = this.#arrived.subarray(0, sizeBytes)
    this.#arrived = this.#arrived.subarray(sizeBytes)
    return bytes
  }

  close(): void {
    this.#socket.destroy()
  }
}
