// The time of the current read: sessions move it once for each read, and everything judged within that read sees the same time.

export interface Clock {
  /** Epoch ms. */
  readonly nowMs: number
}

class ReadClock implements Clock {
  nowMs = Date.now()
  /** Called once for each read of a socket, and before anything that is judged outside of one. */
  tick(): number {
    return (this.nowMs = Date.now())
  }
}

/** One a thread. */
export const clock = new ReadClock()
