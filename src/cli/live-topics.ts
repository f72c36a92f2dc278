// The topics of the cluster behind, as the gate's own login sees them: for commands that hold a policy against what is there.

import type { Config } from '../base/config.ts'
import { Metadata } from '../protocol/messages/03-metadata.ts'
import { maxVersionOf } from '../proxy/cluster-state.ts'
import { hello, type Known } from '../proxy/hello.ts'
import { ownTokenSource } from '../proxy/own-login.ts'
import { Upstream } from '../proxy/upstream.ts'

const TIMEOUT_MS = 5_000

/** @throws when no broker of `cluster.bootstrap` answers */
export async function liveTopics({ cluster }: Config): Promise<string[]> {
  const tokens = ownTokenSource(cluster.controlSasl)
  const upstream = new Upstream({ ...cluster, sasl: cluster.controlSasl, ownToken: refused => tokens!.tokens.token(refused) })
  try {
    const { client, offer } = await firstOf(upstream, cluster.bootstrap)
    const version = Math.min(Metadata.versions.max, maxVersionOf(offer, Metadata.key))
    const { topics } = await client.ask(Metadata, version, { topics: null, allowAutoTopicCreation: false }, TIMEOUT_MS)
    client.close()
    return topics.map(({ name }: { name: string }) => name)
  } finally {
    upstream.stop()
    tokens?.stop()
  }
}

async function firstOf(upstream: Upstream, bootstrap: Config['cluster']['bootstrap']): Promise<Known> {
  let why: unknown
  for (const at of bootstrap) {
    try {
      return await hello(upstream, at, { clientId: 'topicgate-lint', timeoutMs: TIMEOUT_MS, login: true })
    } catch (error) {
      why = error
    }
  }
  throw why
}
