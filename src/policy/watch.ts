// The policy in force and its files: read again when they change, on request, and when Kubernetes swaps a symlink; a bad one never replaces a good one.

import { type FSWatcher, lstatSync, statSync, watch } from 'node:fs'
import { dirname } from 'node:path'
import type { Config } from '../base/config.ts'
import { demandClientAddress } from '../base/config.ts'
import type { PolicyDocument } from './policy-document.ts'
import type { IssuerNames, PolicyContext } from './policy-file.ts'
import { loadPolicy, policyFiles, policyHash, readPolicy } from './policy-file.ts'
import { demandTests } from './policy-tests.ts'

/** How often the files are looked at: file systems that tell of changes are believed sooner. */
const LOOK_MS = 500
/** A file that still changes is not read: half a policy could be a valid one. */
const SETTLE_MS = 60
/** When a good policy that could not be adopted is tried again. */
const ADOPT_AGAIN_MS = 10_000

export interface Watching {
  /** Reads the files now, changed or not. */
  now(): void
  stop(): void
}

/**
 * Adopts what the files say whenever they change.
 * @param first the policy in force
 * @param adopt takes a policy that is new and good; the next is not read before it resolves
 * @param refuse is told why what the files say now is not adopted
 */
export function watchPolicy(
  config: Config,
  first: PolicyDocument,
  adopt: (document: PolicyDocument) => void | Promise<void>,
  refuse: (why: Error) => void,
): Watching {
  let inForce = first
  let refused = false
  const watching: Watching = new Watch(config.policy, async () => {
    try {
      // A policy that was there is missed when it is gone: with it would go its rules.
      const settings = { ...config, policyMayBeMissing: config.policyMayBeMissing && inForce.files.length === 0 }
      if (policyHash(lacksPolicy(settings) ? [] : policyFiles(config.policy)) === inForce.hash && !refused) return
      const document = readPolicyOf(settings, inForce.generation + 1)
      try {
        await adopt(document)
      } catch (why) {
        // The files are good: what keeps them from being adopted may pass.
        setTimeout(() => watching.now(), ADOPT_AGAIN_MS).unref()
        throw why
      }
      refused = false
      inForce = document
    } catch (why) {
      refused = true
      refuse(why as Error)
    }
  })
  return watching
}

/** Issuers with their roles, and listeners, as a policy may name them. */
export function policyContext(config: Config, generation = 1): PolicyContext {
  const issuers: IssuerNames[] = config.issuers.map(({ alias, organizations }) => ({
    alias,
    organizationRoles: Object.keys(organizations?.roles ?? {}),
  }))
  return { issuers, listeners: config.listeners.map(({ name }) => name), generation }
}

/** What the policy of a configuration says; nothing, where there is none and need not be. @throws {InvalidFileError} with all problems */
export function loadPolicyOf(config: Config, generation = 1): PolicyDocument {
  const context = policyContext(config, generation)
  return lacksPolicy(config) ? readPolicy([], context) : loadPolicy(config.policy, context)
}

/** A link that leads nowhere is there: what it led to is missed. */
const lacksPolicy = ({ policy, policyMayBeMissing }: Config): boolean =>
  policyMayBeMissing && lstatSync(policy, { throwIfNoEntry: false }) === undefined

/** @throws {InvalidFileError} with all problems; {PolicyTestsError} when only its own tests fail */
export function readPolicyOf(config: Config, generation: number): PolicyDocument {
  const document = loadPolicyOf(config, generation)
  if (document.readsAddress) demandClientAddress(config)
  demandTests(document, Date.now())
  return document
}

/** Calls `changed` when anything about the files looks different, one call at a time. */
class Watch implements Watching {
  readonly #path: string
  readonly #changed: () => Promise<void>
  readonly #timer: NodeJS.Timeout
  readonly #watchers: FSWatcher[] = []
  #look: string
  #busy = false
  #again = false
  #stopped = false
  #settling: NodeJS.Timeout | null = null

  constructor(path: string, changed: () => Promise<void>) {
    this.#path = path
    this.#changed = changed
    this.#look = lookOf(path)
    this.#timer = setInterval(() => this.#glance(), LOOK_MS)
    this.#timer.unref()
    for (const folder of new Set([dirname(path), path])) {
      try {
        this.#watchers.push(watch(folder, { persistent: false }, () => this.#glance()).on('error', () => undefined))
      } catch {}
    }
  }

  now(): void {
    if (this.#stopped) return
    if (this.#busy) {
      this.#again = true
      return
    }
    this.#busy = true
    void this.#changed().finally(() => {
      this.#busy = false
      if (this.#again) {
        this.#again = false
        this.now()
      }
    })
  }

  stop(): void {
    this.#stopped = true
    clearInterval(this.#timer)
    if (this.#settling !== null) clearTimeout(this.#settling)
    for (const watcher of this.#watchers) watcher.close()
  }

  /** Reads the files once they have looked the same, and new, for a moment. */
  #glance(): void {
    if (this.#settling !== null) return
    const before = lookOf(this.#path)
    if (before === this.#look) return
    this.#settling = setTimeout(() => {
      this.#settling = null
      const after = lookOf(this.#path)
      if (after !== before) return this.#glance()
      this.#look = after
      this.now()
    }, SETTLE_MS)
    this.#settling.unref()
  }
}

/** What the system says of the files, without reading them; symlinks are followed. */
function lookOf(path: string): string {
  try {
    return policyFiles(path)
      .map(file => {
        const { ino, size, mtimeMs, ctimeMs } = statSync(file)
        return `${file}\0${ino} ${size} ${mtimeMs} ${ctimeMs}`
      })
      .join('\0')
  } catch {
    return 'unreadable'
  }
}
