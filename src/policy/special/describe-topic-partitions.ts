// DescribeTopicPartitions: page by page, topics named or all of them; a cursor never names a hidden topic. DescribeTopicPartitionsRequestHandler.java.

import { DescribeTopicPartitions } from '../../protocol/messages/75-describe-topic-partitions.ts'
import { INVALID_REQUEST, LEADER_NOT_AVAILABLE, TOPIC_AUTHORIZATION_FAILED } from '../answers.ts'
import { Operation, Resource, Verdict } from '../authorizer.ts'
import { Edition } from '../edition.ts'
import { Judging } from '../judging.ts'
import type { Name } from '../names.ts'
import { type Caller, type Outcome, type Plan, type ResponseEdit, UndecidedError } from '../outcome.ts'

interface Cursor {
  readonly topicName: string
  readonly partitionIndex: number
}
interface Request {
  readonly topics: readonly { readonly name: string }[]
  readonly responsePartitionLimit: number
  readonly cursor: Cursor | null
}
interface Told {
  readonly name: string
  readonly errorCode: number
}
interface Topic {
  readonly name: string
  partitions: { readonly partitionIndex: number }[]
  topicAuthorizedOperations: number
}
interface Response {
  topics: (Topic | Told)[]
  nextCursor: Cursor | null
}

/** max.request.partition.size.limit, as a broker has it if nobody sets it. */
const PAGE = 2000

export const describeTopicPartitionsPlan = (version: number): Plan => new DescribeTopicPartitionsPlan(version)

class DescribeTopicPartitionsPlan implements Plan {
  readonly apiKey = DescribeTopicPartitions.key
  readonly apiVersion: number
  readonly #edition: Edition

  constructor(version: number) {
    this.apiVersion = version
    this.#edition = new Edition(DescribeTopicPartitions, version)
  }

  judge(frame: Buffer, caller: Caller, last: boolean): Outcome {
    const request: Request = this.#edition.decodeRequest(frame)
    if (isInvalid(request)) {
      const topics = request.topics.map(({ name }) => ({ name, errorCode: INVALID_REQUEST }))
      return this.#edition.answer(frame, { topics })
    }
    return request.topics.length === 0 ? this.#all(frame, request, caller) : this.#named(frame, request, new Judging(caller, last))
  }

  #named(frame: Buffer, request: Request, judging: Judging): Outcome {
    const { caller } = judging
    const kept: string[] = []
    const told: Told[] = []
    for (const text of wanted(request)) {
      const name = caller.names.text(Resource.Topic, text)
      const verdict = judging.check(Operation.Describe, name)
      if (verdict === Verdict.Allowed) {
        kept.push(text)
        continue
      }
      const refused = verdict === Verdict.Refused
      told.push({ name: text, errorCode: refused ? TOPIC_AUTHORIZATION_FAILED : LEADER_NOT_AVAILABLE })
      if (refused) judging.refused(Operation.Describe, name)
      else judging.undecided(Operation.Describe, name)
    }
    if (judging.mustWait) return judging.wait()
    judging.tell()
    if (kept.length === 0) return this.#edition.answer(frame, { topics: told })
    // A cursor on a topic that is refused: those behind it begin with their first partition.
    const cursor = request.cursor !== null && kept.includes(request.cursor.topicName) ? request.cursor : null
    const body = { ...request, topics: kept.map(name => ({ name })), cursor }
    const edit = this.#edit(caller, (response, last) => {
      if (!writeOperations(response.topics as Topic[], caller, last)) return false
      response.topics.push(...told)
      return true
    })
    return { kind: 'forward', frames: [this.#edition.requestWithBody(frame, body)], response: edit, thenClose: false }
  }

  /** The broker is asked for a page as large as it gives; what may be seen of it is cut to the page that was asked for. */
  #all(frame: Buffer, request: Request, caller: Caller): Outcome {
    const limit = Math.max(Math.min(request.responsePartitionLimit, PAGE), 1)
    const edit = this.#edit(caller, (response, last) => {
      const hidden = hiddenNames(response, caller, last)
      if (hidden === null) return false
      cut(response, limit, new Set([...hidden].map(name => name.text)))
      if (!cursorSeen(response, hidden, caller, last) || !writeOperations(response.topics as Topic[], caller, last)) return false
      for (const name of hidden) caller.hidden(Operation.Describe, name)
      return true
    })
    const frames = [this.#edition.requestWithBody(frame, { ...request, responsePartitionLimit: PAGE })]
    return { kind: 'forward', frames, response: edit, thenClose: false }
  }

  /** @param change false: something must be asked first; `last`: no more asking */
  #edit(caller: Caller, change: (response: Response, last: boolean) => boolean): ResponseEdit {
    const changed = (frame: Buffer, last: boolean): Buffer | null => {
      const response = this.#edition.decodeResponse(frame)
      return change(response, last) ? this.#edition.withBody(frame, response) : null
    }
    const whole = ([frame]: readonly Buffer[]): Buffer | Promise<Buffer> => {
      const done = changed(frame!, false)
      if (done !== null) return done
      const kept = Buffer.from(frame!)
      return caller.rights.settle().then(() => changed(kept, true)!)
    }
    return { frames: 1, stream: () => null, whole }
  }
}

