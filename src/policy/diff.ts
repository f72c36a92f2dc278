// Whose rights change between two policies: by subject and pattern, and for principals and requests that an audit log names.

import type { Principal } from '../auth/principal.ts'
import type { AuditLine } from '../base/audit.ts'
import { Verdict } from './authorizer.ts'
import { Embedded } from './embedded.ts'
import { Names } from './names.ts'
import { KIND_NAMES, KINDS, namesOf, OPERATIONS, type OperationName, SUPPORTED, withImplied } from './operations.ts'
import { containsPattern, inForceText, patternText, placeText } from './pattern-text.ts'
import type { Cover, Grant, InForce, PolicyDocument, Rule, Subject } from './policy-document.ts'
import { subjectKey, subjectText } from './subjects.ts'
import { isTimeWithin } from './within.ts'

/** A right that only one of two policies gives. */
export interface ChangedRight {
  readonly change: 'gains' | 'loses'
  readonly who: string
  readonly issuer: string
  readonly operations: readonly string[]
  readonly on: string
  /** When and from where; empty: always. */
  readonly inForce: string
  readonly grant: string
  readonly at: string
}

export interface ChangedRule {
  readonly change: 'added' | 'removed' | 'changed'
  readonly kind: 'rule' | 'shadow'
  readonly id: string
  readonly at: string
}

/** A request of the audit log that would come out otherwise. */
export interface ChangedRequest {
  readonly principal: string
  readonly operation: string
  readonly resource: { readonly kind: string; readonly name: string }
  readonly was: AuditLine['verdict']
  /** `depends`: the log does not say by which membership it had the right. */
  readonly will: 'allowed' | 'refused' | 'would_refuse' | 'depends'
  readonly count: number
}

interface Atom extends InForce {
  readonly subject: Subject
  readonly cover: Cover
  readonly grant: Grant
}

const atomsOf = ({ grants }: PolicyDocument): Atom[] =>
  grants.flatMap(grant =>
    grant.to.flatMap(subject =>
      grant.covers.map(cover => {
        const { sinceMs, untilMs, networks, hours } = grant
        return { subject, cover, grant, sinceMs, untilMs, networks, hours }
      }),
    ),
  )

/** What one policy's grants give that the other's do not; rules are compared by themselves. */
export function diffRights(before: PolicyDocument, after: PolicyDocument): ChangedRight[] {
  return [...missing(before, after, 'loses'), ...missing(after, before, 'gains')]
}

function missing(from: PolicyDocument, other: PolicyDocument, change: ChangedRight['change']): ChangedRight[] {
  const bySubject = new Map<string, Atom[]>()
  for (const atom of atomsOf(other)) {
    const key = subjectKey(atom.subject)
    bySubject.set(key, [...(bySubject.get(key) ?? []), atom])
  }
  return atomsOf(from).flatMap(atom => {
    const { subject, cover, grant } = atom
    const others = [
      ...(bySubject.get(subjectKey(subject)) ?? []),
      ...(bySubject.get(subjectKey({ kind: 'anyone', issuer: subject.issuer })) ?? []),
    ]
    const still = others
      .filter(one => containsPattern(one.cover, cover) && isTimeWithin(atom, one))
      .reduce((set, one) => set | withImplied(one.cover.operations), 0)
    const gone = withImplied(cover.operations) & SUPPORTED[cover.resource] & ~still
    if (gone === 0) return []
    const where = { on: patternText(cover), inForce: inForceText(atom), grant: grant.id, at: placeText(grant.place) }
    return [{ change, who: subjectText(subject), issuer: subject.issuer, operations: namesOf(gone), ...where }]
  })
}

/** Rules and shadows that stand in one policy only, or otherwise in each. */
export function diffRules(before: PolicyDocument, after: PolicyDocument): ChangedRule[] {
  const changes: ChangedRule[] = []
  const content = ({ place: _, ...rest }: Rule | PolicyDocument['shadows'][number]): string => JSON.stringify(rest)
  for (const [kind, old, now] of [
    ['rule', before.rules, after.rules],
    ['shadow', before.shadows, after.shadows],
  ] as const) {
    for (const one of old) {
      const same = [...now].find(({ id }) => id === one.id)
      if (same === undefined) changes.push({ change: 'removed', kind, id: one.id, at: placeText(one.place) })
      else if (content(same) !== content(one)) changes.push({ change: 'changed', kind, id: one.id, at: placeText(same.place) })
    }
    for (const one of now) {
      if (![...old].some(({ id }) => id === one.id)) changes.push({ change: 'added', kind, id: one.id, at: placeText(one.place) })
    }
  }
  return changes
}

