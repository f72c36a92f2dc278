// What a policy amounts to, as Kafka's ACLs (org.apache.kafka.common.acl.AclBinding): what DescribeAcls lists.

import { isIPv4 } from 'node:net'
import { CLUSTER_NAME } from './answers.ts'
import { Operation, Resource } from './authorizer.ts'
import { wholeGrantId } from './grant-tuples.ts'
import type { OperationSet } from './operations.ts'
import { EVERY_OPERATION, SUPPORTED } from './operations.ts'
import type { Cover, Coverage, Grant, Judged, Pattern, Rule, Subject } from './policy-document.ts'

/** One ACL in Kafka's codes: ResourceType, PatternType, AclOperation, AclPermissionType. */
export interface AclBinding {
  readonly resourceType: number
  readonly name: string
  readonly patternType: number
  /** `Type:name`. */
  readonly principal: string
  readonly host: string
  readonly operation: number
  readonly permission: number
}

/** The policy in force, as ACLs say it. */
export interface AclView {
  /** null: not known yet, see `learn`. */
  bindings(): readonly AclBinding[] | null
  /** Never rejects; what is not known after it is undecided. */
  learn(): Promise<void>
}

export const PatternType = { Any: 1, Match: 2, Literal: 3, Prefixed: 4 } as const
export const Permission = { Any: 1, Deny: 2, Allow: 3 } as const
const ALL = 2
const ANY_HOST = '*'
const ANYBODY = 'User:*'
/** ResourcePattern.WILDCARD_RESOURCE */
const ANY_NAME = '*'

/** What an entry says beside its pattern. */
interface Entry {
  readonly principals: readonly string[]
  readonly hosts: readonly string[]
  readonly permission: number
}

/** Principals whom a grant is given to; null: that cannot be listed. */
export type GranteesOf = (grant: Coverage) => readonly string[] | null

/**
 * An ACL knows principals and addresses, and neither hours nor claims. What hangs on more than it can say stands under the name of the grant
 * or rule that says it (`Grant:night-shift`, `Rule:strong-login`): those whom it holds for, while it does. What a shadow lets through on some
 * listeners is for `Listener:partners`, whoever comes by it. So nothing is listed that is not so.
 */
export function aclBindings({ grants, rules, shadows }: Judged, granteesOf: GranteesOf, nowMs: number): AclBinding[] {
  const found = new Map<string, AclBinding>()
  const add = (covers: readonly Cover[], entry: Entry): void => {
    for (const one of bindingsOf(covers, entry)) found.set(keyOf(one), one)
  }
  for (const grant of grants) {
    if (grant.sinceMs !== null && nowMs < grant.sinceMs) continue
    if (grant.untilMs !== null && nowMs >= grant.untilMs) continue
    add(grant.covers, { ...grantedTo(grant, granteesOf(grant)), permission: Permission.Allow })
  }
  for (const rule of rules) {
    if (rule.shadowUntilMs !== null && nowMs < rule.shadowUntilMs) continue
    add(rule.denies, { ...boundBy(rule), permission: Permission.Deny })
  }
  for (const { patterns, untilMs, listeners } of shadows) {
    if (nowMs >= untilMs) continue
    const covers = patterns.map(pattern => ({ ...pattern, operations: EVERY_OPERATION }))
    add(covers, { principals: listeners?.map(name => `Listener:${name}`) ?? [ANYBODY], hosts: [ANY_HOST], permission: Permission.Allow })
  }
  return [...found.values()]
}

const keyOf = ({ resourceType, name, patternType, principal, host, operation, permission }: AclBinding): string =>
  `${resourceType} ${patternType} ${operation} ${permission} ${host} ${principal.length} ${principal} ${name}`

/** The moment at which other ACLs may be had of the same policy. */
function changesAt({ grants, rules, shadows }: Judged, nowMs: number): number {
  const edges = [
    ...grants.flatMap(grant => [grant.sinceMs, grant.untilMs]),
    ...rules.map(rule => rule.shadowUntilMs),
    ...shadows.map(shadow => shadow.untilMs),
  ]
  return edges.reduce<number>((next, edge) => (edge !== null && edge > nowMs && edge < next ? edge : next), Number.POSITIVE_INFINITY)
}

