// From a token's claims to a principal: who it is, what it belongs to, who acts for it. Nothing here trusts; the token was verified before.

import { hash } from 'node:crypto'
import type { Principal } from './principal.ts'

export type Claims = Readonly<Record<string, unknown>>

/** Which claims of an issuer say what. */
export interface ClaimNames {
  readonly alias: string
  readonly kind: 'keycloak' | 'oidc'
  /** `kind: oidc` only: the claims that name a person and a program. */
  readonly principal?: { readonly user?: string | undefined; readonly service?: string | undefined } | undefined
  /** Names that can pass from one person to another (`preferred_username`, `email`) may be identities. */
  readonly acceptReuse?: boolean | undefined
  /** Tokens bound to a key that their bearer would have to prove (`cnf`) are taken without that proof. */
  readonly acceptBound?: boolean | undefined
  readonly groups?: string | undefined
  readonly roles?: { readonly realm?: string | undefined; readonly clients?: Readonly<Record<string, string>> | undefined } | undefined
  readonly organizations?:
    | { readonly claim: string; readonly roles?: Readonly<Record<string, { readonly group: string }>> | undefined }
    | undefined
}

const MAX_NAME_BYTES = 255

/**
 * The principal, or why there is none: with the mend, for the log.
 * @param thumbprint SHA-256, in base64url, of the certificate that the token's sender has proved to own; null: none
 */
export function principalOf(claims: Claims, names: ClaimNames, thumbprint: string | null = null): Principal | string {
  const bound = names.acceptBound === true ? null : boundTo(claims, thumbprint)
  if (bound !== null) return bound
  const who = names.kind === 'keycloak' ? keycloakIdentity(claims) : oidcIdentity(claims, names)
  if (typeof who === 'string') return who
  const unfit = unfitName(who.name)
  if (unfit !== null) return unfit
  const acting = actingOf(claims, names.kind)
  if (typeof acting === 'string') return acting
  const groups = texts(claimAt(claims, names.groups ?? 'groups'))
  return {
    id: `${who.type}:${names.alias}/${who.name}`,
    type: who.type,
    issuer: names.alias,
    name: who.name,
    groups,
    realmRoles: texts(claimAt(claims, names.roles?.realm ?? 'realm_access.roles')),
    clientRoles: clientRoles(claims, names),
    organizations: organizations(claims, groups, names),
    claims,
    acting,
    expiresAtMs: (claims['exp'] as number) * 1000,
    token: { iss: String(claims['iss']), azp: text(claims['azp']), sid: text(claims['sid']), jti: hashed(claims['jti']) },
  }
}

interface Identity {
  readonly type: 'user' | 'service'
  readonly name: string
}

/** A program's own token belongs to no login session and says whose client it is; everything else is a person's. */
function keycloakIdentity(claims: Claims): Identity | string {
  const azp = text(claims['azp'])
  const clientId = text(claims['client_id'])
  if (text(claims['sid']) === null) {
    if (clientId !== null && clientId === azp) return { type: 'service', name: clientId }
    if (clientId !== null)
      return `token of service account ${quote(clientId)} was issued to another client, azp=${quote(azp)}: ask for it as ${quote(clientId)}`
    if (looksLikeServiceAccount(claims)) {
      return `token of a service account (azp=${quote(azp)}) has no client_id claim: add the service_account client scope to that client`
    }
  }
  const sub = text(claims['sub'])
  if (sub !== null) return { type: 'user', name: sub }
  return `token of client ${quote(azp)} has no sub claim: add the basic client scope to that client, and use no lightweight access tokens`
}

/** Keycloak writes `…cc:` (client credentials) before a jti, and names the service's user after its client. */
function looksLikeServiceAccount(claims: Claims): boolean {
  return /^[a-z]{4}cc:/.test(text(claims['jti']) ?? '') || (text(claims['preferred_username']) ?? '').startsWith('service-account-')
}

function oidcIdentity(claims: Claims, names: ClaimNames): Identity | string {
  const userClaim = names.principal?.user ?? 'sub'
  const serviceClaim = names.principal?.service ?? 'client_id'
  const service = text(claimAt(claims, serviceClaim))
  if (service !== null && speaksForItself(claims, service)) return { type: 'service', name: service }
  const user = text(claimAt(claims, userClaim))
  if (user === null) return `token has no ${userClaim} claim, and ${serviceClaim} does not say that it is a program's own`
  if (userClaim === 'email' && claims['email_verified'] !== true)
    return `token's email is not verified (email_verified), so it names nobody`
  return { type: 'user', name: user }
}