/** Asks the new policy what an audit log says that clients asked for. */
export class Replay {
  readonly #before: ReadonlyMap<string, Grant>
  readonly #after: Embedded
  readonly #names = new Names()
  readonly #seen = new Map<string, { readonly line: AuditLine; count: number }>()
  /** By principal: memberships that its grants prove. */
  readonly #known = new Map<string, Set<Subject>>()

  constructor(before: PolicyDocument, after: PolicyDocument, nowMs: number) {
    this.#before = new Map(before.grants.map(grant => [grant.id, grant]))
    this.#after = new Embedded(after, { names: this.#names, clock: { nowMs } })
  }

  add(line: AuditLine): void {
    const { principal, operation, resource, verdict, grant } = line
    if (principal === null || operation === null || resource === null || verdict === 'undecided' || verdict === 'hidden') return
    const key = JSON.stringify([principal, operation, resource.kind, resource.name, verdict, line.act?.kind, grant])
    const seen = this.#seen.get(key)
    if (seen === undefined) this.#seen.set(key, { line, count: 1 })
    else seen.count++
    const to = grant === null ? undefined : this.#before.get(grant)?.to
    if (to?.length === 1) this.#known.set(principal, (this.#known.get(principal) ?? new Set()).add(to[0]!))
  }

  /** Those that come out otherwise, most often asked first. */
  changes(): ChangedRequest[] {
    const changes: ChangedRequest[] = []
    for (const { line, count } of this.#seen.values()) {
      const will = this.#willBe(line)
      const { principal, operation, resource, verdict } = line
      if (will !== null && will !== verdict)
        changes.push({ principal: principal!, operation: operation!, resource: resource!, was: verdict, will, count })
    }
    return changes.sort((a, b) => b.count - a.count)
  }

  #willBe(line: AuditLine): ChangedRequest['will'] | null {
    const who = principalOf(line)
    if (who === null) return null
    const known = [...(this.#known.get(line.principal!) ?? [])].reduce(withSubject, who)
    const to = (line.grant === null ? undefined : this.#before.get(line.grant)?.to) ?? []
    const candidates = to.length > 1 ? to.map(subject => withSubject(known, subject)) : [known]
    const verdicts = new Set(candidates.map(one => this.#ask(one, line)))
    return verdicts.size === 1 ? [...verdicts][0]! : 'depends'
  }

  #ask(principal: Principal, { operation, resource, client }: AuditLine): ChangedRequest['will'] {
    const kind = Object.values(KINDS).find(code => KIND_NAMES[code] === resource!.kind)
    const code = OPERATIONS[operation as OperationName]
    if (kind === undefined || code === undefined) return 'depends'
    const rights = this.#after.rights(principal, { listener: client.listener, address: client.address })
    const name = this.#names.text(kind, resource!.name)
    const isAllowed = rights.check(code, name) === Verdict.Allowed
    return !isAllowed ? 'refused' : rights.explain(code, name).shadow === null ? 'allowed' : 'would_refuse'
  }
}

function principalOf({ principal, act }: AuditLine): Principal | null {
  const [, type, issuer, name] = /^(user|service):([^/]*)\/(.*)$/s.exec(principal!) ?? []
  if (type === undefined) return null
  return {
    id: principal!,
    type: type as 'user' | 'service',
    issuer: issuer!,
    name: name!,
    groups: [],
    realmRoles: [],
    clientRoles: {},
    organizations: {},
    claims: {},
    acting: act === null ? null : { kind: act.kind === 'delegation' ? 'delegation' : 'impersonation', by: act.by },
    expiresAtMs: Number.POSITIVE_INFINITY,
    token: { iss: '', azp: null, sid: null, jti: null },
  }
}

/** The same principal, who is this too. */
function withSubject(who: Principal, subject: Subject): Principal {
  switch (subject.kind) {
    case 'group':
    case 'groupBelow':
      return { ...who, groups: [...who.groups, subject.name] }
    case 'realmRole':
      return { ...who, realmRoles: [...who.realmRoles, subject.name] }
    case 'clientRole': {
      const roles = [...(who.clientRoles[subject.client] ?? []), subject.name]
      return { ...who, clientRoles: { ...who.clientRoles, [subject.client]: roles } }
    }
    case 'org':
      return { ...who, organizations: { [subject.name]: [], ...who.organizations } }
    case 'orgRole': {
      const roles = [...(who.organizations[subject.org] ?? []), subject.name]
      return { ...who, organizations: { ...who.organizations, [subject.org]: roles } }
    }
    default:
      return who
  }
}
