// Opens the connection to a broker that serves one client: its turn, TLS, our login; then it is ready for that client's first request.

import type { Socket } from 'node:net'
import { BrokerLogin, LoginRefused } from '../auth/broker-login.ts'
import { type DialLimits, DialQueue } from './dial-queue.ts'
import { Handover } from './handover.ts'
import type { ReadTarget } from './onread.ts'
import type { Upstream } from './upstream.ts'

/** For all of it, from the turn on. */
const READY_MS = 10_000
const CLOSED = 'the broker closed before it was ready'

/** A connection that is ready for requests, or the reason why there is none. */
export type Dialled =
  /** `lifetimeMs`: until the broker wants another login; 0: never. */
  | { readonly kind: 'ready'; readonly lifetimeMs: number }
  /** `refused`: the broker did not take our login. */
  | { readonly kind: 'failed'; readonly why: string; readonly refused: boolean }

/** A broker to dial. */
export interface Broker {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  /** The newest SaslAuthenticate that it offers. */
  readonly authenticateVersion: number
}

/** One dial, as whoever wants it sees it. */
export interface Caller {
  /** The token of the client whose connection this is. */
  readonly token: string | null
  /** Where reads go once the connection is ready. */
  readonly target: ReadTarget
  /** After a wait, before anything is dialled: is the client still there? */
  stillThere(): Promise<boolean>
  /** The socket exists, and may be closed at any time; nothing may be written to it before it is ready. */
  connecting(socket: Socket): void
  /** Once. */
  done(dialled: Dialled): void
}

/** Of a dial that waits: the client has gone. */
export interface Dialling {
  leave(): void
}

/** All brokers as one worker dials them. */
export class Dialer {
  readonly upstream: Upstream
  readonly #limits: DialLimits
  readonly #queues = new Map<number, DialQueue>()

  /** @param limits for each broker */
  constructor(upstream: Upstream, limits: DialLimits) {
    this.upstream = upstream
    this.#limits = limits
  }

  /** Why whoever comes now would not be dialled; null: nothing keeps him from it. */
  full(nodeId: number): string | null {
    return this.#queues.get(nodeId)?.full ?? null
  }

  /** Credentials or certificates have changed: what was refused may work now. */
  open(): void {
    for (const queue of this.#queues.values()) queue.open()
  }

  dial(broker: Broker, caller: Caller): Dialling {
    let queue = this.#queues.get(broker.nodeId)
    if (queue === undefined) this.#queues.set(broker.nodeId, (queue = new DialQueue(this.#limits)))
    const dial = new Dial(this.upstream, queue, broker, caller)
    if (this.upstream.allows(broker.host)) queue.enter(dial)
    else dial.fail(`${broker.host} is not among cluster.hosts`)
    return dial
  }

  /** A login for a connection that is open. @throws when there is no token to be had */
  async login(broker: Broker, token: string | null): Promise<BrokerLogin | null> {
    const credential = await this.upstream.credential(token)
    return credential === null ? null : new BrokerLogin(credential, broker.authenticateVersion)
  }
}

class Dial implements Dialling {
  readonly #upstream: Upstream
  readonly #queue: DialQueue
  readonly #broker: Broker
  readonly #caller: Caller
  #over = false
  #underWay = false
  #deadline: NodeJS.Timeout | undefined
  #socket: Socket | null = null
  #handover: Handover | null = null
  #login: BrokerLogin | null = null

  constructor(upstream: Upstream, queue: DialQueue, broker: Broker, caller: Caller) {
    this.#upstream = upstream
    this.#queue = queue
    this.#broker = broker
    this.#caller = caller
  }

  leave(): void {
    this.#queue.leave(this)
    this.#end()
  }

  fail(why: string): void {
    // Later, so that who asked has come back from asking.
    setImmediate(() => this.#tell({ kind: 'failed', why, refused: false }))
  }

  go(waited: boolean): void {
    this.#underWay = true
    if (!waited) this.#connect()
    else {
      void this.#caller.stillThere().then(there => {
        if (there && !this.#over) this.#connect()
        else this.#queue.closed()
      })
    }
  }

  #connect(): void {
    const upstream = this.#upstream
    const { target } = this.#caller
    this.#deadline = setTimeout(() => this.#away(new Error(`not ready within ${READY_MS} ms`)), READY_MS)
    if (upstream.logsIn) this.#handover = new Handover(target, frame => this.#answered(frame))
    const socket = upstream.connect(this.#broker, this.#handover ?? target)
    this.#socket = socket
    socket.once(upstream.secure ? 'secureConnect' : 'connect', () => this.#connected())
    socket.once('error', (error: Error) => this.#away(error))
    socket.once('end', () => this.#away(new Error(CLOSED)))
    socket.once('close', () => {
      this.#queue.closed()
      this.#away(new Error(CLOSED))
    })
    this.#caller.connecting(socket)
  }

  #connected(): void {
    if (this.#over) return
    this.#queue.reached()
    if (this.#handover === null) this.#tell({ kind: 'ready', lifetimeMs: 0 })
    else this.#begin().catch(error => this.#failed(error))
  }

  async #begin(): Promise<void> {
    const credential = await this.#upstream.credential(this.#caller.token)
    if (this.#over) return
    this.#login = new BrokerLogin(credential!, this.#broker.authenticateVersion)
    this.#socket!.write(this.#login.begin())
  }

  #answered(frame: Buffer | null): void {
    if (this.#over) return
    if (frame === null) this.#failed(new Error('the broker sent what no login needs'))
    else this.#goOn(frame).catch(error => this.#failed(error))
  }

  async #goOn(frame: Buffer): Promise<void> {
    const next = await this.#login!.take(frame)
    if (this.#over) return
    if (next !== null) {
      this.#socket!.write(next)
      return
    }
    this.#queue.loggedIn()
    this.#handover!.over()
    this.#tell({ kind: 'ready', lifetimeMs: this.#login!.lifetimeMs })
  }

  #failed(error: Error): void {
    if (this.#over) return
    const refused = error instanceof LoginRefused
    // A client's own token says nothing about the next one's.
    if (refused && !this.#upstream.passesThrough) this.#queue.refused(error.message)
    this.#tell({ kind: 'failed', why: error.message, refused })
  }

  /** Nothing came about, and nothing will for others at this moment. */
  #away(error: Error): void {
    if (this.#over) return
    const why = this.#upstream.explain(error)
    // Who closes in the middle of a login may only not like the login.
    if (this.#login === null || !this.#upstream.passesThrough) this.#queue.away(why)
    this.#tell({ kind: 'failed', why, refused: false })
  }

  #tell(dialled: Dialled): void {
    if (this.#over) return
    this.#end()
    this.#caller.done(dialled)
    if (dialled.kind === 'failed') this.#socket?.destroy()
  }

  #end(): void {
    this.#over = true
    clearTimeout(this.#deadline)
    if (!this.#underWay) return
    this.#underWay = false
    this.#queue.settled()
  }
}
