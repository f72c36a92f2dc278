// The admin API, as topicgate.yaml describes it: where it listens, by which names, and whose tokens it takes.

import { resolve } from 'node:path'
import { z } from 'zod'
import { type Address, isLoopback, isWildcard, withoutBrackets } from './config-address.ts'
import { type ListenerTls, ListenerTlsText } from './config-listener.ts'
import { meant, type Path } from './errors.ts'
import type { YamlFile } from './yaml.ts'

export interface AdminConfig {
  readonly bind: Address
  readonly tls: ListenerTls | null
  /** Names and addresses that a request may call it by, without the port. */
  readonly hosts: readonly string[]
  /** Aliases of the issuers whose tokens it takes. */
  readonly issuers: readonly string[]
  /** What a token's `scope` must hold. */
  readonly scope: string
}

const DEFAULT_SCOPE = 'topicgate-admin'
const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '::1']

const text = z.string().min(1)

/** The shape of `admin:`, without its address. */
export const adminFields = {
  tls: ListenerTlsText.optional(),
  hosts: z.array(text).min(1).optional(),
  auth: z.strictObject({ issuer: text, scope: z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'is not a scope | one word') }).optional(),
}

type AdminText = { readonly [K in keyof typeof adminFields]?: z.infer<(typeof adminFields)[K]> }

/** Complains of what does not fit together, and fills in the rest. @param aliases of the issuers that there are */
export function readAdmin(admin: AdminText, bind: Address, aliases: readonly string[], folder: string, yaml: YamlFile): AdminConfig {
  const complain = (path: Path, problem: string, hint: string): void => yaml.complain(['admin', ...path], problem, hint)
  const { tls, hosts, auth } = admin
  if (!isLoopback(bind.host)) {
    const far = `and ${bind.host} is not a loopback address`
    if (tls === undefined || tls === 'off') complain(['tls'], `is missing, ${far}`, 'tls: { cert: admin.pem, key: admin.key }')
    if (auth === undefined)
      complain(['auth'], `is missing, ${far}`, 'auth: { issuer: …, scope: … }: whose tokens are taken, and with which scope')
  }
  if (isWildcard(bind.host) && hosts === undefined)
    complain(
      ['hosts'],
      `is missing, and nobody calls it ${bind.host}`,
      'hosts: [admin.example.com]: the names that requests may call it by',
    )
  if (auth !== undefined && !aliases.includes(auth.issuer) && yaml.isClean(['issuers']))
    complain(['auth', 'issuer'], `no issuer has the alias ${auth.issuer}`, meant(auth.issuer, aliases))
  if (typeof tls === 'object') {
    for (const key of ['cert', 'key'] as const)
      if (tls[key] === undefined) complain(['tls'], `has no ${key}`, 'tls: { cert: admin.pem, key: admin.key }')
    for (const key of ['clientCa', 'clientAuth'] as const)
      if (tls[key] !== undefined) complain(['tls', key], 'says nothing here', 'callers show a token: leave it out')
  }
  const file = (name: string | undefined): string => resolve(folder, name ?? '')
  return {
    bind,
    tls: typeof tls === 'object' ? { cert: file(tls.cert), key: file(tls.key), clientCa: null, clientAuth: 'none' } : null,
    hosts: [...(isLoopback(bind.host) ? LOOPBACK_NAMES : [bind.host]), ...(hosts ?? []).map(withoutBrackets)],
    issuers: auth === undefined ? aliases : [auth.issuer],
    scope: auth?.scope ?? DEFAULT_SCOPE,
  }
}
