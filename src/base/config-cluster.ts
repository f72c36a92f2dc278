// The cluster behind, as topicgate.yaml describes it: addresses, TLS and how the gate logs in at the brokers.

import { accessSync, constants } from 'node:fs'
import { resolve } from 'node:path'
import { z } from 'zod'
import { type Address, isLoopback, withoutBrackets } from './config-address.ts'
import type { Path } from './errors.ts'
import type { YamlFile } from './yaml.ts'

/** A password or the like; one that came from a file is read again when the file changes. */
export interface Secret {
  readonly value: string
  readonly file: string | null
}

export interface ClusterTls {
  /** Files; null: the certificate authorities of Node. */
  readonly ca: string | null
  readonly cert: string | null
  readonly key: string | null
  /** The name that brokers' certificates must carry, for all of them or by host; else it is the host that is dialled. */
  readonly serverName: string | null
  readonly serverNames: Readonly<Record<string, string>>
}

export interface PasswordSasl {
  readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
  readonly username: string
  readonly password: Secret
}
export interface OAuthSasl {
  readonly mechanism: 'OAUTHBEARER'
  /** The token endpoint, or null: by discovery from `issuer`. */
  readonly tokenUrl: string | null
  readonly issuer: string | null
  readonly clientId: string
  readonly clientSecret: Secret | null
  /** A PEM file for private_key_jwt, instead of a secret. */
  readonly privateKey: string | null
  readonly keyId: string | null
  readonly scope: string | null
  readonly audience: string | null
  /** SASL extensions, such as Confluent's logicalCluster and identityPoolId. */
  readonly extensions: Readonly<Record<string, string>>
}
export interface MskIamSasl {
  readonly mechanism: 'AWS_MSK_IAM'
  readonly region: string
  readonly role: string | null
  readonly profile: string | null
}
/** How the gate itself logs in. */
export type OwnSasl = PasswordSasl | OAuthSasl | MskIamSasl
export type BrokerSasl = OwnSasl | { readonly mechanism: 'PASSTHROUGH' }

export interface ClusterConfig {
  readonly name: string
  readonly bootstrap: readonly Address[]
  /** Hosts that may be dialled, `*` for any characters; null: whatever the cluster says. */
  readonly hosts: readonly string[] | null
  readonly tls: ClusterTls | null
  /** For the connections of clients; null: none is asked for. */
  readonly sasl: BrokerSasl | null
  /** For the gate's own connection. */
  readonly controlSasl: OwnSasl | null
  /** New connections to one broker, by the whole process. */
  readonly dialsPerSecond: number
  /** Connections of clients that may be open to one broker, by the whole process; null: no limit but `limits.connections`. */
  readonly connectionsPerBroker: number | null
  /** Clients may send their metrics to brokers (KIP-714). */
  readonly clientTelemetry: boolean
}

const text = z.string().min(1)
const Url = z.string().regex(/^https?:\/\/[^\s/]+/, 'is not a URL | write https://…')
const OWN_MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER', 'AWS_MSK_IAM'] as const
const saslFields = {
  username: text.optional(),
  password: z.string().optional(),
  tokenUrl: Url.optional(),
  issuer: Url.optional(),
  clientId: text.optional(),
  clientSecret: z.string().optional(),
  privateKey: text.optional(),
  keyId: text.optional(),
  scope: text.optional(),
  audience: text.optional(),
  extensions: z.record(z.string().regex(/^(?!auth$)[A-Za-z]+$/), z.string().regex(/^[\x20-\x7e\t\r\n]+$/)).optional(),
  region: text.optional(),
  role: text.optional(),
  profile: text.optional(),
}
const OwnSaslText = z.strictObject({ mechanism: z.enum(OWN_MECHANISMS), ...saslFields })
const SaslText = z.strictObject({ mechanism: z.enum([...OWN_MECHANISMS, 'PASSTHROUGH']), ...saslFields })

