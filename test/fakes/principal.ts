// Somebody who is asking: with an id, and nothing that is not given.

import type { Principal } from '../../src/auth/principal.ts'

/** @param id `user:<issuer>/<name>` or `service:<issuer>/<name>` */
export function principalOf(id: string, more: Partial<Principal> = {}): Principal {
  const [type, issuer, name] = id.split(/[:/]/) as [Principal['type'], string, string]
  return {
    id,
    type,
    issuer,
    name,
    groups: [],
    realmRoles: [],
    clientRoles: {},
    organizations: {},
    claims: {},
    acting: null,
    expiresAtMs: Number.POSITIVE_INFINITY,
    token: { iss: '', azp: null, sid: null, jti: null },
    ...more,
  }
}
