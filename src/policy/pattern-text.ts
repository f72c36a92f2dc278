// Resources, patterns and conditions as policy files and people write them.

import { Resource } from './authorizer.ts'
import { KIND_NAMES } from './operations.ts'
import type { Hours, InForce, Pattern, Place } from './policy-document.ts'

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

/** `topic:orders.*`, `consumerGroup:audit-1`, `cluster`. */
export const resourceText = (resource: Resource, name: string): string =>
  resource === Resource.Cluster ? 'cluster' : `${KIND_NAMES[resource]}:${name}`

/** `topic:orders.*`; a name that ends in a star itself is quoted. */
export const patternText = ({ resource, prefix, text }: Pattern): string => {
  if (resource === Resource.Cluster) return 'cluster'
  if (prefix) return `${KIND_NAMES[resource]}:${text}*`
  return `${KIND_NAMES[resource]}:${text.endsWith('*') ? JSON.stringify(text) : text}`
}

/** Whether every name of the inner pattern is one of the outer. */
export const containsPattern = (outer: Pattern, inner: Pattern): boolean =>
  outer.resource === inner.resource && (outer.prefix ? inner.text.startsWith(outer.text) : !inner.prefix && inner.text === outer.text)

/** Whether some name is one of both. */
export const overlaps = (a: Pattern, b: Pattern): boolean => containsPattern(a, b) || containsPattern(b, a)

/** `listener a`, `listeners a, b`. */
export const listenersText = (names: readonly string[]): string => `listener${names.length === 1 ? '' : 's'} ${names.join(', ')}`

/** `policy.yaml:12`. */
export const placeText = ({ file, line }: Place): string => `${file}:${line}`

export const timeText = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z')

/** `mon-fri 08:00-18:00 Europe/Berlin`. */
export function hoursText({ days, fromMinute, toMinute, zone }: Hours): string {
  const run = days.every((day, i) => i === 0 || day === days[i - 1]! + 1)
  const names = days.length === 7 ? 'daily' : run && days.length > 2 ? `${DAYS[days[0]!]}-${DAYS[days.at(-1)!]}` : days.map(d => DAYS[d])
  const clock = (minute: number) => `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`
  return `${names} ${clock(fromMinute)}-${clock(toMinute)} ${zone}`
}

/** `since …, until …, from …, hours …`; empty: always, from anywhere. */
export function inForceText({ sinceMs, untilMs, networks, hours }: InForce): string {
  const parts = [
    sinceMs === null ? null : `since ${timeText(sinceMs)}`,
    untilMs === null ? null : `until ${timeText(untilMs)}`,
    networks === null ? null : `from ${networks.join(', ')}`,
    hours === null ? null : `hours ${hours.map(hoursText).join(' or ')}`,
  ]
  return parts.filter(part => part !== null).join(', ')
}
