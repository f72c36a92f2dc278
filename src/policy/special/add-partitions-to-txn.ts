// AddPartitionsToTxn: all partitions or none, and the broker says which topics there are. KafkaApis.scala handleAddPartitionsToTxnRequest.

import { compileEncode } from '../../protocol/codec.ts'
import { AddPartitionsToTxn } from '../../protocol/messages/24-add-partitions-to-txn.ts'
import { CLUSTER_AUTHORIZATION_FAILED, COORDINATOR_NOT_AVAILABLE, refusalOf, TOPIC_AUTHORIZATION_FAILED } from '../answers.ts'
import { Operation, Resource, Verdict } from '../authorizer.ts'
import { Edition, elementOf } from '../edition.ts'
import { FIRST, type Graft, LAST, type ListAt, listFinder, withGrafts, without } from '../graft.ts'
import { clusterName, Judging } from '../judging.ts'
import { type Answer, type Caller, type Outcome, PASS, type Plan } from '../outcome.ts'

/** From here on only brokers ask, for many transactions at once. */
const BROKER_VERSION = 4
const TOPICS = 'v3AndBelowTopics'
const RESULTS = 'resultsByTopicV3AndBelow'
/** No topic has this name: a request that holds it adds nothing, and the broker says so of every other topic, too. */
const NO_TOPIC = { name: '', partitions: [0] }

interface Topic {
  readonly name: string
  readonly partitions: readonly number[]
}

export const addPartitionsToTxnPlan = (version: number): Plan =>
  version >= BROKER_VERSION ? new BrokersOnly(version) : new AddPartitionsToTxnPlan(version)

class BrokersOnly implements Plan {
  readonly apiKey = AddPartitionsToTxn.key
  readonly apiVersion: number
  readonly #edition: Edition

  constructor(version: number) {
    this.apiVersion = version
    this.#edition = new Edition(AddPartitionsToTxn, version)
  }

  judge(frame: Buffer, caller: Caller): Outcome {
    this.#edition.decodeRequest(frame)
    caller.refused(Operation.ClusterAction, clusterName(caller), CLUSTER_AUTHORIZATION_FAILED)
    return this.#edition.answer(frame, { errorCode: CLUSTER_AUTHORIZATION_FAILED })
  }
}

class AddPartitionsToTxnPlan implements Plan {
  readonly apiKey = AddPartitionsToTxn.key
  readonly apiVersion: number
  readonly #edition: Edition
  readonly #findTopics: (request: Buffer) => ListAt
  readonly #findResults: (response: Buffer) => ListAt
  readonly #encodeResult: (result: object) => Buffer
  readonly #noTopic: Buffer

  constructor(version: number) {
    this.apiVersion = version
    this.#edition = new Edition(AddPartitionsToTxn, version)
    this.#findTopics = listFinder(this.#edition, 'request', TOPICS)
    this.#findResults = listFinder(this.#edition, 'response', RESULTS)
    this.#encodeResult = compileEncode(elementOf(this.#edition.response, RESULTS))
    this.#noTopic = compileEncode(elementOf(this.#edition.request, TOPICS))(NO_TOPIC)
  }

  judge(frame: Buffer, caller: Caller, last: boolean): Outcome {
    const request = this.#edition.decodeRequest(frame)
    const topics: readonly Topic[] = request[TOPICS]
    const judging = new Judging(caller, last)
    const id = caller.names.text(Resource.TransactionalId, request.v3AndBelowTransactionalId)
    const names = topics.map(topic => caller.names.text(Resource.Topic, topic.name))
    const verdicts = names.map(name => judging.check(Operation.Write, name))
    const may = judging.check(Operation.Write, id)
    if (may === Verdict.Refused) {
      caller.refused(Operation.Write, id, refusalOf(id.resource))
      return this.#answerAll(frame, topics, refusalOf(id.resource))
    }
    if (judging.mustWait) return judging.wait()
    const isRefused = verdicts.map(verdict => verdict === Verdict.Refused)
    const unsure = [may, ...verdicts].map(verdict => verdict !== Verdict.Allowed && verdict !== Verdict.Refused)
    if (unsure.includes(true)) {
      for (const name of [id, ...names].filter((_, i) => unsure[i])) caller.undecided(Operation.Write, name)
      return this.#answerAll(frame, topics, COORDINATOR_NOT_AVAILABLE)
    }
    if (!isRefused.includes(true)) return PASS
    for (const name of new Set(names.filter((_, i) => isRefused[i]))) caller.refused(Operation.Write, name, TOPIC_AUTHORIZATION_FAILED)
    const refused = topics.filter((_, i) => isRefused[i])
    if (refused.length === topics.length) return this.#answerAll(frame, topics, TOPIC_AUTHORIZATION_FAILED)
    return this.#probe(frame, isRefused, refused)
  }

  /** The broker is asked for the rest, with a topic that there cannot be: it adds nothing, and tells absent topics from the others. */
  #probe(frame: Buffer, isRefused: readonly boolean[], refused: readonly Topic[]): Outcome {
    const { flexible } = this.#edition
    const rest = without(frame, this.#findTopics(frame), i => isRefused[i]!, flexible)
    const probe = withGrafts(rest, this.#findTopics(rest), [{ before: FIRST, bytes: this.#noTopic }], flexible)
    const grafts: Graft[] = merged(refused).map(topic => ({
      before: LAST,
      bytes: this.#encodeResult(resultOf(topic, TOPIC_AUTHORIZATION_FAILED)),
    }))
    const whole = ([response]: readonly Buffer[]): Buffer => {
      const results: any[] = this.#edition.decodeResponse(response!)[RESULTS]
      const known = without(response!, this.#findResults(response!), i => results[i].name === NO_TOPIC.name, flexible)
      return withGrafts(known, this.#findResults(known), grafts, flexible)
    }
    return { kind: 'forward', frames: [probe], response: { frames: 1, stream: () => null, whole }, thenClose: false }
  }

  #answerAll(frame: Buffer, topics: readonly Topic[], errorCode: number): Answer {
    return this.#edition.answer(frame, { [RESULTS]: merged(topics).map(topic => resultOf(topic, errorCode)) })
  }
}

/** Topics are a set to the broker, as partitions are. */
function merged(topics: readonly Topic[]): Topic[] {
  const partitionsOf = new Map<string, Set<number>>()
  for (const { name, partitions } of topics) {
    const known = partitionsOf.get(name)
    if (known === undefined) partitionsOf.set(name, new Set(partitions))
    else for (const partition of partitions) known.add(partition)
  }
  return [...partitionsOf].map(([name, partitions]) => ({ name, partitions: [...partitions] }))
}

const resultOf = ({ name, partitions }: Topic, partitionErrorCode: number) => ({
  name,
  resultsByPartition: partitions.map(partitionIndex => ({ partitionIndex, partitionErrorCode })),
})
