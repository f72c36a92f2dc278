// CreateTopics: CREATE on the cluster or on the topic; without DESCRIBE_CONFIGS its settings are not told. ControllerApis.scala createTopics.

import { compileDecode, compileEncode } from '../../protocol/codec.ts'
import { resize } from '../../protocol/header.ts'
import { CreateTopics } from '../../protocol/messages/19-create-topics.ts'
import { type Edit, splice } from '../../protocol/splice.ts'
import { INVALID_REQUEST, REQUEST_TIMED_OUT, TOPIC_AUTHORIZATION_FAILED } from '../answers.ts'
import { Operation, Resource, Verdict } from '../authorizer.ts'
import { Edition, elementOf, type FrameWalk } from '../edition.ts'
import { type Graft, LAST, type ListAt, listFinder, withGrafts, without } from '../graft.ts'
import { Judging, UNDECIDED } from '../judging.ts'
import type { Name } from '../names.ts'
import { type Caller, type Outcome, PASS, type Plan, type ResponseEdit } from '../outcome.ts'

const METADATA_LOG = '__cluster_metadata'
/** From here on the response tells a topic's settings, and whether the caller may know them. */
const SETTINGS_VERSION = 5

interface Refused {
  readonly name: string
  readonly errorCode: number
  readonly errorMessage: string
}

export const createTopicsPlan = (version: number): Plan => new CreateTopicsPlan(version)

class CreateTopicsPlan implements Plan {
  readonly apiKey = CreateTopics.key
  readonly apiVersion: number
  readonly #edition: Edition
  readonly #walk: FrameWalk
  readonly #findTopics: (request: Buffer) => ListAt
  readonly #findResults: (response: Buffer) => ListAt
  readonly #decodeResult: (response: Buffer, at: number) => any
  readonly #encodeResult: (result: object) => Buffer

  constructor(version: number) {
    this.apiVersion = version
    this.#edition = new Edition(CreateTopics, version)
    this.#walk = this.#edition.requestWalk(['topics.name'])
    this.#findTopics = listFinder(this.#edition, 'request', 'topics')
    this.#findResults = listFinder(this.#edition, 'response', 'topics')
    const result = elementOf(this.#edition.response, 'topics')
    this.#decodeResult = compileDecode(result)
    this.#encodeResult = compileEncode(result)
  }

  judge(frame: Buffer, caller: Caller, last: boolean): Outcome {
    const names: Name[] = []
    this.#walk(frame, (_mark, bytes, start, end) => names.push(caller.names.of(Resource.Topic, bytes, start, end)))
    const judging = new Judging(caller, last)
    const refused = this.#refused(names, judging)
    if (judging.mustWait) return judging.wait()
    judging.tell()
    if (refused === null) return UNDECIDED
    const answers = [...refused.values()]
    if (refused.size > 0 && names.every(name => refused.has(name))) return this.#edition.answer(frame, { topics: answers })
    caller.cluster.topicsMoved()
    const frames = refused.size === 0 ? null : [this.#without(frame, names, refused)]
    return this.#forward(frames, this.#edit(caller, answers))
  }

  /** What the senders of topics are told that are not created, by name; null: it cannot be decided. */
  #refused(names: readonly Name[], judging: Judging): Map<Name, Refused> | null {
    const refused = new Map<Name, Refused>()
    const seen = new Set<Name>()
    const duplicates = new Set<Name>()
    for (const name of names) (seen.has(name) ? duplicates : seen).add(name)
    for (const name of duplicates) refused.set(name, answer(name, INVALID_REQUEST, 'Duplicate topic name.'))

    const everywhere = judging.checkCluster(Operation.Create)
    let undecided = false
    for (const name of seen) {
      if (duplicates.has(name)) continue
      if (name.text === METADATA_LOG) {
        refused.set(name, answer(name, INVALID_REQUEST, `Creation of internal topic ${METADATA_LOG} is prohibited.`))
        continue
      }
      if (this.apiVersion >= SETTINGS_VERSION) judging.check(Operation.DescribeConfigs, name)
      const verdict = judging.check(Operation.Create, name)
      if (verdict === Verdict.Allowed) continue
      if (everywhere === Verdict.Allowed && !judging.caller.rights.denies(Operation.Create, name)) continue
      if (verdict === Verdict.Refused && everywhere !== Verdict.Undecided) {
        judging.refused(Operation.Create, name)
        refused.set(name, answer(name, TOPIC_AUTHORIZATION_FAILED, 'Authorization failed.'))
      } else {
        judging.undecided(Operation.Create, name)
        undecided = true
      }
    }
    return undecided ? null : refused
  }

  #without(frame: Buffer, names: readonly Name[], refused: ReadonlyMap<Name, Refused>): Buffer {
    return without(frame, this.#findTopics(frame), i => refused.has(names[i]!), this.#edition.flexible)
  }

  #forward(frames: readonly Buffer[] | null, response: ResponseEdit | null): Outcome {
    if (frames === null && response === null) return PASS
    return { kind: 'forward', frames, response, thenClose: false }
  }

  #edit(caller: Caller, answers: readonly Refused[]): ResponseEdit | null {
    if (answers.length === 0 && this.apiVersion < SETTINGS_VERSION) return null
    const grafts: Graft[] = answers.map(result => ({ before: LAST, bytes: this.#encodeResult(result) }))
    return { frames: 1, stream: () => null, whole: ([response]) => this.#whole(response!, caller, grafts) }
  }

  #whole(response: Buffer, caller: Caller, grafts: readonly Graft[]): Buffer | Promise<Buffer> {
    const done = this.#settingsHidden(response, caller, false)
    if (done !== null) return this.#joined(done, grafts)
    const kept = Buffer.from(response)
    return caller.rights.settle().then(() => this.#joined(this.#settingsHidden(kept, caller, true)!, grafts))
  }

  #joined(response: Buffer, grafts: readonly Graft[]): Buffer {
    return grafts.length === 0 ? response : withGrafts(response, this.#findResults(response), grafts, this.#edition.flexible)
  }

  /** Settings of created topics without DESCRIBE_CONFIGS are taken out, as ReplicationControlManager.createTopic does; null: ask first. */
  #settingsHidden(response: Buffer, caller: Caller, last: boolean): Buffer | null {
    if (this.apiVersion < SETTINGS_VERSION) return response
    const edits: Edit[] = []
    for (const { start, end } of this.#findResults(response).elements) {
      const result = this.#decodeResult(response, start)
      if (result.errorCode !== 0) continue
      const name = caller.names.text(Resource.Topic, result.name)
      if (result.topicId !== undefined) caller.cluster.learned(Buffer.from(result.topicId, 'hex'), name)
      const verdict = caller.rights.check(Operation.DescribeConfigs, name)
      if (verdict === Verdict.Allowed) continue
      if (verdict === Verdict.Unknown && !last) return null
      const topicConfigErrorCode = verdict === Verdict.Refused ? TOPIC_AUTHORIZATION_FAILED : REQUEST_TIMED_OUT
      const bytes = this.#encodeResult({ ...result, topicConfigErrorCode, numPartitions: -1, replicationFactor: -1, configs: [] })
      edits.push({ start, end, bytes })
    }
    return edits.length === 0 ? response : resize(splice(response, edits))
  }
}

const answer = (name: Name, errorCode: number, errorMessage: string): Refused => ({ name: name.text, errorCode, errorMessage })
