// DescribeShareGroupOffsets: DESCRIBE on each group and on each topic; of all topics, those without it are left out.

import { DescribeShareGroupOffsets } from '../../protocol/messages/90-describe-share-group-offsets.ts'
import { MalformedError } from '../../protocol/wire.ts'
import { COORDINATOR_NOT_AVAILABLE, defaultText } from '../answers.ts'
import { Operation, Resource, Verdict } from '../authorizer.ts'
import { Edition } from '../edition.ts'
import { Judging } from '../judging.ts'
import { type Caller, type Outcome, PASS, type Plan, type ResponseEdit } from '../outcome.ts'

/** One group of the request. */
interface Group {
  readonly groupId: string
  /** 0: the broker is asked for it. */
  readonly errorCode: number
  /** All topics were asked for, and those that may not be seen are left out. */
  readonly filtered: boolean
  readonly kept: object
  readonly refused: readonly object[]
}

export const describeShareGroupOffsetsPlan = (version: number): Plan => new DescribeShareGroupOffsetsPlan(version)

/** KafkaApis.scala handleDescribeShareGroupOffsetsRequest. */
class DescribeShareGroupOffsetsPlan implements Plan {
  readonly apiKey = DescribeShareGroupOffsets.key
  readonly apiVersion: number
  readonly #edition: Edition

  constructor(version: number) {
    this.apiVersion = version
    this.#edition = new Edition(DescribeShareGroupOffsets, version)
  }

  judge(frame: Buffer, caller: Caller, last: boolean): Outcome {
    const request = this.#edition.decodeRequest(frame)
    const judging = new Judging(caller, last)
    const groups: Group[] = request.groups.map((group: any) => this.#judgeGroup(group, judging))
    if (judging.mustWait) return judging.wait()
    judging.tell()
    const asked = groups.filter(group => group.errorCode === 0)
    if (asked.length === 0 && groups.length > 0) return this.#edition.answer(frame, { groups: groups.map(refusedGroup) })
    const whole = asked.length === groups.length && groups.every(group => group.refused.length === 0)
    if (whole && groups.every(group => !group.filtered)) return PASS
    const frames = whole ? null : [this.#edition.requestWithBody(frame, { ...request, groups: asked.map(group => group.kept) })]
    return { kind: 'forward', frames, response: this.#edit(caller, groups), thenClose: false }
  }

  #judgeGroup(group: any, judging: Judging): Group {
    const { names } = judging.caller
    const topics: any[] = group.topics ?? []
    const topicNames = topics.map(({ topicName }) => names.text(Resource.Topic, topicName))
    for (const name of topicNames) judging.check(Operation.Describe, name)
    const errorCode = judging.codeOf(Operation.Describe, names.text(Resource.Group, group.groupId), COORDINATOR_NOT_AVAILABLE)
    const codes = errorCode === 0 ? topicNames.map(name => judging.codeOf(Operation.Describe, name, COORDINATOR_NOT_AVAILABLE)) : []
    const refused = topics.flatMap((topic, i) => (codes[i] ? [topicAnswer(topic, codes[i]!)] : []))
    const kept = { ...group, topics: group.topics && topics.filter((_, i) => codes[i] === 0) }
    return { groupId: group.groupId, errorCode, filtered: group.topics === null, kept, refused }
  }

  #edit(caller: Caller, groups: readonly Group[]): ResponseEdit {
    const edited = (frame: Buffer, body: any, last: boolean): Buffer | null => {
      const judging = new Judging(caller, last)
      const answered: any[] = [...body.groups]
      const merged = groups.map(group => (group.errorCode === 0 ? merge(group, answered.shift(), judging) : refusedGroup(group)))
      return judging.mustWait ? null : this.#edition.withBody(frame, { ...body, groups: merged })
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
}

const refusedGroup = ({ groupId, errorCode }: Group): object => ({ groupId, errorCode })

/** The broker answers groups in the order of the request. */
function merge(asked: Group, answered: any, judging: Judging): object {
  if (answered?.groupId !== asked.groupId)
    throw new MalformedError(`share offsets of ${answered?.groupId} in the turn of ${asked.groupId}`, 0)
  if (answered.errorCode !== 0) return answered
  if (!asked.filtered) return { ...answered, topics: [...answered.topics, ...asked.refused] }
  const verdicts: Verdict[] = answered.topics.map(({ topicName }: any) =>
    judging.check(Operation.Describe, judging.caller.names.text(Resource.Topic, topicName)),
  )
  if (verdicts.includes(Verdict.Undecided)) return { groupId: asked.groupId, errorCode: COORDINATOR_NOT_AVAILABLE }
  return { ...answered, topics: answered.topics.filter((_: any, i: number) => verdicts[i] === Verdict.Allowed) }
}

const topicAnswer = ({ topicName, partitions }: any, errorCode: number): object => ({
  topicName,
  partitions: partitions.map((partitionIndex: number) => ({
    partitionIndex,
    startOffset: -1n,
    errorCode,
    errorMessage: defaultText(errorCode),
  })),
})
