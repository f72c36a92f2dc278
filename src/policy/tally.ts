// Counts how often something occurs: what occurs no more is forgotten.

export class Tally extends Map<string, number> {
  count(key: string, by: 1 | -1): void {
    const n = (this.get(key) ?? 0) + by
    if (n === 0) this.delete(key)
    else this.set(key, n)
  }
}
