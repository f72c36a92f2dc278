// The certificate of a listener, its key, and who signs its clients' certificates, as their files are now.

import { constants, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import type { ListenerConfig, ListenerTls } from '../base/config-listener.ts'
import { WatchedFiles } from '../base/watched-files.ts'
import { nameOf } from './sni.ts'

const DAY_MS = 86_400_000
/** So long before the end it is spoken of. */
const WARN_MS = 30 * DAY_MS

/** What a certificate says of itself. */
export interface CertificateFacts {
  readonly subject: string
  readonly validFromMs: number
  readonly validToMs: number
}

export class Certificates {
  readonly #tls: ListenerTls
  readonly #files: WatchedFiles
  readonly #changed: (problem: string | null) => void
  #options: SecureContextOptions

  /**
   * @param changed the files hold something new, which is in use from now on; or it cannot be used, and why: then what was read before stays
   * @throws when a file cannot be read, or does not hold what it should
   */
  constructor(tls: ListenerTls, changed: (problem: string | null) => void) {
    this.#tls = tls
    this.#changed = changed
    const files = [tls.cert, tls.key, tls.clientCa].filter(file => file !== null)
    this.#files = new WatchedFiles(files, () => this.#reload())
    try {
      this.#options = this.#load()
    } catch (why) {
      this.#files.stop()
      throw why
    }
  }

  /** For a TLS server: what was read last and is good. */
  get options(): SecureContextOptions {
    return this.#options
  }

  get facts(): CertificateFacts {
    const { subject, validFromDate, validToDate } = this.#certificate()
    return { subject: subject ?? '', validFromMs: validFromDate.getTime(), validToMs: validToDate.getTime() }
  }

  /** That it has ended, or not begun; null: it is good at that time. */
  over(nowMs: number): string | null {
    const { validFromMs, validToMs } = this.facts
    const { cert } = this.#tls
    if (nowMs < validFromMs) return `the certificate ${cert} is not valid before ${iso(validFromMs)}`
    return nowMs >= validToMs ? `the certificate ${cert} expired on ${iso(validToMs)}` : null
  }

  /** What a person should hear of it, and by when: it has ended, or will soon; null: all is well. */
  deadline(nowMs: number): string | null {
    const { validToMs } = this.facts
    const soon = validToMs - nowMs < WARN_MS ? `the certificate ${this.#tls.cert} expires on ${iso(validToMs)}` : null
    return this.over(nowMs) ?? soon
  }

  /** Names that clients are told and that the certificate does not stand for. */
  uncovered(names: readonly string[]): string[] {
    const certificate = this.#certificate()
    return names.filter(name => (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) === undefined)
  }

  /** Looks at the files now. */
  look(): Promise<void> {
    return this.#files.look()
  }

  stop(): void {
    this.#files.stop()
  }

  #certificate(): X509Certificate {
    return new X509Certificate(this.#options.cert as string)
  }

  #load(): SecureContextOptions {
    const { cert, key, clientCa } = this.#tls
    const options: SecureContextOptions = {
      cert: this.#files.text(cert),
      key: this.#files.text(key),
      ...(clientCa !== null && { ca: this.#files.text(clientCa) }),
      minVersion: 'TLSv1.2',
      // A client that renegotiates costs a handshake each time, and none has a reason to.
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    }
    try {
      createSecureContext(options)
    } catch (why) {
      throw new Error(`${cert} and ${key} cannot be used: ${(why as Error).message}`)
    }
    return options
  }

  #reload(): void {
    try {
      this.#options = this.#load()
    } catch (why) {
      // A certificate and its key are two files: for a moment they may not fit.
      this.#changed((why as Error).message)
      return
    }
    this.#changed(null)
  }
}

/** The names that clients of a listener are told: its own, and one of its brokers' where they have names. */
export function toldNames({ advertise, bind, brokers }: ListenerConfig): string[] {
  const own = advertise?.host ?? bind.host
  return typeof brokers === 'object' && 'sni' in brokers ? [own, nameOf(brokers.sni, 0)] : [own]
}

const iso = (ms: number): string => new Date(ms).toISOString()
