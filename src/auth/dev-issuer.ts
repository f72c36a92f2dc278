// A small issuer for trying things out and for tests: one key made at start, tokens shaped as Keycloak's, loopback only.

import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose'
import { close, listen } from '../base/http.ts'
import type { IssuerSettings } from './oauthbearer.ts'

/** Whom a token is for, and what it says of them. */
export interface DevIdentity {
  /** A program, by client id; else `user`. */
  readonly service?: string
  /** A person, by `sub`. */
  readonly user?: string
  readonly groups?: readonly string[]
  readonly realmRoles?: readonly string[]
  readonly clientRoles?: Readonly<Record<string, readonly string[]>>
  readonly organizations?: readonly string[]
  /** `sub` of who acts for them; a delegation carries `exchanged: true`. */
  readonly actor?: string
  readonly exchanged?: boolean
}

export interface DevIssuerOptions {
  readonly audience?: string
  readonly port?: number
  /** Who can ask the token endpoint for a token, by client id or user name; anybody else becomes a service of that name. */
  readonly people?: Readonly<Record<string, DevIdentity>>
  readonly lifetimeMs?: number
}

export interface DevIssuer {
  readonly issuer: string
  readonly jwksUrl: string
  /** OAuth 2.0 token endpoint: grant client_credentials, any client id, `secret` as the client secret. */
  readonly tokenUrl: string
  readonly secret: string
  /** An access token. `claims` are put over what the identity says; undefined takes a claim away. */
  mint(identity: DevIdentity, claims?: JWTPayload): Promise<string>
  /** As the configuration would have it. */
  settings(alias: string): IssuerSettings
  /** A new signing key; the former one stays published if `keep`. */
  rotate(keep?: boolean): Promise<void>
  stop(): Promise<void>
}

interface SigningKey {
  readonly kid: string
  readonly key: CryptoKey
  readonly jwk: JWK
}

const PATH = '/realms/dev'

export async function startDevIssuer(options: DevIssuerOptions = {}): Promise<DevIssuer> {
  const audience = options.audience ?? 'kafka'
  const lifetimeS = (options.lifetimeMs ?? 300_000) / 1000
  const secret = randomBytes(18).toString('base64url')
  let signing = await makeKey()
  let published: JWK[] = [signing.jwk]

  const server = createServer((request, response) => {
    answer(request, response).catch(() => json(response, 500, { error: 'server_error' }))
  })
  const origin = `http://127.0.0.1:${await listen(server, { host: '127.0.0.1', port: options.port ?? 0 })}`
  const issuer = origin + PATH

  async function mint(identity: DevIdentity, claims: JWTPayload = {}): Promise<string> {
    const iat = Math.floor(Date.now() / 1000)
    const payload = { ...keycloakClaims(identity), iss: issuer, aud: audience, iat, exp: iat + lifetimeS, ...claims }
    return new SignJWT(payload).setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: signing.kid }).sign(signing.key)
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? '/', origin).pathname
    if (path === `${PATH}/.well-known/openid-configuration`) {
      return json(response, 200, { issuer, jwks_uri: `${issuer}/certs`, token_endpoint: `${issuer}/token` })
    }
    if (path === `${PATH}/certs`) return json(response, 200, { keys: published })
    if (path !== `${PATH}/token` || request.method !== 'POST') return json(response, 404, { error: 'not_found' })
    const asked = clientOf(request, new URLSearchParams(await readForm(request)))
    if (!sameSecret(asked.secret, secret)) return json(response, 401, { error: 'invalid_client' })
    const identity = Object.hasOwn(options.people ?? {}, asked.id) ? options.people![asked.id]! : { service: asked.id }
    const token = await mint(identity)
    return json(response, 200, { access_token: token, token_type: 'Bearer', expires_in: lifetimeS })
  }

  return {
    issuer,
    jwksUrl: `${issuer}/certs`,
    tokenUrl: `${issuer}/token`,
    secret,
    mint,
    settings: alias => ({ ...settingsFor(audience), alias, issuer }),
    async rotate(keep = true) {
      signing = await makeKey()
      published = keep ? [signing.jwk, ...published] : [signing.jwk]
    },
    stop: () => close(server),
  }
}

function settingsFor(audience: string): Omit<IssuerSettings, 'alias' | 'issuer'> {
  return {
    audience,
    kind: 'keycloak',
    groups: 'groups',
    roles: { realm: 'realm_access.roles', clients: { [audience]: `resource_access.${audience}.roles` } },
    organizations: { claim: 'organization', roles: { auditor: { group: '/orgs/{org}/auditors' } } },
  }
}

/** The claims that Keycloak writes for a service account, or for a person with a session. */
function keycloakClaims(identity: DevIdentity): JWTPayload {
  const { service, user } = identity
  const own =
    service === undefined
      ? {
          jti: `${identity.exchanged ? 'trrtte' : 'onrtro'}:${randomUUID()}`,
          azp: 'kafka-cli',
          sub: user,
          sid: randomUUID(),
          preferred_username: user,
        }
      : {
          jti: `trrtcc:${randomUUID()}`,
          azp: service,
          client_id: service,
          sub: stableUuid(service),
          preferred_username: `service-account-${service}`,
        }
  return {
    ...own,
    typ: 'Bearer',
    acr: '1',
    scope: 'profile email',
    ...(identity.groups && { groups: identity.groups }),
    ...(identity.realmRoles && { realm_access: { roles: identity.realmRoles } }),
    ...(identity.clientRoles && {
      resource_access: Object.fromEntries(Object.entries(identity.clientRoles).map(([client, roles]) => [client, { roles }])),
    }),
    ...(identity.organizations && { organization: identity.organizations }),
    ...(identity.actor !== undefined && { act: { sub: identity.actor } }),
  }
}

async function makeKey(): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair('RS256')
  const kid = randomBytes(9).toString('base64url')
  return { kid, key: privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' } }
}

/** Client id and secret, from the form or from HTTP Basic (RFC 6749 §2.3.1). */
function clientOf(request: IncomingMessage, form: URLSearchParams): { readonly id: string; readonly secret: string } {
  const basic = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(request.headers.authorization ?? '')?.[1]
  const [id, ...rest] = basic === undefined ? [] : Buffer.from(basic, 'base64').toString().split(':').map(decodeURIComponent)
  return { id: id ?? form.get('client_id') ?? '', secret: basic === undefined ? (form.get('client_secret') ?? '') : rest.join(':') }
}

function readForm(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    request.setEncoding('utf8')
    request.on('data', chunk => {
      text += chunk
      if (text.length > 16_384) request.destroy(new Error('form too large'))
    })
    request.on('end', () => resolve(text))
    request.on('error', reject)
  })
}

function sameSecret(given: string, wanted: string): boolean {
  const digest = (value: string) => createHash('sha256').update(value).digest()
  return timingSafeEqual(digest(given), digest(wanted))
}

function stableUuid(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

function json(response: ServerResponse, status: number, value: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(JSON.stringify(value))
}
