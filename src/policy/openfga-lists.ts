// Questions about many names at once: a list an operation instead of a check a name, so that the cost does not grow with the names.

import { LRUCache } from 'lru-cache'
import { nameObject, parseUser } from './encode.ts'
import { answerOf, relationsOf } from './openfga-asking.ts'
import type { AskedName, NameAnswer } from './openfga-questions.ts'

/** Objects of a type on which the asker has the relation. @throws when the answer fails, or may not be whole */
export type List = (type: string, relation: string) => Promise<readonly string[]>

/** Lists count for the questions that one request is split into, no longer. */
const KEPT_MS = 1_000
const KEPT_MAX = 1_000

export class OpenFgaLists {
  readonly #cluster: string
  readonly #kept = new LRUCache<string, Promise<ReadonlySet<string>>>({ max: KEPT_MAX, ttl: KEPT_MS })

  constructor(cluster: string) {
    this.#cluster = cluster
  }

  /** What stands on these names, and what it gives; the cluster, namespaces and prefixes that they lie in are not looked at. */
  async answers(names: readonly AskedName[], asker: string, list: List): Promise<NameAnswer[]> {
    const asked = names.map(name => {
      const object = nameObject(this.#cluster, name.resource, name.bytes)
      return { name, object, questions: relationsOf(name.operations).map(relation => `${parseUser(object).type} ${relation}`) }
    })
    const questions = [...new Set(asked.flatMap(one => one.questions))]
    const lists = await Promise.all(questions.map(question => this.#list(asker, question, list)))
    const listed = new Map(questions.map((question, i) => [question, lists[i]!]))
    return asked.map(one =>
      answerOf(
        one.name,
        one.questions.map(question => listed.get(question)!.has(one.object)),
      ),
    )
  }

  /** Something has changed: what was listed before counts for nothing that is asked from now on. */
  clear(): void {
    this.#kept.clear()
  }

  #list(asker: string, question: string, list: List): Promise<ReadonlySet<string>> {
    const key = `${question} ${asker}`
    let kept = this.#kept.get(key)
    if (kept === undefined) {
      const [type, relation] = question.split(' ') as [string, string]
      const asked = list(type, relation).then(objects => new Set(objects))
      asked.catch(() => this.#kept.peek(key) === asked && this.#kept.delete(key))
      this.#kept.set(key, (kept = asked))
    }
    return kept
  }
}
