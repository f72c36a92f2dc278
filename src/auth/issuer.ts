// The keys of one issuer: found by discovery or URL, refreshed in the background, served stale for a bounded time, never fetched in a flood.

import { setTimeout as sleep } from 'node:timers/promises'
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWSHeaderParameters } from 'jose'
import { demandHttps, plainMessage, readBounded } from './fetched.ts'

const MAX_BYTES = 256 * 1024
const MAX_KEYS = 64
const FETCH_TIMEOUT_MS = 5_000
/**
 * Between two fetches for keys that were not known: doubled while fetches bring nothing new, so that forged key ids make no flood.
 * A turn that comes within `first` is waited for, so that a rotation costs a moment and no login.
 */
const COOLDOWN_MS = { first: 1_000, most: 30_000 }
/** Between two attempts while the issuer does not answer. */
const RETRY_MS = { first: 1_000, most: 30_000 }

export interface KeySourceOptions {
  /** The `iss` of its tokens, exactly. */
  readonly issuer: string
  /** Where the keys are; left out: what the issuer's discovery document says (OpenID Connect Discovery 1.0 §4). */
  readonly jwks?: string | undefined
  /** Plain http is for loopback addresses, unless this says that the network is trusted. */
  readonly allowHttp?: boolean | undefined
  readonly refreshMs?: number | undefined
  /** Keys older than this are not used; between refreshes that fail they are. */
  readonly maxStaleMs?: number | undefined
  readonly fetch?: typeof fetch | undefined
  /** Epoch ms. */
  readonly now?: (() => number) | undefined
  readonly sleep?: ((ms: number) => Promise<unknown>) | undefined
}

/** The keys cannot be had now: nothing can be said of a token. */
export class KeysUnavailable extends Error {
  readonly code = 'ERR_KEYS_UNAVAILABLE'
}

export interface KeyStatus {
  /** Epoch ms of the last fetch that brought keys; null: none has. */
  readonly fetchedAtMs: number | null
  /** Fetches in a row that failed. */
  readonly failures: number
  readonly lastError: string | null
  /** Tokens can be checked now. */
  readonly usable: boolean
}

type LocalKeys = ReturnType<typeof createLocalJWKSet>
export type VerificationKey = Awaited<ReturnType<LocalKeys>>

/** The published keys of one issuer. */
export class IssuerKeys {
  #keys: LocalKeys | null = null
  #jwksUrl: string | null
  #fetchedAtMs = Number.NEGATIVE_INFINITY
  #nextFetchAtMs = Number.NEGATIVE_INFINITY
  #fetches = 0
  #cooldownMs = COOLDOWN_MS.first
  #fruitlessAtMs = Number.NEGATIVE_INFINITY
  #failures = 0
  #lastError: string | null = null
  #flight: Promise<void> | null = null
  #timer: NodeJS.Timeout | null = null
  #stopped = false
  readonly #options: KeySourceOptions
  readonly #now: () => number
  readonly #refreshMs: number
  readonly #maxStaleMs: number

  /** @throws {TypeError} a URL that is neither https nor loopback */
  constructor(options: KeySourceOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#refreshMs = options.refreshMs ?? 5 * 60_000
    this.#maxStaleMs = options.maxStaleMs ?? 12 * 3_600_000
    this.#jwksUrl = options.jwks ?? null
    this.#check(options.jwks ?? options.issuer)
  }

  /** Fetches now, and again in the background until `stop`. Never rejects. */
  async start(): Promise<void> {
    await this.#fetchOnce().catch(() => {})
    this.#schedule()
  }

  stop(): void {
    this.#stopped = true
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  get status(): KeyStatus {
    return {
      fetchedAtMs: this.#keys === null ? null : this.#fetchedAtMs,
      failures: this.#failures,
      lastError: this.#lastError,
      usable: this.#fresh(),
    }
  }

  /**
   * The key that a token's header names. `issuedAtMs` is what the token says of itself: a key made after our last look is not "unknown".
   * @throws {KeysUnavailable} no keys, or none young enough, or too soon to look again for a new one
   * @throws {errors.JWKSNoMatchingKey} the issuer has no such key
   */
  async key(header: JWSHeaderParameters, issuedAtMs: number): Promise<VerificationKey> {
    const before = this.#fetches
    if (!this.#fresh()) await this.#look()
    const known = await this.#find(header)
    if (known !== null) return known
    if (this.#fetches === before) {
      if (!this.#soon()) {
        if (issuedAtMs + 1000 <= this.#fetchedAtMs && this.#failures === 0) throw new errors.JWKSNoMatchingKey()
        throw new KeysUnavailable(`the key that signed the token may be new, and ${this.#options.issuer} was asked a moment ago`)
      }
      await this.#look()
      const found = await this.#find(header)
      if (found !== null) {
        this.#cooldownMs = COOLDOWN_MS.first
        return found
      }
    }
    this.#fruitless()
    throw new errors.JWKSNoMatchingKey()
  }

  /** The last fetch did not bring what was looked for: counted once, however many waited for it. */
  #fruitless(): void {
    if (this.#fruitlessAtMs === this.#fetchedAtMs) return
    this.#fruitlessAtMs = this.#fetchedAtMs
    this.#nextFetchAtMs = this.#fetchedAtMs + this.#cooldownMs
    this.#cooldownMs = Math.min(this.#cooldownMs * 2, COOLDOWN_MS.most)
  }

  async #find(header: JWSHeaderParameters): Promise<VerificationKey | null> {
    try {
      return await this.#keys!(header)
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return null
      throw error
    }
  }

  #fresh(): boolean {
    return this.#keys !== null && this.#now() - this.#fetchedAtMs <= this.#maxStaleMs
  }

  /** A fetch is under way, or may begin within a second. */
  #soon(): boolean {
    return this.#flight !== null || this.#nextFetchAtMs - this.#now() <= COOLDOWN_MS.first
  }

