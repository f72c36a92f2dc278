// Names as OpenFGA takes them: an injective encoding, and a hash where a name does not fit into 256 characters.

import { createHash } from 'node:crypto'
import { Resource } from './authorizer.ts'

/** The longest object that OpenFGA takes, its type included. */
const MAX_OBJECT = 256

const PLAIN = Array.from({ length: 256 }, (_, byte) => /[A-Za-z0-9._-]/.test(String.fromCharCode(byte)))
const ENCODED = PLAIN.map((plain, byte) => (plain ? String.fromCharCode(byte) : `+${byte.toString(16).toUpperCase().padStart(2, '0')}`))

/** Keeps letters, digits, dot, underscore and dash; any other byte becomes `+HH`. */
export function encode(name: Uint8Array | string): string {
  const bytes = typeof name === 'string' ? Buffer.from(name) : name
  let text = ''
  for (const byte of bytes) text += ENCODED[byte]
  return text
}

/** The bytes that `encode` was given; null: that is not what it makes. */
export function decode(text: string): Buffer | null {
  if (!/^(?:[A-Za-z0-9._-]|\+[0-9A-F]{2})*$/.test(text)) return null
  const bytes = Buffer.from(
    text.replace(/\+(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  )
  return encode(bytes) === text ? bytes : null
}

/** OpenFGA's type of a resource, and of the prefixes of its names. */
export const TYPES = {
  [Resource.Topic]: { own: 'topic', prefix: 'topic_prefix' },
  [Resource.Group]: { own: 'consumer_group', prefix: 'group_prefix' },
  [Resource.TransactionalId]: { own: 'transactional_id', prefix: 'transactional_id_prefix' },
} as const
export type NamedResource = keyof typeof TYPES
export const NAMED_RESOURCES: readonly NamedResource[] = [Resource.Topic, Resource.Group, Resource.TransactionalId]

/** `type:cluster/name`; `@` and a hash when that is too long: no encoded name begins with `@`. */
function objectOf(type: string, cluster: string, name: Uint8Array | string): string {
  const whole = `${type}:${encode(cluster)}/${encode(name)}`
  if (whole.length <= MAX_OBJECT) return whole
  return `${type}:${encode(cluster)}/@${createHash('sha256').update(name).digest('base64url')}`
}

export const clusterObject = (cluster: string): string => `cluster:${encode(cluster)}`
export const grantObject = (cluster: string, id: string): string => `grant:${encode(cluster)}/${id}`
export const nameObject = (cluster: string, resource: Resource, name: Uint8Array | string): string =>
  resource === Resource.Cluster ? clusterObject(cluster) : objectOf(TYPES[resource].own, cluster, name)
export const prefixObject = (cluster: string, resource: NamedResource, prefix: Uint8Array | string): string =>
  objectOf(TYPES[resource].prefix, cluster, prefix)
export const namespaceObject = (cluster: string, name: Uint8Array | string): string => objectOf('namespace', cluster, name)

/** Type and id of an object, and the relation of a userset. */
export function parseUser(text: string): { readonly type: string; readonly id: string; readonly relation: string | null } {
  const colon = text.indexOf(':')
  const hash = text.indexOf('#', colon)
  return {
    type: text.slice(0, colon),
    id: text.slice(colon + 1, hash < 0 ? undefined : hash),
    relation: hash < 0 ? null : text.slice(hash + 1),
  }
}
