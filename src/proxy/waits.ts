// Waiting that ends: for something, or for so long.

/** Resolves when the work has, or the time is over. Rejects as the work does, if it does so in time. */
export async function within(work: Promise<unknown>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>(resolve => {
    timer = setTimeout(resolve, timeoutMs)
  })
  await Promise.race([work, late]).finally(() => clearTimeout(timer))
}
