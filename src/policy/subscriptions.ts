// The way of a subscription through the store: requested, approved by auditors or admins of its organization, extended, revoked.

import type { Principal } from '../auth/principal.ts'
import { ulid } from '../base/ulid.ts'
import type { Tuple } from './grant-tuples.ts'
import { tupleKey } from './grant-tuples.ts'
import type { Turn } from './ledger.ts'
import { Ledger, turnAfter } from './ledger.ts'
import { orgObject, userOf } from './memberships.ts'
import type { OpenFgaStore } from './openfga-client.ts'
import { WriteConflict } from './openfga-client.ts'
import type { Party, Stage, Step, Subscription } from './subscription.ts'
import { factTuples, grantTuplesOf, groupTuple, iso, partyId, stageAt, stateTuple, subscriptionObject } from './subscription.ts'
import type { MembershipsOf, Standing, Stored } from './subscription-store.ts'
import { SubscriptionStore } from './subscription-store.ts'

/** Why nothing was done. */
export class NotDone extends Error {
  readonly kind: 'unknown' | 'forbidden' | 'conflict' | 'tooMany' | 'busy'
  constructor(kind: NotDone['kind'], message: string) {
    super(message)
    this.name = 'NotDone'
    this.kind = kind
  }
}

/** What somebody asks for. */
export type Wish = Pick<Subscription, 'subscriber' | 'org' | 'topic' | 'group' | 'untilMs'> & { readonly why?: string | undefined }

export interface Wanted {
  readonly stage?: Stage | undefined
  readonly org?: string | undefined
  readonly topic?: string | undefined
  /** The id after which to go on. */
  readonly after?: string | undefined
  readonly limit: number
}

/** Rounds that a write takes when others write, too. */
const TRIES = 6
/** Steps that are kept of one subscription. */
const STEPS_MAX = 50
/** Of what OpenFGA takes as one condition's context, 32 KiB: so much, and a revocation still fits. */
const HISTORY_BYTES = 24 * 1024
const REQUESTS_A_DAY = 200
const DAY_MS = 86_400_000
/** Subscriptions that one list looks at. */
const LOOKED_AT = 500
/** Subscriptions of one consumer group that stand: whoever asks for one more, or approves one, looks at them all. */
const GROUP_MAX = 500
/** Those that are over leave their group with the next request for it, so many at a time. */
const LEAVE_MAX = 50

type Change = { readonly next: Subscription; readonly deletes: readonly Tuple[]; readonly writes: readonly Tuple[] }

export class Subscriptions {
  readonly #stored: SubscriptionStore
  readonly #cluster: string
  readonly #now: () => number
  readonly #ledger: Ledger

  constructor(store: OpenFgaStore, cluster: string, memberships: MembershipsOf, now: () => number = Date.now) {
    this.#stored = new SubscriptionStore(store, cluster, memberships)
    this.#cluster = cluster
    this.#now = now
    this.#ledger = new Ledger(store, cluster, 'subscriptions')
  }

