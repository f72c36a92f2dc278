// The frames of SASL: its two requests read, its answers written, and the answer to whoever speaks out of turn.

import { compileEncode } from '../protocol/codec.ts'
import type { Encode } from '../protocol/encode.ts'
import { apiKeyOf, apiVersionOf, readRequestHeader, responseHeaderBytes } from '../protocol/header.ts'
import { apis } from '../protocol/messages/index.ts'
import { type Api, layout, within } from '../protocol/schema.ts'
import { compileWalk, type Walk } from '../protocol/walk.ts'
import { MalformedError } from '../protocol/wire.ts'

export const SASL_HANDSHAKE = 17
export const API_VERSIONS = 18
export const SASL_AUTHENTICATE = 36
export const ILLEGAL_SASL_STATE = 34

export const NO_BYTES = Buffer.alloc(0)
const byKey = new Map<number, Api>(apis.map(api => [api.key, api]))

/** By API and version: compiled when first needed. */
const walks = new Map<number, Walk>()
const encoders = new Map<number, Encode>()

function once<Compiled>(compiled: Map<number, Compiled>, { key }: Api, apiVersion: number, compile: () => Compiled): Compiled {
  const edition = key * 256 + apiVersion
  let known = compiled.get(edition)
  if (known === undefined) compiled.set(edition, (known = compile()))
  return known
}

export interface SaslRequest {
  readonly api: Api
  readonly apiVersion: number
  readonly correlationId: number
  /** The one field of its body; a view of the frame. */
  readonly value: Buffer
}

/** Reads a SaslHandshake or SaslAuthenticate frame; null: a version that is not served. @throws {MalformedError} */
export function readRequest(frame: Buffer, field: 'mechanism' | 'authBytes'): SaslRequest | null {
  const api = byKey.get(apiKeyOf(frame))!
  const apiVersion = apiVersionOf(frame)
  if (!within(api.versions, apiVersion)) return null
  const flexible = within(api.flexible, apiVersion)
  if (frame.length < 14) throw new MalformedError('no request header', 8)
  const header = readRequestHeader(frame, flexible)
  let value: Buffer = NO_BYTES
  const walk = once(walks, api, apiVersion, () => compileWalk(layout(api.request, apiVersion, flexible), new Map([[field, 0]])))
  const end = walk(frame, header.bodyAt, (_mark, bytes, start, stop) => {
    if (start < 0) throw new MalformedError(`${field} is null`, header.bodyAt)
    value = bytes.subarray(start, stop)
  })
  if (end !== frame.length) throw new MalformedError('body does not end with its frame', end)
  return { api, apiVersion, correlationId: header.correlationId, value }
}

export function respond({ api, apiVersion, correlationId }: Omit<SaslRequest, 'value'>, value: Record<string, unknown>): Buffer {
  const flexible = within(api.flexible, apiVersion)
  const body = once(encoders, api, apiVersion, () => compileEncode(layout(api.response, apiVersion, flexible)))(value)
  const headBytes = responseHeaderBytes(api.key, flexible)
  const frame = Buffer.alloc(headBytes + body.length) // an empty tag buffer is one zero
  frame.writeInt32BE(frame.length - 4, 0)
  frame.writeInt32BE(correlationId, 4)
  body.copy(frame, headBytes)
  return frame
}

export function bareReply(bytes: Buffer): Buffer {
  const frame = Buffer.allocUnsafeSlow(4 + bytes.length)
  frame.writeInt32BE(bytes.length, 0)
  bytes.copy(frame, 4)
  return frame
}

/** The field that says how long the session lasts: SaslAuthenticate v1 and later (KIP-368). */
export const lifetime = ({ apiVersion }: SaslRequest, lifetimeMs: number): Record<string, unknown> =>
  apiVersion < 1 ? {} : { sessionLifetimeMs: BigInt(lifetimeMs) }

/** Error 34 in an API's own answer, where that answer has an error code at its top. @throws {MalformedError} */
export function defaultAnswer(frame: Buffer): Buffer | null {
  if (frame.length < 14) throw new MalformedError('no request header', 8)
  const api = byKey.get(apiKeyOf(frame))
  let apiVersion = apiVersionOf(frame)
  if (api === undefined) return null
  const correlationId = frame.readInt32BE(8)
  if (within(api.versions, apiVersion)) {
    const flexible = within(api.flexible, apiVersion)
    compileWalk(layout(api.request, apiVersion, flexible), new Map())(frame, readRequestHeader(frame, flexible).bodyAt, () => {})
  } else if (api.key === API_VERSIONS) apiVersion = 0
  else return null
  const { slots } = layout(api.response, apiVersion, within(api.flexible, apiVersion))
  if (!slots.some(slot => slot.name === 'errorCode' && slot.tag < 0)) return null
  return respond({ api, apiVersion, correlationId }, { errorCode: ILLEGAL_SASL_STATE })
}
