// Small files whose content may change while the gate runs: certificates, keys, passwords; read again and compared, so that every way of replacing them counts.

import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

const EVERY_MS = 2_000

export class WatchedFiles {
  readonly #content = new Map<string, string>()
  readonly #changed: () => void
  readonly #timer: NodeJS.Timeout
  #looking = false

  /** @throws when one cannot be read now; later, what was read last stays */
  constructor(files: readonly string[], changed: () => void, everyMs = EVERY_MS) {
    for (const file of files) this.#content.set(file, readFileSync(file, 'utf8'))
    this.#changed = changed
    this.#timer = setInterval(() => void this.look(), everyMs)
    this.#timer.unref()
    if (files.length === 0) this.stop()
  }

  text(file: string): string {
    return this.#content.get(file)!
  }

  /** Reads all of them; `changed` is called once if one is different. */
  async look(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    let different = false
    for (const [file, before] of this.#content) {
      const now = await readFile(file, 'utf8').catch(() => before)
      if (now === before || now === '') continue
      this.#content.set(file, now)
      different = true
    }
    this.#looking = false
    if (different) this.#changed()
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}
