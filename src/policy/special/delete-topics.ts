// DeleteTopics: by name or by id, and an answer that names a topic only to whom may know it. ControllerApis.scala deleteTopics.

import { compileEncode } from '../../protocol/codec.ts'
import { DeleteTopics } from '../../protocol/messages/20-delete-topics.ts'
import { defaultText, INVALID_REQUEST, TOPIC_AUTHORIZATION_FAILED, UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION } from '../answers.ts'
import { Operation, Resource, Verdict } from '../authorizer.ts'
import { Edition, elementOf, type FrameWalk } from '../edition.ts'
import { LAST, type ListAt, listFinder, withGrafts, without } from '../graft.ts'
import { isZeroId, Judging, UNDECIDED } from '../judging.ts'
import type { Name } from '../names.ts'
import { type Caller, type Outcome, PASS, type Plan, type ResponseEdit } from '../outcome.ts'

/** From here on topics are given by name or by id. */
const ID_VERSION = 6
const NAME = 0
const ID = 1
const ZERO_ID = '0'.repeat(32)

/** One topic of the request as it was given. */
interface Given {
  /** null: given by id. */
  readonly name: Name | null
  /** 32 hex digits. */
  readonly id: string
  /** The topic of the id; undefined: not known. */
  readonly known: Name | null | undefined
}
interface Result {
  readonly name: string | null
  readonly topicId: string
  readonly errorCode: number
  readonly errorMessage: string
}
const UNSURE = 'unsure'

export const deleteTopicsPlan = (version: number): Plan => new DeleteTopicsPlan(version)

class DeleteTopicsPlan implements Plan {
  readonly apiKey = DeleteTopics.key
  readonly apiVersion: number
  readonly #edition: Edition
  readonly #walk: FrameWalk
  readonly #findTopics: (request: Buffer) => ListAt
  readonly #findResults: (response: Buffer) => ListAt
  readonly #encodeResult: (result: object) => Buffer

  constructor(version: number) {
    this.apiVersion = version
    this.#edition = new Edition(DeleteTopics, version)
    const byId = version >= ID_VERSION
    this.#walk = this.#edition.requestWalk(byId ? ['topics.name', 'topics.topicId'] : ['topicNames[]'])
    this.#findTopics = listFinder(this.#edition, 'request', byId ? 'topics' : 'topicNames')
    this.#findResults = listFinder(this.#edition, 'response', 'responses')
    this.#encodeResult = compileEncode(elementOf(this.#edition.response, 'responses'))
  }

  judge(frame: Buffer, caller: Caller, last: boolean): Outcome {
    const judging = new Judging(caller, last)
    const everywhere = judging.checkCluster(Operation.Delete)
    const given = this.#given(frame, judging)
    const times = timesOf(given)
    const results = given.map(topic => this.#resultOf(topic, times.get(keyOf(topic))! > 1, judging, everywhere))
    if (judging.mustWait) return judging.wait()
    judging.tell()
    if (results.includes(UNSURE)) return UNDECIDED
    const refused = distinct(results.filter(result => result !== null) as Result[])
    if (results.length > 0 && !results.includes(null)) return this.#edition.answer(frame, { responses: refused })
    caller.cluster.topicsMoved()
    if (refused.length === 0) return PASS
    const rest = without(frame, this.#findTopics(frame), i => results[i] !== null, this.#edition.flexible)
    return { kind: 'forward', frames: [rest], response: this.#edit(refused), thenClose: false }
  }

  #given(frame: Buffer, judging: Judging): Given[] {
    const given: Given[] = []
    let name: Name | null = null
    this.#walk(frame, (mark, bytes, start, end) => {
      if (mark === NAME) name = start < 0 ? null : judging.caller.names.of(Resource.Topic, bytes, start, end)
      if (mark === NAME && this.apiVersion < ID_VERSION) given.push({ name, id: ZERO_ID, known: undefined })
      if (mark !== ID) return
      const asked = name === null && !isZeroId(bytes, start)
      const known = asked ? judging.topicOf(bytes, start, [Operation.Describe, Operation.Delete]) : undefined
      given.push({ name, id: bytes.toString('hex', start, end), known })
    })
    return given
  }

