// What apply would change in a store, grant by grant: as tuples, and in the words of policy files.

import type { Changes } from './apply.ts'
import { decode, parseUser, TYPES } from './encode.ts'
import type { Tuple } from './grant-tuples.ts'
import { conditionText, inForceOf, tupleKey, wholeGrantId } from './grant-tuples.ts'
import { userSubject } from './memberships.ts'
import type { Hours, InForce } from './policy-document.ts'
import { subjectText } from './subjects.ts'

/** One grant that is not in the store as the policy has it. */
export interface GrantChange {
  readonly id: string
  readonly change: 'added' | 'changed' | 'removed'
  /** `+ given to …`, `- read, describe on topic a.*`… */
  readonly words: readonly string[]
  readonly deletes: readonly Tuple[]
  readonly writes: readonly Tuple[]
}

export interface StorePlan {
  readonly grants: readonly GrantChange[]
  /** Grants that stand in the store as they should. */
  readonly unchanged: number
  /** Tuples that only go, as a part of those of all grants that stand in the store: 0 to 1. */
  readonly removedShare: number
}

interface Sides {
  readonly before: Tuple[]
  readonly after: Tuple[]
  readonly deletes: Tuple[]
  readonly writes: Tuple[]
}

/** Lays changes out by grant, in the order of ids. */
export function planOf({ deletes, writes, standing }: Changes): StorePlan {
  const sides = new Map<string, Sides>()
  const of = (tuple: Tuple): Sides => {
    const id = grantIdOf(tuple)
    let side = sides.get(id)
    if (side === undefined) sides.set(id, (side = { before: [], after: [], deletes: [], writes: [] }))
    return side
  }
  for (const tuple of standing) {
    of(tuple).before.push(tuple)
    of(tuple).after.push(tuple)
  }
  for (const tuple of deletes) {
    of(tuple).before.push(tuple)
    of(tuple).deletes.push(tuple)
  }
  for (const tuple of writes) {
    of(tuple).after.push(tuple)
    of(tuple).writes.push(tuple)
  }
  const grants = [...sides].flatMap(([id, side]) => changeOf(id, side) ?? []).sort((a, b) => (a.id < b.id ? -1 : 1))
  const written = new Set(writes.map(tupleKey))
  const gone = deletes.filter(tuple => !written.has(tupleKey(tuple))).length
  const before = standing.length + deletes.length
  return { grants, unchanged: sides.size - grants.length, removedShare: before === 0 ? 0 : gone / before }
}

function changeOf(id: string, { before, after, deletes, writes }: Sides): GrantChange | null {
  if (deletes.length === 0 && writes.length === 0) return null
  const change = before.length === 0 ? 'added' : after.length === 0 ? 'removed' : 'changed'
  const [had, has] = [wordsOf(before), wordsOf(after)]
  const words = [
    ...had.filter(word => !has.includes(word)).map(word => `- ${word}`),
    ...has.filter(word => !had.includes(word)).map(word => `+ ${word}`),
  ]
  return { id, change, words: words.length === 0 ? ['~ what it holds by is mended'] : words, deletes, writes }
}

/** The id in the policy of the grant that a tuple belongs to: parts of one that was too large for a condition are one again. */
function grantIdOf({ user, object }: Tuple): string {
  const { id } = parseUser(object.startsWith('grant:') ? object : user)
  return wholeGrantId(id.slice(id.indexOf('/') + 1))
}

/** A grant in words, each line once. */
function wordsOf(tuples: readonly Tuple[]): string[] {
  const lines = new Set<string>()
  const operations = new Map<string, string[]>()
  const conditions = new Map<string, Tuple>()
  for (const tuple of tuples) {
    if (!tuple.object.startsWith('grant:')) {
      const known = operations.get(tuple.object)
      if (known === undefined) operations.set(tuple.object, [tuple.relation])
      else if (!known.includes(tuple.relation)) known.push(tuple.relation)
    } else if (tuple.relation === 'grantee') lines.add(`given to ${subjectWords(tuple.user)}`)
    else if (tuple.condition !== undefined) conditions.set(conditionText(tuple.condition), tuple)
  }
  const writesTopics = [...operations].some(([object, relations]) => object.startsWith('topic') && relations.includes('write'))
  for (const [object, relations] of operations) {
    // Whoever may write topics may write idempotently: that is said for other programs.
    const said = object.startsWith('cluster:') && writesTopics ? relations.filter(one => one !== 'idempotent_write') : relations
    if (said.length > 0) lines.add(`${said.sort().join(', ')} on ${resourceWords(object)}`)
  }
  for (const { condition } of conditions.values()) lines.add(inForceWords(inForceOf(condition ?? null)))
  return [...lines]
}

const text = (encoded: string): string => decode(encoded)?.toString() ?? encoded

/** A user of a tuple as policy files write it, with its issuer. */
export function subjectWords(user: string): string {
  const subject = userSubject(user)
  if (subject !== null) return `${subjectText(subject)} of ${subject.issuer}`
  const [issuer = ''] = parseUser(user).id.split('/')
  return `${user} of ${text(issuer)}`
}

const KINDS_BY_TYPE = new Map([
  ...Object.values(TYPES).map(({ own }): [string, string] => [own, own.replaceAll('_', ' ')]),
  ...Object.values(TYPES).map(({ own, prefix }): [string, string] => [prefix, own.replaceAll('_', ' ')]),
])

/** An object as policy files write it. */
function resourceWords(object: string): string {
  const { type, id } = parseUser(object)
  if (type === 'cluster') return 'the cluster'
  const name = text(id.slice(id.indexOf('/') + 1))
  return `${KINDS_BY_TYPE.get(type) ?? type} ${name}${type.endsWith('_prefix') ? '*' : ''}`
}

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const clockTime = (minutes: number): string =>
  `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`

function inForceWords(inForce: InForce | null): string {
  if (inForce === null) return 'under a condition that is not of a policy file'
  const { sinceMs, untilMs, networks, hours } = inForce
  const parts: string[] = []
  if (sinceMs !== null) parts.push(`since ${new Date(sinceMs).toISOString()}`)
  if (untilMs !== null) parts.push(`until ${new Date(untilMs).toISOString()}`)
  if (networks !== null) parts.push(`from ${networks.join(', ')}`)
  for (const window of hours ?? []) parts.push(hoursWords(window))
  return parts.length === 0 ? 'always' : parts.join(', ')
}

const hoursWords = ({ days, fromMinute, toMinute, zone }: Hours): string =>
  `${days.map(day => DAYS[day]).join(' ')} ${clockTime(fromMinute)}-${clockTime(toMinute)} ${zone}`
