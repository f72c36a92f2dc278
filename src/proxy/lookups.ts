// Questions about topics, by id or by name: those of many sessions go to the cluster together, each once, and nobody waits for long.

import { within } from './waits.ts'

const MAX_KEYS_PER_REQUEST = 500
const ANSWER_MS = 1000
/** Keys under way: of more nothing is known. */
const MAX_WANTED = 20_000

/** By key: an id or a name. All that is asked for while a question is out goes with the next. */
export class Lookups<T> {
  readonly #ask: (keys: readonly string[]) => Promise<ReadonlyMap<string, T>>
  readonly #wanted = new Map<string, PromiseWithResolvers<T | undefined>>()
  #asking = false

  /** @param ask one request; what is missing in its answer is not known */
  constructor(ask: (keys: readonly string[]) => Promise<ReadonlyMap<string, T>>) {
    this.#ask = ask
  }

  /** Those that got no answer within a second are left out. */
  async find(keys: readonly string[]): Promise<readonly (readonly [string, T])[]> {
    const found = new Map<string, T>()
    const answers = keys.map(key => this.#want(key)?.then(value => value !== undefined && found.set(key, value)))
    void this.#askWanted()
    await within(Promise.all(answers), ANSWER_MS)
    return keys.flatMap(key => (found.has(key) ? [[key, found.get(key)!] as const] : []))
  }

  #want(key: string): Promise<T | undefined> | undefined {
    let wanted = this.#wanted.get(key)
    if (wanted === undefined && this.#wanted.size < MAX_WANTED) this.#wanted.set(key, (wanted = Promise.withResolvers()))
    return wanted?.promise
  }

  async #askWanted(): Promise<void> {
    if (this.#asking) return
    this.#asking = true
    // One turn of the loop later, so that what several sessions want goes out together.
    await new Promise(resolve => setImmediate(resolve))
    while (this.#wanted.size > 0) {
      const keys = [...this.#wanted.keys()].slice(0, MAX_KEYS_PER_REQUEST)
      const asked = this.#ask(keys).catch(() => undefined)
      const found = await within(asked, ANSWER_MS)
      // A cluster that does not answer is not asked the rest: whoever wants it comes again.
      for (const key of found === undefined ? [...this.#wanted.keys()] : keys) {
        const wanted = this.#wanted.get(key)!
        this.#wanted.delete(key)
        wanted.resolve(found?.get(key))
      }
    }
    this.#asking = false
  }
}
