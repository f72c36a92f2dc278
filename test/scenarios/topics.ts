// The topics of a scenario's cluster, as they come and go: what a gate learns of them by its own connection.

import type { TopicFacts } from '../../src/proxy/cluster-state.ts'
import type { Recorded } from './naming.ts'

export class Topics {
  readonly #naming: Recorded
  readonly #nameById = new Map<string, string | null>()
  readonly #idByName = new Map<string, string>()
  readonly #called = new Map<string, string>()

  constructor(naming: Recorded) {
    this.#naming = naming
  }

  /** @param hex left out in a replay: an id is made of its name. A topic that is made again has a `new id of orders`. */
  add(name: string, hex?: string): void {
    const before = this.#called.get(name)
    const called = before === undefined ? `id of ${name}` : `new ${before}`
    this.#called.set(name, called)
    if (hex !== undefined) this.#naming.learn(called, hex)
    const id = hex ?? this.#naming.idOf(called)
    this.#nameById.set(id, name)
    this.#idByName.set(name, id)
  }

  remove(name: string): void {
    const id = this.#idByName.get(name)
    if (id === undefined) return
    this.#idByName.delete(name)
    this.#nameById.set(id, null)
  }

  /** All ids that there are or were. */
  get facts(): TopicFacts {
    return [...this.#nameById]
  }

  has(name: string): boolean {
    return this.#idByName.has(name)
  }

  nameOf(id: string): string | null {
    return this.#nameById.get(id) ?? null
  }
}

/** Names that an administrator's request makes or removes. */
export const changed = (api: string, request: any): { readonly made: readonly string[]; readonly removed: readonly string[] } => ({
  made: api === 'CreateTopics' ? request.topics.map((topic: any) => topic.name) : [],
  removed: api === 'DeleteTopics' ? (request.topicNames ?? request.topics.map((topic: any) => topic.name)) : [],
})
