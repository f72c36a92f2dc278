// Kafka's ACLs as a policy: from what `kafka-acls --list` prints, or from DescribeAcls (org.apache.kafka.common.acl.AccessControlEntry).

import { parseAddress } from '../base/networks.ts'
import type { AclBinding } from './acl-bindings.ts'
import { type Operation, Resource } from './authorizer.ts'
import type { ImportedCover, ImportedPolicy, Remark } from './imported.ts'
import { groupedCovers, importedId, isCreation, questionsOn, sampleName } from './imported.ts'
import type { OperationSet } from './operations.ts'
import { broughtBy, namesOf, OPERATIONS, SUPPORTED } from './operations.ts'
import type { Pattern } from './policy-document.ts'

/** One ACL in Kafka's words. */
export interface Acl {
  readonly resourceType: string
  readonly name: string
  readonly patternType: string
  readonly principal: string
  readonly host: string
  readonly operation: string
  readonly permission: string
}

/** Turns `User:alice` into a principal of the policy. */
export type MapPrincipal = (name: string) => { readonly kind: 'user' | 'service'; readonly name: string }

interface ReadAcl {
  readonly principal: string
  readonly host: string
  readonly isDenied: boolean
  readonly cover: ImportedCover
}

const RESOURCE_TYPES = ['', '', 'TOPIC', 'GROUP', 'CLUSTER', 'TRANSACTIONAL_ID', 'DELEGATION_TOKEN', 'USER']
const PATTERN_TYPES = ['', '', '', 'LITERAL', 'PREFIXED']
const PERMISSIONS = ['', '', 'DENY', 'ALLOW']

/** The same in words. */
export function aclOf({ resourceType, patternType, operation, permission, ...rest }: AclBinding): Acl {
  const named = Object.entries(OPERATIONS)
    .find(([, code]) => code === operation)?.[0]
    .toUpperCase()
  return {
    ...rest,
    resourceType: RESOURCE_TYPES[resourceType] || String(resourceType),
    patternType: PATTERN_TYPES[patternType] || String(patternType),
    operation: operation === ALL ? 'ALL' : (named ?? String(operation)),
    permission: PERMISSIONS[permission] || String(permission),
  }
}

const ALL = 2
const ANYBODY = 'User:*'
/** An address of nobody (RFC 5737), for tests of what holds from everywhere. */
const ANYWHERE = '192.0.2.77'
const RESOURCES: Readonly<Record<string, Resource>> = {
  TOPIC: Resource.Topic,
  GROUP: Resource.Group,
  TRANSACTIONAL_ID: Resource.TransactionalId,
  CLUSTER: Resource.Cluster,
}

/** Reads the print of `kafka-acls --list`; what looks like an ACL and is none comes back as a remark. */
export function readAclDump(text: string): { acls: Acl[]; remarks: Remark[] } {
  const acls: Acl[] = []
  const remarks: Remark[] = []
  let pattern: Pick<Acl, 'resourceType' | 'name' | 'patternType'> | null = null
  for (const line of text.split(/\r?\n/)) {
    const head = /ResourcePattern\(resourceType=(\w+), name=(.*), patternType=(\w+)\)/.exec(line)
    const entry = /^\s*\(principal=(.*), host=(\S*), operation=(\w+), permissionType=(\w+)\)\s*$/.exec(line)
    if (head !== null) pattern = { resourceType: head[1]!, name: head[2]!, patternType: head[3]! }
    else if (entry !== null && pattern !== null) {
      acls.push({ ...pattern, principal: entry[1]!, host: entry[2]!, operation: entry[3]!, permission: entry[4]! })
    } else if (line.includes('principal=')) remarks.push({ text: line, why: 'is not an ACL as kafka-acls --list prints it' })
  }
  return { acls, remarks }
}

/** A policy that allows and denies what these ACLs do, and tests that ask every operation on everything that they name. */
export function importAcls(acls: readonly Acl[], map: MapPrincipal): ImportedPolicy {
  const remarks: Remark[] = []
  const read: ReadAcl[] = []
  for (const acl of acls) {
    const one = readAcl(acl)
    if (typeof one === 'string') remarks.push({ text: aclText(acl), why: one })
    else read.push(one)
  }
  const grants: object[] = []
  const rules: object[] = []
  for (const group of groupBy(read, ({ principal, host, isDenied }) => JSON.stringify([isDenied, principal, host]))) {
    const { principal, host, isDenied } = group[0]!
    const covers = [...groupBy(group, ({ cover: { pattern } }) => JSON.stringify(pattern))].map(same => ({
      pattern: same[0]!.cover.pattern,
      operations: same.reduce((set, { cover }) => set | cover.operations, 0),
    }))
    for (const { kind, operations, keys } of groupedCovers(covers)) {
      const id = importedId(`${principal.slice('User:'.length).replace('*', 'anyone')} ${kind}`, grants.length + rules.length + 1)
      const words = namesOf(operations)
      const who = principal === ANYBODY ? 'anyone' : subjectMap(map, principal)
      if (isDenied) {
        const bound = principal === ANYBODY ? {} : { for: who }
        rules.push({ id, deny: words, ...keys, ...bound, ...(host !== '*' && { when: { from: [host] } }) })
      } else grants.push({ id, to: who, allow: words, ...keys, ...(host !== '*' && { from: [host] }) })
    }
  }
  return { grants, rules, tests: testsOf(read, map), remarks }
}

