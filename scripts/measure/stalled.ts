// What 500 clients cost that have asked for 8 MiB and do not read, plainly and by TLS, and how others fare meanwhile.

import { stalled } from '../../test/e2e/stalled.ts'

const MIB = 2 ** 20
/** The default. */
const HELD_BYTES = 512 * MIB

/** RSS in MiB, and what it grew by; ms that another client waits for 8 MiB. */
export async function measure(): Promise<Record<string, unknown>> {
  const figures: Record<string, unknown> = {}
  for (const heldBytes of [HELD_BYTES, HELD_BYTES / 8]) {
    for (const tls of [false, true]) {
      const { idleBytes, grownBytes, othersMs, readLate } = await stalled({ tls, clients: 500, answerBytes: 8 * MIB, heldBytes })
      figures[`${tls ? 'TLS' : 'plain'}, heldBytes ${heldBytes / MIB} MiB`] = {
        idleMib: Math.round(idleBytes / MIB),
        grownMib: Math.round(grownBytes / MIB),
        othersMs: Math.round(Math.max(...othersMs)),
        readLate,
      }
    }
  }
  return figures
}
