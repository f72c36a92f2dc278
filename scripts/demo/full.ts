// The demo with the real ones: Keycloak gives the tokens, OpenFGA holds the grants.

import { join } from 'node:path'
import type { DemoState } from '../../src/cli/demo-state.ts'
import { startKeycloak } from '../stack/keycloak.ts'
import { modelJson, startOpenFga } from '../stack/openfga.ts'
import { say } from './table.ts'
import type { EngineParts, Identities } from './world.ts'

const model = join(import.meta.dirname, '..', '..', 'config', 'model.fga')

/** The realm of docker/keycloak/realm.json: two services, three people. */
export async function startIdentities(): Promise<Identities> {
  say('Starting Keycloak …')
  const keycloak = await startKeycloak()
  const tokenUrl = keycloak.tokenEndpoint
  const service = (id: string, secret: string) => ({
    tokenUrl,
    form: { grant_type: 'client_credentials', client_id: id, client_secret: secret },
  })
  const person = (name: string) => ({ tokenUrl, form: { grant_type: 'password', client_id: 'kafka-cli', username: name, password: name } })
  const people: DemoState['people'] = {
    orders: service('orders-service', 'orders-secret'),
    lena: person('alice'),
    billing: service('analytics-app', 'analytics-secret'),
    shipping: person('carol'),
    stranger: person('bob'),
  }
  return {
    people,
    names: {
      orders: 'service:orders-service',
      billing: 'service:analytics-app',
      shipping: 'role:kafka-admin',
      auditors: 'group:/finance/auditors',
    },
    issuer: {
      alias: 'keycloak',
      issuer: keycloak.issuer,
      audience: 'kafka',
      kind: 'keycloak',
      groups: 'groups',
      roles: { realm: 'realm_access.roles' },
    },
    stop: () => keycloak.stop(),
  }
}

export async function startEngine(): Promise<EngineParts> {
  say('Starting OpenFGA …')
  const openfga = await startOpenFga()
  const { store, model: modelId } = await openfga.createStore('topicgate-demo', await modelJson(model))
  return {
    authorizer: { engine: 'openfga', openfga: { url: openfga.url, store, model: modelId, apply: 'auto' } },
    stop: () => openfga.stop(),
  }
}
