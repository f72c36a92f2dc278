// What it takes to reach a broker and log in there: TLS, certificates, passwords and tokens, always as their files are now.

import { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { isIP } from 'node:net'
import { type ConnectionOptions, checkServerIdentity, connect as connectTls, createSecureContext, type SecureContext } from 'node:tls'
import type { Credential } from '../auth/broker-login.ts'
import type { OwnToken } from '../auth/own-token.ts'
import type { BrokerSasl, ClusterTls, Secret } from '../base/config-cluster.ts'
import { WatchedFiles } from '../base/watched-files.ts'
import type { Address } from './hello.ts'
import { connectTo, type ReadTarget } from './onread.ts'

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
  #context: SecureContext | null = null
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
    return connectTo(address, target, this.#secure(tls, address.host))
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

  /** The dates of a certificate that a failed connection was about, for a person to read; null: dates are not what is wrong. */
  explain(address: Address, why: NodeJS.ErrnoException): Promise<string | null> {
    const { tls } = this.#options
    const own = tls === null || tls.cert === null ? null : new X509Certificate(this.#files.text(tls.cert))
    if (own !== null && own.validToDate.getTime() < Date.now()) {
      return Promise.resolve(`the gate's certificate ${tls!.cert} expired on ${own.validToDate.toISOString()}`)
    }
    if (tls === null || (why.code !== 'CERT_HAS_EXPIRED' && why.code !== 'CERT_NOT_YET_VALID')) return Promise.resolve(null)
    return this.#lookAtDates(tls, address)
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
    return createSecureContext({ ca: text(tls.ca), cert: text(tls.cert), key: text(tls.key), minVersion: 'TLSv1.2' })
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

  /** Only looks: not a byte of Kafka is sent over a connection whose certificate was not accepted. */
  #lookAtDates(tls: ClusterTls, { host, port }: Address): Promise<string | null> {
    return new Promise(resolve => {
      const socket = connectTls({ ...this.#secure(tls, host), host, port, rejectUnauthorized: false })
      const finish = (text: string | null) => {
        resolve(text)
        socket.destroy()
      }
      socket.setTimeout(5_000, () => finish(null))
      socket.on('error', () => finish(null))
      socket.on('secureConnect', () => {
        const { valid_from, valid_to } = socket.getPeerCertificate()
        finish(`the certificate of ${host}:${port} is valid from ${iso(valid_from)} to ${iso(valid_to)}`)
      })
    })
  }
}

const iso = (date: string): string => new Date(date).toISOString()
