// Patterns in RE2's dialect, matched against all topics a little at a time: what a client writes must not hold up the others.

import { LRUCache } from 'lru-cache'
import { RE2JS, RE2JSException, RE2JSSyntaxException } from 're2js'
import type { Caller, ClusterView } from './outcome.ts'

/** Longer ones are not compiled. */
const MAX_CHARACTERS = 4096
/** At one go, and then others have their turn. */
const SLICE_MS = 4
const PAUSE_MS = 8
/** A pattern that costs more at one look at the topics is refused: RE2 is linear in the text, but also in the size of the pattern. */
const BUDGET_MS = 2_000
const MAX_PATTERNS = 256

/** Shared by all connections of a worker to one broker. */
export const patternsOf = ({ brokerState }: Caller): Patterns => {
  let patterns: Patterns | undefined = brokerState.get('patterns')
  if (patterns === undefined) brokerState.set('patterns', (patterns = new Patterns()))
  return patterns
}

export class Patterns {
  readonly #known = new LRUCache<string, TopicPattern>({ max: MAX_PATTERNS })

  of(text: string): TopicPattern {
    let pattern = this.#known.get(text)
    if (pattern === undefined) this.#known.set(text, (pattern = new TopicPattern(text)))
    return pattern
  }
}

/** One pattern, and which of the topics it matches: as a whole, like a broker. */
export class TopicPattern {
  /** Why it is none; null: it is one. */
  wrong: string | null
  /** Resolves when `matched` knows again. Never rejects. */
  ready: Promise<void> = Promise.resolve()
  readonly #compiled: RE2JS | null
  #known = new Map<string, boolean>()
  #matched: readonly string[] = []
  #topicsEpoch = -1
  #working = false
  readonly #budgetMs: number

  constructor(text: string, budgetMs = BUDGET_MS) {
    this.#budgetMs = budgetMs
    const compiled = compile(text)
    this.wrong = typeof compiled === 'string' ? compiled : null
    this.#compiled = typeof compiled === 'string' ? null : compiled
  }

  /** Names of the topics that there are now and that it matches; null: not known yet, see `ready` and then `wrong`. */
  matched(cluster: ClusterView): readonly string[] | null {
    if (this.#topicsEpoch === cluster.topicsEpoch) return this.#matched
    if (!this.#working) this.ready = this.#resolve(cluster)
    return this.#topicsEpoch === cluster.topicsEpoch ? this.#matched : null
  }

  /** What is done before the first pause is known at once. */
  async #resolve(cluster: ClusterView): Promise<void> {
    this.#working = true
    const { topicsEpoch } = cluster
    const known = new Map<string, boolean>()
    let spentMs = 0
    let sinceMs = performance.now()
    for (const { text } of cluster.topicNames()) {
      known.set(text, this.#known.get(text) ?? this.#matches(text))
      const tookMs = performance.now() - sinceMs
      if (tookMs < SLICE_MS) continue
      spentMs += tookMs
      if (spentMs > this.#budgetMs) this.wrong = 'it takes too long to match'
      if (this.wrong !== null) break
      await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
      sinceMs = performance.now()
    }
    this.#known = known
    this.#matched = [...known].filter(([, matches]) => matches).map(([text]) => text)
    this.#topicsEpoch = topicsEpoch
    this.#working = false
  }

  #matches(text: string): boolean {
    try {
      return this.#compiled!.matches(text)
    } catch (why) {
      this.wrong = (why as Error).message
      return false
    }
  }
}

/** The compiled pattern, or why it is none. */
function compile(text: string): RE2JS | string {
  if (text.length > MAX_CHARACTERS) return 'it is too long'
  try {
    return RE2JS.compile(text)
  } catch (why) {
    if (why instanceof RE2JSSyntaxException) return why.getDescription()
    if (why instanceof RE2JSException) return why.message
    throw why
  }
}
