// What plans see of the connection that they work for.

import { Counter } from '../base/counters.ts'
import { type Operation, type Rights, Verdict } from '../policy/authorizer.ts'
import type { Name, Names } from '../policy/names.ts'
import type { AddressView, Caller, ClusterView } from '../policy/outcome.ts'
import type { RequestFacts } from './gate.ts'
import type { Session } from './session.ts'

/** So many names of one request are told one by one, and then that there are more: a request of a few MiB may name 10⁵. */
const TOLD = 1000

export class SessionCaller implements Caller {
  rights: Rights
  readonly names: Names
  readonly cluster: ClusterView
  readonly addresses: AddressView
  readonly acls: Caller['acls']
  readonly nodeId: number
  readonly state = new Map<string, any>()
  readonly brokerState: Map<string, any>
  readonly #session: Session
  #apiKey = 0
  #apiVersion = 0
  #correlationId = 0
  #told = 0
  #connectsAtEpoch = -1

  constructor(session: Session, rights: Rights) {
    const { gate, listener, nodeId } = session
    this.#session = session
    this.rights = rights
    this.names = gate.names
    this.cluster = gate.cluster
    this.addresses = listener.addresses
    this.acls = gate.authorizer.acls
    this.nodeId = nodeId
    this.brokerState = gate.brokerState(nodeId)
  }

  /** From here on it is about this request. */
  concerns(apiKey: number, apiVersion: number, correlationId: number): void {
    this.#apiKey = apiKey
    this.#apiVersion = apiVersion
    this.#correlationId = correlationId
    this.#told = 0
  }

  get request(): RequestFacts {
    return { apiKey: this.#apiKey, apiVersion: this.#apiVersion, correlationId: this.#correlationId }
  }

  /** May not stay connected; asked again whenever rights have moved. */
  get isBlocked(): boolean {
    const { epoch } = this.rights
    if (epoch === this.#connectsAtEpoch) return false
    const verdict = this.rights.mayConnect()
    if (verdict === Verdict.Unknown) void this.rights.settle()
    else if (verdict === Verdict.Allowed) this.#connectsAtEpoch = epoch
    return verdict === Verdict.Refused
  }

  refused(operation: Operation, name: Name, errorCode: number): void {
    const { gate, client } = this.#session
    this.#session.count(Counter.requestsRefused!)
    if (++this.#told > TOLD) return
    const reason = this.rights.explain(operation, name)
    const told = this.#told < TOLD ? reason : { ...reason, why: `${reason.why}; further names of this request are not listed` }
    gate.log.refused(client, this.rights.principal, this.request, operation, name, told, errorCode)
  }

  hidden(operation: Operation, name: Name): void {
    this.#session.gate.log.hidden(this.#session.client, this.rights.principal, this.request, operation, name)
  }

  undecided(operation: Operation, name: Name): void {
    this.#session.count(Counter.undecided!)
    if (++this.#told > TOLD) return
    this.#session.gate.log.undecided(this.#session.client, this.rights.principal, this.request, operation, name)
  }

  aclsNotChanged(): void {
    this.#session.gate.log.aclsNotChanged(this.#session.client, this.rights.principal, this.request)
  }
}
