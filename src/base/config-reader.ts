// From the text of topicgate.yaml to the configuration: defaults, references, ports and limits that must fit together.

import { resolve } from 'node:path'
import type { Config, IssuerConfig } from './config.ts'
import { type Address, isLoopback, isWildcard, readAddress } from './config-address.ts'
import { readAdmin } from './config-admin.ts'
import { ClusterReader } from './config-cluster.ts'
import { type ListenerConfig, ListenerReader } from './config-listener.ts'
import type { ConfigText, IssuerText, ListenerText } from './config-schema.ts'
import type { Path } from './errors.ts'
import { durationMs, sizeBytes } from './units.ts'
import type { YamlFile } from './yaml.ts'

/** Reads each part whose shape is right; what it returns counts only when nobody complained. */
export class ConfigReader {
  readonly #yaml: YamlFile
  readonly #text: ConfigText
  readonly #folder: string

  constructor(yaml: YamlFile, folder: string) {
    this.#yaml = yaml
    this.#text = yaml.value as ConfigText
    this.#folder = folder
  }

  read(): Config {
    const issuers = this.#list('issuers', (text: IssuerText, path) => this.#issuer(text, path))
    this.#unique('issuers', 'alias')
    const aliases = issuers.map(({ alias }) => alias)
    const reader = new ListenerReader(this.#yaml, this.#folder, aliases)
    const listeners = this.#list('listeners', (text: ListenerText, path) =>
      reader.read(text, this.#address(text.bind, [...path, 'bind']), path),
    )
    this.#unique('listeners', 'name')
    this.#portsApart(listeners)
    const authorizer = this.#authorizer()
    return {
      file: this.#yaml.file,
      cluster: this.#cluster(),
      listeners,
      issuers,
      authorizer,
      policy: resolve(this.#folder, this.#clean(['policy'], 'policy.yaml')),
      // A gate that brings the store to its file would take every grant away.
      policyMayBeMissing: this.#text.policy === undefined && authorizer.engine === 'openfga' && authorizer.openfga?.apply === 'manual',
      audit: this.#audit(),
      health:
        this.#text.health && this.#yaml.isClean(['health']) ? { bind: this.#address(this.#text.health.bind, ['health', 'bind']) } : null,
      admin: this.#admin(aliases),
      limits: this.#limits(),
      workers: this.#clean(['workers'], 'auto'),
    }
  }

  #cluster(): Config['cluster'] {
    const text = this.#section('cluster')
    if (text === null) {
      const none = {
        hosts: null,
        tls: null,
        sasl: null,
        controlSasl: null,
        dialsPerSecond: 1,
        connectionsPerBroker: null,
        clientTelemetry: false,
      }
      return { name: '', bootstrap: [], ...none }
    }
    const isList = Array.isArray(text.bootstrap)
    const bootstrap = [text.bootstrap].flat().map((address, i) => {
      const path = isList ? ['cluster', 'bootstrap', i] : ['cluster', 'bootstrap']
      const read = this.#address(address, path)
      if (read.port === 0) this.#yaml.complain(path, 'has port 0', 'a broker has a real port')
      return read
    })
    return { name: text.name, bootstrap, ...new ClusterReader(this.#yaml, this.#folder).read(text) }
  }

  #issuer(text: IssuerText, path: Path): IssuerConfig {
    const kind = text.kind ?? 'keycloak'
    if (kind === 'keycloak' && text.principal !== undefined)
      this.#yaml.complain([...path, 'principal'], 'is for kind: oidc', 'leave it out')
    for (const key of ['issuer', 'jwks'] as const) {
      const url = text[key]
      if (url === undefined) continue
      if (!URL.canParse(url)) this.#yaml.complain([...path, key], `${url} is not a URL`)
      else if (url.startsWith('http:') && text.allowHttp !== true && !isLoopback(new URL(url).hostname.replace(/^\[|\]$/g, ''))) {
        this.#yaml.complain(
          [...path, key],
          'is http and not on a loopback address',
          'use https, or say allowHttp: true if the network is trusted',
        )
      }
    }
    const { organizations } = text
    return {
      alias: text.alias,
      issuer: text.issuer,
      audience: [text.audience].flat(),
      kind,
      principal: text.principal ?? (kind === 'oidc' ? { user: 'sub', service: 'client_id' } : undefined),
      acceptReuse: text.acceptReuse ?? false,
      acceptBound: text.acceptBound ?? false,
      allowHttp: text.allowHttp ?? false,
      jwks: text.jwks,
      refreshMs: text.refresh === undefined ? undefined : durationMs(text.refresh),
      maxStaleMs: text.maxStale === undefined ? undefined : durationMs(text.maxStale),
      groups: text.groups,
      roles: text.roles,
      organizations: organizations && { claim: organizations.claim ?? 'organization', roles: organizations.roles },
    }
  }

  #authorizer(): Config['authorizer'] {
    const text = this.#section('authorizer')
    const engine = text?.engine ?? 'embedded'
    if (engine === 'openfga' && text?.openfga === undefined && this.#yaml.isClean(['authorizer'])) {
      this.#yaml.complain(['authorizer', 'openfga'], 'is missing, and engine is openfga', 'openfga: { url: …, store: … }')
    }
    const { openfga, cache } = text ?? {}
    if (openfga?.token === '')
      this.#yaml.complain(['authorizer', 'openfga', 'token'], 'this secret is empty', 'leave it out if the server asks for none')
    return {
      engine,
      openfga:
        openfga === undefined
          ? null
          : {
              url: openfga.url,
              store: openfga.store,
              model: openfga.model ?? null,
              token: openfga.token ?? null,
              objects: openfga.objects ?? 'auto',
              apply: openfga.apply ?? 'manual',
            },
      cache: {
        grantsMs: durationMs(cache?.grants ?? '30s'),
        objectsMs: durationMs(cache?.objects ?? '10s'),
        maxStaleMs: durationMs(cache?.maxStale ?? '0s'),
        entries: cache?.entries ?? 100_000,
      },
    }
  }

