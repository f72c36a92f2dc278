// Kafka's own classes judge the walk: what Java refuses is never accepted, and never other names are read.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileDecode, compileEncode, decodeWhole } from '../../src/protocol/codec.ts'
import { ERROR_MESSAGE, ErrorCode } from '../../src/protocol/error-codes.ts'
import { isTransactional } from '../../src/protocol/record-batch.ts'
import { type Layout, layoutOf } from '../../src/protocol/schema.ts'
import { compileStream, StreamWalk } from '../../src/protocol/stream-walk.ts'
import { compileWalk, unmarked, type Visit, type Walk, walkWhole } from '../../src/protocol/walk.ts'
import { MalformedError } from '../../src/protocol/wire.ts'
import { goldenLines } from '../protocol/golden.ts'
import { toKafkaJson } from '../protocol/kafka-json.ts'
import { allApis, apiNamed } from '../protocol/marks.ts'
import { mutated } from '../protocol/mutate.ts'
import { randomMessage, seeded } from '../protocol/random.ts'
import { ask, readAnswer } from './oracle.ts'

const seed = Number(process.env['ORACLE_SEED'] ?? Date.now() % 2 ** 32)
const ROUNDS = Number(process.env['ORACLE_ROUNDS'] ?? 80)

interface Case {
  readonly what: string
  readonly layout: Layout
  readonly bytes: Buffer
  readonly question: string
}
function caseOf(api: string, side: 'request' | 'response', version: number, layout: Layout, bytes: Buffer): Case {
  const name = `${api}${side === 'request' ? 'Request' : 'Response'}`
  return {
    what: `${name} v${version} ${bytes.toString('hex')}, seed ${seed}`,
    layout,
    bytes,
    question: `message ${name} ${version} ${bytes.toString('hex')}`,
  }
}

/** undefined: malformed. */
function tried<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (e) {
    if (e instanceof MalformedError) return undefined
    throw e
  }
}

/** Strings and uuids in line, in wire order, as the walk finds them. (No tagged field names a resource; Java leaves them out when default.) */
function namesOf(layout: Layout, marks = new Map<string, number>(), path = ''): Map<string, number> {
  for (const s of layout.slots) {
    if (s.tag >= 0) continue
    const here = path + s.name
    const of = s.of
    if (s.type === 'string' || s.type === 'uuid') marks.set(here, s.type === 'uuid' ? 1 : 0)
    else if (of !== null && 'slots' in of) namesOf(of, marks, `${here}.`)
    else if (of !== null && s.type === 'list' && (of as { type: string }).type === 'string') marks.set(`${here}[]`, 0)
  }
  return marks
}
const textOf = (mark: number, b: Buffer, start: number, end: number): string | null =>
  start < 0 ? null : mark === 1 ? b.toString('base64url', start, end) : b.utf8Slice(start, end)

function walkedNames(walk: Walk, bytes: Buffer): (string | null)[] | undefined {
  const names: (string | null)[] = []
  const visit: Visit = (mark, b, start, end) => void names.push(textOf(mark, b, start, end))
  return tried(() => {
    walkWhole(walk, bytes, 0, visit)
    return names
  })
}

/** The same names as Java read them. */
function javaNames(layout: Layout, json: any, names: (string | null)[] = []): (string | null)[] {
  for (const s of layout.slots) {
    const value = json[s.name]
    const of = s.of
    if (s.tag >= 0) continue
    if (s.type === 'string' || s.type === 'uuid') names.push(value)
    else if (of !== null && value !== null && 'slots' in of) for (const e of s.type === 'list' ? value : [value]) javaNames(of, e, names)
    else if (s.type === 'list' && value !== null && (of as { type: string }).type === 'string') names.push(...value)
  }
  return names
}

/** How many messages both accept. Fails on the first that we accept and Java does not, or read otherwise. */
async function compare(cases: readonly Case[]): Promise<{ accepted: number; refused: number; stricter: number }> {
  const counts = { accepted: 0, refused: 0, stricter: 0 }
  const forms = new Map<Layout, { marked: Walk; plain: Walk; stream: StreamWalk; decode: (b: Buffer) => any }>()
  const answers = await ask(cases.map(c => c.question))
  for (const [i, { what, layout, bytes }] of cases.entries()) {
    let form = forms.get(layout)
    if (form === undefined) {
      const decode = compileDecode(layout)
      form = {
        marked: compileWalk(layout, namesOf(layout)),
        plain: compileWalk(layout, new Map()),
        stream: new StreamWalk(compileStream(layout, new Map()), () => {}),
        decode: b => decodeWhole(decode, b, 0),
      }
      forms.set(layout, form)
    }
    const { marked, plain, stream, decode } = form
    const java = readAnswer(answers[i]!)
    const walked = tried(() => (walkWhole(plain, bytes, 0, unmarked), true)) ?? false
    const value = tried(() => decode(bytes))
    const names = walkedNames(marked, bytes)
    const streamed = tried(() => (stream.start(bytes.length), stream.push(bytes, 0, bytes.length), stream.done)) ?? false
    if (value === undefined && walked)
      assert.ok(
        bytes.some(x => x > 127),
        `walk and decode disagree: ${what}`,
      )
    else assert.equal(value !== undefined, walked, `walk and decode disagree: ${what}`)
    assert.equal(streamed, walked, `walk and stream disagree: ${what}`)
    if (java === null) {
      assert.equal(walked || names !== undefined, false, `accepted, but Java says ${answers[i]}: ${what}`)
      counts.refused++
    } else if (value === undefined) counts.stricter++
    else {
      assert.deepEqual(toKafkaJson(layout, value), java.json, what)
      assert.deepEqual(names, javaNames(layout, java.json), what)
      counts.accepted++
    }
  }
  return counts
}

