// IP addresses and CIDR blocks, compared as bytes; an IPv4-mapped IPv6 address is the IPv4 address.

import { isIPv4, isIPv6 } from 'node:net'

/** 16 bytes; IPv4 as ::ffff:a.b.c.d. */
type Address = Uint8Array

export interface Block {
  readonly address: Address
  /** Of 128. */
  readonly bits: number
}

/** An IPv4-mapped address as IPv4. */
export const shortest = (address: string): string => (address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address)

/** The address, or null if the text is none. */
export function parseAddress(text: string): Address | null {
  if (isIPv4(text)) return mapped(text)
  if (!isIPv6(text) || text.includes('%')) return null
  const address = new Uint8Array(16)
  const [head, tail] = text.split('::') as [string, string | undefined]
  const front = groups(head)
  const back = tail === undefined ? [] : groups(tail)
  const all = tail === undefined ? front : [...front, ...new Array<number>(8 - front.length - back.length).fill(0), ...back]
  all.forEach((group, i) => {
    address[i * 2] = group >>> 8
    address[i * 2 + 1] = group & 0xff
  })
  return address
}

/** The block `a.b.c.d/n` or `x::/n`; or in words what is wrong with it. */
export function parseBlock(text: string): Block | string {
  const [base, length, ...rest] = text.split('/') as [string, string | undefined, ...string[]]
  const address = parseAddress(base)
  if (address === null) return `${JSON.stringify(base)} is not an IP address`
  if (rest.length > 0) return 'a block has one /'
  const most = isIPv4(base) ? 32 : 128
  const own = length === undefined ? most : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN
  if (!(own <= most)) return `the length after / must be 0 to ${most}`
  const bits = own + 128 - most
  for (let bit = bits; bit < 128; bit++) {
    if (address[bit >>> 3]! & (0x80 >>> (bit & 7))) return `${base} has bits set after the first ${own}`
  }
  return { address, bits }
}

export function contains(block: Block, address: Address): boolean {
  const whole = block.bits >>> 3
  for (let i = 0; i < whole; i++) if (block.address[i] !== address[i]) return false
  const rest = block.bits & 7
  return rest === 0 || ((block.address[whole]! ^ address[whole]!) & (0xff00 >>> rest) & 0xff) === 0
}

/** A list of blocks that says whether an address is in any of them; undefined if the address is none. */
export class Networks {
  readonly #blocks: readonly Block[]

  /** @param texts blocks that were checked when the policy was read */
  constructor(texts: readonly string[]) {
    this.#blocks = texts.map(text => {
      const block = parseBlock(text)
      if (typeof block === 'string') throw new Error(`${text}: ${block}`)
      return block
    })
  }

  has(text: string): boolean | undefined {
    const address = parseAddress(text)
    return address === null ? undefined : this.#blocks.some(block => contains(block, address))
  }
}

function mapped(text: string): Address {
  return Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...text.split('.').map(Number))
}

function groups(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap(group => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)]
    const [a, b, c, d] = group.split('.').map(Number) as [number, number, number, number]
    return [(a << 8) | b, (c << 8) | d]
  })
}
