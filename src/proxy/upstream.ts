// What it takes to reach a broker and log in there: TLS, certificates, passwords and tokens, always as their files are now.

import { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { isIP } from 'node:net'
import { type ConnectionOptions, checkServerIdentity, createSecureContext, type SecureContext } from 'node:tls'
import type { Credential } from '../auth/broker-login.ts'
import type { OwnToken } from '../auth/own-token.ts'
import type { BrokerSasl, ClusterTls, Secret } from '../base/config-cluster.ts'
import { WatchedFiles } from '../base/watched-files.ts'
import type { Address } from './hello.ts'
import { connectTo, type ReadTarget } from './onread.ts'
import { onWrongDates } from './refused-certificate.ts'

export interface UpstreamOptions {
  readonly bootstrap: readonly Address[]
  /** Patterns of hosts that may be dialled besides the bootstrap ones; null: any. */
  readonly hosts: readonly string[] | null
  readonly tls: ClusterTls | null
  readonly sasl: BrokerSasl | null
  /** For OAUTHBEARER and AWS_MSK_IAM: the gate's own token. @param refused one that a broker did not take, or null */
  ownToken?(refused: string | null): Promise<OwnToken>
  /** Files have changed, and what they hold is in use now; or it cannot be used, and why. */
  onChange?(problem: string | null): void
}

/** Hosts with `*` for any characters, in any case. */
export function hostPattern(patterns: readonly string[]): RegExp {
  const one = (pattern: string) => pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')
  return new RegExp(`^(?:${patterns.map(one).join('|')})$`, 'i')
}

/** One a thread. Connections that are open live on when files change; new ones use what the files hold then. */
export class Upstream {
  readonly #options: UpstreamOptions
  readonly #files: WatchedFiles
  readonly #hosts: RegExp | null
  /** By the error that they have caused. */
  readonly #dates = new WeakMap<Error, string>()
  #context: SecureContext | null = null
  /** Of the gate's own certificate. */
  #endsAtMs = Number.POSITIVE_INFINITY
  #token: OwnToken | null = null
  #refused: string | null = null

  /** @throws when a file cannot be read, or holds no usable certificate or key */
  constructor(options: UpstreamOptions) {
    this.#options = options
    const { tls, sasl, hosts, bootstrap } = options
    this.#hosts = hosts === null ? null : hostPattern([...hosts, ...bootstrap.map(({ host }) => host)])
    const secret = sasl !== null && 'password' in sasl ? sasl.password.file : null
    const files = [tls?.ca, tls?.cert, tls?.key, secret].filter(file => typeof file === 'string')
    this.#files = new WatchedFiles(files, () => this.#changed())
    if (tls !== null) this.#context = this.#load(tls)
  }

  stop(): void {
    this.#files.stop()
  }

  /** A login is wanted before the first request. */
  get logsIn(): boolean {
    return this.#options.sasl !== null
  }
  /** Each client's own token is the login. */
  get passesThrough(): boolean {
    return this.#options.sasl?.mechanism === 'PASSTHROUGH'
  }
  get secure(): boolean {
    return this.#context !== null
  }

  /** Whether a host that the cluster names may be dialled. */
  allows(host: string): boolean {
    return this.#hosts === null || this.#hosts.test(host)
  }

  /** A socket on its way; it is ready for bytes after its event `connect`, or `secureConnect` with TLS. `target` null: it reads by `data` events. */
  connect(address: Address, target: ReadTarget | null): Socket {
    const { tls } = this.#options
    if (tls === null) return connectTo(address, target)
    const socket = connectTo(address, target, this.#secure(tls, address.host))
    onWrongDates(socket, address, (error, dates) => this.#dates.set(error, dates))
    return socket
  }

  /** What to log in with now; null: no login is asked for. @param token the client's own @throws when there is no token to be had */
  async credential(token: string | null): Promise<Credential | null> {
    const { sasl } = this.#options
    if (sasl === null) return null
    switch (sasl.mechanism) {
      case 'PASSTHROUGH':
        return { mechanism: 'OAUTHBEARER', token: token!, extensions: {} }
      case 'OAUTHBEARER':
        return this.#own(sasl.extensions)
      case 'AWS_MSK_IAM':
        return this.#own({})
      default:
        return { mechanism: sasl.mechanism, username: sasl.username, password: this.#secret(sasl.password) }
    }
  }

  /** Why a broker could not be reached, for a person to read: with the dates of a certificate that is over. */
  explain(why: Error): string {
    // A name with several addresses fails with a code alone.
    const said = why.message || String((why as NodeJS.ErrnoException).code)
    const isOver = this.#endsAtMs < Date.now()
    const own = isOver ? `the gate's certificate ${this.#options.tls!.cert} expired on ${new Date(this.#endsAtMs).toISOString()}` : null
    const dates = own ?? this.#dates.get(why)
    return dates === undefined ? said : `${said} (${dates})`
  }

  async #own(extensions: Readonly<Record<string, string>>): Promise<Credential> {
    if (this.#token === null || Date.now() >= this.#token.freshUntilMs) this.#token = await this.#options.ownToken!(this.#refused)
    const { token } = this.#token
    const onRefused = () => {
      this.#refused = token
      if (this.#token?.token === token) this.#token = null
    }
    return { mechanism: 'OAUTHBEARER', token, extensions, onRefused }
  }

  #secret({ value, file }: Secret): string {
    return file === null ? value : this.#files.text(file).replace(/\r?\n$/, '')
  }

  #secure(tls: ClusterTls, host: string): ConnectionOptions {
    const name = tls.serverName ?? (Object.hasOwn(tls.serverNames, host) ? tls.serverNames[host]! : host)
    return {
      secureContext: this.#context!,
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
      // RFC 6066 §3: an address is no server name.
      ...(isIP(name) === 0 && { servername: name }),
      checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
    }
  }

  #load(tls: ClusterTls): SecureContext {
    const text = (file: string | null) => (file === null ? undefined : this.#files.text(file))
    const [ca, cert, key] = [text(tls.ca), text(tls.cert), text(tls.key)]
    const context = createSecureContext({ ca, cert, key, minVersion: 'TLSv1.2' })
    if (cert !== undefined) this.#endsAtMs = new X509Certificate(cert).validToDate.getTime()
    return context
  }

  #changed(): void {
    const { tls, onChange } = this.#options
    try {
      if (tls !== null) this.#context = this.#load(tls)
      onChange?.(null)
    } catch (why) {
      onChange?.(`cluster.tls: ${(why as Error).message}; what was read before stays in use`)
    }
  }
}
