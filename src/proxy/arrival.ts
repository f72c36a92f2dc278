// What stands between an accepted connection and its session: the PROXY header of a load balancer, then TLS; with one deadline for both.

import type { Socket } from 'node:net'
import type { ListenerConfig } from '../base/config-listener.ts'
import { Networks } from '../base/networks.ts'
import { MalformedError } from '../protocol/wire.ts'
import { readProxyHeader } from './proxy-protocol.ts'
import { ServerNames } from './sni.ts'
import { type Failure, type Secured, TlsEntry } from './tls.ts'

const MAX_HANDSHAKE_MS = 10_000
const NOTHING = Buffer.alloc(0)

/** How clients come in at a listener; one a worker and listener, for all its ports. */
export class Entry {
  /** Load balancers that say whose connection they hand on. */
  readonly balancers: Networks | null
  readonly tls: TlsEntry | null
  readonly handshakeMs: number

  /** @throws when a certificate or key cannot be used */
  constructor({ clientAddress, tls, brokers, advertise }: ListenerConfig, loginTimeMs: number) {
    this.handshakeMs = Math.min(loginTimeMs, MAX_HANDSHAKE_MS)
    this.balancers = typeof clientAddress === 'object' && clientAddress !== null ? new Networks(clientAddress.proxyProtocol) : null
    const names = typeof brokers === 'object' && 'sni' in brokers ? new ServerNames(advertise!.host, brokers.sni) : null
    this.tls = tls === null ? null : new TlsEntry({ tls, names, handshakeMs: this.handshakeMs })
  }

  stop(): void {
    this.tls?.stop()
  }
}

/** A connection that may become a session. */
export interface Arrived {
  readonly address: string
  readonly socket: Socket
  readonly secured: Secured | null
  /** The client's bytes that have been read already. */
  readonly rest: Buffer
}

export interface ArrivalOptions {
  readonly entry: Entry
  readonly socket: Socket
  readonly address: string
  /** Once, if neither `drop` nor the client ends it before. */
  arrived(arrived: Arrived): void
  failed(failure: Failure, address: string): void
}

/** A connection on its way in. */
export class Arrival {
  readonly #options: ArrivalOptions
  readonly #socket: Socket
  readonly #deadline: NodeJS.Timeout
  #address: string
  #over = false
  #read: Buffer = NOTHING
  readonly #take = (chunk: Buffer): void => this.#took(chunk)
  readonly #end = (): void => this.#lost()

  constructor(options: ArrivalOptions) {
    const { entry, socket, address } = options
    this.#options = options
    this.#socket = socket
    this.#address = address
    this.#deadline = setTimeout(
      () => this.#fail({ cause: 'handshake too slow', counter: 'tlsFailed', detail: `no handshake within ${entry.handshakeMs} ms` }),
      entry.handshakeMs,
    )
  }

  begin(): void {
    const { entry, socket, address } = this.#options
    socket.on('end', this.#end).on('error', this.#end).on('close', this.#end)
    if (entry.balancers?.has(address)) socket.on('data', this.#take).resume()
    else this.#secure(NOTHING)
  }

  /** Ends it now, without a word. */
  drop(): void {
    if (this.#finish()) this.#socket.destroy()
  }

  #took(chunk: Buffer): void {
    // Joined at most a few times a connection, before anything of Kafka: a header that grows too long is refused.
    const bytes = this.#read.length === 0 ? chunk : Buffer.concat([this.#read, chunk])
    this.#read = bytes
    try {
      const header = readProxyHeader(bytes)
      if (header === null) return
      this.#socket.off('data', this.#take).pause()
      this.#address = header.address ?? this.#address
      this.#secure(bytes.subarray(header.sizeBytes))
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error
      const detail = `${error.message}, from ${this.#options.address}`
      this.#fail({ cause: 'proxyHeaderRefused', counter: 'proxyHeaderRefused', detail })
    }
  }

  #secure(rest: Buffer): void {
    const { tls } = this.#options.entry
    if (tls === null) {
      this.#arrive(this.#socket, null, rest)
      return
    }
    if (rest.length > 0) this.#socket.unshift(rest)
    // How it ends is now for the handshake to say.
    this.#socket.off('end', this.#end).off('error', this.#end).off('close', this.#end)
    tls.shake(this.#socket, secured => {
      if ('socket' in secured) this.#arrive(secured.socket, secured, secured.socket.read() ?? NOTHING)
      else this.#fail(secured)
    })
  }

  #arrive(socket: Socket, secured: Secured | null, rest: Buffer): void {
    if (this.#finish()) this.#options.arrived({ address: this.#address, socket, secured, rest })
    else socket.destroy()
  }

  #lost(): void {
    this.#fail({ cause: 'client lost', counter: null, detail: 'before its first byte' })
  }

  #fail(failure: Failure): void {
    if (!this.#finish()) return
    this.#options.failed(failure, this.#address)
    this.#socket.destroy()
  }

  /** False: it was over before. */
  #finish(): boolean {
    if (this.#over) return false
    this.#over = true
    clearTimeout(this.#deadline)
    this.#socket.off('data', this.#take).off('end', this.#end).off('error', this.#end).off('close', this.#end)
    // Of an error that comes late nobody needs to know.
    this.#socket.on('error', () => undefined)
    return true
  }
}
