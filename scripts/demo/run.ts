// The demo from start to end: parts up, table, and then either the end or a while to try things by hand.

import { removeDemoState, writeDemoState } from '../../src/cli/demo-state.ts'
import { need } from '../stack/needs.ts'
import { byHand } from './by-hand.ts'
import { openConnection, requests } from './scenes.ts'
import { headline, line, say } from './table.ts'
import { startWorld } from './world.ts'

export interface DemoOptions {
  readonly once: boolean
  readonly full: boolean
}

/** @returns true when every line came out as expected */
export async function runDemo({ once, full }: DemoOptions): Promise<boolean> {
  process.removeAllListeners('warning') // KafkaJS 2.2.4 sets timers of a negative length: Node would say so amid the table
  process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1'
  need('java', 'maven', ...(full ? (['go'] as const) : []))
  const interrupted = interruption()
  const world = await startWorld(full)
  try {
    writeDemoState({ pid: process.pid, bootstrap: world.bootstrap, people: world.people })
    let asExpected = true
    for (const [title, scene] of [
      ['Who may do what', requests],
      ['One open connection, three policies', openConnection],
    ] as const) {
      headline(title)
      for await (const row of scene(world)) {
        if (interrupted.happened) return false
        asExpected = line(row) && asExpected
      }
    }
    say(asExpected ? '\nEvery line came out as expected.' : '\nNot every line came out as expected: see the lines marked ✗.')
    if (!once) {
      say(await byHand(world))
      await interrupted.promise
    }
    return asExpected
  } finally {
    removeDemoState()
    await world.stop()
  }
}

/** The first Ctrl-C or TERM ends the parts in order; the second one ends at once. */
function interruption(): { readonly promise: Promise<void>; happened: boolean } {
  const { promise, resolve } = Promise.withResolvers<void>()
  const interrupted = { promise, happened: false }
  const first = () => {
    interrupted.happened = true
    process.once('SIGINT', () => process.exit(1))
    resolve()
  }
  process.once('SIGINT', first)
  process.once('SIGTERM', first)
  return interrupted
}
