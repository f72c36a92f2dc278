// Two ends for Fetch tests: a broker's session cache as FetchManager.java keeps it, and a consumer's view as FetchSessionHandler.java has it.

/** `topic/partition` -> fetch offset. */
type Partitions = Map<string, bigint>

export interface FetchBody {
  sessionId: number
  sessionEpoch: number
  topics: any[]
  forgottenTopicsData: any[]
}
interface Session {
  epoch: number
  byId: boolean
  partitions: Partitions
  /** Told since the last change. */
  told: Set<string>
}

export const keyOf = (t: any): string => t.topicId ?? t.topic
const pairs = (topics: any[]): [string, any][] => topics.flatMap(t => t.partitions.map((p: any) => [`${keyOf(t)}/${p.partition ?? p}`, p]))

/** An open broker: it authorizes nothing. Every request that reaches it is seen by `sees`. */
export class ModelBroker {
  readonly sessions = new Map<number, Session>()
  #nextId = 100
  #capacity: number

  constructor(capacity = 1000) {
    this.#capacity = capacity
  }

  /** The partitions that it reads for this request, and the response's head. */
  fetch(version: number, body: FetchBody, throttled = false): { errorCode: number; sessionId: number; read: string[]; full: boolean } {
    const byId = version >= 13
    const named: Partitions = new Map(pairs(body.topics).map(([key, p]) => [key, p.fetchOffset]))
    const { sessionId, sessionEpoch } = body
    if (sessionEpoch === 0 || sessionEpoch === -1) {
      if (sessionId !== 0) this.sessions.delete(sessionId)
      const full = { errorCode: 0, read: throttled ? [] : [...named.keys()], full: true }
      if (sessionEpoch === -1 || throttled || this.sessions.size >= this.#capacity) return { ...full, sessionId: 0 }
      const id = this.#nextId++
      this.sessions.set(id, { epoch: 1, byId, partitions: named, told: new Set() })
      return { ...full, sessionId: id }
    }
    const session = this.sessions.get(sessionId)
    const error = (errorCode: number) => ({ errorCode, sessionId: 0, read: [], full: false })
    if (session === undefined) return error(70)
    if (session.epoch !== sessionEpoch) return error(71)
    if (session.byId !== byId) return error(106)
    for (const [key, offset] of named) session.partitions.set(key, offset)
    for (const [key] of pairs(body.forgottenTopicsData)) session.partitions.delete(key)
    if (session.partitions.size === 0) {
      this.sessions.delete(sessionId)
      return { errorCode: 0, sessionId: 0, read: throttled ? [] : [...named.keys()], full: true }
    }
    session.epoch = session.epoch === 0x7fffffff ? 1 : session.epoch + 1
    return { errorCode: 0, sessionId, read: throttled ? [] : [...session.partitions.keys()], full: false }
  }
}

/** A consumer: what it wants to read, and what it believes its session holds. */
export class ModelConsumer {
  sessionId = 0
  epoch = 0
  /** Of the session, as its client sees it. */
  readonly session: Partitions = new Map()
  wants: Partitions = new Map()

  /** FetchSessionHandler.Builder.build. */
  next(): { topics: any[]; forgottenTopicsData: any[]; sessionId: number; sessionEpoch: number; byKey: Partitions; forgotten: string[] } {
    const full = this.epoch === 0 || this.epoch === -1
    const changed: Partitions = new Map()
    const forgotten: string[] = []
    if (full) {
      this.session.clear()
      for (const [key, offset] of this.wants) {
        this.session.set(key, offset)
        changed.set(key, offset)
      }
    } else {
      for (const [key, offset] of this.session) {
        if (!this.wants.has(key)) {
          this.session.delete(key)
          forgotten.push(key)
        } else if (this.wants.get(key) !== offset) {
          this.session.set(key, this.wants.get(key)!)
          changed.set(key, this.wants.get(key)!)
        }
      }
      for (const [key, offset] of this.wants) {
        if (this.session.has(key)) continue
        this.session.set(key, offset)
        changed.set(key, offset)
      }
    }
    return { topics: [], forgottenTopicsData: [], sessionId: this.sessionId, sessionEpoch: this.epoch, byKey: changed, forgotten }
  }

  /** FetchSessionHandler.handleResponse; throws where it would call the response invalid. */
  take(response: { errorCode: number; sessionId: number; throttleTimeMs: number; keys: string[] }): void {
    const { errorCode, sessionId, keys } = response
    if (errorCode !== 0) {
      if (errorCode === 70) {
        this.sessionId = 0
      }
      this.epoch = 0
      return
    }
    const full = this.epoch === 0 || this.epoch === -1
    if (new Set(keys).size !== keys.length) throw new Error(`a partition is answered twice: ${keys}`)
    if (full) {
      if (keys.length === 0 && response.throttleTimeMs > 0) {
        this.epoch = 0
        this.sessionId = sessionId === 0 ? 0 : sessionId
        return
      }
      const missing = [...this.session.keys()].filter(k => !keys.includes(k))
      const extra = keys.filter(k => !this.session.has(k))
      if (missing.length + extra.length > 0) throw new Error(`full response: missing ${missing}, extra ${extra}`)
      this.sessionId = sessionId
      this.epoch = sessionId === 0 ? 0 : 1
      return
    }
    const extra = keys.filter(k => !this.session.has(k))
    if (extra.length > 0) throw new Error(`incremental response: extra ${extra}`)
    if (sessionId === 0) {
      this.sessionId = 0
      this.epoch = 0
    } else this.epoch++
  }
}
