// Who a command asks about: a principal as policy files write it, and what it belongs to.

import type { Command } from 'commander'
import type { Principal } from '../auth/principal.ts'
import { meant } from '../base/errors.ts'
import type { PolicyDocument } from '../policy/policy-document.ts'
import { readSubject, Wrong } from '../policy/policy-words.ts'
import { Exit, ExitError } from './exit.ts'
import { collect, type ReadPolicy } from './policy-options.ts'

export interface PrincipalOptions {
  readonly group: readonly string[]
  readonly role: readonly string[]
  readonly clientRole: readonly string[]
  readonly org: readonly string[]
  readonly claim: readonly string[]
  readonly acting?: string
  readonly issuer?: string
}

/** Adds the options that `principalFor` reads. */
export function withMemberships(command: Command): Command {
  return command
    .option('--group <path>', 'a group of the principal, as /finance/auditors; may be repeated', collect, [])
    .option('--role <name>', 'a realm role; may be repeated', collect, [])
    .option('--client-role <client/role>', 'a client role; may be repeated', collect, [])
    .option('--org <alias[#role]>', 'an organization, with a role in it; may be repeated', collect, [])
    .option('--claim <name=value>', 'a claim of its token; may be repeated', collect, [])
    .option('--acting <kind>', 'somebody acts for it: impersonation or delegation')
    .option('--issuer <alias>', 'whose principal it is; needed only with several issuers')
}

/** @param text `user:<sub>`, `person:<name>`, `service:<client id>`; also as audit lines write it, `user:corp/<sub>` */
export function principalFor(text: string, options: PrincipalOptions, { settings, document }: ReadPolicy): Principal {
  const colon = text.indexOf(':')
  const [kind, name] = [text.slice(0, colon), text.slice(colon + 1)]
  if ((kind !== 'user' && kind !== 'service' && kind !== 'person') || name === '')
    throw new ExitError(Exit.usage, `${text} is not a principal: write user:<sub>, person:<name> or service:<client id>`)
  const aliases = settings?.issuers.map(({ alias }) => alias) ?? issuersIn(document)
  const issuer = options.issuer ?? aliases.find(alias => name.startsWith(`${alias}/`)) ?? aliases[0] ?? 'main'
  if (settings !== null && !aliases.includes(issuer))
    throw new ExitError(Exit.usage, `no issuer has the alias ${issuer}; ${meant(issuer, aliases)}`)
  if (kind === 'person') return personOf(name, options, document)
  return make(kind, issuer, name.startsWith(`${issuer}/`) ? name.slice(issuer.length + 1) : name, options)
}

/** Any principal of policy files; `group:/x`, `role:x`, `org:x` and the like stand for somebody who is just that. */
export function subjectPrincipal(text: string, options: PrincipalOptions, policy: ReadPolicy): Principal {
  if (/^(user|person|service):./.test(text)) return principalFor(text, options, policy)
  const issuer = options.issuer ?? policy.settings?.issuers[0]?.alias ?? issuersIn(policy.document)[0] ?? 'main'
  const subject = readSubject(text, issuer)
  if (subject instanceof Wrong)
    throw new ExitError(Exit.usage, subject.hint === null ? subject.problem : `${subject.problem}: ${subject.hint}`)
  const somebody = make('user', issuer, '', options)
  const id = `${text} of ${issuer}`
  switch (subject.kind) {
    case 'group':
    case 'groupBelow':
      return { ...somebody, id, groups: [...somebody.groups, subject.name] }
    case 'realmRole':
      return { ...somebody, id, realmRoles: [...somebody.realmRoles, subject.name] }
    case 'clientRole':
      return { ...somebody, id, clientRoles: { ...somebody.clientRoles, [subject.client]: [subject.name] } }
    case 'org':
      return { ...somebody, id, organizations: { ...somebody.organizations, [subject.name]: [] } }
    case 'orgRole':
      return { ...somebody, id, organizations: { ...somebody.organizations, [subject.org]: [subject.name] } }
    default:
      return { ...somebody, id }
  }
}

function personOf(name: string, options: PrincipalOptions, { people = {} }: PolicyDocument): Principal {
  const person = Object.hasOwn(people, name) ? people[name] : undefined
  if (person === undefined)
    throw new ExitError(Exit.usage, `person ${name} is not in people of the policy; ${meant(name, Object.keys(people))}`)
  return make('user', person.issuer, person.sub, options)
}

/** The issuers that a policy names, when no configuration says them. */
const issuersIn = ({ grants }: PolicyDocument): string[] => [...new Set(grants.flatMap(({ to }) => to.map(({ issuer }) => issuer)))]

function make(type: 'user' | 'service', issuer: string, name: string, options: PrincipalOptions): Principal {
  const { acting } = options
  if (acting !== undefined && acting !== 'impersonation' && acting !== 'delegation')
    throw new ExitError(Exit.usage, `--acting ${acting}: impersonation or delegation`)
  const badGroup = options.group.find(path => !path.startsWith('/'))
  if (badGroup !== undefined) throw new ExitError(Exit.usage, `--group ${badGroup}: group paths are full, as /${badGroup}`)
  return {
    id: `${type}:${issuer}/${name}`,
    type,
    issuer,
    name,
    groups: options.group,
    realmRoles: options.role,
    clientRoles: lists(options.clientRole, '/', '--client-role'),
    organizations: lists(options.org, '#', null),
    claims: Object.fromEntries(options.claim.map(claimOf)),
    acting: acting === undefined ? null : { kind: acting, by: 'somebody' },
    expiresAtMs: Number.POSITIVE_INFINITY,
    token: { iss: '', azp: null, sid: null, jti: null },
  }
}

/** `kafka/operator` -> { kafka: [operator] }. @param needed the option that must have the mark; null: it may be left out */
function lists(texts: readonly string[], mark: string, needed: string | null): Record<string, string[]> {
  const all: Record<string, string[]> = {}
  for (const text of texts) {
    const at = text.indexOf(mark)
    if (at < 0 && needed !== null) throw new ExitError(Exit.usage, `${needed} ${text} is not <client>${mark}<role>`)
    const list = (all[at < 0 ? text : text.slice(0, at)] ??= [])
    if (at >= 0) list.push(text.slice(at + 1))
  }
  return all
}

function claimOf(text: string): [string, unknown] {
  const at = text.indexOf('=')
  if (at < 1) throw new ExitError(Exit.usage, `--claim ${text} is not name=value`)
  const value = text.slice(at + 1)
  try {
    return [text.slice(0, at), JSON.parse(value)]
  } catch {
    return [text.slice(0, at), value]
  }
}
