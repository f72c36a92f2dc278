// Questions for the names of topic ids: those of many sessions go to the cluster together, each id once, and nobody waits for long.

import type { TopicFacts } from './cluster-state.ts'

const MAX_IDS_PER_REQUEST = 500
const ANSWER_MS = 1000
const UNKNOWN_TOPIC_ID = 100

interface Topic {
  readonly errorCode: number
  readonly name: string | null
  readonly topicId: string
}

export class TopicIds {
  readonly #ask: (topics: readonly { readonly topicId: string; readonly name: null }[]) => Promise<readonly Topic[]>
  readonly #wanted = new Map<string, PromiseWithResolvers<string | null | undefined>>()
  #asking = false

  /** @param ask one Metadata request; an empty answer says nothing of any id */
  constructor(ask: (topics: readonly { readonly topicId: string; readonly name: null }[]) => Promise<readonly Topic[]>) {
    this.#ask = ask
  }

  /** Null for those that the cluster does not have; those that got no answer in time are left out. */
  async namesOf(ids: readonly string[]): Promise<TopicFacts> {
    const answers = ids.map(id => {
      let wanted = this.#wanted.get(id)
      if (wanted === undefined) {
        wanted = Promise.withResolvers()
        this.#wanted.set(id, wanted)
      }
      return wanted.promise
    })
    void this.#askWanted()
    const names = await Promise.all(answers)
    return ids.flatMap((id, i) => (names[i] === undefined ? [] : [[id, names[i]] as const]))
  }

  async #askWanted(): Promise<void> {
    if (this.#asking) return
    this.#asking = true
    // One turn of the loop later, so that what several sessions want goes out together.
    await new Promise(resolve => setImmediate(resolve))
    while (this.#wanted.size > 0) {
      const ids = [...this.#wanted.keys()].slice(0, MAX_IDS_PER_REQUEST)
      const found = await this.#askIds(ids).catch(() => new Map<string, string | null>())
      for (const id of ids) {
        const wanted = this.#wanted.get(id)!
        this.#wanted.delete(id)
        wanted.resolve(found.get(id))
      }
    }
    this.#asking = false
  }

  async #askIds(ids: readonly string[]): Promise<Map<string, string | null>> {
    const found = new Map<string, string | null>()
    const asked = this.#ask(ids.map(topicId => ({ topicId, name: null })))
    asked.catch(() => undefined)
    const answer = await Promise.race([asked, new Promise<null>(resolve => setTimeout(resolve, ANSWER_MS, null).unref())])
    for (const { errorCode, name, topicId } of answer ?? []) {
      if (errorCode === UNKNOWN_TOPIC_ID) found.set(topicId, null)
      else if (name !== null && name !== '') found.set(topicId, name)
    }
    return found
  }
}
