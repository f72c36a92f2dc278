// How clients of each family fare while OpenFGA fails for a minute in each way, and how soon they go on.

import { startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { shippedModel } from '../../src/policy/openfga-model.ts'
import { startGate } from '../../test/e2e/gate.ts'
import { outage, Survivor } from '../../test/e2e/outage.ts'
import { makeTopics } from '../../test/e2e/topics.ts'
import { faults, startFaultyOpenFga } from '../../test/fakes/faulty-openfga.ts'
import { sharedKafka, sharedOpenFga } from '../../test/parts.ts'
import { families } from '../stack/drivers.ts'

const LASTS_MS = 60_000
const STEM = 'outage'

const policy = `
version: 1
grants:
  - { id: all, to: "service:app", allow: [produce, consume], topics: ["${STEM}.*"], consumerGroups: ["${STEM}.*"] }
`

/** What each family's producer was told, how often, by the way OpenFGA failed; and when the last was through again. */
export async function measure(): Promise<Record<string, unknown>> {
  const [kafka, openFga, issuer] = await Promise.all([sharedKafka(), sharedOpenFga(), startDevIssuer({ lifetimeMs: 3_600_000 })])
  const faulty = await startFaultyOpenFga(openFga.url)
  const blocked = { user: 'user:dev/mallory', relation: 'blocked', object: 'cluster:main' }
  const { store } = await openFga.createStore(STEM, shippedModel(), [blocked])
  await makeTopics(kafka, Object.fromEntries(families.map(family => [`${STEM}.${family}`, 1])))
  const gate = await startGate({
    bootstrap: kafka.bootstrap,
    policy,
    issuers: [{ alias: 'dev', issuer: issuer.issuer, audience: 'kafka', kind: 'keycloak' }],
    config: { authorizer: { engine: 'openfga', openfga: { url: faulty.url, store, apply: 'auto' }, cache: { grants: '1s' } } },
  })
  const token = await issuer.mint({ service: 'app' })
  const survivors = await Promise.all(families.map(family => Survivor.start(family, gate.bootstrap, token, `${STEM}.${family}`)))
  const figures: Record<string, unknown> = {}
  for (const fault of faults) {
    const startMs = performance.now()
    const seen = await outage(faulty, fault, survivors, LASTS_MS)
    figures[fault] = { goneOnAfterMs: Math.round(performance.now() - startMs - LASTS_MS), ...seen }
  }
  const refused = gate.audit().filter(({ verdict }) => verdict === 'refused').length
  await Promise.all(survivors.map(survivor => survivor.stop()))
  await gate.stop()
  faulty.stop()
  await issuer.stop()
  return { ...figures, refused }
}
