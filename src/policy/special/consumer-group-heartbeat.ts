// ConsumerGroupHeartbeat: READ on the group, DESCRIBE on every topic named; a pattern is resolved here to the names that the member may describe.

import { ConsumerGroupHeartbeat } from '../../protocol/messages/68-consumer-group-heartbeat.ts'
import { COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE } from '../answers.ts'
import { Operation, Resource, Verdict } from '../authorizer.ts'
import { Edition, type FrameWalk } from '../edition.ts'
import { Judging } from '../judging.ts'
import { type Caller, type Outcome, PASS, type Plan, type ResponseEdit } from '../outcome.ts'
import { patternsOf } from '../regex.ts'
import { Member, membersOf } from './consumer-group-members.ts'
import { topicNames, worstOf } from './share-group-heartbeat.ts'

const INVALID_REGULAR_EXPRESSION = 128
/** A pattern may take longer to match all topics; its member then asks again. */
const PATIENCE_MS = 500

export const consumerGroupHeartbeatPlan = (version: number): Plan => new ConsumerGroupHeartbeatPlan(version)

/** What a pattern comes to. */
type Resolved =
  | { readonly kind: 'names'; readonly names: readonly string[] }
  | { readonly kind: 'told'; readonly errorCode: number; readonly errorMessage?: string }
  | { readonly kind: 'wait'; readonly ready: Promise<void> }

/**
 * KafkaApis.scala handleConsumerGroupHeartbeat. A broker matches a pattern against all its topics, and an open one hides none of them from
 * the group; so the coordinator is told names, and told again when topics come or go or rights change (KIP-848).
 */
class ConsumerGroupHeartbeatPlan implements Plan {
  readonly apiKey = ConsumerGroupHeartbeat.key
  readonly apiVersion: number
  readonly #edition: Edition
  readonly #walkError: FrameWalk

  constructor(version: number) {
    this.apiVersion = version
    this.#edition = new Edition(ConsumerGroupHeartbeat, version)
    this.#walkError = this.#edition.responseWalk(['errorCode'])
  }

  judge(frame: Buffer, caller: Caller, last: boolean): Outcome {
    const body = this.#edition.decodeRequest(frame)
    const judging = new Judging(caller, last)
    const named = body.subscribedTopicNames === null ? [] : topicNames(body.subscribedTopicNames, caller)
    for (const name of named) judging.check(Operation.Describe, name)
    const errorCode =
      judging.codeOf(Operation.Read, caller.names.text(Resource.Group, body.groupId), COORDINATOR_NOT_AVAILABLE) ||
      worstOf(named.map(name => judging.codeOf(Operation.Describe, name, COORDINATOR_NOT_AVAILABLE)))
    if (judging.mustWait) return judging.wait()
    if (errorCode !== 0) {
      judging.tell()
      return this.#edition.answer(frame, { errorCode })
    }
    return this.#subscribe(frame, body, caller, last)
  }

  #subscribe(frame: Buffer, body: any, caller: Caller, last: boolean): Outcome {
    const { groupId, memberId, memberEpoch, subscribedTopicNames: named, subscribedTopicRegex: said = null } = body
    const members = membersOf(caller)
    const member = members.get(groupId, memberId)
    if (memberEpoch < 0) {
      members.delete(groupId, memberId)
      return PASS
    }
    const pattern: string = said ?? member?.pattern ?? ''
    const names: readonly string[] = named ?? member?.names ?? []
    if (pattern === '') {
      if (named !== null || said !== null) members.set(groupId, memberId, new Member('', names, null))
      // What a pattern came to is all that the coordinator knows of this member's names.
      const isLeft = named === null && member !== null && member.pattern !== ''
      return isLeft ? this.#forward(frame, { ...body, subscribedTopicNames: names }, null) : PASS
    }
    const isNew = said !== null || named !== null || member === null || member.told === null
    if (!isNew && member.isCurrent(caller)) return PASS
    return this.#resolve(frame, body, caller, last, { pattern, names, member, isNew })
  }

  #resolve(
    frame: Buffer,
    body: any,
    caller: Caller,
    last: boolean,
    { pattern, names, member, isNew }: { pattern: string; names: readonly string[]; member: Member | null; isNew: boolean },
  ): Outcome {
    const { rights, cluster } = caller
    const { epoch } = rights
    const { topicsEpoch } = cluster
    const resolved = resolve(pattern, caller, last)
    if (resolved.kind === 'wait') return resolved
    if (resolved.kind === 'told') {
      const { errorCode, errorMessage = null } = resolved
      // The member keeps what it has while its new names are not known.
      return isNew ? this.#edition.answer(frame, { errorCode, errorMessage }) : PASS
    }
    const all = [...new Set([...names, ...resolved.names])].sort()
    const told = all.join(' ')
    const next = new Member(pattern, names, told)
    next.resolvedBy(rights, epoch, topicsEpoch)
    membersOf(caller).set(body.groupId, body.memberId, next)
    if (!isNew && member!.told === told) return PASS
    return this.#forward(frame, { ...body, subscribedTopicNames: all, subscribedTopicRegex: '' }, next)
  }

  /** What was told counts only if the coordinator took it. */
  #forward(frame: Buffer, body: object, member: Member | null): Outcome {
    const response: ResponseEdit | null = member && {
      frames: 1,
      stream: () => null,
      whole: ([answer]) => {
        this.#walkError(answer!, (_mark, bytes, start) => {
          if (bytes.readInt16BE(start) !== 0) member.told = null
        })
        return answer!
      },
    }
    return { kind: 'forward', frames: [this.#edition.requestWithBody(frame, body)], response, thenClose: false }
  }
}

/** The topics that match and that the caller may describe. One who may not is told nothing, as in Kafka. */
function resolve(text: string, caller: Caller, last: boolean): Resolved {
  const pattern = patternsOf(caller).of(text)
  const matched = pattern.wrong === null ? pattern.matched(caller.cluster) : []
  if (pattern.wrong !== null) {
    const errorMessage = `SubscribedTopicRegex \`${text}\` is not a valid regular expression: ${pattern.wrong}.`
    return { kind: 'told', errorCode: INVALID_REGULAR_EXPRESSION, errorMessage }
  }
  if (matched === null) {
    if (last) return { kind: 'told', errorCode: COORDINATOR_LOAD_IN_PROGRESS }
    return { kind: 'wait', ready: Promise.race([pattern.ready, new Promise<void>(resolve => setTimeout(resolve, PATIENCE_MS))]) }
  }
  const judging = new Judging(caller, last)
  const names = topicNames(matched, caller)
  const verdicts = names.map(name => judging.check(Operation.Describe, name))
  if (judging.mustWait) return judging.wait()
  const undecided = names.find((_, i) => verdicts[i] !== Verdict.Allowed && verdicts[i] !== Verdict.Refused)
  if (undecided !== undefined) {
    caller.undecided(Operation.Describe, undecided)
    return { kind: 'told', errorCode: COORDINATOR_NOT_AVAILABLE }
  }
  return { kind: 'names', names: names.filter((_, i) => verdicts[i] === Verdict.Allowed).map(name => name.text) }
}
