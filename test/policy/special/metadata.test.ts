// Metadata at every version: by name, by id, all; creation by asking; addresses and hidden topics.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Answer, type Forward, type Outcome, type ResponseEdit, UndecidedError } from '../../../src/policy/outcome.ts'
import { metadataPlan } from '../../../src/policy/special/metadata.ts'
import { Metadata } from '../../../src/protocol/messages/03-metadata.ts'
import { FakeCaller } from './caller.ts'
import { frames } from './frames.ts'

const OMITTED = -2147483648
const ALL_TOPIC_OPERATIONS = 3576
const ZERO = '0'.repeat(32)
const idOf = (name: string) => name.charCodeAt(0).toString(16).repeat(16)
const versions = Array.from({ length: 14 }, (_, i) => i)

interface Ask {
  names?: string[] | null
  ids?: string[]
  create?: boolean
  operations?: boolean
}
function request(version: number, { names, ids, create = false, operations = false }: Ask): Buffer {
  const topics =
    ids !== undefined
      ? ids.map(topicId => ({ topicId, name: null }))
      : (names?.map(name => (version >= 10 ? { topicId: ZERO, name } : { name })) ?? null)
  return frames(Metadata, version).request({
    topics: topics === null && version === 0 ? [] : topics,
    ...(version >= 4 ? { allowAutoTopicCreation: create } : {}),
    ...(version >= 8 ? { includeTopicAuthorizedOperations: operations } : {}),
    ...(version >= 8 && version <= 10 ? { includeClusterAuthorizedOperations: operations } : {}),
  })
}

type Entry = [name: string | null, errorCode: number, more?: object]
function response(version: number, entries: Entry[], { operations = OMITTED, brokers = [1, 2], clusterOperations = OMITTED } = {}): Buffer {
  return frames(Metadata, version).response({
    brokers: brokers.map(nodeId => ({
      nodeId,
      host: `broker-${nodeId}`,
      port: 9092,
      ...(version >= 1 ? { rack: nodeId === 2 ? 'r' : null } : {}),
    })),
    ...(version >= 1 ? { controllerId: 1 } : {}),
    ...(version >= 2 ? { clusterId: 'c' } : {}),
    topics: entries.map(([name, errorCode, more]) => ({
      errorCode,
      name,
      ...(version >= 10 ? { topicId: errorCode === 0 ? idOf(name!) : ZERO } : {}),
      partitions: errorCode === 0 ? [{ errorCode: 0, partitionIndex: 0, leaderId: 1, replicaNodes: [1, 2], isrNodes: [1] }] : [],
      ...(version >= 8 ? { topicAuthorizedOperations: operations } : {}),
      ...more,
    })),
    ...(version >= 8 && version <= 10 ? { clusterAuthorizedOperations: clusterOperations } : {}),
  })
}

function callerOf(...allowed: string[]) {
  const caller = new FakeCaller()
  caller.rights.allow(...allowed)
  for (const nodeId of [1, 2]) caller.nodes.set(nodeId, { host: 'gate.example', port: 19_000 + nodeId })
  return caller
}
const edited = (outcome: Outcome, ...theirs: Buffer[]) => ((outcome as Forward).response as ResponseEdit).whole(theirs)
const told = (body: any): Entry[] => body.topics.map((t: any) => [t.name, t.errorCode])

