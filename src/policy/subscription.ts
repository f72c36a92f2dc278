// One subscription: principal X consumes topic T with group G for organization O until D; and the tuples that say so in the store.

import { Resource } from './authorizer.ts'
import { decode, encode, nameObject, parseUser } from './encode.ts'
import type { Tuple } from './grant-tuples.ts'
import { tuplesOf } from './grant-tuples.ts'
import type { Turn } from './ledger.ts'
import { turnUser } from './ledger.ts'
import { orgObject, userOf, userSubject } from './memberships.ts'
import { VERBS } from './operations.ts'
import { ALWAYS } from './policy-document.ts'

/** A person or program, as `Principal` names it. */
export interface Party {
  readonly type: 'user' | 'service'
  /** Alias of the issuer. */
  readonly issuer: string
  readonly name: string
}

/** One thing that was done with a subscription. */
export interface Step {
  readonly at: string
  readonly did: 'requested' | 'approved' | 'extended' | 'revoked'
  /** Id of the principal. */
  readonly by: string
  /** Who acted in his name. */
  readonly actor?: string
  /** The end from then on. */
  readonly until?: string
  readonly why?: string
}

export interface Subscription {
  /** A ULID in small letters. */
  readonly id: string
  readonly stage: 'requested' | 'approved' | 'revoked'
  readonly subscriber: Party
  readonly requester: Party
  readonly org: { readonly issuer: string; readonly alias: string }
  readonly topic: string
  readonly group: string
  readonly untilMs: number
  /** How many grants it has had: one by its approval, one by each extension. */
  readonly grants: number
  readonly history: readonly Step[]
}

export const SUBSCRIPTION_ID = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/

export const partyId = ({ type, issuer, name }: Party): string => `${type}:${issuer}/${name}`

export const subscriptionObject = (cluster: string, id: string): string => `subscription:${encode(cluster)}/${id}`

/** Its grant after so many; ids that begin so are no policy file's. */
export const grantIdOf = (id: string, grants: number): string => `sub-${id}${grants > 1 ? `.${grants}` : ''}`

export type Stage = Subscription['stage'] | 'ended'

/** Nothing comes after its end but that it may be revoked, too. */
export const stageAt = ({ stage, untilMs }: Subscription, nowMs: number): Stage =>
  stage !== 'revoked' && nowMs >= untilMs ? 'ended' : stage

/** By which it is found as one of its consumer group's; it goes when it is over. */
export const groupTuple = (one: Subscription, cluster: string): Tuple => ({
  user: nameObject(cluster, Resource.Group, one.group),
  relation: 'group_id',
  object: subscriptionObject(cluster, one.id),
})

/** What is written of it at first, and does not change. */
export function factTuples(one: Subscription, cluster: string): Tuple[] {
  const object = subscriptionObject(cluster, one.id)
  return [
    { user: orgObject(one.org.issuer, one.org.alias), relation: 'org', object },
    { user: nameObject(cluster, Resource.Topic, one.topic), relation: 'topic', object },
    groupTuple(one, cluster),
    { user: userOf(one.subscriber), relation: 'subscriber', object },
    { user: userOf(one.requester), relation: 'requester', object },
  ]
}

/** Where it stands, as the turn that brought it there says. */
export function stateTuple(one: Subscription, cluster: string, turn: Turn): Tuple {
  const { stage, untilMs, grants, topic, group, history } = one
  const context = { stage, until: iso(untilMs), grants, topic, group, history: history.map(step => JSON.stringify(step)) }
  return {
    user: turnUser(turn),
    relation: 'state',
    object: subscriptionObject(cluster, one.id),
    condition: { name: 'stands', context },
  }
}

/** What its grant after so many says: the subscriber reads the topic with the group, until the end. */
export function grantTuplesOf(one: Subscription, cluster: string, grants = one.grants): Tuple[] {
  const covers = [
    { resource: Resource.Topic, prefix: false, text: one.topic, operations: VERBS.consume.topics },
    { resource: Resource.Group, prefix: false, text: one.group, operations: VERBS.consume.consumerGroups },
  ]
  const { type, issuer, name } = one.subscriber
  const grant = { id: grantIdOf(one.id, grants), to: [{ kind: type, issuer, name }], covers, ...ALWAYS, untilMs: one.untilMs }
  return tuplesOf([{ ...grant, why: null, owner: null, place: { file: '', line: 0 } }], cluster)
}

/** Null: these tuples are no whole subscription. */
export function subscriptionOf(id: string, tuples: readonly Tuple[]): Subscription | null {
  const userBy = (relation: string): string => tuples.find(tuple => tuple.relation === relation)?.user ?? ''
  const context = tuples.find(({ relation }) => relation === 'state')?.condition?.context as Record<string, any> | undefined
  const [subscriber, requester] = [partyOf(userBy('subscriber')), partyOf(userBy('requester'))]
  const org = namesIn(userBy('org'))
  if (context === undefined || subscriber === null || requester === null || org === null) return null
  return {
    id,
    stage: context['stage'],
    subscriber,
    requester,
    org: { issuer: org[0], alias: org[1] },
    topic: context['topic'],
    group: context['group'],
    untilMs: Date.parse(context['until']),
    grants: context['grants'],
    history: context['history'].map((text: string) => JSON.parse(text) as Step),
  }
}

function partyOf(user: string): Party | null {
  const subject = userSubject(user)
  return subject?.kind === 'user' || subject?.kind === 'service' ? { type: subject.kind, issuer: subject.issuer, name: subject.name } : null
}

/** The issuer and the name in an object's id. */
function namesIn(object: string): readonly [string, string] | null {
  const [issuer, name] = parseUser(object)
    .id.split('/')
    .map(part => decode(part)?.toString())
  return issuer === undefined || name === undefined ? null : [issuer, name]
}

export const iso = (ms: number): string => new Date(ms).toISOString()
