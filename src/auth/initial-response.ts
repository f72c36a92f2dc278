// The client's first message of OAUTHBEARER, read in one pass over its bytes: RFC 7628 §3.1, as narrow as Kafka reads it.

/** What the message says; the token is not looked at yet. */
export interface InitialResponse {
  readonly token: string
  /** As it was written (`=2C` and `=3D` are not resolved, as in Kafka); empty: none. */
  readonly authzid: string
  /** SASL extensions, in order; a name that comes twice keeps its last value. */
  readonly extensions: ReadonlyMap<string, string>
}

const COMMA = 0x2c
const EQUALS = 0x3d
const SEPARATOR = 0x01

/** Reads `n,[a=authzid],^A(key=value^A)*^A` with exactly one `auth=Bearer <token>`; null: it is anything else. */
export function readInitialResponse(bytes: Uint8Array): InitialResponse | null {
  if (bytes[0] !== 0x6e || bytes[1] !== COMMA) return null
  let at = 2
  let authzid = ''
  if (bytes[at] !== COMMA) {
    const end = authzidEnd(bytes, at)
    if (end < 0) return null
    authzid = latin(bytes, at + 2, end)
    at = end
  }
  if (bytes[at + 1] !== SEPARATOR) return null
  return readPairs(bytes, at + 2, authzid)
}

/** Where `a=<saslname>` ends: at the comma behind it; -1: it is not one. */
function authzidEnd(bytes: Uint8Array, start: number): number {
  if (bytes[start] !== 0x61 || bytes[start + 1] !== EQUALS) return -1
  let at = start + 2
  for (; at < bytes.length && bytes[at] !== COMMA; at++) {
    const c = bytes[at]!
    if (c === 0 || c > 0x7f) return -1
    if (c !== EQUALS) continue
    const escaped = latin(bytes, at + 1, at + 3)
    if (escaped !== '2C' && escaped !== '3D') return -1
    at += 2
  }
  return at === start + 2 || at >= bytes.length ? -1 : at
}

function readPairs(bytes: Uint8Array, start: number, authzid: string): InitialResponse | null {
  const extensions = new Map<string, string>()
  let auth: string | null = null
  let at = start
  while (bytes[at] !== SEPARATOR) {
    const keyAt = at
    while (isLetter(bytes[at])) at++
    if (at === keyAt || bytes[at] !== EQUALS) return null
    const valueAt = ++at
    while (isValueByte(bytes[at])) at++
    if (at === valueAt || bytes[at] !== SEPARATOR) return null
    const key = latin(bytes, keyAt, valueAt - 1)
    const value = latin(bytes, valueAt, at++)
    if (key !== 'auth') extensions.set(key, value)
    else if (auth !== null)
      return null // Kafka would take the last one: two tokens in one message are refused here
    else auth = value
  }
  const token = at === bytes.length - 1 && auth !== null ? bearerToken(auth) : null
  return token === null ? null : { token, authzid, extensions }
}

/** `Bearer <token>`: the scheme in any case, at least one space, and Kafka's token alphabet. */
function bearerToken(auth: string): string | null {
  if (auth.slice(0, 6).toLowerCase() !== 'bearer' || auth[6] !== ' ') return null
  let at = 6
  while (auth[at] === ' ') at++
  const token = auth.slice(at)
  return /^[-_~+/.A-Za-z0-9]+=*$/.test(token) ? token : null
}

const isLetter = (c: number | undefined): boolean => c !== undefined && ((c >= 0x41 && c <= 0x5a) || (c >= 0x61 && c <= 0x7a))
const isValueByte = (c: number | undefined): boolean =>
  c !== undefined && ((c >= 0x20 && c <= 0x7e) || c === 0x09 || c === 0x0a || c === 0x0d)
const latin = (bytes: Uint8Array, start: number, end: number): string => Buffer.from(bytes.subarray(start, end)).toString('latin1')
