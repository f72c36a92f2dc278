// What an expression may say, what it reads and what it may cost: found out from its tree, before it is ever asked anything.

import type { ASTNode, Environment } from '@marcbachmann/cel-js'
import { meant } from '../base/errors.ts'
import { KIND_NAMES, OPERATION_NAMES } from './operations.ts'
import { Wrong } from './policy-words.ts'

/** What the answer to an expression may hang on. */
export interface Reads {
  /** Top-level names of claims. */
  readonly claims: readonly string[]
  readonly actor: boolean
  readonly address: boolean
  readonly listener: boolean
  readonly operation: boolean
  readonly resource: boolean
  readonly now: boolean
  /** It goes through lists, or takes texts apart: neither may be longer than `MAX_SIZE`. */
  readonly loops: boolean
}

/** Where in the text something is wrong. */
export class WrongAt extends Wrong {
  readonly offset: number
  constructor(offset: number, problem: string, hint: string | null = null) {
    super(problem, hint)
    this.offset = offset
  }
}

/** A list or a text of unknown length counts as one of this length; a longer one makes the expression fail. */
export const MAX_SIZE = 1_024
/** Steps, as the most expensive expressions that were measured need them: 50 000 take some 10 to 30 ms. */
const MAX_COST = 50_000
/** A calendar of another zone has to be asked. */
const ZONE_COST = 1_000
const TEXT_COST = 8
/** Elements that are compared in one step. */
const COMPARED = 32

const LOOPS = ['all', 'exists', 'exists_one', 'filter', 'map']
const OF_TEXT = ['startsWith', 'endsWith', 'contains', 'lowerAscii', 'upperAscii', 'trim', 'indexOf', 'lastIndexOf', 'substring', 'split']
const OF_TIME = [
  ...['getFullYear', 'getMonth', 'getDate', 'getDayOfMonth', 'getDayOfWeek', 'getDayOfYear'],
  ...['getHours', 'getMinutes', 'getSeconds', 'getMilliseconds'],
]
const CONVERSIONS = ['bool', 'double', 'dyn', 'duration', 'int', 'string', 'timestamp', 'uint']
/** All others are refused: some of them can be made to take for ever. */
const FUNCTIONS: readonly string[] = ['has', 'size', ...LOOPS, ...OF_TEXT, ...OF_TIME, ...CONVERSIONS]

type Node<Op extends ASTNode['op']> = Extract<ASTNode, { op: Op }>

/** @throws {WrongAt} */
export function checkExpression(ast: ASTNode, environment: Environment): Reads {
  const check = new Check(environment)
  check.visit(ast)
  const cost = new Costs().of(ast)
  if (cost > MAX_COST) {
    const hint = `at most ${MAX_COST}: a list or text of unknown length counts as ${MAX_SIZE}, so loops in loops are too many`
    throw new WrongAt(0, `may take ${cost} steps`, hint)
  }
  return check.reads()
}

class Check {
  readonly #environment: Environment
  readonly #claims = new Set<string>()
  readonly #names = new Set<string>()
  #loops = false

  constructor(environment: Environment) {
    this.#environment = environment
  }

  reads(): Reads {
    const names = this.#names
    return {
      claims: [...this.#claims].sort(),
      actor: names.has('principal.actor'),
      address: names.has('client.address'),
      listener: names.has('client.listener'),
      operation: names.has('operation'),
      resource: names.has('resource'),
      now: names.has('now'),
      loops: this.#loops,
    }
  }

  visit(node: ASTNode): void {
    if (isSelect(node) && this.#isField(node)) return
    if (node.op === 'id') this.#name(node)
    else if (node.op === 'call' || node.op === 'rcall') this.#call(node)
    else if (node.op === '==' || node.op === '!=' || node.op === 'in') this.#compare(node)
    for (const child of childrenOf(node)) this.visit(child)
  }

  #name(node: Node<'id'>): void {
    if (node.args === 'claims') throw new WrongAt(node.start, 'claims are read one by one', 'claims.acr, or claims["odd-name"]')
    if (node.args === 'client') for (const field of ['address', 'listener']) this.#names.add(`client.${field}`)
    if (node.args === 'principal') this.#names.add('principal.actor')
    this.#names.add(node.args)
  }

  /** `claims.acr`, `principal.groups`, `client["address"]`: noted as one. */
  #isField(node: Node<'.'> | Node<'[]'>): boolean {
    const [from, key] = node.args
    const name = typeof key === 'string' ? key : key.op === 'value' && typeof key.args === 'string' ? key.args : null
    if (from.op !== 'id' || name === null || !['claims', 'client', 'principal'].includes(from.args)) return false
    if (from.args === 'claims') this.#claims.add(name)
    else this.#names.add(`${from.args}.${name}`)
    return true
  }

