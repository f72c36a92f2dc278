// A thousand clients of one broker that is killed and comes back: how soon all are served, and how many connections the broker gets in a second.

import { Crowd } from '../../test/e2e/crowd.ts'
import { RollingWorld } from '../../test/e2e/rolling-world.ts'

const CLIENTS = 1_000
const DIALS_PER_SECOND = 200
const VICTIM = 2

export async function measure(): Promise<Record<string, unknown>> {
  const world = await RollingWorld.start({ dialsPerSecond: DIALS_PER_SECOND, requestLog: true })
  const token = await world.issuer.mint({ service: 'crowd' })
  const beganAtMs = performance.now()
  const crowd = new Crowd(world, VICTIM, CLIENTS, token)
  await crowd.come()
  const first = figures(crowd, beganAtMs)
  await world.kafka.kill(VICTIM)
  const coming = crowd.come()
  await world.kafka.restart(VICTIM)
  const backAtMs = performance.now()
  await coming
  const again = figures(crowd, backAtMs)
  crowd.leave()
  await world.stop()
  return { 'all at once': first, 'when their broker is back': again }
}

function figures(crowd: Crowd, fromMs: number): Record<string, number> {
  const afterMs = crowd.servedAfterMs(fromMs)
  const at = (part: number) => Math.max(0, afterMs[Math.floor((afterMs.length - 1) * part)]!)
  return {
    clients: afterMs.length,
    dialsPerSecond: DIALS_PER_SECOND,
    mostInOneSecond: crowd.mostInOneSecond(),
    attempts: crowd.attempts,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    lastMs: at(1),
  }
}
