// OpenFGA over HTTP, through its SDK: short timeouts, no retries, and no answer where one is missing or failed.

import type { ContextualTupleKeys } from '@openfga/sdk'
import { ConsistencyPreference, CredentialsMethod, OpenFgaClient } from '@openfga/sdk'
import type { Tuple } from './grant-tuples.ts'
import { UnfitStoreError } from './openfga-model.ts'

export interface OpenFgaAddress {
  readonly url: string
  readonly token: string | null
}

export interface Change {
  readonly tuple: Tuple
  readonly deleted: boolean
}

export interface StampedChange extends Change {
  /** The moment that OpenFGA wrote it with, as it says it. */
  readonly at: string
}

/** One question about one object. */
export interface Check {
  readonly user: string
  readonly relation: string
  readonly object: string
  readonly contextual: readonly Tuple[]
}

/** The store is no longer as the writer took it to be: nothing was written. */
export class WriteConflict extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'WriteConflict'
  }
}

const PAGE = 100
const CHECKS_A_BATCH = 50
/** Of one question. */
const BATCHES_AT_ONCE = 4
export const TUPLES_A_WRITE = 100
/** ListObjects stops here without a word (`--listObjects-max-results`). */
const LIST_MAX = 1000
/** A list that takes longer meets OpenFGA's own deadline, and ends early without a word. */
const STREAM_MS = 900

/** A store with its model, or with none while it is being made. */
export class OpenFgaStore {
  readonly #client: OpenFgaClient
  readonly #store: string
  readonly #model: string
  /** Our clock before that of OpenFGA. */
  #aheadMs = 0

  constructor(address: OpenFgaAddress, store: string, model: string, timeoutMs: number) {
    this.#client = clientOf(address, timeoutMs, store, model)
    this.#store = store
    this.#model = model
  }

  /** Objects of a type on which the user has the relation. @throws when the answer fails, is late, or may not be whole */
  async objects(type: string, relation: string, user: string, contextual: readonly Tuple[], context: object, exact: boolean) {
    const request = { user, relation, type, contextualTuples: keys(contextual), context }
    const { objects } = await this.#client.listObjects(request, { consistency: consistency(exact) })
    if (objects.length < LIST_MAX) return objects
    const all: string[] = []
    const startMs = Date.now()
    for await (const { object } of this.#client.streamedListObjects(request, { consistency: consistency(exact) })) {
      if (Date.now() - startMs > STREAM_MS) throw new Error(`the list of ${type} is late, and may not be whole`)
      all.push(object)
    }
    return all
  }

  /** In the order of the questions; undefined where no answer came. @throws when none came at all */
  async checks(checks: readonly Check[], context: object, exact: boolean): Promise<(boolean | undefined)[]> {
    const answers: (boolean | undefined)[] = new Array(checks.length).fill(undefined)
    const failures: unknown[] = []
    let next = 0
    let answered = 0
    const ask = async (): Promise<void> => {
      for (let at = next; at < checks.length; at = next) {
        next = at + CHECKS_A_BATCH
        try {
          const batch = await this.#batch(checks.slice(at, next), context, exact)
          for (const [i, answer] of batch.entries()) answers[at + i] = answer
          answered++
        } catch (why) {
          failures.push(why)
        }
      }
    }
    await Promise.all(Array.from({ length: BATCHES_AT_ONCE }, ask))
    if (answered === 0 && failures.length > 0) throw failures[0]
    return answers
  }

  /** The same, each of them answered. @throws when one was left out, too */
  async allChecks(checks: readonly Check[], context: object, exact: boolean): Promise<boolean[]> {
    const answers = await this.checks(checks, context, exact)
    if (answers.includes(undefined)) throw new Error('OpenFGA left out an answer')
    return answers as boolean[]
  }

