// Percentiles of what was measured.

/** The figure that so large a part of all does not exceed, to a hundredth. */
export function part(all: readonly number[], share: number): number {
  const sorted = all.toSorted((a, b) => a - b)
  return Math.round(sorted[Math.floor((sorted.length - 1) * share)]! * 100) / 100
}
