// The first words with a broker: a connection, what it offers, and our login if one is wanted.

import { BrokerLogin } from '../auth/broker-login.ts'
import { ApiVersions } from '../protocol/messages/18-api-versions.ts'
import { BrokerClient } from './broker-client.ts'
import type { BrokerOffer } from './cluster-state.ts'
import type { Upstream } from './upstream.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

export interface HelloOptions {
  readonly clientId: string
  readonly timeoutMs: number
  /** What a broker offers it says to everybody; everything else only after a login. */
  readonly login: boolean
}

/** A broker that has said what it offers. */
export interface Known {
  readonly client: BrokerClient
  readonly offer: BrokerOffer
  /** How long the login lasts; 0: for good. */
  readonly lifetimeMs: number
}

/** What to log in with now; null: nothing. */
export type CredentialSource = Pick<Upstream, 'credential'>

/** ApiVersions versions to try, newest first: some brokers hang up on what they do not know. */
const LADDER = [4, 3, 0] as const
const SOFTWARE = { clientSoftwareName: 'topicgate', clientSoftwareVersion: '0.1' }
const UNSUPPORTED_VERSION = 35
const SASL_AUTHENTICATE = 36

/** @throws when the broker cannot be reached, does not answer, or refuses the login */
export async function hello(upstream: Upstream, at: Address, options: HelloOptions): Promise<Known> {
  let why: unknown
  for (const version of LADDER) {
    const client = await BrokerClient.open(upstream, at, options.clientId, options.timeoutMs)
    let offer: BrokerOffer
    const askedAtMs = performance.now()
    try {
      offer = await askOffer(client, version, options.timeoutMs)
    } catch (e) {
      client.close()
      // Who hangs up may not know the version; who says nothing at all says nothing to an older one either.
      if (performance.now() - askedAtMs >= options.timeoutMs) throw e
      why = e
      continue
    }
    try {
      return { client, offer, lifetimeMs: options.login ? await logIn(upstream, client, offer, options.timeoutMs) : 0 }
    } catch (e) {
      client.close()
      throw e
    }
  }
  throw why
}

async function askOffer(client: BrokerClient, version: number, timeoutMs: number): Promise<BrokerOffer> {
  let answer = await client.ask(ApiVersions, version, SOFTWARE, timeoutMs)
  if (answer.errorCode === UNSUPPORTED_VERSION) {
    const max = Math.min(answer.apiKeys.find((a: any) => a.apiKey === ApiVersions.key)?.maxVersion ?? 0, LADDER[0])
    answer = await client.ask(ApiVersions, max, SOFTWARE, timeoutMs)
  }
  if (answer.errorCode !== 0) throw new Error(`ApiVersions was answered with error ${answer.errorCode}`)
  return {
    ranges: answer.apiKeys.map((a: any) => [a.apiKey, a.minVersion, a.maxVersion] as const),
    supportedFeatures: answer.supportedFeatures ?? [],
    finalizedFeaturesEpoch: answer.finalizedFeaturesEpoch ?? -1n,
    finalizedFeatures: answer.finalizedFeatures ?? [],
    zkMigrationReady: answer.zkMigrationReady ?? false,
  }
}

/** @returns how long the login lasts; 0: for good. @throws when there is none to be had, or the broker refuses it */
export async function logIn(from: CredentialSource, client: BrokerClient, offer: BrokerOffer, timeoutMs: number): Promise<number> {
  const credential = await from.credential(null)
  if (credential === null) return 0
  const login = new BrokerLogin(credential, authenticateVersion(offer))
  for (let frame: Buffer | null = login.begin(); frame !== null; ) frame = await login.take(await client.exchange(frame, timeoutMs))
  return login.lifetimeMs
}

/** The newest SaslAuthenticate of a broker; 0 if it does not say. */
export const authenticateVersion = (offer: BrokerOffer | null): number => offer?.ranges.find(([key]) => key === SASL_AUTHENTICATE)?.[2] ?? 0
