// The small grammars inside a policy file: subjects, patterns, operations, times, hours, networks. Each says what is wrong and how to mend it.

import { parseBlock } from '../base/networks.ts'
import { isZone, parseBetween, parseDays } from './hours.ts'
import type { KindKey, OperationName, OperationSet, VerbName } from './operations.ts'
import { CHANGE, EVERY_OPERATION, KINDS, OPERATIONS, SUPPORTED, VERBS } from './operations.ts'
import type { Cover, Hours, Pattern, Subject } from './policy-document.ts'
import type { PatternText, SubjectText, WindowText } from './policy-schema.ts'

/** What is wrong with a piece of text. */
export class Wrong {
  readonly problem: string
  readonly hint: string | null
  constructor(problem: string, hint: string | null = null) {
    this.problem = problem
    this.hint = hint
  }
}

/** `person` is left to its reader: the others are whole. */
export type ReadSubject = Subject | { readonly kind: 'person'; readonly issuer: string; readonly name: string }

const SUBJECT_FORMS = 'user:, person:, service:, group:, role:, client-role:, org: or anyone'

/** Types of the OpenFGA model (config/model.fga) whose members are no claim of a token. */
const IN_STORE: ReadonlySet<string> = new Set(['team', 'namespace', 'owner', 'blocked', 'grant'])
const ONLY_STORE = 'only an OpenFGA store says this: write it there as a relationship, with authorizer.engine: openfga'

export function readSubject(text: SubjectText, issuer: string): ReadSubject | Wrong {
  if (typeof text !== 'string') return readSubjectMap(text, issuer)
  if (text === 'anyone') return { kind: 'anyone', issuer }
  const colon = text.indexOf(':')
  const [kind, name] = [text.slice(0, colon), text.slice(colon + 1)]
  if (colon < 0 || name === '') return new Wrong(`${text} is not a principal`, `write ${SUBJECT_FORMS}`)
  switch (kind) {
    case 'user':
    case 'person':
    case 'service':
      return { kind, issuer, name }
    case 'group':
      return readGroup(name, issuer)
    case 'role':
      if (name.includes('/')) return new Wrong(`role:${name} is ambiguous`, `client-role:<client>/<role>, or { role: "${name}" }`)
      return { kind: 'realmRole', issuer, name }
    case 'client-role':
      return readClientRole(name, issuer)
    case 'org':
      return readOrg(name, issuer)
    default:
      return new Wrong(`${kind}: is not a kind of principal`, IN_STORE.has(kind!) ? ONLY_STORE : `write ${SUBJECT_FORMS}`)
  }
}

function readGroup(path: string, issuer: string): Subject | Wrong {
  const below = path.endsWith('/**')
  const name = below ? path.slice(0, -3) : path
  if (!path.startsWith('/')) return new Wrong(`group ${path} has no leading /`, `group paths are full: group:/${path}`)
  if (name.endsWith('/')) return new Wrong(`group ${path} ends in /`, 'leave the last / out')
  if (name.includes('*')) return new Wrong(`group ${path} has a * that means nothing`, 'only a last /** stands for all groups below')
  return { kind: below ? 'groupBelow' : 'group', issuer, name }
}

function readClientRole(name: string, issuer: string): Subject | Wrong {
  const parts = name.split('/')
  if (parts.length !== 2 || parts.includes('')) {
    return new Wrong(`client-role:${name} is not <client>/<role>`, 'write { client: <client>, role: <role> } if a name has a /')
  }
  return { kind: 'clientRole', issuer, client: parts[0]!, name: parts[1]! }
}

function readOrg(name: string, issuer: string): Subject | Wrong {
  const parts = name.split('#')
  if (parts.length > 2 || parts.includes(''))
    return new Wrong(`org:${name} is not <alias> or <alias>#<role>`, 'write { org: <alias>, role: <role> }')
  return parts.length === 1 ? { kind: 'org', issuer, name } : { kind: 'orgRole', issuer, org: parts[0]!, name: parts[1]! }
}

