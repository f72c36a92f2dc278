// A broker on a loopback port that answers by schema what it is told to: for tests of what asks brokers.

import net from 'node:net'
import { compileDecode, compileEncode } from '../../src/protocol/codec.ts'
import { readRequestHeader, responseHeaderBytes } from '../../src/protocol/header.ts'
import { apis } from '../../src/protocol/messages/index.ts'
import { layout, within } from '../../src/protocol/schema.ts'

/** The body of the answer, or its bytes behind the correlation id; null: none; 'hang up': the connection is closed. */
export type Answer = object | Buffer | null | 'hang up'
export type Answers = { [apiKey: number]: (request: any, version: number) => Answer }

export class AnsweringBroker {
  answers: Answers
  readonly asked: { readonly apiKey: number; readonly version: number; readonly body: any }[] = []
  /** An address of this machine. */
  readonly host: string
  port = 0
  readonly #server: net.Server
  readonly #open = new Set<net.Socket>()

  private constructor(answers: Answers, host: string) {
    this.answers = answers
    this.host = host
    this.#server = net.createServer(socket => this.#serve(socket))
  }

  static async start(answers: Answers, host = '127.0.0.1'): Promise<AnsweringBroker> {
    const broker = new AnsweringBroker(answers, host)
    await broker.listen(0)
    return broker
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>(resolve => this.#server.listen(port, this.host, resolve))
    this.port = (this.#server.address() as net.AddressInfo).port
  }

  /** Ends all connections and takes no more. */
  async stop(): Promise<void> {
    for (const socket of this.#open) socket.destroy()
    await new Promise(resolve => this.#server.close(resolve))
  }

  count(apiKey: number): number {
    return this.asked.filter(a => a.apiKey === apiKey).length
  }

  #serve(socket: net.Socket): void {
    this.#open.add(socket)
    let received = Buffer.alloc(0)
    socket.on('error', () => undefined)
    socket.on('close', () => this.#open.delete(socket))
    socket.on('data', bytes => {
      received = Buffer.concat([received, bytes as Buffer])
      while (received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) {
        const end = 4 + received.readInt32BE(0)
        this.#answer(socket, Buffer.from(received.subarray(0, end)))
        received = received.subarray(end)
      }
    })
  }

  #answer(socket: net.Socket, frame: Buffer): void {
    const apiKey = frame.readInt16BE(4)
    const version = frame.readInt16BE(6)
    const { flexible, decode } = codecOf(apiKey, version)
    const { bodyAt, correlationId } = readRequestHeader(frame, flexible)
    const body = decode(frame, bodyAt)
    this.asked.push({ apiKey, version, body })
    const answer = this.answers[apiKey]?.(body, version) ?? null
    if (answer === 'hang up') socket.destroy()
    if (answer === null || answer === 'hang up') return
    if (Buffer.isBuffer(answer)) {
      const head = Buffer.alloc(8)
      head.writeInt32BE(4 + answer.length, 0)
      head.writeInt32BE(correlationId, 4)
      socket.write(head)
      socket.write(answer)
      return
    }
    const headBytes = responseHeaderBytes(apiKey, flexible)
    // KIP-511: what is refused for its version is answered in version 0.
    const shape = (answer as any).errorCode === 35 ? 0 : version
    const encoded = codecOf(apiKey, shape).encode(answer)
    const reply = Buffer.alloc(headBytes + encoded.length)
    reply.writeInt32BE(reply.length - 4, 0)
    reply.writeInt32BE(correlationId, 4)
    encoded.copy(reply, headBytes)
    socket.write(reply)
  }
}

const codecs = new Map<string, ReturnType<typeof makeCodec>>()

/** Of requests and their answers. */
function codecOf(apiKey: number, version: number) {
  const key = `${apiKey}/${version}`
  let codec = codecs.get(key)
  if (codec === undefined) codecs.set(key, (codec = makeCodec(apiKey, version)))
  return codec
}
function makeCodec(apiKey: number, version: number) {
  const api = apis.find(({ key }) => key === apiKey)!
  const flexible = within(api.flexible, version)
  const decode = compileDecode(layout(api.request, version, flexible))
  return { flexible, decode, encode: compileEncode(layout(api.response, version, flexible)) }
}

/** Offers every API in full, as a broker without surprises. */
export const offersEverything = (): object => ({
  errorCode: 0,
  apiKeys: apis.map(({ key, versions }) => ({ apiKey: key, minVersion: versions.min, maxVersion: versions.max })),
  throttleTimeMs: 0,
})

/** Answers of a cluster: its brokers, and its topics by name. */
export function clusterAnswers(brokers: () => readonly AnsweringBroker[], topics: Readonly<Record<string, string>>): Answers {
  const topicOf = (name: string | null, topicId: string | undefined): object => {
    const known = name === null ? Object.keys(topics).find(n => topics[n] === topicId) : name in topics ? name : undefined
    if (known === undefined) return { errorCode: name === null ? 100 : 3, name, topicId: topicId ?? '0'.repeat(32), partitions: [] }
    const partitions = [
      { errorCode: 0, partitionIndex: 0, leaderId: 1, leaderEpoch: 0, replicaNodes: [1], isrNodes: [1], offlineReplicas: [] },
    ]
    return { errorCode: 0, name: known, topicId: topics[known], partitions }
  }
  return {
    18: offersEverything,
    3: request => ({
      clusterId: 'test-cluster',
      controllerId: 1,
      brokers: brokers().map(({ host, port }, i) => ({ nodeId: i + 1, host, port, rack: null })),
      topics: (request.topics ?? Object.keys(topics).map(name => ({ name }))).map((t: any) => topicOf(t.name ?? null, t.topicId)),
    }),
    32: request => ({
      results: request.resources.map(({ resourceType, resourceName }: any) => ({
        resourceType,
        resourceName,
        errorCode: 0,
        errorMessage: null,
        configs: [{ name: 'auto.create.topics.enable', value: 'false', synonyms: [], documentation: null }],
      })),
    }),
  }
}
