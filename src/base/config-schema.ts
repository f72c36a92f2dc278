// The shape of topicgate.yaml: every key that may stand in it, and the form of its value; defaults and what must fit together are in config.ts.

import { z } from 'zod'
import { adminFields } from './config-admin.ts'
import { clusterFields } from './config-cluster.ts'
import { listenerFields } from './config-listener.ts'
import { DURATION, SIZE } from './units.ts'

const text = z.string().min(1)
const list = <T extends z.ZodType>(item: T) => z.union([item, z.array(item).min(1)])
const Address = z.string().regex(/^(\[[0-9A-Fa-f:.]+\]|[^\s:/[\]]+):\d{1,5}$/, 'is not an address | write host:port, or [::1]:port')
const Duration = z.string().regex(DURATION, 'is not a duration | write 250ms, 10s, 5m or 1h')
const Size = z.string().regex(SIZE, 'is not a size | write 64KiB, 100MiB or 1GiB')
const Word = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'is not a plain name | letters, digits, . _ and -, at most 63')
const Url = z.string().regex(/^https?:\/\/[^\s/]+/, 'is not a URL | write https://…')

const Cluster = z.strictObject({ name: Word, bootstrap: list(Address), ...clusterFields })

const Listener = z.strictObject({ name: Word, bind: Address, ...listenerFields })

const Issuer = z.strictObject({
  alias: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'is not an alias | 1 to 32 of a-z, 0-9 and -'),
  issuer: Url,
  audience: list(text),
  kind: z.enum(['keycloak', 'oidc']).optional(),
  principal: z.strictObject({ user: text.optional(), service: text.optional() }).optional(),
  acceptReuse: z.boolean().optional(),
  acceptBound: z.boolean().optional(),
  allowHttp: z.boolean().optional(),
  jwks: Url.optional(),
  refresh: Duration.optional(),
  maxStale: Duration.optional(),
  groups: text.optional(),
  roles: z.strictObject({ realm: text.optional(), clients: z.record(text, text).optional() }).optional(),
  organizations: z
    .strictObject({
      claim: text.optional(),
      roles: z
        .record(
          text,
          z.strictObject({ group: z.string().regex(/^\/.*\{org\}/, 'is not a group path with {org} in it | write /orgs/{org}/auditors') }),
        )
        .optional(),
    })
    .optional(),
})

const Authorizer = z.strictObject({
  engine: z.enum(['embedded', 'openfga']).optional(),
  openfga: z
    .strictObject({
      url: Url,
      store: text,
      model: text.optional(),
      token: z.string().optional(),
      objects: z.enum(['auto', 'always', 'never']).optional(),
      apply: z.enum(['manual', 'auto']).optional(),
    })
    .optional(),
  cache: z
    .strictObject({
      grants: Duration.optional(),
      objects: Duration.optional(),
      maxStale: Duration.optional(),
      entries: z.int().min(100).max(10_000_000).optional(),
    })
    .optional(),
})

export const ConfigSchema = z.strictObject({
  version: z.literal(1),
  cluster: Cluster,
  listeners: z.array(Listener).min(1),
  issuers: z.array(Issuer).min(1),
  authorizer: Authorizer.optional(),
  policy: text.optional(),
  audit: z
    .strictObject({
      to: list(z.string().regex(/^(stdout|file:.+|kafka:.+)$/, 'is not a place for audit lines | write stdout or file:PATH')).optional(),
      allows: z.enum(['none', 'sampled']).optional(),
    })
    .optional(),
  health: z.strictObject({ bind: Address }).optional(),
  admin: z.strictObject({ bind: Address, ...adminFields }).optional(),
  limits: z
    .strictObject({
      connections: z.int().min(1).max(1_000_000).optional(),
      requestBytes: Size.optional(),
      heldBytes: Size.optional(),
      loginTime: Duration.optional(),
      sessionMax: Duration.optional(),
      inFlight: z.int().min(1).max(10_000).optional(),
      idle: Duration.optional(),
    })
    .optional(),
  workers: z.union([z.literal('auto'), z.int().min(1).max(256)]).optional(),
})

export type ConfigText = z.infer<typeof ConfigSchema>
export type ListenerText = z.infer<typeof Listener>
export type IssuerText = z.infer<typeof Issuer>
