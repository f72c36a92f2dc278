// What OpenFGA said of one principal, kept in a worker to its end; what is not known is asked within a budget.

import type { Clock } from '../base/clock.ts'
import { Resource } from './authorizer.ts'
import { encode, nameObject } from './encode.ts'
import type { Beyond, Given, Writable } from './given.ts'
import { NOTHING_BEYOND } from './given.ts'
import type { KeptAnswers } from './kept.ts'
import { KeptNames } from './kept-names.ts'
import type { Who } from './memberships.ts'
import type { Name } from './names.ts'
import type { Answer, AskedName, GivenAnswer, NamesAnswer, Question } from './openfga-questions.ts'
import type { OperationSet } from './operations.ts'
import { OPERATIONS, SUPPORTED } from './operations.ts'
import { byRoles, NO_ROLES, namespacesOf, type Roles } from './roles.ts'
import type { Snapshot } from './store-state.ts'
import { writableBy } from './writable.ts'

const BUDGET_MS = 1_000
const PAUSE_MS = 50
/** What got no answer is not asked again before. */
const UNDECIDED_MS = 200
/** The part of an answer's life after which another is fetched while it still counts. */
const REFRESH = 0.7
/** Names of one principal whose answers are kept. */
const NAMES_MAX = 10_000
/** Of so many names all operations are asked at once, so that one round is enough; of more only those that are needed. */
const ASKED_WHOLE = 20
/** Names that one question carries: the answers to each count as they come. */
const NAMES_A_QUESTION = 250
const WRITE: OperationSet = 1 << OPERATIONS.write

type Named = Pick<Name, 'resource' | 'bytes'>

/** What all principals of a worker share. */
export interface Source {
  readonly snapshot: Snapshot | null
  /** Topics that have tuples of their own, so many of them as may be asked about at once. */
  readonly ownTopics: readonly Buffer[]
  readonly cluster: string
  readonly clock: Clock
  readonly maxStaleMs: number
  ask(question: Question): Promise<Answer>
  /** Fetches the snapshot that answers go with: a worker that starts may have missed it. */
  catchUp(): Promise<void>
}

export class OpenFgaGiven implements Given {
  readonly engine = 'openfga'
  readonly #source: Source
  readonly #who: Who
  readonly #address: string
  #epoch = 0
  #answer: GivenAnswer | null = null
  #ids: ReadonlySet<string> | null = null
  /** Namespaces in which the answer names roles. */
  #namespaces: ReadonlySet<string> = new Set()
  /** Epoch ms at which something that is kept ends, or is asked again. */
  #nextMs = Number.POSITIVE_INFINITY
  #refreshMs = Number.POSITIVE_INFINITY
  #undecidedUntilMs = 0
  #drops = 0
  #nameDrops = 0
  #settling: Promise<void> | null = null
  #wantsGrants = false
  #wanted = new Map<string, AskedName>()
  readonly #names = new KeptNames()

  constructor(source: Source, who: Who, address: string) {
    this.#source = source
    this.#who = who
    this.#address = address
  }

