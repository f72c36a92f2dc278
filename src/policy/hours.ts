// Whether something is in force at a moment, and the next moment at which that may change: exact, time zones included.

import type { Hours, InForce } from './policy-document.ts'

const MINUTE_MS = 60_000
const DAY_MINUTES = 1440
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

/** In force or not, and the epoch ms until which this answer holds (Infinity: for good). */
export interface Holds {
  readonly yes: boolean
  readonly untilMs: number
}

/** What of `InForce` is told by the clock alone; networks are left aside. */
export function holdsAt(what: Pick<InForce, 'sinceMs' | 'untilMs' | 'hours'>, nowMs: number): Holds {
  if (what.untilMs !== null && nowMs >= what.untilMs) return { yes: false, untilMs: Number.POSITIVE_INFINITY }
  if (what.sinceMs !== null && nowMs < what.sinceMs) return { yes: false, untilMs: what.sinceMs }
  const end = what.untilMs ?? Number.POSITIVE_INFINITY
  if (what.hours === null) return { yes: true, untilMs: end }
  const hours = anyAt(what.hours, nowMs)
  return { yes: hours.yes, untilMs: Math.min(hours.untilMs, end) }
}

/** Whether the moment lies in any of the windows. */
export function anyAt(windows: readonly Hours[], nowMs: number): Holds {
  let yes = false
  let untilMs = Number.POSITIVE_INFINITY
  for (const window of windows) {
    const one = windowAt(window, nowMs)
    yes ||= one.yes
    untilMs = Math.min(untilMs, one.untilMs)
  }
  return { yes, untilMs }
}

function windowAt(window: Hours, nowMs: number): Holds {
  const offsetMs = zoneOffsetMs(window.zone, nowMs)
  const local = new Date(nowMs + offsetMs)
  const minute = local.getUTCHours() * 60 + local.getUTCMinutes()
  const today = window.days.includes(local.getUTCDay())
  const yesterday = window.days.includes((local.getUTCDay() + 6) % 7)
  const { fromMinute, toMinute } = window
  const yes =
    fromMinute < toMinute
      ? today && minute >= fromMinute && minute < toMinute
      : (today && minute >= fromMinute) || (yesterday && minute < toMinute)
  const edge = [fromMinute, toMinute, DAY_MINUTES].filter(m => m > minute).reduce((a, b) => Math.min(a, b))
  const midnightMs = Math.floor((nowMs + offsetMs) / (DAY_MINUTES * MINUTE_MS)) * DAY_MINUTES * MINUTE_MS - offsetMs
  return { yes, untilMs: beforeChange(window.zone, nowMs, offsetMs, midnightMs + edge * MINUTE_MS) }
}

/** `untilMs`, or the moment before it at which the zone's clocks are put forward or back. */
function beforeChange(zone: string, nowMs: number, offsetMs: number, untilMs: number): number {
  if (zoneOffsetMs(zone, untilMs) === offsetMs) return untilMs
  let same = nowMs
  let other = untilMs
  while (other - same > 1) {
    const middle = Math.floor((same + other) / 2)
    if (zoneOffsetMs(zone, middle) === offsetMs) same = middle
    else other = middle
  }
  return other
}

const formats = new Map<string, Intl.DateTimeFormat>()

/** How far the zone's clocks are ahead of UTC at that moment. */
function zoneOffsetMs(zone: string, atMs: number): number {
  let format = formats.get(zone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    formats.set(zone, format)
  }
  const part: Record<string, number> = {}
  for (const { type, value } of format.formatToParts(atMs)) part[type] = Number(value)
  const local = Date.UTC(part['year']!, part['month']! - 1, part['day'], part['hour'], part['minute'], part['second'])
  return local - Math.floor(atMs / 1000) * 1000
}

/** Whether the system knows a time zone of that name. */
export function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/** `mon`, or `fri-mon` with both ends: numbers from Sunday = 0; null if it is neither. */
export function parseDays(text: string): number[] | null {
  const [first, last, ...rest] = text
    .toLowerCase()
    .split('-')
    .map(day => DAYS.indexOf(day.trim()))
  if (first === undefined || first < 0 || rest.length > 0 || last === -1) return null
  const days = [first]
  for (let day = first; last !== undefined && day !== last; ) days.push((day = (day + 1) % 7))
  return days
}

/** `08:00-18:00` as minutes since midnight; 24:00 may end it; null if it is no such thing. */
export function parseBetween(text: string): readonly [number, number] | null {
  const match = /^([01]\d|2[0-3]):([0-5]\d)\s*-\s*(?:([01]\d|2[0-3]):([0-5]\d)|24:00)$/.exec(text)
  if (match === null) return null
  const from = Number(match[1]) * 60 + Number(match[2])
  const to = match[3] === undefined ? DAY_MINUTES : Number(match[3]) * 60 + Number(match[4])
  return from === to ? null : [from, to]
}