/** A token that a program got for itself: RFC 9068 §2.2 (sub is the client), or the marks of Auth0 (gty) and Entra (idtyp). */
function speaksForItself(claims: Claims, service: string): boolean {
  const sub = claims['sub']
  return sub === undefined || sub === service || claims['gty'] === 'client-credentials' || claims['idtyp'] === 'app'
}

/** A certificate that TLS has seen proves possession (RFC 8705 §3); every other key would have to be proved by the client, and cannot be. */
function boundTo(claims: Claims, thumbprint: string | null): string | null {
  const cnf = claims['cnf']
  if (cnf === undefined) return null
  const members = typeof cnf === 'object' && cnf !== null ? Object.keys(cnf) : []
  if (members.length === 1 && members[0] === 'x5t#S256') {
    if (thumbprint === null)
      return 'token is bound to a client certificate (cnf), and the client shows none: tls.clientAuth of the listener'
    return (cnf as Claims)['x5t#S256'] === thumbprint ? null : 'token is bound to another client certificate (cnf) than the one shown'
  }
  const how = members.includes('jkt') ? 'DPoP (cnf.jkt)' : 'a key (cnf)'
  return `token is bound by ${how}, which SASL/OAUTHBEARER cannot prove: let the client ask for plain bearer tokens`
}

function unfitName(name: string): string | null {
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return `name of the principal is longer than ${MAX_NAME_BYTES} bytes`
  return /[\u0000-\u001f\u007f]/.test(name) || !name.isWellFormed() ? 'name of the principal has control characters' : null
}

/** `act`: who really speaks. In Keycloak only a token exchange (`…te:` before the jti) proves delegation; else it is impersonation. */
function actingOf(claims: Claims, kind: ClaimNames['kind']): Principal['acting'] | string {
  const act = claims['act']
  if (act === undefined) return null
  const actor = typeof act === 'object' && act !== null ? (act as Claims) : {}
  const by = text(actor['sub']) ?? text(actor['client_id'])
  if (by === null) return 'token has an act claim that names nobody (no act.sub)'
  const exchanged = kind === 'oidc' || /^[a-z]{4}te:/.test(text(claims['jti']) ?? '')
  return { kind: exchanged ? 'delegation' : 'impersonation', by }
}

function clientRoles(claims: Claims, names: ClaimNames): Record<string, readonly string[]> {
  const paths = Object.entries(names.roles?.clients ?? {})
  return Object.fromEntries(paths.map(([client, path]) => [client, texts(claimAt(claims, path))]))
}

/** A list of aliases, or an object by alias. A role is held by membership of the group that its template names. */
function organizations(claims: Claims, groups: readonly string[], names: ClaimNames): Record<string, readonly string[]> {
  if (names.organizations === undefined) return {}
  const value = claimAt(claims, names.organizations.claim)
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value)
  const aliases = isMap ? Object.keys(value) : texts(value)
  const templates = Object.entries(names.organizations.roles ?? {})
  const held = (org: string) =>
    templates.filter(([, { group }]) => groups.includes(group.replaceAll('{org}', () => org))).map(([role]) => role)
  return Object.fromEntries(aliases.map(org => [org, held(org)]))
}

/** The claim at a path such as `realm_access.roles`. A key may hold dots itself: the longest that is there wins. */
function claimAt(claims: unknown, path: string): unknown {
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) return undefined
  if (Object.hasOwn(claims, path)) return (claims as Claims)[path]
  for (let dot = path.lastIndexOf('.'); dot > 0; dot = path.lastIndexOf('.', dot - 1)) {
    const key = path.slice(0, dot)
    if (Object.hasOwn(claims, key)) return claimAt((claims as Claims)[key], path.slice(dot + 1))
  }
  return undefined
}

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null)

function texts(value: unknown): readonly string[] {
  const all = Array.isArray(value) ? value : [value]
  return [...new Set(all.filter(item => typeof item === 'string' && item !== ''))]
}

/** Enough to find a token again in the issuer's events, too little to be of use. */
function hashed(jti: unknown): string | null {
  return typeof jti === 'string' ? hash('sha256', jti, 'hex').slice(0, 32) : null
}

/** A value from a token, fit for a log line. */
export function quote(value: unknown): string {
  const json = JSON.stringify(value) ?? 'nothing'
  return json.length > 200 ? `${json.slice(0, 200)}…` : json
}
