// The header in which a load balancer says whose connection it hands on: the PROXY protocol, versions 1 and 2 (HAProxy's specification, §2).

import { isIPv4, isIPv6 } from 'node:net'
import { MalformedError } from '../protocol/wire.ts'

/** What a header says. */
export interface ProxyHeader {
  /** So many bytes; what follows is the client's. */
  readonly sizeBytes: number
  /** The client's address; null: the connection is the load balancer's own (LOCAL), or it does not know (UNKNOWN). */
  readonly address: string | null
}

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const V1 = Buffer.from('PROXY ', 'latin1')
/** "The worst case", its line end included: a longer line is none. */
const V1_BYTES = 107
const V2_HEAD_BYTES = 16
/** Addresses and additional fields together: ample for every field that is defined, and nothing to fill memory with. */
const V2_REST_BYTES = 4096
const LOCAL = 0
const PROXY = 1
/** Family (high half) and transport (low half). */
const TCP4 = 0x11
const TCP6 = 0x21
const UNSPEC = 0x00

/**
 * The header at the start of `bytes`; null: more bytes are needed to tell.
 * @throws {MalformedError} no header begins so
 */
export function readProxyHeader(bytes: Buffer): ProxyHeader | null {
  if (begins(bytes, SIGNATURE)) return bytes.length < V2_HEAD_BYTES ? null : readV2(bytes)
  if (begins(bytes, V1)) return readV1(bytes)
  throw new MalformedError('no PROXY header', 0)
}

/** What there is of `bytes` is the start of `mark`, or goes on behind it. */
function begins(bytes: Buffer, mark: Buffer): boolean {
  const length = Math.min(bytes.length, mark.length)
  return bytes.compare(mark, 0, length, 0, length) === 0
}

/** `PROXY TCP4 <source> <destination> <source port> <destination port>\r\n`, or `PROXY UNKNOWN …\r\n`. */
function readV1(bytes: Buffer): ProxyHeader | null {
  const end = bytes.subarray(0, V1_BYTES).indexOf('\n')
  if (end === -1) {
    if (bytes.length >= V1_BYTES) throw new MalformedError('a PROXY header without an end', V1_BYTES)
    return null
  }
  if (bytes[end - 1] !== 0x0d) throw new MalformedError('a PROXY header whose line does not end as it must', end)
  const line = bytes.toString('latin1', 0, end - 1)
  const sizeBytes = end + 1
  if (/^PROXY UNKNOWN( [ -~]*)?$/.test(line)) return { sizeBytes, address: null }
  const [, family, source, destination, ...ports] = line.split(' ')
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isIPv6 : null
  const good = isAddress?.(source!) && isAddress(destination!) && !source!.includes('%') && ports.length === 2 && ports.every(isPort)
  if (!good) throw new MalformedError('a PROXY header with wrong fields', 0)
  return { sizeBytes, address: source! }
}

const isPort = (text: string): boolean => /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65535

/** signature | version, command | family, transport | size of the rest | addresses, then additional fields, which are stepped over */
function readV2(bytes: Buffer): ProxyHeader | null {
  const version = bytes[12]! >>> 4
  const command = bytes[12]! & 0x0f
  const family = bytes[13]!
  const restBytes = bytes.readUInt16BE(14)
  if (version !== 2 || command > PROXY) throw new MalformedError('a PROXY header of an unknown version or command', 12)
  if (restBytes > V2_REST_BYTES) throw new MalformedError('a PROXY header that is too long', 14)
  const sizeBytes = V2_HEAD_BYTES + restBytes
  if (bytes.length < sizeBytes) return null
  if (command === LOCAL || family === UNSPEC) return { sizeBytes, address: null }
  if (family !== TCP4 && family !== TCP6) throw new MalformedError('a PROXY header of another kind than TCP', 13)
  if (restBytes < (family === TCP4 ? 12 : 36)) throw new MalformedError('a PROXY header without its addresses', 14)
  return { sizeBytes, address: family === TCP4 ? ipv4(bytes, V2_HEAD_BYTES) : ipv6(bytes, V2_HEAD_BYTES) }
}

const ipv4 = (bytes: Buffer, at: number): string => bytes.subarray(at, at + 4).join('.')

/** As RFC 5952 §4 writes it: no leading zeros, the longest run of zero groups as `::`; one that is mapped as IPv4. */
function ipv6(bytes: Buffer, at: number): string {
  if (bytes.readUInt32BE(at) === 0 && bytes.readUInt32BE(at + 4) === 0 && bytes.readUInt32BE(at + 8) === 0xffff) return ipv4(bytes, at + 12)
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(at + 2 * i).toString(16))
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}
