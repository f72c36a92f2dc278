// The broker's side of one session: its dial, its login, and how it ends.

import type { Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { Counter } from '../base/counters.ts'
import type { Dialled, Dialling } from './dial.ts'
import { Stop } from './frame-reader.ts'
import type { Offer } from './gate.ts'
import { Renewal } from './renewal.ts'
import type { Session } from './session.ts'

/** After its client has gone, a broker may still take what was sent to it for so long. */
const FLUSH_MS = 30_000
/** A broker that owes something and has been silent for so long may have gone without a word. */
const SILENT_MS = 30_000

export class BrokerSide {
  /** Of our login at the broker; null: none is needed. */
  renewal: Renewal | null = null
  /** It has sent something since the last look. */
  heard = false
  #silentSinceMs = performance.now()
  readonly #session: Session
  #dialling: Dialling | null = null

  constructor(session: Session) {
    this.#session = session
  }

  /** The client has logged in: its requests wait until the broker is ready for them. */
  dial(): void {
    const session = this.#session
    const { gate, nodeId, login } = session
    const address = gate.brokerAddress(nodeId)
    const now = gate.offer(nodeId)
    if (address === null || now === null || !covers(now, session.offer)) {
      session.count(Counter.dialFailed!)
      session.finish(
        'dial failed',
        address === null ? `no address of node ${nodeId}` : `node ${nodeId} offers less than the client was told`,
      )
      return
    }
    session.requests.stop(Stop.Dial)
    if (gate.dialer.upstream.logsIn) {
      this.renewal = new Renewal(session, () => gate.dialer.login(gate.brokerAddress(nodeId) ?? address, login.token))
    }
    this.#dialling = gate.dialer.dial(address, {
      token: login.token,
      target: session.responses,
      stillThere: () => this.#stillThere(),
      connecting: socket => this.#attach(socket),
      done: dialled => this.#dialled(dialled),
    })
  }

  /**
   * A host that has lost its power sends no end. TCP asks after it while all is acknowledged, and repeats what is not for a quarter of an
   * hour: so whoever owes something, is silent, and gives the gate's own questions no word either, has gone.
   */
  hasGone(nowMs: number): boolean {
    const { gate, nodeId, pending, responses, toBroker } = this.#session
    const owes = pending.size > 0 || (toBroker.socket?.writableLength ?? 0) > 0
    if (this.heard || !owes || responses.stopped !== 0) this.#silentSinceMs = nowMs
    this.heard = false
    return nowMs - this.#silentSinceMs > SILENT_MS && gate.brokerIsSilent(nodeId)
  }

  close(): void {
    this.#dialling?.leave()
    this.renewal?.drop()
    const { socket } = this.#session.toBroker
    if (socket === null) return
    socket.pause()
    if (socket.destroyed || socket.connecting || socket.writableLength === 0) {
      // What the kernel has taken still leaves, and the broker sees an end, not a reset, unless it has sent something meanwhile.
      socket.destroy()
      return
    }
    socket.setTimeout(FLUSH_MS, () => socket.destroy())
    socket.destroySoon()
  }

  #dialled(dialled: Dialled): void {
    const session = this.#session
    this.#dialling = null
    if (session.closed) return
    if (dialled.kind === 'ready') {
      this.renewal?.loggedIn(dialled.lifetimeMs)
      session.requests.go(Stop.Dial)
      return
    }
    session.count(Counter.dialFailed!)
    if (dialled.refused) session.count(Counter.brokerLoginsRefused!)
    if (dialled.refused) session.close('broker login failed', dialled.why)
    else session.close('dial failed', dialled.why)
  }

  /** A client that went away while nothing was read from it shows so at once when something is. */
  #stillThere(): Promise<boolean> {
    const session = this.#session
    const { socket } = session.requests
    return new Promise(resolve => {
      socket?.resume()
      setImmediate(() =>
        setImmediate(() => {
          if (!session.closed && session.requests.stopped !== 0) socket?.pause()
          resolve(!session.closed)
        }),
      )
    })
  }

  #attach(socket: Socket): void {
    const session = this.#session
    session.toBroker.socket = socket
    session.responses.socket = socket
    socket.on('drain', () => session.drained(Stop.BrokerFull))
    socket.on('end', () => session.brokerEnded('broker closed'))
    socket.on('error', error => session.brokerEnded('broker lost', session.gate.dialer.upstream.explain(error)))
    socket.on('close', () => session.brokerEnded('broker closed'))
  }
}

/** Everything that was told can be asked. */
function covers(now: Offer, told: Offer): boolean {
  if (now === told) return true
  for (const [apiKey, [min, max]] of told.ranges) if (!now.serves(apiKey, min) || !now.serves(apiKey, max)) return false
  return true
}
