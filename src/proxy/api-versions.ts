// What clients are told that they may ask: our versions ∩ one broker's, only APIs with a rule; and the answers to ApiVersions.

import { compileDecode, compileEncode } from '../protocol/codec.ts'
import { readRequestHeader } from '../protocol/header.ts'
import { ApiVersions } from '../protocol/messages/18-api-versions.ts'
import { layout, within } from '../protocol/schema.ts'
import { MalformedError } from '../protocol/wire.ts'
import type { BrokerOffer } from './cluster-state.ts'
import type { Offer } from './gate.ts'

export type Ranges = ReadonlyMap<number, readonly [min: number, max: number]>

const PRODUCE = 0
const API_VERSIONS = 18
/** Answered by the gate itself, whatever the broker says: SaslHandshake, SaslAuthenticate. */
const OWN: Ranges = new Map([
  [17, [0, 1]],
  [36, [0, 2]],
])
const API_VERSIONS_RANGE = [ApiVersions.versions.min, ApiVersions.versions.max] as const
const UNSUPPORTED_VERSION = 35
const INVALID_REQUEST = 42
const REBOOTSTRAP_REQUIRED = 129

/** ApiVersionsRequest.java SOFTWARE_NAME_VERSION_PATTERN, written so that it cannot backtrack. */
const SOFTWARE = /^[a-zA-Z0-9](?:[a-zA-Z0-9.-]*)$/
const isSoftware = (text: string): boolean => SOFTWARE.test(text) && !/[.-]$/.test(text)

/**
 * A finalized feature makes clients speak certain versions; where those are not served, the feature is not shown:
 * Java producers under transaction.version 2 use Produce 12, EndTxn 5 and TxnOffsetCommit 5 (KIP-890).
 */
const FEATURE_NEEDS: { readonly [feature: string]: { readonly fromLevel: number; readonly apis: readonly (readonly [number, number])[] } } =
  {
    'transaction.version': {
      fromLevel: 2,
      apis: [
        [PRODUCE, 12],
        [26, 5],
        [28, 5],
      ],
    },
    'group.version': { fromLevel: 1, apis: [[68, 0]] },
    'share.version': {
      fromLevel: 1,
      apis: [
        [76, 1],
        [78, 1],
        [79, 1],
      ],
    },
    'streams.version': { fromLevel: 1, apis: [[88, 0]] },
  }

/** What one broker's clients may ask. `ours`: the versions that have a plan. */
export function servedRanges(broker: BrokerOffer, ours: Ranges): Ranges {
  const served = new Map<number, readonly [number, number]>()
  for (const [key, brokerMin, brokerMax] of broker.ranges) {
    const own = key === API_VERSIONS ? API_VERSIONS_RANGE : ours.get(key)
    if (own === undefined) continue
    const min = Math.max(own[0], brokerMin)
    const max = Math.min(own[1], brokerMax)
    if (min <= max) served.set(key, [min, max])
  }
  for (const [key, range] of OWN) served.set(key, range)
  if (!served.has(API_VERSIONS)) served.set(API_VERSIONS, [0, 0])
  return new Map([...served].sort((a, b) => a[0] - b[0]))
}

interface Codec {
  decode(b: Buffer, p: number): any
  encode(v: unknown): Buffer
  readonly flexible: boolean
}
const codecs: Codec[] = []
const codecOf = (version: number): Codec => {
  const flexible = within(ApiVersions.flexible, version)
  return (codecs[version] ??= {
    flexible,
    decode: compileDecode(layout(ApiVersions.request, version, flexible)),
    encode: compileEncode(layout(ApiVersions.response, version, flexible)),
  })
}

export interface OfferOptions {
  readonly nodeId: number
  readonly clusterId: string | null
  readonly broker: BrokerOffer
  readonly ours: Ranges
}

export class BrokerApiOffer implements Offer {
  readonly nodeId: number
  readonly ranges: Ranges
  readonly #clusterId: string | null
  readonly #broker: BrokerOffer
  /** Answers that say yes, by version: they are the same for everybody. */
  readonly #answers: Buffer[] = []

  constructor({ nodeId, clusterId, broker, ours }: OfferOptions) {
    this.nodeId = nodeId
    this.#clusterId = clusterId
    this.#broker = broker
    this.ranges = servedRanges(broker, ours)
  }

