// What a client says of itself, for the operator's eyes: bounded, and printable only.

import { ApiVersions } from '../protocol/messages/18-api-versions.ts'
import { i16, size, skipTags, uvarint } from '../protocol/wire.ts'

const TEXT_BYTES = 128
/** The first version of ApiVersions that names the client's software (KIP-511). */
const NAMED = 3

/** From a request's header; null where the client has left it out. The whole frame lies in `bytes[at..end)`. */
export function clientIdOf(bytes: Buffer, at: number, end: number): string {
  const length = i16(bytes, at + 12)
  return length <= 0 ? '' : printable(bytes, at + 14, Math.min(at + 14 + length, end))
}

/** Name and version from an ApiVersions request that was answered; null: an older one does not say, a newer one may say it elsewhere. */
export function softwareOf(request: Buffer): string | null {
  if (request.length < 16 || i16(request, 6) < NAMED || i16(request, 6) > ApiVersions.versions.max) return null
  let at = skipTags(request, 14 + Math.max(0, i16(request, 12)))
  const text = (): string => {
    const length = uvarint(request, at) - 1
    const start = at + size
    at = start + Math.max(0, length)
    return printable(request, start, Math.min(at, request.length))
  }
  return `${text()} ${text()}`
}

function printable(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('utf8', start, Math.min(end, start + TEXT_BYTES)).replaceAll(/[^\x20-\x7e]/g, '?')
}
