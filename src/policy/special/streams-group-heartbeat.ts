// StreamsGroupHeartbeat: READ on the group, and for a topology DESCRIBE on every topic that it names.

import { StreamsGroupHeartbeat } from '../../protocol/messages/88-streams-group-heartbeat.ts'
import { COORDINATOR_NOT_AVAILABLE, INVALID_REQUEST, TOPIC_AUTHORIZATION_FAILED } from '../answers.ts'
import { Operation, Resource, Verdict } from '../authorizer.ts'
import { Edition } from '../edition.ts'
import { Judging } from '../judging.ts'
import { isTopicName, type Name } from '../names.ts'
import { type Caller, type Outcome, PASS, type Plan } from '../outcome.ts'
import { topicNames, worstOf } from './share-group-heartbeat.ts'

const STREAMS_INVALID_TOPOLOGY = 130

/** org.apache.kafka.common.internals.Topic.isInternal. */
const INTERNAL = new Set(['__consumer_offsets', '__transaction_state', '__share_group_state'])

export const streamsGroupHeartbeatPlan = (version: number): Plan => new StreamsGroupHeartbeatPlan(version)

interface Told {
  readonly errorCode: number
  readonly errorMessage?: string
}

/**
 * KafkaApis.scala handleStreamsGroupHeartbeat. An open broker makes missing internal topics for whoever asks, in this heartbeat or a later
 * one, so that the right to make them is judged where they are named.
 */
class StreamsGroupHeartbeatPlan implements Plan {
  readonly apiKey = StreamsGroupHeartbeat.key
  readonly apiVersion: number
  readonly #edition: Edition

  constructor(version: number) {
    this.apiVersion = version
    this.#edition = new Edition(StreamsGroupHeartbeat, version)
  }

  judge(frame: Buffer, caller: Caller, last: boolean): Outcome {
    const { groupId, topology } = this.#edition.decodeRequest(frame)
    const judging = new Judging(caller, last)
    const topics = topicsOf(topology, caller)
    for (const name of topics.required) judging.check(Operation.Describe, name)
    for (const name of topics.internal) judging.check(Operation.Create, name)
    const errorCode = judging.codeOf(Operation.Read, caller.names.text(Resource.Group, groupId), COORDINATOR_NOT_AVAILABLE)
    const told = errorCode === 0 ? judgeTopology(topics, judging) : { errorCode }
    if (judging.mustWait) return judging.wait()
    judging.tell()
    return told === null ? PASS : this.#edition.answer(frame, told)
  }
}

interface Topics {
  readonly required: readonly Name[]
  /** Those of them that the broker would make. */
  readonly internal: readonly Name[]
  /** Sources are also given by a pattern. */
  readonly patterned: boolean
}

function topicsOf(topology: any, caller: Caller): Topics {
  const parts: any[] = topology?.subtopologies ?? []
  const internal = topicNames(parts.flatMap(internalTopics), caller)
  return {
    required: [...new Set([...topicNames(parts.flatMap(otherTopics), caller), ...internal])],
    internal,
    patterned: parts.some(part => part.sourceTopicRegex.length > 0),
  }
}

/** What is told of a topology, in the broker's order; null: nothing. */
function judgeTopology({ required, internal, patterned }: Topics, judging: Judging): Told | null {
  const texts = required.map(name => name.text)
  const kafkas = texts.filter(text => INTERNAL.has(text))
  if (kafkas.length > 0) return invalid(`Use of Kafka internal topics ${kafkas.join(',')} in a Kafka Streams topology is prohibited.`)
  const wrong = texts.filter(text => !isTopicName(text))
  if (wrong.length > 0) return invalid(`Topic names ${wrong.join(',')} are not valid topic names.`)
  const described = worstOf(required.map(name => judging.codeOf(Operation.Describe, name, COORDINATOR_NOT_AVAILABLE)))
  if (described !== 0) return { errorCode: described }
  // GroupCoordinatorService.java throwIfStreamsGroupHeartbeatRequestIsUsingUnsupportedFeatures (4.4): a broker that comes to match them would match all topics.
  if (patterned) return { errorCode: INVALID_REQUEST, errorMessage: 'Regular expressions for source topics are not supported yet.' }
  // Whether a topic is there is asked, and told, only where all may be described.
  const needed = internal.filter(name => judging.check(Operation.Create, name) !== Verdict.Allowed && judging.hasTopic(name) !== true)
  const created = worstOf(needed.map(name => codeOfMaking(name, judging)))
  if (created !== TOPIC_AUTHORIZATION_FAILED) return created === 0 ? null : { errorCode: created }
  const refused = needed.filter(name => judging.check(Operation.Create, name) === Verdict.Refused).map(name => name.text)
  return { errorCode: created, errorMessage: `Unauthorized to CREATE on topics ${refused.join(', ')}.` }
}

function codeOfMaking(name: Name, judging: Judging): number {
  if (judging.hasTopic(name) === false) return judging.codeOf(Operation.Create, name, COORDINATOR_NOT_AVAILABLE)
  judging.undecided(Operation.Create, name)
  return COORDINATOR_NOT_AVAILABLE
}

const invalid = (errorMessage: string): Told => ({ errorCode: STREAMS_INVALID_TOPOLOGY, errorMessage })

/** Those that the coordinator makes. */
const internalTopics = ({ repartitionSourceTopics, stateChangelogTopics }: any): string[] =>
  [...repartitionSourceTopics, ...stateChangelogTopics].map(({ name }) => name)

const otherTopics = ({ sourceTopics, repartitionSinkTopics }: any): string[] => [...sourceTopics, ...repartitionSinkTopics]
