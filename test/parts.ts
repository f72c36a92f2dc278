// The real parts that tests share: those that `npm test` started, or, in a run of a single file, started when first asked for.

import { type Kafka, startKafka } from '../scripts/stack/kafka.ts'
import { type Keycloak, keycloakAt, startKeycloak } from '../scripts/stack/keycloak.ts'
import { type OpenFga, openFgaAt, startOpenFga } from '../scripts/stack/openfga.ts'

/** Kafka as tests share it: whoever stops or kills a node starts a Kafka of his own. */
export type SharedKafka = Pick<Kafka, 'bootstrap' | 'nodes'>

/** What `npm test` tells the test files, in the environment variable below. */
export interface Parts {
  readonly kafka: SharedKafka
  readonly oracle: SharedKafka
  readonly keycloak: { readonly url: string }
  readonly openFga: { readonly url: string; readonly pid: number }
}

/** The environment variable that carries the parts, as JSON. */
export const PARTS = 'TOPICGATE_TEST_PARTS'

const given: Parts | undefined = process.env[PARTS] ? JSON.parse(process.env[PARTS]) : undefined
const started = new Map<string, Promise<unknown>>()

/** Three open brokers. */
export async function sharedKafka(): Promise<SharedKafka> {
  return given?.kafka ?? first('kafka', () => startKafka({ brokers: 3 }))
}

/** One broker with StandardAuthorizer and the SASL/PLAIN users of `oracleUsers`. */
export async function sharedOracle(): Promise<SharedKafka> {
  return given?.oracle ?? first('oracle', () => startKafka({ authorizer: true }))
}

/** Keycloak with the realm of docker/keycloak/realm.json. */
export async function sharedKeycloak(): Promise<Keycloak> {
  return given ? keycloakAt(given.keycloak.url) : first('keycloak', startKeycloak)
}

/** OpenFGA, its store in SQLite in a whole run, else in memory; each test makes a store of its own. */
export async function sharedOpenFga(): Promise<OpenFga> {
  return given ? openFgaAt(given.openFga.url, given.openFga.pid) : first('openfga', () => startOpenFga())
}

/** What is started here ends with this process. */
function first<T>(name: string, start: () => Promise<T>): Promise<T> {
  if (!started.has(name)) started.set(name, start())
  return started.get(name) as Promise<T>
}

let names = 0

/** A name that no other test uses, for topics and groups on shared parts. */
export function uniqueName(stem: string): string {
  return `${stem}-${process.pid}-${++names}`
}
