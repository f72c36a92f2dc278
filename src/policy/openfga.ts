// The OpenFGA engine in a worker: what each principal was given is asked of main and kept; coverage comes as a snapshot.

import type { Principal } from '../auth/principal.ts'
import type { Clock } from '../base/clock.ts'
import { clock as readClock } from '../base/clock.ts'
import type { AclView } from './acl-bindings.ts'
import { aclPrincipal, KeptAcls } from './acl-bindings.ts'
import type { Authorizer, Origin, Rights } from './authorizer.ts'
import { nameObject } from './encode.ts'
import type { EvaluatorOptions } from './evaluator.ts'
import { Evaluator } from './evaluator.ts'
import type { Given, Giver } from './given.ts'
import type { Kept, KeptQuestion } from './kept.ts'
import { userOf, userSubject, whoOf } from './memberships.ts'
import { OpenFgaGiven } from './openfga-given.ts'
import type { Answer, EngineMessage, GranteesAnswer, Question } from './openfga-questions.ts'
import type { Coverage, Judged, PolicyDocument } from './policy-document.ts'
import type { Snapshot } from './store-state.ts'
import { ownTopicsOf } from './writable.ts'

/** A question to the engine in main; rejects when the store does not answer. */
export type Ask = (question: Question) => Promise<Answer>

export interface OpenFgaOptions extends EvaluatorOptions {
  readonly cluster: string
  /** How long an answer is used after its life while no other comes. */
  readonly maxStaleMs: number
}

export class OpenFga implements Authorizer {
  readonly engine = 'openfga'
  readonly #giver: StoreGiver
  readonly #evaluator: Evaluator
  #document: PolicyDocument
  /** As last asked, until something changes; null: not asked. */
  #grantees: GranteesAnswer | null = null
  readonly #kept = new KeptAcls()
  readonly acls: AclView

  /** @param snapshot null: the store has not answered yet, and nothing is decided */
  constructor(document: PolicyDocument, snapshot: Snapshot | null, ask: Ask, options: OpenFgaOptions) {
    this.#document = document
    const catchUp = async (): Promise<void> => this.#take((await ask({ kind: 'snapshot' })) as Snapshot)
    this.#giver = new StoreGiver(snapshot, ask, catchUp, options)
    this.#evaluator = new Evaluator(judged(document, snapshot), this.#giver, options)
    this.acls = { bindings: () => this.#bindings(), learn: () => this.#learnGrantees(ask) }
  }

  get generation(): number {
    return this.#evaluator.generation
  }

  rights(principal: Principal, origin: Origin): Rights {
    return this.#evaluator.rights(principal, origin)
  }

  /** Judges by another document's rules and shadows from the next check on. */
  replace(document: PolicyDocument): void {
    this.#document = document
    this.#kept.drop()
    this.#evaluator.replace(judged(document, this.#giver.snapshot))
  }

  /** Takes in what the engine in main says. */
  receive(message: EngineMessage): void {
    this.#grantees = null
    if (message.kind === 'drop') this.#giver.drop(message.users)
    else this.#take(message.snapshot)
  }

  /** What is kept of a principal, as each kind of token and place that the policy can tell apart; nobody is asked. */
  kept({ principal, resource, name }: KeptQuestion): Kept[] {
    const object = nameObject(this.#giver.cluster, resource, name)
    return this.#evaluator.keptOf(principal).flatMap(({ given, asker }) => {
      const answers = (given as OpenFgaGiven).kept(object)
      if (answers.given === null && answers.named === null) return []
      const { groups, realmRoles, clientRoles, organizations } = asker.principal
      const address = this.#giver.originKey(asker) || null
      return [{ address, memberships: { groups, realmRoles, clientRoles, organizations }, ...answers }]
    })
  }

  /** What relationships beside grants give, or take, is not among them. */
  #bindings(): ReturnType<AclView['bindings']> {
    const { snapshot, clock } = this.#giver
    const grantees = this.#grantees
    if (snapshot === null || grantees === null) return null
    const principalOf = (user: string): string => {
      const subject = userSubject(user)
      return subject === null ? user : aclPrincipal(subject)
    }
    const granteesOf = ({ id }: Coverage) => grantees.get(id)?.map(principalOf) ?? null
    return this.#kept.of(() => judged(this.#document, snapshot), granteesOf, clock.nowMs)
  }

  async #learnGrantees(ask: Ask): Promise<void> {
    this.#grantees = await (ask({ kind: 'grantees' }) as Promise<GranteesAnswer>).catch(() => null)
    this.#kept.drop()
  }

  #take(snapshot: Snapshot): void {
    if (snapshot.version <= (this.#giver.snapshot?.version ?? 0)) return
    this.#giver.take(snapshot)
    this.#kept.drop()
    this.#evaluator.replace(judged(this.#document, snapshot))
  }
}

/** Grants are the store's; the file's own are not looked at. */
const judged = ({ generation, rules, shadows }: PolicyDocument, snapshot: Snapshot | null): Judged => ({
  generation,
  grants: snapshot?.coverage ?? [],
  rules,
  shadows,
})

class StoreGiver implements Giver {
  snapshot: Snapshot | null
  readonly ask: Ask
  readonly catchUp: () => Promise<void>
  readonly clock: Clock
  readonly cluster: string
  readonly maxStaleMs: number
  ownTopics: readonly Buffer[]
  readonly #byUser = new Map<string, Set<WeakRef<OpenFgaGiven>>>()
  readonly #gone = new FinalizationRegistry<{ user: string; ref: WeakRef<OpenFgaGiven> }>(({ user, ref }) => {
    const refs = this.#byUser.get(user)
    refs?.delete(ref)
    if (refs?.size === 0) this.#byUser.delete(user)
  })

  constructor(snapshot: Snapshot | null, ask: Ask, catchUp: () => Promise<void>, { clock, cluster, maxStaleMs }: OpenFgaOptions) {
    this.snapshot = snapshot
    this.ownTopics = ownTopicsOf(snapshot, cluster)
    this.ask = ask
    this.catchUp = catchUp
    this.clock = clock ?? readClock
    this.cluster = cluster
    this.maxStaleMs = maxStaleMs
  }

  given(principal: Principal, origin: Origin): Given {
    const who = whoOf(principal)
    const user = userOf(who)
    const given = new OpenFgaGiven(this, who, origin.address)
    const ref = new WeakRef(given)
    const refs = this.#byUser.get(user)
    if (refs === undefined) this.#byUser.set(user, new Set([ref]))
    else refs.add(ref)
    this.#gone.register(given, { user, ref })
    return given
  }

  /** What an answer may hang on beside the principal. */
  originKey({ address }: Origin): string {
    return this.snapshot?.readsAddress ? address : ''
  }

  drop(users: readonly string[] | null): void {
    for (const given of this.#known(users)) given.drop()
  }

  take(snapshot: Snapshot): void {
    this.snapshot = snapshot
    this.ownTopics = ownTopicsOf(snapshot, this.cluster)
    for (const given of this.#known(null)) given.dropNames()
  }

  *#known(users: readonly string[] | null): Generator<OpenFgaGiven> {
    for (const user of users ?? [...this.#byUser.keys()]) {
      for (const ref of this.#byUser.get(user) ?? []) {
        const given = ref.deref()
        if (given !== undefined) yield given
      }
    }
  }
}