  serves(apiKey: number, apiVersion: number): boolean {
    const range = this.ranges.get(apiKey)
    return range !== undefined && apiVersion >= range[0] && apiVersion <= range[1]
  }

  /**
   * @param request the whole frame, size included
   * @returns the body of the response: what stands after its correlation id (ApiVersions always answers under header v0)
   * @throws {MalformedError}
   */
  answer(request: Buffer, apiVersion: number, afterLogin: boolean): Buffer {
    if (!this.serves(API_VERSIONS, apiVersion)) return this.#unsupported()
    const { clientSoftwareName, clientSoftwareVersion, clusterId = null, nodeId = -1 } = readRequest(request, apiVersion)
    if (apiVersion >= 3 && !(isSoftware(clientSoftwareName) && isSoftware(clientSoftwareVersion)))
      return refusal(apiVersion, INVALID_REQUEST)
    // KIP-1242: both or neither; a client that came to the wrong broker starts over (KafkaApis.scala clusterIdOrNodeIdIsInvalid).
    if (apiVersion >= 5 && (clusterId === null) !== (nodeId === -1)) return refusal(apiVersion, INVALID_REQUEST)
    if (afterLogin && apiVersion >= 5 && clusterId !== null && (clusterId !== this.#clusterId || nodeId !== this.nodeId)) {
      return refusal(apiVersion, REBOOTSTRAP_REQUIRED)
    }
    return (this.#answers[apiVersion] ??= this.#encode(apiVersion))
  }

  /** KIP-511: version 0, so that everybody can read it, and the versions of ApiVersions itself. */
  #unsupported(): Buffer {
    const [minVersion, maxVersion] = this.ranges.get(API_VERSIONS)!
    return codecOf(0).encode({ errorCode: UNSUPPORTED_VERSION, apiKeys: [{ apiKey: API_VERSIONS, minVersion, maxVersion }] })
  }

  #encode(version: number): Buffer {
    const broker = this.#broker
    const body: Record<string, unknown> = {
      errorCode: 0,
      // KAFKA-18659: librdkafka and others take Produce without 0 for a broker that they cannot speak to.
      apiKeys: [...this.ranges].map(([apiKey, [min, max]]) => ({ apiKey, minVersion: apiKey === PRODUCE ? 0 : min, maxVersion: max })),
      throttleTimeMs: 0,
    }
    if (version >= 3) {
      // KAFKA-17492: before version 4 clients could not read a feature whose minimum is 0.
      const supported = broker.supportedFeatures.filter(f => version >= 4 || f.minVersion !== 0)
      const finalized = broker.finalizedFeatures.filter(f => this.#carries(f.name, f.maxVersionLevel))
      if (supported.length > 0) body.supportedFeatures = supported
      if (broker.finalizedFeaturesEpoch !== -1n) body.finalizedFeaturesEpoch = broker.finalizedFeaturesEpoch
      if (finalized.length > 0) body.finalizedFeatures = finalized
      if (broker.zkMigrationReady) body.zkMigrationReady = true
    }
    return codecOf(version).encode(body)
  }

  #carries(feature: string, level: number): boolean {
    const needs = FEATURE_NEEDS[feature]
    return (
      needs === undefined || level < needs.fromLevel || needs.apis.every(([key, version]) => (this.ranges.get(key)?.[1] ?? -1) >= version)
    )
  }
}

function refusal(version: number, errorCode: number): Buffer {
  return codecOf(version).encode({ errorCode, apiKeys: [], throttleTimeMs: 0 })
}

interface Request {
  readonly clientSoftwareName: string
  readonly clientSoftwareVersion: string
  readonly clusterId?: string | null
  readonly nodeId?: number
}

/** @throws {MalformedError} */
export function readRequest(frame: Buffer, apiVersion: number): Request {
  const codec = codecOf(apiVersion)
  if (frame.length < 14) throw new MalformedError('ApiVersions: no header', frame.length)
  const at = readRequestHeader(frame, codec.flexible).bodyAt
  if (at > frame.length) throw new MalformedError('ApiVersions: the client id runs past the end of the frame', 12)
  try {
    return codec.decode(frame, at)
  } catch (why) {
    if (why instanceof MalformedError) throw why
    throw new MalformedError(`ApiVersions: ${(why as Error).message}`, at)
  }
}
