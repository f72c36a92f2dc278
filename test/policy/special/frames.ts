// Frames for plan tests: requests and responses of one API at one version, written and read by the codec.

import { compileDecode, compileEncode, decodeWhole } from '../../../src/protocol/codec.ts'
import { requestBodyAt, responseBodyAt, writeResponse } from '../../../src/protocol/header.ts'
import { type Api, layoutOf, within } from '../../../src/protocol/schema.ts'

export function frames(api: Api, version: number) {
  const flexible = within(api.flexible, version)
  const request = layoutOf(api, version, 'request')
  const response = layoutOf(api, version, 'response')
  const encodeRequest = compileEncode(request)
  const encodeResponse = compileEncode(response)
  const decodeRequest = compileDecode(request)
  const decodeResponse = compileDecode(response)
  return {
    request(body: object, correlationId = 7): Buffer {
      const head = Buffer.alloc(flexible ? 18 : 17)
      head.writeInt16BE(api.key, 4)
      head.writeInt16BE(version, 6)
      head.writeInt32BE(correlationId, 8)
      head.writeInt16BE(3, 12)
      head.write('cli', 14)
      const frame = Buffer.concat([head, encodeRequest(body)])
      frame.writeInt32BE(frame.length - 4)
      return frame
    },
    response: (body: object, correlationId = 7): Buffer =>
      Buffer.from(writeResponse({ apiKey: api.key, correlationId }, flexible, encodeResponse(body))),
    readRequest(frame: Buffer): any {
      if (frame.readInt32BE(0) !== frame.length - 4) throw new Error('size does not fit')
      if (frame.readInt16BE(6) !== version) throw new Error('another version')
      return decodeWhole(decodeRequest, frame, requestBodyAt(frame, flexible))
    },
    readResponse(frame: Buffer): any {
      if (frame.readInt32BE(0) !== frame.length - 4) throw new Error('size does not fit')
      return decodeWhole(decodeResponse, frame, responseBodyAt(frame, api.key, flexible))
    },
  }
}

/** A record batch's header, without records: enough for what plans look at. */
export function batch(transactional = false): Buffer {
  const b = Buffer.alloc(61)
  b.writeInt32BE(49, 8)
  b[16] = 2
  b.writeInt16BE(transactional ? 0x10 : 0, 21)
  return b
}
