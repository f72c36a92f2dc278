// Who is asking: what a verified token (or certificate) amounts to. Plain data, so that it passes between threads.

export interface Principal {
  /** `user:<issuer alias>/<sub>` or `service:<issuer alias>/<client id>`: never changes for one person or program. */
  readonly id: string
  readonly type: 'user' | 'service'
  /** Alias of the issuer, as configured. */
  readonly issuer: string
  /** `sub` of a user, client id of a service. */
  readonly name: string
  /** Full group paths, `/finance/auditors`. */
  readonly groups: readonly string[]
  readonly realmRoles: readonly string[]
  /** Roles by client id. */
  readonly clientRoles: Readonly<Record<string, readonly string[]>>
  /** Roles held in each organization, by its alias; a member without a role has an empty list. */
  readonly organizations: Readonly<Record<string, readonly string[]>>
  /** The token's claims, for rules with `when` and `unless`, and for audit. */
  readonly claims: Readonly<Record<string, unknown>>
  /** Somebody acts for this principal (`act` claim), or null. */
  readonly acting: { readonly kind: 'impersonation' | 'delegation'; readonly by: string } | null
  /** Epoch ms after which the token is worth nothing. */
  readonly expiresAtMs: number
  /** What audit lines say of the token; the `jti` only as a hash. */
  readonly token: { readonly iss: string; readonly azp: string | null; readonly sid: string | null; readonly jti: string | null }
}

/** What came of a token. `unavailable`: it could not be checked (keys not to be had): the connection closes without a SASL verdict. */
export type Verified =
  | { readonly kind: 'principal'; readonly principal: Principal }
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'unavailable'; readonly why: string }
