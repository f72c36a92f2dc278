// Members of consumer groups that subscribe by a pattern, as far as one connection speaks for them: what they asked for, and what their
// coordinator was told.

import type { Rights } from '../authorizer.ts'
import type { Caller } from '../outcome.ts'

/** More members than that on one connection are forgotten, oldest first: their subscription stays as it is until they say it again. */
const MAX_MEMBERS = 1024

/**
 *   pattern said → resolved to names → told to the coordinator → heartbeats pass as they come
 *                        ↑                                                │
 *                        └── topics or rights have changed, or an error ──┘
 */
export class Member {
  readonly pattern: string
  /** Names that it subscribes to beside the pattern. */
  readonly names: readonly string[]
  /** What its coordinator was told, sorted and joined; null: nothing that counts. */
  told: string | null
  #rights: Rights | null = null
  #epoch = -1
  #topicsEpoch = -1

  constructor(pattern: string, names: readonly string[], told: string | null) {
    this.pattern = pattern
    this.names = names
    this.told = told
  }

  /** What was told still holds. */
  isCurrent({ rights, cluster }: Caller): boolean {
    return this.told !== null && this.#rights === rights && this.#epoch === rights.epoch && this.#topicsEpoch === cluster.topicsEpoch
  }

  resolvedBy(rights: Rights, epoch: number, topicsEpoch: number): void {
    this.#rights = rights
    this.#epoch = epoch
    this.#topicsEpoch = topicsEpoch
  }
}

export const membersOf = ({ state }: Caller): Members => {
  let members: Members | undefined = state.get('consumer group members')
  if (members === undefined) state.set('consumer group members', (members = new Members()))
  return members
}

export class Members {
  readonly #members = new Map<string, Member>()

  get(groupId: string, memberId: string): Member | null {
    return this.#members.get(keyOf(groupId, memberId)) ?? null
  }

  set(groupId: string, memberId: string, member: Member): void {
    const key = keyOf(groupId, memberId)
    this.#members.delete(key)
    if (this.#members.size >= MAX_MEMBERS) this.#members.delete(this.#members.keys().next().value!)
    this.#members.set(key, member)
  }

  delete(groupId: string, memberId: string): void {
    this.#members.delete(keyOf(groupId, memberId))
  }
}

const keyOf = (groupId: string, memberId: string): string => `${groupId.length} ${groupId} ${memberId}`
