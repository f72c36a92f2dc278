// The broker's response to Produce: refused topics are put in, addresses of brokers (KIP-951) replaced.

import { resize } from '../../protocol/header.ts'
import { countBytes, splice } from '../../protocol/splice.ts'
import { countOf, type Visit } from '../../protocol/walk.ts'
import type { Edition } from '../edition.ts'
import { hasTags, rewriteNodeEndpoints } from '../node-endpoints.ts'
import type { AddressView, ResponseEdit } from '../outcome.ts'

const TAGS = 1

export class ProduceEdit implements ResponseEdit {
  readonly frames = 1
  readonly #walk: (frame: Buffer, visit: Visit) => void
  readonly #flexible: boolean
  readonly #addresses: AddressView
  readonly #grafts: Buffer
  readonly #topics: number
  #countStart = 0
  #countEnd = 0
  #tagsAt = -1

  /** @param topics how many there are in `grafts` */
  constructor(edition: Edition, addresses: AddressView, grafts: Buffer, topics: number) {
    this.#walk = walkOf(edition)
    this.#flexible = edition.flexible
    this.#addresses = addresses
    this.#grafts = grafts
    this.#topics = topics
  }

  whole([frame]: readonly Buffer[]): Buffer | Promise<Buffer> {
    this.#tagsAt = -1
    this.#walk(frame!, this.#visit)
    const tagsAt = this.#tagsAt >= 0 && hasTags(frame!, this.#tagsAt) ? this.#tagsAt : -1
    if (this.#topics === 0) return tagsAt < 0 ? frame! : rewriteNodeEndpoints(frame!, tagsAt, this.#addresses)

    const count = countOf(frame!, this.#countStart, this.#countEnd, this.#flexible)
    const bytes = Buffer.concat([countBytes(count + this.#topics, this.#flexible), this.#grafts])
    const grafted = resize(splice(frame!, [{ start: this.#countStart, end: this.#countEnd, bytes }]))
    return tagsAt < 0 ? grafted : rewriteNodeEndpoints(grafted, tagsAt + grafted.length - frame!.length, this.#addresses)
  }

  stream(): null {
    return null
  }

  readonly #visit: Visit = (mark, _bytes, start, end) => {
    if (mark === TAGS) this.#tagsAt = start
    else {
      this.#countStart = start
      this.#countEnd = end
    }
  }
}

const walks = new Map<number, (frame: Buffer, visit: Visit) => void>()
function walkOf(edition: Edition): (frame: Buffer, visit: Visit) => void {
  let walk = walks.get(edition.version)
  if (walk === undefined) walks.set(edition.version, (walk = edition.responseWalk(marks(edition))))
  return walk
}
const marks = (edition: Edition): string[] => (edition.flexible ? ['responses', '#tags'] : ['responses'])