/** The shape of `cluster:`, without its name and bootstrap addresses. */
export const clusterFields = {
  hosts: z.union([text, z.array(text).min(1)]).optional(),
  tls: z
    .union([
      z.literal('off'),
      z.strictObject({
        ca: text.optional(),
        cert: text.optional(),
        key: text.optional(),
        serverName: z.union([text, z.record(text, text)]).optional(),
      }),
    ])
    .optional(),
  sasl: SaslText.optional(),
  control: z.strictObject({ sasl: OwnSaslText }).optional(),
  dialsPerSecond: z.int().min(1).max(100_000).optional(),
  connectionsPerBroker: z.int().min(1).max(1_000_000).optional(),
  clientTelemetry: z.boolean().optional(),
}

type SaslText = z.infer<typeof SaslText>
type TlsText = z.infer<typeof clusterFields.tls>
type ClusterText = { readonly [K in keyof typeof clusterFields]?: z.infer<(typeof clusterFields)[K]> }

/** Which keys must and may stand with which mechanism. */
const KEYS: Record<SaslText['mechanism'], { readonly needed: readonly string[]; readonly also: readonly string[] }> = {
  PLAIN: { needed: ['username', 'password'], also: [] },
  'SCRAM-SHA-256': { needed: ['username', 'password'], also: [] },
  'SCRAM-SHA-512': { needed: ['username', 'password'], also: [] },
  OAUTHBEARER: {
    needed: ['clientId'],
    also: ['tokenUrl', 'issuer', 'clientSecret', 'privateKey', 'keyId', 'scope', 'audience', 'extensions'],
  },
  PASSTHROUGH: { needed: [], also: [] },
  AWS_MSK_IAM: { needed: ['region'], also: ['role', 'profile'] },
}

/** Paths whose values may be neither empty nor have a default. */
export const CLUSTER_SECRETS: readonly string[] = ['cluster.sasl', 'cluster.control.sasl'].flatMap(path => [
  `${path}.password`,
  `${path}.clientSecret`,
])

/** Complains of what does not fit together, and fills in the rest. */
export class ClusterReader {
  readonly #yaml: YamlFile
  readonly #folder: string

  constructor(yaml: YamlFile, folder: string) {
    this.#yaml = yaml
    this.#folder = folder
  }

