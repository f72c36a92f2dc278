// The engine that a configuration names, opened for a few questions of a command and closed again.

import type { Principal } from '../auth/principal.ts'
import type { OpenFgaConfig } from '../base/config.ts'
import type { Authorizer, Operation, Origin, Reason, Resource } from '../policy/authorizer.ts'
import { Verdict } from '../policy/authorizer.ts'
import type { Names } from '../policy/names.ts'
import type { Coverage, Grant, Judged } from '../policy/policy-document.ts'
import type { StoreGraph } from '../policy/store-graph.ts'
import { COMMAND_MS, told } from './openfga-options.ts'
import type { ReadPolicy } from './policy-options.ts'

/** Questions to one engine at one moment. */
export interface Deciding {
  readonly authorizer: Authorizer
  /** What it judges by: the file, or the store's grants with the file's rules. */
  readonly judged: Judged
  /** Ids of the grants that a principal was given. */
  given(principal: Principal, origin: Origin): Promise<ReadonlySet<string>>
  decide(principal: Principal, origin: Origin, operation: Operation, resource: Resource, name: string): Promise<Reason>
  /** The store behind the engine; null: there is none. */
  readonly graph: StoreGraph | null
  stop(): void
}

interface Asked {
  readonly document: ReadPolicy['document']
  readonly names: Names
  readonly clock: { readonly nowMs: number }
}

/** Answers live for as long as a command, whatever moment it asks about. */
const LIFE_MS = 100 * 366 * 86_400_000
/** Rounds of asking before what is still not known counts as undecided. */
const ROUNDS = 3

export async function openDeciding({ settings, document }: ReadPolicy, nowMs: number): Promise<Deciding> {
  const { Names } = await import('../policy/names.ts')
  const asked: Asked = { document, names: new Names(), clock: { nowMs } }
  const openfga = settings?.authorizer.engine === 'openfga' ? settings.authorizer.openfga : null
  return openfga === null ? byFile(asked) : told(openfga, () => byStore(asked, settings!.cluster.name, openfga))
}

async function byFile({ document, names, clock }: Asked): Promise<Deciding> {
  const { Embedded } = await import('../policy/embedded.ts')
  const { keysOf, matchesAny } = await import('../policy/subjects.ts')
  const authorizer = new Embedded(document, { names, clock })
  return {
    authorizer,
    judged: document,
    given: async principal => {
      const keys = keysOf(principal)
      return new Set(document.grants.filter(({ to }) => matchesAny(to, keys)).map(({ id }) => id))
    },
    decide: decideBy(authorizer, names),
    graph: null,
    stop: () => undefined,
  }
}

async function byStore({ document, names, clock }: Asked, cluster: string, openfga: OpenFgaConfig): Promise<Deciding> {
  const { OpenFga } = await import('../policy/openfga.ts')
  const { OpenFgaEngine } = await import('../policy/openfga-engine.ts')
  const { newestModel, OpenFgaStore } = await import('../policy/openfga-client.ts')
  const { StoreGraph } = await import('../policy/store-graph.ts')
  const { whoOf } = await import('../policy/memberships.ts')
  const engine = new OpenFgaEngine(
    { cluster, ...openfga, apply: 'manual', grantsMs: LIFE_MS, objectsMs: LIFE_MS, entries: 100 },
    document,
    async () => undefined,
  )
  await engine.open()
  const snapshot = engine.initial()
  if (snapshot === null) throw new Error(String(engine.status()['error'] ?? 'no answer'))
  const model = openfga.model ?? (await newestModel(openfga, openfga.store, COMMAND_MS))
  const graph = await StoreGraph.read(new OpenFgaStore(openfga, openfga.store, model, COMMAND_MS), cluster)
  const authorizer = new OpenFga(document, snapshot, question => engine.ask(question), { names, clock, cluster, maxStaleMs: 0 })
  return {
    authorizer,
    judged: { ...document, grants: snapshot.coverage.map(grant => placed(grant, document)) },
    given: async (principal, { address }) => {
      const answer = await inRounds(() => engine.ask({ kind: 'given', who: whoOf(principal), address }))
      return new Set('grants' in answer ? answer.grants : [])
    },
    decide: decideBy(authorizer, names),
    graph,
    stop: () => engine.stop(),
  }
}

/** A client would be told to come again; whoever runs a command waits. */
async function inRounds<T>(ask: () => Promise<T>): Promise<T> {
  for (let round = 1; ; round++) {
    try {
      return await ask()
    } catch (why) {
      if (round >= ROUNDS) throw why
    }
  }
}

const decideBy =
  (authorizer: Authorizer, names: Names): Deciding['decide'] =>
  async (principal, origin, operation, resource, text) => {
    const rights = authorizer.rights(principal, origin)
    const name = names.text(resource, text)
    for (let round = 0; round < ROUNDS && rights.check(operation, name) === Verdict.Unknown; round++) await rights.settle()
    const reason = rights.explain(operation, name)
    return reason.verdict === Verdict.Unknown ? { ...reason, verdict: Verdict.Undecided, why: 'engine did not answer' } : reason
  }

/** A grant of the store with what the file says of it, if it is the file's. */
function placed(grant: Coverage, { grants }: ReadPolicy['document']): Coverage {
  const own = grants.find(({ id }) => id === grant.id || grant.id.replace(/\.\d+$/, '') === id)
  if (own === undefined) return grant
  const known: Grant = { ...own, ...grant, place: own.place }
  return known
}
