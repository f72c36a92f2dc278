// The feed of a store's changes: polled, and looked through again for what was committed late.

import type { Tuple } from './grant-tuples.ts'
import { tupleKey } from './grant-tuples.ts'
import type { Change, OpenFgaStore, StampedChange } from './openfga-client.ts'

const POLL_MS = 500
const JITTER_MS = 250
const RESCAN_MS = 12_000
const RESCAN_BACK_MS = 60_000
/** A feed that has been silent for so long is not to be relied on. */
const LAG_MS = 5_000
/** In one turn: nothing that was taken away waits for what is only doubtful. */
const LOOKED_UP_A_TURN = 20

export class Feed {
  #token: string | null = null
  #sinceMs: number
  #lastMs = Date.now()
  #rescanMs = Date.now() + RESCAN_MS
  #timer: NodeJS.Timeout | null = null
  #stopped = false
  #failures = 0
  /** What the last re-scan came upon. */
  #scanned: ReadonlySet<string> = new Set()
  /** Tuples of which it is not sure whether they stand, by their keys. */
  readonly #doubtful = new Map<string, Tuple>()
  readonly #store: Pick<OpenFgaStore, 'changes' | 'read'>
  readonly #take: (changes: readonly Change[]) => Promise<void>

  /** @param take called with changes in their order; some more than once */
  constructor(store: Pick<OpenFgaStore, 'changes' | 'read'>, take: (changes: readonly Change[]) => Promise<void>) {
    this.#store = store
    this.#take = take
    this.#sinceMs = Date.now() - RESCAN_BACK_MS
  }

  /** What was changed up to now has been taken in when this resolves. @throws when the store does not answer */
  async start(): Promise<void> {
    await this.#poll()
    this.#plan()
  }

  get healthy(): boolean {
    return Date.now() - this.#lastMs < LAG_MS
  }

  /** Since the last answer. */
  get lagMs(): number {
    return Date.now() - this.#lastMs
  }

  stop(): void {
    this.#stopped = true
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  #plan(): void {
    if (this.#stopped) return
    const backOffMs = Math.min(this.#failures, 4) * POLL_MS
    this.#timer = setTimeout(() => void this.#turn(), POLL_MS + Math.random() * JITTER_MS + backOffMs)
    this.#timer.unref()
  }

  async #turn(): Promise<void> {
    try {
      await this.#poll()
      if (Date.now() >= this.#rescanMs) await this.#rescan()
      await this.#lookUp()
      this.#failures = 0
    } catch {
      this.#failures++
      this.#beginAgain()
    }
    this.#plan()
  }

  async #poll(): Promise<void> {
    const startMs = Date.now()
    const { changes, token } = await this.#store.changes(this.#token === null ? { sinceMs: this.#sinceMs } : { token: this.#token })
    if (changes.length > 0) await this.#take(changes)
    this.#token = token
    this.#lastMs = startMs
  }

  /** A token that is no longer known would never be again; and what was committed late meanwhile lies before it. */
  #beginAgain(): void {
    this.#token = null
    this.#sinceMs = this.#lastMs - RESCAN_BACK_MS
  }

  /**
   * A slow transaction, or a node whose clock is behind, commits a change that sorts before what was read already.
   * Of a tuple with several changes the one that sorts last need not be the one that was committed last.
   */
  async #rescan(): Promise<void> {
    const { changes } = await this.#store.changes({ sinceMs: Date.now() - RESCAN_BACK_MS })
    const times = Map.groupBy(changes, ({ tuple }) => tupleKey(tuple))
    const fresh = changes.filter(change => !this.#scanned.has(changeKey(change)))
    const sure = fresh.filter(({ tuple }) => times.get(tupleKey(tuple))!.length === 1)
    if (sure.length > 0) await this.#take(sure)
    for (const { tuple } of fresh) if (times.get(tupleKey(tuple))!.length > 1) this.#doubtful.set(tupleKey(tuple), tuple)
    this.#scanned = new Set(changes.map(changeKey))
    this.#rescanMs = Date.now() + RESCAN_MS
  }

  async #lookUp(): Promise<void> {
    const some = [...this.#doubtful].slice(0, LOOKED_UP_A_TURN)
    for (const [key] of some) this.#doubtful.delete(key)
    const found = await Promise.all(some.map(([key, tuple]) => this.#stands(tuple).catch(() => void this.#doubtful.set(key, tuple))))
    const known = found.filter(change => change !== undefined)
    if (known.length > 0) await this.#take(known)
  }

  async #stands({ user, relation, object }: Tuple): Promise<Change> {
    const [stored] = await this.#store.read({ user, relation, object })
    return stored === undefined ? { tuple: { user, relation, object }, deleted: true } : { tuple: stored, deleted: false }
  }
}

const changeKey = ({ tuple, deleted, at }: StampedChange): string => `${at} ${deleted} ${tupleKey(tuple)}`
