// Which ACLs a filter asks for: org.apache.kafka.common.acl.AclBindingFilter.

import type { AclBinding } from './acl-bindings.ts'
import { PatternType, Permission } from './acl-bindings.ts'

/** As DescribeAcls carries it. */
export interface AclFilter {
  readonly resourceTypeFilter: number
  readonly resourceNameFilter: string | null
  readonly patternTypeFilter: number
  readonly principalFilter: string | null
  readonly hostFilter: string | null
  readonly operation: number
  readonly permissionType: number
}

const UNKNOWN = 0
const ANY = 1
const ANY_NAME = '*'

/** A broker takes such a request for malformed: DescribeAclsRequest.java normalizeAndValidate. */
export const hasUnknown = ({ resourceTypeFilter, patternTypeFilter, operation, permissionType }: AclFilter): boolean =>
  [resourceTypeFilter, patternTypeFilter, operation, permissionType].includes(UNKNOWN)

export function matchesFilter(filter: AclFilter, acl: AclBinding): boolean {
  return (
    matchesPattern(filter, acl) &&
    (filter.principalFilter === null || filter.principalFilter === acl.principal) &&
    (filter.hostFilter === null || filter.hostFilter === acl.host) &&
    (filter.operation === ANY || filter.operation === acl.operation) &&
    (filter.permissionType === Permission.Any || filter.permissionType === acl.permission)
  )
}

/** ResourcePatternFilter.java matches. */
function matchesPattern({ resourceTypeFilter, resourceNameFilter: asked, patternTypeFilter: type }: AclFilter, acl: AclBinding): boolean {
  if (resourceTypeFilter !== ANY && resourceTypeFilter !== acl.resourceType) return false
  if (type !== PatternType.Any && type !== PatternType.Match && type !== acl.patternType) return false
  if (asked === null) return true
  if (type !== PatternType.Match) return asked === acl.name
  return acl.patternType === PatternType.Prefixed ? asked.startsWith(acl.name) : asked === acl.name || acl.name === ANY_NAME
}