for (const version of versions) {
  const io = frames(Metadata, version)

  test(`v${version}: names that may be described go on as they came; brokers have our addresses`, async () => {
    const caller = callerOf('Describe topic:a', 'Create topic:a')
    const outcome = metadataPlan(version).judge(request(version, { names: ['a'] }), caller, false) as Forward
    assert.equal(outcome.frames, null)
    const answer = io.readResponse(await edited(outcome, response(version, [['a', 0]])))
    const address = (nodeId: number) => ({
      nodeId,
      host: 'gate.example',
      port: 19_000 + nodeId,
      ...(version >= 1 ? { rack: nodeId === 2 ? 'r' : null } : {}),
    })
    assert.deepEqual(answer.brokers, [address(1), address(2)])
    assert.deepEqual(told(answer), [['a', 0]])
    assert.deepEqual(answer.topics[0].partitions[0].replicaNodes, [1, 2])
    assert.deepEqual([...caller.learntIds], version >= 10 ? [[idOf('a'), 'a']] : [])
  })

  test(`v${version}: a refused name never reaches the broker, and is told nothing of itself`, async () => {
    const caller = callerOf('Describe topic:a', 'Create topic:a')
    const outcome = metadataPlan(version).judge(request(version, { names: ['b', 'a', 'b'] }), caller, false) as Forward
    assert.deepEqual(
      io.readRequest(outcome.frames![0]!).topics.map((t: any) => t.name),
      ['a'],
    )
    const answer = io.readResponse(await edited(outcome, response(version, [['a', 0]])))
    assert.deepEqual(told(answer).sort(), [
      ['a', 0],
      ['b', 29],
    ])
    const b = answer.topics.find((t: any) => t.name === 'b')
    assert.deepEqual(
      [b.partitions, b.topicId ?? ZERO, b.isInternal ?? false, b.topicAuthorizedOperations ?? OMITTED],
      [[], ZERO, false, OMITTED],
    )
    assert.deepEqual(caller.told, ['refused Describe topic:b 29'])
  })

  test(`v${version}: when no name is left the brokers are still told, and no topic`, async () => {
    const upstream = version === 0 ? 4 : version
    const outcome = metadataPlan(version).judge(request(version, { names: ['b'] }), callerOf(), false) as Forward
    assert.deepEqual(frames(Metadata, upstream).readRequest(outcome.frames![0]!).topics, [])
    const answer = io.readResponse(await edited(outcome, response(upstream, [])))
    assert.deepEqual(told(answer), [['b', 29]])
    assert.equal(answer.brokers.length, 2)
  })

  test(`v${version}: of all topics those that may not be described are hidden`, async () => {
    const caller = callerOf('Describe topic:a', 'Describe topic:c', 'Describe topic:d')
    const outcome = metadataPlan(version).judge(request(version, { names: null }), caller, false) as Forward
    assert.equal(outcome.frames, null)
    const answer = io.readResponse(
      await edited(
        outcome,
        response(version, [
          ['a', 0],
          ['b', 0],
          ['c', 0],
          ['d', 0],
          ['e', 0],
        ]),
      ),
    )
    assert.deepEqual(told(answer), [
      ['a', 0],
      ['c', 0],
      ['d', 0],
    ])
    assert.deepEqual(caller.told, ['hidden Describe topic:b', 'hidden Describe topic:e'])
  })

  test(`v${version}: a name without CREATE is asked for so that nothing is created, and told so if it is not there`, async () => {
    const upstream = Math.max(version, 4)
    const caller = callerOf('Describe topic:a', 'Describe topic:b')
    const outcome = metadataPlan(version).judge(request(version, { names: ['a', 'b'], create: true }), caller, false) as Forward
    assert.equal(outcome.frames!.length, 1)
    const sent = frames(Metadata, upstream).readRequest(outcome.frames![0]!)
    assert.deepEqual([sent.topics.map((t: any) => t.name), sent.allowAutoTopicCreation], [['a', 'b'], false])
    const answer = io.readResponse(
      await edited(
        outcome,
        response(upstream, [
          ['a', 0],
          ['b', 3],
        ]),
      ),
    )
    assert.deepEqual(told(answer), [
      ['a', 0],
      ['b', 29],
    ])
    assert.deepEqual(caller.told, ['refused Create topic:b 29'])
  })

  test(`v${version}: names with and without CREATE go in two requests and come back in one answer`, async () => {
    const upstream = Math.max(version, 4)
    const caller = callerOf('Describe topic:a', 'Create topic:a', 'Describe topic:b')
    const outcome = metadataPlan(version).judge(request(version, { names: ['b', 'a', 'x'], create: true }), caller, false) as Forward
    const sent = outcome.frames!.map(f => frames(Metadata, upstream).readRequest(f))
    assert.deepEqual(
      sent.map(s => [s.topics.map((t: any) => t.name), s.allowAutoTopicCreation]),
      [
        [['a'], true],
        [['b'], false],
      ],
    )
    assert.equal((outcome.response as ResponseEdit).frames, 2)
    const answer = io.readResponse(await edited(outcome, response(upstream, [['a', 3]]), response(upstream, [['b', 17]])))
    assert.deepEqual(told(answer).sort(), [
      ['a', 3],
      ['b', 29],
      ['x', 29],
    ])
    assert.equal(answer.brokers.length, 2)
  })

  test(`v${version}: a broker that this listener does not know is waited for, or left out`, async () => {
    const caller = callerOf('Describe topic:a', 'Create topic:a')
    caller.learnableNodes.set(3, { host: 'gate.example', port: 19_003 })
    const outcome = metadataPlan(version).judge(request(version, { names: ['a'] }), caller, false)
    const answer = io.readResponse(await edited(outcome, response(version, [['a', 0]], { brokers: [1, 3, 4] })))
    assert.deepEqual(
      answer.brokers.map((b: any) => [b.nodeId, b.port]),
      [
        [1, 19_001],
        [3, 19_003],
      ],
    )
  })

  test(`v${version}: what cannot be decided is told to come again; among all topics it ends the connection`, async () => {
    const caller = callerOf('Describe topic:a', 'Create topic:a')
    caller.rights.unknown.add('Describe topic:b')
    caller.rights.undecided.add('Describe topic:b')
    const frame = request(version, { names: ['a', 'b'] })
    const wait = metadataPlan(version).judge(frame, caller, false)
    assert.equal(wait.kind, 'wait')
    if (wait.kind === 'wait') await wait.ready
    const outcome = metadataPlan(version).judge(frame, caller, true)
    assert.deepEqual(told(io.readResponse(await edited(outcome, response(version, [['a', 0]])))).sort(), [
      ['a', 0],
      ['b', 5],
    ])
    assert.deepEqual(caller.told, ['undecided Describe topic:b'])
    const all = metadataPlan(version).judge(request(version, { names: null }), caller, false)
    await assert.rejects(
      async () =>
        edited(
          all,
          response(version, [
            ['a', 0],
            ['b', 0],
          ]),
        ),
      UndecidedError,
    )
  })

  test(`v${version}: a name that becomes known while all topics are told of is judged then`, async () => {
    const caller = callerOf('Describe topic:a', 'Describe topic:b')
    caller.rights.unknown.add('Describe topic:b')
    const all = metadataPlan(version).judge(request(version, { names: null }), caller, false)
    const theirs = response(version, [
      ['a', 0],
      ['b', 0],
      ['c', 0],
    ])
    const answer = edited(all, theirs)
    theirs.fill(0xee)
    assert.deepEqual(told(io.readResponse(await answer)), [
      ['a', 0],
      ['b', 0],
    ])
  })
}

