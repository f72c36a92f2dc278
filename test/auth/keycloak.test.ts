// Tokens as a real Keycloak issues them: whom they make, which of them are no access tokens, and what a new signing key costs.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Keycloak } from '../../scripts/stack/keycloak.ts'
import { TokenVerifier } from '../../src/auth/oauthbearer.ts'
import { sharedKeycloak } from '../parts.ts'

let keycloak: Keycloak
let verifier: TokenVerifier

function verifierFor(audience = 'kafka'): TokenVerifier {
  return new TokenVerifier([
    {
      alias: 'corp',
      issuer: keycloak.issuer,
      audience,
      kind: 'keycloak',
      groups: 'groups',
      roles: { realm: 'realm_access.roles', clients: { kafka: 'resource_access.kafka.roles' } },
      organizations: { claim: 'organization', roles: { auditor: { group: '/{org}/auditors' } } },
    },
  ])
}

before(async () => {
  keycloak = await sharedKeycloak()
  verifier = verifierFor()
  await verifier.start()
})
after(() => verifier?.stop())

async function principalOf(token: string) {
  const verified = await verifier.verify(token, ['corp'])
  assert.equal(verified.kind, 'principal', JSON.stringify(verified))
  return (verified as Extract<typeof verified, { kind: 'principal' }>).principal
}
async function refusalOf(token: string, by = verifier) {
  const verified = await by.verify(token, ['corp'])
  assert.equal(verified.kind, 'refused', JSON.stringify(verified))
  return (verified as Extract<typeof verified, { kind: 'refused' }>).why
}

test('client credentials make a service', async () => {
  const principal = await principalOf(await keycloak.serviceToken('orders-service', 'orders-secret'))

  assert.deepEqual(
    [principal.id, principal.type, principal.token.azp, principal.token.sid],
    ['service:corp/orders-service', 'service', 'orders-service', null],
  )
})

test('a password makes a person, with groups and organizations', async () => {
  const principal = await principalOf(await keycloak.personToken('alice'))

  assert.equal(principal.id, 'user:corp/a11ce000-0000-4000-8000-000000000001')
  assert.deepEqual(principal.groups, ['/finance/auditors'])
  assert.deepEqual(Object.keys(principal.organizations), ['acme'])
  assert.ok(principal.realmRoles.includes('auditor'))
})

test('ID and refresh tokens of the same login are refused', async () => {
  const form = { grant_type: 'password', client_id: 'kafka-cli', username: 'alice', password: 'alice', scope: 'openid' }
  const answer = await fetch(keycloak.tokenEndpoint, { method: 'POST', body: new URLSearchParams(form) })
  const { id_token, refresh_token } = (await answer.json()) as { id_token: string; refresh_token: string }

  assert.match(await refusalOf(id_token, verifierFor('kafka-cli')), /typ="ID"/)
  assert.match(await refusalOf(refresh_token), /alg="HS512"/)
})

test('a token for another audience is refused with the mend', async () => {
  const why = await refusalOf(await keycloak.serviceToken('orders-service', 'orders-secret'), verifierFor('other'))

  assert.match(why, /aud=\["kafka"\]; add an Audience mapper for client other/)
})

test('tokens signed with a key that was made a moment ago are accepted', async () => {
  const realm = (await keycloak.admin('GET', '')) as { id: string }
  const name = `rsa-${process.pid}`
  const config = { priority: ['200'], enabled: ['true'], active: ['true'], keySize: ['2048'], algorithm: ['RS256'] }
  const key = { name, providerId: 'rsa-generated', providerType: 'org.keycloak.keys.KeyProvider', parentId: realm.id, config }
  await keycloak.admin('POST', '/components', key)
  try {
    const tokens = await Promise.all([1, 2, 3].map(() => keycloak.serviceToken('orders-service', 'orders-secret')))

    const principals = await Promise.all(tokens.map(principalOf))

    assert.equal(principals.length, 3)
  } finally {
    const keys = (await keycloak.admin('GET', '/components?type=org.keycloak.keys.KeyProvider')) as { id: string; name: string }[]
    await keycloak.admin('DELETE', `/components/${keys.find(one => one.name === name)!.id}`)
  }
})

test('an act claim that a mapper of Keycloak wrote is somebody who acts for another', async () => {
  const clientId = `acting-${process.pid}`
  const claim = { 'claim.name': 'act', 'claim.value': '{"sub":"admin-7"}', 'jsonType.label': 'JSON', 'access.token.claim': 'true' }
  const audience = { 'included.custom.audience': 'kafka', 'access.token.claim': 'true' }
  const mapper = (name: string, protocolMapper: string, config: object) => ({ name, protocol: 'openid-connect', protocolMapper, config })
  const protocolMappers = [mapper('act', 'oidc-hardcoded-claim-mapper', claim), mapper('audience', 'oidc-audience-mapper', audience)]
  await keycloak.admin('POST', '/clients', { id: clientId, clientId, publicClient: true, directAccessGrantsEnabled: true, protocolMappers })
  try {
    const form = { grant_type: 'password', client_id: clientId, username: 'alice', password: 'alice' }
    const answer = await fetch(keycloak.tokenEndpoint, { method: 'POST', body: new URLSearchParams(form) })
    const { access_token } = (await answer.json()) as { access_token: string }

    const { id, acting } = await principalOf(access_token)

    assert.deepEqual([id, acting], ['user:corp/a11ce000-0000-4000-8000-000000000001', { kind: 'impersonation', by: 'admin-7' }])
  } finally {
    await keycloak.admin('DELETE', `/clients/${clientId}`)
  }
})
