// The admin API of a running gate: whose tokens it takes, which subscriptions and answers it keeps, and what the audit says of it.

import type { Log } from '../base/log.ts'
import { ulid } from '../base/ulid.ts'
import type { KeptQuestion } from '../policy/kept.ts'
import { UnfitStoreError } from '../policy/openfga-model.ts'
import type { Subscriptions } from '../policy/subscriptions.ts'
import { type AdminDeed, AdminServer } from './admin.ts'
import { keptState, Store } from './admin-kept.ts'
import type { GateProcess } from './process.ts'

/** What policy and audit call the place where it listens. */
const LISTENER = 'admin'

export interface ServedAdmin {
  readonly port: number
  close(): void
}

/** Null: the configuration wants none. @throws when the address cannot be bound, or a certificate cannot be used */
export async function serveAdmin(gate: GateProcess, version: string, log: Log): Promise<ServedAdmin | null> {
  const { admin, issuers } = gate.config
  if (admin === null) return null
  const server = new AdminServer({
    config: admin,
    version,
    issuers: issuers.map(({ alias }) => alias),
    log,
    verify: token => gate.verifyOf(token, admin.issuers),
    subscriptions: () => subscriptionsOf(gate),
    mayDescribeCluster: (caller, address) => gate.mayDescribeCluster(caller, { listener: LISTENER, address }),
    kept: question => keptBy(gate, question),
    record: deed => void gate.record([lineOf(deed, gate)]),
  })
  return { port: await server.listen(), close: () => server.close() }
}

/** Null: the engine has not answered yet. @throws {UnfitStoreError} when it keeps none */
function subscriptionsOf({ config, engine }: GateProcess): Subscriptions | null {
  if (config.authorizer.engine === 'embedded') {
    throw new UnfitStoreError('subscriptions are kept in an OpenFGA store: authorizer.engine: openfga')
  }
  return engine?.subscriptions() ?? null
}

async function keptBy(gate: GateProcess, question: KeptQuestion): Promise<object> {
  const { generation, hash } = gate.document
  const kept = (await gate.kept(question)).flatMap((states, worker) => states.map(state => keptState(worker, state)))
  return {
    engine: gate.config.authorizer.engine,
    policy: { generation, hash: hash.slice(0, 12), fresh: gate.policyIsFresh },
    store: gate.engine === null ? null : Store.parse(gate.engineStatus),
    kept,
  }
}

/** Tools that read the audit for operations on resources pass over it: it has none. */
function lineOf({ caller, api, id, grant, address, software, problem }: AdminDeed, gate: GateProcess) {
  const nowMs = Date.now()
  return {
    time: new Date(nowMs).toISOString(),
    id: ulid(nowMs),
    verdict: problem === null ? ('allowed' as const) : ('refused' as const),
    reason: problem ?? 'done',
    principal: caller?.id ?? null,
    issuer: caller?.issuer ?? null,
    azp: caller?.token.azp ?? null,
    sid: caller?.token.sid ?? null,
    jti: caller?.token.jti ?? null,
    act: caller?.acting ?? null,
    client: { id: null, software, address, listener: LISTENER, connection: '' },
    api,
    version: null,
    operation: null,
    resource: id === '' ? null : { kind: 'subscription', name: id },
    grant,
    rule: null,
    generation: gate.document.generation,
    engine: gate.config.authorizer.engine,
    error: null,
  }
}
