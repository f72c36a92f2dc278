// Frames out of a socket, for both fake ends: plain and slow on purpose.

import type { Socket } from 'node:net'

/** Collects what a socket reads and gives it out frame by frame. */
export class Frames {
  readonly socket: Socket
  /** Resolves when the socket has closed. */
  readonly closed: Promise<void>
  #chunks: Buffer[] = []
  #length = 0
  #waiting: (() => void)[] = []
  #over = false

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk)
      this.#length += chunk.length
      this.#wake()
    })
    socket.on('error', () => {})
    this.closed = new Promise(resolve => {
      socket.on('close', () => {
        this.#over = true
        this.#wake()
        resolve()
      })
    })
  }

  /** The next whole frame, size included; null: the socket has closed before it. */
  async next(): Promise<Buffer | null> {
    for (;;) {
      if (this.#length >= 4) {
        const head = this.#chunks[0]!.length >= 4 ? this.#chunks[0]! : this.rest
        const end = 4 + head.readInt32BE(0)
        if (this.#length >= end) {
          const bytes = this.rest
          this.#chunks = end === bytes.length ? [] : [bytes.subarray(end)]
          this.#length -= end
          return bytes.subarray(0, end)
        }
      }
      if (this.#over) return null
      await new Promise<void>(resolve => this.#waiting.push(resolve))
    }
  }

  /** What has come and was not given out. */
  get rest(): Buffer {
    if (this.#chunks.length !== 1) this.#chunks = [Buffer.concat(this.#chunks)]
    return this.#chunks[0]!
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }
}

/** Any frame: a request header v1 without a client id, and a body. */
export function request(apiKey: number, apiVersion: number, correlationId: number, body: Buffer = Buffer.alloc(0)): Buffer {
  const frame = Buffer.alloc(14 + body.length)
  frame.writeInt32BE(10 + body.length, 0)
  frame.writeInt16BE(apiKey, 4)
  frame.writeInt16BE(apiVersion, 6)
  frame.writeInt32BE(correlationId, 8)
  frame.writeInt16BE(-1, 12)
  body.copy(frame, 14)
  return frame
}

export function response(correlationId: number, body: Buffer = Buffer.alloc(0)): Buffer {
  const frame = Buffer.alloc(8 + body.length)
  frame.writeInt32BE(4 + body.length, 0)
  frame.writeInt32BE(correlationId, 4)
  body.copy(frame, 8)
  return frame
}