const subjectMap = (map: MapPrincipal, principal: string): object => {
  const { kind, name } = map(principal)
  return { [kind]: name }
}

/** Why it cannot be said, as text. */
function readAcl({ resourceType, name, patternType, principal, host, operation, permission }: Acl): ReadAcl | string {
  const resource = RESOURCES[resourceType]
  if (resource === undefined) return `the gate forwards no request that ${resourceType} is about`
  if (!principal.startsWith('User:') || principal.length === 'User:'.length) return 'only User: principals have a counterpart'
  if (host !== '*' && parseAddress(host) === null) return `${host} is not an IP address`
  if (permission !== 'ALLOW' && permission !== 'DENY') return `${permission} is not a permission`
  if (patternType !== 'LITERAL' && patternType !== 'PREFIXED') return `patterns of the type ${patternType} are not known`
  const named = OPERATIONS[operation.toLowerCase() as keyof typeof OPERATIONS]
  const operations = (operation === 'ALL' ? -1 : named === undefined ? 0 : 1 << named) & SUPPORTED[resource]
  if (operations === 0) return `${operation} means nothing on ${resourceType}`
  return { principal, host, isDenied: permission === 'DENY', cover: { pattern: patternOf(resource, name, patternType), operations } }
}

function patternOf(resource: Resource, name: string, patternType: string): Pattern {
  if (resource === Resource.Cluster) return { resource, prefix: true, text: '' }
  if (patternType === 'LITERAL' && name === '*') return { resource, prefix: true, text: '' }
  return { resource, prefix: patternType === 'PREFIXED', text: name }
}

/** All operations on a name of every pattern that may matter to a principal, as StandardAuthorizer would answer. */
function testsOf(acls: readonly ReadAcl[], map: MapPrincipal): object[] {
  const tests: object[] = []
  const principals = new Set(acls.map(({ principal }) => principal).filter(principal => principal !== ANYBODY))
  if (principals.size < acls.length) principals.add('User:somebody-else')
  for (const principal of principals) {
    const own = acls.filter(acl => acl.principal === principal || acl.principal === ANYBODY)
    for (const host of new Set([ANYWHERE, ...own.map(acl => acl.host).filter(one => one !== '*')])) {
      const can: string[] = []
      const cannot: string[] = []
      const samples = new Map(own.map(({ cover: { pattern } }) => [`${pattern.resource} ${sampleName(pattern)}`, pattern]))
      for (const pattern of samples.values()) {
        const name = sampleName(pattern)
        const asked = questionsOn(pattern.resource, name, bit => isAllowed(own, host, pattern.resource, name, bit))
        can.push(...asked.can)
        cannot.push(...asked.cannot)
      }
      if (can.length + cannot.length === 0) continue
      tests.push({ as: subjectMap(map, principal), address: host, ...(can.length > 0 && { can }), ...(cannot.length > 0 && { cannot }) })
    }
  }
  return tests
}

/** StandardAuthorizerData: any matching DENY refuses, then any matching ALLOW of the operation, or of one that brings it, allows. */
function isAllowed(acls: readonly ReadAcl[], host: string, resource: Resource, name: string, bit: OperationSet): boolean {
  const operation = (31 - Math.clz32(bit)) as Operation
  const matching = acls.filter(({ cover: { pattern }, host: from }) => {
    if (pattern.resource !== resource || (from !== '*' && from !== host)) return false
    return pattern.prefix ? resource === Resource.Cluster || name.startsWith(pattern.text) : name === pattern.text
  })
  if (matching.some(({ isDenied, cover }) => isDenied && cover.operations & bit)) return false
  if (matching.some(({ isDenied, cover }) => !isDenied && cover.operations & broughtBy(operation))) return true
  return isCreation(resource, bit) && isAllowed(acls, host, Resource.Cluster, 'kafka-cluster', bit)
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): T[][] {
  return [...Map.groupBy(items, key).values()]
}

const aclText = ({ resourceType, name, patternType, principal, host, operation, permission }: Acl): string =>
  `${permission} ${principal} ${operation} on ${resourceType} ${name} (${patternType}) from ${host}`
