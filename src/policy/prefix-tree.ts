// Which patterns cover a name: a radix tree over bytes, laid out in flat arrays, walked once from the root.

export interface Entry {
  readonly bytes: Buffer
  /** Covers all names that begin with `bytes`; else only that name. */
  readonly prefix: boolean
}

/**
 * A node is a distinct text that patterns have in common or end at. Its children lie side by side, ordered by the first byte of
 * their labels; its entries lie in `order`: literals from `#literals[n]`, prefixes from `#prefixes[n]`, up to `#literals[n + 1]`.
 */
export class PrefixTree {
  /** Ranges in `order` that the last `match` found: start, end, start, end… */
  readonly found: Int32Array
  /** Indexes of the entries that the tree was built from. */
  readonly order: Int32Array
  readonly #labels: Buffer
  readonly #labelStart: Int32Array
  readonly #firstByte: Uint8Array
  readonly #childStart: Int32Array
  readonly #literals: Int32Array
  readonly #prefixes: Int32Array

  constructor(entries: readonly Entry[]) {
    const sorted = entries.map((_, i) => i).sort((a, b) => compare(entries[a]!, entries[b]!))
    const nodes = grow(entries, sorted)
    const count = nodes.length
    this.order = Int32Array.from(sorted)
    this.#labels = Buffer.alloc(nodes.reduce((sum, n) => sum + n.to - n.from, 0))
    this.#labelStart = new Int32Array(count + 1)
    this.#firstByte = new Uint8Array(count)
    this.#childStart = new Int32Array(count + 1)
    this.#literals = new Int32Array(count)
    this.#prefixes = new Int32Array(count * 2)
    let deepest = 0
    nodes.forEach((node, n) => {
      const at = this.#labelStart[n]!
      node.bytes.copy(this.#labels, at, node.from, node.to)
      this.#labelStart[n + 1] = at + node.to - node.from
      this.#firstByte[n] = node.bytes[node.from] ?? 0
      this.#childStart[n] = node.firstChild
      this.#literals[n] = node.literals
      this.#prefixes[n * 2] = node.prefixes
      this.#prefixes[n * 2 + 1] = node.end
      deepest = Math.max(deepest, node.level)
    })
    this.#childStart[count] = count
    this.found = new Int32Array((deepest + 1) * 2)
  }

  /** Walks `name` and leaves in `found` the ranges of the entries that cover it. Returns how many numbers stand there. */
  match(name: Uint8Array): number {
    const labels = this.#labels
    const labelStart = this.#labelStart
    const length = name.length
    let node = 0
    let depth = 0
    let n = 0
    for (;;) {
      const start = depth === length ? this.#literals[node]! : this.#prefixes[node * 2]!
      const end = this.#prefixes[node * 2 + 1]!
      if (start < end) {
        this.found[n++] = start
        this.found[n++] = end
      }
      if (depth === length) return n
      node = this.#child(node, name[depth]!)
      if (node < 0) return n
      let at = labelStart[node]!
      const to = labelStart[node + 1]!
      if (length - depth < to - at) return n
      while (at < to) if (labels[at++] !== name[depth++]) return n
    }
  }

  #child(node: number, byte: number): number {
    let low = this.#childStart[node]!
    let high = this.#childStart[node + 1]!
    while (low < high) {
      const middle = (low + high) >>> 1
      const first = this.#firstByte[middle]!
      if (first === byte) return middle
      if (first < byte) low = middle + 1
      else high = middle
    }
    return -1
  }
}

interface Node {
  /** The label is `bytes[from..to)`. */
  readonly bytes: Buffer
  readonly from: number
  readonly to: number
  readonly level: number
  firstChild: number
  literals: number
  prefixes: number
  end: number
}

/** By bytes; of equal texts, literals first. */
function compare(a: Entry, b: Entry): number {
  return Buffer.compare(a.bytes, b.bytes) || Number(a.prefix) - Number(b.prefix)
}

/** Nodes breadth first, so that the children of a node lie side by side. */
function grow(entries: readonly Entry[], sorted: readonly number[]): Node[] {
  const none = Buffer.alloc(0)
  const nodes: Node[] = [{ bytes: none, from: 0, to: 0, level: 0, firstChild: 0, literals: 0, prefixes: 0, end: 0 }]
  const spans: [number, number][] = [[0, sorted.length]]
  const at = (i: number): Entry => entries[sorted[i]!]!
  for (let n = 0; n < nodes.length; n++) {
    const node = nodes[n]!
    let [next, high] = spans[n]!
    node.literals = next
    while (next < high && at(next).bytes.length === node.to && !at(next).prefix) next++
    node.prefixes = next
    while (next < high && at(next).bytes.length === node.to) next++
    node.end = next
    node.firstChild = nodes.length
    while (next < high) {
      const low = next
      const byte = at(low).bytes[node.to]
      while (next < high && at(next).bytes[node.to] === byte) next++
      const first = at(low).bytes
      nodes.push({ ...node, bytes: first, from: node.to, to: common(first, at(next - 1).bytes), level: node.level + 1 })
      spans.push([low, next])
    }
  }
  return nodes
}

function common(a: Buffer, b: Buffer): number {
  let n = 0
  while (n < a.length && n < b.length && a[n] === b[n]) n++
  return n
}
