// The pinned versions of everything that is not an npm package: read from scripts/versions.json, the only place that names them.

import { readFileSync } from 'node:fs'

export interface Versions {
  readonly kafka: {
    readonly broker: string
    readonly tools: string
    readonly old: readonly string[]
    readonly scala: string
    readonly log4jSlf4jImpl: string
    /** What Kafka's own tests of the tools' version were written for. */
    readonly junit: string
    readonly junitPlatform: string
    readonly mockito: string
  }
  readonly keycloak: string
  readonly openfga: { readonly server: string; readonly cli: string }
  readonly clients: {
    readonly confluentKafka: string
    readonly franzGo: string
    readonly franzGoKadm: string
    readonly kfake: string
    readonly sarama: string
  }
  readonly haproxy: string
}

/** The pins, as the file has them. */
export const versions: Versions = JSON.parse(readFileSync(new URL('../versions.json', import.meta.url), 'utf8'))