  #call(node: Node<'call'> | Node<'rcall'>): void {
    const name = node.args[0]
    if (name === 'matches')
      throw new WrongAt(node.start, 'matches is not offered: some patterns take for ever', 'use startsWith, endsWith or contains')
    if (!FUNCTIONS.includes(name)) throw new WrongAt(node.start, `there is no function ${name} here`, meant(name, FUNCTIONS))
    if (LOOPS.includes(name) || name === 'split') this.#loops = true
    this.#tryConstants(node)
  }

  /** Times, durations and zones that are written out are tried now, not when somebody waits. */
  #tryConstants(node: Node<'call'> | Node<'rcall'>): void {
    const name = node.args[0]
    const last = node.op === 'call' ? node.args[1] : node.args[2]
    if (last.length === 0 || last.some(({ op }) => op !== 'value')) return
    const text = last.map(({ args }) => literal(args)).join()
    if (text.includes('undefined')) return
    const on = node.op === 'call' ? '' : OF_TIME.includes(name) ? 'timestamp(0).' : null
    if (on === null) return
    try {
      this.#environment.evaluate(`${on}${name}(${text})`)
    } catch {
      throw new WrongAt(node.start, `${name}(${text}) cannot be`, null)
    }
  }

  /** A word that no operation and no kind of resource has would make a rule that never speaks. */
  #compare(node: Node<'=='> | Node<'!='> | Node<'in'>): void {
    const [a, b] = node.args
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const known = one.op === 'id' && one.args === 'operation' ? OPERATION_NAMES : isKind(one) ? KINDS : null
      if (known === null) continue
      for (const value of other.op === 'list' ? other.args : [other]) {
        if (value.op === 'value' && typeof value.args === 'string' && !known.includes(value.args))
          throw new WrongAt(value.start, `${value.args} is none of them`, meant(value.args, known))
      }
    }
  }
}

const KINDS: readonly string[] = Object.values(KIND_NAMES)
const isSelect = (node: ASTNode): node is Node<'.'> | Node<'[]'> => node.op === '.' || node.op === '[]'
const isKind = (node: ASTNode): boolean =>
  node.op === '.' && node.args[0].op === 'id' && node.args[0].args === 'resource' && node.args[1] === 'kind'
const literal = (value: unknown): string =>
  typeof value === 'string' ? JSON.stringify(value) : typeof value === 'bigint' ? String(value) : 'undefined'

function childrenOf(node: ASTNode): readonly ASTNode[] {
  const parts: readonly unknown[] = Array.isArray(node.args) ? node.args : [node.args]
  return parts.flat(2).filter((part): part is ASTNode => typeof part === 'object' && part !== null && 'op' in part)
}

/** What the variables of the loops around a part may hold: the size of each. */
type Scope = ReadonlyMap<string, number>

type Loop = Node<'rcall'>
const isLoop = (node: ASTNode): boolean => node.op === 'rcall' && LOOPS.includes(node.args[0])

/** Steps at most, each list and text of unknown length being `MAX_SIZE`. */
class Costs {
  /** Each part stands in one scope. */
  readonly #sizes = new Map<ASTNode, number>()

  of(node: ASTNode, scope: Scope = new Map()): number {
    if (isLoop(node)) {
      const [, on, args] = (node as Loop).args
      const inner = this.#within(node as Loop, scope)
      const body = args.reduce((sum, arg) => sum + this.of(arg, inner), 1)
      return 1 + this.of(on, scope) + this.#sizeOf(on, scope) * body
    }
    const inside = childrenOf(node).reduce((sum, child) => sum + this.of(child, scope), 1)
    if (node.op === 'in') return inside + Math.ceil(this.#sizeOf(node.args[1], scope) / COMPARED)
    if (node.op !== 'rcall') return inside
    const [name, on, args] = node.args
    if (OF_TEXT.includes(name)) return inside + TEXT_COST * Math.ceil(this.#sizeOf(on, scope) / MAX_SIZE)
    return OF_TIME.includes(name) && args.length > 0 ? inside + ZONE_COST : inside
  }

  /** How many elements or letters the largest list or text has that is in it, however deep: what is taken out of it has no more. */
  #sizeOf(node: ASTNode, scope: Scope): number {
    let size = this.#sizes.get(node)
    if (size === undefined) this.#sizes.set(node, (size = this.#measure(node, scope)))
    return size
  }

  #measure(node: ASTNode, scope: Scope): number {
    if (node.op === 'id') return scope.get(node.args) ?? MAX_SIZE
    if (node.op === 'value') return typeof node.args === 'string' ? node.args.length : 1
    const [on, ...rest] = childrenOf(node)
    const inner = isLoop(node) ? this.#within(node as Loop, scope) : scope
    const sizes = [...(on === undefined ? [] : [this.#sizeOf(on, scope)]), ...rest.map(part => this.#sizeOf(part, inner))]
    if (node.op === '+') return sizes[0]! + sizes[1]!
    if (node.op === 'call') return Math.max(MAX_SIZE, ...sizes)
    return Math.max(1, node.op === 'list' ? node.args.length : 0, ...sizes)
  }

  /** In a loop its variable may hold whatever is in what it goes through. */
  #within({ args: [, on, [variable]] }: Loop, scope: Scope): Scope {
    return variable?.op === 'id' ? new Map([...scope, [variable.args, this.#sizeOf(on, scope)]]) : scope
  }
}
