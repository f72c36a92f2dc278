// The routes of the admin API, each with what it takes and gives: the table that is served, and that its description is printed from.

import type { z } from 'zod'
import type { Principal } from '../auth/principal.ts'
import { Verdict } from '../policy/authorizer.ts'
import type { KeptQuestion } from '../policy/kept.ts'
import { resourceNamed } from '../policy/operations.ts'
import type { Party } from '../policy/subscription.ts'
import type { Subscriptions } from '../policy/subscriptions.ts'
import { KeptAnswer, KeptWanted } from './admin-kept.ts'
import { Answer, answerOf, Extension, Page, Reason, Request, Wanted } from './admin-shapes.ts'
import { AGAIN, Refused } from './refused.ts'

/** A request that is understood and means something that cannot be. */
export class Unprocessable extends Error {
  readonly pointer: string
  constructor(pointer: string, message: string) {
    super(message)
    this.name = 'Unprocessable'
    this.pointer = pointer
  }
}

export interface Asked {
  readonly caller: Principal
  /** @throws {Refused} while the store has not answered @throws {UnfitStoreError} when there are none */
  subscriptions(): Subscriptions
  /** By this gate's own policy, from where the caller is. */
  mayDescribeCluster(): Promise<Verdict>
  /** What this gate keeps, as `KeptAnswer` has it. */
  kept(question: KeptQuestion): Promise<object>
  /** Aliases of all issuers. */
  readonly issuers: readonly string[]
  /** '' where the path has none. */
  readonly id: string
  readonly nowMs: number
}

export interface Route {
  readonly method: 'GET' | 'POST'
  /** `{id}` stands for the id of a subscription. */
  readonly path: string
  /** Its name in the audit; what stands behind the dot is its name in the description. */
  readonly api: string
  readonly summary: string
  /** What the query string (GET) or the body (POST) must be; null: neither is looked at. */
  readonly input: z.ZodType | null
  readonly output: z.ZodType
  readonly status: 200 | 201
  run(asked: Asked, input: any): Promise<object>
}

export const ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/subscriptions',
    api: 'subscription.list',
    summary: 'Subscriptions that the caller asked for, has, or may approve, oldest first.',
    input: Wanted,
    output: Page,
    status: 200,
    async run({ caller, subscriptions, nowMs }, wanted: z.infer<typeof Wanted>) {
      const page = await subscriptions().list(caller, wanted)
      return { subscriptions: page.subscriptions.map(one => answerOf(one, nowMs)), next: page.next }
    },
  },
  {
    method: 'POST',
    path: '/v1/subscriptions',
    api: 'subscription.request',
    summary: 'Asks that a principal may consume a topic with a consumer group, for an organization, until a time.',
    input: Request,
    output: Answer,
    status: 201,
    async run(asked, body: z.infer<typeof Request>) {
      const { caller, subscriptions, nowMs } = asked
      const { org, topic, group, why } = body
      const issuer = body.issuer ?? caller.issuer
      if (!asked.issuers.includes(issuer)) throw new Unprocessable('/issuer', `no issuer has the alias ${issuer}`)
      const untilMs = laterThan(nowMs, body.until)
      const subscriber = body.subscriber === undefined ? partyOf(caller) : readParty(body.subscriber, issuer)
      return answerOf(await subscriptions().request(caller, { subscriber, org: { issuer, alias: org }, topic, group, untilMs, why }), nowMs)
    },
  },
  {
    method: 'GET',
    path: '/v1/subscriptions/{id}',
    api: 'subscription.get',
    summary: 'One subscription that the caller asked for, has, or may approve.',
    input: null,
    output: Answer,
    status: 200,
    run: async ({ caller, subscriptions, id, nowMs }) => answerOf(await subscriptions().get(caller, id), nowMs),
  },
  {
    method: 'POST',
    path: '/v1/subscriptions/{id}/approve',
    api: 'subscription.approve',
    summary: 'Approves what is requested: auditors and admins of its organization may, but never what is their own.',
    input: Reason,
    output: Answer,
    status: 200,
    run: async ({ caller, subscriptions, id, nowMs }, { why }: z.infer<typeof Reason>) =>
      answerOf(await subscriptions().approve(caller, id, why), nowMs),
  },
  {
    method: 'POST',
    path: '/v1/subscriptions/{id}/extend',
    api: 'subscription.extend',
    summary: 'Moves the end of an approved subscription to a later time: whoever may approve it may.',
    input: Extension,
    output: Answer,
    status: 200,
    run: async ({ caller, subscriptions, id, nowMs }, { until, why }: z.infer<typeof Extension>) =>
      answerOf(await subscriptions().extend(caller, id, laterThan(nowMs, until), why), nowMs),
  },
  {
    method: 'POST',
    path: '/v1/subscriptions/{id}/revoke',
    api: 'subscription.revoke',
    summary: 'Ends a subscription, or takes a request back: whoever may see it may.',
    input: Reason,
    output: Answer,
    status: 200,
    run: async ({ caller, subscriptions, id, nowMs }, { why }: z.infer<typeof Reason>) =>
      answerOf(await subscriptions().revoke(caller, id, why), nowMs),
  },
  {
    method: 'GET',
    path: '/v1/kept',
    api: 'gate.kept',
    summary: 'What this gate keeps of a principal now: anybody may ask about himself, and whoever may describe the cluster about others.',
    input: KeptWanted,
    output: KeptAnswer,
    status: 200,
    async run(asked, { principal, kind, name }: z.infer<typeof KeptWanted>) {
      const issuer = principal.slice(principal.indexOf(':') + 1, principal.indexOf('/'))
      if (!asked.issuers.includes(issuer)) throw new Unprocessable('/principal', `no issuer has the alias ${issuer}`)
      if (principal !== asked.caller.id) await demandDescribe(asked)
      return asked.kept({ principal, resource: resourceNamed(kind), name })
    },
  },
]

/** Routes that a path leads to, by method; and the id in it. */
export function routesAt(path: string): { readonly routes: readonly Route[]; readonly id: string } {
  const [, id] = /^\/v1\/subscriptions\/([0-9a-z]{26})(?:\/[a-z]+)?$/.exec(path) ?? []
  const plain = id === undefined ? path : path.replace(id, '{id}')
  return { routes: ROUTES.filter(route => route.path === plain), id: id ?? '' }
}

/** As Kafka demands it of who lists ACLs (AclApis.scala handleDescribeAcls). */
async function demandDescribe({ caller, mayDescribeCluster }: Asked): Promise<void> {
  const verdict = await mayDescribeCluster()
  if (verdict === Verdict.Undecided) throw new Refused(503, 'whether you may ask this cannot be decided now', AGAIN)
  if (verdict !== Verdict.Allowed) throw new Refused(403, `${caller.id} may not describe the cluster, as whoever asks about others must`)
}

const partyOf = ({ type, issuer, name }: Principal): Party => ({ type, issuer, name })

function readParty(text: string, issuer: string): Party {
  const colon = text.indexOf(':')
  return { type: text.slice(0, colon) as Party['type'], issuer, name: text.slice(colon + 1) }
}

/** Epoch ms. */
function laterThan(nowMs: number, until: string): number {
  const untilMs = Date.parse(until)
  if (untilMs <= nowMs) throw new Unprocessable('/until', `${until} has passed`)
  return untilMs
}
