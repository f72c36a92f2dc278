// InitProducerId: WRITE on the transactional id, or without one the right to write anything. KafkaApis.scala handleInitProducerIdRequest.

import { InitProducerId } from '../../protocol/messages/22-init-producer-id.ts'
import { CLUSTER_AUTHORIZATION_FAILED, COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, refusalOf } from '../answers.ts'
import { Operation, Resource, Verdict } from '../authorizer.ts'
import { Edition, type FrameWalk } from '../edition.ts'
import { clusterName, Judging } from '../judging.ts'
import type { Name } from '../names.ts'
import { type Caller, type Outcome, PASS, type Plan } from '../outcome.ts'

const TRANSACTIONAL_ID = 0
const ENABLE_2PC = 1

export const initProducerIdPlan = (version: number): Plan => new InitProducerIdPlan(version)

class InitProducerIdPlan implements Plan {
  readonly apiKey = InitProducerId.key
  readonly apiVersion: number
  readonly #edition: Edition
  readonly #walk: FrameWalk

  constructor(version: number) {
    this.apiVersion = version
    this.#edition = new Edition(InitProducerId, version)
    this.#walk = this.#edition.requestWalk(['transactionalId', 'enable2Pc'])
  }

  judge(frame: Buffer, caller: Caller, last: boolean): Outcome {
    let name: Name | null = null
    let twoPhase = false
    this.#walk(frame, (mark, bytes, start, end) => {
      if (mark === TRANSACTIONAL_ID && start >= 0) name = caller.names.of(Resource.TransactionalId, bytes, start, end)
      else if (mark === ENABLE_2PC) twoPhase = bytes[start] !== 0
    })
    const judging = new Judging(caller, last)
    return name === null ? this.#idempotent(frame, judging) : this.#transactional(frame, judging, name, twoPhase)
  }

  #transactional(frame: Buffer, judging: Judging, name: Name, twoPhase: boolean): Outcome {
    const operations = twoPhase ? [Operation.Write, Operation.TwoPhaseCommit] : [Operation.Write]
    const verdicts = operations.map(operation => judging.check(operation, name))
    const stopped = verdicts.findIndex(verdict => verdict !== Verdict.Allowed)
    if (stopped < 0) return PASS
    if (verdicts[stopped] === Verdict.Refused) {
      judging.caller.refused(operations[stopped]!, name, refusalOf(name.resource))
      return this.#answer(frame, refusalOf(name.resource))
    }
    if (judging.mustWait) return judging.wait()
    judging.caller.undecided(operations[stopped]!, name)
    return this.#answer(frame, COORDINATOR_NOT_AVAILABLE)
  }

  /** Undecided: a producer without transactions has no coordinator to look for, and tries again at once on this code. */
  #idempotent(frame: Buffer, judging: Judging): Outcome {
    const { caller } = judging
    let verdict = caller.rights.mayWriteSomething()
    if (verdict === Verdict.Allowed) return PASS
    if (verdict === Verdict.Unknown) verdict = judging.unknown()
    if (judging.mustWait) return judging.wait()
    if (verdict === Verdict.Refused) {
      caller.refused(Operation.IdempotentWrite, clusterName(caller), CLUSTER_AUTHORIZATION_FAILED)
      return this.#answer(frame, CLUSTER_AUTHORIZATION_FAILED)
    }
    caller.undecided(Operation.IdempotentWrite, clusterName(caller))
    return this.#answer(frame, COORDINATOR_LOAD_IN_PROGRESS)
  }

  #answer(frame: Buffer, errorCode: number): Outcome {
    return this.#edition.answer(frame, { errorCode, producerId: -1n, producerEpoch: -1 })
  }
}
