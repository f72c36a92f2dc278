// Waiting that ends: for something, or for so long, or until the next try.

/** What the work comes to; undefined: the time was over first. Rejects as the work does, if it does so in time. */
export function within<T>(work: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>(resolve => {
    timer = setTimeout(resolve, timeoutMs, undefined)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/**
 * How long until the next try: doubling from 250 ms to 10 s, with jitter so that many gates do not knock together;
 * from 2 s to 60 s after a login that was refused, since knocking on could lock an account.
 */
export const backoffMs = (failures: number, random: number, refused = false): number =>
  Math.min((refused ? 2_000 : 250) * 2 ** Math.min(failures - 1, 6), refused ? 60_000 : 10_000) * (0.5 + random / 2)
