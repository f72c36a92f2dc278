// What listeners and sessions ask of the worker that they live in; everything else about the world is behind this.

import type { Principal, Verified } from '../auth/principal.ts'
import type { CounterRow } from '../base/counters.ts'
import type { Authorizer, Operation, Reason } from '../policy/authorizer.ts'
import type { Name, Names } from '../policy/names.ts'
import type { AddressView, ClusterView } from '../policy/outcome.ts'
import type { Broker, Dialer } from './dial.ts'

export type { Verified } from '../auth/principal.ts'

/** The versions that one broker's clients are told: ours ∩ that broker's, only APIs with a rule. */
export interface Offer {
  readonly nodeId: number
  /** By API key: [min, max] that are served; Produce is told from 0 (KAFKA-18659) but served from its own minimum. */
  readonly ranges: ReadonlyMap<number, readonly [number, number]>
  /** Frames of ApiVersions answers, by version: the body after the correlation id. Made by api-versions.ts. */
  answer(request: Buffer, apiVersion: number, afterLogin: boolean): Buffer
  serves(apiKey: number, apiVersion: number): boolean
}

/** One listener of the configuration in one worker. */
export interface ListenerView {
  readonly name: string
  readonly addresses: AddressView
  /** Aliases of the issuers that may log in here. */
  readonly issuers: readonly string[]
}

export interface Limits {
  /** Frame size after login; before it 256 KiB. */
  readonly requestBytes: number
  readonly heldBytes: number
  readonly connections: number
  readonly loginTimeMs: number
  readonly sessionMaxMs: number
  /** Requests of one connection that are not answered yet; above it its reading pauses. */
  readonly inFlight: number
  readonly idleMs: number
}

export interface Gate {
  readonly limits: Limits
  readonly names: Names
  readonly authorizer: Authorizer
  readonly cluster: ClusterView
  readonly counters: CounterRow
  /** Bytes held in the process, all workers: [requests, responses], by Atomics. */
  readonly held: Int32Array<SharedArrayBuffer>
  verify(token: string, listener: ListenerView, certificate: ClientCertificate | null): Promise<Verified>
  /** The node that a connection is tied to: the port's own, or for the bootstrap port one that is alive; -1: none known. */
  nodeFor(listener: ListenerView, nodeId: number | null): number
  offer(nodeId: number): Offer | null
  /** Where a broker is now; null: the cluster has none of this id. */
  brokerAddress(nodeId: number): Broker | null
  /** The gate itself got no word from it when it asked it last, or the cluster has no such broker any more. */
  brokerIsSilent(nodeId: number): boolean
  /** Opens connections to brokers, each logged in for one client. */
  readonly dialer: Dialer
  /** State shared by all sessions of this worker with one broker. */
  brokerState(nodeId: number): Map<string, any>
  log: SessionLog
}

/** What sessions tell the operator: rate-limited by its owner, never for an allowed request. */
export interface SessionLog {
  loginRefused(client: ClientFacts, why: string): void
  loggedIn(client: ClientFacts, principal: Principal): void
  refused(
    client: ClientFacts,
    principal: Principal,
    request: RequestFacts,
    operation: Operation,
    name: Name,
    reason: Reason,
    errorCode: number,
  ): void
  undecided(client: ClientFacts, principal: Principal, request: RequestFacts, operation: Operation, name: Name): void
  hidden(client: ClientFacts, principal: Principal, request: RequestFacts, operation: Operation, name: Name): void
  /** Who may change ACLs asked for it. */
  aclsNotChanged(client: ClientFacts, principal: Principal, request: RequestFacts): void
  closed(client: ClientFacts, principal: Principal | null, cause: string, detail: string): void
}
export interface ClientFacts {
  /** The gate's own number of the connection, stable for its life. */
  readonly connection: string
  readonly listener: string
  readonly address: string
  /** That it has proved to own; null: none. */
  readonly certificate: ClientCertificate | null
  /** Client id and software as the client says; null until it does. */
  id: string | null
  software: string | null
}
/** A client's certificate that a certificate authority of the listener has signed. */
export interface ClientCertificate {
  /** RFC 4514: the most specific part first. */
  readonly subject: string
  /** SHA-256 in base64url, as `cnf.x5t#S256` of a token has it (RFC 8705 §3.1). */
  readonly thumbprint: string
}
export interface RequestFacts {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
}
