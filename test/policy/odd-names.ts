// Names that an encoding could trip over: signs of OpenFGA's own, NUL, other scripts, what looks encoded already, and lengths around its limit.

const PIECES: readonly string[] = [
  ...[':', '#', '@', '*', ' ', '\0', '/', '+', '%', '.', '-', '_', '\n', '"', '\\'],
  ...['+2F', '+2f', '+00', '%2F', '@', 'topic:', 'user:*', '#member', 'main/', '\u0000'],
  ...['ä', 'ß', '名', 'тема', 'موضوع', '😀', 'e\u0301', 'é', '\u200b', '\ufeff'],
  ...['a', 'b', 'A', 'orders', 'payments.', '0', '00'],
]

/** A small generator with a seed: mulberry32. */
function numbers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** So many names, few of them the same; one in eight is just bytes, one in sixteen is 240 to 310 bytes long. */
export function* names(count: number, seed: number): Generator<Buffer> {
  const next = numbers(seed)
  const below = (n: number): number => Math.floor(next() * n)
  for (let i = 0; i < count; i++) {
    if (i % 8 === 0) {
      yield Buffer.from(Array.from({ length: below(12) }, () => below(256)))
      continue
    }
    const pieces = Array.from({ length: 1 + below(8) }, () => PIECES[below(PIECES.length)]!)
    const name = Buffer.from(pieces.join(''))
    yield i % 16 === 1 ? Buffer.concat([Buffer.alloc(Math.max(0, 240 + below(70) - name.length), 'x'), name]) : name
  }
}
