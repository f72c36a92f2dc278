// Why a check comes out as it does, walked down to the tuples that say it: OpenFGA has no explain.

import type { Tuple } from './grant-tuples.ts'
import type { OpenFgaStore } from './openfga-client.ts'

/** One check and what it rests on. */
export interface Walked {
  /** `user:corp/lena can_read topic:main/orders`. */
  readonly check: string
  /** null: no answer came. */
  readonly allowed: boolean | null
  /** It takes away what the others give (`but not`). */
  readonly takesAway: boolean
  /** The tuple that says it; null: it is said by what follows. */
  readonly tuple: string | null
  readonly by: readonly Walked[]
}

/** One relation of an object, as a step from another. */
export interface Edge {
  readonly object: string
  readonly relation: string
  readonly takesAway: boolean
  readonly tuple: Tuple | null
  /** The relation by which the object that it steps to stands beside this one; absent: it is the same, or a tuple's own user. */
  readonly beside?: string
}

const MAX_DEPTH = 12
const MAX_CHECKS = 300

/** Walks the model down by batches of checks; follows what is allowed, or what takes away. */
export class Walker {
  readonly #store: OpenFgaStore
  readonly #user: string
  readonly #contextual: readonly Tuple[]
  readonly #context: object
  readonly #edgesOf: (object: string, relation: string) => Edge[]
  readonly #known = new Map<string, boolean | null>()

  constructor(
    store: OpenFgaStore,
    user: string,
    contextual: readonly Tuple[],
    context: object,
    edgesOf: (object: string, relation: string) => Edge[],
  ) {
    this.#store = store
    this.#user = user
    this.#contextual = contextual
    this.#context = context
    this.#edgesOf = edgesOf
  }

  async walk(edge: Edge, depth: number, path: ReadonlySet<string>): Promise<Walked> {
    await this.#ask([edge])
    const allowed = this.#answer(edge)
    const key = keyOf(edge)
    const base = { check: `${this.#user} ${edge.relation} ${edge.object}`, allowed, takesAway: edge.takesAway }
    const tuple = edge.tuple === null ? null : tupleText(edge.tuple)
    if (edge.relation === '' || depth >= MAX_DEPTH || path.has(key)) return { ...base, tuple, by: [] }
    const edges = this.#edgesOf(edge.object, edge.relation).filter(next => next.relation !== '' || next.object === this.#user)
    await this.#ask(edges)
    const telling = edges.filter(next => this.#answer(next) !== false)
    const further = new Set(path).add(key)
    const by: Walked[] = []
    for (const next of telling) by.push(await this.walk(next, depth + 1, further))
    return { ...base, tuple, by }
  }

  #answer({ object, relation }: Edge): boolean | null {
    return relation === '' ? object === this.#user : (this.#known.get(`${object}#${relation}`) ?? null)
  }

  async #ask(edges: readonly Edge[]): Promise<void> {
    const open = edges.filter(edge => edge.relation !== '' && !this.#known.has(keyOf(edge)))
    if (open.length === 0 || this.#known.size + open.length > MAX_CHECKS) return
    const checks = open.map(({ object, relation }) => ({ user: this.#user, relation, object, contextual: this.#contextual }))
    const answers = await this.#store.checks(checks, this.#context, true)
    for (const [i, edge] of open.entries()) this.#known.set(keyOf(edge), answers[i] ?? null)
  }
}

const keyOf = ({ object, relation }: Edge): string => `${object}#${relation}`

const tupleText = ({ user, relation, object, condition }: Tuple): string =>
  `${user} ${relation} ${object}${condition === undefined ? '' : ` with ${condition.name}`}`
