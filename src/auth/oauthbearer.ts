// A token becomes a principal, or a refusal that says how to mend it, or "cannot be checked now". Signatures by jose; RFC 7519, 8725, 9068.

import { hash } from 'node:crypto'
import { compactVerify, decodeJwt, decodeProtectedHeader, errors, type JWSHeaderParameters, type JWTPayload, jwtVerify } from 'jose'
import { LRUCache } from 'lru-cache'
import { REUSABLE_CLAIMS } from '../base/config.ts'
import { type ClaimNames, principalOf, quote } from './claims.ts'
import { IssuerKeys, type KeySourceOptions, type KeyStatus, KeysUnavailable, type VerificationKey } from './issuer.ts'
import type { Verified } from './principal.ts'

/** Asymmetric only: no `none`, and no HMAC whose secret would be a public key. */
const ALGORITHMS: readonly string[] = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
const HEADER_TYPES: readonly string[] = ['jwt', 'at+jwt', 'application/at+jwt']
const MAX_TOKEN_BYTES = 16 * 1024
const MAX_DEPTH = 16
const SKEW_S = 30
const MAX_LIFETIME_S = 366 * 86_400
/** A client shows one token on each of its connections: so many bytes of tokens are known by their hash. */
const SIGNED_BYTES = 16 * 1024 * 1024

/** An issuer as the configuration describes it. */
export interface IssuerSettings extends ClaimNames, Omit<KeySourceOptions, 'fetch' | 'now' | 'sleep'> {
  /** One of these must be in `aud`. */
  readonly audience: string | readonly string[]
}

export interface VerifierOptions {
  readonly fetch?: typeof fetch | undefined
  /** Epoch ms. */
  readonly now?: (() => number) | undefined
}

/** One of the things that are demanded of a token. */
export interface TokenCheck {
  readonly check: 'size' | 'form' | 'issuer' | 'header' | 'time' | 'audience' | 'type' | 'signature' | 'principal'
  /** null: not looked at, because something before it is wrong. */
  readonly ok: boolean | null
  readonly problem: string | null
}

/** A token taken apart for a person to look at. */
export interface Inspection {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
  readonly checks: readonly TokenCheck[]
  /** What a client that logs in with it would be told. */
  readonly verified: Verified
}

interface Issuer {
  readonly settings: IssuerSettings
  readonly audiences: readonly string[]
  readonly keys: IssuerKeys
}

/** Judges tokens of all configured issuers; each issuer's tokens by that issuer's keys alone. */
export class TokenVerifier {
  readonly #issuers: readonly Issuer[]
  readonly #now: () => number
  /** By a token's SHA-256: what stands in it, and the key that its signature was found to be of. Everything else is looked at each time. */
  readonly #signed = new LRUCache<string, TokenText & { readonly key: VerificationKey }>({ maxSize: SIGNED_BYTES })

