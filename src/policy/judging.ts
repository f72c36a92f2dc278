// One request's judgement beyond the common case: every verdict is asked for at once, and what is told is told once.

import { CLUSTER_NAME, refusalOf } from './answers.ts'
import { type Operation, Resource, Verdict } from './authorizer.ts'
import type { Name } from './names.ts'
import type { OperationSet } from './operations.ts'
import type { Caller, Close, Wait } from './outcome.ts'

/** Cannot be decided, and the API has no answer that a client would take as "try again". */
export const UNDECIDED: Close = { kind: 'close', cause: 'undecided' }

interface Told {
  readonly operation: Operation
  readonly name: Name
  /** -1: undecided. */
  readonly errorCode: number
}

/**
 * A plan must ask all that it may come to need before it decides anything: a frame waits twice at most, for what is there and for verdicts.
 * What is refused is noted, and told to the caller only by `tell`, when the outcome is final.
 */
export class Judging {
  readonly caller: Caller
  readonly #last: boolean
  #asked = false
  #learnNames = false
  #learn: { readonly id: Buffer; readonly operations: readonly Operation[] }[] = []
  #told: Told[] = []
  /** Operations that were noted of each name: a request may name a hundred thousand. */
  readonly #noted = new Map<Name, OperationSet>()

  constructor(caller: Caller, last: boolean) {
    this.caller = caller
    this.#last = last
  }

  /** Something is not known yet, and there is time to ask. */
  get mustWait(): boolean {
    return this.#asked || this.#learnNames || this.#learn.length > 0
  }

  wait(): Wait {
    const { rights, cluster } = this.caller
    const learn = this.#learn
    if (learn.length === 0 && !this.#learnNames) return { kind: 'wait', ready: rights.settle() }
    const ready = cluster.learn().then(() => {
      for (const { id, operations } of learn) {
        const name = cluster.topicOf(id, 0)
        if (name) for (const operation of operations) rights.check(operation, name)
      }
      return rights.settle()
    })
    return { kind: 'wait', ready }
  }

  check(operation: Operation, name: Name): Verdict {
    const verdict = this.caller.rights.check(operation, name)
    return verdict === Verdict.Unknown ? this.unknown() : verdict
  }

  /** What is told of a right: 0: it is there; Kafka's refusal; or `undecided`. Noted, to be told with the outcome. */
  codeOf(operation: Operation, name: Name, undecided: number): number {
    const verdict = this.check(operation, name)
    if (verdict === Verdict.Allowed) return 0
    if (verdict === Verdict.Refused) {
      this.refused(operation, name)
      return refusalOf(name.resource)
    }
    this.undecided(operation, name)
    return undecided
  }

  checkCluster(operation: Operation): Verdict {
    return this.check(operation, clusterName(this.caller))
  }

  /** Notes that something was Unknown: Undecided when there is no more time. */
  unknown(): Verdict {
    if (this.#last) return Verdict.Undecided
    this.#asked = true
    return Verdict.Unknown
  }

  /** The topic of an id: its Name, null (there is none), or undefined: not known, asked for or given up. `operations` will be judged on it. */
  topicOf(bytes: Uint8Array, at: number, operations: readonly Operation[]): Name | null | undefined {
    if (isZeroId(bytes, at)) return null
    const name = this.caller.cluster.topicOf(bytes, at)
    if (name === undefined && !this.#last) this.#learn.push({ id: Buffer.from(bytes.subarray(at, at + 16)), operations })
    return name
  }

  /** Whether there is a topic of this name; undefined: not known, asked for or given up. */
  hasTopic(name: Name): boolean | undefined {
    const has = this.caller.cluster.hasTopic(name, !this.#last)
    if (has === undefined && !this.#last) this.#learnNames = true
    return has
  }

  refused(operation: Operation, name: Name, errorCode = refusalOf(name.resource)): void {
    this.#note(operation, name, errorCode)
  }

  undecided(operation: Operation, name: Name): void {
    this.#note(operation, name, -1)
  }

  /** An undecided name that is known only by its id. */
  undecidedId(operation: Operation, bytes: Uint8Array, at: number): void {
    const id = Buffer.from(bytes.subarray(at, at + 16)).toString('hex')
    this.#note(operation, this.caller.names.text(Resource.Topic, `id ${id}`), -1)
  }

  /** Tells the caller what was refused and what could not be decided: call when the outcome is final. */
  tell(): void {
    for (const { operation, name, errorCode } of this.#told) {
      if (errorCode < 0) this.caller.undecided(operation, name)
      else this.caller.refused(operation, name, errorCode)
    }
    this.#told = []
  }

  #note(operation: Operation, name: Name, errorCode: number): void {
    const noted = this.#noted.get(name) ?? 0
    if (noted & (1 << operation)) return
    this.#noted.set(name, noted | (1 << operation))
    this.#told.push({ operation, name, errorCode })
  }
}

export const clusterName = (caller: Caller): Name => caller.names.of(Resource.Cluster, CLUSTER_NAME, 0, CLUSTER_NAME.length)

export function isZeroId(bytes: Uint8Array, at: number): boolean {
  for (let i = at; i < at + 16; i++) if (bytes[i] !== 0) return false
  return true
}
