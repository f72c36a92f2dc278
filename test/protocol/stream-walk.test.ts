// The resumable walk: cut anywhere, it finds and refuses what the whole walk does.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compileEncode } from '../../src/protocol/codec.ts'
import { layoutOf } from '../../src/protocol/schema.ts'
import { compileStream, StreamWalk } from '../../src/protocol/stream-walk.ts'
import { compileWalk, walkWhole } from '../../src/protocol/walk.ts'
import { MalformedError } from '../../src/protocol/wire.ts'
import { goldenLines } from './golden.ts'
import { apiNamed, streamMarks } from './marks.ts'
import { randomMessage, seeded } from './random.ts'

const random = seeded(7)
/** Each message as Java wrote it, and one with all its lists filled. */
const forms = goldenLines().flatMap(g => {
  const layout = layoutOf(apiNamed(g.api), g.version, g.side)
  const marks = streamMarks(layout)
  const full = compileEncode(layout)(randomMessage(layout, random))
  return [g.bytes, full].map(bytes => ({ ...g, bytes, walk: compileWalk(layout, marks), program: compileStream(layout, marks) }))
})

/** What either walk reports, or 'malformed'. */
const whole = (form: (typeof forms)[number], bytes: Buffer): string[] | 'malformed' => {
  const seen: string[] = []
  try {
    walkWhole(form.walk, bytes, 0, (mark, b, start, end) =>
      seen.push(start < 0 ? `${mark} null` : `${mark} ${start} ${b.toString('hex', start, end)}`),
    )
  } catch (e) {
    if (e instanceof MalformedError) return 'malformed'
    throw e
  }
  return seen
}
const inPieces = (form: (typeof forms)[number], bytes: Buffer, cuts: readonly number[]): string[] | 'malformed' => {
  const seen: string[] = []
  const stream = new StreamWalk(form.program, (mark, b, start, end, at) => {
    seen.push(start < 0 ? `${mark} null` : `${mark} ${at} ${b.toString('hex', start, end)}`)
  })
  stream.start(bytes.length)
  try {
    let from = 0
    for (const cut of [...cuts, bytes.length]) {
      if (cut < from) continue
      // Each piece in memory of its own, wiped afterwards: nothing may rest on it.
      const piece = Buffer.from(bytes.subarray(from, cut))
      assert.equal(stream.push(piece, 0, piece.length), piece.length)
      piece.fill(0xee)
      from = cut
    }
  } catch (e) {
    if (e instanceof MalformedError) return 'malformed'
    throw e
  }
  return stream.done ? seen : 'malformed'
}

test('a message cut after every byte gives the marks of the whole message', () => {
  for (const form of forms) {
    const everywhere = Array.from(form.bytes.keys())
    assert.deepEqual(inPieces(form, form.bytes, everywhere), whole(form, form.bytes), `${form.api} ${form.side} v${form.version}`)
    assert.deepEqual(inPieces(form, form.bytes, []), whole(form, form.bytes))
  }
})

test('cut anywhere and changed anywhere, a stream accepts and reports what the whole walk does', () => {
  const flips = fc.array(fc.tuple(fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 127, 128, 255))), { maxLength: 3 })
  fc.assert(
    fc.property(fc.nat(forms.length - 1), flips, fc.array(fc.nat(), { maxLength: 6 }), (which, changes, cuts) => {
      const form = forms[which]!
      const bytes = Buffer.from(form.bytes)
      for (const [at, to] of changes) if (bytes.length > 0) bytes[at % bytes.length] = to
      const places = cuts.map(c => c % (bytes.length + 1)).sort((a, b) => a - b)
      assert.deepEqual(inPieces(form, bytes, places), whole(form, bytes))
    }),
    { numRuns: 20_000 },
  )
})

test('bytes behind the message are not taken', () => {
  const form = forms.find(f => f.api === 'Fetch' && f.side === 'response')!
  const stream = new StreamWalk(form.program, () => {})
  stream.start(form.bytes.length)
  const more = Buffer.concat([form.bytes, Buffer.from([1, 2, 3])])
  assert.equal(stream.push(more, 0, more.length), form.bytes.length)
  assert.equal(stream.done, true)
  assert.equal(stream.push(more, form.bytes.length, more.length), 0)
})

test('marks that need the whole message are refused when the program is made', () => {
  const layout = layoutOf(apiNamed('Fetch'), 12, 'response')
  for (const path of ['responses[]', '#tags', 'responses.partitions.records', 'responses.partitions.currentLeader'])
    assert.throws(() => compileStream(layout, new Map([[path, 0]])), TypeError, path)
})
