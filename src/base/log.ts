// The operator's log: pino lines on stderr; stdout belongs to the audit.

import { type Logger, pino } from 'pino'

export type Log = Logger

/** What waits for a stderr that nobody reads; beyond it lines are lost, and the gate goes on. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024

/** One a thread. Written by the thread pool: a stderr that stalls must not stall clients. */
export function openLog(worker: number | null, level = process.env['TOPICGATE_LOG_LEVEL'] ?? 'info'): Log {
  return pino(
    {
      level: level in pino.levels.values || level === 'silent' ? level : 'info',
      base: worker === null ? {} : { worker },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
    },
    pino.destination({ fd: 2, sync: false, minLength: 0, maxLength: MAX_WAITING_BYTES }),
  )
}

/** Lets so many lines a second through; `skipped` are told with the next one. */
export class RateLimit {
  readonly #perSecond: number
  #left: number
  #second = 0
  #skipped = 0

  constructor(perSecond: number) {
    this.#perSecond = perSecond
    this.#left = perSecond
  }

  /** The number of lines that were left out since the last one, or -1: leave this one out too. */
  take(nowMs: number): number {
    const second = Math.floor(nowMs / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#left = this.#perSecond
    }
    if (this.#left === 0) {
      this.#skipped++
      return -1
    }
    this.#left--
    const skipped = this.#skipped
    this.#skipped = 0
    return skipped
  }
}
