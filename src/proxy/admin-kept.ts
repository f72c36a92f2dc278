// What the admin API tells of what a gate keeps: the shapes of the question and its answer.

import { z } from 'zod'
import type { Kept } from '../policy/kept.ts'
import type { KeptName } from '../policy/kept-names.ts'
import { KIND_NAMES, namesOf, OPERATION_NAMES } from '../policy/operations.ts'
import { iso } from '../policy/subscription.ts'
import { name } from './admin-shapes.ts'

export const KeptWanted = z.strictObject({
  principal: name(300)
    .regex(/^(user|service):[^/]+\/./, 'is not a principal: write service:<issuer>/<client id> or user:<issuer>/<sub>')
    .describe('as audit lines name principals: service:<issuer>/<client id>'),
  kind: z.enum(Object.values(KIND_NAMES)),
  name: name(255).describe('of the resource; kafka-cluster for the cluster'),
})

const Texts = z.array(z.string())
const Lists = z.record(z.string(), Texts)
const Operations = z.array(z.enum(OPERATION_NAMES))

export const KeptState = z.object({
  worker: z.int().describe('which thread keeps it'),
  address: z.string().nullable().describe('of the client, where what OpenFGA says hangs on it'),
  memberships: z
    .object({ groups: Texts, realmRoles: Texts, clientRoles: Lists, organizations: Lists })
    .describe('of the token that it was asked with'),
  given: z
    .object({
      grants: Texts.describe('ids'),
      roles: z.object({ cluster: Texts, namespaces: Lists }),
      endsAt: z.string(),
      stale: z.boolean().describe('it has ended, and counts by cache.maxStale until another answer comes'),
    })
    .nullable()
    .describe('what the principal was given; null: it would be asked'),
  resource: z
    .object({ blocked: z.boolean(), answered: Operations, allowed: Operations, undecided: Operations, endsAt: z.string() })
    .nullable()
    .describe('what OpenFGA said of this one resource; null: nothing is kept of it by itself'),
})

export const Store = z.object({
  connected: z.boolean(),
  lagMs: z.number().optional().describe('since changes were last read; missing: they never were'),
  failing: z.boolean().describe('it does not answer'),
})

export const KeptAnswer = z.object({
  engine: z.enum(['embedded', 'openfga']),
  policy: z.object({
    generation: z.int().describe('of the policy in force, counted by this process'),
    hash: z.string().describe('the first 12 digits of the SHA-256 of its files'),
    fresh: z.boolean().describe('false: the files hold what was refused'),
  }),
  store: Store.nullable().describe('null: the engine needs none'),
  kept: z.array(KeptState),
})

/** What a gate keeps, as the API gives it. */
export type KeptText = z.infer<typeof KeptAnswer>

export const keptState = (worker: number, { address, memberships, given, named }: Kept) => ({
  worker,
  address,
  memberships,
  given: given && { grants: given.grants, roles: given.roles, endsAt: iso(given.endsAtMs), stale: given.isStale },
  resource: named && resourceState(named),
})

const resourceState = ({ blocked, answered, allowed, undecided, endsAtMs }: KeptName) => ({
  blocked,
  answered: namesOf(answered),
  allowed: namesOf(allowed),
  undecided: namesOf(undecided & ~answered),
  endsAt: iso(endsAtMs),
})
