// FindCoordinator: what is asked for depends on the key's type, and the answer is an address. KafkaApis.scala getCoordinator.

import { compileEncode } from '../../protocol/codec.ts'
import { FindCoordinator } from '../../protocol/messages/10-find-coordinator.ts'
import { CLUSTER_AUTHORIZATION_FAILED, COORDINATOR_NOT_AVAILABLE, defaultText, INVALID_REQUEST, refusalOf } from '../answers.ts'
import { Operation, Resource, Verdict } from '../authorizer.ts'
import { Edition, elementOf, type FrameWalk } from '../edition.ts'
import { endpointsOf } from '../endpoints.ts'
import { type Graft, type ListAt, listFinder, withGrafts, without } from '../graft.ts'
import { clusterName, Judging } from '../judging.ts'
import type { Name } from '../names.ts'
import type { Caller, Outcome, Plan, ResponseEdit } from '../outcome.ts'

/** FindCoordinatorRequest.CoordinatorType */
const GROUP = 0
const TRANSACTION = 1
const SHARE = 2
/** From here on share coordinators are found, by key `group:topicId:partition`. */
const SHARE_VERSION = 6
/** From here on a request has many keys. */
const BATCH_VERSION = 4

const KEY = 0
const KEY_TYPE = 1

interface Lists {
  readonly keys: (request: Buffer) => ListAt
  readonly coordinators: (response: Buffer) => ListAt
}
interface Key {
  readonly text: string
  readonly name: Name
  /** 0: allowed. */
  errorCode: number
}

export const findCoordinatorPlan = (version: number): Plan => new FindCoordinatorPlan(version)

class FindCoordinatorPlan implements Plan {
  readonly apiKey = FindCoordinator.key
  readonly apiVersion: number
  readonly #edition: Edition
  readonly #walk: FrameWalk
  readonly #lists: Lists | null
  readonly #encodeCoordinator: (coordinator: object) => Buffer
  readonly #endpoints

  constructor(version: number) {
    this.apiVersion = version
    this.#edition = new Edition(FindCoordinator, version)
    const batched = version >= BATCH_VERSION
    this.#walk = this.#edition.requestWalk([batched ? 'coordinatorKeys[]' : 'key', 'keyType'])
    this.#lists = batched
      ? {
          keys: listFinder(this.#edition, 'request', 'coordinatorKeys'),
          coordinators: listFinder(this.#edition, 'response', 'coordinators'),
        }
      : null
    this.#encodeCoordinator = batched ? compileEncode(elementOf(this.#edition.response, 'coordinators')) : () => Buffer.alloc(0)
    this.#endpoints = endpointsOf(this.#edition)!
  }

  judge(frame: Buffer, caller: Caller, last: boolean): Outcome {
    const keys: Key[] = []
    const spans: number[] = []
    let keyType = GROUP
    this.#walk(frame, (mark, bytes, start, end) => {
      if (mark === KEY) spans.push(start, end)
      else if (mark === KEY_TYPE) keyType = bytes.readInt8(start)
    })
    const resource = keyType === TRANSACTION ? Resource.TransactionalId : Resource.Group
    for (let i = 0; i < spans.length; i += 2) {
      const name = caller.names.of(resource, frame, spans[i]!, spans[i + 1]!)
      keys.push({ text: name.text, name, errorCode: 0 })
    }
    if (keyType !== GROUP && keyType !== TRANSACTION) return this.#share(frame, keyType, keys, new Judging(caller, last))
    return this.#judgeKeys(frame, keys, new Judging(caller, last))
  }

