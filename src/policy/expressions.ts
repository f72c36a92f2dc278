// CEL in `when` and `unless`: read, type-checked and bounded when a policy is loaded; asked about one principal and, if it reads them, one operation and name.

import { type Context, Environment, type ParseResult } from '@marcbachmann/cel-js'
import { meant } from '../base/errors.ts'
import type { Operation, Resource } from './authorizer.ts'
import type { Asker, Truth } from './conditions.ts'
import { checkExpression, MAX_SIZE, type Reads, WrongAt } from './expression-check.ts'
import { KIND_NAMES, operationName } from './operations.ts'

/** What is asked for. */
export interface Action {
  readonly operation: Operation
  readonly resource: Resource
  readonly name: string
}

const PRINCIPAL = {
  id: 'string',
  type: 'string',
  issuer: 'string',
  name: 'string',
  groups: 'list<string>',
  realmRoles: 'list<string>',
  clientRoles: 'map<string, list<string>>',
  organizations: 'map<string, list<string>>',
  acting: 'string',
  actor: 'string',
} as const
const CLIENT = { address: 'string', listener: 'string' } as const
const RESOURCE = { kind: 'string', name: 'string' } as const
const VARIABLES = ['principal', 'claims', 'client', 'resource', 'operation', 'now']

const environment = new Environment({
  limits: { maxAstNodes: 300, maxDepth: 32, maxListElements: 100, maxMapEntries: 32, maxCallArguments: 4 },
})
  .registerVariable({ name: 'principal', schema: PRINCIPAL })
  .registerVariable('claims', 'map<string, dyn>')
  .registerVariable({ name: 'client', schema: CLIENT })
  .registerVariable({ name: 'resource', schema: RESOURCE })
  .registerVariable('operation', 'string')
  .registerVariable('now', 'google.protobuf.Timestamp')

/** What an expression sees of an asker. */
interface Seen {
  readonly principal: object
  readonly claims: object
  readonly client: object
  /** No list or text is longer than loops may go through. */
  readonly isShort: boolean
}
const seen = new WeakMap<Asker, Seen>()

export class Expression {
  readonly text: string
  readonly reads: Reads
  readonly #evaluate: ParseResult

  /** @throws {WrongAt} */
  constructor(text: string) {
    this.text = text
    this.#evaluate = parse(text)
    this.reads = checkExpression(this.#evaluate.ast, environment)
    const { valid, type, error } = this.#evaluate.check()
    if (!valid) throw wrongAt(error!)
    if (type !== 'bool' && type !== 'dyn') throw new WrongAt(0, `is ${type}, not true or false`, 'compare it with something')
  }

  /** What it says hangs on the operation or the name that is asked for. */
  get readsAction(): boolean {
    return this.reads.operation || this.reads.resource
  }

  /** Epoch ms until which an answer of `nowMs` holds: `now` moves by seconds. */
  untilMs(nowMs: number): number {
    return this.reads.now ? (Math.floor(nowMs / 1_000) + 1) * 1_000 : Number.POSITIVE_INFINITY
  }

  /** @param action null: not known. An expression that fails cannot be known either. */
  truth(asker: Asker, nowMs: number, action: Action | null): Truth {
    if (action === null && this.readsAction) return undefined
    const { isShort, ...about } = seenOf(asker)
    if (this.reads.address && asker.address === '') return undefined
    if (this.reads.loops && (!isShort || (action !== null && action.name.length > MAX_SIZE))) return undefined
    const context: Context = { ...about, now: new Date(Math.floor(nowMs / 1_000) * 1_000), ...asked(action) }
    try {
      const value: unknown = this.#evaluate(context)
      return typeof value === 'boolean' ? value : undefined
    } catch {
      return undefined
    }
  }
}

function parse(text: string): ParseResult {
  try {
    return environment.parse(text)
  } catch (error) {
    throw wrongAt(error as CelError)
  }
}

/** Errors of the library know where they are. */
interface CelError extends Error {
  readonly summary?: string
  readonly range?: { readonly start: number }
}

function wrongAt({ summary, message, range }: CelError): WrongAt {
  const text = (summary ?? message).split('\n')[0]!
  const word = /^(?:Unknown variable|No such key): (\S+)$/.exec(text)?.[1]
  const isVariable = text.startsWith('Unknown variable')
  const known = isVariable ? VARIABLES : [...Object.keys(PRINCIPAL), ...Object.keys(CLIENT), ...Object.keys(RESOURCE)]
  const problem = word === undefined ? `${text.charAt(0).toLowerCase()}${text.slice(1)}` : `there is no ${word} here`
  return new WrongAt(range?.start ?? 0, problem, word === undefined ? null : meant(word, known))
}

function seenOf(asker: Asker): Seen {
  const known = seen.get(asker)
  if (known !== undefined) return known
  const { id, type, issuer, name, groups, realmRoles, clientRoles, organizations, claims, acting } = asker.principal
  const belongsTo = { groups, realmRoles, clientRoles, organizations }
  const principal = { id, type, issuer, name, ...belongsTo, acting: acting?.kind ?? '', actor: acting?.by ?? '' }
  const client = { address: asker.address, listener: asker.listener }
  const isShort = isShortEnough([belongsTo, claims])
  const made = { principal, claims, client, isShort }
  seen.set(asker, made)
  return made
}

const asked = (action: Action | null): Context =>
  action === null
    ? { operation: '', resource: { kind: '', name: '' } }
    : { operation: operationName(action.operation), resource: { kind: KIND_NAMES[action.resource], name: action.name } }

function isShortEnough(value: unknown): boolean {
  if (typeof value === 'string') return value.length <= MAX_SIZE
  if (typeof value !== 'object' || value === null) return true
  const parts = Object.values(value)
  return parts.length <= MAX_SIZE && parts.every(isShortEnough)
}
