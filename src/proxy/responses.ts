// From broker to client: meets each response with what is expected next, and passes it on, edited or as it lies.

import { Counter } from '../base/counters.ts'
import type { ResponseEdit, ResponseStream } from '../policy/outcome.ts'
import { i32, MalformedError } from '../protocol/wire.ts'
import type { Block } from './buffers.ts'
import { FrameReader, Stop } from './frame-reader.ts'
import { RESPONSE } from './held.ts'
import { Holding } from './holding.ts'
import type { Session } from './session.ts'

/** Size and correlation id. */
const HEAD_BYTES = 8

export class Responses extends FrameReader {
  readonly holding: Holding
  readonly #session: Session
  #stream: ResponseStream | null = null
  /** Bytes of a streaming response that are still to come. */
  #left = 0
  /** The client did not want this response: none of it is passed on. */
  #unwanted = false
  /** The edit of the response that is held now: it has said that it does not stream. */
  #held: ResponseEdit | null = null
  /** The first response of a request that became two. */
  #first: Buffer | null = null
  #bytes: Buffer | null = null
  #block: Block | null = null
  readonly #send = (piece: Buffer): void => this.#sendPiece(piece)

  constructor(session: Session) {
    super()
    this.#session = session
    this.holding = new Holding(session, this, RESPONSE)
  }

  protected override arrived(count: number): void {
    this.#session.broker.heard = true
    this.#session.arrived(Counter.bytesFromBrokers!, count)
  }

  protected override scan(bytes: Buffer, block: Block | null, start: number, end: number): number {
    const session = this.#session
    session.toClient.begin()
    let at = start
    try {
      at = this.#walk(bytes, block, start, end)
    } catch (error) {
      session.leave() // what came before it was in order
      session.fail(error)
      return end
    }
    session.flush()
    return at
  }

  #walk(bytes: Buffer, block: Block | null, start: number, end: number): number {
    let at = start
    while (this.stopped === 0 && at < end && this.#session.stillAllowed.check()) {
      if (this.#left > 0) {
        at = this.#passOn(bytes, block, at, end)
        continue
      }
      if (end - at < HEAD_BYTES) {
        this.needBytes = HEAD_BYTES
        break
      }
      const wholeBytes = i32(bytes, at) + 4
      const edit = this.#expected(bytes, at, wholeBytes)
      if (this.#unwanted) {
        this.#left = wholeBytes
        continue
      }
      if (edit === null || this.#streams(edit)) {
        this.#left = wholeBytes
        continue
      }
      if (end - at < wholeBytes) {
        this.needBytes = wholeBytes
        this.holding.begin(wholeBytes)
        break
      }
      this.holding.end()
      if (!this.#edit(edit, bytes, block, at, at + wholeBytes)) break
      at += wholeBytes
    }
    return at
  }

  /** What is done with the response at `at`. @throws {MalformedError} it is not the one that is due */
  #expected(bytes: Buffer, at: number, wholeBytes: number): ResponseEdit | null {
    const { pending } = this.#session
    if (wholeBytes < HEAD_BYTES) throw new MalformedError('the broker sent a response without a correlation id', at)
    const correlationId = i32(bytes, at + 4)
    if ((pending.size === 0 || pending.correlationId !== correlationId) && pending.answersQuiet(correlationId)) {
      this.#unwanted = true
      return null
    }
    if (pending.size === 0) throw new MalformedError(`the broker answered ${correlationId}, and nothing was asked`, at)
    if (pending.correlationId !== correlationId) {
      throw new MalformedError(`the broker answered ${correlationId} in the turn of ${pending.correlationId}`, at)
    }
    return pending.edit
  }

  #streams(edit: ResponseEdit): boolean {
    if (edit === this.#held) return false
    this.#session.callerConcernsOldest()
    this.#stream = edit.frames === 1 ? edit.stream() : null
    if (this.#stream !== null) return true
    this.#held = edit
    return false
  }

  #passOn(bytes: Buffer, block: Block | null, at: number, end: number): number {
    const { toClient } = this.#session
    const count = Math.min(this.#left, end - at)
    this.#left -= count
    if (this.#unwanted) {
      this.#unwanted = this.#left > 0
      return at + count
    }
    if (this.#stream === null) toClient.pass(bytes, block, at, at + count)
    else {
      this.#bytes = bytes
      this.#block = block
      const complete = this.#stream.push(bytes, at, at + count, this.#send)
      this.#bytes = this.#block = null
      if (complete !== (this.#left === 0)) throw new MalformedError('a streamed response does not end with its frame', at)
    }
    if (this.#left === 0) {
      this.#stream = null
      this.#done()
    }
    return at + count
  }

  #sendPiece(piece: Buffer): void {
    const bytes = this.#bytes
    const { toClient } = this.#session
    // A view of what was read leaves together with its neighbours, and keeps its block.
    if (bytes !== null && piece.buffer === bytes.buffer) {
      const from = piece.byteOffset - bytes.byteOffset
      if (from >= 0 && from + piece.length <= bytes.length) {
        toClient.pass(bytes, this.#block, from, from + piece.length)
        return
      }
    }
    toClient.put(piece)
  }

  /** One held frame. False: the answer to it is not there yet, and the frame stays where it lies. */
  #edit(edit: ResponseEdit, bytes: Buffer, block: Block | null, start: number, end: number): boolean {
    const frame = bytes.subarray(start, end)
    if (edit.frames === 2 && this.#first === null) {
      this.#first = Buffer.from(frame)
      this.#held = null
      return true
    }
    const frames = this.#first === null ? [frame] : [this.#first, frame]
    this.#session.callerConcernsOldest()
    const edited = edit.whole(frames)
    if (edited instanceof Promise) {
      this.#await(edited, end - start)
      return false
    }
    this.#bytes = bytes
    this.#block = block
    this.#sendPiece(edited)
    this.#bytes = this.#block = null
    this.#done()
    return true
  }

  /** The client's later responses wait for this one. The frame stays in place until it is there, then it is stepped over. */
  #await(edited: Promise<Buffer>, wholeBytes: number): void {
    this.stop(Stop.Ask)
    this.needBytes = wholeBytes
    const held = this.#session.pending.edit!
    edited.then(
      frame => {
        if (this.#session.closed) return
        this.#session.pending.replace(new Ready(held, frame))
        this.#held = this.#session.pending.edit
        this.go(Stop.Ask)
      },
      error => this.#session.fail(error),
    )
  }

  /** The oldest request has its response. */
  #done(): void {
    this.#held = null
    this.#first = null
    this.#session.pending.shift()
    this.#session.answered()
  }
}

/** Stands in the order book for an edit whose result has come late. */
class Ready implements ResponseEdit {
  readonly frames = 1
  readonly #edit: ResponseEdit
  readonly #frame: Buffer
  constructor(edit: ResponseEdit, frame: Buffer) {
    this.#edit = edit
    this.#frame = frame
  }
  whole(): Buffer {
    return this.#frame
  }
  stream(): null {
    return null
  }
  stillAllowed(): 'yes' | 'no' | 'unknown' {
    return this.#edit.stillAllowed?.() ?? 'yes'
  }
  dropped(): void {
    this.#edit.dropped?.()
  }
}
