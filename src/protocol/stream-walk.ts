// A walk over a message that arrives in pieces, cut anywhere: it accepts what the whole walk accepts, and keeps only a few numbers.

import { MORE, PieceReader } from './piece-reader.ts'
import { Kind, type Step, type StreamProgram } from './stream-program.ts'
import { mustBeUtf8 } from './walk.ts'
import { i16, i32, malformed, pastEnd } from './wire.ts'

export { compileStream, type StreamProgram } from './stream-program.ts'

/**
 * Told of each marked value when its last byte is there. `b[start..end)` is the piece, or a copy where the value was cut; both may change
 * after the call. `start < 0` is null. `at`: offset of the value's first byte in the message.
 */
export type StreamVisit = (mark: number, b: Buffer, start: number, end: number, at: number) => void

/** A body in progress: a structure, or the elements of a list. */
interface Level {
  steps: readonly Step[]
  i: number
  /** Elements left, the present one included. */
  left: number
  phase: number
  tagsLeft: number
  lastTag: number
  /** Offset in the message where the present tagged field says that it ends. */
  tagEnd: number
}
const level = (steps: readonly Step[]): Level => ({ steps, i: 0, left: 1, phase: 0, tagsLeft: 0, lastTag: -1, tagEnd: 0 })

export class StreamWalk {
  /** Bytes of the message walked so far. */
  at = 0
  sizeBytes = 0
  /** The message is complete and valid. */
  done = false
  readonly #program: StreamProgram
  readonly #visit: StreamVisit
  readonly #levels: Level[] = []
  #depth = 0
  #skip = 0
  #want = 0
  readonly #r = new PieceReader()

  constructor(program: StreamProgram, visit: StreamVisit) {
    this.#program = program
    this.#visit = visit
    this.start(0)
  }

  /** Begins a message of `sizeBytes`; its body only, without frame size and header. */
  start(sizeBytes: number): void {
    this.at = 0
    this.sizeBytes = sizeBytes
    this.done = false
    this.#depth = -1
    this.#skip = 0
    this.#r.reset()
    this.#enter(this.#program, 1)
  }

  /** Walks the message's next bytes; returns how many of them belong to it. @throws {MalformedError} this message cannot go on */
  push(bytes: Buffer, start: number, end: number): number {
    const take = Math.min(end - start, this.sizeBytes - this.at)
    this.#r.take(bytes, start, start + take, this.at)
    if (!this.done) this.#run()
    this.at = this.#r.at
    if (this.at === this.sizeBytes && !this.done) pastEnd('message', this.at)
    this.#r.drop()
    return take
  }

  #run(): void {
    for (;;) {
      if (this.#skip > 0) {
        const n = Math.min(this.#skip, this.#r.stop - this.#r.p)
        this.#r.p += n
        this.#skip -= n
        if (this.#skip > 0) return
      }
      const l = this.#levels[this.#depth]!
      if (l.i === l.steps.length) {
        if (!this.#leave(l)) return
      } else if (!this.#step(l, l.steps[l.i]!)) return
    }
  }

  #enter(steps: readonly Step[], left: number): void {
    const depth = ++this.#depth
    const l = this.#levels[depth]
    if (l === undefined) {
      this.#levels[depth] = level(steps)
      this.#levels[depth]!.left = left
      return
    }
    l.steps = steps
    l.i = 0
    l.left = left
    l.phase = 0
  }

  /** A body has ended: its next element, or what stands after it. False: the message has ended. */
  #leave(l: Level): boolean {
    if (--l.left > 0) {
      l.i = 0
      return true
    }
    const at = this.#r.at
    if (this.#depth === 0) {
      if (at !== this.sizeBytes) malformed(`${this.sizeBytes - at} bytes left over`, at)
      this.done = true
      return false
    }
    const parent = this.#levels[--this.#depth]!
    const step = parent.steps[parent.i]!
    if (step.kind !== Kind.Tags) this.#next(parent, step)
    else if (at !== parent.tagEnd) malformed(`tag ${parent.lastTag} is not as long as it says`, at)
    return true
  }

  #next(l: Level, step: Step): void {
    if (step.ended >= 0) this.#visit(step.ended, this.#r.b, this.#r.p, this.#r.p, this.#r.at)
    l.i++
  }

