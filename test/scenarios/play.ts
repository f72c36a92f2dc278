// Plays the steps of a scenario against one side: a gate, or a cluster that judges itself.

import { compileDecode, compileEncode, decodeWhole } from '../../src/protocol/codec.ts'
import { readRequestHeader, responseHeaderBytes } from '../../src/protocol/header.ts'
import { apis } from '../../src/protocol/messages/index.ts'
import { type Api, layoutOf, within } from '../../src/protocol/schema.ts'
import { inOrder } from '../equivalence/mask.ts'
import { type RawClient, requestFrame } from '../equivalence/raw-client.ts'
import { askedBy, type Message, type Scenario, type When } from './form.ts'
import { fromText, toText } from './kafka-text.ts'
import type { Recorded } from './naming.ts'

const CLIENT_ID = 'scenario'
const CORRELATION_ID = 7
/** Of all clusters of scripts/stack. */
export const CLUSTER_ID = 'QD2eE8S_TeCfZhljAA9JHQ'

export interface Side {
  readonly naming: Recorded
  /** `admin` past the gate. */
  connect(who: string): Promise<RawClient>
}

/** What one side's clients do: each keeps its connections from step to step. */
export class Players {
  readonly #side: Side
  readonly #clients = new Map<string, RawClient>()

  constructor(side: Side) {
    this.#side = side
  }

  /** Asks, and says what the client sees. */
  async ask(scenario: Scenario, when: When): Promise<Message> {
    const { api, version } = askedBy(scenario, when)
    const { naming } = this.#side
    const client = await this.#client(when)
    const request = writtenFrame(scenario, when, naming)
    client.send(request)
    const silent = isSilent(readRequest(request))
    // What answers at once, and behind what was asked before, tells that nothing was.
    const frame = silent ? await barrier(client) : await client.read()
    if (frame === null) return 'closed'
    if (silent) return 'nothing'
    if (frame.readInt32BE(4) !== CORRELATION_ID) throw new Error('an answer to something else')
    const response = decodeResponse(api, version, frame)
    naming.remember(response)
    return sorted(responseText({ api, version }, response, naming))
  }

  async #client({ as, connection = 1 }: When): Promise<RawClient> {
    const key = `${as} ${connection}`
    let client = this.#clients.get(key)
    if (client === undefined) this.#clients.set(key, (client = await this.#side.connect(as!.replace(/^service:/, ''))))
    return client
  }

  close(): void {
    for (const client of this.#clients.values()) client.close()
  }
}

/** Produce with acks=0: no answer is due. */
export const isSilent = ({ api, body }: Asked): boolean => api.key === 0 && body.acks === 0

function writtenFrame(scenario: Scenario, when: When, naming: Recorded): Buffer {
  const { api, version } = askedBy(scenario, when)
  return requestFrame(api, version, fromText(layoutOf(api, version, 'request'), when.request, naming), CORRELATION_ID, CLIENT_ID)
}

/** The request in the words in which the broker's is told. */
export const written = (scenario: Scenario, when: When, naming: Recorded): object =>
  requestText(readRequest(writtenFrame(scenario, when, naming)), naming)

async function barrier(client: RawClient): Promise<Buffer | null> {
  client.send(requestFrame(apis.find(a => a.key === 18)!, 0, {}, CORRELATION_ID, CLIENT_ID))
  return client.read()
}

export const decodeResponse = (api: Api, version: number, frame: Buffer): any =>
  decodeWhole(compileDecode(layoutOf(api, version, 'response')), frame, responseHeaderBytes(api.key, within(api.flexible, version)))

/** A request as a broker reads it. */
export interface Asked {
  readonly api: Api
  readonly version: number
  readonly correlationId: number
  readonly body: any
}

export function readRequest(frame: Buffer): Asked {
  const api = apis.find(a => a.key === frame.readInt16BE(4))!
  const version = frame.readInt16BE(6)
  const { bodyAt, correlationId } = readRequestHeader(frame, within(api.flexible, version))
  return { api, version, correlationId, body: decodeWhole(compileDecode(layoutOf(api, version, 'request')), frame, bodyAt) }
}

export const requestText = ({ api, version, body }: Asked, naming: Recorded): object =>
  toText(layoutOf(api, version, 'request'), body, naming)

export const responseText = ({ api, version }: Pick<Asked, 'api' | 'version'>, body: any, naming: Recorded): object =>
  toText(layoutOf(api, version, 'response'), body, naming)

export function responseFrame({ api, version, correlationId }: Asked, text: object, naming: Recorded): Buffer {
  const layout = layoutOf(api, version, 'response')
  const head = Buffer.alloc(responseHeaderBytes(api.key, within(api.flexible, version)))
  const frame = Buffer.concat([head, compileEncode(layout)(fromText(layout, text, naming))])
  frame.writeInt32BE(frame.length - 4, 0)
  frame.writeInt32BE(correlationId, 4)
  return frame
}

/** Lists whose order no broker promises are in one order. */
export function sorted(value: any, key = ''): any {
  if (Array.isArray(value))
    return inOrder(
      key,
      value.map(item => sorted(item)),
    )
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([field, inner]) => [field, sorted(inner, field)]))
}

/** One message as it is, several as a list, none in a word. */
export const messageOf = (messages: readonly object[]): Message =>
  messages.length === 0 ? 'nothing' : messages.length === 1 ? messages[0]! : messages