  read(cluster: ClusterText): Omit<ClusterConfig, 'name' | 'bootstrap'> {
    const { sasl, control } = cluster
    const tls = this.#tls(cluster.tls)
    const clear = cluster.tls === undefined && sasl !== undefined
    if (clear) {
      this.#yaml.complain(
        ['cluster', 'tls'],
        `is missing, and sasl: ${sasl.mechanism} would go over the network in the clear`,
        'tls: { ca: … }, or tls: off says that this is meant',
      )
    }
    if (sasl?.mechanism === 'PASSTHROUGH' && control === undefined) {
      this.#yaml.complain(
        ['cluster', 'control'],
        'is missing, and sasl: PASSTHROUGH gives the gate no login of its own',
        'control: { sasl: { mechanism: … } } is how the gate itself asks for brokers and topics',
      )
    }
    const forClients = sasl === undefined ? null : this.#sasl(sasl, ['cluster', 'sasl'])
    const own = control === undefined ? forClients : this.#sasl(control.sasl, ['cluster', 'control', 'sasl'])
    return {
      hosts: cluster.hosts === undefined ? null : [cluster.hosts].flat(),
      tls,
      sasl: forClients,
      controlSasl: own?.mechanism === 'PASSTHROUGH' ? null : own,
      dialsPerSecond: cluster.dialsPerSecond ?? 500,
      connectionsPerBroker: cluster.connectionsPerBroker ?? null,
      clientTelemetry: cluster.clientTelemetry ?? false,
    }
  }

  #tls(tls: TlsText): ClusterTls | null {
    if (tls === undefined || tls === 'off') return null
    if ((tls.cert === undefined) !== (tls.key === undefined))
      this.#yaml.complain(['cluster', 'tls'], 'has one of cert and key', 'a certificate of the gate needs its key')
    const { serverName } = tls
    return {
      ca: this.#file(tls.ca, ['cluster', 'tls', 'ca']),
      cert: this.#file(tls.cert, ['cluster', 'tls', 'cert']),
      key: this.#file(tls.key, ['cluster', 'tls', 'key']),
      serverName: typeof serverName === 'string' ? serverName : null,
      serverNames: typeof serverName === 'object' ? serverName : {},
    }
  }

  #sasl(sasl: SaslText, path: Path): BrokerSasl {
    this.#keysFit(sasl, path)
    switch (sasl.mechanism) {
      case 'PASSTHROUGH':
        return { mechanism: sasl.mechanism }
      case 'AWS_MSK_IAM':
        return { mechanism: sasl.mechanism, region: sasl.region ?? '', role: sasl.role ?? null, profile: sasl.profile ?? null }
      case 'OAUTHBEARER':
        return this.#oauth(sasl, path)
      default:
        return {
          mechanism: sasl.mechanism,
          username: sasl.username ?? '',
          password: this.#secret(sasl.password, [...path, 'password']),
        }
    }
  }

  #oauth(sasl: SaslText, path: Path): OAuthSasl {
    if (sasl.tokenUrl === undefined && sasl.issuer === undefined)
      this.#yaml.complain(path, 'has neither tokenUrl nor issuer', 'tokenUrl: the token endpoint; or issuer: it is found by discovery')
    for (const key of ['tokenUrl', 'issuer'] as const) {
      const url = sasl[key]
      if (url?.startsWith('http:') && URL.canParse(url) && !isLoopback(withoutBrackets(new URL(url).hostname)))
        this.#yaml.complain([...path, key], 'is http and not on a loopback address', 'a client secret goes there: use https')
    }
    if ((sasl.clientSecret === undefined) === (sasl.privateKey === undefined))
      this.#yaml.complain(path, 'needs one of clientSecret and privateKey', 'privateKey: a PEM file, for private_key_jwt')
    return {
      mechanism: 'OAUTHBEARER',
      tokenUrl: sasl.tokenUrl ?? null,
      issuer: sasl.issuer ?? null,
      clientId: sasl.clientId ?? '',
      clientSecret: sasl.clientSecret === undefined ? null : this.#secret(sasl.clientSecret, [...path, 'clientSecret']),
      privateKey: this.#file(sasl.privateKey, [...path, 'privateKey']),
      keyId: sasl.keyId ?? null,
      scope: sasl.scope ?? null,
      audience: sasl.audience ?? null,
      extensions: sasl.extensions ?? {},
    }
  }

  #keysFit(sasl: SaslText, path: Path): void {
    const { needed, also } = KEYS[sasl.mechanism]
    for (const key of needed) {
      if (sasl[key as keyof SaslText] === undefined) this.#yaml.complain(path, `has no ${key}, and ${sasl.mechanism} needs one`)
    }
    for (const key of Object.keys(sasl)) {
      if (key === 'mechanism' || needed.includes(key) || also.includes(key)) continue
      this.#yaml.complain([...path, key], `is not for ${sasl.mechanism}`, `known: ${[...needed, ...also].join(', ') || 'nothing else'}`)
    }
  }

  #secret(value: string | undefined, path: Path): Secret {
    if (value === '' && this.#yaml.isClean(path)) this.#yaml.complain(path, 'this secret is empty', 'an empty secret is never meant')
    const file = this.#yaml.fileOf(path)
    return { value: value ?? '', file: file === null ? null : resolve(this.#folder, file) }
  }

  #file(name: string | undefined, path: Path): string | null {
    if (name === undefined) return null
    const file = resolve(this.#folder, name)
    try {
      accessSync(file, constants.R_OK)
    } catch (why) {
      this.#yaml.complain(path, `cannot read ${name}`, (why as NodeJS.ErrnoException).code ?? null)
    }
    return file
  }
}
