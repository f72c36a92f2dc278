// A listener, as topicgate.yaml describes it: where clients connect, what they are told, TLS, their addresses and who may log in.

import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { z } from 'zod'
import { type Address, isLoopback, isWildcard, withoutBrackets } from './config-address.ts'
import { meant, type Path } from './errors.ts'
import { parseBlock } from './networks.ts'
import type { YamlFile } from './yaml.ts'

/** Node id N at first port + N − firstNode, and told as first advertised port + N − firstNode; or any free port. */
export interface PortRange {
  readonly firstPort: number
  readonly lastPort: number
  readonly firstNode: number
  readonly firstAdvertised: number
}
export type PortPlan = PortRange | 'auto'

/** One TLS port for all brokers, told apart by the name that clients ask for; `{nodeId}` stands for the node's id. */
export interface NamePlan {
  readonly sni: string
}

export interface ListenerTls {
  /** Files. */
  readonly cert: string
  readonly key: string
  /** Who signs clients' certificates; null: none is asked for. */
  readonly clientCa: string | null
  readonly clientAuth: 'none' | 'optional' | 'required'
}

export interface ListenerConfig {
  readonly name: string
  readonly bind: Address
  readonly tls: ListenerTls | null
  readonly advertise: { readonly host: string; readonly port: number | null } | null
  readonly brokers: PortPlan | NamePlan
  /** Where a client's address is read from; null: not stated, then no policy may read it. */
  readonly clientAddress: 'direct' | { readonly proxyProtocol: readonly string[] } | null
  /** Aliases of the issuers that may log in here. */
  readonly issuers: readonly string[]
}

const text = z.string().min(1)
const RANGE = /^\d{1,5}-\d{1,5}$/

export const ListenerTlsText = z.union([
  z.literal('off'),
  z.strictObject({
    cert: text.optional(),
    key: text.optional(),
    clientCa: text.optional(),
    clientAuth: z.enum(['none', 'optional', 'required']).optional(),
  }),
])

/** The shape of an entry of `listeners:`, without its name and address. */
export const listenerFields = {
  tls: ListenerTlsText.optional(),
  advertise: z.strictObject({ host: text, port: z.int().min(1).max(65535).optional() }).optional(),
  brokers: z
    .strictObject({
      ports: z
        .string()
        .regex(/^(auto|\d{1,5}-\d{1,5})$/, 'is not a range of ports | write 9093-9192, or auto')
        .optional(),
      advertisedPorts: z.string().regex(RANGE, 'is not a range of ports | write 19093-19192').optional(),
      firstNode: z.int().min(0).optional(),
      sni: text.optional(),
    })
    .optional(),
  clientAddress: z.union([z.literal('direct'), z.strictObject({ proxyProtocol: z.array(text).min(1) })]).optional(),
  login: z
    .array(z.strictObject({ oauthbearer: z.array(text).min(1) }))
    .min(1)
    .optional(),
}

type ListenerText = { readonly name: string } & { readonly [K in keyof typeof listenerFields]?: z.infer<(typeof listenerFields)[K]> }

