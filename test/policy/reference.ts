// The policy judged naively: every grant and every rule is looked at for every question, as design and Kafka's StandardAuthorizer say it in words.

import type { Principal } from '../../src/auth/principal.ts'
import { Operation, Resource } from '../../src/policy/authorizer.ts'
import type { Condition, Hours, InForce, Pattern, PolicyDocument, Rule, Subject } from '../../src/policy/policy-document.ts'
import { meaningOf } from './expressions.ts'

export interface Question {
  readonly principal: Principal
  readonly address: string
  readonly listener: string
  readonly nowMs: number
  readonly operation: Operation
  readonly resource: Resource
  readonly name: Buffer
}

const KNOWN: Record<Resource, readonly Operation[]> = {
  [Resource.Topic]: [3, 4, 5, 6, 7, 8, 10, 11],
  [Resource.Group]: [3, 6, 8, 10, 11],
  [Resource.Cluster]: [5, 9, 10, 11, 12, 7, 8],
  [Resource.TransactionalId]: [8, 4, 15],
}

/** Whether it is allowed, shadows included. */
export function isAllowed(policy: PolicyDocument, q: Question): boolean {
  if (!KNOWN[q.resource].includes(q.operation)) return false
  if (policy.rules.some(rule => denies(rule, q))) return false
  if (isGranted(policy, q)) return true
  const onCluster: Question = { ...q, resource: Resource.Cluster, name: Buffer.from('kafka-cluster') }
  if (q.resource === Resource.Topic && q.operation === Operation.Create) {
    if (isGranted(policy, onCluster) && !policy.rules.some(rule => denies(rule, onCluster))) return true
  }
  return policy.shadows.some(
    ({ untilMs, listeners, patterns }) =>
      q.nowMs < untilMs && (listeners === null || listeners.includes(q.listener)) && patterns.some(pattern => covers(pattern, q)),
  )
}

export function isGranted(policy: PolicyDocument, q: Question): boolean {
  const enough: Operation[] = [q.operation]
  if (q.operation === Operation.Describe) enough.push(Operation.Read, Operation.Write, Operation.Delete, Operation.Alter)
  if (q.operation === Operation.DescribeConfigs) enough.push(Operation.AlterConfigs)
  return policy.grants.some(
    grant =>
      grant.to.some(subject => isOne(subject, q.principal)) &&
      inForce(grant, q) &&
      grant.covers.some(cover => covers(cover, q) && enough.some(operation => cover.operations & (1 << operation))),
  )
}

function denies(rule: Rule, q: Question): boolean {
  if (rule.shadowUntilMs !== null && q.nowMs < rule.shadowUntilMs) return false
  if (rule.for !== null && !rule.for.some(subject => isOne(subject, q.principal))) return false
  if (rule.except.some(subject => isOne(subject, q.principal))) return false
  if (rule.when !== null && truth(rule.when, q) === 'no') return false
  if (rule.unless !== null && truth(rule.unless, q) === 'yes') return false
  return rule.denies.some(cover => covers(cover, q) && cover.operations & (1 << q.operation))
}

function truth(condition: Condition, q: Question): 'yes' | 'no' | 'unknown' {
  const all: ('yes' | 'no' | 'unknown')[] = []
  const say = (is: boolean) => all.push(is ? 'yes' : 'no')
  if (condition.acting !== null) say(q.principal.acting !== null && condition.acting.includes(q.principal.acting.kind))
  for (const [name, values] of Object.entries(condition.claims ?? {})) {
    const claim = q.principal.claims[name]
    if (claim === undefined) all.push('unknown')
    else say([claim].flat().some(value => values.includes(String(value))))
  }
  if (condition.networks !== null) {
    if (q.address === '') all.push('unknown')
    else say(condition.networks.some(network => inNetwork(network, q.address)))
  }
  if (condition.hours !== null) say(condition.hours.some(hours => inHours(hours, q.nowMs)))
  const expressed = condition.expression === null ? true : meaningOf(condition.expression, q)
  all.push(expressed === undefined ? 'unknown' : expressed ? 'yes' : 'no')
  return all.includes('no') ? 'no' : all.includes('unknown') ? 'unknown' : 'yes'
}

function inForce(when: InForce, q: Question): boolean {
  if (when.sinceMs !== null && q.nowMs < when.sinceMs) return false
  if (when.untilMs !== null && q.nowMs >= when.untilMs) return false
  if (when.networks !== null && !when.networks.some(network => inNetwork(network, q.address))) return false
  return when.hours === null || when.hours.some(hours => inHours(hours, q.nowMs))
}

/** IPv4 only: addresses and networks of the tests. */
function inNetwork(network: string, address: string): boolean {
  if (address === '') return false
  const number = (text: string) => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
  const [base, bits] = network.split('/') as [string, string]
  const size = 2 ** (32 - Number(bits))
  return Math.floor(number(address) / size) === Math.floor(number(base) / size)
}

const clocks = new Map<string, Intl.DateTimeFormat>()

/** By what a clock on the wall of that zone shows. */
export function inHours(hours: Hours, nowMs: number): boolean {
  let shown = clocks.get(hours.zone)
  if (shown === undefined) {
    shown = new Intl.DateTimeFormat('en-GB', { timeZone: hours.zone, weekday: 'short', hour: '2-digit', minute: '2-digit' })
    clocks.set(hours.zone, shown)
  }
  const part = Object.fromEntries(shown.formatToParts(nowMs).map(({ type, value }) => [type, value]))
  const day = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'].indexOf(part['weekday']!)
  const minute = (Number(part['hour']) % 24) * 60 + Number(part['minute'])
  if (hours.fromMinute < hours.toMinute) return hours.days.includes(day) && minute >= hours.fromMinute && minute < hours.toMinute
  return (hours.days.includes(day) && minute >= hours.fromMinute) || (hours.days.includes((day + 6) % 7) && minute < hours.toMinute)
}

function covers(pattern: Pattern, q: Question): boolean {
  if (pattern.resource !== q.resource) return false
  const text = Buffer.from(pattern.text)
  return pattern.prefix ? q.name.subarray(0, text.length).equals(text) : q.name.equals(text)
}

function isOne(subject: Subject, principal: Principal): boolean {
  if (subject.issuer !== principal.issuer) return false
  switch (subject.kind) {
    case 'anyone':
      return true
    case 'user':
    case 'service':
      return principal.type === subject.kind && principal.name === subject.name
    case 'group':
      return principal.groups.includes(subject.name)
    case 'groupBelow':
      return principal.groups.some(group => group === subject.name || group.startsWith(`${subject.name}/`))
    case 'realmRole':
      return principal.realmRoles.includes(subject.name)
    case 'clientRole':
      return (principal.clientRoles[subject.client] ?? []).includes(subject.name)
    case 'org':
      return subject.name in principal.organizations
    case 'orgRole':
      return (principal.organizations[subject.org] ?? []).includes(subject.name)
  }
}