function readSubjectMap(map: Exclude<SubjectText, string>, fileIssuer: string): ReadSubject | Wrong {
  const issuer = map.issuer ?? fileIssuer
  const keys = Object.keys(map)
    .filter(key => key !== 'issuer')
    .sort()
    .join()
  switch (keys) {
    case 'user':
    case 'person':
    case 'service':
      return { kind: keys, issuer, name: map[keys]! }
    case 'group':
      return readGroup(map.group!, issuer)
    case 'role':
      return { kind: 'realmRole', issuer, name: map.role! }
    case 'client,role':
      return { kind: 'clientRole', issuer, client: map.client!, name: map.role! }
    case 'org':
      return { kind: 'org', issuer, name: map.org! }
    case 'org,role':
      return { kind: 'orgRole', issuer, org: map.org!, name: map.role! }
    case 'anyone':
      return { kind: 'anyone', issuer }
    default:
      return new Wrong(
        'names no principal, or several',
        'one of user, person, service, group, role, client + role, org, org + role, anyone',
      )
  }
}

export function readPattern(text: PatternText, kind: KindKey): Pattern | Wrong {
  const resource = KINDS[kind]
  if (typeof text !== 'string') {
    if ((text.literal === undefined) === (text.prefix === undefined)) return new Wrong('must have one of literal and prefix')
    return { resource, prefix: text.prefix !== undefined, text: (text.literal ?? text.prefix)! }
  }
  const star = text.indexOf('*')
  if (star >= 0 && star < text.length - 1) {
    return new Wrong(`${text} has a * that is not at its end`, `{ literal: ${JSON.stringify(text)} } if the name really has it`)
  }
  return { resource, prefix: star >= 0, text: star >= 0 ? text.slice(0, star) : text }
}

export const isVerb = (word: string): word is VerbName => Object.hasOwn(VERBS, word)

/** What words of `allow` grant on a kind; Wrong if a word says nothing there. */
export function readAllow(words: readonly (VerbName | OperationName)[], kind: KindKey): OperationSet | Wrong {
  let set = 0
  for (const word of words) {
    if (isVerb(word)) set |= VERBS[word][kind]
    else if (SUPPORTED[KINDS[kind]] & (1 << OPERATIONS[word])) set |= 1 << OPERATIONS[word]
    else return new Wrong(`${word} does not exist on ${kind}`)
  }
  return set === 0 ? new Wrong(`${words.join(' and ')} says nothing about ${kind}`, `leave ${kind} out, or grant it by another verb`) : set
}

/** What words of `deny` take away. */
export function readDeny(words: readonly ('all' | 'change' | OperationName)[]): OperationSet {
  return words.reduce((set, word) => set | (word === 'all' ? EVERY_OPERATION : word === 'change' ? CHANGE : 1 << OPERATIONS[word]), 0)
}

/** One cover a kind, for all of its names. */
export const wholeKind = (kind: KindKey, operations: OperationSet): Cover => ({ resource: KINDS[kind], prefix: true, text: '', operations })

/** Epoch ms. The text was checked against the schema. */
export function readTime(text: string): number | Wrong {
  const ms = Date.parse(text.toUpperCase())
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)/.exec(text)!.map(Number)
  const exists = new Date(Date.UTC(year!, month! - 1, day)).getUTCDate() === day
  return Number.isNaN(ms) || !exists ? new Wrong(`${text} does not exist`) : ms
}

export function readHours(window: WindowText): Hours | Wrong {
  const between = parseBetween(window.between)
  if (between === null)
    return new Wrong(`between: ${window.between} is not a span of a day`, 'write it as 08:00-18:00; 22:00-04:00 runs into the next day')
  if (!isZone(window.zone)) return new Wrong(`zone: ${window.zone} is not a time zone`, 'an IANA name, as Europe/Berlin or UTC')
  const days: number[] = []
  for (const part of [window.days ?? 'sun-sat'].flat()) {
    const some = parseDays(part)
    if (some === null) return new Wrong(`days: ${part} is not a day or a span of days`, 'mon, tue, wed, thu, fri, sat, sun, or mon-fri')
    days.push(...some)
  }
  return { days: [...new Set(days)].sort(), fromMinute: between[0], toMinute: between[1], zone: window.zone }
}

export function readBlock(text: string): string | Wrong {
  const block = parseBlock(text)
  return typeof block === 'string' ? new Wrong(`${text} is not a network: ${block}`, 'write it as 10.20.0.0/16') : text
}
