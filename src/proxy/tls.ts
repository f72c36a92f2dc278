// Ends TLS on accepted connections: handshake, certificates of both sides, the server's name; one for all ports of a listener.

import { createHash, type X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { ListenerTls } from '../base/config-listener.ts'
import type { CounterName } from '../base/counters.ts'
import { validText } from '../base/text.ts'
import { Certificates } from './certificates.ts'
import type { ClientCertificate } from './gate.ts'
import type { ServerNames } from './sni.ts'

/** Why a connection does not become a session. */
export interface Failure {
  readonly cause: string
  readonly counter: CounterName | null
  readonly detail: string
}

/** A client behind its handshake. */
export interface Secured {
  readonly socket: TLSSocket
  /** The name that the client asked for, if it did. */
  readonly serverName: string | null
  readonly certificate: ClientCertificate | null
}

export interface TlsOptions {
  readonly tls: ListenerTls
  /** The names that are answered to; null: any, and none. */
  readonly names: ServerNames | null
  readonly handshakeMs: number
}

type Done = (secured: Secured | Failure) => void

class UnknownServerName extends Error {}

/** Connections that are open live on when certificates change. */
export class TlsEntry {
  readonly names: ServerNames | null
  readonly #tls: ListenerTls
  readonly #certificates: Certificates
  readonly #server: Server
  readonly #arriving = new WeakMap<Socket, Done>()
  /** What clients have shown whose handshakes are not over. */
  readonly #shown = new WeakMap<TLSSocket, X509Certificate | null>()

  /** @throws when a file cannot be read, or does not hold what it should */
  constructor({ tls, names, handshakeMs }: TlsOptions) {
    this.#tls = tls
    this.names = names
    // Main says in the log what becomes of the files, once for all workers.
    this.#certificates = new Certificates(tls, problem => {
      if (problem === null) this.#server.setSecureContext(this.#certificates.options)
    })
    this.#server = createServer({
      ...this.#certificates.options,
      handshakeTimeout: handshakeMs,
      requestCert: tls.clientAuth !== 'none',
      rejectUnauthorized: tls.clientAuth === 'required',
      ...(names !== null && {
        SNICallback: (name: string, done: (error: Error | null) => void) =>
          done(names.nodeOf(name) === undefined ? new UnknownServerName(name) : null),
      }),
    })
    this.#server.on('secureConnection', socket => this.#secured(socket))
    this.#server.on('tlsClientError', (error, socket) => this.#failed(error, socket))
    // Node closes by itself whose certificate is not good. Before that it tells of a socket by this event alone; the secrets are left alone.
    if (tls.clientAuth === 'required') this.#server.on('keylog', (_secret, socket) => this.#look(socket))
  }

  /** @param done is called once, unless the raw connection ends before */
  shake(raw: Socket, done: Done): void {
    this.#arriving.set(raw, done)
    this.#server.emit('connection', raw)
  }

  stop(): void {
    this.#certificates.stop()
  }

  /**
   * Node calls from inside OpenSSL: whoever ended the connection then would free what is in use, and with it the process.
   * So everything waits until OpenSSL has returned.
   */
  #secured(socket: TLSSocket): void {
    const done = this.#doneOf(socket)
    this.#shown.delete(socket)
    socket.on('error', () => undefined)
    setImmediate(() => {
      const verdict = socket.destroyed ? LOST : this.#judge(socket)
      if (verdict !== null || done === undefined) socket.destroy()
      done?.(verdict ?? { socket, serverName: serverNameOf(socket), certificate: certificateOf(socket) })
    })
  }

  /** Keeps the certificate from Node's closing, so that it can be named. */
  #look(socket: TLSSocket): void {
    if (this.#shown.has(socket)) return
    this.#shown.set(socket, null)
    socket.prependOnceListener('secure', () => this.#shown.set(socket, socket.getPeerX509Certificate() ?? null))
  }

  /** Resumed sessions pass no callback of the handshake: all is looked at again here. */
  #judge(socket: TLSSocket): Failure | null {
    const serverName = serverNameOf(socket)
    if (this.names !== null && (serverName === null || this.names.nodeOf(serverName) === undefined)) return unknownName(serverName)
    if (this.#tls.clientAuth === 'none' || socket.authorized) return null
    const given = socket.getPeerX509Certificate()
    if (given === undefined && this.#tls.clientAuth === 'optional') return null
    return badCertificate(given === undefined ? 'no certificate' : reasonWith(String(socket.authorizationError), given))
  }

  #failed(error: Error & { readonly code?: string }, socket: TLSSocket): void {
    const done = this.#doneOf(socket)
    const refused = socket.authorizationError as Error | string | null | undefined
    const shown = this.#shown.get(socket) ?? null
    setImmediate(() => {
      socket.destroy()
      if (error instanceof UnknownServerName) done?.(unknownName(error.message))
      else if (refused) done?.(badCertificate(shown === null ? String(refused) : reasonWith(String(refused), shown)))
      else done?.(failureOf(error))
    })
  }

  /** Node tells of a TLS socket only; which connection it runs over is its own secret. Without it the connection closes. */
  #doneOf(socket: TLSSocket): Done | undefined {
    const raw = (socket as unknown as { readonly _parent?: Socket })._parent
    if (raw === undefined) return undefined
    const done = this.#arriving.get(raw)
    this.#arriving.delete(raw)
    return done
  }
}

/** What OpenSSL says of bytes that are no TLS at all. */
const PLAIN = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_HTTP_REQUEST',
  'ERR_SSL_HTTPS_PROXY_REQUEST',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
])

const LOST: Failure = { cause: 'client lost', counter: null, detail: 'in the TLS handshake' }

function failureOf({ code, message }: Error & { readonly code?: string }): Failure {
  if (code !== undefined && PLAIN.has(code)) {
    return { cause: 'plainOnTlsPort', counter: 'plainOnTlsPort', detail: 'the client speaks plain text on a TLS port' }
  }
  if (code === 'ECONNRESET') return LOST
  if (code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') return badCertificate('no certificate')
  const detail = code === 'ERR_TLS_HANDSHAKE_TIMEOUT' ? 'the handshake took too long' : reasonOf(message)
  return { cause: 'tlsFailed', counter: 'tlsFailed', detail }
}

/** The words in `<thread>:error:<number>:SSL routines:<function>:<words>:<file>:<line>:`. */
const reasonOf = (message: string): string => /:error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):/.exec(message)?.[1] ?? message

const unknownName = (name: string | null): Failure => ({
  cause: 'unknownServerName',
  counter: 'unknownServerName',
  detail: name === null ? 'the client names no server' : `the client asks for ${JSON.stringify(name)}`,
})

const badCertificate = (why: string): Failure => ({
  cause: 'clientCertificateRefused',
  counter: 'clientCertificateRefused',
  detail: `the client's certificate was not accepted: ${why}`,
})

/** Whose certificate, and when it is good, for a person who must find it. */
function reasonWith(code: string, certificate: X509Certificate): string {
  const { validFromDate, validToDate } = certificate
  return `${code} (${subjectOf(certificate)}, ${validText(validFromDate, validToDate)})`
}

const subjectOf = ({ subject }: X509Certificate): string => (subject ?? '').split('\n').reverse().join(',')

const serverNameOf = ({ servername }: TLSSocket): string | null => (typeof servername === 'string' && servername !== '' ? servername : null)

function certificateOf(socket: TLSSocket): ClientCertificate | null {
  const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined
  if (certificate === undefined) return null
  const thumbprint = createHash('sha256').update(certificate.raw).digest('base64url')
  return { subject: subjectOf(certificate), thumbprint }
}
