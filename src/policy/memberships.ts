// Subjects and memberships in OpenFGA's words: whom a grant is given to, and which of those a principal is.

import type { Principal } from '../auth/principal.ts'
import { decode, encode, parseUser } from './encode.ts'
import type { Subject } from './policy-document.ts'

/** What the engine needs to know of a principal: plain data, and all that its answers hang on. */
export type Who = Pick<Principal, 'id' | 'type' | 'issuer' | 'name' | 'groups' | 'realmRoles' | 'clientRoles' | 'organizations'>

export const whoOf = (principal: Principal): Who => {
  const { id, type, issuer, name, groups, realmRoles, clientRoles, organizations } = principal
  return { id, type, issuer, name, groups, realmRoles, clientRoles, organizations }
}

/** A membership as a contextual tuple says it. */
export interface Membership {
  readonly relation: string
  readonly object: string
}

/** Roles of an organization for which the type `org` has relations of its own. */
const ORG_RELATIONS: readonly string[] = ['admin', 'auditor']

export const userOf = (who: Pick<Who, 'type' | 'issuer' | 'name'>): string => `${who.type}:${encode(who.issuer)}/${encode(who.name)}`

const group = (issuer: string, path: string): Membership => ({ relation: 'member', object: `group:${encode(issuer)}/${encode(path)}` })
const below = (issuer: string, path: string): Membership => ({
  relation: 'member',
  object: `group:${encode(issuer)}/below/${encode(path)}`,
})
const role = (issuer: string, ...path: readonly string[]): Membership => ({
  relation: 'assignee',
  object: `role:${encode(issuer)}/${path.map(encode).join('/')}`,
})
export const orgObject = (issuer: string, alias: string): string => `org:${encode(issuer)}/${encode(alias)}`
const org = (issuer: string, alias: string): Membership => ({ relation: 'member', object: orgObject(issuer, alias) })
const orgRole = (issuer: string, alias: string, name: string): Membership =>
  ORG_RELATIONS.includes(name)
    ? { relation: name, object: org(issuer, alias).object }
    : { relation: 'assignee', object: `org_role:${encode(issuer)}/${encode(alias)}/${encode(name)}` }

/** The user of a tuple that gives something to this subject. */
export function subjectUser(subject: Subject): string {
  const { issuer } = subject
  switch (subject.kind) {
    case 'user':
    case 'service':
      return userOf({ type: subject.kind, issuer, name: subject.name })
    case 'group':
      return userset(group(issuer, subject.name))
    case 'groupBelow':
      return userset(below(issuer, subject.name))
    case 'realmRole':
      return userset(role(issuer, 'realm', subject.name))
    case 'clientRole':
      return userset(role(issuer, 'client', subject.client, subject.name))
    case 'org':
      return userset(org(issuer, subject.name))
    case 'orgRole':
      return userset(orgRole(issuer, subject.org, subject.name))
    case 'anyone':
      return userset(role(issuer, 'anyone'))
  }
}

/** The subject that such a user stands for; null: it is none of a policy file's. */
export function userSubject(user: string): Subject | null {
  const { type, id, relation } = parseUser(user)
  const parts = id.split('/').map(part => decode(part)?.toString())
  if (parts.includes(undefined)) return null
  const [issuer, ...names] = parts as [string, ...string[]]
  const subject = subjectOf(type, relation, issuer, names)
  return subject !== null && subjectUser(subject) === user ? subject : null
}

function subjectOf(type: string, relation: string | null, issuer: string, names: readonly string[]): Subject | null {
  const [first = '', second = '', third = ''] = names
  switch (type) {
    case 'user':
    case 'service':
      return { kind: type, issuer, name: first }
    case 'group':
      return names.length === 2 ? { kind: 'groupBelow', issuer, name: second } : { kind: 'group', issuer, name: first }
    case 'role':
      if (first === 'anyone') return { kind: 'anyone', issuer }
      return first === 'realm' ? { kind: 'realmRole', issuer, name: second } : { kind: 'clientRole', issuer, client: second, name: third }
    case 'org':
      return relation === 'member' ? { kind: 'org', issuer, name: first } : { kind: 'orgRole', issuer, org: first, name: relation ?? '' }
    case 'org_role':
      return { kind: 'orgRole', issuer, org: first, name: second }
    default:
      return null
  }
}

const userset = ({ object, relation }: Membership): string => `${object}#${relation}`

/** All memberships that a token gives its principal; each once. */
export function membershipsOf(who: Who): Membership[] {
  const { issuer } = who
  const all = [role(issuer, 'anyone')]
  for (const path of who.groups) {
    all.push(group(issuer, path))
    for (let end = path.length; end >= 0; end = end === 0 ? -1 : path.lastIndexOf('/', end - 1)) all.push(below(issuer, path.slice(0, end)))
  }
  for (const name of who.realmRoles) all.push(role(issuer, 'realm', name))
  for (const [client, names] of Object.entries(who.clientRoles)) for (const name of names) all.push(role(issuer, 'client', client, name))
  for (const [alias, names] of Object.entries(who.organizations)) {
    all.push(org(issuer, alias))
    for (const name of names) all.push(orgRole(issuer, alias, name))
  }
  return [...new Map(all.map(one => [userset(one), one])).values()]
}
