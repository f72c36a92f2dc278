// A broker's rules for share sessions, in their simplest form: SharePartitionManager.java, KafkaApis.scala handleShareFetchRequest (4.4).

const SHARE_SESSION_NOT_FOUND = 122
const INVALID_SHARE_SESSION_EPOCH = 123
const INVALID_REQUEST = 42
const TOPIC_AUTHORIZATION_FAILED = 29
const UNKNOWN_TOPIC_ID = 100

interface Topic {
  readonly topicId: string
  readonly partitions: readonly { readonly partitionIndex: number; readonly acknowledgementBatches: readonly any[] }[]
}
interface Session {
  epoch: number
  /** `id/partition` */
  readonly held: Set<string>
}
export interface Told {
  readonly errorCode: number
  /** `id/partition` -> [error, error of its acknowledgements]. */
  readonly partitions: ReadonlyMap<string, readonly [number, number]>
}

export class ShareBroker {
  readonly #sessions = new Map<string, Session>()
  /** The name of a topic; undefined: no topic has this id. */
  readonly #nameOf: (id: string) => string | undefined
  /** Null: nothing is refused. */
  readonly #mayRead: ((name: string) => boolean) | null

  constructor(nameOf: (id: string) => string | undefined, mayRead: ((name: string) => boolean) | null) {
    this.#nameOf = nameOf
    this.#mayRead = mayRead
  }

  fetch(request: any): Told {
    const { topics, forgottenTopicsData: forgotten, shareSessionEpoch: epoch } = request
    const acknowledges = topics.some((t: Topic) => t.partitions.some(p => p.acknowledgementBatches.length > 0))
    const key = `${request.groupId}/${request.memberId}`
    const named: string[] = topics.flatMap((t: Topic) => t.partitions.map(p => `${t.topicId}/${p.partitionIndex}`))
    const session = this.#sessions.get(key)
    let fetched: string[] = []
    if (epoch === 0) {
      if (acknowledges) return failed(INVALID_REQUEST)
      this.#sessions.set(key, { epoch: 1, held: new Set(named) })
      fetched = named
    } else if (session === undefined) return failed(SHARE_SESSION_NOT_FOUND)
    else if (epoch > 0) {
      if (session.epoch !== epoch) return failed(INVALID_SHARE_SESSION_EPOCH)
      for (const partition of named) session.held.add(partition)
      for (const { topicId, partitions } of forgotten) for (const p of partitions) session.held.delete(`${topicId}/${p}`)
      session.epoch++
      fetched = [...session.held]
    } else this.#sessions.delete(key)
    const told = new Map<string, [number, number]>()
    if (!request.isRenewAck) for (const partition of fetched) told.set(partition, [this.#codeOf(partition), 0])
    for (const [partition, code] of acknowledges ? this.#acknowledge(topics, request.isRenewAck) : [])
      told.set(partition, [told.get(partition)?.[0] ?? 0, code])
    return { errorCode: 0, partitions: told }
  }

  acknowledge(request: any): Told {
    const { topics, shareSessionEpoch: epoch } = request
    const key = `${request.groupId}/${request.memberId}`
    const session = this.#sessions.get(key)
    if (epoch === 0) return failed(INVALID_SHARE_SESSION_EPOCH)
    if (session === undefined) return failed(SHARE_SESSION_NOT_FOUND)
    if (epoch > 0 && session.epoch !== epoch) return failed(INVALID_SHARE_SESSION_EPOCH)
    if (epoch > 0) session.epoch++
    else this.#sessions.delete(key)
    const partitions = new Map<string, [number, number]>()
    for (const [partition, code] of this.#acknowledge(topics, request.isRenewAck)) partitions.set(partition, [code, 0])
    return { errorCode: 0, partitions }
  }

  #codeOf(partition: string): number {
    const name = this.#nameOf(partition.split('/')[0]!)
    if (name === undefined) return UNKNOWN_TOPIC_ID
    return this.#mayRead === null || this.#mayRead(name) ? 0 : TOPIC_AUTHORIZATION_FAILED
  }

  #acknowledge(topics: readonly Topic[], isRenewAck: boolean): Map<string, number> {
    const erroneous = new Map<string, number>()
    const good = new Map<string, boolean>()
    for (const { topicId, partitions } of topics) {
      for (const { partitionIndex, acknowledgementBatches: batches } of partitions) {
        const partition = `${topicId}/${partitionIndex}`
        const code = this.#codeOf(partition)
        if (code === UNKNOWN_TOPIC_ID) erroneous.set(partition, code)
        else if (!batches.every((b: any) => isValid(b, isRenewAck))) erroneous.set(partition, INVALID_REQUEST)
        else if (code !== 0) erroneous.set(partition, code)
        else good.set(partition, batches.length > 0)
      }
    }
    if (![...good.values()].includes(true)) return erroneous
    return new Map([...erroneous, ...[...good.keys()].map(partition => [partition, 0] as const)])
  }
}

const failed = (errorCode: number): Told => ({ errorCode, partitions: new Map() })

const isValid = ({ firstOffset, lastOffset, acknowledgeTypes }: any, isRenewAck: boolean): boolean =>
  firstOffset <= lastOffset && acknowledgeTypes.length > 0 && acknowledgeTypes.every((t: number) => t < 4 || isRenewAck)

/** A response's body that says what was told. */
export function shareBody(told: Told, records: Buffer | null): object {
  const responses = new Map<string, object[]>()
  for (const [partition, [errorCode, acknowledgeErrorCode]] of told.partitions) {
    const [topicId, index] = partition.split('/') as [string, string]
    const list = responses.get(topicId) ?? []
    responses.set(topicId, list)
    const answer = { partitionIndex: Number(index), errorCode }
    list.push(records === null ? answer : { ...answer, acknowledgeErrorCode, records: errorCode === 0 ? records : Buffer.alloc(0) })
  }
  return { errorCode: told.errorCode, responses: [...responses].map(([topicId, partitions]) => ({ topicId, partitions })) }
}

/** What a response's body tells. */
export function toldBy(body: any): Told {
  const partitions = new Map<string, readonly [number, number]>()
  for (const topic of body.responses)
    for (const p of topic.partitions) partitions.set(`${topic.topicId}/${p.partitionIndex}`, [p.errorCode, p.acknowledgeErrorCode ?? 0])
  return { errorCode: body.errorCode, partitions }
}
