// Which engine judges: the seam between a configuration and the authorizers of main and of its workers.

import type { Config } from '../base/config.ts'
import type { Authorizer } from '../policy/authorizer.ts'
import { Embedded } from '../policy/embedded.ts'
import type { EvaluatorOptions } from '../policy/evaluator.ts'
import type { Kept, KeptQuestion } from '../policy/kept.ts'
import type { Answer, EngineMessage, Question } from '../policy/openfga-questions.ts'
import type { PolicyDocument } from '../policy/policy-document.ts'
import type { Snapshot } from '../policy/store-state.ts'
import type { Subscriptions } from '../policy/subscriptions.ts'
import type { Home, WorkerStart } from './home.ts'

/** An authorizer in a worker, as its worker sees it. */
export interface WorkerAuthorizer {
  readonly authorizer: Authorizer
  replace(document: PolicyDocument): void
  /** A message of the engine in main. */
  receive(message: unknown): void
  /** What OpenFGA said of a principal and still counts; the embedded engine judges by the policy alone. */
  kept(question: KeptQuestion): Kept[]
}

/** The part of an engine that exists once, in main. */
export interface Engine {
  /** What a new worker's authorizer begins with: plain data. */
  initial(): unknown
  /** Answers a worker's authorizer: plain data both ways. */
  ask(question: unknown): Promise<unknown>
  replace(document: PolicyDocument): Promise<void>
  /** Null: the store has not answered yet. @throws {UnfitStoreError} when its model does not know them */
  subscriptions(): Subscriptions | null
  /** For /readyz: plain words and numbers. */
  status(): Record<string, unknown>
  stop(): void
}

/** @param tell sends a message to every worker's authorizer; resolves when all have it. Null: the engine needs nothing in main. */
export async function openEngine(
  config: Config,
  document: PolicyDocument,
  tell: (message: unknown) => Promise<void>,
): Promise<Engine | null> {
  const { engine: name, openfga, cache } = config.authorizer
  if (name === 'embedded' || openfga === null) return null
  const { OpenFgaEngine } = await import('../policy/openfga-engine.ts')
  const { grantsMs, objectsMs, entries } = cache
  const engine = new OpenFgaEngine({ cluster: config.cluster.name, ...openfga, grantsMs, objectsMs, entries }, document, tell)
  await engine.open()
  return {
    initial: () => engine.initial(),
    ask: question => engine.ask(question as Question),
    replace: next => engine.replace(next),
    subscriptions: () => engine.subscriptions,
    status: () => engine.status(),
    stop: () => engine.stop(),
  }
}

export async function openAuthorizer(start: WorkerStart, home: Home, options: EvaluatorOptions): Promise<WorkerAuthorizer> {
  if (start.config.authorizer.engine === 'embedded') {
    const authorizer = new Embedded(start.document, options)
    return { authorizer, replace: document => authorizer.replace(document), receive: () => undefined, kept: () => [] }
  }
  const { OpenFga } = await import('../policy/openfga.ts')
  const ask = (question: Question) => home.askEngine(question) as Promise<Answer>
  const { maxStaleMs } = start.config.authorizer.cache
  const authorizer = new OpenFga(start.document, start.engine as Snapshot | null, ask, {
    ...options,
    cluster: start.config.cluster.name,
    maxStaleMs,
  })
  return {
    authorizer,
    replace: document => authorizer.replace(document),
    receive: message => authorizer.receive(message as EngineMessage),
    kept: question => authorizer.kept(question),
  }
}
