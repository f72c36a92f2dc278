// The part of the OpenFGA engine that exists once a process: it reads the store, follows its changes and tells workers.

import { applyGrants, changesFor } from './apply.ts'
import { Feed } from './feed.ts'
import { userOf, whoOf } from './memberships.ts'
import { OpenFgaAnswers } from './openfga-answers.ts'
import { membershipTuples } from './openfga-asking.ts'
import type { Change } from './openfga-client.ts'
import { newestModel, OpenFgaStore } from './openfga-client.ts'
import {
  demandFit,
  FOR_SUBSCRIPTIONS,
  isShipped,
  isUnfit,
  missingRelations,
  takenBy,
  typesAside,
  UnfitStoreError,
} from './openfga-model.ts'
import type { Answer, EngineMessage, Question } from './openfga-questions.ts'
import type { PolicyDocument } from './policy-document.ts'
import type { Snapshot } from './store-state.ts'
import { StoreState } from './store-state.ts'
import { Subscriptions } from './subscriptions.ts'

export interface OpenFgaSettings {
  readonly cluster: string
  readonly url: string
  readonly store: string
  readonly model: string | null
  readonly token: string | null
  readonly objects: 'auto' | 'always' | 'never'
  readonly apply: 'manual' | 'auto'
  readonly grantsMs: number
  readonly objectsMs: number
  readonly entries: number
}

const QUESTION_MS = 500
/** For what no client waits for. */
const READ_MS = 5_000
const RETRY_MS = 1_000

export class OpenFgaEngine {
  readonly #settings: OpenFgaSettings
  readonly #tell: (message: EngineMessage) => Promise<void>
  readonly #state: StoreState
  readonly #answers: OpenFgaAnswers
  #document: PolicyDocument
  #feed: Feed | null = null
  #subscriptions: Subscriptions | null = null
  #unfit: UnfitStoreError | null = null
  #objects: OpenFgaSettings['objects']
  #model: string | null = null
  #snapshot: Snapshot | null = null
  #snapshotText = ''
  #lastError: string | null = null
  #stopped = false
  /** The last writing that nobody waits for. */
  #writing: Promise<void> = Promise.resolve()

  constructor(settings: OpenFgaSettings, document: PolicyDocument, tell: (message: EngineMessage) => Promise<void>) {
    this.#settings = settings
    this.#document = document
    this.#tell = tell
    this.#objects = settings.objects
    this.#state = new StoreState(settings.cluster)
    this.#answers = new OpenFgaAnswers(settings, this.#state, () => this.#snapshot!.version)
    this.#state.learn(document.grants)
  }

