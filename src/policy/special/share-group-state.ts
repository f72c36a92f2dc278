// The state of share groups, which brokers keep for each other: told to clients as brokers tell it, and refused to all of them.

import type { Api } from '../../protocol/schema.ts'
import { CLUSTER_AUTHORIZATION_FAILED, defaultText } from '../answers.ts'
import { Operation } from '../authorizer.ts'
import { Edition } from '../edition.ts'
import { clusterName } from '../judging.ts'
import type { Caller, Outcome, Plan } from '../outcome.ts'

export const shareGroupStatePlan =
  (api: Api) =>
  (version: number): Plan =>
    new ShareGroupStatePlan(api, version)

/** KafkaApis.scala handleInitializeShareGroupStateRequest and its like, for one who has no CLUSTER_ACTION. */
class ShareGroupStatePlan implements Plan {
  readonly apiKey: number
  readonly apiVersion: number
  readonly #edition: Edition

  constructor(api: Api, version: number) {
    this.apiKey = api.key
    this.apiVersion = version
    this.#edition = new Edition(api, version)
  }

  judge(frame: Buffer, caller: Caller): Outcome {
    const { topics } = this.#edition.decodeRequest(frame)
    caller.refused(Operation.ClusterAction, clusterName(caller), CLUSTER_AUTHORIZATION_FAILED)
    const results = topics.map(({ topicId, partitions }: any) => ({
      topicId,
      partitions: partitions.map(({ partition }: any) => ({
        partition,
        errorCode: CLUSTER_AUTHORIZATION_FAILED,
        errorMessage: defaultText(CLUSTER_AUTHORIZATION_FAILED),
      })),
    }))
    return this.#edition.answer(frame, { results })
  }
}
