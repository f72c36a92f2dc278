// Durations and sizes as people write them in files.

const DURATION_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const SIZE_BYTES = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const

export const DURATION = /^(\d{1,9})(ms|s|m|h|d)$/
export const SIZE = /^(\d{1,9})(B|KiB|MiB|GiB)$/

/** `250ms`, `10s`, `5m`, `1h`, `1d` in ms. The text was checked against DURATION. */
export function durationMs(text: string): number {
  const [, count, unit] = DURATION.exec(text)!
  return Number(count) * DURATION_MS[unit as keyof typeof DURATION_MS]
}

/** `64KiB`, `100MiB` in bytes. The text was checked against SIZE. */
export function sizeBytes(text: string): number {
  const [, count, unit] = SIZE.exec(text)!
  return Number(count) * SIZE_BYTES[unit as keyof typeof SIZE_BYTES]
}