test('messages made at random are the same to Kafka: accepted, read alike, written to the same bytes', async () => {
  const random = seeded(seed)
  const cases: (Case & { value: any })[] = []
  for (const api of allApis)
    for (let v = api.versions.min; v <= api.versions.max; v++)
      for (const side of ['request', 'response'] as const) {
        const layout = layoutOf(api, v, side)
        for (let i = 0; i < 6; i++) {
          const value = randomMessage(layout, random)
          cases.push({ ...caseOf(api.name, side, v, layout, compileEncode(layout)(value)), value })
        }
      }
  const answers = await ask(cases.map(c => c.question))
  for (const [i, c] of cases.entries()) {
    const java = readAnswer(answers[i]!)
    assert.ok(java, `${answers[i]} for ${c.what}`)
    assert.equal(java.bytes.toString('hex'), c.bytes.toString('hex'), c.what)
  }
})

test('broken requests: nothing is accepted that Kafka refuses, nothing is named otherwise', async t => {
  const random = seeded(seed)
  const cases: Case[] = []
  let changed = 0
  for (const g of goldenLines().filter(g => g.side === 'request')) {
    const layout = layoutOf(apiNamed(g.api), g.version, g.side)
    const encode = compileEncode(layout)
    for (let i = 0; i < ROUNDS; i++) {
      const whole = random(5) === 0 ? g.bytes : encode(randomMessage(layout, random))
      const bytes = mutated(whole, random)
      if (!bytes.equals(whole)) changed++
      cases.push(caseOf(g.api, g.side, g.version, layout, bytes))
    }
  }
  assert.ok(changed >= 20_000, `${changed} of ${cases.length} were changed`)
  const { accepted, refused, stricter } = await compare(cases)
  assert.ok(refused > 1_000, `${refused} were refused`)
  t.diagnostic(
    `seed ${seed}: ${changed} of ${cases.length} requests changed, ${accepted} accepted by both, ${refused} by neither, ${stricter} by Kafka only`,
  )
})

test('broken responses: nothing is accepted that Kafka refuses, nothing is read otherwise', async t => {
  const random = seeded(seed + 1)
  const cases: Case[] = []
  for (const g of goldenLines().filter(g => g.side === 'response')) {
    const layout = layoutOf(apiNamed(g.api), g.version, g.side)
    const encode = compileEncode(layout)
    for (let i = 0; i < ROUNDS / 4; i++)
      cases.push(caseOf(g.api, g.side, g.version, layout, mutated(encode(randomMessage(layout, random)), random)))
  }
  const { accepted, refused, stricter } = await compare(cases)
  t.diagnostic(`seed ${seed}: ${cases.length} responses, ${accepted} accepted by both, ${refused} by neither, ${stricter} by Kafka only`)
})

test('Kafka agrees which records are transactional', async () => {
  const random = seeded(seed + 2)
  const batches = Array.from({ length: 3000 }, () => {
    const records = Buffer.alloc(61 + random(20))
    records.writeInt32BE(records.length - 12, 8)
    records[16] = 2
    records.writeInt16BE([0x10, 0, 0x11, 0x30, 0x08][random(5)]!, 21)
    return random(4) === 0 ? records : mutated(records, random)
  })
  const answers = await ask(batches.map(b => `records ${b.toString('hex')}`))
  for (const [i, b] of batches.entries())
    assert.equal(isTransactional(b, 0, b.length), answers[i] === 'true', `${answers[i]} for ${b.toString('hex')}, seed ${seed}`)
})

test('errors have the names, codes and texts of Kafka', async () => {
  const [answer] = await ask(['errors'])
  const java = answer!
    .split('\t')
    .filter(Boolean)
    .map(e => e.split('='))
  assert.deepEqual(ErrorCode, Object.fromEntries(java.map(([name, code]) => [name, Number(code)])))
  const texts = new Map(java.map(([name, , text]) => [name, text]))
  for (const [name, text] of Object.entries(ERROR_MESSAGE)) assert.equal(text, texts.get(name))
})