  async #batch(some: readonly Check[], context: object, exact: boolean): Promise<(boolean | undefined)[]> {
    const checks = some.map(({ user, relation, object, contextual }, i) => ({
      tuple_key: { user, relation, object },
      contextual_tuples: { tuple_keys: keys(contextual) } satisfies ContextualTupleKeys,
      context,
      correlation_id: String(i),
    }))
    const { result } = await this.#client.api.batchCheck(this.#store, {
      checks,
      authorization_model_id: this.#model,
      consistency: consistency(exact),
    })
    return checks.map(({ correlation_id }) => {
      const item = result?.[correlation_id]
      return item === undefined || item.error || typeof item.allowed !== 'boolean' ? undefined : item.allowed
    })
  }

  async check(check: Check, context: object): Promise<boolean | undefined> {
    return (await this.checks([check], context, true))[0]
  }

  /** All changes after `token`, or since a moment. @returns the token to go on with; null: there was none yet */
  async changes(
    from: { readonly token: string } | { readonly sinceMs: number },
  ): Promise<{ changes: StampedChange[]; token: string | null }> {
    const body = 'sinceMs' in from ? { type: '', startTime: new Date(from.sinceMs - this.#aheadMs).toISOString() } : { type: '' }
    let token = 'token' in from ? from.token : null
    const changes: StampedChange[] = []
    for (;;) {
      const paging = token === null ? { pageSize: PAGE } : { pageSize: PAGE, continuationToken: token }
      const page = await this.#client.readChanges(body, paging)
      this.#learnClock(page.$response)
      for (const { tuple_key, operation, timestamp } of page.changes) {
        changes.push({ tuple: tupleOf(tuple_key), deleted: String(operation).endsWith('DELETE'), at: timestamp })
      }
      token = page.continuation_token || token
      if (page.changes.length < PAGE) return { changes, token }
    }
  }

  /** Every tuple of the store. */
  async *tuples(): AsyncGenerator<Tuple> {
    let continuationToken = ''
    do {
      const options = { pageSize: PAGE, consistency: consistency(true), ...(continuationToken && { continuationToken }) }
      const page = await this.#client.read({}, options)
      for (const { key } of page.tuples) yield tupleOf(key)
      continuationToken = page.continuation_token
    } while (continuationToken)
  }

  /** Deletes, then writes, in chunks; what is gone or there already is no error. */
  async write(deletes: readonly Tuple[], writes: readonly Tuple[]): Promise<void> {
    const conflict = { onDuplicateWrites: 'ignore', onMissingDeletes: 'ignore' } as const
    for (let at = 0; at < deletes.length; at += TUPLES_A_WRITE) {
      const chunk = deletes.slice(at, at + TUPLES_A_WRITE).map(({ user, relation, object }) => ({ user, relation, object }))
      await this.#client.write({ deletes: chunk }, { conflict: conflict as never })
    }
    for (let at = 0; at < writes.length; at += TUPLES_A_WRITE) {
      await this.#client.write({ writes: keys(writes.slice(at, at + TUPLES_A_WRITE)) }, { conflict: conflict as never })
    }
  }

  /** Tuples with these parts; without a user the object is a whole one, else it may be a type alone, as `subscription:`. */
  async read(parts: Partial<Pick<Tuple, 'user' | 'relation'>> & Pick<Tuple, 'object'>): Promise<Tuple[]> {
    const found: Tuple[] = []
    let continuationToken = ''
    do {
      const options = { pageSize: PAGE, consistency: consistency(true), ...(continuationToken && { continuationToken }) }
      const page = await this.#client.read(parts, options)
      found.push(...page.tuples.map(({ key }) => tupleOf(key)))
      continuationToken = page.continuation_token
    } while (continuationToken)
    return found
  }

  /** All of it or nothing; at most `TUPLES_A_WRITE`. @throws {WriteConflict} when something is gone, or there already */
  async transact(deletes: readonly Tuple[], writes: readonly Tuple[]): Promise<void> {
    try {
      await this.#client.write({ deletes: deletes.map(({ user, relation, object }) => ({ user, relation, object })), writes: keys(writes) })
    } catch (why) {
      const { apiErrorCode, statusCode } = why as { readonly apiErrorCode?: string; readonly statusCode?: number }
      if (apiErrorCode === 'write_failed_due_to_invalid_input' || statusCode === 409) throw new WriteConflict((why as Error).message)
      throw why
    }
  }

  /** Changes are looked for by OpenFGA's own clock: by ours, when it is ahead, they would lie in the past. */
  #learnClock(response: { readonly headers: unknown } | undefined): void {
    const atMs = Date.parse((response?.headers as { date?: string } | undefined)?.date ?? '')
    if (!Number.isNaN(atMs)) this.#aheadMs = Date.now() - atMs
  }

  async model(): Promise<object> {
    const { authorization_model, $response } = await this.#client.readAuthorizationModel()
    this.#learnClock($response)
    if (authorization_model === undefined) throw new UnfitStoreError(`the store has no model ${this.#model}`)
    return authorization_model
  }
}

/** The id of the store's newest model. @throws when it has none */
export async function newestModel(address: OpenFgaAddress, store: string, timeoutMs: number): Promise<string> {
  const { authorization_model } = await clientOf(address, timeoutMs, store).readLatestAuthorizationModel()
  if (authorization_model === undefined) throw new UnfitStoreError(`store ${store} has no model: topicgate policy init-store makes one`)
  return authorization_model.id
}

/** Makes a store with a model. */
export async function createStore(address: OpenFgaAddress, name: string, model: object, timeoutMs: number) {
  const { id: store } = await clientOf(address, timeoutMs).createStore({ name })
  return { store, model: await writeModel(address, store, model, timeoutMs) }
}

/** Adds a model to a store, and returns its id; those before it stay for whoever names them. */
export async function writeModel(address: OpenFgaAddress, store: string, model: object, timeoutMs: number): Promise<string> {
  return (await clientOf(address, timeoutMs, store).writeAuthorizationModel(model as never)).authorization_model_id
}

function clientOf({ url, token }: OpenFgaAddress, timeoutMs: number, store?: string, model?: string): OpenFgaClient {
  return new OpenFgaClient({
    apiUrl: url,
    ...(store === undefined ? {} : { storeId: store }),
    ...(model === undefined ? {} : { authorizationModelId: model }),
    ...(token === null ? {} : { credentials: { method: CredentialsMethod.ApiToken, config: { token } } }),
    baseOptions: { timeout: timeoutMs },
    retryParams: { maxRetry: 0 },
    telemetry: { metrics: {} },
  })
}

const consistency = (exact: boolean): ConsistencyPreference =>
  exact ? ConsistencyPreference.HigherConsistency : ConsistencyPreference.MinimizeLatency

interface KeyAsSent {
  readonly user: string
  readonly relation: string
  readonly object: string
  readonly condition?: { readonly name: string; readonly context?: object }
}

const keys = (tuples: readonly Tuple[]): KeyAsSent[] => tuples.map(tupleOf)

function tupleOf({ user, relation, object, condition }: KeyAsSent): Tuple {
  return condition?.name ? { user, relation, object, condition } : { user, relation, object }
}