  /** False: more bytes are needed. */
  #step(l: Level, step: Step): boolean {
    switch (step.kind) {
      case Kind.Fixed:
        return this.#fixed(l, step)
      case Kind.Counted:
        return this.#counted(l, step)
      case Kind.List:
      case Kind.FixedList:
        return this.#list(l, step)
      case Kind.Nullable:
        if (!this.#r.read(1)) return false
        if (this.#r.from[this.#r.start]! < 128) this.#enter(step.body, 1)
        else l.i++
        return true
      default:
        return this.#tags(l, step)
    }
  }

  #fixed(l: Level, step: Step): boolean {
    if (step.mark < 0) this.#pass(step.bytes)
    else if (this.#r.read(step.bytes)) this.#tell(step.mark)
    else return false
    l.i++
    return true
  }

  #counted(l: Level, step: Step): boolean {
    if (l.phase === 0) {
      const n = this.#length(step)
      if (n === MORE) return false
      if (n < 0 || step.mark < 0) {
        if (step.mark >= 0) this.#visit(step.mark, this.#r.b, -1, -1, this.#r.at)
        this.#pass(n < 0 ? 0 : n)
        l.i++
        return true
      }
      this.#want = n
      l.phase = 1
    }
    if (!this.#r.content(this.#want)) return false
    if (step.text) mustBeUtf8(this.#r.from, this.#r.start, this.#r.start + this.#r.width, step.counted!.name)
    this.#tell(step.mark)
    l.phase = 0
    l.i++
    return true
  }

  #list(l: Level, step: Step): boolean {
    const n = this.#length(step)
    if (n === MORE) return false
    if (step.mark >= 0) {
      if (n < 0) this.#visit(step.mark, this.#r.b, -1, -1, this.#r.at)
      else this.#tell(step.mark)
    }
    if (n <= 0) this.#next(l, step)
    else if (step.kind === Kind.List) this.#enter(step.body, n)
    else {
      // The end is told when the elements have passed: a body without steps, entered behind them.
      this.#pass(n * step.bytes)
      this.#enter(step.body, 1)
    }
    return true
  }

  #tags(l: Level, step: Step): boolean {
    if (l.phase === 0) {
      const n = this.#r.varint()
      if (n === MORE) return false
      l.tagsLeft = n
      l.lastTag = -1
      l.phase = 1
    }
    if (l.phase === 1) {
      if (l.tagsLeft === 0) {
        l.phase = 0
        l.i++
        return true
      }
      const tag = this.#r.varint()
      if (tag === MORE) return false
      if (tag <= l.lastTag) malformed(`tag ${tag} after tag ${l.lastTag}`, this.#r.at)
      l.lastTag = tag
      l.phase = 2
    }
    const bytes = this.#r.varint()
    if (bytes === MORE) return false
    this.#mustFit(bytes)
    l.phase = 1
    l.tagsLeft--
    const known = step.tags.get(l.lastTag)
    if (known !== undefined) {
      l.tagEnd = this.#r.at + bytes
      this.#enter(known, 1)
    } else {
      if (step.refusedTags.has(l.lastTag)) malformed(`tag ${l.lastTag} is not valid for this version`, this.#r.at)
      this.#pass(bytes)
    }
    return true
  }

  #tell(mark: number): void {
    this.#visit(mark, this.#r.from, this.#r.start, this.#r.start + this.#r.width, this.#r.at - this.#r.width)
  }

  #mustFit(bytes: number): void {
    const at = this.#r.at
    if (bytes > this.sizeBytes - at) pastEnd(`${bytes} bytes`, at)
  }

  #pass(bytes: number): void {
    this.#mustFit(bytes)
    this.#skip = bytes
  }

  /** The same rules as `lengthAt`. */
  #length(step: Step): number {
    const c = step.counted!
    let n: number
    if (c.compact) {
      n = this.#r.varint()
      if (n === MORE) return MORE
      n--
    } else {
      if (!this.#r.read(c.prefix)) return MORE
      n = c.prefix === 2 ? i16(this.#r.from, this.#r.start) : i32(this.#r.from, this.#r.start)
    }
    const at = this.#r.at
    if (n < 0 ? n !== -1 || !c.nullable : n > this.sizeBytes - at || n > c.max) malformed(`${c.name} has length ${n}`, at)
    return n
  }
}
