// Offsets of share groups: refused topics leave the request, the coordinator is always asked, and what it says of the whole stands alone.

import { AlterShareGroupOffsets } from '../../protocol/messages/91-alter-share-group-offsets.ts'
import { DeleteShareGroupOffsets } from '../../protocol/messages/92-delete-share-group-offsets.ts'
import type { Api } from '../../protocol/schema.ts'
import { COORDINATOR_NOT_AVAILABLE, defaultText } from '../answers.ts'
import { Operation, Resource } from '../authorizer.ts'
import { Edition } from '../edition.ts'
import { Judging } from '../judging.ts'
import { type Caller, type Outcome, PASS, type Plan, type ResponseEdit } from '../outcome.ts'

type Answered = (topic: any, errorCode: number, caller: Caller) => object

/** KafkaApis.scala handleAlterShareGroupOffsetsRequest: a refusal names the topic's id too. */
export const alterShareGroupOffsetsPlan = (version: number): Plan =>
  new ShareGroupOffsetsPlan(
    AlterShareGroupOffsets,
    version,
    Operation.Read,
    ({ topicName, partitions }, errorCode, { cluster, names }) => ({
      topicName,
      topicId: cluster.idOf(names.text(Resource.Topic, topicName))?.toString('hex') ?? NO_ID,
      partitions: partitions.map(({ partitionIndex }: any) => ({ partitionIndex, errorCode, errorMessage: defaultText(errorCode) })),
    }),
  )

/** KafkaApis.scala handleDeleteShareGroupOffsetsRequest. */
export const deleteShareGroupOffsetsPlan = (version: number): Plan =>
  new ShareGroupOffsetsPlan(DeleteShareGroupOffsets, version, Operation.Delete, ({ topicName }, errorCode) => ({
    topicName,
    errorCode,
    errorMessage: defaultText(errorCode),
  }))

const NO_ID = '0'.repeat(32)

class ShareGroupOffsetsPlan implements Plan {
  readonly apiKey: number
  readonly apiVersion: number
  readonly #edition: Edition
  readonly #groupOperation: Operation
  readonly #answered: Answered

  constructor(api: Api, version: number, groupOperation: Operation, answered: Answered) {
    this.apiKey = api.key
    this.apiVersion = version
    this.#edition = new Edition(api, version)
    this.#groupOperation = groupOperation
    this.#answered = answered
  }

  judge(frame: Buffer, caller: Caller, last: boolean): Outcome {
    const request = this.#edition.decodeRequest(frame)
    const judging = new Judging(caller, last)
    const names = request.topics.map(({ topicName }: any) => caller.names.text(Resource.Topic, topicName))
    for (const name of names) judging.check(Operation.Read, name)
    const errorCode = judging.codeOf(this.#groupOperation, caller.names.text(Resource.Group, request.groupId), COORDINATOR_NOT_AVAILABLE)
    const codes: number[] = errorCode === 0 ? names.map((name: any) => judging.codeOf(Operation.Read, name, COORDINATOR_NOT_AVAILABLE)) : []
    if (judging.mustWait) return judging.wait()
    judging.tell()
    if (errorCode !== 0) return this.#edition.answer(frame, { errorCode, errorMessage: defaultText(errorCode) })
    if (codes.every(code => code === 0)) return PASS
    const answers = request.topics.flatMap((topic: any, i: number) => (codes[i] === 0 ? [] : [this.#answered(topic, codes[i]!, caller)]))
    const topics = request.topics.filter((_: any, i: number) => codes[i] === 0)
    const rest = this.#edition.requestWithBody(frame, { ...request, topics })
    return { kind: 'forward', frames: [rest], response: this.#edit(answers), thenClose: false }
  }

  #edit(answers: readonly object[]): ResponseEdit {
    return {
      frames: 1,
      stream: () => null,
      whole: ([frame]) => {
        const body = this.#edition.decodeResponse(frame!)
        if (body.errorCode !== 0) return frame!
        return this.#edition.withBody(frame!, { ...body, responses: [...answers, ...body.responses] })
      },
    }
  }
}
