// Makes the grants in a store those of a policy file: what it no longer has goes, what others wrote stays.

import { encode } from './encode.ts'
import type { Tuple } from './grant-tuples.ts'
import { conditionText, tupleKey, tuplesOf } from './grant-tuples.ts'
import type { OpenFgaStore } from './openfga-client.ts'
import type { Grant } from './policy-document.ts'

/** Ids of approved subscriptions begin so: no file has them, and none takes them away. */
const SUBSCRIPTION = 'sub-'

export interface Applied {
  readonly grants: number
  readonly written: number
  readonly deleted: number
}

/** What must be deleted and written; a tuple whose condition changes is both. */
export interface Changes {
  readonly deletes: readonly Tuple[]
  readonly writes: readonly Tuple[]
  /** What is in the store as it should be. */
  readonly standing: readonly Tuple[]
}

/** @param tuples all that stand in the store, or at least all of grants */
export async function changesFor(
  tuples: AsyncIterable<Tuple> | Iterable<Tuple>,
  grants: readonly Grant[],
  cluster: string,
): Promise<Changes> {
  const wanted = new Map(tuplesOf(grants, cluster).map(tuple => [tupleKey(tuple), tuple]))
  const deletes: Tuple[] = []
  const standing = new Map<string, Tuple>()
  for await (const tuple of tuples) {
    if (!isOwned(tuple, cluster)) continue
    const key = tupleKey(tuple)
    const same = wanted.get(key)
    if (same !== undefined && conditionText(same.condition) === conditionText(tuple.condition)) standing.set(key, tuple)
    else deletes.push(tuple)
  }
  const writes = [...wanted].filter(([key]) => !standing.has(key)).map(([, tuple]) => tuple)
  return { deletes, writes, standing: [...standing.values()] }
}

/** Takes away first, so that at no moment anybody has more than by the old grants or the new. May be interrupted and repeated. */
export async function applyGrants(store: OpenFgaStore, grants: readonly Grant[], cluster: string): Promise<Applied> {
  const { deletes, writes } = await changesFor(store.tuples(), grants, cluster)
  await store.write(deletes, writes)
  return { grants: grants.length, written: writes.length, deleted: deletes.length }
}

/** A tuple of a grant object of this cluster, other than a subscription's. */
function isOwned({ user, object }: Tuple, cluster: string): boolean {
  const prefix = `grant:${encode(cluster)}/`
  const id = object.startsWith(prefix) ? object.slice(prefix.length) : user.startsWith(prefix) ? user.slice(prefix.length) : SUBSCRIPTION
  return !id.startsWith(SUBSCRIPTION)
}
