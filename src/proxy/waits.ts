// Waiting that ends: for something, or for so long, or until the next try.

/** Resolves when the work has, or the time is over. Rejects as the work does, if it does so in time. */
export async function within(work: Promise<unknown>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>(resolve => {
    timer = setTimeout(resolve, timeoutMs)
  })
  await Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/**
 * How long until the next try: doubling from 250 ms to 10 s, with jitter so that many gates do not knock together;
 * from 2 s to 60 s after a login that was refused, since knocking on could lock an account.
 */
export const backoffMs = (failures: number, random: number, refused = false): number =>
  Math.min((refused ? 2_000 : 250) * 2 ** Math.min(failures - 1, 6), refused ? 60_000 : 10_000) * (0.5 + random / 2)