  #audit(): Config['audit'] {
    const text = this.#section('audit')
    const isList = Array.isArray(text?.to)
    const to = [text?.to ?? []].flat().map((place, i) => {
      if (place.startsWith('kafka:'))
        this.#yaml.complain(isList ? ['audit', 'to', i] : ['audit', 'to'], 'kafka: is not supported yet', 'stdout, or file:PATH')
      return place.startsWith('file:')
        ? ({ kind: 'file', path: resolve(this.#folder, place.slice(5)) } as const)
        : ({ kind: 'stdout' } as const)
    })
    return { to, allows: text?.allows ?? 'none' }
  }

  #admin(aliases: readonly string[]): Config['admin'] {
    const text = this.#section('admin')
    return text === null ? null : readAdmin(text, this.#address(text.bind, ['admin', 'bind']), aliases, this.#folder, this.#yaml)
  }

  #limits(): Config['limits'] {
    const text = this.#section('limits')
    const limits = {
      connections: text?.connections ?? 10_000,
      requestBytes: sizeBytes(text?.requestBytes ?? '100MiB'),
      heldBytes: sizeBytes(text?.heldBytes ?? '512MiB'),
      loginTimeMs: durationMs(text?.loginTime ?? '10s'),
      sessionMaxMs: durationMs(text?.sessionMax ?? '1h'),
      inFlight: text?.inFlight ?? 256,
      idleMs: durationMs(text?.idle ?? '9m'),
    }
    if (limits.heldBytes < 4 * limits.requestBytes) {
      this.#yaml.complain(['limits', 'heldBytes'], 'is less than four times requestBytes', 'a request of the largest size must find room')
    }
    if (limits.requestBytes < 1024 || limits.requestBytes > 2 ** 31 - 5)
      this.#yaml.complain(['limits', 'requestBytes'], 'must be 1KiB to 2GiB')
    return limits
  }

  /** No two listeners, and no listener and its brokers, may want one port of one address. */
  #portsApart(listeners: readonly ListenerConfig[]): void {
    const indexOf = (name: string) => this.#text.listeners.findIndex(text => text?.name === name)
    const spans = listeners.flatMap(({ bind, brokers, name }) => [
      ...(bind.port === 0 ? [] : [{ host: bind.host, from: bind.port, to: bind.port, name, path: ['listeners', indexOf(name), 'bind'] }]),
      ...(brokers === 'auto' || 'sni' in brokers
        ? []
        : [
            {
              host: bind.host,
              from: brokers.firstPort,
              to: brokers.lastPort,
              name,
              path: ['listeners', indexOf(name), 'brokers', 'ports'],
            },
          ]),
    ])
    spans.forEach((span, i) => {
      const other = spans
        .slice(0, i)
        .find(o => o.from <= span.to && span.from <= o.to && (o.host === span.host || isWildcard(o.host) || isWildcard(span.host)))
      if (other !== undefined)
        this.#yaml.complain(
          span.path,
          `ports ${span.from}-${span.to} meet ports ${other.from}-${other.to} of listener ${other.name}`,
          'keep them apart',
        )
    })
  }

  #unique(list: 'issuers' | 'listeners', key: 'alias' | 'name'): void {
    const items: unknown = this.#text[list]
    const values = Array.isArray(items) ? items.map(item => (item as Record<string, unknown> | null)?.[key]) : []
    values.forEach((value, i) => {
      if (typeof value === 'string' && values.indexOf(value) < i)
        this.#yaml.complain([list, i, key], `${value} stands twice`, `each ${key} stands once`)
    })
  }

  #address(text: string, path: Path): Address {
    const address = readAddress(text)
    if (address.port > 65535) this.#yaml.complain(path, `port ${address.port} does not exist`, 'ports are at most 65535')
    return address
  }

  #section<K extends 'cluster' | 'authorizer' | 'audit' | 'admin' | 'limits'>(key: K): NonNullable<ConfigText[K]> | null {
    return this.#yaml.isClean([key]) ? (this.#text[key] ?? null) : null
  }

  #clean<K extends 'policy' | 'workers'>(path: readonly [K], otherwise: NonNullable<ConfigText[K]>): NonNullable<ConfigText[K]> {
    return this.#yaml.isClean(path) ? ((this.#text[path[0]] as NonNullable<ConfigText[K]>) ?? otherwise) : otherwise
  }

  #list<T, R>(key: 'issuers' | 'listeners', read: (text: T, path: Path) => R): R[] {
    const items: unknown = this.#text[key]
    if (!Array.isArray(items)) return []
    return items.flatMap((item, i) => (this.#yaml.isClean([key, i]) ? [read(item as T, [key, i])] : []))
  }
}
