// What a worker and main say to each other: called directly in one thread, or sent between two; the worker's code is the same.

import type { OwnToken } from '../auth/own-token.ts'
import type { Principal, Verified } from '../auth/principal.ts'
import type { AuditLine } from '../base/audit.ts'
import type { Config } from '../base/config.ts'
import type { Origin, Verdict } from '../policy/authorizer.ts'
import type { Kept, KeptQuestion } from '../policy/kept.ts'
import type { PolicyDocument } from '../policy/policy-document.ts'
import type { ClusterState, NamedTopics, TopicFacts } from './cluster-state.ts'

/** What a worker asks of main. None of it rejects but `askEngine` and `ownToken`. */
export interface Home {
  /** @param thumbprint of the client's certificate, or null: it has none */
  verify(token: string, listener: string, thumbprint: string | null): Promise<Verified>
  /** Ids in hex; those that got no answer are left out. */
  topicsOf(ids: readonly string[]): Promise<TopicFacts>
  /** Names that got no answer are left out. */
  topicsNamed(names: readonly string[]): Promise<NamedTopics>
  /** Topics are being made or deleted. */
  topicsMoved(): Promise<void>
  /** A response named this node: resolves when its port listens in every worker, or after 1 s. */
  nodeNamed(nodeId: number, host: string, port: number): Promise<void>
  /** The gate's own token for brokers. @param refused one that a broker did not take, or null @throws when there is none to be had */
  ownToken(refused: string | null): Promise<OwnToken>
  /** A question of the worker's authorizer to the engine in main: plain data both ways. */
  askEngine(question: unknown): Promise<unknown>
  /** Resolves when main has taken them in. */
  record(lines: readonly AuditLine[]): Promise<void>
}

/** What main tells a worker: it is live there when `apply` has resolved. */
export type Change =
  | { readonly kind: 'policy'; readonly document: PolicyDocument }
  /** For the worker's authorizer, from the engine in main. */
  | { readonly kind: 'engine'; readonly message: unknown }
  | { readonly kind: 'cluster'; readonly state: ClusterState }
  | { readonly kind: 'topics'; readonly facts: TopicFacts }
  /** Opens a port; answers with its number. `nodeId` null: the bootstrap port. */
  | { readonly kind: 'listen'; readonly listener: string; readonly nodeId: number | null; readonly port: number }
  /** Clients of this listener are told from now on that the node is there. */
  | { readonly kind: 'advertise'; readonly listener: string; readonly nodeId: number; readonly host: string; readonly port: number }
  /** No new connections; resolves when those that are open have ended, or the time is over. */
  | { readonly kind: 'drain'; readonly withinMs: number }
  | { readonly kind: 'close' }

export interface WorkerStart {
  readonly index: number
  readonly workers: number
  readonly config: Config
  readonly document: PolicyDocument
  /** What the engine in main gives a worker's authorizer to begin with. */
  readonly engine: unknown
  readonly counters: SharedArrayBuffer
  readonly held: SharedArrayBuffer
}

/** A worker as main sees it. */
export interface WorkerDoor {
  apply(change: Change): Promise<unknown>
  /** What it keeps of a principal. */
  kept(question: KeptQuestion): Promise<Kept[]>
  /** Judged as for one of its clients; Undecided when no answer came. */
  mayDescribeCluster(principal: Principal, origin: Origin): Promise<Verdict>
}

type Message =
  | { readonly id: number; readonly call: string; readonly args: readonly unknown[] }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly failed: string }

/** Either end: a thread as main has it, or the port that it has to main. */
export interface LinkPort {
  on(event: 'message', take: (message: any) => void): unknown
  postMessage(message: unknown): void
}

/** Calls over a port, each answered once. */
export class Link {
  readonly #port: LinkPort
  readonly #waiting = new Map<number, PromiseWithResolvers<any>>()
  #nextId = 1

  constructor(port: LinkPort, calls: { readonly [call: string]: (...args: any[]) => unknown }) {
    this.#port = port
    port.on('message', (message: Message) => {
      if ('call' in message) {
        const { id, call, args } = message
        // Called at once, so that changes take hold in the order in which they were sent.
        new Promise(resolve => resolve(calls[call]!(...args))).then(
          result => port.postMessage({ id, result }),
          (why: Error) => port.postMessage({ id, failed: why.message }),
        )
      } else {
        const waiting = this.#waiting.get(message.id)
        this.#waiting.delete(message.id)
        if ('failed' in message) waiting?.reject(new Error(message.failed))
        else waiting?.resolve(message.result)
      }
    })
  }

  ask(call: string, ...args: readonly unknown[]): Promise<any> {
    const id = this.#nextId++
    const waiting = Promise.withResolvers<any>()
    this.#waiting.set(id, waiting)
    this.#port.postMessage({ id, call, args })
    return waiting.promise
  }

  /** The other side has gone: nobody waits for it any longer. */
  lost(why: Error): void {
    for (const waiting of this.#waiting.values()) waiting.reject(why)
    this.#waiting.clear()
  }
}

/** Main, as a worker in another thread sees it. */
export function homeOver(link: Link): Home {
  return {
    verify: (token, listener, thumbprint) => link.ask('verify', token, listener, thumbprint),
    topicsOf: ids => link.ask('topicsOf', ids),
    topicsNamed: names => link.ask('topicsNamed', names),
    topicsMoved: () => link.ask('topicsMoved'),
    nodeNamed: (nodeId, host, port) => link.ask('nodeNamed', nodeId, host, port),
    ownToken: refused => link.ask('ownToken', refused),
    askEngine: question => link.ask('askEngine', question),
    record: lines => link.ask('record', lines),
  }
}

/** A worker in another thread, as main sees it. */
export const workerOver = (link: Link): WorkerDoor => ({
  apply: change => link.ask('apply', change),
  kept: question => link.ask('kept', question),
  mayDescribeCluster: (principal, origin) => link.ask('mayDescribeCluster', principal, origin),
})

/** What a worker in another thread may call. */
export const callsOf = (home: Home): { readonly [call: string]: (...args: any[]) => unknown } => ({
  verify: home.verify.bind(home),
  topicsOf: home.topicsOf.bind(home),
  topicsNamed: home.topicsNamed.bind(home),
  topicsMoved: home.topicsMoved.bind(home),
  nodeNamed: home.nodeNamed.bind(home),
  ownToken: home.ownToken.bind(home),
  askEngine: home.askEngine.bind(home),
  record: home.record.bind(home),
})
