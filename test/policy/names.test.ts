// Names: one object for equal bytes, whatever the bytes.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Resource } from '../../src/policy/authorizer.ts'
import { Names } from '../../src/policy/names.ts'

const bytes = fc.uint8Array({ maxLength: 12 }).map(list => Buffer.from(list))
const resource = fc.constantFrom(...Object.values(Resource))

test('names are one object exactly when kind and bytes are equal, wherever they lie', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(resource, bytes), { maxLength: 60 }), fc.nat(5), (list, before) => {
      const names = new Names()
      const known = new Map<string, object>()
      for (const [kind, name] of [...list, ...list]) {
        const around = Buffer.concat([Buffer.alloc(before, 7), name, Buffer.from('after')])
        const entry = names.of(kind, around, before, before + name.length)
        const key = `${kind} ${name.toString('hex')}`
        around.fill(0)

        assert.equal(known.get(key) ?? entry, entry)
        assert.deepEqual([entry.resource, entry.bytes.toString('hex'), entry.text], [kind, name.toString('hex'), name.toString()])
        known.set(key, entry)
      }
      assert.equal(names.size, known.size)
    }),
    { numRuns: 500 },
  )
})

test('a full table is emptied and its generation moves; a name from before is found again by its bytes', () => {
  const names = new Names(3)
  const first = names.text(Resource.Topic, 'orders')
  for (const text of ['a', 'b', 'c']) names.text(Resource.Topic, text)

  assert.equal(names.generation, 1)
  assert.notEqual(names.current(first), first)
  assert.deepEqual([names.current(first).text, names.current(first).generation, names.current(first).slot], ['orders', 1, 1])
})

test('names longer than a slab, and more names than buckets, are kept whole', () => {
  const names = new Names()
  const long = names.text(Resource.Group, 'x'.repeat(200_000))
  const many = Array.from({ length: 20_000 }, (_, i) => names.text(Resource.Topic, `topic-${i}`))

  assert.equal(long.text.length, 200_000)
  assert.deepEqual(
    many.filter((name, i) => names.text(Resource.Topic, `topic-${i}`) !== name || name.text !== `topic-${i}`),
    [],
  )
})
