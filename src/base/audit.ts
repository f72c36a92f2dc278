// The audit: one JSON line a decision, to stdout or a file, through a bounded queue that never holds anybody up.

import { closeSync, openSync, write } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Design of one line; names and order are a public contract. */
export interface AuditLine {
  readonly time: string
  readonly id: string
  readonly verdict: 'allowed' | 'refused' | 'would_refuse' | 'undecided' | 'hidden'
  readonly reason: string
  readonly principal: string | null
  readonly issuer: string | null
  readonly azp: string | null
  readonly sid: string | null
  /** A hash. */
  readonly jti: string | null
  readonly act: { readonly kind: string; readonly by: string } | null
  readonly client: {
    readonly id: string | null
    readonly software: string | null
    readonly address: string
    readonly listener: string
    readonly connection: string
    /** Subject of the client's certificate, where one was asked for and given. */
    readonly certificate?: string
  }
  readonly api: string | null
  readonly version: number | null
  readonly operation: string | null
  readonly resource: { readonly kind: string; readonly name: string } | null
  readonly grant: string | null
  readonly rule: string | null
  readonly generation: number | null
  readonly engine: string | null
  /** Name of the Kafka error that the client is told. */
  readonly error: string | null
}

export interface AuditSink {
  write(line: AuditLine): void
}

const MAX_QUEUED_BYTES = 16 * 1024 * 1024
const MAX_WRITE_BYTES = 256 * 1024

/** Lines to one file descriptor, written by the thread pool, so that a reader that stalls stalls nobody but itself. */
export class AuditFile implements AuditSink {
  /** Lines that found the queue full, or could not be written. */
  dropped = 0
  readonly #path: string | null
  readonly #maxQueuedBytes: number
  #fd: number
  #queue: Buffer[] = []
  #queuedBytes = 0
  #writing: Promise<void> | null = null

  /** @param path null: stdout. @throws when the file cannot be opened */
  constructor(path: string | null, maxQueuedBytes = MAX_QUEUED_BYTES) {
    this.#path = path
    this.#maxQueuedBytes = maxQueuedBytes
    this.#fd = path === null ? 1 : openSync(path, 'a', 0o640)
  }

  write(line: AuditLine): void {
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`)
    if (this.#queuedBytes + bytes.length > this.#maxQueuedBytes) {
      this.dropped++
      return
    }
    this.#queue.push(bytes)
    this.#queuedBytes += bytes.length
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = null
    })
  }

  /** Opens the file anew by its path: what is moved away by a rotation gets no more lines. */
  reopen(): void {
    if (this.#path === null) return
    const fd = openSync(this.#path, 'a', 0o640)
    const old = this.#fd
    this.#fd = fd
    void (this.#writing ?? Promise.resolve()).then(() => closeSync(old))
  }

  /** Waits until what is queued is written, or the time is over. */
  async flush(withinMs: number): Promise<void> {
    await Promise.race([this.#writing, sleep(withinMs, undefined, { ref: false })])
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#batch()
      let at = 0
      while (at < batch.length) {
        try {
          at += await writeSome(this.#fd, batch, at)
        } catch (why) {
          if ((why as NodeJS.ErrnoException).code === 'EAGAIN') {
            await sleep(20)
            continue
          }
          for (let i = at; i < batch.length; i++) if (batch[i] === 10) this.dropped++
          break
        }
      }
      this.#queuedBytes -= batch.length
    }
  }

  /** The next lines as one piece, so that there is one write for many. */
  #batch(): Buffer {
    let sizeBytes = 0
    let count = 0
    while (count < this.#queue.length && (count === 0 || sizeBytes + this.#queue[count]!.length <= MAX_WRITE_BYTES)) {
      sizeBytes += this.#queue[count++]!.length
    }
    const batch = Buffer.allocUnsafe(sizeBytes)
    let at = 0
    for (const line of this.#queue.splice(0, count)) at += line.copy(batch, at)
    return batch
  }
}

function writeSome(fd: number, bytes: Buffer, from: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, from, bytes.length - from, null, (why, written) => (why === null ? resolve(written) : reject(why)))
  })
}
