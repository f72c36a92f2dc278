// The workers of a process: threads that share the ports, or one in the main thread; either way they are told the same.

import { createServer } from 'node:net'
import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Principal } from '../auth/principal.ts'
import type { Log } from '../base/log.ts'
import type { Origin, Verdict } from '../policy/authorizer.ts'
import type { Kept, KeptQuestion } from '../policy/kept.ts'
import { type Change, callsOf, type Home, Link, type WorkerDoor, type WorkerStart, workerOver } from './home.ts'
import { GateWorker } from './worker.ts'

/** A free port that was found may be taken before the workers bind it. */
const FREE_PORT_TRIES = 5

export interface PoolOptions {
  readonly count: number
  readonly home: Home
  readonly log: Log
  /** A worker has ended that nobody ended. */
  onFatal(why: Error): void
}

export class WorkerPool {
  readonly count: number
  readonly #options: PoolOptions
  readonly #doors: WorkerDoor[] = []
  readonly #threads: Worker[] = []
  /** The newest policy that came while workers opened: those that open later began with an older one. */
  #policy: Change | null = null

  constructor(options: PoolOptions) {
    this.#options = options
    this.count = options.count
  }

  async open(start: Omit<WorkerStart, 'index' | 'workers'>): Promise<void> {
    for (let index = 0; index < this.count; index++) {
      const own = { ...start, index, workers: this.count }
      const { home, log } = this.#options
      const door = this.count === 1 ? await GateWorker.open(own, home, log) : await this.#openThread(own)
      this.#doors.push(door)
      if (this.#policy !== null) await door.apply(this.#policy)
    }
  }

  /** Resolves when every worker has taken it. */
  async tell(change: Change): Promise<void> {
    if (change.kind === 'policy' && this.#doors.length < this.count) this.#policy = change
    await Promise.all(this.#doors.map(door => door.apply(change)))
  }

  /**
   * Opens a port in every worker.
   * They share it, and so could another gate: that nobody else has it is only shown by a bind of one's own.
   * @returns the port. @throws when it cannot be had
   */
  async listen(listener: string, nodeId: number | null, host: string, port: number): Promise<number> {
    for (let tries = 1; ; tries++) {
      const probed = this.count > 1 ? await probe(host, port) : port
      const listening = await Promise.allSettled(this.#doors.map(door => door.apply({ kind: 'listen', listener, nodeId, port: probed })))
      const failed = listening.find(result => result.status === 'rejected')
      if (failed === undefined) return (listening[0] as PromiseFulfilledResult<number>).value
      if (port !== 0 || tries === FREE_PORT_TRIES) throw failed.reason
    }
  }

  /** By worker. */
  kept(question: KeptQuestion): Promise<Kept[][]> {
    return Promise.all(this.#doors.map(door => door.kept(question)))
  }

  /** As the first worker judges: all judge alike. */
  mayDescribeCluster(principal: Principal, origin: Origin): Promise<Verdict> {
    return this.#doors[0]!.mayDescribeCluster(principal, origin)
  }

  async terminate(): Promise<void> {
    await Promise.all(this.#threads.map(thread => thread.terminate()))
  }

  async #openThread(start: WorkerStart): Promise<WorkerDoor> {
    const thread = new Worker(new URL(`./worker-thread${extname(import.meta.url)}`, import.meta.url), { workerData: start })
    const link = new Link(thread, callsOf(this.#options.home))
    const lost = (why: Error) => {
      link.lost(why)
      this.#options.onFatal(why)
    }
    thread.on('error', why => lost(why as Error))
    thread.on('exit', code => lost(new Error(`worker ${start.index} ended with code ${code}`)))
    this.#threads.push(thread)
    await link.ask('opened')
    return workerOver(link)
  }
}

export function workerCount(workers: number | 'auto'): number {
  const shares = ['linux', 'freebsd', 'dragonfly', 'sunos', 'aix'].includes(process.platform)
  return shares ? (workers === 'auto' ? availableParallelism() : workers) : 1
}

/** Binds alone and lets go again. @returns the port */
function probe(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen({ host, port, exclusive: true }, () => {
      const { port: bound } = server.address() as { port: number }
      server.close(() => resolve(bound))
    })
  })
}
