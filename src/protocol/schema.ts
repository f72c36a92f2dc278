// The words in which Kafka's messages are written down, and what each word means on the wire.

/** Kafka's wire types: https://kafka.apache.org/protocol#protocol_types. `records` is carried, never opened. */
interface Types {
  bool: boolean
  int8: number
  int16: number
  uint16: number
  int32: number
  uint32: number
  int64: bigint
  float64: number
  uuid: string
  string: string
  bytes: Buffer
  records: Buffer
}
type Name = keyof Types

/** `type[?[versions]] [versions] [tag n] [= default] [@entity]`, e.g. 'string? 3+ @transactionalId', 'int64 5+ = -1'. */
export type Leaf = `${Name}${'' | ` ${string}` | `?${string}`}`
export type Fields = { readonly [field: string]: Leaf | List<any, string> | Struct<any, string> }
export interface List<E, N extends string> {
  readonly kind: 'list'
  readonly note: N
  readonly of: E
}
export interface Struct<F, N extends string> {
  readonly kind: 'struct'
  readonly note: N
  readonly of: F
}

/** An array: `list({...})`, or with a note such as '8+' or '?1+' or '10+ tag 0' before its element. */
export function list<const E extends Fields | Leaf>(of: E): List<E, ''>
export function list<const N extends string, const E extends Fields | Leaf>(note: N, of: E): List<E, N>
export function list(a: any, b?: any): any {
  return b === undefined ? { kind: 'list', note: '', of: a } : { kind: 'list', note: a, of: b }
}

/** A structure that stands alone: inline, nullable ('?') or tagged. */
export function struct<const F extends Fields>(of: F): Struct<F, ''>
export function struct<const N extends string, const F extends Fields>(note: N, of: F): Struct<F, N>
export function struct(a: any, b?: any): any {
  return b === undefined ? { kind: 'struct', note: '', of: a } : { kind: 'struct', note: a, of: b }
}

type Word<S> = S extends `${infer W} ${string}` ? W : S
type LeafValue<W> = W extends `${infer N extends Name}?${string}` ? Types[N] | null : W extends Name ? Types[W] : never
type FieldValue<F> =
  F extends List<infer E, infer N>
    ? Nullish<N, (E extends Fields ? Value<E> : FieldValue<E>)[]>
    : F extends Struct<infer S, infer N>
      ? Nullish<N, Value<S>>
      : LeafValue<Word<F>>
type Nullish<N, T> = N extends `?${string}` ? T | null : T
/** The plain object that a message decodes to. */
export type Value<F> = { -readonly [K in keyof F]: FieldValue<F[K]> }

export interface Api<Q = any, S = any> {
  readonly key: number
  readonly name: string
  readonly versions: Range
  readonly flexible: Range
  readonly request: Q
  readonly response: S
}
export function api<const Q extends Fields, const S extends Fields>(
  key: number,
  name: string,
  versions: string,
  flexible: string,
  messages: { request: Q; response: S },
): Api<Q, S> {
  return { key, name, versions: range(versions), flexible: range(flexible), ...messages }
}

/** Versions from `min` to `max`, both included. */
export interface Range {
  readonly min: number
  readonly max: number
}
const NEVER: Range = { min: 1, max: 0 }
export const ALWAYS: Range = { min: 0, max: 32767 }
export const within = (r: Range, version: number): boolean => version >= r.min && version <= r.max
export function range(text: string): Range {
  const m = /^(\d+)(?:-(\d+)|(\+))?$/.exec(text)
  if (!m) {
    if (text === 'none') return NEVER
    throw new TypeError(`not a version range: '${text}'`)
  }
  const min = Number(m[1])
  return { min, max: m[3] ? 32767 : m[2] ? Number(m[2]) : min }
}