  #judgeKeys(frame: Buffer, keys: readonly Key[], judging: Judging): Outcome {
    for (const key of keys) {
      const verdict = judging.check(Operation.Describe, key.name)
      if (verdict === Verdict.Allowed) continue
      if (verdict === Verdict.Refused) judging.refused(Operation.Describe, key.name)
      else judging.undecided(Operation.Describe, key.name)
      key.errorCode = verdict === Verdict.Refused ? refusalOf(key.name.resource) : COORDINATOR_NOT_AVAILABLE
    }
    if (judging.mustWait) return judging.wait()
    judging.tell()
    const { caller } = judging
    if (keys.every(key => key.errorCode === 0)) return this.#forward(caller, null, [])
    if (this.#lists === null) return this.#answerOne(frame, keys[0]!.errorCode)
    if (keys.every(key => key.errorCode !== 0)) return this.#answerKeys(frame, keys, '')
    return this.#split(frame, keys, caller, this.#lists)
  }

  /** Brokers find share coordinators for one another; a client needs CLUSTER_ACTION. Types that nobody knows are invalid for every key. */
  #share(frame: Buffer, keyType: number, keys: readonly Key[], judging: Judging): Outcome {
    if (keyType !== SHARE) return this.#answerAll(frame, keys, INVALID_REQUEST, defaultText(INVALID_REQUEST))
    if (this.apiVersion < SHARE_VERSION) return this.#answerAll(frame, keys, INVALID_REQUEST, '')
    const { caller } = judging
    const verdict = judging.checkCluster(Operation.ClusterAction)
    if (verdict === Verdict.Allowed) return this.#forward(caller, null, [])
    if (judging.mustWait) return judging.wait()
    if (verdict === Verdict.Refused) {
      caller.refused(Operation.ClusterAction, clusterName(caller), CLUSTER_AUTHORIZATION_FAILED)
      return this.#answerAll(frame, keys, CLUSTER_AUTHORIZATION_FAILED, defaultText(CLUSTER_AUTHORIZATION_FAILED))
    }
    caller.undecided(Operation.ClusterAction, clusterName(caller))
    return this.#answerAll(frame, keys, COORDINATOR_NOT_AVAILABLE, '')
  }

  #answerAll(frame: Buffer, keys: readonly Key[], errorCode: number, errorMessage: string): Outcome {
    if (this.#lists === null) return this.#answerOne(frame, errorCode)
    for (const key of keys) key.errorCode = errorCode
    return this.#answerKeys(frame, keys, errorMessage)
  }

  #answerOne(frame: Buffer, errorCode: number): Outcome {
    return this.#edition.answer(frame, { errorCode, errorMessage: defaultText(errorCode), nodeId: -1, host: '', port: -1 })
  }

  #answerKeys(frame: Buffer, keys: readonly Key[], errorMessage: string): Outcome {
    return this.#edition.answer(frame, { coordinators: keys.map(key => ({ ...coordinatorOf(key), errorMessage })) })
  }

  /** Refused keys stay away from the broker; its answers and ours come in the order of the request. */
  #split(frame: Buffer, keys: readonly Key[], caller: Caller, lists: Lists): Outcome {
    const grafts: Graft[] = []
    let kept = 0
    for (const key of keys) {
      if (key.errorCode === 0) kept++
      else grafts.push({ before: kept, bytes: this.#encodeCoordinator(coordinatorOf(key)) })
    }
    const rest = without(frame, lists.keys(frame), i => keys[i]!.errorCode !== 0, this.#edition.flexible)
    return this.#forward(caller, [rest], grafts)
  }

  #forward(caller: Caller, frames: readonly Buffer[] | null, grafts: readonly Graft[]): Outcome {
    return { kind: 'forward', frames, response: this.#edit(caller, grafts), thenClose: false }
  }

  #edit(caller: Caller, grafts: readonly Graft[]): ResponseEdit {
    const whole = ([response]: readonly Buffer[]) => {
      const all =
        grafts.length === 0 ? response! : withGrafts(response!, this.#lists!.coordinators(response!), grafts, this.#edition.flexible)
      return this.#endpoints.rewrite(all, caller.addresses)
    }
    return { frames: 1, stream: () => null, whole }
  }
}

/** The message of a refusal stays empty here: the broker never sets it for one key of many. */
const coordinatorOf = ({ text, errorCode }: Key) => ({ key: text, nodeId: -1, host: '', port: -1, errorCode, errorMessage: '' })
