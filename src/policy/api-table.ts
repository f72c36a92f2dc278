// The rule table for people: what each API needs, how it is refused, and where it is unlike Kafka on purpose.

import { apis } from '../protocol/messages/index.ts'
import { layoutOf, slotAt } from '../protocol/schema.ts'
import { Operation } from './authorizer.ts'
import type { Need, Rule } from './rows.ts'
import { rules } from './rules.ts'

/** One API as docs/apis.md and `topicgate apis` show it. */
export interface ApiLine {
  readonly key: number
  readonly name: string
  /** `2-10`; null: not offered, and a request for it closes the connection. */
  readonly versions: string | null
  readonly needs: string
  readonly refused: string
  readonly undecided: string
  readonly differs: string
}

/** Every API of a broker's listener, by key. */
export const apiTable = (): readonly ApiLine[] =>
  apis.map(({ key, name }) => {
    const rule = rules.find(r => r.api.key === key)
    if (rule !== undefined) return lineOf(rule)
    return SASL[key] ?? { key, name, versions: null, needs: '', refused: '', undecided: '', differs: '' }
  })

const answeredHere = (key: number, name: string, versions: string): ApiLine => ({
  key,
  name,
  versions,
  needs: 'nothing; answered by the gate: it is how a client logs in',
  refused: '',
  undecided: '',
  differs: '',
})
const SASL: { readonly [key: number]: ApiLine } = {
  17: answeredHere(17, 'SaslHandshake', '0-1'),
  36: answeredHere(36, 'SaslAuthenticate', '0-2'),
}

function lineOf(rule: Rule): ApiLine {
  const { api, versions, says } = rule
  const min = Math.max(api.versions.min, versions.min)
  const max = Math.min(api.versions.max, versions.max)
  const words = wordsOf(rule, max)
  return {
    key: api.key,
    name: api.name,
    versions: min === max ? `${min}` : `${min}-${max}`,
    needs: says.needs ?? words.needs,
    refused: says.refused ?? words.refused,
    undecided: undecidedOf(rule),
    differs: says.differs ?? '',
  }
}

function undecidedOf(rule: Rule): string {
  if (rule.undecided !== null) return ERROR[rule.undecided]!
  return asksNothing(rule) ? '' : 'the connection is closed'
}

const asksNothing = ({ special, unless, cluster, whole, all, each, shown, bits }: Rule): boolean =>
  whole.length === 0 && [special, unless, cluster, all, each, shown, bits].every(asked => asked === null)

const ERROR: { readonly [code: number]: string } = {
  5: 'LEADER_NOT_AVAILABLE',
  6: 'NOT_LEADER_OR_FOLLOWER',
  7: 'REQUEST_TIMED_OUT',
  14: 'COORDINATOR_LOAD_IN_PROGRESS',
  15: 'COORDINATOR_NOT_AVAILABLE',
}
const REFUSAL: { readonly [kind: string]: string } = {
  topic: 'TOPIC_AUTHORIZATION_FAILED',
  group: 'GROUP_AUTHORIZATION_FAILED',
  'transactional id': 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
}

/** `ClusterAction` -> `CLUSTER_ACTION`. */
const kafkas = (operation: Operation): string => {
  const [word] = Object.entries(Operation).find(([, code]) => code === operation)!
  return word.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase()
}

function kindOf({ paths }: Need, rule: Rule, version: number, side: 'request' | 'response'): string {
  const layout = layoutOf(rule.api, version, side)
  for (const path of paths) {
    const slot = path.endsWith('[]') ? slotAt(layout, path.slice(0, -2))?.of : slotAt(layout, path)
    if (!slot || 'slots' in slot) continue
    if (slot.entity === 'groupId') return 'group'
    if (slot.entity === 'transactionalId') return 'transactional id'
    return 'topic'
  }
  throw new TypeError(`${rule.api.name} v${version} has none of ${paths.join(', ')}`)
}

function wordsOf(rule: Rule, version: number): { needs: string; refused: string } {
  const { unless, cluster, whole, all, each, shown } = rule
  const needs: string[] = []
  const refused: string[] = []
  if (cluster !== null) {
    needs.push(`${kafkas(cluster)} on the cluster`)
    refused.push('CLUSTER_AUTHORIZATION_FAILED for the request')
  }
  for (const need of whole) {
    const kind = kindOf(need, rule, version, 'request')
    needs.push(`${kafkas(need.operation)} on the ${kind}`)
    refused.push(`${REFUSAL[kind]} for the request`)
  }
  if (all !== null) {
    const kind = kindOf(all, rule, version, 'request')
    needs.push(`${kafkas(all.operation)} on every ${kind} that it names`)
    refused.push(`${REFUSAL[kind]} for the request`)
  }
  if (each !== null) {
    const kind = kindOf(each, rule, version, 'request')
    needs.push(`${kafkas(each.operation)} on each ${kind}`)
    refused.push(`${REFUSAL[kind]} for a refused ${kind}, the rest is served`)
  }
  if (shown !== null) {
    const kind = kindOf(shown, rule, version, 'response')
    needs.push(`${kafkas(shown.operation)} on each ${kind} that is shown`)
    refused.push(`a ${kind} without it is left out`)
  }
  const either = unless === null ? '' : `${kafkas(unless)} on the cluster, or `
  return { needs: either + needs.join(', then '), refused: refused.join('; ') }
}