  /** What is told instead of deleting a topic; null: the broker may be asked. */
  #resultOf(topic: Given, twice: boolean, judging: Judging, everywhere: Verdict): Result | null | typeof UNSURE {
    const { name, id } = topic
    if (name === null && id === ZERO_ID) return invalid(null, ZERO_ID, 'Neither topic name nor id were specified.')
    if (name !== null && id !== ZERO_ID) return invalid(name.text, id, 'You may not specify both topic name and topic id.')
    if (twice) return invalid(name?.text ?? null, id, name === null ? 'Duplicate topic id.' : 'Duplicate topic name.')
    return name === null ? this.#byId(topic, judging, everywhere) : this.#byName(name, judging, everywhere)
  }

  /** Whether it exists is told only to whom has DESCRIBE. */
  #byName(name: Name, judging: Judging, everywhere: Verdict): Result | null | typeof UNSURE {
    if (everywhere === Verdict.Allowed && !judging.caller.rights.denies(Operation.Delete, name)) return null
    const describe = judging.check(Operation.Describe, name)
    const remove = judging.check(Operation.Delete, name)
    if (describe === Verdict.Allowed && remove === Verdict.Allowed) return null
    const unsure = isUnsure(everywhere, describe) || (describe === Verdict.Allowed && isUnsure(everywhere, remove))
    const there = unsure || describe === Verdict.Refused || judging.hasTopic(name)
    if (unsure || there === undefined) {
      judging.undecided(Operation.Delete, name)
      return UNSURE
    }
    if (!there) return result(name.text, ZERO_ID, UNKNOWN_TOPIC_OR_PARTITION)
    judging.refused(describe === Verdict.Refused ? Operation.Describe : Operation.Delete, name)
    return result(name.text, ZERO_ID, TOPIC_AUTHORIZATION_FAILED)
  }

  #byId({ id, known }: Given, judging: Judging, everywhere: Verdict): Result | null | typeof UNSURE {
    if (known === null) return result(null, id, UNKNOWN_TOPIC_ID)
    if (everywhere === Verdict.Allowed && known !== undefined && !judging.caller.rights.denies(Operation.Delete, known)) return null
    if (known === undefined) {
      judging.undecidedId(Operation.Delete, Buffer.from(id, 'hex'), 0)
      return UNSURE
    }
    const describe = judging.check(Operation.Describe, known)
    const remove = judging.check(Operation.Delete, known)
    if (remove === Verdict.Allowed) return null
    if (isUnsure(everywhere, remove) || isUnsure(everywhere, describe)) {
      judging.undecided(Operation.Delete, known)
      return UNSURE
    }
    judging.refused(Operation.Delete, known)
    return result(describe === Verdict.Allowed ? known.text : null, id, TOPIC_AUTHORIZATION_FAILED)
  }

  #edit(refused: readonly Result[]): ResponseEdit {
    const grafts = refused.map(bytes => ({ before: LAST, bytes: this.#encodeResult(bytes) }))
    const whole = ([response]: readonly Buffer[]) => withGrafts(response!, this.#findResults(response!), grafts, this.#edition.flexible)
    return { frames: 1, stream: () => null, whole }
  }
}

/** Neither the topic's verdict nor the cluster's may be missing before anybody is told that he is refused. */
const isUnsure = (everywhere: Verdict, verdict: Verdict): boolean =>
  everywhere === Verdict.Unknown || everywhere === Verdict.Undecided || verdict === Verdict.Unknown || verdict === Verdict.Undecided

const result = (name: string | null, topicId: string, errorCode: number): Result => ({
  name,
  topicId,
  errorCode,
  errorMessage: defaultText(errorCode),
})
const invalid = (name: string | null, topicId: string, errorMessage: string): Result => ({
  name,
  topicId,
  errorCode: INVALID_REQUEST,
  errorMessage,
})

/** How often each topic is given. */
function timesOf(given: readonly Given[]): Map<string, number> {
  const times = new Map<string, number>()
  for (const topic of given) times.set(keyOf(topic), (times.get(keyOf(topic)) ?? 0) + 1)
  return times
}
const keyOf = ({ name, id }: Given): string => (name === null ? id : `${id} ${name.text}`)

/** A duplicate is answered once. */
function distinct(results: readonly Result[]): Result[] {
  const told = new Set<string>()
  return results.filter(r => {
    if (r.errorCode !== INVALID_REQUEST || r.errorMessage.startsWith('Duplicate') === false) return true
    const key = `${r.name} ${r.topicId}`
    return told.size < told.add(key).size
  })
}
