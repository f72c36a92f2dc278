// Keeps the grants of a store those of a policy: of several watchers one leads, its every write says so, and a dead one is replaced.

import { performance } from 'node:perf_hooks'
import type { Changes } from './apply.ts'
import { changesFor } from './apply.ts'
import type { Tuple } from './grant-tuples.ts'
import type { Turn } from './ledger.ts'
import { Ledger, TUPLES_A_TURN } from './ledger.ts'
import type { OpenFgaStore } from './openfga-client.ts'
import { WriteConflict } from './openfga-client.ts'
import type { PolicyDocument } from './policy-document.ts'
import type { StorePlan } from './store-plan.ts'
import { planOf } from './store-plan.ts'

/** What a watcher has to tell, when it is new. */
export type WatchEvent =
  | { readonly event: 'leading' }
  | { readonly event: 'following'; readonly leader: string }
  | { readonly event: 'applied'; readonly plan: StorePlan; readonly written: number; readonly deleted: number }
  /** Too much would go: nothing is changed while the policy and the store say so. */
  | { readonly event: 'withheld'; readonly plan: StorePlan }
  | { readonly event: 'failed'; readonly why: string }

export interface WatchSettings {
  readonly cluster: string
  /** Unlike any other watcher's; of letters, digits, `.`, `_` and `-`. */
  readonly name: string
  /** A leader whose turn has not moved for so long is taken to be dead. */
  readonly leaseMs: number
  /** How often the store is held against the policy when nothing has changed. */
  readonly everyMs: number
  /** Of what the grants in the store say, no more is taken away. */
  readonly maxRemovedPercent: number
  tell(event: WatchEvent): void
}

export class StoreWatch {
  readonly #store: OpenFgaStore
  readonly #settings: WatchSettings
  readonly #ledger: Ledger
  #document: PolicyDocument
  #turn: Turn | null = null
  #leading = false
  /** Since when the turn has not moved: by this process's clock alone, so that clocks need not agree. */
  #movedMs = performance.now()
  #plannedMs = Number.NEGATIVE_INFINITY
  /** What was told last, by kind: the same is not told twice. */
  readonly #told = new Map<string, string>()
  #stopped = false
  #wake: () => void = () => undefined
  #round: Promise<void> = Promise.resolve()

  constructor(store: OpenFgaStore, document: PolicyDocument, settings: WatchSettings) {
    this.#store = store
    this.#document = document
    this.#settings = settings
    this.#ledger = new Ledger(store, settings.cluster, 'policy')
  }

  /** Goes on until it is stopped. */
  start(): void {
    this.#round = this.#run()
  }

  /** Another policy is to be held against the store from now on. */
  replace(document: PolicyDocument): void {
    this.#document = document
    this.#plannedMs = Number.NEGATIVE_INFINITY
    this.#wake()
  }

  /** Ends what is under way at its next write, and lets another lead at once. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#wake()
    await this.#round
    if (this.#leading) await this.#ledger.write(this.#turn, [], []).catch(() => undefined)
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#step()
        this.#told.delete('failed')
      } catch (why) {
        if (!(why instanceof WriteConflict)) this.#tell({ event: 'failed', why: (why as Error).message })
      }
      await this.#pause()
    }
  }

  #pause(): Promise<void> {
    if (this.#stopped) return Promise.resolve()
    return new Promise(resolve => {
      const timer = setTimeout(resolve, this.#settings.leaseMs / 3)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async #step(): Promise<void> {
    if (!(await this.#lead()) || performance.now() - this.#plannedMs < this.#settings.everyMs) return
    const document = this.#document
    const plannedMs = performance.now()
    const changes = await this.#leadDuring(changesFor(this.#store.tuples(), document.grants, this.#settings.cluster))
    await this.#apply(changes)
    if (document === this.#document) this.#plannedMs = plannedMs
  }

  /** Moves the turn on, or finds out that another one does. */
  async #lead(): Promise<boolean> {
    const { name, leaseMs } = this.#settings
    const turn = await this.#ledger.turn()
    if (turn?.number !== this.#turn?.number || turn?.holder !== this.#turn?.holder) {
      this.#turn = turn
      this.#movedMs = performance.now()
    }
    const holder = turn?.holder ?? ''
    this.#leading = holder === name
    if (!this.#leading && holder !== '' && performance.now() - this.#movedMs < leaseMs) {
      this.#tell({ event: 'following', leader: holder })
      return false
    }
    const isNew = !this.#leading
    await this.#write([], [])
    if (isNew) this.#plannedMs = Number.NEGATIVE_INFINITY
    this.#leading = true
    this.#tell({ event: 'leading' })
    return true
  }

  /** A large store takes longer to read than a leader may be silent. */
  async #leadDuring<T>(work: Promise<T>): Promise<T> {
    const done = work.then(
      () => true,
      () => true,
    )
    while (!(await Promise.race([done, this.#pause().then(() => this.#stopped)]))) await this.#write([], [])
    this.#wake()
    return work
  }

  /** Takes away first; what another has changed meanwhile ends it, and the next step looks anew. */
  async #apply(changes: Changes): Promise<void> {
    const plan = planOf(changes)
    const { deletes, writes } = changes
    if (plan.removedShare * 100 <= this.#settings.maxRemovedPercent) this.#told.delete('withheld')
    if (deletes.length === 0 && writes.length === 0) return
    if (plan.removedShare * 100 > this.#settings.maxRemovedPercent) return this.#tell({ event: 'withheld', plan })
    for (const chunk of chunksOf(deletes)) await this.#write(chunk, [])
    for (const chunk of chunksOf(writes)) await this.#write([], chunk)
    this.#settings.tell({ event: 'applied', plan, written: writes.length, deleted: deletes.length })
  }

  async #write(deletes: readonly Tuple[], writes: readonly Tuple[]): Promise<void> {
    if (this.#stopped && deletes.length + writes.length > 0) throw new WriteConflict('the watch has ended')
    this.#turn = await this.#ledger.write(this.#turn, deletes, writes, this.#settings.name)
    this.#movedMs = performance.now()
  }

  #tell(event: WatchEvent): void {
    const kind = event.event === 'following' ? 'leading' : event.event
    const text = JSON.stringify(event)
    if (text === this.#told.get(kind)) return
    this.#told.set(kind, text)
    this.#settings.tell(event)
  }
}

function* chunksOf(tuples: readonly Tuple[]): Generator<readonly Tuple[]> {
  for (let at = 0; at < tuples.length; at += TUPLES_A_TURN) yield tuples.slice(at, at + TUPLES_A_TURN)
}
