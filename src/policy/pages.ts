// A word for each slot, in pages that are made when something is first known there, so that who asks little keeps little.

const PAGE_BITS = 8
const PAGE = 1 << PAGE_BITS
/** Stands for a page in which nothing is known; never written to. */
const EMPTY = new Uint32Array(PAGE)

/** What is known at a slot; 0: nothing. */
export function wordAt(pages: readonly Uint32Array[], slot: number): number {
  const page = slot >>> PAGE_BITS
  return page < pages.length ? pages[page]![slot & (PAGE - 1)]! : 0
}

/** Adds bits to what is known at a slot. */
export function addWord(pages: Uint32Array[], slot: number, word: number): void {
  const at = slot >>> PAGE_BITS
  while (pages.length <= at) pages.push(EMPTY)
  const known = pages[at]!
  const page = known === EMPTY ? (pages[at] = new Uint32Array(PAGE)) : known
  page[slot & (PAGE - 1)]! |= word
}
