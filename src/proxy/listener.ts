// Accepts clients on one address and starts a session for each; knows nothing of what they say.

import net from 'node:net'
import { threadId } from 'node:worker_threads'
import { Counter } from '../base/counters.ts'
import { shortest } from '../base/networks.ts'
import { planFor } from '../policy/plan.ts'
import { Arrival, type Arrived, type Entry } from './arrival.ts'
import type { ClientFacts, Gate, ListenerView } from './gate.ts'
import { adopt, adoptSecured, selfTest } from './onread.ts'
import { Session } from './session.ts'
import { type PlanFor, Sessions } from './sessions.ts'
import type { Failure } from './tls.ts'

const BACKLOG = 4096

export interface ListenerOptions {
  readonly gate: Gate
  readonly view: ListenerView
  readonly host: string
  readonly port: number
  /** The node that this port stands for; null: the bootstrap port. */
  readonly nodeId: number | null
  /** Several workers listen on the same port, and the kernel spreads the clients. */
  readonly reusePort: boolean
  /** What clients pass first; null: nothing. */
  readonly entry?: Entry | null
  readonly planFor?: PlanFor
}

/** The sessions of a worker, whichever of its listeners they came through. */
const sessionsOf = new WeakMap<Gate, Sessions>()
let connections = 0

export class Listener {
  readonly sessions: Sessions
  readonly #options: ListenerOptions
  readonly #server: net.Server

  constructor(options: ListenerOptions) {
    const { gate } = options
    let sessions = sessionsOf.get(gate)
    if (sessions === undefined) sessionsOf.set(gate, (sessions = new Sessions(gate, options.planFor ?? planFor)))
    this.sessions = sessions
    this.#options = options
    this.#server = net.createServer({ pauseOnConnect: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 }, socket => {
      this.#accept(socket)
    })
  }

  /** The port that it listens on. @throws when the address cannot be had */
  async listen(): Promise<number> {
    const { host, port, reusePort, gate, view, entry } = this.#options
    await selfTest(entry?.tls != null)
    const server = this.#server
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host, port, backlog: BACKLOG, reusePort }, () => {
        server.off('error', reject)
        // An accept that fails (no file descriptors left) must not end the process.
        server.on('error', error => gate.log.closed(nobody(view), null, 'accept failed', error.message))
        resolve((server.address() as net.AddressInfo).port)
      })
    })
  }

  /** Accepts no more; what clients of this worker are owed is delivered; resolves when all have gone, after `withinMs` by force. */
  drain(withinMs: number): Promise<void> {
    this.#server.close()
    return this.sessions.drain(withinMs)
  }

  #accept(socket: net.Socket): void {
    const { sessions } = this
    const { view, entry, nodeId } = this.#options
    const address = shortest(socket.remoteAddress ?? '')
    if (entry === null || entry === undefined || (entry.tls === null && !entry.balancers?.has(address))) {
      this.#serve({ socket, address, secured: null, rest: NOTHING })
      return
    }
    const why = this.#crowded(nodeId)
    if (why !== null) {
      this.#turnAway(socket, factsOf(view, address), why)
      return
    }
    const arrival = new Arrival({
      entry,
      socket,
      address,
      arrived: arrived => {
        sessions.arriving.delete(arrival)
        this.#serve(arrived)
      },
      failed: (failure, from) => {
        sessions.arriving.delete(arrival)
        this.#turnAway(socket, factsOf(view, from), failure)
      },
    })
    sessions.arriving.add(arrival)
    arrival.begin()
  }

  #serve({ socket, address, secured, rest }: Arrived): void {
    const { gate, view, entry } = this.#options
    const names = entry?.tls?.names ?? null
    const named = names === null || secured === null ? this.#options.nodeId : names.nodeOf(secured.serverName ?? '')!
    const client = factsOf(view, address, secured?.certificate)
    const nodeId = gate.nodeFor(view, named)
    const offer = nodeId === -1 ? null : gate.offer(nodeId)
    const why = this.#crowded(nodeId)
    if (why !== null || offer === null) {
      this.#turnAway(socket, client, why ?? { ...NO_BROKER, detail: `node ${nodeId === -1 ? named : nodeId} has not said what it offers` })
      return
    }
    const session = new Session(this.sessions, view, nodeId, offer, client)
    try {
      session.requests.byRecords = session.toBroker.gathers = secured !== null
      session.responses.byRecords = session.toClient.gathers = gate.dialer.upstream.secure
      session.serve(secured === null ? adopt(socket, session.requests) : adoptSecured(secured.socket, session.requests))
      if (rest.length > 0) session.requests.early(rest)
    } catch (error) {
      socket.destroy()
      session.fail(error)
    }
  }

  /** Why nobody can be served now. */
  #crowded(nodeId: number | null): Failure | null {
    if (this.sessions.draining) return DRAINED
    if (this.sessions.full) return TOO_MANY
    const full = nodeId === null ? null : this.#options.gate.dialer.full(nodeId)
    return full === null ? null : { ...TOO_MANY, counter: 'brokerFull', detail: `node ${nodeId}: ${full}` }
  }

  #turnAway(socket: net.Socket, client: ClientFacts, { cause, counter, detail }: Failure): void {
    const { counters, log } = this.#options.gate
    socket.destroy()
    counters[Counter.connectionsOpened!]!++
    counters[Counter.connectionsClosed!]!++
    if (counter !== null) counters[Counter[counter]]!++
    log.closed(client, null, cause, detail)
  }

  /** Ends this listener, and all connections of the worker. */
  close(): void {
    this.#server.close()
    this.sessions.close()
  }
}

const NOTHING = Buffer.alloc(0)
const DRAINED: Failure = { cause: 'drained', counter: null, detail: '' }
const TOO_MANY: Failure = { cause: 'too many connections', counter: null, detail: '' }
const NO_BROKER: Failure = { cause: 'no broker', counter: null, detail: '' }

const factsOf = (view: ListenerView, address: string, certificate: ClientFacts['certificate'] = null): ClientFacts => ({
  connection: `${threadId}-${++connections}`,
  listener: view.name,
  address,
  certificate,
  id: null,
  software: null,
})

const nobody = (view: ListenerView): ClientFacts => ({
  connection: '-',
  listener: view.name,
  address: '-',
  certificate: null,
  id: null,
  software: null,
})