  /** Those that the caller asked for, has, or may approve, oldest first; `next` is where a further list begins. @throws {NotDone} */
  async list(caller: Principal, wanted: Wanted): Promise<{ readonly subscriptions: Subscription[]; readonly next: string | null }> {
    await this.#demandWelcome(caller)
    const ids = (await this.#stored.visibleTo(caller)).filter(id => id > (wanted.after ?? ''))
    const looked = ids.slice(0, LOOKED_AT)
    const found = (await this.#stored.readAll(looked)).filter(one => fits(one, wanted, this.#now()))
    const subscriptions = found.slice(0, wanted.limit)
    const more = found.length > wanted.limit ? subscriptions.at(-1)!.id : ids.length > looked.length ? looked.at(-1)! : null
    return { subscriptions, next: more }
  }

  /** @throws {NotDone} */
  async get(caller: Principal, id: string): Promise<Subscription> {
    return (await this.#see(caller, id)).stored.one
  }

  /** @throws {NotDone} when the same stands already */
  async request(caller: Principal, { why, ...wish }: Wish): Promise<Subscription> {
    await this.#demandWelcome(caller)
    return this.#inTurn(async turn => {
      const nowMs = this.#now()
      await this.#demandMeasure(caller, nowMs)
      await this.#demandOwned(wish)
      const others = await this.#stored.ofGroup(wish.group)
      const same = others.find(one => isSame(one, wish) && !isOver(one, nowMs))
      if (same !== undefined) {
        const own = [same.subscriber, same.requester].some(party => partyId(party) === caller.id)
        throw new NotDone('conflict', `the same is ${same.stage} already${own ? `: subscription ${same.id}` : ''}`)
      }
      this.#demandFree(others, wish, nowMs)
      const leaving = others.filter(one => isOver(one, nowMs - DAY_MS))
      this.#demandRoom(others.length - leaving.length, wish.group)
      const requester: Party = { type: caller.type, issuer: caller.issuer, name: caller.name }
      const history = [step(nowMs, 'requested', caller, why, wish.untilMs)]
      const next: Subscription = { ...wish, id: ulid(nowMs).toLowerCase(), stage: 'requested', requester, grants: 0, history }
      const writes = [...factTuples(next, this.#cluster), stateTuple(next, this.#cluster, turnAfter(turn))]
      return { next, deletes: leaving.slice(0, LEAVE_MAX).map(one => groupTuple(one, this.#cluster)), writes }
    })
  }

  /** @throws {NotDone} */
  approve(caller: Principal, id: string, why?: string): Promise<Subscription> {
    return this.#step(caller, id, async (one, mayApprove, nowMs) => {
      this.#demandApprover(caller, one, mayApprove)
      const stage = stageAt(one, nowMs)
      if (stage !== 'requested') throw new NotDone('conflict', `subscription ${id} is ${stage} already`)
      await this.#demandOwned(one)
      this.#demandFree(await this.#stored.ofGroup(one.group), one, nowMs)
      const next: Subscription = { ...one, stage: 'approved', grants: 1, history: [...one.history, step(nowMs, 'approved', caller, why)] }
      return { next, deletes: [], writes: [...grantTuplesOf(next, this.#cluster), this.#by('approved_by', caller, id)] }
    })
  }

  /** A later end, by a further grant: the one before stays to its own end, so that at no moment there is none. @throws {NotDone} */
  extend(caller: Principal, id: string, untilMs: number, why?: string): Promise<Subscription> {
    return this.#step(caller, id, async (one, mayApprove, nowMs) => {
      this.#demandApprover(caller, one, mayApprove)
      if (stageAt(one, nowMs) !== 'approved')
        throw new NotDone('conflict', `subscription ${id} is not in force: only one that is can be extended`)
      await this.#demandOwned(one)
      if (untilMs <= one.untilMs) throw new NotDone('conflict', `subscription ${id} does not end before ${iso(one.untilMs)}`)
      if (one.history.length >= STEPS_MAX || Buffer.byteLength(JSON.stringify(one.history)) > HISTORY_BYTES)
        throw new NotDone('conflict', `subscription ${id} was extended often enough: request a new one`)
      const history = [...one.history, step(nowMs, 'extended', caller, why, untilMs)]
      const next: Subscription = { ...one, untilMs, grants: one.grants + 1, history }
      const deletes = await this.#stored.grantTuples(one, one.grants - 1)
      return { next, deletes, writes: [...grantTuplesOf(next, this.#cluster), this.#by('approved_by', caller, id)] }
    })
  }

  /** Ends it: by who may approve, by its subscriber, or by who asked for it. @throws {NotDone} */
  revoke(caller: Principal, id: string, why?: string): Promise<Subscription> {
    return this.#step(caller, id, async (one, _mayApprove, nowMs) => {
      if (one.stage === 'revoked') throw new NotDone('conflict', `subscription ${id} is revoked already`)
      const next: Subscription = { ...one, stage: 'revoked', history: [...one.history, step(nowMs, 'revoked', caller, why)] }
      const deletes = [...(await this.#stored.grantTuples(one, one.grants - 1)), ...(await this.#stored.grantTuples(one, one.grants))]
      return { next, deletes, writes: [this.#by('revoked_by', caller, id)] }
    })
  }

  /** Looks and writes in one turn of the ledger: what was looked at still held when it was written. */
  async #inTurn(change: (turn: Turn | null) => Promise<Change>): Promise<Subscription> {
    for (let tries = 0; tries < TRIES; tries++) {
      const turn = await this.#ledger.turn()
      try {
        const { next, deletes, writes } = await change(turn)
        await this.#ledger.write(turn, deletes, writes)
        return next
      } catch (why) {
        if (!(why instanceof WriteConflict)) throw why
      }
    }
    throw new NotDone('busy', 'others write at the same time: try again')
  }

  #step(
    caller: Principal,
    id: string,
    change: (one: Subscription, mayApprove: boolean, nowMs: number) => Promise<Change>,
  ): Promise<Subscription> {
    return this.#inTurn(async turn => {
      const { stored, standing } = await this.#see(caller, id)
      const { next, deletes, writes } = await change(stored.one, standing.mayApprove, this.#now())
      const state = stored.tuples.filter(({ relation }) => relation === 'state')
      const written = stateTuple(next, this.#cluster, turnAfter(turn))
      if (state.some(({ user }) => user === written.user)) throw new WriteConflict(`${id} is of a later turn than was looked at`)
      const known = new Set(stored.tuples.map(tupleKey))
      const fresh = writes.filter(tuple => !known.has(tupleKey(tuple)))
      return { next, deletes: [...state, ...deletes], writes: [written, ...fresh] }
    })
  }

  /** What somebody may not see does not exist. */
  async #see(caller: Principal, id: string): Promise<{ readonly stored: Stored; readonly standing: Standing }> {
    const stored = await this.#stored.read(id)
    const standing = stored === null ? null : await this.#stored.standingOf(caller, stored.one)
    if (standing?.blocked) throw new NotDone('forbidden', `${caller.id} is blocked`)
    if (stored === null || !standing?.mayView) throw new NotDone('unknown', `there is no subscription ${id}`)
    return { stored, standing }
  }

  /** Nobody approves what is for himself, or what he asked for; nor in another's name. */
  #demandApprover(caller: Principal, { id, org, subscriber, requester }: Subscription, mayApprove: boolean): void {
    if (!mayApprove) throw new NotDone('forbidden', `only auditors and admins of ${org.alias} may approve subscription ${id}`)
    const own = [subscriber, requester].some(party => partyId(party) === caller.id)
    if (own) throw new NotDone('forbidden', `subscription ${id} is your own: somebody else must approve it`)
    if (caller.acting !== null) throw new NotDone('forbidden', `${caller.acting.by} acts for ${caller.id}: approvals are given in person`)
  }

  /** What lies in a namespace of an organization is not another's to give. */
  async #demandOwned({ org, topic, group }: Pick<Subscription, 'org' | 'topic' | 'group'>): Promise<void> {
    for (const name of new Set([topic, group])) {
      const owners = await this.#stored.orgsOf(name)
      if (owners.length > 0 && !owners.includes(orgObject(org.issuer, org.alias)))
        throw new NotDone('forbidden', `${name} lies in a namespace of another organization than ${org.alias}`)
    }
  }

  /** A group has one subscriber at a time. */
  #demandFree(others: readonly Subscription[], wish: Pick<Subscription, 'subscriber' | 'group'>, nowMs: number): void {
    const taken = others.some(one => stageAt(one, nowMs) === 'approved' && partyId(one.subscriber) !== partyId(wish.subscriber))
    if (taken) throw new NotDone('conflict', `consumer group ${wish.group} belongs to another subscriber`)
  }

  #demandRoom(stand: number, group: string): void {
    if (stand >= GROUP_MAX) throw new NotDone('conflict', `consumer group ${group} has ${stand} subscriptions already: revoke some of them`)
  }

  /** What somebody asked for within a day is bounded. */
  async #demandMeasure(caller: Principal, nowMs: number): Promise<void> {
    const recent = await this.#stored.requestedSince(caller, nowMs - DAY_MS)
    if (recent >= REQUESTS_A_DAY) throw new NotDone('tooMany', `${caller.id} has asked for ${recent} subscriptions within a day`)
  }

  async #demandWelcome(caller: Principal): Promise<void> {
    if (await this.#stored.isBlocked(caller)) throw new NotDone('forbidden', `${caller.id} is blocked`)
  }

  #by(relation: 'approved_by' | 'revoked_by', caller: Principal, id: string): Tuple {
    return { user: userOf(caller), relation, object: subscriptionObject(this.#cluster, id) }
  }
}

function step(atMs: number, did: Step['did'], caller: Principal, why: string | undefined, untilMs?: number): Step {
  return {
    at: iso(atMs),
    did,
    by: caller.id,
    ...(caller.acting !== null && { actor: caller.acting.by }),
    ...(untilMs !== undefined && { until: iso(untilMs) }),
    ...(why !== undefined && { why }),
  }
}

const isOver = (one: Subscription, nowMs: number): boolean => ['ended', 'revoked'].includes(stageAt(one, nowMs))

const isSame = (one: Subscription, wish: Wish): boolean =>
  one.topic === wish.topic && one.group === wish.group && partyId(one.subscriber) === partyId(wish.subscriber)

const fits = (one: Subscription, { stage, org, topic }: Wanted, nowMs: number): boolean =>
  (stage ?? stageAt(one, nowMs)) === stageAt(one, nowMs) && (org ?? one.org.alias) === one.org.alias && (topic ?? one.topic) === one.topic