for (const version of [8, 9, 10, 11, 12, 13]) {
  test(`v${version}: authorized operations are the caller's, not the gate's`, async () => {
    const caller = callerOf('Describe topic:a', 'Read topic:a', 'Describe topic:b', 'Describe cluster:kafka-cluster')
    const outcome = metadataPlan(version).judge(request(version, { names: ['a', 'b', 'x'], operations: true }), caller, false)
    const theirs = response(
      version,
      [
        ['a', 0],
        ['b', 3],
      ],
      { operations: ALL_TOPIC_OPERATIONS, clusterOperations: 8096 },
    )
    const answer = frames(Metadata, version).readResponse(await edited(outcome, theirs))
    const operations = Object.fromEntries(answer.topics.map((t: any) => [t.name, t.topicAuthorizedOperations]))
    assert.deepEqual(operations, { a: (1 << 8) | (1 << 3), b: 1 << 8, x: OMITTED })
    if (version <= 10) assert.equal(answer.clusterAuthorizedOperations, 1 << 8)
  })
}

for (const version of [8, 10]) {
  test(`v${version}: without DESCRIBE on the cluster its operations are none`, async () => {
    const outcome = metadataPlan(version).judge(request(version, { names: ['a'], operations: true }), callerOf('Describe topic:a'), false)
    const theirs = response(version, [['a', 0]], { operations: ALL_TOPIC_OPERATIONS, clusterOperations: 8096 })
    assert.equal(frames(Metadata, version).readResponse(await edited(outcome, theirs)).clusterAuthorizedOperations, 0)
  })
}

for (const version of [10, 11]) {
  test(`v${version}: ids and null names are not for this version`, () => {
    for (const topic of [
      { topicId: idOf('a'), name: 'a' },
      { topicId: ZERO, name: null },
    ]) {
      const frame = frames(Metadata, version).request({ topics: [topic], allowAutoTopicCreation: false })
      const answer = frames(Metadata, version).readResponse((metadataPlan(version).judge(frame, callerOf(), false) as Answer).frame!)
      assert.deepEqual(
        answer.topics.map((t: any) => [t.name, t.topicId, t.errorCode]),
        [[topic.name ?? '', topic.topicId, 42]],
      )
    }
  })
}

for (const version of [12, 13]) {
  test(`v${version}: a topic asked for by id is refused by id, without its name`, async () => {
    const caller = callerOf('Describe topic:a')
    const outcome = metadataPlan(version).judge(request(version, { ids: [idOf('a'), idOf('b'), idOf('x')] }), caller, false) as Forward
    assert.equal(outcome.frames, null)
    const unknown: Entry = [null, 100, { topicId: idOf('x') }]
    const answer = frames(Metadata, version).readResponse(await edited(outcome, response(version, [unknown, ['a', 0], ['b', 0]])))
    const entries = answer.topics.map((t: any) => [t.name, t.topicId, t.errorCode, t.partitions.length])
    assert.deepEqual(entries, [
      [null, idOf('x'), 100, 0],
      ['a', idOf('a'), 0, 1],
      [null, idOf('b'), 29, 0],
    ])
    assert.deepEqual(caller.told, ['refused Describe topic:b 29'])
  })
}
