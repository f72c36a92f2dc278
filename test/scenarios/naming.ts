// What differs from cluster to cluster, under names that do not: topic ids, members, producers, sessions, addresses.

import { createHash } from 'node:crypto'
import type { Naming } from './kafka-text.ts'

/** An id that no topic has. */
const NOTHING = 'ab'.repeat(16)
const NO_ID = '0'.repeat(32)

/** In a replay everything has the name that it was recorded under; an id is made of its name. */
export class Recorded implements Naming {
  protected readonly ids = new Map<string, string>([
    ['id of nothing', NOTHING],
    ['none', NO_ID],
  ])
  protected readonly texts = new Map<string, string>([
    [NOTHING, 'id of nothing'],
    [NO_ID, 'none'],
  ])
  readonly #told = new Map<string, unknown>()

  idOf(text: string): string {
    let id = this.ids.get(text)
    if (id === undefined) this.learn(text, (id = createHash('sha256').update(text).digest('hex').slice(0, 32)))
    return id
  }

  textOfId(hex: string): string {
    return this.texts.get(hex) ?? 'some id'
  }

  learn(text: string, id: string): void {
    this.ids.set(text, id)
    this.texts.set(id, text)
  }

  /** Every field of a response, the last one of each name. */
  remember(response: unknown): void {
    if (response === null || typeof response !== 'object' || Buffer.isBuffer(response)) return
    for (const [field, value] of Object.entries(response)) {
      if (value !== null && typeof value === 'object') this.remember(value)
      else if (!Array.isArray(response)) this.#told.set(field, value)
    }
  }

  told(field: string): unknown {
    if (!this.#told.has(field)) throw new Error(`nobody has been told a ${field}`)
    return this.#told.get(field)
  }

  common(_field: string, value: unknown): unknown {
    return value
  }
}

/** Numbers and texts of one run, and what they are called in every run. */
const FIXED: { readonly [field: string]: unknown } = {
  transactionStartTimeMs: 1_700_000_000_000n,
  partitionSize: 100n,
  totalBytes: 1_000_000n,
  usableBytes: 1_000_000n,
  lastFetchTimestamp: 1_700_000_000_000n,
  lastCaughtUpTimestamp: 1_700_000_000_000n,
  logEndOffset: 100n,
  logDir: '/data',
  heartbeatIntervalMs: 5000,
  subscriptionId: 7,
}
/** Producer ids below are a cluster's own; scenarios write ids from here on. */
const OWN_PRODUCER_ID = 4000n
const DRAWN_MEMBER = /[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$|^(?!A{22})[\w-]{22}$/

export interface Address {
  readonly host: string
  readonly port: number
}

/** While recording: the values of one real cluster. */
export class Live extends Recorded {
  readonly #address: Address
  readonly #called: Address
  readonly #members = new Map<unknown, string>()
  readonly #producers = new Map<unknown, bigint>()
  readonly #sessions = new Map<unknown, number>()

  /** @param called what the address is called in every run */
  constructor(address: Address, called: Address) {
    super()
    this.#address = address
    this.#called = called
  }

  override idOf(text: string): string {
    const id = this.ids.get(text)
    if (id === undefined) throw new Error(`there is no ${text}`)
    return id
  }

  override common(field: string, value: unknown): unknown {
    if (field === 'host' && value === this.#address.host) return this.#called.host
    if (field === 'port' && value === this.#address.port) return this.#called.port
    if (field === 'producerId')
      return (value as bigint) < 0n || (value as bigint) >= OWN_PRODUCER_ID
        ? value
        : numbered(this.#producers, value, n => BigInt(1000 + n))
    if (field === 'sessionId') return value === 0 ? value : numbered(this.#sessions, value, n => 5000 + n)
    if ((field === 'memberId' || field === 'leader') && typeof value === 'string' && DRAWN_MEMBER.test(value))
      return numbered(this.#members, value, n => `member-${n}`)
    // Who asks has a longer name at the gate, and so have those of whom its policy speaks.
    if (/principalName$/i.test(field) && value === 'alice') return 'service:test/alice'
    if (field === 'principal') return String(value).replace(/^User:(alice|bob)$/, 'Service:test/$1')
    // KafkaApis.handleError writes the whole request into the text; the gate gives Kafka's default text.
    if (field === 'errorMessage' && String(value).startsWith('Request Request(')) return 'Cluster authorization failed.'
    const fixed = FIXED[field]
    return fixed !== undefined && value !== -1n && value !== 0n ? fixed : value
  }
}

function numbered<T>(known: Map<unknown, T>, value: unknown, called: (n: number) => T): T {
  let name = known.get(value)
  if (name === undefined) known.set(value, (name = called(known.size + 1)))
  return name
}
