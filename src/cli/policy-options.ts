// What policy commands have in common: which policy they read, and the moment and address they ask about.

import { isAbsolute, relative } from 'node:path'
import type { Command } from 'commander'
import type { Config } from '../base/config.ts'
import type { PolicyDocument } from '../policy/policy-document.ts'
import { Exit, ExitError } from './exit.ts'

export interface PolicyOptions {
  readonly config?: string
  readonly policy?: string
  readonly set?: readonly string[]
}

/** Adds the options that `readPolicyFor` reads. */
export function withPolicy(command: Command): Command {
  return command
    .option('-c, --config <file>', 'topicgate.yaml; default: the one in this folder, unless --policy is given')
    .option('--policy <path>', 'another policy file or folder than that of the configuration')
    .option('--set <key=value>', 'override one value of the configuration; may be repeated', collect, [])
}

/** For options that may be repeated. */
export const collect = (value: string, before: readonly string[]): string[] => [...before, value]

export interface ReadPolicy {
  /** null: only a policy was named. */
  readonly settings: Config | null
  readonly document: PolicyDocument
}

/** @throws {InvalidFileError} with all problems */
export async function readPolicyFor({ config, policy, set }: PolicyOptions): Promise<ReadPolicy> {
  const { loadConfig } = await import('../base/config.ts')
  const { loadPolicy } = await import('../policy/policy-file.ts')
  const { loadPolicyOf, policyContext } = await import('../policy/watch.ts')
  const settings = config === undefined && policy !== undefined ? null : loadConfig(config ?? 'topicgate.yaml', set ?? [])
  if (policy === undefined) return { settings, document: loadPolicyOf({ ...settings!, policy: nearer(settings!.policy) }) }
  const context = settings === null ? { issuers: null, generation: 1 } : policyContext(settings)
  return { settings, document: loadPolicy(nearer(policy), context) }
}

/** A path below this folder as people would write it. */
function nearer(path: string): string {
  const near = relative('', path)
  return near === '' || near.startsWith('..') || isAbsolute(near) ? path : near
}

/** Epoch ms of `--at`; null: it is not given. */
export function timeOption(at: string | undefined): number | null {
  if (at === undefined) return null
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/i.test(at) ? Date.parse(at.toUpperCase()) : Number.NaN
  if (Number.isNaN(ms)) throw new ExitError(Exit.usage, `--at ${at} is not a time with an offset: write it as 2026-12-01T00:00:00+01:00`)
  return ms
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}