/** A host name; labels of 1 to 63 letters, digits and - (RFC 1123 §2.1). */
const HOST_NAME = /^(?=.{1,253}$)(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*$/

/** Complains of what does not fit together, and fills in the rest. */
export class ListenerReader {
  readonly #yaml: YamlFile
  readonly #folder: string
  readonly #aliases: readonly string[]

  /** @param aliases of the issuers that there are */
  constructor(yaml: YamlFile, folder: string, aliases: readonly string[]) {
    this.#yaml = yaml
    this.#folder = folder
    this.#aliases = aliases
  }

  read(listener: ListenerText, bind: Address, path: Path): ListenerConfig {
    const { name, advertise } = listener
    const tls = this.#tls(listener, bind, [...path, 'tls'])
    if (advertise === undefined && isWildcard(bind.host)) {
      this.#yaml.complain(
        [...path, 'advertise'],
        `is missing, and clients cannot connect to ${bind.host}`,
        'advertise: { host: … } is what clients are told',
      )
    }
    return {
      name,
      bind,
      tls,
      advertise: advertise ? { host: withoutBrackets(advertise.host), port: advertise.port ?? null } : null,
      brokers: listener.brokers?.sni === undefined ? this.#ports(listener, bind, [...path, 'brokers']) : this.#names(listener, path),
      clientAddress: this.#clientAddress(listener, [...path, 'clientAddress']),
      issuers: this.#login(listener, [...path, 'login']),
    }
  }

  #tls({ tls }: ListenerText, bind: Address, path: Path): ListenerTls | null {
    if (tls === 'off') return null
    if (tls === undefined) {
      if (!isLoopback(bind.host)) {
        const hint = 'tokens would travel in the clear: tls: { cert: …, key: … }; tls: off says that this is meant'
        this.#yaml.complain(path, `is missing, and ${bind.host} is not a loopback address`, hint)
      }
      return null
    }
    for (const key of ['cert', 'key'] as const) {
      if (tls[key] === undefined) this.#yaml.complain(path, `has no ${key}`, 'tls: { cert: gate.pem, key: gate.key }')
    }
    const clientAuth = tls.clientAuth ?? 'none'
    if (clientAuth !== 'none' && tls.clientCa === undefined)
      this.#yaml.complain([...path, 'clientAuth'], `is ${clientAuth}, and there is no clientCa`, 'clientCa: who signs the certificates')
    if (clientAuth === 'none' && tls.clientCa !== undefined)
      this.#yaml.complain([...path, 'clientCa'], 'is not used', 'clientAuth: optional, or required')
    const file = (name: string | undefined) => resolve(this.#folder, name ?? '')
    return { cert: file(tls.cert), key: file(tls.key), clientCa: tls.clientCa === undefined ? null : file(tls.clientCa), clientAuth }
  }

  #ports({ brokers }: ListenerText, bind: Address, path: Path): PortPlan {
    const { ports, advertisedPorts, firstNode = 0 } = brokers ?? {}
    const at = [...path, 'advertisedPorts']
    if (ports === 'auto' || (ports === undefined && bind.port === 0)) {
      if (advertisedPorts !== undefined) this.#yaml.complain(at, 'stands beside ports: auto', 'ports: a range of the same length')
      return 'auto'
    }
    const [firstPort, lastPort] =
      ports === undefined ? [bind.port + 1, Math.min(bind.port + 100, 65535)] : this.#range(ports, [...path, 'ports'])
    if (advertisedPorts === undefined) return { firstPort, lastPort, firstNode, firstAdvertised: firstPort }
    const [firstAdvertised, lastAdvertised] = this.#range(advertisedPorts, at)
    if (lastAdvertised - firstAdvertised !== lastPort - firstPort)
      this.#yaml.complain(at, `are not as many as ports ${firstPort}-${lastPort}`, 'each port has one that clients are told')
    return { firstPort, lastPort, firstNode, firstAdvertised }
  }

  #range(ports: string, path: Path): [first: number, last: number] {
    const [first, last] = ports.split('-').map(Number) as [number, number]
    if (first < 1 || last > 65535 || first > last)
      this.#yaml.complain(path, `${ports} is not a range of ports`, 'ports are 1 to 65535, the smaller first')
    return [first, last]
  }

  #names({ brokers, tls, advertise }: ListenerText, path: Path): NamePlan {
    const at = [...path, 'brokers', 'sni']
    const sni = brokers!.sni!
    for (const key of ['ports', 'advertisedPorts', 'firstNode'] as const) {
      if (brokers![key] !== undefined) this.#yaml.complain([...path, 'brokers', key], 'stands beside sni', 'one port serves all brokers')
    }
    const [before, after] = sni.split('{nodeId}') as [string, string | undefined]
    if (after === undefined || !HOST_NAME.test(`${before}2147483647${after}`)) {
      this.#yaml.complain(at, 'is not a host name with one {nodeId} in it', 'write b{nodeId}.gate.example.com')
    }
    if (tls === undefined || tls === 'off')
      this.#yaml.complain(at, 'needs tls', 'plain connections carry no server name: tls: { cert: …, key: … }')
    const host = advertise?.host
    if (host === undefined || isIP(withoutBrackets(host)) !== 0 || !HOST_NAME.test(host)) {
      const hint = 'advertise: { host: gate.example.com } is the name that clients bootstrap from'
      this.#yaml.complain(
        [...path, 'advertise'],
        host === undefined ? 'is missing, and brokers are told apart by name' : 'is no name',
        hint,
      )
    } else if (
      after !== undefined &&
      host.toLowerCase().startsWith(before.toLowerCase()) &&
      host.toLowerCase().endsWith(after.toLowerCase())
    ) {
      const middle = host.slice(before.length, host.length - after.length)
      if (/^\d+$/.test(middle)) this.#yaml.complain(at, `gives broker ${middle} the bootstrap name ${host}`, 'keep them apart')
    }
    return { sni }
  }

  #clientAddress({ clientAddress }: ListenerText, path: Path): ListenerConfig['clientAddress'] {
    if (clientAddress === undefined || clientAddress === 'direct') return clientAddress ?? null
    clientAddress.proxyProtocol.forEach((block, i) => {
      const read = parseBlock(block)
      if (typeof read === 'string') this.#yaml.complain([...path, 'proxyProtocol', i], read, 'write 10.0.1.0/24')
    })
    return { proxyProtocol: clientAddress.proxyProtocol }
  }

  #login({ login }: ListenerText, path: Path): readonly string[] {
    if (login === undefined) return this.#aliases
    login.forEach(({ oauthbearer }, i) => {
      oauthbearer.forEach((alias, j) => {
        if (!this.#aliases.includes(alias) && this.#yaml.isClean(['issuers']))
          this.#yaml.complain([...path, i, 'oauthbearer', j], `no issuer has the alias ${alias}`, meant(alias, this.#aliases))
      })
    })
    return [...new Set(login.flatMap(({ oauthbearer }) => oauthbearer))]
  }
}