  get epoch(): number {
    const { nowMs } = this.#source.clock
    if (nowMs >= this.#refreshMs) this.#refresh()
    if (nowMs >= this.#nextMs) this.#expire(nowMs)
    return this.#epoch
  }

  get undecided(): boolean {
    return this.#ids === null && this.#source.clock.nowMs < this.#undecidedUntilMs
  }

  grants(): Iterable<string> | null {
    if (this.#ids === null) this.#wantsGrants = true
    return this.#ids
  }

  beyond(name: Named, wanted: OperationSet): Beyond {
    const { snapshot } = this.#source
    if (snapshot === null) return NOTHING_BEYOND
    const asRole = this.#answer === null ? NOTHING_BEYOND : this.#asRole(this.#answer.roles, name)
    if (snapshot.objects?.size === 0) return asRole
    const object = nameObject(this.#source.cluster, name.resource, name.bytes)
    if (snapshot.objects !== null && !snapshot.objects.has(object)) return asRole
    return this.#withName(asRole, object, name, wanted)
  }

  writable(): Writable {
    const topics = this.#source.ownTopics.map(bytes => ({ bytes, beyond: this.beyond({ resource: Resource.Topic, bytes }, WRITE) }))
    return writableBy(this.#answer?.roles ?? NO_ROLES, topics)
  }

  settle(): Promise<void> {
    this.#settling ??= this.#settle().finally(() => {
      this.#settling = null
    })
    return this.#settling
  }

  /** What is kept now of the principal, and of the name with this object; nobody is asked. */
  kept(object: string): KeptAnswers {
    const { nowMs } = this.#source.clock
    if (nowMs >= this.#nextMs) this.#expire(nowMs)
    const named = this.#names.has(object) ? this.#names.get(object) : null
    if (this.#answer === null) return { given: null, named }
    const { grants, roles, endsAtMs } = this.#answer
    return { given: { grants, roles, endsAtMs, isStale: nowMs >= endsAtMs }, named }
  }

  /** Nothing that was said of this principal holds any longer. */
  drop(): void {
    this.#drops++
    this.#answer = null
    this.#ids = null
    this.#undecidedUntilMs = 0
    this.#refreshMs = Number.POSITIVE_INFINITY
    this.dropNames()
  }

  /** Nothing that was said of single names holds any longer. */
  dropNames(): void {
    this.#nameDrops++
    this.#names.clear()
    this.#moved()
  }

  #asRole(roles: Roles, { resource, bytes }: Named): Beyond {
    const namespaces = this.#namespaces
    return byRoles(roles, resource, namespaces.size === 0 ? [] : namespacesOf(encode(bytes), namespaces))
  }

  #withName(asRole: Beyond, object: string, name: Named, wanted: OperationSet): Beyond {
    const all = SUPPORTED[name.resource]
    const kept = this.#names.get(object)
    if (kept.blocked) return { ...NOTHING_BEYOND, refused: all }
    const { answered } = kept
    const undecided = kept.undecided & ~answered
    const open = all & ~answered & ~undecided & ~asRole.refused
    if (open & wanted) {
      const operations = this.#wanted.size < ASKED_WHOLE ? open : open & wanted
      this.#want(object, { resource: name.resource, bytes: name.bytes, operations })
    }
    const allowed = (asRole.allowed | kept.allowed) & ~open & ~undecided
    return { allowed, refused: asRole.refused, unknown: open, undecided }
  }

  async #settle(): Promise<void> {
    const untilMs = performance.now() + BUDGET_MS
    for (;;) {
      const wantsGrants = this.#wantsGrants && this.#ids === null
      const wanted = this.#wanted
      this.#wanted = new Map()
      if (!wantsGrants && wanted.size === 0) return
      const leftMs = untilMs - performance.now()
      const [given, names] = await Promise.all([
        wantsGrants ? within(this.#askGiven(), leftMs) : true,
        wanted.size > 0 ? within(this.#askNames(wanted), leftMs) : true,
      ])
      this.#wantsGrants = !given
      if (!names) this.#wantRest(wanted)
      if (performance.now() + PAUSE_MS >= untilMs) return this.#giveUp()
      if (!given || !names) await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
    }
  }

  /** Wants again what of this got no answer. */
  #wantRest(wanted: ReadonlyMap<string, AskedName>): void {
    for (const [object, name] of wanted) {
      const { blocked, answered } = this.#names.get(object)
      const operations = blocked ? 0 : name.operations & ~answered
      if (operations !== 0) this.#want(object, { ...name, operations })
    }
  }

  #want(object: string, name: AskedName): void {
    const before = this.#wanted.get(object)?.operations ?? 0
    this.#wanted.set(object, { ...name, operations: before | name.operations })
  }

  /** Returns whether an answer came that still counts. */
  async #askGiven(): Promise<boolean> {
    const drops = this.#drops
    const answer = (await this.#source.ask({ kind: 'given', who: this.#who, address: this.#address })) as GivenAnswer
    if (answer.snapshot > (this.#source.snapshot?.version ?? 0)) await this.#source.catchUp()
    if (drops !== this.#drops) return this.#ids !== null
    const same = this.#answer !== null && isSame(this.#answer, answer)
    this.#answer = answer
    this.#namespaces = new Set(Object.keys(answer.roles.namespaces))
    const nowMs = Date.now()
    this.#refreshMs = nowMs + (answer.endsAtMs - nowMs) * REFRESH * (1 - Math.random() / 10)
    if (same) this.#schedule()
    else {
      this.#ids = new Set(answer.grants)
      this.#moved()
    }
    return true
  }

  async #askNames(wanted: ReadonlyMap<string, AskedName>): Promise<boolean> {
    if (this.#names.size + wanted.size > NAMES_MAX) this.#names.clear()
    const entries = [...wanted]
    const asked: Promise<boolean>[] = []
    for (let at = 0; at < entries.length; at += NAMES_A_QUESTION) asked.push(this.#askSome(entries.slice(at, at + NAMES_A_QUESTION)))
    const whole = await Promise.all(asked.map(one => one.catch(() => false)))
    return !whole.includes(false)
  }

  async #askSome(wanted: readonly (readonly [string, AskedName])[]): Promise<boolean> {
    const drops = this.#nameDrops
    const question: Question = { kind: 'names', who: this.#who, address: this.#address, names: wanted.map(([, name]) => name) }
    const { names, endsAtMs } = (await this.#source.ask(question)) as NamesAnswer
    if (drops !== this.#nameDrops) return false
    let whole = true
    wanted.forEach(([object, { operations }], i) => {
      const answer = names[i]!
      if (answer.answered !== operations) whole = false
      this.#names.keep(object, answer, endsAtMs)
    })
    this.#moved()
    return whole
  }

  /** What got no answer in time is undecided, for a moment. */
  #giveUp(): void {
    const untilMs = Date.now() + UNDECIDED_MS
    if (this.#ids === null) this.#undecidedUntilMs = untilMs
    for (const [object, { operations }] of this.#wanted) this.#names.leaveOpen(object, operations, untilMs)
    this.#wanted = new Map()
    this.#wantsGrants = false
    this.#moved()
  }

  /** Asks anew before the answer ends; whoever is judged meanwhile is judged by what is known. */
  #refresh(): void {
    this.#refreshMs = Number.POSITIVE_INFINITY
    within(this.#askGiven(), BUDGET_MS).then(fetched => {
      if (!fetched && this.#ids !== null) this.#refreshMs = Date.now() + BUDGET_MS
    })
  }

  #expire(nowMs: number): void {
    if (this.#answer !== null && nowMs >= this.#answer.endsAtMs + this.#source.maxStaleMs) {
      this.#answer = null
      this.#ids = null
      this.#refreshMs = Number.POSITIVE_INFINITY
    }
    this.#names.expire(nowMs)
    this.#moved()
  }

  #moved(): void {
    this.#epoch++
    this.#schedule()
  }

  #schedule(): void {
    let nextMs = this.#answer === null ? Number.POSITIVE_INFINITY : this.#answer.endsAtMs + this.#source.maxStaleMs
    if (this.#ids === null && this.#undecidedUntilMs > this.#source.clock.nowMs) nextMs = this.#undecidedUntilMs
    this.#nextMs = Math.min(nextMs, this.#names.nextMs)
  }
}

const isSame = (a: GivenAnswer, b: GivenAnswer): boolean =>
  JSON.stringify([[...a.grants].sort(), a.roles]) === JSON.stringify([[...b.grants].sort(), b.roles])

/** False when it rejects, or takes longer. */
async function within(answer: Promise<boolean>, timeMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>(resolve => {
    timer = setTimeout(resolve, Math.max(0, timeMs), false)
  })
  try {
    return await Promise.race([answer.catch(() => false), late])
  } finally {
    clearTimeout(timer)
  }
}
