// Writers of one kind take turns in the store: each write moves the turn in its own transaction, so no two can begin at the same one.

import { clusterObject, encode } from './encode.ts'
import type { Tuple } from './grant-tuples.ts'
import { type OpenFgaStore, TUPLES_A_WRITE } from './openfga-client.ts'

/** Tuples that one write carries beside the turn. */
export const TUPLES_A_TURN = TUPLES_A_WRITE - 2

export interface Turn {
  readonly number: number
  /** Who keeps the ledger; '': nobody. */
  readonly holder: string
}

export class Ledger {
  readonly #store: OpenFgaStore
  readonly #object: string
  readonly #cluster: string

  constructor(store: OpenFgaStore, cluster: string, kind: 'policy' | 'subscriptions') {
    this.#store = store
    this.#cluster = clusterObject(cluster)
    this.#object = `ledger:${encode(cluster)}/${kind}`
  }

  /** Null: nobody has written yet. @throws when the store does not answer */
  async turn(): Promise<Turn | null> {
    const tuples = await this.#store.read({ relation: 'turn', object: this.#object })
    if (tuples.length > 1) throw new Error(`${this.#object} has ${tuples.length} turns: delete all of its tuples`)
    return tuples.length === 0 ? null : turnOf(tuples[0]!.user)
  }

  /**
   * Deletes and writes, at most `TUPLES_A_TURN`, and moves the turn on: all of it or nothing.
   * @param at the turn at which the writer looked
   * @throws {WriteConflict} when another has written since, or a tuple is not as it was
   */
  async write(at: Turn | null, deletes: readonly Tuple[], writes: readonly Tuple[], holder = ''): Promise<Turn> {
    const next = turnAfter(at, holder)
    const first: Tuple[] = at === null ? [{ user: this.#cluster, relation: 'cluster', object: this.#object }] : []
    const moved = at === null ? [] : [this.#tuple(at)]
    await this.#store.transact([...moved, ...deletes], [...first, this.#tuple(next), ...writes])
    return next
  }

  #tuple(turn: Turn): Tuple {
    return { user: turnUser(turn), relation: 'turn', object: this.#object }
  }
}

/** The turn that a write at this one moves on to. */
export const turnAfter = (at: Turn | null, holder = ''): Turn => ({ number: (at?.number ?? 0) + 1, holder })

/** A turn as the user of a tuple. */
export const turnUser = ({ number, holder }: Turn): string => `turn:${number}${holder === '' ? '' : `/${encode(holder)}`}`

function turnOf(user: string): Turn {
  const [, number, holder] = /^turn:(\d+)(?:\/(.+))?$/.exec(user) ?? []
  if (number === undefined) throw new Error(`${user} is no turn of a ledger`)
  return { number: Number(number), holder: holder ?? '' }
}
