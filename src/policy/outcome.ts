// What a plan says becomes of a request, and of the broker's response to it: the words between plans and sessions.

import type { AclView } from './acl-bindings.ts'
import type { Operation, Rights } from './authorizer.ts'
import type { Name, Names } from './names.ts'

/** Frames here always have their 4-byte size in front, and never outlive the call that they are given to, unless said. */
export type Outcome = Forward | Answer | Wait | Close

/** Nothing of it was refused and nothing in its response is changed: the session sends the bytes as they lie. */
export interface Forward {
  readonly kind: 'forward'
  /** Changed frames for the broker, in order (fresh memory), or null: the frame as it came. */
  readonly frames: readonly Buffer[] | null
  /** What is done with the broker's response(s); null: streams through untouched. NONE: the broker sends none (Produce with acks=0). */
  readonly response: ResponseEdit | null | typeof NONE
  /** Close the client once this has been sent on (acks=0 with a refused partition). */
  readonly thenClose: boolean
}
export const NONE = 'none'

/** Answered here, in turn: a whole response frame (fresh memory), or null: no response is due (acks=0), `thenClose` says whether the connection ends. */
export interface Answer {
  readonly kind: 'answer'
  readonly frame: Buffer | null
  readonly thenClose: boolean
}
/** A verdict or a topic id is not known yet: judge the same frame again when `ready` resolves, with `last` set. `ready` never rejects. */
export interface Wait {
  readonly kind: 'wait'
  readonly ready: Promise<void>
}
/** The connection is closed, and counted under `cause`; everything owed before is delivered first when `owed`. */
export interface Close {
  readonly kind: 'close'
  readonly cause: string
}

/** Allowed whole, response untouched: one object, so that the common case allocates nothing. */
export const PASS: Forward = { kind: 'forward', frames: null, response: null, thenClose: false }

/** How the broker's response to one forwarded request is treated. */
export interface ResponseEdit {
  /** How many response frames the broker sends for it: 2 when the request became two. */
  readonly frames: 1 | 2
  /**
   * All frames, whole, in order -> one frame for the client (may be the same memory, or changed in place when the size stays).
   * A promise when something must be asked first; the client's later responses wait for it.
   * @throws {MalformedError} the broker broke the protocol, or answered what was not judged: both sides are closed
   */
  whole(frames: readonly Buffer[]): Buffer | Promise<Buffer>
  /** A way to pass the response on while it arrives; null: hold it. Called once the first bytes of the response are here. */
  stream(): ResponseStream | null
  /** Judges again what this answer may still carry; asked when the principal's epoch moved. Unknown: ask again after `settle`. */
  stillAllowed?(): 'yes' | 'no' | 'unknown'
  /** The connection ended before the response came. */
  dropped?(): void
}

/** One response on its way through, piece by piece. */
export interface ResponseStream {
  /**
   * The next bytes of the frame (`bytes[start..end)`, from the size on, in any cuts). Calls `send` with what goes to the client, in order:
   * views of `bytes` or fresh memory, never anything it will change later. May change `bytes` in place. Keeps copies only.
   * @returns true when the frame is complete and valid
   * @throws {MalformedError}
   */
  push(bytes: Buffer, start: number, end: number, send: (piece: Buffer) => void): boolean
}

/** One Produce request that is passed on while it arrives: its head is judged, the rest is walked. */
export interface RequestStream {
  readonly response: ResponseEdit | null | typeof NONE
  /** The next bytes of the frame in any cuts. Returns how many of them may be forwarded now: all, but the frame's last byte only after a valid walk. @throws {MalformedError} */
  push(bytes: Buffer, start: number, end: number): number
  /** Judges again what is on its way, when the principal's epoch moved: a client may take its time. Unknown: ask again after `settle`. */
  stillAllowed?(): 'yes' | 'no' | 'unknown'
}

/** A rule laid over one version of an API. */
export interface Plan {
  readonly apiKey: number
  readonly apiVersion: number
  /** @param last no more waiting: what is still Unknown counts as Undecided, and is answered as design says. @throws {MalformedError} */
  judge(frame: Buffer, caller: Caller, last: boolean): Outcome
  /** Tries to pass on a request whose frame is not yet whole. `head`: its first bytes. null: hold it until it is whole. */
  stream?(head: Buffer, caller: Caller): RequestStream | null
}

/** What a plan may know of the connection that it works for. One a session. */
export interface Caller {
  readonly rights: Rights
  readonly names: Names
  readonly cluster: ClusterView
  readonly addresses: AddressView
  readonly acls: AclView
  /** Node id of the broker that this connection speaks to; -1 if unknown. */
  readonly nodeId: number
  /** State that plans keep for a connection (fetch sessions, share sessions…), by their own key; dropped with the connection. */
  readonly state: Map<string, any>
  /** Shared by all connections of a worker to one broker: fetch session ids are broker-wide. Keyed `<node id>`. */
  readonly brokerState: Map<string, any>
  /** Records a refusal for audit and log; `errorCode` is what the client is told. */
  refused(operation: Operation, name: Name, errorCode: number): void
  /** Something hidden from an answer; kept apart from refusals. */
  hidden(operation: Operation, name: Name): void
  undecided(operation: Operation, name: Name): void
  /** For the log: who may change ACLs asked for it, and was told that there are none to change. */
  aclsNotChanged(): void
}

/** What a worker knows of the cluster behind, from the control connection. */
export interface ClusterView {
  readonly clusterId: string | null
  /** That broker's auto.create.topics.enable; true when not known. */
  autoCreates(nodeId: number): boolean
  /** The topic of this id (16 bytes at `at`): its Name, null (no such topic), or undefined (not known: `learn`). */
  topicOf(bytes: Uint8Array, at: number): Name | null | undefined
  /** Asks for ids and names that were not known when last looked up. Never rejects; what stays undefined is undecided. */
  learn(): Promise<void>
  /** The id of a topic if it is known: 16 bytes, else null. */
  idOf(name: Name): Buffer | null
  /** Moves when a topic comes or goes. */
  readonly topicsEpoch: number
  /** Every topic that the cluster was last seen to have. */
  topicNames(): readonly Name[]
  /** Whether there is a topic of this name; undefined: not known. @param wants `learn` is called next */
  hasTopic(name: Name, wants: boolean): boolean | undefined
  /** A request is on its way that makes or deletes topics. */
  topicsMoved(): void
  /** Remembers what a relayed response said. */
  learned(id: Buffer, name: Name): void
}

/** Where this listener's clients reach each broker. */
export interface AddressView {
  /** undefined: the node is not known here yet. */
  get(nodeId: number): { readonly host: string; readonly port: number } | undefined
  /** Resolves when that node's port listens in every worker, or after 1 s. Host and port are what the broker's response said of it. */
  learn(nodeId: number, host: string, port: number): Promise<void>
}

/** A response that was on its way cannot be shown: what it may hold could not be decided. Thrown by edits; both sides are closed, cause `undecided`. */
export class UndecidedError extends Error {
  readonly code = 'UNDECIDED'
}
