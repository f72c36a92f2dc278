// What the cluster says of topics that are asked about by themselves: by id what they are called, by name whether they are there.

import type { NamedTopics, TopicFacts } from './cluster-state.ts'
import { Lookups } from './lookups.ts'

export const NO_ID = '0'.repeat(32)
/** The first version of Metadata that is asked for topics by id (KIP-516). */
const WITH_IDS = 12
/** The first that can be asked for a topic without making it (KIP-361). */
const WITH_FLAG = 4
const UNKNOWN_TOPIC_ID = 100
/** What Metadata says of a name that there is a topic of, be it without a leader, and of one that there is none of. */
const THERE: ReadonlySet<number> = new Set([0, 5])
const ABSENT: ReadonlySet<number> = new Set([3, 17])

export interface AskedTopic {
  readonly topicId: string
  readonly name: string | null
}
export interface AnsweredTopic extends AskedTopic {
  readonly errorCode: number
}

/** @param minVersion in which a broker can be asked so; none that is older is asked */
export type AskTopics = (topics: readonly AskedTopic[], minVersion: number) => Promise<readonly AnsweredTopic[]>

export class TopicQuestions {
  readonly #ids: Lookups<string | null>
  readonly #names: Lookups<boolean>

  constructor(ask: AskTopics) {
    const askIds = (ids: readonly string[]) => ask(ids.map(byId), WITH_IDS)
    const askNames = (names: readonly string[]) => ask(names.map(byName), WITH_FLAG)
    this.#ids = new Lookups(async ids => new Map((await askIds(ids)).filter(saysName).map(answer => [answer.topicId, nameIn(answer)])))
    this.#names = new Lookups(
      async names => new Map((await askNames(names)).filter(saysThere).map(({ name, errorCode }) => [name!, THERE.has(errorCode)])),
    )
  }

  /** Names of topic ids (32 hex digits): null for those that the cluster does not have; those that got no answer within 1 s are left out. */
  topicsOf(ids: readonly string[]): Promise<TopicFacts> {
    return this.#ids.find(ids)
  }

  /** Whether there are topics of these names; those that got no answer within 1 s are left out. */
  topicsNamed(names: readonly string[]): Promise<NamedTopics> {
    return this.#names.find(names)
  }
}

const byId = (topicId: string): AskedTopic => ({ topicId, name: null })
const byName = (name: string): AskedTopic => ({ topicId: NO_ID, name })

const isUnknown = ({ errorCode }: AnsweredTopic): boolean => errorCode === UNKNOWN_TOPIC_ID
const nameIn = (answer: AnsweredTopic): string | null => (isUnknown(answer) ? null : answer.name)
const saysName = (answer: AnsweredTopic): boolean => isUnknown(answer) || (answer.name !== null && answer.name !== '')
const saysThere = ({ errorCode }: AnsweredTopic): boolean => THERE.has(errorCode) || ABSENT.has(errorCode)
