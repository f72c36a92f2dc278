// One API at one version: how its frames are laid out, read and answered. What every plan is built on.

import { compileDecode, compileEncode, type Decode, decodeWhole } from '../protocol/codec.ts'
import { correlationIdOf, requestBodyAt, resize, responseBodyAt, responseHeaderBytes, writeResponse } from '../protocol/header.ts'
import { type Api, type Layout, layoutOf, slotAt, within } from '../protocol/schema.ts'
import { compileWalk, type Visit, walkWhole } from '../protocol/walk.ts'
import type { Answer } from './outcome.ts'

/** Of all lists of a request together: as many partitions as a fetch session may have. More would keep a worker from its other clients. */
const MAX_ELEMENTS = 1 << 18

/** Told marks in wire order by their place in the list of paths. @throws {MalformedError} the body does not end with its frame */
export type FrameWalk = (frame: Buffer, visit: Visit) => void

export class Edition {
  readonly api: Api
  readonly version: number
  readonly flexible: boolean
  readonly request: Layout
  readonly response: Layout
  /** Bytes of a response frame before its body, as the gate writes it. */
  readonly responseAt: number
  readonly #decodeRequest: Decode
  readonly #decodeResponse: Decode
  readonly #encodeRequest: (body: object) => Buffer
  readonly #encodeResponse: (body: object) => Buffer

  constructor(api: Api, version: number) {
    this.api = api
    this.version = version
    this.flexible = within(api.flexible, version)
    this.request = layoutOf(api, version, 'request')
    this.response = layoutOf(api, version, 'response')
    this.responseAt = responseHeaderBytes(api.key, this.flexible)
    this.#decodeRequest = compileDecode(this.request)
    this.#decodeResponse = compileDecode(this.response)
    this.#encodeRequest = compileEncode(this.request)
    this.#encodeResponse = compileEncode(this.response)
  }

  /** A request's body as a plain object. @throws {MalformedError} */
  decodeRequest(frame: Buffer): any {
    return decodeWhole(this.#decodeRequest, frame, requestBodyAt(frame, this.flexible), MAX_ELEMENTS)
  }

  /** The request under its own header, with another body. */
  requestWithBody(frame: Buffer, body: object): Buffer {
    return resize(Buffer.concat([frame.subarray(0, requestBodyAt(frame, this.flexible)), this.#encodeRequest(body)]))
  }

  /** A response's body as a plain object. @throws {MalformedError} */
  decodeResponse(frame: Buffer): any {
    return decodeWhole(this.#decodeResponse, frame, responseBodyAt(frame, this.api.key, this.flexible))
  }

  /** A whole response frame with the correlation id of `request`. */
  responseTo(request: Buffer, body: object): Buffer {
    return this.#response(correlationIdOf(request), body)
  }

  /** A response frame like the broker's, with another body. */
  withBody(response: Buffer, body: object): Buffer {
    return this.#response(response.readInt32BE(4), body)
  }

  answer(request: Buffer, body: object): Answer {
    return { kind: 'answer', frame: this.responseTo(request, body), thenClose: false }
  }

  /** A walk over request frames that looks for these paths; those that this version does not have are passed over. */
  requestWalk(paths: readonly string[]): FrameWalk {
    const { flexible } = this
    const walk = compileWalk(this.request, numbered(paths))
    return (frame, visit) => walkWhole(walk, frame, requestBodyAt(frame, flexible), visit, MAX_ELEMENTS)
  }

  /** The same over response frames. */
  responseWalk(paths: readonly string[]): FrameWalk {
    const { flexible, api } = this
    const walk = compileWalk(this.response, numbered(paths))
    return (frame, visit) => walkWhole(walk, frame, responseBodyAt(frame, api.key, flexible), visit)
  }

  #response(correlationId: number, body: object): Buffer {
    return writeResponse({ apiKey: this.api.key, correlationId }, this.flexible, this.#encodeResponse(body))
  }
}

const numbered = (paths: readonly string[]) => new Map(paths.map((path, mark) => [path, mark]))

/** The layout of one element of a list of structures. */
export function elementOf(layout: Layout, path: string): Layout {
  const slot = slotAt(layout, path)
  if (slot?.type !== 'list' || slot.of === null || !('slots' in slot.of)) throw new TypeError(`${path} is not a list of structures`)
  return slot.of
}
