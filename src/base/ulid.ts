// Ids of decisions: ULIDs, so that they sort by time and can be read aloud.

import { randomFillSync } from 'node:crypto'

const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const random = new Uint8Array(16 * 64)
let at = random.length

/** 26 characters: 48 bits of time in ms, 80 random bits (github.com/ulid/spec). */
export function ulid(nowMs: number): string {
  if (at === random.length) {
    randomFillSync(random)
    at = 0
  }
  let text = ''
  for (let i = 0, time = nowMs; i < 10; i++) {
    text = DIGITS[time % 32] + text
    time = Math.floor(time / 32)
  }
  for (const end = at + 16; at < end; at++) text += DIGITS[random[at]! & 31]
  return text
}