  /** @throws {TypeError} settings that cannot be safe */
  constructor(issuers: readonly IssuerSettings[], options: VerifierOptions = {}) {
    this.#now = options.now ?? Date.now
    this.#issuers = issuers.map(settings => {
      const user = settings.principal?.user
      if (user !== undefined && REUSABLE_CLAIMS.includes(user) && settings.acceptReuse !== true) {
        throw new TypeError(`issuer ${settings.alias}: ${user} can pass to another person: use sub, or say acceptReuse: true`)
      }
      const audiences = typeof settings.audience === 'string' ? [settings.audience] : settings.audience
      return { settings, audiences, keys: new IssuerKeys({ ...settings, fetch: options.fetch, now: options.now }) }
    })
  }

  /** Fetches every issuer's keys, and keeps them fresh. Never rejects: what could not be had is tried again. */
  async start(): Promise<void> {
    await Promise.all(this.#issuers.map(issuer => issuer.keys.start()))
  }

  stop(): void {
    for (const issuer of this.#issuers) issuer.keys.stop()
  }

  /** Can tokens be checked, by issuer alias. */
  status(): ReadonlyMap<string, KeyStatus> {
    return new Map(this.#issuers.map(issuer => [issuer.settings.alias, issuer.keys.status]))
  }

  /**
   * Judges one token for a listener where the issuers of these aliases may log in. Never rejects.
   * @param thumbprint SHA-256, in base64url, of the certificate that its sender has proved to own; null: none
   */
  async verify(token: string, aliases: readonly string[], thumbprint: string | null = null): Promise<Verified> {
    try {
      return await this.#verify(token, aliases, thumbprint)
    } catch (error) {
      if (error instanceof KeysUnavailable) return { kind: 'unavailable', why: error.message }
      if (error instanceof errors.JOSEError) return refused(joseText(error))
      return { kind: 'unavailable', why: `token could not be checked: ${(error as Error).message}` }
    }
  }

  async #verify(token: string, aliases: readonly string[], thumbprint: string | null): Promise<Verified> {
    const tooLarge = sizeProblem(token)
    if (tooLarge !== null) return refused(tooLarge)
    const digest = hash('sha256', token, 'base64')
    const signed = this.#signed.get(digest)
    const read = signed ?? readToken(token)
    if (typeof read === 'string') return refused(read)
    const { header, claims } = read
    const issuer = this.#issuerOf(claims.iss, aliases)
    if (issuer === undefined) return refused(this.#strangeIssuer(claims.iss, aliases))
    const nowS = this.#now() / 1000
    const wrong =
      headerProblem(header, issuer) ?? timeProblem(claims, nowS) ?? audienceProblem(claims, issuer) ?? typeProblem(claims, issuer)
    if (wrong !== null) return refused(wrong)

    const key = await issuer.keys.key(header as JWSHeaderParameters, claims.iat! * 1000)
    if (signed?.key !== key) {
      await jwtVerify(token, key, {
        algorithms: [...ALGORITHMS],
        issuer: issuer.settings.issuer,
        audience: [...issuer.audiences],
        requiredClaims: ['exp', 'iat'],
        clockTolerance: SKEW_S,
        currentDate: new Date(nowS * 1000),
      })
      this.#signed.set(digest, { header, claims, key }, { size: token.length })
    }
    const principal = principalOf(claims, issuer.settings, thumbprint)
    return typeof principal === 'string' ? refused(principal) : { kind: 'principal', principal }
  }

  /** Every check of `verify`, one by one: also those after one that failed, where they still mean something. Never rejects. */
  async inspect(token: string, aliases: readonly string[]): Promise<Inspection> {
    const verified = await this.verify(token, aliases)
    const checks: TokenCheck[] = []
    const add = (check: TokenCheck['check'], problem: string | null) => checks.push({ check, ok: problem === null, problem })
    const skip = (...names: TokenCheck['check'][]) => {
      for (const check of names) checks.push({ check, ok: null, problem: null })
      return { header: {}, claims: {}, checks, verified }
    }
    add('size', sizeProblem(token))
    if (checks[0]!.ok === false) return skip('form', 'issuer', 'header', 'time', 'audience', 'type', 'signature', 'principal')
    const read = readToken(token)
    add('form', typeof read === 'string' ? read : null)
    if (typeof read === 'string') return skip('issuer', 'header', 'time', 'audience', 'type', 'signature', 'principal')
    const { header, claims } = read
    const issuer = this.#issuerOf(claims.iss, aliases)
    add('issuer', issuer === undefined ? this.#strangeIssuer(claims.iss, aliases) : null)
    if (issuer === undefined) return { ...skip('header', 'time', 'audience', 'type', 'signature', 'principal'), header, claims }
    add('header', headerProblem(header, issuer))
    add('time', timeProblem(claims, this.#now() / 1000))
    add('audience', audienceProblem(claims, issuer))
    add('type', typeProblem(claims, issuer))
    add('signature', await signatureProblem(token, claims, issuer))
    const principal = principalOf(claims, issuer.settings)
    add('principal', typeof principal === 'string' ? principal : null)
    return { header, claims, checks, verified }
  }

  #issuerOf(iss: unknown, aliases: readonly string[]): Issuer | undefined {
    return this.#issuers.find(({ settings }) => aliases.includes(settings.alias) && settings.issuer === iss)
  }

  #strangeIssuer(iss: unknown, aliases: readonly string[]): string {
    const accepted = this.#issuers.filter(({ settings }) => aliases.includes(settings.alias)).map(({ settings }) => settings.issuer)
    return `token has iss=${quote(iss)}; this listener accepts ${accepted.join(', ') || 'no issuer'}`
  }
}

const refused = (why: string): Verified => ({ kind: 'refused', why })

/** Like the problems below, asked before the signature is checked: it can only refuse. */
function sizeProblem(token: string): string | null {
  return token.length > MAX_TOKEN_BYTES ? `token of ${token.length} bytes is larger than ${MAX_TOKEN_BYTES / 1024} KiB` : null
}

interface Header {
  readonly [name: string]: unknown
  readonly alg?: unknown
  readonly typ?: unknown
}

interface TokenText {
  readonly header: Header
  readonly claims: JWTPayload
}

/** Header and claims, unverified, or why they cannot be read. */
function readToken(token: string): TokenText | string {
  try {
    const header = decodeProtectedHeader(token)
    const claims = decodeJwt(token)
    if (tooDeep(header) || tooDeep(claims)) return `token's claims are nested deeper than ${MAX_DEPTH}`
    return { header, claims }
  } catch {
    return 'token is not a signed JWT: opaque and encrypted tokens cannot be checked here'
  }
}

function headerProblem({ alg, typ }: Header, issuer: Issuer): string | null {
  if (typeof alg !== 'string' || !ALGORITHMS.includes(alg))
    return `token is signed with alg=${quote(alg)}; accepted: ${ALGORITHMS.join(', ')}`
  if (typ === undefined && issuer.settings.kind === 'oidc') return null
  return typeof typ === 'string' && HEADER_TYPES.includes(typ.toLowerCase())
    ? null
    : `token's header has typ=${quote(typ)}: an access token has JWT or at+jwt`
}

function timeProblem({ exp, iat, nbf }: JWTPayload, nowS: number): string | null {
  for (const [name, value] of Object.entries({ exp, iat, nbf })) {
    if (value === undefined && name !== 'nbf') return `token has no ${name} claim`
    if (value !== undefined && (!Number.isSafeInteger(value) || value < 0)) return `token's ${name} is not a time: ${quote(value)}`
  }
  if (exp! <= nowS - SKEW_S) return `token expired ${Math.round(nowS - exp!)} s ago: let the client ask for a new one`
  if (iat! > nowS + SKEW_S) return `token was issued ${Math.round(iat! - nowS)} s in the future (iat): set the clocks alike`
  if (nbf !== undefined && nbf > nowS + SKEW_S) return `token is valid only in ${Math.round(nbf - nowS)} s (nbf)`
  if (exp! - iat! > MAX_LIFETIME_S)
    return `token lives for ${Math.round((exp! - iat!) / 86_400)} days; ${MAX_LIFETIME_S / 86_400} are the most`
  return null
}

function audienceProblem({ aud }: JWTPayload, issuer: Issuer): string | null {
  const given = Array.isArray(aud) ? aud : aud === undefined ? [] : [aud]
  if (issuer.audiences.some(audience => given.includes(audience))) return null
  const wanted = issuer.audiences.join(' or ')
  return issuer.settings.kind === 'keycloak'
    ? `token has aud=${quote(given)}; add an Audience mapper for client ${wanted}`
    : `token has aud=${quote(given)}; let the client ask for audience ${wanted}`
}

/** An ID token passes every other check, and is no access token. */
function typeProblem(claims: JWTPayload, issuer: Issuer): string | null {
  const typ = claims['typ']
  if (issuer.settings.kind === 'keycloak') {
    if (typ === 'Bearer') return null
    if (typ === 'DPoP') return 'token is bound by DPoP, which SASL/OAUTHBEARER cannot prove: let the client ask for plain bearer tokens'
    return `token is not an access token (typ=${quote(typ)}): clients must send the access token`
  }
  if (typ !== undefined && ['ID', 'Refresh', 'Offline', 'Logout'].includes(typ as string)) {
    return `token is not an access token (typ=${quote(typ)}): clients must send the access token`
  }
  const mark = ['at_hash', 'c_hash', 'nonce', 'events'].find(name => Object.hasOwn(claims, name))
  return mark === undefined ? null : `token has the ${mark} claim, so it is no access token: clients must send the access token`
}

/** The signature by itself, whatever else is wrong with the token. */
async function signatureProblem(token: string, { iat }: JWTPayload, { keys }: Issuer): Promise<string | null> {
  const issuedAtMs = typeof iat === 'number' ? iat * 1000 : 0
  try {
    await compactVerify(token, header => keys.key(header, issuedAtMs), { algorithms: [...ALGORITHMS] })
    return null
  } catch (error) {
    return error instanceof errors.JOSEError ? joseText(error) : `could not be checked: ${(error as Error).message}`
  }
}

/** Without recursion, so that no token decides about our stack. */
function tooDeep(root: object): boolean {
  let level: object[] = [root]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) return true
    level = level.flatMap(item => Object.values(item).filter(value => typeof value === 'object' && value !== null))
  }
  return false
}

/** What jose found, in words that say what to do. */
function joseText(error: errors.JOSEError): string {
  if (error instanceof errors.JWKSNoMatchingKey) return 'token is signed with a key (kid) that its issuer does not publish'
  if (error instanceof errors.JWKSMultipleMatchingKeys) return 'token names no key (kid), and its issuer has several'
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'token has a signature that does not match its key'
  return `token is not acceptable: ${error.message}`
}
