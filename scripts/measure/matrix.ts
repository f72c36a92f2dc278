// Every Kafka version, kind of security, client family and way through TLS: what was written, read back and refused.

import { isDeepStrictEqual } from 'node:util'
import { Driver } from '../../test/e2e/client.ts'
import { asItShould, MatrixWorld, securities } from '../../test/e2e/matrix-world.ts'
import { ways } from '../../test/e2e/ways.ts'
import { say } from '../stack/cache.ts'
import { families } from '../stack/drivers.ts'
import { versions } from '../stack/versions.ts'

const { broker, old } = versions.kafka
/** Three brokers alike, and last, three that differ: a cluster in the middle of its upgrade. */
const clusters = [broker, ...old, [broker, ...old]]

/** One row for each cell; a cell that did not go as it should says why. */
export async function measure(): Promise<Record<string, unknown>> {
  const figures: Record<string, unknown> = {}
  let asTheyShould = 0
  for (const version of clusters) {
    const named = [version].flat().join('+')
    say(`three brokers, ${named}`)
    const world = await MatrixWorld.start(version)
    const drivers = await Promise.all(families.map(family => Driver.start(family, world.ways.hosts)))
    for (const security of securities) {
      await world.gate(security)
      for (const way of ways) {
        const outcomes = await Promise.allSettled(drivers.map(driver => world.outcome(driver, security, way)))
        for (const [i, outcome] of outcomes.entries()) {
          const went = outcome.status === 'fulfilled' ? outcome.value : { failed: String(outcome.reason) }
          figures[`${named}, ${security}, ${families[i]}, ${way}`] = went
          if (isDeepStrictEqual(went, asItShould(security))) asTheyShould++
        }
      }
    }
    await Promise.all(drivers.map(driver => driver.stop()))
    await world.stop()
  }
  const cells = Object.keys(figures).length
  return { ...figures, all: { cells, asTheyShould } satisfies All }
}

interface All {
  readonly cells: number
  readonly asTheyShould: number
}

export function faults(figures: Record<string, unknown>): string[] {
  const { cells, asTheyShould } = figures['all'] as All
  return cells > 0 && asTheyShould === cells ? [] : [`${asTheyShould} of ${cells} cells went as they should`]
}
