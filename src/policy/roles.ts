// What relationships on the cluster and on namespaces give, by the model's own formulas (config/model.fga): asked once a principal.

import { Operation, Resource } from './authorizer.ts'
import type { Beyond } from './given.ts'
import { NOTHING_BEYOND } from './given.ts'
import type { OperationSet } from './operations.ts'
import { SUPPORTED, setOf } from './operations.ts'

/** Relations of the type `cluster` that the gate asks for. */
export const CLUSTER_ROLES = ['blocked', 'superuser', 'operator', 'viewer', 'broker', 'any_writer'] as const
/** Relations of the type `namespace` that the gate asks for. */
export const NAMESPACE_ROLES = [
  'blocked',
  'superuser',
  'owner',
  'creator',
  'reader',
  'writer',
  'viewer',
  'configurer',
  'config_viewer',
  'deleter',
] as const

type NamespaceRole = (typeof NAMESPACE_ROLES)[number]

/** What each role of a namespace brings, by the model's own formulas. */
export const BRINGS: Readonly<Partial<Record<NamespaceRole, readonly NamespaceRole[]>>> = {
  owner: ['creator', 'reader', 'writer', 'configurer', 'deleter'],
  creator: ['viewer'],
  reader: ['viewer'],
  writer: ['viewer'],
  configurer: ['config_viewer'],
}
/** Roles that come from what a namespace stands beside: by the relation that leads there. */
export const COMES_BY: Readonly<Record<string, NamespaceRole>> = { org: 'viewer', cluster: 'superuser' }

/** The roles that can be had at all when just these relations stand on namespaces, without those that others bring. */
export const rolesBy = (relations: ReadonlySet<string>): readonly NamespaceRole[] =>
  NAMESPACE_ROLES.filter(role => relations.has(role) || [...relations].some(relation => COMES_BY[relation] === role))

/** A role, and all that it brings. */
export function withBrought(role: NamespaceRole): NamespaceRole[] {
  return [role, ...(BRINGS[role] ?? []).flatMap(withBrought)]
}

export interface Roles {
  readonly cluster: readonly string[]
  /** By namespace, as encoded. */
  readonly namespaces: Readonly<Record<string, readonly string[]>>
}

export const NO_ROLES: Roles = { cluster: [], namespaces: {} }

const { Read, Write, Create, Delete, Alter, Describe, ClusterAction, DescribeConfigs, AlterConfigs, IdempotentWrite } = Operation

const ON_CLUSTER: Readonly<Record<string, OperationSet>> = {
  operator: setOf(Create, Describe, AlterConfigs, DescribeConfigs),
  viewer: setOf(Describe, DescribeConfigs),
  broker: setOf(ClusterAction),
  any_writer: setOf(IdempotentWrite),
}

const BY_NAMESPACE: Readonly<Record<Resource, Readonly<Record<string, OperationSet>>>> = {
  [Resource.Topic]: {
    owner: setOf(Alter, Describe),
    creator: setOf(Create),
    reader: setOf(Read, Describe),
    writer: setOf(Write, Describe),
    viewer: setOf(Describe),
    configurer: setOf(AlterConfigs, DescribeConfigs),
    config_viewer: setOf(DescribeConfigs),
    deleter: setOf(Delete, Describe),
  },
  [Resource.Group]: {
    reader: setOf(Read, Describe),
    viewer: setOf(Describe),
    configurer: setOf(AlterConfigs, DescribeConfigs),
    config_viewer: setOf(DescribeConfigs),
    deleter: setOf(Delete, Describe),
  },
  [Resource.TransactionalId]: { writer: setOf(Write, Describe), viewer: setOf(Describe) },
  [Resource.Cluster]: {},
}

/** @param namespaces those that the name lies in */
export function byRoles(roles: Roles, resource: Resource, namespaces: readonly string[]): Beyond {
  if (roles.cluster.length === 0 && namespaces.length === 0) return NOTHING_BEYOND
  const inNamespaces = namespaces.flatMap(one => roles.namespaces[one] ?? [])
  const all = SUPPORTED[resource]
  if (roles.cluster.includes('blocked') || inNamespaces.includes('blocked')) return { ...NOTHING_BEYOND, refused: all }
  if (roles.cluster.includes('superuser') || inNamespaces.includes('superuser')) return { ...NOTHING_BEYOND, allowed: all }
  const given =
    resource === Resource.Cluster ? roles.cluster.map(role => ON_CLUSTER[role]) : inNamespaces.map(role => BY_NAMESPACE[resource][role])
  return { ...NOTHING_BEYOND, allowed: given.reduce<OperationSet>((set, one) => set | (one ?? 0), 0) & all }
}

/** The namespaces among `known` in which a name lies: `orders` holds what begins with `orders.`; the names are encoded. */
export function namespacesOf(name: string, known: ReadonlySet<string>): string[] {
  const found: string[] = []
  if (known.size === 0) return found
  for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
    const one = name.slice(0, dot)
    if (known.has(one)) found.push(one)
  }
  return found
}

/** The namespaces, as encoded, in which topics may be written. */
export function writtenNamespaces({ namespaces }: Roles): string[] {
  const writes = (role: string): boolean => role === 'superuser' || ((BY_NAMESPACE[Resource.Topic][role] ?? 0) & setOf(Write)) !== 0
  return Object.keys(namespaces).filter(one => !namespaces[one]!.includes('blocked') && namespaces[one]!.some(writes))
}
