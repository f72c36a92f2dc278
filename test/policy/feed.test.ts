// The feed of changes, from a store that is made to do what a real one does rarely: commit late, commit out of order, forget a token.

import assert from 'node:assert/strict'
import { type Mock, mock, test } from 'node:test'
import { Feed } from '../../src/policy/feed.ts'
import type { Tuple } from '../../src/policy/grant-tuples.ts'
import { tupleKey } from '../../src/policy/grant-tuples.ts'
import type { Change, StampedChange } from '../../src/policy/openfga-client.ts'
import { StoreState } from '../../src/policy/store-state.ts'

const START_MS = Date.parse('2026-11-01T12:00:00Z')
const covers = { user: 'grant:main/g#holder', relation: 'read', object: 'topic:main/orders' }
const reader = { user: 'user:corp/lena', relation: 'reader', object: 'topic:main/orders' }

/** A changelog as OpenFGA keeps it: in the order of ids that are minted before the commit; a token is the id that was read last. */
class Changelog {
  readonly #log: { readonly id: number; readonly change: StampedChange }[] = []
  readonly #stored = new Map<string, Tuple>()
  fault: Error | null = null
  /** Tokens minted before were of another store. */
  era = 0
  reads = 0

  /** @param mintedMs when its id was minted: it sorts there */
  commit(tuple: Tuple, { deleted = false, mintedMs = Date.now() } = {}): void {
    if (deleted) this.#stored.delete(tupleKey(tuple))
    else this.#stored.set(tupleKey(tuple), tuple)
    this.#log.push({ id: mintedMs, change: { tuple, deleted, at: new Date(mintedMs).toISOString() } })
    this.#log.sort((a, b) => a.id - b.id)
  }

  async changes(from: { readonly token: string } | { readonly sinceMs: number }) {
    if (this.fault !== null) throw this.fault
    const [era, id] = 'token' in from ? from.token.split(' ').map(Number) : [this.era, from.sinceMs - 1]
    if (era !== this.era) throw new Error('invalid continuation token')
    const found = this.#log.filter(one => one.id > id!)
    const last = found.at(-1)?.id ?? ('token' in from ? id : undefined)
    return { changes: found.map(({ change }) => change), token: last === undefined ? null : `${this.era} ${last}` }
  }

  async read({ user, relation, object }: Partial<Tuple>): Promise<Tuple[]> {
    this.reads++
    const stored = this.#stored.get(tupleKey({ user, relation, object } as Tuple))
    return stored === undefined ? [] : [stored]
  }
}

interface Followed {
  readonly log: Changelog
  readonly feed: Feed
  readonly state: StoreState
  readonly taken: Mock<(changes: readonly Change[]) => void>
  /** Lets time pass, with all that is due meanwhile. */
  pass(ms: number): Promise<void>
}

/** Follows a changelog on a clock that stands still unless it is told to go on. */
async function following(work: (followed: Followed) => Promise<void>): Promise<void> {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: START_MS })
  const log = new Changelog()
  const state = new StoreState('main')
  const taken = mock.fn((changes: readonly Change[]) => void state.apply(changes))
  const feed = new Feed(log, async changes => taken(changes))
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 50) {
      mock.timers.tick(50)
      await new Promise(resolve => setImmediate(resolve))
    }
  }
  try {
    await feed.start()
    await work({ log, feed, state, taken, pass })
  } finally {
    feed.stop()
    mock.timers.reset()
  }
}

const grants = (state: StoreState): number => state.snapshot('auto').coverage.length
const asText = (changes: readonly Change[]): string[] => changes.map(({ tuple, deleted }) => `${deleted ? '-' : '+'}${tuple.relation}`)

test('what is changed is known within a second, and once', () =>
  following(async ({ log, state, taken, pass }) => {
    log.commit(covers)
    await pass(1_000)
    assert.equal(grants(state), 1)
    log.commit(covers, { deleted: true })
    await pass(1_000)
    assert.equal(grants(state), 0)
    await pass(5_000)
    assert.deepEqual(
      taken.mock.calls.map(({ arguments: [changes] }) => asText(changes)),
      [['+read'], ['-read']],
    )
  }))

test('what was committed late, before what was read already, is found within 15 seconds', () =>
  following(async ({ log, state, taken, pass }) => {
    log.commit(covers)
    await pass(20_000)
    log.commit(reader)
    await pass(1_000)
    log.commit(covers, { deleted: true, mintedMs: Date.now() - 4_000 })
    await pass(2_000)
    assert.equal(grants(state), 1)
    await pass(13_000)
    assert.equal(grants(state), 0)
    const calls = taken.mock.callCount()
    await pass(60_000)
    assert.equal(taken.mock.callCount(), calls)
  }))

test('when a tuple was taken away by a node whose clock is behind, the store is asked whether it stands', () =>
  following(async ({ log, state, pass }) => {
    await pass(1_000)
    log.commit(covers)
    log.commit(covers, { deleted: true, mintedMs: Date.now() - 200 })
    await pass(1_000)
    assert.equal(grants(state), 1)
    await pass(13_000)
    assert.equal(grants(state), 0)
    await pass(60_000)
    assert.equal(grants(state), 0)
    assert.ok(log.reads <= 2, `${log.reads} were looked up`)
  }))

test('very many tuples whose order is doubtful do not hold up what is taken away', () =>
  following(async ({ log, state, pass }) => {
    const many = Array.from({ length: 400 }, (_, i) => ({ ...reader, user: `user:corp/u${i}` }))
    log.commit(covers)
    await pass(1_000)
    for (const tuple of many) log.commit(tuple)
    for (const tuple of many) log.commit(tuple, { deleted: true, mintedMs: Date.now() - 200 })
    while (log.reads === 0) await pass(50)
    log.commit(covers, { deleted: true })
    await pass(1_000)
    assert.equal(grants(state), 0)
    assert.ok(log.reads < many.length)
    await pass(20_000)
    assert.equal(state.size, 0)
  }))

test('a feed that has been silent for five seconds is not relied on, and misses nothing of what came meanwhile', () =>
  following(async ({ log, feed, state, pass }) => {
    log.commit(covers)
    await pass(1_000)
    log.fault = new Error('it does not answer')
    await pass(3_500)
    assert.ok(feed.healthy)
    await pass(2_500)
    assert.ok(!feed.healthy)
    assert.ok(feed.lagMs >= 5_000)
    log.commit(reader)
    log.commit(covers, { deleted: true, mintedMs: START_MS + 500 })
    await pass(120_000)
    log.fault = null
    await pass(3_000)
    assert.ok(feed.healthy)
    assert.deepEqual([grants(state), state.size], [0, 1])
  }))

test('a token that the store no longer knows is not the end', () =>
  following(async ({ log, feed, state, pass }) => {
    log.commit(covers)
    await pass(1_000)
    log.era++
    log.commit(covers, { deleted: true })
    await pass(2_000)
    assert.equal(grants(state), 0)
    assert.ok(feed.healthy)
  }))
