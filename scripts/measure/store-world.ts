// The OpenFGA engine as a gate runs it, without Kafka: on a store of its own, and what is asked of it is counted.

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { ClientRequest } from 'node:http'
import { clock } from '../../src/base/clock.ts'
import { applyGrants } from '../../src/policy/apply.ts'
import type { Names } from '../../src/policy/names.ts'
import { OpenFga } from '../../src/policy/openfga.ts'
import { OpenFgaStore } from '../../src/policy/openfga-client.ts'
import { OpenFgaEngine } from '../../src/policy/openfga-engine.ts'
import { shippedModel } from '../../src/policy/openfga-model.ts'
import type { Grant, PolicyDocument } from '../../src/policy/policy-document.ts'
import type { OpenFga as OpenFgaServer, Tuple } from '../stack/openfga.ts'

export const CLUSTER = 'main'
export const ORIGIN = { listener: '', address: '127.0.0.1' }

/** Node tells of each request that leaves this process here. */
const REQUESTS = 'http.client.request.start'

export interface StoreWorld {
  /** The engine in a worker. */
  readonly authorizer: OpenFga
  /** How often the store was asked since it was open, changes left aside. */
  asked(): number
  stop(): void
}

export interface StoreWorldOptions {
  /** `cache.grants`. */
  readonly grantsMs: number
  /** What the store says beside grants. */
  readonly tuples?: readonly Tuple[]
}

/** Writes the document's grants into a new store, and opens an engine on it. */
export async function openStoreWorld(
  openFga: OpenFgaServer,
  document: PolicyDocument,
  names: Names,
  { grantsMs, tuples = [] }: StoreWorldOptions,
): Promise<StoreWorld> {
  const { store, model } = await openFga.createStore('measured', shippedModel(), tuples)
  await applyGrants(new OpenFgaStore({ url: openFga.url, token: null }, store, model, 60_000), document.grants, CLUSTER)
  let authorizer: OpenFga | null = null
  const cache = { grantsMs, objectsMs: grantsMs, entries: 100_000 }
  const settings = { cluster: CLUSTER, url: openFga.url, token: null, store, model, objects: 'auto', apply: 'manual', ...cache } as const
  const engine = new OpenFgaEngine(settings, document, async message => authorizer?.receive(message))
  await engine.open()
  authorizer = new OpenFga(document, engine.initial(), question => engine.ask(question), { names, clock, cluster: CLUSTER, maxStaleMs: 0 })
  let asked = 0
  const count = (message: unknown): void => {
    const { path } = (message as { request: ClientRequest }).request
    if (path.startsWith(`/stores/${store}/`) && !path.startsWith(`/stores/${store}/changes`)) asked++
  }
  subscribe(REQUESTS, count)
  return {
    authorizer,
    asked: () => asked,
    stop: () => {
      unsubscribe(REQUESTS, count)
      engine.stop()
    },
  }
}

/** A policy of nothing but these. */
export const policyOf = (grants: readonly Grant[]): PolicyDocument => ({
  generation: 1,
  hash: '',
  files: [],
  grants,
  rules: [],
  shadows: [],
  tests: [],
  readsAddress: false,
})
