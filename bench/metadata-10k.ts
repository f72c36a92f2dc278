// How long a Metadata response of 10 000 partitions takes to be rewritten and filtered: one broker list, a tenth of the topics hidden.

import { Operation } from '../src/policy/authorizer.ts'
import { Embedded } from '../src/policy/embedded.ts'
import { type Name, Names } from '../src/policy/names.ts'
import { setOf } from '../src/policy/operations.ts'
import type { Caller, Forward, ResponseEdit } from '../src/policy/outcome.ts'
import { metadataPlan } from '../src/policy/special/metadata.ts'
import { compileEncode } from '../src/protocol/encode.ts'
import { writeResponse } from '../src/protocol/header.ts'
import { Metadata } from '../src/protocol/messages/03-metadata.ts'
import { layoutOf } from '../src/protocol/schema.ts'
import { PRINCIPAL, policyOf } from './warm-check.ts'

const VERSION = 12
const TOPICS = 1000
const PARTITIONS = 10
const ROUNDS = 300

const topicId = (i: number) => (i + 1).toString(16).padStart(32, '0')

function theirs(): Buffer {
  const partitions = Array.from({ length: PARTITIONS }, (_, partitionIndex) => ({
    partitionIndex,
    leaderId: 1 + (partitionIndex % 3),
    leaderEpoch: 4,
    replicaNodes: [1, 2, 3],
    isrNodes: [1, 2, 3],
  }))
  const body = {
    brokers: [1, 2, 3].map(nodeId => ({ nodeId, host: `broker-${nodeId}.internal`, port: 9092 })),
    clusterId: 'bench',
    controllerId: 1,
    topics: Array.from({ length: TOPICS }, (_, i) => ({ name: `orders.region-${i}.created`, topicId: topicId(i), partitions })),
  }
  return Buffer.from(writeResponse({ apiKey: 3, correlationId: 1 }, true, compileEncode(layoutOf(Metadata, VERSION, 'response'))(body)))
}

/** Every tenth name is hidden, and nine hundred are granted one by one: the embedded engine, warm after the first round. */
function caller(): Caller {
  const names = new Names()
  const shown = Array.from({ length: TOPICS }, (_, i) => i).filter(i => i % 10 !== 0)
  const granted = shown.map(i => ({ text: `orders.region-${i}.created`, prefix: false }))
  const authorizer = new Embedded(policyOf(granted, setOf(Operation.Describe)), { names })
  const ids = new Map<Name, Buffer>()
  const nothing = () => {}
  return {
    rights: authorizer.rights(PRINCIPAL, { listener: 'bench', address: '127.0.0.1' }),
    names,
    acls: { bindings: () => [], learn: async () => {} },
    aclsNotChanged: () => {},
    cluster: {
      clusterId: null,
      autoCreates: () => true,
      topicsMoved: nothing,
      topicOf: () => undefined,
      learn: async () => {},
      topicsEpoch: 0,
      topicNames: () => [],
      hasTopic: () => false,
      idOf: name => ids.get(name) ?? null,
      learned: (id, name) => ids.set(name, id),
    },
    addresses: { get: nodeId => ({ host: 'gate.example.com', port: 19_000 + nodeId }), learn: async () => {} },
    nodeId: 1,
    state: new Map(),
    brokerState: new Map(),
    refused: nothing,
    hidden: nothing,
    undecided: nothing,
  }
}

function allTopics(): Buffer {
  // Header v2 without a client id, then null topics, no creation, no operations, no tags.
  const frame = Buffer.from([0, 0, 0, 0, 0, 3, 0, VERSION, 0, 0, 0, 1, 255, 255, 0, 0, 0, 0, 0])
  frame.writeInt32BE(frame.length - 4)
  return frame
}

/** Median microseconds of one response. @throws {Error} it came out wrong */
export function metadata10k(): number {
  const frame = theirs()
  const who = caller()
  const plan = metadataPlan(VERSION)
  const times: number[] = []
  for (let i = 0; i < ROUNDS; i++) {
    const copy = Buffer.from(frame)
    const edit = (plan.judge(allTopics(), who, false) as Forward).response as ResponseEdit
    const start = process.hrtime.bigint()
    const out = edit.whole([copy]) as Buffer
    times.push(Number(process.hrtime.bigint() - start) / 1000)
    if (out.includes('broker-') || out.includes('orders.region-10.created') || !out.includes('orders.region-11.created')) {
      throw new Error('hidden topics or broker addresses came through')
    }
  }
  return times.slice(ROUNDS / 3).sort((a, b) => a - b)[Math.floor(ROUNDS / 3)]!
}

if (import.meta.main) console.log(`metadata-10k: ${metadata10k().toFixed(0)} us`)