/** Names are compared as Java compares strings: by UTF-16 units, as JavaScript does. */
function wanted({ topics, cursor }: Request): string[] {
  const from = cursor?.topicName ?? ''
  return [...new Set(topics.map(topic => topic.name))].filter(name => name >= from).sort()
}

function isInvalid({ topics, cursor }: Request): boolean {
  if (cursor === null) return false
  return cursor.partitionIndex < 0 || (topics.length > 0 && !topics.some(topic => topic.name === cursor.topicName))
}

/** Names in the response without DESCRIBE; null: ask first. */
function hiddenNames({ topics, nextCursor }: Response, caller: Caller, last: boolean): Set<Name> | null {
  const hidden = new Set<Name>()
  const names = new Set(topics.map(topic => topic.name))
  if (nextCursor !== null) names.add(nextCursor.topicName)
  let unknown = false
  for (const text of names) {
    const name = caller.names.text(Resource.Topic, text)
    const verdict = caller.rights.check(Operation.Describe, name)
    if (verdict === Verdict.Allowed) caller.rights.operations(name)
    else if (verdict === Verdict.Refused) hidden.add(name)
    else if (verdict === Verdict.Unknown && !last) unknown = true
    else throw new UndecidedError()
  }
  return unknown ? null : hidden
}

/** KRaftMetadataCache.java describeTopicResponse, over the topics that may be seen. */
function cut(response: Response, limit: number, isHidden: ReadonlySet<string>): void {
  const seen = (response.topics as Topic[]).filter(topic => !isHidden.has(topic.name))
  const page: Topic[] = []
  let left = limit
  response.topics = page
  for (const topic of seen) {
    if (left === 0) {
      response.nextCursor = { topicName: topic.name, partitionIndex: 0 }
      return
    }
    const beyond = topic.partitions[left]
    page.push(topic)
    topic.partitions = topic.partitions.slice(0, left)
    if (beyond !== undefined) {
      response.nextCursor = { topicName: topic.name, partitionIndex: beyond.partitionIndex }
      return
    }
    left -= topic.partitions.length
  }
}

/** A cursor on a hidden topic goes on to the next that may be seen, of those that the gate knows. False: ask first. */
function cursorSeen(response: Response, hidden: ReadonlySet<Name>, { cluster, rights }: Caller, last: boolean): boolean {
  const at = response.nextCursor?.topicName
  if (at === undefined || ![...hidden].some(name => name.text === at)) return true
  const behind = cluster.topicNames().filter(name => name.text > at)
  const verdicts = behind.map(name => rights.check(Operation.Describe, name))
  if (verdicts.includes(Verdict.Unknown) && !last) return false
  if (verdicts.includes(Verdict.Unknown) || verdicts.includes(Verdict.Undecided)) throw new UndecidedError()
  const seen = behind.filter((_, i) => verdicts[i] === Verdict.Allowed).map(name => name.text)
  const [topicName] = seen.sort()
  response.nextCursor = topicName === undefined ? null : { topicName, partitionIndex: 0 }
  return true
}

/** False: ask first. */
function writeOperations(topics: readonly Topic[], caller: Caller, last: boolean): boolean {
  for (const topic of topics) {
    const operations = caller.rights.operations(caller.names.text(Resource.Topic, topic.name))
    if (operations === -1) {
      if (last) throw new UndecidedError()
      return false
    }
    topic.topicAuthorizedOperations = operations
  }
  return true
}
