// The coordinator's answer to an OffsetFetch of which something was refused, or that asked for all topics.

import { MalformedError } from '../../protocol/wire.ts'
import { COORDINATOR_NOT_AVAILABLE } from '../answers.ts'
import { Operation, Resource, Verdict } from '../authorizer.ts'
import type { Edition } from '../edition.ts'
import { isZeroId } from '../judging.ts'
import type { Name } from '../names.ts'
import type { Caller, ResponseEdit } from '../outcome.ts'

/** What the gate says for one group of the request. */
export interface GroupAnswer {
  readonly groupId: string
  /** The whole answer of a group that the broker was not asked for; null: it was. */
  readonly refused: object | null
  /** Topics that the broker was not asked for: they stand last. */
  readonly topics: readonly object[]
}
export interface OffsetsShown {
  readonly answers: readonly GroupAnswer[]
  /** All topics of a group were asked for: those without DESCRIBE are left out. */
  readonly filtered: boolean
}

export function offsetFetchEdit(edition: Edition, batched: boolean, caller: Caller, shown: OffsetsShown): ResponseEdit {
  const edit = new OffsetFetchResponse(edition, batched, caller, shown)
  return { frames: 1, stream: () => null, whole: ([frame]) => edit.whole(frame!) }
}

class OffsetFetchResponse {
  readonly #edition: Edition
  readonly #batched: boolean
  readonly #caller: Caller
  readonly #shown: OffsetsShown

  constructor(edition: Edition, batched: boolean, caller: Caller, shown: OffsetsShown) {
    this.#edition = edition
    this.#batched = batched
    this.#caller = caller
    this.#shown = shown
  }

  whole(frame: Buffer): Buffer | Promise<Buffer> {
    const edited = this.#edit(frame, false)
    if (edited !== null) return edited
    const kept = Buffer.from(frame)
    const { rights, cluster } = this.#caller
    return cluster.learn().then(() => this.#edit(kept, false) ?? rights.settle().then(() => this.#edit(kept, true)!))
  }

  /** null: something must be asked first. */
  #edit(frame: Buffer, last: boolean): Buffer | null {
    const body = this.#edition.decodeResponse(frame)
    const told: (() => void)[] = []
    const groups = this.#batched ? this.#inOrder(body.groups) : [body]
    for (const [i, { refused, topics }] of this.#shown.answers.entries()) {
      const group = groups[i]
      if (refused !== null || (group.errorCode ?? 0) !== 0) continue
      if (this.#shown.filtered && !this.#filter(group, last, told)) return null
      if ((group.errorCode ?? 0) === 0) group.topics.push(...toldWith(topics, group))
    }
    for (const tell of told) tell()
    if (this.#batched) body.groups = groups
    return this.#edition.withBody(frame, body)
  }

  /** The broker's groups, in whichever order, and the gate's own, as the request had them. @throws {MalformedError} not those that were asked for */
  #inOrder(answered: readonly any[]): any[] {
    const byId = Map.groupBy(answered, group => group.groupId)
    const groups = this.#shown.answers.map(({ groupId, refused }) => refused ?? byId.get(groupId)?.shift())
    if (groups.includes(undefined) || [...byId.values()].some(left => left.length > 0))
      throw new MalformedError('the broker answered other groups than were asked for', 0)
    return groups
  }

  /** Leaves out topics without DESCRIBE, and those that cannot be named. False: ask first. */
  #filter(group: any, last: boolean, told: (() => void)[]): boolean {
    const kept: object[] = []
    let unknown = false
    for (const topic of group.topics) {
      const name = this.#nameOf(topic)
      if (name === null) continue
      const verdict = name === undefined ? Verdict.Unknown : this.#caller.rights.check(Operation.Describe, name)
      if (verdict === Verdict.Allowed) kept.push(topic)
      else if (verdict === Verdict.Refused) told.push(() => this.#caller.hidden(Operation.Describe, name!))
      else if (verdict === Verdict.Unknown && !last) unknown = true
      else {
        if (name !== undefined) told.push(() => this.#caller.undecided(Operation.Describe, name))
        group.errorCode = COORDINATOR_NOT_AVAILABLE
      }
    }
    group.topics = (group.errorCode ?? 0) === 0 ? kept : []
    return !unknown
  }

  #nameOf({ name, topicId }: { name?: string; topicId?: string }): Name | null | undefined {
    if (topicId === undefined) return this.#caller.names.text(Resource.Topic, name!)
    const id = Buffer.from(topicId, 'hex')
    return isZeroId(id, 0) ? null : this.#caller.cluster.topicOf(id, 0)
  }
}

/** v1 tells an error of the group on every partition that was asked for: on refused ones, too (OffsetFetchResponse.groupError). */
function toldWith(topics: readonly any[], group: any): readonly any[] {
  if (group.errorCode !== undefined) return topics
  const { errorCode } = group.topics.flatMap((topic: any) => topic.partitions).find((partition: any) => partition.errorCode !== 0) ?? {}
  if (errorCode === undefined) return topics
  return topics.map(topic => ({ ...topic, partitions: topic.partitions.map((partition: any) => ({ ...partition, errorCode })) }))
}