/** One field as one version of a message lays it out. */
export interface Slot {
  readonly name: string
  readonly type: Name | 'list' | 'struct'
  readonly nullable: boolean
  /** -1 when it stands in line. */
  readonly tag: number
  /** What it names, in Kafka's words: topicName, groupId, transactionalId, brokerId, producerId. */
  readonly entity: string | null
  readonly fallback: string | undefined
  readonly of: Layout | Slot | null
}
export interface Layout {
  readonly slots: readonly Slot[]
  readonly flexible: boolean
  /** Fields that other versions have and this one has not. */
  readonly absent: ReadonlySet<string>
  /** Tags that other versions know: Kafka refuses them here, where it skips tags that it knows nowhere. */
  readonly refusedTags: ReadonlySet<number>
}

/** Freezes a message at one version: only the fields that are on the wire, in wire order, tagged ones last by tag. */
export function layout(fields: Fields, version: number, flexible: boolean): Layout {
  const all = Object.entries(fields).map(([name, f]) => slot(name, f, version, flexible))
  const slots = all.filter(s => s.present)
  const absent = all.filter(s => !s.present)
  return {
    slots: [...slots.filter(s => s.tag < 0), ...slots.filter(s => s.tag >= 0).sort((a, b) => a.tag - b.tag)],
    flexible,
    absent: new Set(absent.map(s => s.name)),
    refusedTags: new Set(absent.filter(s => s.tag >= 0).map(s => s.tag)),
  }
}

const NOTE =
  /^(?<type>[a-z]+\d*)(?<q>\?(?<nul>\d+(?:\+|-\d+)?)?)?(?: (?<versions>\d+(?:\+|-\d+)?))?(?: tag (?<tag>\d+))?(?: = (?<fallback>\S+))?(?: @(?<entity>\w+))?$/

function slot(
  name: string,
  f: Leaf | List<any, string> | Struct<any, string>,
  version: number,
  flexible: boolean,
): Slot & { present: boolean } {
  const text = typeof f === 'string' ? f : (f.kind + (f.note.startsWith('?') ? '' : ' ') + f.note).trim()
  const n = NOTE.exec(text)?.groups
  if (!n) throw new TypeError(`${name}: cannot read '${text}'`)
  const base = {
    name,
    present: within(n.versions ? range(n.versions) : ALWAYS, version),
    nullable: n.q !== undefined && within(n.nul ? range(n.nul) : ALWAYS, version),
    tag: n.tag === undefined ? -1 : Number(n.tag),
    entity: n.entity ?? null,
    fallback: n.fallback,
  }
  if (typeof f === 'string') return { ...base, type: n.type as Name, of: null }
  // Kafka marks a null structure otherwise when it is tagged; no message has one.
  if (f.kind === 'struct' && n.q !== undefined && n.tag !== undefined) throw new TypeError(`${name}: a tagged structure that may be null`)
  const of = typeof f.of === 'string' ? slot(name, f.of as Leaf, version, flexible) : layout(f.of, version, flexible)
  return { ...base, type: f.kind, of }
}

const layouts = new WeakMap<Api, Map<number, Layout>>()

/** The layout of one API's request or response at one version, made once. @throws {TypeError} the API has no such version */
export function layoutOf(a: Api, version: number, side: 'request' | 'response'): Layout {
  if (!within(a.versions, version)) throw new TypeError(`${a.name} has no version ${version}`)
  const key = version * 2 + (side === 'request' ? 0 : 1)
  let known = layouts.get(a)
  if (known === undefined) layouts.set(a, (known = new Map()))
  let made = known.get(key)
  if (made === undefined) known.set(key, (made = layout(a[side], version, within(a.flexible, version))))
  return made
}

/** The field at a path such as 'topics.partitions.index', or null when this version has none. */
export function slotAt(of: Layout, path: string): Slot | null {
  const dot = path.indexOf('.')
  const s = of.slots.find(s => s.name === (dot < 0 ? path : path.slice(0, dot)))
  if (s === undefined || dot < 0) return s ?? null
  return s.of !== null && 'slots' in s.of ? slotAt(s.of, path.slice(dot + 1)) : null
}

/** What follows a field that stands in line: the layout of a message's tail. */
export function layoutAfter(of: Layout, field: string): Layout {
  const at = of.slots.findIndex(s => s.name === field && s.tag < 0)
  if (at < 0) throw new TypeError(`no field '${field}' in line`)
  return { ...of, slots: of.slots.slice(at + 1) }
}
