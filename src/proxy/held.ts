// The budget of bytes that wait in memory for the rest of their frame: one for the process, counted when a frame's size is known.

const REQUESTS = 0
const RESPONSES = 1
/** Of all that have not logged in yet: together they may take a quarter, and leave the rest to those who have. */
export const BEFORE_LOGIN = 2
const SHARES = 3
const PRINCIPALS = 1024
const MAX_BYTES = 0x7fffffff

export const REQUEST = REQUESTS
export const RESPONSE = RESPONSES
export type Side = typeof REQUEST | typeof RESPONSE

/** Memory for the counts of a whole process: requests, responses, and a share for each principal (by hash: who collides shares). */
export const heldMemory = (): Int32Array<SharedArrayBuffer> => new Int32Array(new SharedArrayBuffer((SHARES + PRINCIPALS) * 4))

/** Whose share a principal's bytes are counted in. */
export function shareOf(principalId: string): number {
  let hash = 0
  for (let i = 0; i < principalId.length; i++) hash = Math.imul(hash ^ principalId.charCodeAt(i), 0x01000193)
  return SHARES + (((hash ^ (hash >>> 15)) >>> 0) % PRINCIPALS)
}

/**
 * Counts a frame in; false: there is no room for it now, and nothing is counted.
 * Requests may take three quarters of the budget, responses one, a principal one of both together.
 */
export function reserve(held: Int32Array<SharedArrayBuffer>, budgetBytes: number, side: Side, share: number, sizeBytes: number): boolean {
  const budget = Math.min(budgetBytes, MAX_BYTES)
  const quarter = Math.floor(budget / 4)
  if (!add(held, side, sizeBytes, side === REQUESTS ? budget - quarter : quarter)) return false
  if (share >= held.length || add(held, share, sizeBytes, quarter)) return true
  Atomics.sub(held, side, sizeBytes)
  return false
}

/** Counts out what `reserve` has counted in. */
export function unreserve(held: Int32Array<SharedArrayBuffer>, side: Side, share: number, sizeBytes: number): void {
  Atomics.sub(held, side, sizeBytes)
  if (share < held.length) Atomics.sub(held, share, sizeBytes)
}

function add(held: Int32Array<SharedArrayBuffer>, slot: number, sizeBytes: number, limitBytes: number): boolean {
  for (;;) {
    const before = Atomics.load(held, slot)
    if (before > limitBytes - sizeBytes) return false
    if (Atomics.compareExchange(held, slot, before, before + sizeBytes) === before) return true
  }
}
