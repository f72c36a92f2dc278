// Main's eye on the certificates of all listeners: they are good at the start, and the log says when they change, do not fit or come to an end.

import type { Config } from '../base/config.ts'
import type { ListenerConfig, ListenerTls } from '../base/config-listener.ts'
import { InvalidFileError, type Path } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { YamlFile } from '../base/yaml.ts'
import { Certificates, toldNames } from './certificates.ts'

const DAY_MS = 86_400_000

/**
 * @param goodAtMs when certificates must be good; null: that is for the log to say, since new ones may be on their way
 * @throws {InvalidFileError} at the place of each listener, and of the admin API, whose certificate, key or certificate authority cannot be used
 */
export function demandCertificates(config: Config, goodAtMs: number | null = null): void {
  const yaml = new YamlFile(config.file)
  const demand = (tls: ListenerTls | null, path: Path): void => {
    if (tls === null) return
    try {
      const certificates = new Certificates(tls, () => undefined)
      certificates.stop()
      const over = goodAtMs === null ? null : certificates.over(goodAtMs)
      if (over !== null) yaml.complain([...path, 'cert'], over, 'renew it: the file is taken up without a restart')
    } catch (why) {
      const hint = 'cert: PEM, the certificate first and those between it and its authority; key: its PEM'
      yaml.complain(path, (why as Error).message, hint)
    }
  }
  config.listeners.forEach(({ tls }, i) => {
    demand(tls, ['listeners', i, 'tls'])
  })
  demand(config.admin?.tls ?? null, ['admin', 'tls'])
  if (yaml.problems.length > 0) throw new InvalidFileError(yaml.sorted())
}

export class ListenerCertificates {
  readonly #log: Log
  readonly #of = new Map<string, Certificates>()
  readonly #timer: NodeJS.Timeout

  /** @throws when one cannot be used */
  constructor(listeners: readonly ListenerConfig[], log: Log) {
    this.#log = log
    try {
      for (const listener of listeners) this.#open(listener)
    } catch (why) {
      for (const certificates of this.#of.values()) certificates.stop()
      throw why
    }
    this.#timer = setInterval(() => this.#sayDeadlines(), DAY_MS)
    this.#timer.unref()
    this.#sayDeadlines()
  }

  /** When each ends, in epoch ms, by listener. */
  get ends(): ReadonlyMap<string, number> {
    return new Map([...this.#of].map(([name, certificates]) => [name, certificates.facts.validToMs]))
  }

  stop(): void {
    clearInterval(this.#timer)
    for (const certificates of this.#of.values()) certificates.stop()
  }

  #open(listener: ListenerConfig): void {
    const { name, tls } = listener
    if (tls === null) return
    try {
      const certificates = new Certificates(tls, problem => this.#changed(listener, problem))
      this.#of.set(name, certificates)
      this.#sayUncovered(listener, certificates)
    } catch (why) {
      throw new Error(`listener ${name}, tls: ${(why as Error).message}`)
    }
  }

  #changed(listener: ListenerConfig, problem: string | null): void {
    const { name } = listener
    if (problem !== null) {
      this.#log.error({ listener: name, problem }, 'certificate of a listener cannot be used: the one before stays')
      return
    }
    const certificates = this.#of.get(name)!
    this.#log.info({ listener: name, subject: certificates.facts.subject }, 'certificate of a listener replaced')
    this.#sayUncovered(listener, certificates)
    this.#sayDeadline(name, certificates)
  }

  #sayDeadlines(): void {
    for (const [name, certificates] of this.#of) this.#sayDeadline(name, certificates)
  }

  #sayDeadline(listener: string, certificates: Certificates): void {
    const nowMs = Date.now()
    const problem = certificates.deadline(nowMs)
    if (problem === null) return
    const ended = nowMs >= certificates.facts.validToMs
    this.#log[ended ? 'error' : 'warn']({ listener, problem }, 'certificate of a listener')
  }

  #sayUncovered(listener: ListenerConfig, certificates: Certificates): void {
    const names = certificates.uncovered(toldNames(listener))
    if (names.length > 0)
      this.#log.warn({ listener: listener.name, names }, 'certificate of a listener does not cover what clients are told')
  }
}
