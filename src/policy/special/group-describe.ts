// Consumer, share and streams groups described: one topic that the caller may not describe hides its whole group.

import type { Api } from '../../protocol/schema.ts'
import { COORDINATOR_NOT_AVAILABLE, OPERATIONS_OMITTED, TOPIC_AUTHORIZATION_FAILED } from '../answers.ts'
import { Operation, Resource, Verdict } from '../authorizer.ts'
import { Edition } from '../edition.ts'
import { Judging } from '../judging.ts'
import { type Caller, type Outcome, type Plan, type ResponseEdit, UndecidedError } from '../outcome.ts'

/** What tells one of the three APIs from the others. */
export interface Described {
  readonly api: Api
  /** The topics of a group that the caller must be allowed to describe. */
  readonly topicsOf: (group: any) => Iterable<string>
  readonly message: string
}

const assigned = (assignment: any): string[] => assignment.topicPartitions.map((t: any) => t.topicName)
const HAS_TOPICS = 'The group has described topic(s) that the client is not authorized to describe.'

/** KafkaApis.scala handleConsumerGroupDescribe. */
export const describedConsumerGroups = (api: Api): Described => ({
  api,
  topicsOf: group => group.members.flatMap((member: any) => [...assigned(member.assignment), ...assigned(member.targetAssignment)]),
  message: HAS_TOPICS,
})

/** KafkaApis.scala handleShareGroupDescribe. */
export const describedShareGroups = (api: Api): Described => ({
  api,
  topicsOf: group => group.members.flatMap((member: any) => assigned(member.assignment)),
  message: HAS_TOPICS,
})

/** KafkaApis.scala handleStreamsGroupDescribe: what the topology says counts, the description that an application sent does not. */
export const describedStreamsGroups = (api: Api): Described => ({
  api,
  topicsOf: ({ topology }) =>
    (topology?.subtopologies ?? []).flatMap((part: any) => [
      ...part.sourceTopics,
      ...part.repartitionSinkTopics,
      ...part.repartitionSourceTopics.map((topic: any) => topic.name),
      ...part.stateChangelogTopics.map((topic: any) => topic.name),
    ]),
  message: 'The described group uses topics that the client is not authorized to describe.',
})

export const groupDescribePlan =
  (described: Described) =>
  (version: number): Plan =>
    new GroupDescribePlan(described, version)

class GroupDescribePlan implements Plan {
  readonly apiKey: number
  readonly apiVersion: number
  readonly #described: Described
  readonly #edition: Edition

  constructor(described: Described, version: number) {
    this.apiKey = described.api.key
    this.apiVersion = version
    this.#described = described
    this.#edition = new Edition(described.api, version)
  }

  /** Refused groups answer first, as in Kafka. */
  judge(frame: Buffer, caller: Caller, last: boolean): Outcome {
    const request = this.#edition.decodeRequest(frame)
    const judging = new Judging(caller, last)
    const errorCodes: number[] = request.groupIds.map((groupId: string) =>
      judging.codeOf(Operation.Describe, caller.names.text(Resource.Group, groupId), COORDINATOR_NOT_AVAILABLE),
    )
    if (judging.mustWait) return judging.wait()
    judging.tell()
    const refused = request.groupIds.flatMap((groupId: string, i: number) =>
      errorCodes[i] === 0 ? [] : [{ groupId, errorCode: errorCodes[i] }],
    )
    if (refused.length > 0 && refused.length === errorCodes.length) return this.#edition.answer(frame, { groups: refused })
    const groupIds = request.groupIds.filter((_: string, i: number) => errorCodes[i] === 0)
    const frames = refused.length === 0 ? null : [this.#edition.requestWithBody(frame, { ...request, groupIds })]
    return { kind: 'forward', frames, response: this.#edit(caller, refused), thenClose: false }
  }

  #edit(caller: Caller, refused: readonly object[]): ResponseEdit {
    const edited = (frame: Buffer, body: any, last: boolean): Buffer | null => {
      const judging = new Judging(caller, last)
      const groups = body.groups.map((group: any) => this.#shown(group, judging))
      if (judging.mustWait) return null
      return this.#edition.withBody(frame, { ...body, groups: [...refused, ...groups] })
    }
    return {
      frames: 1,
      stream: () => null,
      whole: ([frame]) => {
        const kept = Buffer.from(frame!)
        const body = this.#edition.decodeResponse(kept)
        return edited(kept, body, false) ?? caller.rights.settle().then(() => edited(kept, body, true)!)
      },
    }
  }

  /** The group as the caller may see it. */
  #shown(group: any, judging: Judging): object {
    const { caller } = judging
    const names = [...new Set(this.#described.topicsOf(group))].map(topic => caller.names.text(Resource.Topic, topic))
    const verdicts = names.map(name => judging.check(Operation.Describe, name))
    const operations = this.#operations(group, judging)
    if (judging.mustWait) return group
    for (const [i, name] of names.entries()) {
      if (verdicts[i] === Verdict.Refused) caller.hidden(Operation.Describe, name)
      else if (verdicts[i] !== Verdict.Allowed) caller.undecided(Operation.Describe, name)
    }
    const { groupId } = group
    if (verdicts.includes(Verdict.Refused))
      return { groupId, errorCode: TOPIC_AUTHORIZATION_FAILED, errorMessage: this.#described.message, members: [] }
    if (verdicts.some(verdict => verdict !== Verdict.Allowed)) return { groupId, errorCode: COORDINATOR_NOT_AVAILABLE, members: [] }
    return { ...group, authorizedOperations: operations }
  }

  /** An open broker says that everything is allowed: KIP-430. @throws {UndecidedError} */
  #operations({ groupId, errorCode, authorizedOperations }: any, judging: Judging): number {
    if (authorizedOperations === OPERATIONS_OMITTED || errorCode !== 0) return authorizedOperations
    const operations = judging.caller.rights.operations(judging.caller.names.text(Resource.Group, groupId))
    if (operations < 0 && judging.unknown() === Verdict.Undecided) throw new UndecidedError()
    return operations
  }
}
