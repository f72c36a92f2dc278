// Recognises what people point at a Kafka port by mistake, from the four bytes that would be a frame's size.

const TLS_HANDSHAKE = 0x16
const TLS_MAJOR = 3
/** First letters of HTTP's methods and of its answers, HTTP/2's preface among them. */
const HTTP = new Set(['GET ', 'POST', 'PUT ', 'HEAD', 'DELE', 'OPTI', 'PATC', 'TRAC', 'CONN', 'PRI ', 'HTTP'])

/** The start of a PROXY header, either version. */
const PROXY = new Set(['PROX', '\r\n\r\n'])

/** What it is that, read as a size, is beyond every limit: ask only then. Null: nothing known. */
export function foreignIn(bytes: Buffer, at: number): 'TLS' | 'HTTP' | 'the PROXY protocol' | null {
  if (bytes[at] === TLS_HANDSHAKE && bytes[at + 1] === TLS_MAJOR) return 'TLS'
  const word = bytes.toString('latin1', at, at + 4)
  return HTTP.has(word) ? 'HTTP' : PROXY.has(word) ? 'the PROXY protocol' : null
}
