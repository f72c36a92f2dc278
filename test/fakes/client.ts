// A client that speaks in whole messages by the schema, or in raw bytes, on a real loopback socket.

import net from 'node:net'
import { compileDecode, compileEncode } from '../../src/protocol/codec.ts'
import { responseHeaderBytes } from '../../src/protocol/header.ts'
import { apis } from '../../src/protocol/messages/index.ts'
import { type Api, layoutOf, within } from '../../src/protocol/schema.ts'
import { Frames } from './frames.ts'

const apiOf = (apiKey: number): Api => apis.find(api => api.key === apiKey)!

/** A request frame by the schema. */
export function encodeRequest(
  apiKey: number,
  apiVersion: number,
  correlationId: number,
  body: unknown,
  clientId: string | null = 'fake',
): Buffer {
  const api = apiOf(apiKey)
  const id = clientId === null ? Buffer.alloc(0) : Buffer.from(clientId)
  const head = Buffer.alloc(14)
  head.writeInt16BE(apiKey, 4)
  head.writeInt16BE(apiVersion, 6)
  head.writeInt32BE(correlationId, 8)
  head.writeInt16BE(clientId === null ? -1 : id.length, 12)
  const tags = within(api.flexible, apiVersion) ? Buffer.alloc(1) : Buffer.alloc(0)
  const frame = Buffer.concat([head, id, tags, compileEncode(layoutOf(api, apiVersion, 'request'))(body)])
  frame.writeInt32BE(frame.length - 4, 0)
  return frame
}

export function decodeResponse(apiKey: number, apiVersion: number, frame: Buffer): any {
  const api = apiOf(apiKey)
  const at = responseHeaderBytes(apiKey, within(api.flexible, apiVersion))
  return compileDecode(layoutOf(api, apiVersion, 'response'))(frame, at)
}

/** A response frame by the schema. */
export function encodeResponse(apiKey: number, apiVersion: number, correlationId: number, body: unknown): Buffer {
  const api = apiOf(apiKey)
  const head = Buffer.alloc(responseHeaderBytes(apiKey, within(api.flexible, apiVersion)))
  const frame = Buffer.concat([head, compileEncode(layoutOf(api, apiVersion, 'response'))(body)])
  frame.writeInt32BE(frame.length - 4, 0)
  frame.writeInt32BE(correlationId, 4)
  return frame
}

/** SaslHandshake and SaslAuthenticate, as a client may send them in one segment. */
export const loginFrames = (token = 'good'): Buffer =>
  Buffer.concat([
    encodeRequest(17, 1, -1, { mechanism: 'OAUTHBEARER' }),
    encodeRequest(36, 2, -2, { authBytes: Buffer.from(`n,,\x01auth=Bearer ${token}\x01\x01`) }),
  ])

export class FakeClient extends Frames {
  #correlationId = 0

  static connect(port: number, options: { readonly slow?: boolean } = {}): Promise<FakeClient> {
    return new Promise((resolve, reject) => {
      const socket = net.connect({ port, host: '127.0.0.1', noDelay: true }, () => {
        const client = new FakeClient(socket)
        if (options.slow) socket.pause()
        resolve(client)
      })
      socket.once('error', reject)
    })
  }

  write(bytes: Buffer): void {
    this.socket.write(bytes)
  }

  /** Sends one request and waits for the next response; null: the connection was closed instead. */
  async ask(apiKey: number, apiVersion: number, body: unknown): Promise<any> {
    this.write(encodeRequest(apiKey, apiVersion, ++this.#correlationId, body))
    const frame = await this.next()
    return frame === null ? null : decodeResponse(apiKey, apiVersion, frame)
  }

  /** The whole login with a token. The error code of SaslAuthenticate; null: closed. */
  async login(token = 'good'): Promise<number | null> {
    this.write(loginFrames(token))
    if ((await this.next()) === null) return null
    const frame = await this.next()
    return frame === null ? null : decodeResponse(36, 2, frame).errorCode
  }
}