/** A list of many thousands is made once, and kept while it holds. */
export class KeptAcls {
  #kept: { readonly bindings: readonly AclBinding[]; readonly fromMs: number; readonly untilMs: number } | null = null

  /** Of the policy since the last `drop`. */
  of(judged: () => Judged, granteesOf: GranteesOf, nowMs: number): readonly AclBinding[] {
    const kept = this.#kept
    if (kept !== null && kept.fromMs <= nowMs && nowMs < kept.untilMs) return kept.bindings
    const policy = judged()
    const bindings = aclBindings(policy, granteesOf, nowMs)
    this.#kept = { bindings, fromMs: nowMs, untilMs: changesAt(policy, nowMs) }
    return bindings
  }

  drop(): void {
    this.#kept = null
  }
}

export const granteesInFile: GranteesOf = grant => (grant as Grant).to.map(aclPrincipal)

/** A subject of the policy as a principal: its kind is the type, its issuer the first part of the name. */
export function aclPrincipal(subject: Subject): string {
  const { issuer } = subject
  switch (subject.kind) {
    case 'user':
      return `User:${issuer}/${subject.name}`
    case 'service':
      return `Service:${issuer}/${subject.name}`
    case 'group':
      return `Group:${issuer}${subject.name}`
    case 'groupBelow':
      return `Group:${issuer}${subject.name}/**`
    case 'realmRole':
      return `Role:${issuer}/${subject.name}`
    case 'clientRole':
      return `ClientRole:${issuer}/${subject.client}/${subject.name}`
    case 'org':
      return `Organization:${issuer}/${subject.name}`
    case 'orgRole':
      return `Organization:${issuer}/${subject.org}#${subject.name}`
    case 'anyone':
      return `Issuer:${issuer}`
  }
}

function grantedTo({ id, networks, hours }: Coverage, grantees: readonly string[] | null): Pick<Entry, 'principals' | 'hosts'> {
  const hosts = hostsOf(networks)
  if (grantees === null || hosts === null || hours !== null) return { principals: [`Grant:${wholeGrantId(id)}`], hosts: [ANY_HOST] }
  return { principals: grantees, hosts }
}

function boundBy({ id, for: bound, except, when, unless }: Rule): Pick<Entry, 'principals' | 'hosts'> {
  const hosts = hostsOf(when?.networks ?? null)
  const isPlain = Object.entries(when ?? {}).every(([part, says]) => part === 'networks' || says === null)
  if (hosts === null || !isPlain || except.length > 0 || unless !== null) return { principals: [`Rule:${id}`], hosts: [ANY_HOST] }
  return { principals: bound === null ? [ANYBODY] : bound.map(aclPrincipal), hosts }
}

/** Single addresses; null: there is a block of more, which a host of an ACL cannot say. IPv6 is written in too many ways to be one. */
function hostsOf(networks: readonly string[] | null): readonly string[] | null {
  if (networks === null) return [ANY_HOST]
  const hosts = networks.map(block => block.replace(/\/32$/, ''))
  return hosts.every(isIPv4) ? hosts : null
}

function bindingsOf(covers: readonly Cover[], { principals, hosts, permission }: Entry): AclBinding[] {
  return covers.flatMap(cover => {
    const pattern = patternOf(cover)
    if (pattern === null) return []
    const operations = codesOf(cover.operations, cover.resource)
    return principals.flatMap(principal =>
      hosts.flatMap(host => operations.map(operation => ({ ...pattern, principal, host, operation, permission }))),
    )
  })
}

/** null: the name of one resource is a star, which in an ACL means them all. */
function patternOf({ resource, prefix, text }: Pattern): Pick<AclBinding, 'resourceType' | 'name' | 'patternType'> | null {
  if (resource === Resource.Cluster) return { resourceType: resource, name: CLUSTER_NAME.toString(), patternType: PatternType.Literal }
  if (prefix && text === '') return { resourceType: resource, name: ANY_NAME, patternType: PatternType.Literal }
  if (!prefix && text === ANY_NAME) return null
  return { resourceType: resource, name: text, patternType: prefix ? PatternType.Prefixed : PatternType.Literal }
}

function codesOf(set: OperationSet, resource: Resource): number[] {
  if (set === EVERY_OPERATION) return [ALL]
  return (Object.values(Operation) as number[]).filter(code => set & SUPPORTED[resource] & (1 << code))
}
