// Questions about topics, by id or by name: those of many sessions go to the cluster together, each once, and nobody waits for long.

const MAX_KEYS_PER_REQUEST = 500
const ANSWER_MS = 1000

/** By key: an id or a name. */
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
    const answers = keys.map(key => {
      let wanted = this.#wanted.get(key)
      if (wanted === undefined) {
        wanted = Promise.withResolvers()
        this.#wanted.set(key, wanted)
      }
      return wanted.promise
    })
    void this.#askWanted()
    const found = await Promise.all(answers)
    return keys.flatMap((key, i) => (found[i] === undefined ? [] : [[key, found[i]] as const]))
  }

  async #askWanted(): Promise<void> {
    if (this.#asking) return
    this.#asking = true
    // One turn of the loop later, so that what several sessions want goes out together.
    await new Promise(resolve => setImmediate(resolve))
    while (this.#wanted.size > 0) {
      const keys = [...this.#wanted.keys()].slice(0, MAX_KEYS_PER_REQUEST)
      const found = await this.#inTime(keys)
      for (const key of keys) {
        const wanted = this.#wanted.get(key)!
        this.#wanted.delete(key)
        wanted.resolve(found?.get(key))
      }
    }
    this.#asking = false
  }

  #inTime(keys: readonly string[]): Promise<ReadonlyMap<string, T> | null> {
    const asked = this.#ask(keys).catch(() => null)
    return Promise.race([asked, new Promise<null>(resolve => setTimeout(resolve, ANSWER_MS, null).unref())])
  }
}
