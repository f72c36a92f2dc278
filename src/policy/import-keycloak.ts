// Keycloak's authorization settings as a policy: resources named `Topic:orders-*`, scopes named as Kafka's operations (Strimzi's keycloak authorizer).

import { z } from 'zod'
import { Resource } from './authorizer.ts'
import type { ImportedCover, ImportedPolicy, Remark } from './imported.ts'
import { groupedCovers, importedId, isCreation, questionsOn, sampleName } from './imported.ts'
import type { OperationSet } from './operations.ts'
import { broughtBy, namesOf, OPERATIONS, SUPPORTED } from './operations.ts'
import type { Pattern } from './policy-document.ts'

const Named = z.object({ name: z.string() })
const Policy = z.object({
  name: z.string(),
  type: z.string(),
  logic: z.string().optional(),
  decisionStrategy: z.string().optional(),
  config: z.record(z.string(), z.string()).optional(),
})
/** What Keycloak's "Export authorization settings" writes, as far as it is read. */
export const KeycloakSettings = z.object({
  resources: z.array(z.object({ name: z.string(), scopes: z.array(Named).optional() })),
  policies: z.array(Policy),
})
export type KeycloakSettings = z.infer<typeof KeycloakSettings>
type KeycloakPolicy = z.infer<typeof Policy>

const KINDS: Readonly<Record<string, Resource>> = {
  topic: Resource.Topic,
  group: Resource.Group,
  transactionalid: Resource.TransactionalId,
  cluster: Resource.Cluster,
}

/** Whom a policy of Keycloak names: as `to:` of a grant, and as somebody for a test. */
interface Holder {
  readonly to: string | object
  readonly as: object
}

interface Given {
  readonly holder: Holder
  readonly cover: ImportedCover
}

class Reader {
  readonly remarks: Remark[] = []
  readonly #settings: KeycloakSettings
  readonly #resources: ReadonlyMap<string, readonly string[]>
  readonly #policies: ReadonlyMap<string, KeycloakPolicy>

  constructor(settings: KeycloakSettings) {
    this.#settings = settings
    this.#resources = new Map(settings.resources.map(({ name, scopes }) => [name, (scopes ?? []).map(scope => scope.name)]))
    this.#policies = new Map(settings.policies.map(policy => [policy.name, policy]))
  }

  /** What each permission gives to each whom its policies name. */
  given(): Given[] {
    return this.#settings.policies.flatMap(permission => {
      if (permission.type !== 'scope' && permission.type !== 'resource') return []
      const holders = this.#holders(permission)
      const covers = this.#covers(permission)
      return holders.flatMap(holder => covers.map(cover => ({ holder, cover })))
    })
  }

  #holders(permission: KeycloakPolicy): Holder[] {
    const names = listIn(permission, 'applyPolicies')
    if (names.length === 0) return this.#unsaid(permission.name, 'no policy says whom it is for')
    if (permission.logic === 'NEGATIVE') return this.#unsaid(permission.name, 'it is negative: write it as a rule')
    if (names.length > 1 && permission.decisionStrategy !== 'AFFIRMATIVE')
      return this.#unsaid(permission.name, 'all of its policies must agree: a grant is for any of those that it names')
    return names.map(String).flatMap(name => {
      const policy = this.#policies.get(name)
      return policy === undefined ? this.#unsaid(permission.name, `its policy ${name} is not there`) : this.#holdersIn(policy)
    })
  }

  #holdersIn(policy: KeycloakPolicy): Holder[] {
    if (policy.logic === 'NEGATIVE') return this.#unsaid(policy.name, 'it is negative: write it as a rule')
    switch (policy.type) {
      case 'role':
        return this.#roles(policy)
      case 'group':
        return listIn(policy, 'groups').map(group => groupHolder(group as { path: string; extendChildren?: boolean }))
      case 'client':
        return listIn(policy, 'clients').map(name => ({ to: { service: String(name) }, as: { service: String(name) } }))
      case 'user':
        return this.#unsaid(policy.name, 'it names users by user name, and the policy knows them by their sub: add them to people')
      default:
        return this.#unsaid(policy.name, `policies of the type ${policy.type} have no counterpart`)
    }
  }

  #roles(policy: KeycloakPolicy): Holder[] {
    const roles = listIn(policy, 'roles') as { id: string; required?: boolean }[]
    if (roles.length > 1 && roles.some(({ required }) => required))
      return this.#unsaid(policy.name, 'several roles are needed at once: a grant is for any of those that it names')
    return roles.map(({ id }) => {
      const [client, role] = id.split('/', 2) as [string, string?]
      const as = { service: 'somebody', ...(role === undefined ? { roles: [client] } : { clientRoles: { [client]: [role] } }) }
      return { to: role === undefined ? { role: client } : { client, role }, as }
    })
  }

  #covers(permission: KeycloakPolicy): ImportedCover[] {
    const names = listIn(permission, 'resources').map(String)
    if (names.length === 0) return this.#unsaid(permission.name, 'it names no resource')
    return names.flatMap(name => {
      const pattern = patternOf(name)
      if (pattern === null)
        return this.#unsaid(`${permission.name}: ${name}`, 'is not named as Topic:, Group:, TransactionalId: or Cluster:')
      const scopes = permission.type === 'scope' ? listIn(permission, 'scopes').map(String) : (this.#resources.get(name) ?? [])
      const operations = scopes.reduce((set, scope) => set | this.#operation(permission, name, scope, pattern.resource), 0)
      return operations === 0 ? [] : [{ pattern, operations }]
    })
  }

  #operation(permission: KeycloakPolicy, name: string, scope: string, resource: Resource): OperationSet {
    const word = scope.replace(/(?<=[a-z])[A-Z]/g, letter => `_${letter}`).toLowerCase()
    const operation = OPERATIONS[word as keyof typeof OPERATIONS]
    const set = operation === undefined ? 0 : (1 << operation) & SUPPORTED[resource]
    if (set === 0) this.#unsaid(`${permission.name}: ${scope} on ${name}`, 'is no operation there')
    return set
  }

  #unsaid(text: string, why: string): never[] {
    this.remarks.push({ text, why })
    return []
  }
}