  /** One fetch, in its turn, for all who wait for it. @throws {KeysUnavailable} */
  async #look(): Promise<void> {
    const where = `no keys of ${this.#options.issuer}`
    if (!this.#soon()) throw new KeysUnavailable(`${where}: ${this.#lastError ?? 'not fetched yet'}`)
    try {
      await this.#fetchOnce(this.#nextFetchAtMs - this.#now())
    } catch (error) {
      throw new KeysUnavailable(`${where}: ${(error as Error).message}`)
    }
  }

  /** The background keeps its own pace; who comes with an unknown key waits for its turn. */
  #fetchOnce(waitMs = 0): Promise<void> {
    this.#flight ??= (waitMs > 0 ? (this.#options.sleep ?? sleep)(waitMs) : Promise.resolve())
      .then(() => this.#fetchKeys())
      .finally(() => {
        this.#flight = null
      })
    return this.#flight
  }

  async #fetchKeys(): Promise<void> {
    try {
      this.#jwksUrl ??= await this.#discover()
      this.#keys = createLocalJWKSet(publicKeys(await this.#json(this.#jwksUrl)))
      this.#fetchedAtMs = this.#now()
      this.#fetches++
      this.#nextFetchAtMs = this.#fetchedAtMs + this.#cooldownMs
      this.#failures = 0
      this.#lastError = null
    } catch (error) {
      this.#failures++
      this.#lastError = plainMessage(error)
      this.#nextFetchAtMs = this.#now() + Math.min(RETRY_MS.first * 2 ** (this.#failures - 1), RETRY_MS.most)
      if (this.#options.jwks === undefined) this.#jwksUrl = null
      throw new Error(this.#lastError)
    }
  }

  async #discover(): Promise<string> {
    const { issuer } = this.#options
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
    const document = await this.#json(url)
    if (document['issuer'] !== issuer) {
      throw new Error(
        `${url} says issuer ${JSON.stringify(document['issuer'])}, not ${JSON.stringify(issuer)}: set both alike, or give jwks`,
      )
    }
    const jwks = document['jwks_uri']
    if (typeof jwks !== 'string') throw new Error(`${url} has no jwks_uri`)
    this.#check(jwks)
    return jwks
  }

  async #json(url: string): Promise<Record<string, unknown>> {
    const response = await (this.#options.fetch ?? fetch)(url, {
      redirect: 'error',
      headers: { accept: 'application/json, application/jwk-set+json' },
      signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
    })
    if (response.status !== 200) {
      await response.body?.cancel()
      throw new Error(`${url} answered ${response.status}`)
    }
    const value: unknown = JSON.parse(await readBounded(response, url, MAX_BYTES))
    if (typeof value !== 'object' || value === null) throw new Error(`${url} is not a JSON object`)
    return value as Record<string, unknown>
  }

  #check(url: string): void {
    demandHttps(url, 'keys come', this.#options.allowHttp)
  }

  /** With jitter, so that replicas do not ask in step; sooner while fetches fail. */
  #schedule(): void {
    if (this.#stopped) return
    const waitMs = this.#failures === 0 ? this.#refreshMs : Math.min(RETRY_MS.first * 2 ** this.#failures, RETRY_MS.most, this.#refreshMs)
    this.#timer = setTimeout(() => void this.start(), waitMs * (0.9 + Math.random() * 0.1))
    this.#timer.unref()
  }
}

/** What can verify a signature: public, asymmetric, not for encryption. */
function publicKeys(document: Record<string, unknown>): JSONWebKeySet {
  const keys = document['keys']
  if (!Array.isArray(keys)) throw new Error('a key set without keys')
  if (keys.length > MAX_KEYS) throw new Error(`a key set of ${keys.length} keys; ${MAX_KEYS} are read at most`)
  const usable = keys.filter(key => ['RSA', 'EC', 'OKP'].includes(key?.kty) && key.use !== 'enc' && key.d === undefined)
  if (usable.length === 0) throw new Error('a key set without a public key for signatures')
  return { keys: usable }
}
