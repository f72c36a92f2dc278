// What travels over the admin API: the shapes of questions and answers, which are also its description.

import { z } from 'zod'
import { grantIdOf, iso, partyId, type Stage, SUBSCRIPTION_ID, type Subscription, stageAt } from '../policy/subscription.ts'

/** Nothing that breaks or turns the line in which whoever approves reads it. */
const printable = /^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]+$/u
export const name = (max: number) => z.string().min(1).max(max).regex(printable, 'has control characters')
const Why = name(200).optional().describe('kept in the history, as a ticket or a reason')
const Until = z.iso
  .datetime({ offset: true, error: 'is not a time with an offset: write it as 2026-12-01T00:00:00+01:00, or with Z' })
  .describe('the end, with its offset from UTC')

export const Id = z.string().regex(SUBSCRIPTION_ID)
const STAGES = ['requested', 'approved', 'ended', 'revoked'] as const satisfies readonly Stage[]

export const Wanted = z.strictObject({
  stage: z.enum(STAGES).optional(),
  org: name(255).optional().describe('alias of an organization'),
  topic: name(249).optional(),
  after: Id.optional().describe('the id after which the page begins: `next` of the page before'),
  limit: z.coerce.number().int().min(1).max(100).default(50),
})

export const Request = z.strictObject({
  subscriber: name(264)
    .regex(/^(user|service):./, 'is not a principal: write service:<client id> or user:<sub>')
    .optional()
    .describe('who is to consume; default: the caller'),
  issuer: name(32).optional().describe("alias of the issuer whose names subscriber and org are; default: the caller's"),
  org: name(255).describe('alias of the organization whose auditors and admins may approve it'),
  topic: z.string().regex(/^[A-Za-z0-9._-]{1,249}$/, 'is not the name of a topic'),
  group: name(255).describe('the consumer group'),
  until: Until,
  why: Why,
})

export const Reason = z.strictObject({ why: Why })
export const Extension = z.strictObject({ until: Until, why: Why })

export const Step = z.object({
  at: z.string(),
  did: z.enum(['requested', 'approved', 'extended', 'revoked']),
  by: z.string(),
  actor: z.string().optional().describe('who acted in the name of `by`'),
  until: z.string().optional(),
  why: z.string().optional(),
})

export const Answer = z.object({
  id: z.string(),
  stage: z.enum(STAGES),
  subscriber: z.string().describe('as audit lines name principals: service:<issuer>/<client id>'),
  requester: z.string(),
  issuer: z.string().describe('alias of the issuer that knows the organization'),
  org: z.string(),
  topic: z.string(),
  group: z.string(),
  until: z.string(),
  grant: z.string().nullable().describe('id of the grant in decisions and in the audit; null: there is none'),
  history: z.array(Step).describe('who asked, approved, extended and revoked, and when'),
})

/** A subscription as the API gives it. */
export type AnswerText = z.infer<typeof Answer>

export const Page = z.object({ subscriptions: z.array(Answer), next: z.string().nullable().describe('null: this is the last page') })

/** RFC 9457. */
export const Problem = z.object({
  type: z.literal('about:blank'),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  errors: z
    .array(z.object({ pointer: z.string(), detail: z.string() }))
    .optional()
    .describe('what is wrong with which part of the body'),
})

export function answerOf(one: Subscription, nowMs: number): AnswerText {
  const stage = stageAt(one, nowMs)
  return {
    id: one.id,
    stage,
    subscriber: partyId(one.subscriber),
    requester: partyId(one.requester),
    issuer: one.org.issuer,
    org: one.org.alias,
    topic: one.topic,
    group: one.group,
    until: iso(one.untilMs),
    grant: stage === 'approved' ? grantIdOf(one.id, one.grants) : null,
    history: [...one.history],
  }
}
