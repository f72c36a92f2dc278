// topicgate.yaml as one frozen, typed object: defaults filled in, references and limits checked, every complaint with its place.

import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parse } from 'yaml'
import type { Address } from './config-address.ts'
import type { AdminConfig } from './config-admin.ts'
import { CLUSTER_SECRETS, type ClusterConfig } from './config-cluster.ts'
import type { ListenerConfig } from './config-listener.ts'
import { ConfigReader } from './config-reader.ts'
import { ConfigSchema } from './config-schema.ts'
import { InvalidFileError, pathText } from './errors.ts'
import { YamlFile } from './yaml.ts'

export type { Address } from './config-address.ts'
export type { ListenerConfig, PortPlan } from './config-listener.ts'

export interface IssuerConfig {
  readonly alias: string
  readonly issuer: string
  readonly audience: readonly string[]
  readonly kind: 'keycloak' | 'oidc'
  readonly principal: { readonly user?: string | undefined; readonly service?: string | undefined } | undefined
  readonly acceptReuse: boolean
  readonly acceptBound: boolean
  readonly allowHttp: boolean
  readonly jwks: string | undefined
  readonly refreshMs: number | undefined
  readonly maxStaleMs: number | undefined
  readonly groups: string | undefined
  readonly roles: { readonly realm?: string | undefined; readonly clients?: Readonly<Record<string, string>> | undefined } | undefined
  readonly organizations:
    | { readonly claim: string; readonly roles?: Readonly<Record<string, { readonly group: string }>> | undefined }
    | undefined
}

export interface OpenFgaConfig {
  readonly url: string
  readonly store: string
  /** null: the store's newest. */
  readonly model: string | null
  readonly token: string | null
  readonly objects: 'auto' | 'always' | 'never'
  readonly apply: 'manual' | 'auto'
}

/** Plain data: it passes to worker threads as it is. */
export interface Config {
  readonly file: string
  readonly cluster: ClusterConfig
  readonly listeners: readonly ListenerConfig[]
  readonly issuers: readonly IssuerConfig[]
  readonly authorizer: {
    readonly engine: 'embedded' | 'openfga'
    readonly openfga: OpenFgaConfig | null
    readonly cache: { readonly grantsMs: number; readonly objectsMs: number; readonly maxStaleMs: number; readonly entries: number }
  }
  /** A file or a folder. */
  readonly policy: string
  /** It is not named, and need not be there: the store may stand alone. */
  readonly policyMayBeMissing: boolean
  readonly audit: {
    readonly to: readonly ({ readonly kind: 'stdout' } | { readonly kind: 'file'; readonly path: string })[]
    readonly allows: 'none' | 'sampled'
  }
  readonly health: { readonly bind: Address } | null
  readonly admin: AdminConfig | null
  readonly limits: {
    readonly connections: number
    readonly requestBytes: number
    readonly heldBytes: number
    readonly loginTimeMs: number
    readonly sessionMaxMs: number
    readonly inFlight: number
    readonly idleMs: number
  }
  readonly workers: number | 'auto'
}

/** Claims that name one person today and perhaps another tomorrow. */
export const REUSABLE_CLAIMS: readonly string[] = ['preferred_username', 'email', 'name', 'nickname', 'upn', 'unique_name', 'username']

const SECRETS = [...CLUSTER_SECRETS, 'authorizer.openfga.token']

/**
 * @param sets `a.b=c`, each in place of what the file says
 * @throws {InvalidFileError} with all problems
 */
export function loadConfig(file: string, sets: readonly string[] = [], env: NodeJS.ProcessEnv = process.env): Config {
  const folder = dirname(resolve(file))
  const yaml = new YamlFile(file, null, {
    env,
    readFile: path => readFileSync(resolve(folder, path), 'utf8'),
    isSecret: path => SECRETS.includes(pathText(path)),
  })
  for (const set of sets) override(yaml, set)
  const hasShape = yaml.check(ConfigSchema)
  const reader = new ConfigReader(yaml, folder)
  const config = hasShape || typeof yaml.value === 'object' ? reader.read() : null
  if (yaml.problems.length > 0 || config === null) throw new InvalidFileError(yaml.sorted())
  return freeze(config)
}

/** Complains, at its place in the configuration, of a policy that reads addresses which listeners do not vouch for. */
export function demandClientAddress(config: Config): void {
  if (config.listeners.every(({ clientAddress }) => clientAddress !== null)) return
  const yaml = new YamlFile(config.file)
  config.listeners.forEach(({ clientAddress }, i) => {
    if (clientAddress !== null) return
    yaml.complain(
      ['listeners', i, 'clientAddress'],
      'is missing, and the policy uses from',
      'clientAddress: direct if clients connect without a proxy in between, else { proxyProtocol: [its networks] }',
    )
  })
  throw new InvalidFileError(yaml.problems)
}

function override(yaml: YamlFile, set: string): void {
  const [, key, value] = /^([^=]+)=(.*)$/s.exec(set) ?? []
  if (key === undefined) {
    yaml.complainOf('--set', set, 'is not key=value', 'write --set cluster.name=test')
    return
  }
  const path = key
    .split(/[.[\]]+/)
    .filter(part => part !== '')
    .map(part => (/^\d+$/.test(part) ? Number(part) : part))
  let plain: unknown = value
  try {
    plain = parse(value!, { schema: 'core', merge: false })
  } catch {}
  yaml.override(path, plain)
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    Object.values(value).forEach(freeze)
  }
  return value
}
