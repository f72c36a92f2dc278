// Tokens of the gate's own for brokers that want OAUTHBEARER: kept while they last, and had by client credentials (RFC 6749 §4.4).

import { createPrivateKey, type KeyObject, randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import { demandHttps, plainMessage, readBounded } from './fetched.ts'

export interface OwnToken {
  readonly token: string
  /** Epoch ms: from here on a new one is asked for; the old one still works until it expires. */
  readonly freshUntilMs: number
  /** Epoch ms. */
  readonly expiresAtMs: number
}

/** How tokens are asked for; what can change in its files is read each time. */
export interface ClientCredentials {
  /** The token endpoint, or null: by discovery from `issuer`. */
  readonly tokenUrl: string | null
  readonly issuer: string | null
  readonly clientId: string
  readonly scope: string | null
  readonly audience: string | null
  readonly keyId: string | null
  secret(): string | null
  /** PEM, for private_key_jwt. */
  privateKey(): string | null
}

const FETCH_TIMEOUT_MS = 5_000
const ASK_TIMEOUT_MS = 15_000
const MAX_BYTES = 128 * 1024
const ASSERTION_S = 60
/** A token is renewed when this part of its life is over. */
const FRESH = 0.8
const RETRY_MS = { first: 1_000, most: 30_000 }
/** Who asks for one that is as near to its end waits for the next. */
const ALMOST_OVER_MS = 10_000
const ANOTHER_MS = 30_000

/** A token endpoint that said no, or nothing. */
export class TokenUnavailable extends Error {
  readonly code = 'ERR_OWN_TOKEN'
}

type Ask = () => Promise<{ readonly token: string; readonly expiresAtMs: number }>

/** One token for all who want it: kept, renewed early by one request at a time, asked for ever more slowly while that fails. */
export class OwnTokens {
  readonly #ask: Ask
  readonly #now: () => number
  #kept: OwnToken | null = null
  #flight: Promise<OwnToken> | null = null
  #failures = 0
  #failed: Error | null = null
  #notBeforeMs = 0
  /** Not before then is a token replaced because a broker does not take it. */
  #anotherAtMs = 0

  constructor(ask: Ask, now: () => number = Date.now) {
    this.#ask = ask
    this.#now = now
  }

  /** @param refused one that a broker did not take: if it can be, another is had @throws {TokenUnavailable} */
  async token(refused: string | null = null): Promise<OwnToken> {
    const nowMs = this.#now()
    if (refused !== null && this.#kept?.token === refused && nowMs >= this.#anotherAtMs) {
      this.#anotherAtMs = nowMs + ANOTHER_MS
      this.#kept = null
    }
    const kept = this.#kept !== null && nowMs < this.#kept.expiresAtMs ? this.#kept : null
    if (kept !== null && nowMs < kept.freshUntilMs) return kept
    if (nowMs < this.#notBeforeMs) {
      if (kept !== null) return kept
      throw this.#failed!
    }
    this.#flight ??= this.#renew().finally(() => {
      this.#flight = null
    })
    if (kept === null) return this.#flight
    const renewed = this.#flight.catch(() => kept)
    return kept.expiresAtMs - nowMs < ALMOST_OVER_MS ? renewed : kept
  }

  /** Whatever was kept is not used any more: the credentials have changed. */
  forget(): void {
    this.#kept = null
    this.#notBeforeMs = 0
  }

  async #renew(): Promise<OwnToken> {
    try {
      const { token, expiresAtMs } = await inTime(this.#ask())
      const nowMs = this.#now()
      this.#failures = 0
      return (this.#kept = { token, expiresAtMs, freshUntilMs: nowMs + (expiresAtMs - nowMs) * FRESH })
    } catch (why) {
      const delayMs = Math.min(RETRY_MS.first * 2 ** this.#failures++, RETRY_MS.most)
      this.#notBeforeMs = this.#now() + delayMs
      throw (this.#failed = new TokenUnavailable(`no token for the brokers: ${plainMessage(why)}`))
    }
  }
}

async function inTime<T>(asked: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ASK_TIMEOUT_MS} ms`)), ASK_TIMEOUT_MS)
  })
  return Promise.race([asked, late]).finally(() => clearTimeout(timer))
}

/** Asks a token endpoint. @throws {Error} */
export async function askTokenEndpoint(from: ClientCredentials): Promise<{ token: string; expiresAtMs: number }> {
  const url = from.tokenUrl ?? (await discover(from.issuer!))
  demandHttps(url, 'secrets go')
  const form = new URLSearchParams({ grant_type: 'client_credentials' })
  if (from.scope !== null) form.set('scope', from.scope)
  if (from.audience !== null) form.set('audience', from.audience)
  const headers: Record<string, string> = { accept: 'application/json' }
  const key = from.privateKey()
  if (key === null) headers['authorization'] = basic(from.clientId, from.secret() ?? '')
  else {
    form.set('client_id', from.clientId)
    form.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
    form.set('client_assertion', await assertion(from, createPrivateKey(key), from.issuer ?? url))
  }
  const startedMs = Date.now()
  const { status, body } = await json(url, { method: 'POST', headers, body: form })
  const { access_token: token, expires_in: lifetimeS } = body
  if (status !== 200 || typeof token !== 'string' || token === '') {
    const said = [body['error'], body['error_description']].filter(part => typeof part === 'string').join(': ')
    throw new Error(`${url} answered ${status}${said === '' ? '' : ` ${said.slice(0, 200)}`}`)
  }
  return { token, expiresAtMs: startedMs + 1000 * (Number(lifetimeS) > 0 ? Number(lifetimeS) : 300) }
}

/** RFC 7523 §3, OpenID Connect Core §9. */
function assertion({ clientId, keyId }: ClientCredentials, key: KeyObject, audience: string): Promise<string> {
  return new SignJWT()
    .setProtectedHeader({ alg: algorithmOf(key), ...(keyId !== null && { kid: keyId }) })
    .setIssuer(clientId)
    .setSubject(clientId)
    .setAudience(audience)
    .setJti(randomUUID())
    .setIssuedAt()
    .setExpirationTime(`${ASSERTION_S} s`)
    .sign(key)
}

function algorithmOf(key: KeyObject): string {
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return 'RS256'
    case 'ed25519':
      return 'EdDSA'
    case 'ec':
      return ({ prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' } as Record<string, string>)[
        key.asymmetricKeyDetails!.namedCurve!
      ]!
    default:
      throw new Error(`a private key of type ${key.asymmetricKeyType} cannot sign here: RSA, EC or Ed25519`)
  }
}

/** RFC 6749 §2.3.1: both halves are form-encoded first. */
function basic(clientId: string, secret: string): string {
  const encoded = (text: string) => encodeURIComponent(text).replaceAll('%20', '+')
  return `Basic ${Buffer.from(`${encoded(clientId)}:${encoded(secret)}`).toString('base64')}`
}

async function discover(issuer: string): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  demandHttps(url, 'secrets go')
  const { status, body } = await json(url, { headers: { accept: 'application/json' } })
  if (status !== 200 || typeof body['token_endpoint'] !== 'string') throw new Error(`${url} answered ${status} and names no token_endpoint`)
  return body['token_endpoint']
}

async function json(url: string, init: RequestInit): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  const response = await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) }).catch(why => {
    throw new Error(`${url} cannot be reached: ${plainMessage(why)}`)
  })
  const text = await readBounded(response, url, MAX_BYTES)
  try {
    const body: unknown = JSON.parse(text)
    return { status: response.status, body: typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {} }
  } catch {
    return { status: response.status, body: {} }
  }
}