  /** Reads the store. While it does not answer nothing is decided, and it is tried again. @throws {UnfitStoreError} */
  async open(): Promise<void> {
    try {
      await this.#load()
    } catch (why) {
      if (why instanceof UnfitStoreError) throw why
      const text = why instanceof Error ? why.message : String(why)
      if (isUnfit(why)) throw new UnfitStoreError(`OpenFGA refuses: ${text}`)
      this.#lastError = text
      setTimeout(() => void this.#openAgain(), RETRY_MS).unref()
    }
  }

  async #openAgain(): Promise<void> {
    if (this.#stopped) return
    await this.open().catch((why: Error) => {
      this.#lastError = why.message
      setTimeout(() => void this.#openAgain(), RETRY_MS * 10).unref()
    })
  }

  async #load(): Promise<void> {
    const { store, settings } = { store: this.#settings.store, settings: this.#settings }
    this.#model = settings.model ?? (await newestModel(settings, store, READ_MS))
    const slow = new OpenFgaStore(settings, store, this.#model, READ_MS)
    const model = await slow.model()
    demandFit(model, this.#model)
    if (!isShipped(model)) this.#objects = 'always'
    this.#state.passOver(typesAside(model))
    const takes = takenBy(model)
    const missing = missingRelations(model, FOR_SUBSCRIPTIONS)
    if (missing.length > 0) this.#unfit = new UnfitStoreError(`the model ${this.#model} has no ${missing.join(', ')}`)
    else
      this.#subscriptions = new Subscriptions(slow, settings.cluster, who => membershipTuples(whoOf(who), userOf(who), this.#state, takes))
    const applied = this.#document
    if (settings.apply === 'auto') await applyGrants(slow, applied.grants, settings.cluster)
    const feed = new Feed(slow, changes => this.#take(changes))
    const all: Change[] = []
    for await (const tuple of slow.tuples()) all.push({ tuple, deleted: false })
    this.#state.apply(all)
    await feed.start()
    this.#feed = feed
    this.#answers.ready(new OpenFgaStore(settings, store, this.#model, QUESTION_MS), feed, this.#objects, takes)
    this.#lastError = null
    await this.#publish()
    if (this.#stopped) feed.stop()
    // A policy that came meanwhile was written by itself, in no order with this one.
    if (settings.apply === 'auto' && this.#document !== applied) void this.#mend(slow, this.#document)
  }

  /** Null: the store has not answered yet. @throws {UnfitStoreError} when its model does not know them */
  get subscriptions(): Subscriptions | null {
    if (this.#unfit !== null) throw this.#unfit
    return this.#answers.isReady ? this.#subscriptions : null
  }

  /** What a new worker begins with; null: the store has not answered yet. */
  initial(): Snapshot | null {
    return this.#snapshot
  }

  async replace(document: PolicyDocument): Promise<void> {
    this.#document = document
    this.#state.learn(document.grants)
    if (this.#settings.apply === 'auto' && this.#model !== null) await this.#bring(document)
    if (this.#answers.isReady) await this.#publish()
  }

  /**
   * What the store holds is known from its changes: to read it all could take longer than a right may outlive its grant.
   * But what was written in the last second, or without an answer, is not known yet, so afterwards it is read all the same.
   */
  async #bring(document: PolicyDocument): Promise<void> {
    const { cluster, store } = this.#settings
    const slow = new OpenFgaStore(this.#settings, store, this.#model!, READ_MS)
    await this.#writing
    if (!this.#answers.isReady) return void (await applyGrants(slow, document.grants, cluster))
    const { deletes, writes } = await changesFor(this.#state.grantTuples, document.grants, cluster)
    await slow.write(deletes, writes)
    await this.#take([...deletes.map(tuple => ({ tuple, deleted: true })), ...writes.map(tuple => ({ tuple, deleted: false }))])
    void this.#mend(slow, document)
  }

  /** Reads the store, and writes what is not as the policy has it: again, ever later, until it is done or the policy is another. */
  async #mend(store: OpenFgaStore, document: PolicyDocument): Promise<void> {
    for (let waitMs = RETRY_MS; !this.#stopped && this.#document === document; waitMs = Math.min(2 * waitMs, 30 * RETRY_MS)) {
      if (await this.#mendOnce(store, document).catch(() => false)) return
      await new Promise(resolve => setTimeout(resolve, waitMs).unref())
    }
  }

  async #mendOnce(store: OpenFgaStore, document: PolicyDocument): Promise<boolean> {
    const { deletes, writes } = await changesFor(store.tuples(), document.grants, this.#settings.cluster)
    if (this.#stopped || this.#document !== document) return true
    const writing = store.write(deletes, writes)
    this.#writing = writing.catch(() => undefined)
    await writing
    return true
  }

  status(): Record<string, unknown> {
    const { url, store } = this.#settings
    const feed = this.#feed === null ? { connected: false } : { connected: this.#feed.healthy, lagMs: this.#feed.lagMs }
    const { size: tuples, isWhole: whole, unreadable } = this.#state
    const error = this.#lastError
    return { url, store, model: this.#model, ...feed, ...this.#answers.status(), objects: this.#objects, tuples, whole, unreadable, error }
  }

  stop(): void {
    this.#stopped = true
    this.#feed?.stop()
  }

  /** @throws when the store does not answer in time */
  async ask(question: Question): Promise<Answer> {
    if (this.#snapshot === null) throw new Error('OpenFGA has not answered yet')
    if (question.kind === 'snapshot') return this.#snapshot
    if (question.kind === 'grantees') return this.#state.grantees()
    return question.kind === 'given' ? this.#answers.given(question) : this.#answers.names(question)
  }

  async #take(changes: readonly Change[]): Promise<void> {
    const reach = this.#state.apply(changes)
    this.#answers.drop(reach)
    if (!this.#answers.isReady) return
    const users = reach.users === null ? null : [...reach.users]
    const told: Promise<void>[] = []
    if (reach.snapshot) told.push(this.#publish())
    if (users === null || users.length > 0) told.push(this.#tell({ kind: 'drop', users }))
    await Promise.all(told)
  }

  async #publish(): Promise<void> {
    const snapshot = this.#state.snapshot(this.#objects)
    const text = JSON.stringify([snapshot, snapshot.objects === null ? null : [...snapshot.objects]])
    if (text === this.#snapshotText) return
    this.#snapshot = { ...snapshot, version: (this.#snapshot?.version ?? 0) + 1 }
    this.#snapshotText = text
    await this.#tell({ kind: 'snapshot', snapshot: this.#snapshot })
  }
}
