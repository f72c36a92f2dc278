// One port for all brokers: which broker a client means by the server name that it asks for.

const NODE_ID = '{nodeId}'
const MAX_NODE_ID = 2 ** 31 - 1

/** The name of a broker; `pattern` has `{nodeId}` in it. */
export const nameOf = (pattern: string, nodeId: number): string => pattern.replace(NODE_ID, String(nodeId))

/** The names that one listener answers to, compared as DNS does: in any case, with or without the dot at the end. */
export class ServerNames {
  readonly #bootstrap: string
  readonly #before: string
  readonly #after: string

  constructor(bootstrap: string, pattern: string) {
    const at = pattern.indexOf(NODE_ID)
    this.#bootstrap = bootstrap.toLowerCase()
    this.#before = pattern.slice(0, at).toLowerCase()
    this.#after = pattern.slice(at + NODE_ID.length).toLowerCase()
  }

  /** The node of that name; null: the bootstrap name; undefined: none of ours. */
  nodeOf(serverName: string): number | null | undefined {
    const name = serverName.toLowerCase().replace(/\.$/, '')
    if (name === this.#bootstrap) return null
    if (!name.startsWith(this.#before) || !name.endsWith(this.#after)) return undefined
    const digits = name.slice(this.#before.length, name.length - this.#after.length)
    if (!/^(0|[1-9]\d{0,9})$/.test(digits)) return undefined
    const nodeId = Number(digits)
    return nodeId <= MAX_NODE_ID ? nodeId : undefined
  }
}
