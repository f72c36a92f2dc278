// Whether one thing is in force only while another is: for what compares grants.

import type { InForce } from './policy-document.ts'

/** Whenever and wherever the inner holds, the outer does. Networks and hours count as within only when they are the same. */
export function isTimeWithin(inner: InForce, outer: InForce): boolean {
  const same = (a: unknown, b: unknown): boolean => b === null || JSON.stringify(a) === JSON.stringify(b)
  return (
    (outer.sinceMs === null || (inner.sinceMs !== null && inner.sinceMs >= outer.sinceMs)) &&
    (outer.untilMs === null || (inner.untilMs !== null && inner.untilMs <= outer.untilMs)) &&
    same(inner.networks, outer.networks) &&
    same(inner.hours, outer.hours)
  )
}
