// Is this principal one of those that a grant or rule names? Both sides are turned into keys, so that it is a look-up.

import type { Principal } from '../auth/principal.ts'
import type { Subject } from './policy-document.ts'

const key = (kind: Subject['kind'], ...parts: readonly string[]): string => JSON.stringify([kind, ...parts])

export function subjectKey(subject: Subject): string {
  switch (subject.kind) {
    case 'anyone':
      return key('anyone', subject.issuer)
    case 'clientRole':
      return key('clientRole', subject.issuer, subject.client, subject.name)
    case 'orgRole':
      return key('orgRole', subject.issuer, subject.org, subject.name)
    default:
      return key(subject.kind, subject.issuer, subject.name)
  }
}

/** The keys of all subjects that this principal is. */
export function keysOf(principal: Principal): Set<string> {
  const { issuer } = principal
  const keys = new Set([key('anyone', issuer), key(principal.type, issuer, principal.name)])
  for (const group of principal.groups) {
    keys.add(key('group', issuer, group))
    for (let end = group.length; end >= 0; end = end === 0 ? -1 : group.lastIndexOf('/', end - 1)) {
      keys.add(key('groupBelow', issuer, group.slice(0, end)))
    }
  }
  for (const role of principal.realmRoles) keys.add(key('realmRole', issuer, role))
  for (const [client, roles] of Object.entries(principal.clientRoles)) {
    for (const role of roles) keys.add(key('clientRole', issuer, client, role))
  }
  for (const [org, roles] of Object.entries(principal.organizations)) {
    keys.add(key('org', issuer, org))
    for (const role of roles) keys.add(key('orgRole', issuer, org, role))
  }
  return keys
}

export const matchesAny = (subjects: readonly Subject[], keys: ReadonlySet<string>): boolean =>
  subjects.some(subject => keys.has(subjectKey(subject)))

/** The subject as policy files write it, without its issuer. */
export function subjectText(subject: Subject): string {
  switch (subject.kind) {
    case 'anyone':
      return 'anyone'
    case 'groupBelow':
      return `group:${subject.name}/**`
    case 'realmRole':
      return `role:${subject.name}`
    case 'clientRole':
      return `client-role:${subject.client}/${subject.name}`
    case 'orgRole':
      return `org:${subject.org}#${subject.name}`
    default:
      return `${subject.kind}:${subject.name}`
  }
}
