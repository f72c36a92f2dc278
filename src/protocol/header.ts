// Request header v1/v2 and response header v0/v1. KIP-482 adds the tag buffer to flexible versions.

import { i16, i32, malformed, pastEnd, skipTags } from './wire.ts'

export interface RequestHeader {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
  /** Span of the client id in the frame; the start is -1 when it is null. */
  readonly clientIdStart: number
  readonly clientIdEnd: number
  /** Offset of the first byte of the body in the frame. */
  readonly bodyAt: number
}

/** Bytes of a frame before the client id: size, API key, API version, correlation id. */
export const HEAD_BYTES = 12

/** The two numbers that say how to read the rest: they never move. frame: size included, at least 12 bytes. */
export const apiKeyOf = (frame: Uint8Array): number => i16(frame, 4)
export const apiVersionOf = (frame: Uint8Array): number => i16(frame, 6)
export const correlationIdOf = (frame: Uint8Array): number => i32(frame, 8)

/** Where the body of a request begins; the client id's length is an int16 in all versions. @throws {MalformedError} */
export function requestBodyAt(frame: Uint8Array, flexible: boolean): number {
  if (frame.length < HEAD_BYTES + 2) pastEnd('request header', 0)
  const n = i16(frame, HEAD_BYTES)
  if (n < -1) malformed(`client id has length ${n}`, HEAD_BYTES)
  const end = HEAD_BYTES + 2 + (n > 0 ? n : 0)
  if (end > frame.length) pastEnd('client id', HEAD_BYTES)
  return flexible ? skipTags(frame, end) : end
}

/** frame: size included. @throws {MalformedError} */
export function readRequestHeader(frame: Buffer, flexible: boolean): RequestHeader {
  const bodyAt = requestBodyAt(frame, flexible)
  const n = i16(frame, HEAD_BYTES)
  return {
    apiKey: apiKeyOf(frame),
    apiVersion: apiVersionOf(frame),
    correlationId: correlationIdOf(frame),
    clientIdStart: n < 0 ? -1 : HEAD_BYTES + 2,
    clientIdEnd: n < 0 ? -1 : HEAD_BYTES + 2 + n,
    bodyAt,
  }
}

/** Bytes of a response frame before its body. ApiVersions answers in header v0 even when flexible, so that old clients can read it: KIP-511. */
export const responseHeaderBytes = (apiKey: number, flexible: boolean): number => (flexible && apiKey !== 18 ? 9 : 8)

/** Where the body of a response begins, whatever tags its header carries. @throws {MalformedError} */
export function responseBodyAt(frame: Uint8Array, apiKey: number, flexible: boolean): number {
  if (frame.length < 8) pastEnd('response header', 0)
  return responseHeaderBytes(apiKey, flexible) === 8 ? 8 : skipTags(frame, 8)
}

/** A whole response frame, in fresh memory. */
export function writeResponse(
  request: { readonly apiKey: number; readonly correlationId: number },
  flexible: boolean,
  body: Uint8Array,
): Buffer {
  const head = responseHeaderBytes(request.apiKey, flexible)
  const frame = Buffer.allocUnsafeSlow(head + body.length)
  frame.writeInt32BE(frame.length - 4, 0)
  frame.writeInt32BE(request.correlationId, 4)
  if (head === 9) frame[8] = 0 // an empty tag buffer
  frame.set(body, head)
  return frame
}

/** Writes a frame's size after its bytes have changed. */
export function resize(frame: Buffer): Buffer {
  frame.writeInt32BE(frame.length - 4, 0)
  return frame
}
