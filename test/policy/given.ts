// What tests of plans are given: a caller who holds a list of rights, and frames as clients and brokers send them.

import assert from 'node:assert/strict'
import type { Principal } from '../../src/auth/principal.ts'
import type { AclBinding, AclView } from '../../src/policy/acl-bindings.ts'
import { Operation, Resource, type Rights, Verdict } from '../../src/policy/authorizer.ts'
import { type Name, Names } from '../../src/policy/names.ts'
import type { AddressView, Caller, ClusterView, Forward, Outcome, ResponseEdit } from '../../src/policy/outcome.ts'
import { planFor } from '../../src/policy/plan.ts'
import { compileDecode, compileEncode, decodeWhole } from '../../src/protocol/codec.ts'
import { requestBodyAt, responseBodyAt } from '../../src/protocol/header.ts'
import { type Api, layoutOf, within } from '../../src/protocol/schema.ts'

const OPERATION = Object.fromEntries(Object.entries(Operation).map(([word, code]) => [code, word]))
const RESOURCE = Object.fromEntries(Object.entries(Resource).map(([word, code]) => [code, word]))

/** `Read Topic:orders` */
const right = (operation: number, name: Name) => `${OPERATION[operation]} ${RESOURCE[name.resource]}:${name.text}`

export interface World {
  /** Rights held, such as `Read Topic:orders`. */
  allow?: readonly string[]
  /** Rights that are known only once they have been asked for; held if they stand in `allow` too. */
  later?: readonly string[]
  /** Rights that nobody answers for. */
  undecided?: readonly string[]
  /** Rights that a rule takes away, whatever is granted. */
  denied?: readonly string[]
  /** Topic ids, 32 hex digits. */
  topics?: Readonly<Record<string, string>>
  /** Ids, and names, that are known only after `learn`. */
  learnt?: readonly string[]
  /** Ids, and names, that nobody can ask for. */
  unreachable?: readonly string[]
  nodes?: Readonly<Record<number, string>>
  /** Nodes whose ports open when they are learnt. */
  opening?: Readonly<Record<number, string>>
  operations?: Readonly<Record<string, number>>
  mayWriteSomething?: Verdict
  acls?: readonly AclBinding[]
  /** ACLs are known only after `learn`; or not even then. */
  aclsKnown?: 'later' | 'never'
}

export class Given implements Caller {
  readonly names = new Names()
  readonly state = new Map<string, any>()
  readonly brokerState = new Map<string, any>()
  readonly nodeId = 1
  readonly rights: Rights
  readonly cluster: ClusterView
  readonly addresses: AddressView
  readonly acls: AclView
  /** What was told, such as `refused Read Topic:orders 29`, in order. */
  readonly told: string[] = []
  readonly asked: string[] = []
  /** How often topics were said to come or go. */
  moves = 0
  #settled = false
  #learnt = false

  constructor(world: World = {}) {
    this.rights = this.#rightsOf(world)
    this.cluster = this.#clusterOf(world)
    this.addresses = this.#addressesOf(world)
    this.acls = this.#aclsOf(world)
  }

  refused(operation: Operation, name: Name, errorCode: number): void {
    this.told.push(`refused ${right(operation, name)} ${errorCode}`)
  }
  hidden(operation: Operation, name: Name): void {
    this.told.push(`hidden ${right(operation, name)}`)
  }
  undecided(operation: Operation, name: Name): void {
    this.told.push(`undecided ${right(operation, name)}`)
  }

  aclsNotChanged(): void {
    this.told.push('ACLs not changed')
  }

