// ShareGroupHeartbeat: READ on the group, then a member id that can be one, then DESCRIBE on all topics that it subscribes to.

import { ShareGroupHeartbeat } from '../../protocol/messages/76-share-group-heartbeat.ts'
import { COORDINATOR_NOT_AVAILABLE, INVALID_REQUEST } from '../answers.ts'
import { Operation, Resource } from '../authorizer.ts'
import { Edition } from '../edition.ts'
import { Judging } from '../judging.ts'
import { type Caller, type Outcome, PASS, type Plan } from '../outcome.ts'

const MAX_MEMBER_ID_CHARACTERS = 36

/** KafkaApis.scala isMemberIdValid. */
export const isMemberId = (memberId: string | null): boolean =>
  memberId !== null && memberId !== '' && memberId.length <= MAX_MEMBER_ID_CHARACTERS

export const shareGroupHeartbeatPlan = (version: number): Plan => new ShareGroupHeartbeatPlan(version)

/** KafkaApis.scala handleShareGroupHeartbeat. */
class ShareGroupHeartbeatPlan implements Plan {
  readonly apiKey = ShareGroupHeartbeat.key
  readonly apiVersion: number
  readonly #edition: Edition

  constructor(version: number) {
    this.apiVersion = version
    this.#edition = new Edition(ShareGroupHeartbeat, version)
  }

  judge(frame: Buffer, caller: Caller, last: boolean): Outcome {
    const { groupId, memberId, subscribedTopicNames } = this.#edition.decodeRequest(frame)
    const judging = new Judging(caller, last)
    const group = caller.names.text(Resource.Group, groupId)
    const topics = subscribedTopicNames === null ? [] : topicNames(subscribedTopicNames, caller)
    for (const topic of topics) judging.check(Operation.Describe, topic)
    let errorCode = judging.codeOf(Operation.Read, group, COORDINATOR_NOT_AVAILABLE)
    if (errorCode === 0 && !isMemberId(memberId)) errorCode = INVALID_REQUEST
    else if (errorCode === 0) errorCode = worstOf(topics.map(topic => judging.codeOf(Operation.Describe, topic, COORDINATOR_NOT_AVAILABLE)))
    if (judging.mustWait) return judging.wait()
    judging.tell()
    return errorCode === 0 ? PASS : this.#edition.answer(frame, { errorCode })
  }
}

export const topicNames = (texts: readonly string[], { names }: Caller) => [...new Set(texts)].map(text => names.text(Resource.Topic, text))

/** Of what is told of many topics, what is told of the request: a refusal stands before what could not be decided. */
export const worstOf = (errorCodes: readonly number[]): number =>
  errorCodes.find(code => code !== 0 && code !== COORDINATOR_NOT_AVAILABLE) ?? errorCodes.find(code => code !== 0) ?? 0
