// Where relationships let somebody write topics: what InitProducerId without a transactional id hangs on, beside grants.

import { Resource, Verdict } from './authorizer.ts'
import { decode, nameObject } from './encode.ts'
import type { Beyond, Writable } from './given.ts'
import { OPERATIONS } from './operations.ts'
import type { Pattern } from './policy-document.ts'
import { type Roles, writtenNamespaces } from './roles.ts'
import type { Snapshot } from './store-state.ts'

const WRITE = 1 << OPERATIONS.write
/** More topics with tuples of their own are not asked about to find one that may be written. */
const OWN_TOPICS_MAX = 50

/** Topics that have tuples of their own; none, when they are too many. */
export function ownTopicsOf(snapshot: Snapshot | null, cluster: string): Buffer[] {
  const prefix = nameObject(cluster, Resource.Topic, '')
  const objects = [...(snapshot?.objects ?? [])].filter(object => object.startsWith(prefix))
  return objects.length > OWN_TOPICS_MAX ? [] : objects.flatMap(object => decode(object.slice(prefix.length)) ?? [])
}

/** @param topics what is known of those that have tuples of their own */
export function writableBy(roles: Roles, topics: readonly { readonly bytes: Buffer; readonly beyond: Beyond }[]): Writable {
  const patterns: Pattern[] = writtenNamespaces(roles).flatMap(one => {
    const text = decode(one)?.toString()
    return text === undefined ? [] : [{ resource: Resource.Topic, prefix: true, text: `${text}.` }]
  })
  for (const { bytes, beyond } of topics)
    if (beyond.allowed & WRITE) patterns.push({ resource: Resource.Topic, prefix: false, text: bytes.toString() })
  const some = (key: keyof Beyond): boolean => topics.some(({ beyond }) => beyond[key] & WRITE)
  return { patterns, others: some('unknown') ? Verdict.Unknown : some('undecided') ? Verdict.Undecided : Verdict.Refused }
}