  #aclsOf({ acls = [], aclsKnown }: World): AclView {
    let known = aclsKnown === undefined
    return {
      bindings: () => (known ? acls : null),
      learn: async () => {
        known = aclsKnown === 'later'
      },
    }
  }

  #rightsOf({ allow = [], later = [], undecided = [], denied = [], operations = {}, mayWriteSomething = Verdict.Refused }: World): Rights {
    const check = (operation: Operation, name: Name): Verdict => {
      const wanted = right(operation, name)
      this.asked.push(wanted)
      if (!this.#settled && later.includes(wanted)) return Verdict.Unknown
      if (undecided.includes(wanted)) return this.#settled ? Verdict.Undecided : Verdict.Unknown
      return allow.includes(wanted) && !denied.includes(wanted) ? Verdict.Allowed : Verdict.Refused
    }
    return {
      principal: {} as Principal,
      epoch: 0,
      check,
      operations: name => operations[name.text] ?? -1,
      denies: (operation, name) => denied.includes(right(operation, name)),
      settle: async () => {
        this.#settled = true
      },
      explain: () => assert.fail('nobody asked why'),
      mayWriteSomething: () => (mayWriteSomething === Verdict.Undecided && !this.#settled ? Verdict.Unknown : mayWriteSomething),
      mayConnect: () => Verdict.Allowed,
    }
  }

  #clusterOf({ topics = {}, learnt = [], unreachable = [] }: World): ClusterView {
    const byId = new Map(Object.entries(topics).map(([name, id]) => [id, name]))
    return {
      clusterId: 'cluster',
      autoCreates: () => true,
      topicOf: (bytes, at) => {
        const id = Buffer.from(bytes.subarray(at, at + 16)).toString('hex')
        if (unreachable.includes(id) || (learnt.includes(id) && !this.#learnt)) return undefined
        const name = byId.get(id)
        return name === undefined ? null : this.names.text(Resource.Topic, name)
      },
      learn: async () => {
        this.#learnt = true
      },
      idOf: name => (topics[name.text] === undefined ? null : Buffer.from(topics[name.text]!, 'hex')),
      topicsEpoch: 0,
      topicNames: () => Object.keys(topics).map(name => this.names.text(Resource.Topic, name)),
      hasTopic: ({ text }) => (unreachable.includes(text) || (learnt.includes(text) && !this.#learnt) ? undefined : text in topics),
      topicsMoved: () => void this.moves++,
      learned: (id, name) => void this.told.push(`learned ${name.text} ${id.toString('hex')}`),
    }
  }

  #addressesOf({ nodes = {}, opening = {} }: World): AddressView {
    const known = new Map(Object.entries(nodes).map(([id, address]) => [Number(id), address]))
    return {
      get: nodeId => {
        const address = known.get(nodeId)
        if (address === undefined) return undefined
        const [host, port] = address.split(':')
        return { host: host!, port: Number(port) }
      },
      learn: async (nodeId, host, port) => {
        this.told.push(`learn ${nodeId} ${host}:${port}`)
        if (opening[nodeId] !== undefined) known.set(nodeId, opening[nodeId])
      },
    }
  }
}

/** A request frame; client id `c`, correlation id 7. */
export function request(api: Api, version: number, body: object): Buffer {
  const flexible = within(api.flexible, version)
  const head = Buffer.from([0, 0, 0, 0, api.key >> 8, api.key & 255, version >> 8, version & 255, 0, 0, 0, 7, 0, 1, 99])
  return sized([head, Buffer.alloc(flexible ? 1 : 0), compileEncode(layoutOf(api, version, 'request'))(body)])
}

/** A broker's response frame to it. */
export function response(api: Api, version: number, body: object): Buffer {
  const flexible = within(api.flexible, version)
  const head = Buffer.from([0, 0, 0, 0, 0, 0, 0, 7])
  return sized([head, Buffer.alloc(flexible && api.key !== 18 ? 1 : 0), compileEncode(layoutOf(api, version, 'response'))(body)])
}

function sized(pieces: Buffer[]): Buffer {
  const frame = Buffer.concat(pieces)
  frame.writeInt32BE(frame.length - 4, 0)
  return frame
}

export function readRequest(api: Api, version: number, frame: Buffer): any {
  assert.equal(frame.readInt32BE(0), frame.length - 4)
  return decodeWhole(compileDecode(layoutOf(api, version, 'request')), frame, requestBodyAt(frame, within(api.flexible, version)))
}

export function readResponse(api: Api, version: number, frame: Buffer): any {
  assert.equal(frame.readInt32BE(0), frame.length - 4)
  assert.equal(frame.readInt32BE(4), 7, 'the correlation id')
  return decodeWhole(
    compileDecode(layoutOf(api, version, 'response')),
    frame,
    responseBodyAt(frame, api.key, within(api.flexible, version)),
  )
}

export function judge(api: Api, version: number, frame: Buffer, caller: Caller, last = false): Outcome {
  const plan = planFor(api.key, version)
  assert.ok(plan, `${api.name} v${version} is offered`)
  return plan.judge(frame, caller, last)
}

/** The gate's own answer to a request, decoded. */
export function answered(api: Api, version: number, outcome: Outcome): any {
  assert.equal(outcome.kind, 'answer')
  assert.ok(outcome.kind === 'answer' && outcome.frame !== null && !outcome.thenClose)
  return readResponse(api, version, outcome.frame)
}

/** The request as it goes to the broker, decoded; null: as it came. */
export function forwarded(api: Api, version: number, outcome: Outcome): any {
  assert.equal(outcome.kind, 'forward')
  const { frames } = outcome as Forward
  return frames === null ? null : readRequest(api, version, frames[0]!)
}

/** What the client reads when the broker answers `body`. */
export async function edited(api: Api, version: number, outcome: Outcome, body: object): Promise<any> {
  assert.ok(outcome.kind === 'forward' && outcome.response !== null && outcome.response !== 'none')
  const edit: ResponseEdit = outcome.response
  return readResponse(api, version, await edit.whole([response(api, version, body)]))
}

/** Judges, waits if told to, and judges again as a session does. */
export async function judgeAndWait(api: Api, version: number, frame: Buffer, caller: Caller): Promise<Outcome> {
  for (const last of [false, false, true]) {
    const outcome = judge(api, version, frame, caller, last)
    if (outcome.kind !== 'wait') return outcome
    await outcome.ready
  }
  assert.fail('a frame waits twice at most')
}
