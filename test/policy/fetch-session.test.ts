// Tables of Fetch topics, and what a session keeps.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FetchSession, TopicTable } from '../../src/policy/fetch-session.ts'

const key = (text: string) => Buffer.concat([Buffer.of(0, text.length), Buffer.from(text)])
const add = (table: TopicTable, text: string, errorCode = 0) => table.add(key(text), 0, 2, 2 + text.length, null, errorCode)
const find = (table: TopicTable, text: string) => table.find(Buffer.from(text), 0, text.length)

test('topics are found by their bytes, few or many, and removed ones are not', () => {
  const table = new TopicTable()
  const names = Array.from({ length: 100 }, (_, i) => `topic-${i}`)
  for (const name of names) {
    assert.equal(find(table, name), null)
    assert.equal(find(table, name), null)
    const topic = add(table, name)
    assert.equal(find(table, name), topic)
  }
  table.removeWhere(topic => topic.wireKey.at(-1) === 0x37)
  for (const name of names) assert.equal(find(table, name) === null, name.endsWith('7'))
  assert.equal(find(table, 'topic-'), null)
})

test('what a client asked of a partition last is kept, of partitions that need not be kept nothing', () => {
  const table = new TopicTable()
  const topic = add(table, 'a')
  assert.deepEqual([...topic.partitions], [])
  assert.equal(topic.put(4, Buffer.from('first'), 0, 5), 1)
  assert.equal(topic.put(4, Buffer.from('again'), 0, 5), 0)
  assert.equal(topic.put(4, Buffer.from('longer'), 0, 6), 0)
  assert.equal(topic.params.get(4)!.toString(), 'longer')
  assert.equal(add(table, 'b').params.size, 0)
})

test('after the greatest epoch comes 1, as in Kafka', () => {
  const session = new FetchSession(5, 12, new TopicTable())
  assert.equal(session.epoch, 1)
  session.epoch = 0x7fffffff
  session.advance()
  assert.equal(session.epoch, 1)
})

test('a topic that was forgotten is known until the last response that may bring it', () => {
  const table = new TopicTable()
  const topic = add(table, 'a')
  topic.put(0, Buffer.from('p'), 0, 1)
  const session = new FetchSession(5, 12, table)
  topic.params.delete(0)
  topic.unsend(2)
  session.emptied = true
  session.passed(1)
  assert.equal(find(table, 'a'), topic)
  session.passed(2)
  assert.equal(find(table, 'a'), null)
})
