// What the control connection has learnt of the cluster, as plain data that passes between threads.

/** One broker's answer to ApiVersions. */
export interface BrokerOffer {
  /** [API key, min version, max version] each. */
  readonly ranges: readonly (readonly [number, number, number])[]
  readonly supportedFeatures: readonly { readonly name: string; readonly minVersion: number; readonly maxVersion: number }[]
  readonly finalizedFeaturesEpoch: bigint
  readonly finalizedFeatures: readonly { readonly name: string; readonly maxVersionLevel: number; readonly minVersionLevel: number }[]
  readonly zkMigrationReady: boolean
}

/** The newest version of an API that a broker offers; -1: none. */
export const maxVersionOf = (offer: BrokerOffer, apiKey: number): number => offer.ranges.find(range => range[0] === apiKey)?.[2] ?? -1

export interface BrokerState {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  /** It answered when it was last asked. */
  readonly alive: boolean
  /** It was asked last without a word from it, as from a host that has gone. */
  readonly silent?: boolean
  /** What it offered when it last answered; null: it never did. */
  readonly offer: BrokerOffer | null
  /** auto.create.topics.enable; true when it is not known. */
  readonly autoCreate: boolean
}

export interface ClusterState {
  /** The control connection works, or did so within its last round. */
  readonly reachable: boolean
  readonly clusterId: string | null
  readonly controllerId: number
  readonly brokers: readonly BrokerState[]
}

export const UNKNOWN_CLUSTER: ClusterState = { reachable: false, clusterId: null, controllerId: -1, brokers: [] }

/** Topic ids and their names: 32 hex digits each; null: the cluster has no topic of this id. */
export type TopicFacts = readonly (readonly [id: string, name: string | null])[]
/** Names, and whether the cluster has topics of them. */
export type NamedTopics = readonly (readonly [name: string, there: boolean])[]
