// The OpenFGA that a policy command speaks to: what the configuration names, or its options.

import type { Config } from '../base/config.ts'
import type { OpenFgaAddress, OpenFgaStore } from '../policy/openfga-client.ts'
import type { PolicyDocument } from '../policy/policy-document.ts'
import { Exit, ExitError } from './exit.ts'

/** For what a person waits for. */
export const COMMAND_MS = 10_000

/** Ends with what OpenFGA said, when it refuses or does not answer. */
export async function told<T>(address: OpenFgaAddress, work: () => Promise<T>): Promise<T> {
  const { isUnfit } = await import('../policy/openfga-model.ts')
  try {
    return await work()
  } catch (why) {
    if (why instanceof ExitError) throw why
    const text = `OpenFGA at ${address.url}: ${why instanceof Error ? why.message : String(why)}`
    throw new ExitError(isUnfit(why) ? Exit.invalid : Exit.unexpected, text)
  }
}

export interface StoreOptions {
  readonly config: string
  readonly set: readonly string[]
}

/** What plan and apply work on. */
export interface StoreAndPolicy {
  readonly address: OpenFgaAddress
  readonly store: OpenFgaStore
  readonly document: PolicyDocument
  readonly cluster: string
  /** With the policy that was read. */
  readonly settings: Config
}

/**
 * Reads the policy, runs its tests, and opens the store that the configuration names, if the gate could judge by it.
 * @param relations `type#relation` that its model must have besides
 */
export async function openStore(
  path: string | undefined,
  { config, set }: StoreOptions,
  relations: readonly string[] = [],
): Promise<StoreAndPolicy> {
  const { loadConfig } = await import('../base/config.ts')
  const { loadPolicy } = await import('../policy/policy-file.ts')
  const { policyContext } = await import('../policy/watch.ts')
  const { demandTests } = await import('../policy/policy-tests.ts')
  const configured = loadConfig(config, set)
  const settings = path === undefined ? configured : { ...configured, policy: path }
  const address = storeAddress(config, settings)
  const document = loadPolicy(settings.policy, policyContext(settings))
  demandTests(document, Date.now())
  return { address, store: await told(address, () => fitStore(address, relations)), document, cluster: settings.cluster.name, settings }
}

type StoreAddress = NonNullable<Config['authorizer']['openfga']>

function storeAddress(file: string, { authorizer }: Config): StoreAddress {
  if (authorizer.openfga !== null) return authorizer.openfga
  throw new ExitError(Exit.invalid, `${file}: authorizer.openfga is missing: it names the store to write to`)
}

async function fitStore(address: StoreAddress, relations: readonly string[]): Promise<OpenFgaStore> {
  const { newestModel, OpenFgaStore } = await import('../policy/openfga-client.ts')
  const { demandFit } = await import('../policy/openfga-model.ts')
  const model = address.model ?? (await newestModel(address, address.store, COMMAND_MS))
  const store = new OpenFgaStore(address, address.store, model, COMMAND_MS)
  demandFit(await store.model(), model, relations)
  return store
}
