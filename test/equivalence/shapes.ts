// How a shape of a request is written: once for all versions, users and both sides.

/** How a shape names a topic on the side that it is sent to: a request is made anew for each side, since ids differ. */
export interface Side {
  topicId(name: string): string
}
/** What makes names of one run of a shape its own. */
export interface Run {
  readonly version: number
  readonly user: string
}
/** What is asked before, and not compared. */
export interface Step {
  /** Default: on the same connection as the shape itself. */
  readonly user?: string
  readonly api: string
  readonly version: number
  readonly body: object
}
export interface Shape {
  readonly api: string
  readonly shape: string
  /** Versions that this shape can be said in; default: all. */
  readonly versions?: readonly [number, number]
  /** Default: all. */
  readonly users?: readonly string[]
  before?(side: Side, run: Run): readonly Step[]
  body(side: Side, run: Run): object
  /** No response is due (acks=0): a Metadata request behind it tells whether the connection lives. */
  readonly silent?: boolean
  /** Asked only where there is time for everything: EQUIVALENCE=all. */
  readonly wide?: boolean
}

/** May be written and read, may be described, hidden, absent. */
export const [OPEN, SEEN, HIDDEN, ABSENT] = ['eq-open', 'eq-seen', 'eq-hidden', 'eq-absent'] as const
/** May be administered, too. */
export const ADMIN = 'eq-admin'
export const TOPICS = [OPEN, SEEN, HIDDEN, ADMIN] as const
export const LISTS = {
  open: [OPEN],
  mixed: [OPEN, SEEN, HIDDEN, ABSENT],
  hidden: [HIDDEN],
  twice: [OPEN, HIDDEN, OPEN, HIDDEN],
  none: [],
  own: [ADMIN, HIDDEN, ABSENT],
} as const

export const named = (side: Side, name: string) => ({ name, topic: name, topicId: side.topicId(name) })
/** One shape for each list of topics. */
export function overTopics(
  api: string,
  body: (topics: (fields: object) => object[], run: Run) => object,
  lists: readonly (keyof typeof LISTS)[] = ['open', 'mixed', 'hidden'],
  versions?: readonly [number, number],
): Shape[] {
  return lists.map(shape => ({
    api,
    shape,
    ...(versions && { versions }),
    body: (side, run) => body(fields => LISTS[shape].map(name => ({ ...named(side, name), ...fields })), run),
  }))
}

export const partition0 = { partition: 0, partitionIndex: 0, index: 0, currentLeaderEpoch: -1 }
export const group = (run: Run, name = 'eq-group') => `${name}-${run.user}-${run.version}`