/** @throws when the file is not what Keycloak exports */
export function importKeycloak(settings: KeycloakSettings): ImportedPolicy {
  const reader = new Reader(settings)
  const given = reader.given()
  const grants: object[] = []
  const tests: object[] = []
  for (const own of Map.groupBy(given, ({ holder }) => JSON.stringify(holder)).values()) {
    const { to, as } = own[0]!.holder
    const covers = [...Map.groupBy(own, ({ cover }) => JSON.stringify(cover.pattern)).values()].map(same => ({
      pattern: same[0]!.cover.pattern,
      operations: same.reduce((set, { cover }) => set | cover.operations, 0),
    }))
    for (const { kind, operations, keys } of groupedCovers(covers)) {
      const id = importedId(`${Object.values(to).join(' ')} ${kind}`, grants.length + 1)
      grants.push({ id, to, allow: namesOf(operations), ...keys })
    }
    tests.push(testOf(as, covers))
  }
  return { grants, rules: [], tests, remarks: reader.remarks }
}

function testOf(as: object, covers: readonly ImportedCover[]): object {
  const asked = covers.map(({ pattern }) => {
    const name = sampleName(pattern)
    return questionsOn(pattern.resource, name, bit => {
      const brings = broughtBy((31 - Math.clz32(bit)) as Parameters<typeof broughtBy>[0])
      return covers.some(({ pattern: other, operations }) => {
        if (operations & brings && matches(other, pattern.resource, name)) return true
        return isCreation(pattern.resource, bit) && other.resource === Resource.Cluster && operations & bit
      })
    })
  })
  const [can, cannot] = [asked.flatMap(one => one.can), asked.flatMap(one => one.cannot)]
  return { as, ...(can.length > 0 && { can }), ...(cannot.length > 0 && { cannot }) }
}

const matches = ({ resource, prefix, text }: Pattern, kind: Resource, name: string): boolean =>
  resource === kind && (resource === Resource.Cluster || (prefix ? name.startsWith(text) : name === text))

/** `Topic:orders-*`, or with the cluster in front: `kafka-cluster:main,Topic:orders-*`. */
function patternOf(name: string): Pattern | null {
  const [, kind, text] = /^(?:kafka-cluster:[^,]*,)?([A-Za-z]+):(.+)$/s.exec(name) ?? []
  const resource = KINDS[kind?.toLowerCase() ?? '']
  if (resource === undefined) return null
  if (resource === Resource.Cluster) return { resource, prefix: true, text: '' }
  return text!.endsWith('*') ? { resource, prefix: true, text: text!.slice(0, -1) } : { resource, prefix: false, text: text! }
}

function groupHolder({ path, extendChildren }: { readonly path: string; readonly extendChildren?: boolean }): Holder {
  return { to: { group: extendChildren ? `${path}/**` : path }, as: { service: 'somebody', groups: [path] } }
}

/** Keycloak keeps lists as JSON in texts. */
function listIn({ config }: KeycloakPolicy, key: string): unknown[] {
  const text = config?.[key]
  const list: unknown = text === undefined ? [] : JSON.parse(text)
  return Array.isArray(list) ? list : []
}
