// What relationships in a store give to one principal beside grants, and what being blocked takes away: for access reviews.

import type { Principal } from '../auth/principal.ts'
import type { Beside, RelatedCover, State } from './access-review.ts'
import type { Operation } from './authorizer.ts'
import { decode, parseUser } from './encode.ts'
import { userOf, whoOf } from './memberships.ts'
import type { OperationSet } from './operations.ts'
import { membersOf, operationName, SUPPORTED, setOf } from './operations.ts'
import { containsPattern } from './pattern-text.ts'
import type { Area, Related, StoreGraph } from './store-graph.ts'

/** One tuple by which the principal may do something in an area, or may not. */
interface Found {
  readonly area: Area
  readonly by: Related
  operations: OperationSet
}

/** Of whom, when and from where. */
interface Asked {
  readonly principal: Principal
  readonly nowMs: number
  /** '': not known. */
  readonly address: string
}

/**
 * @param withNames names with tuples of their own, too
 * @throws when the store does not answer
 */
export async function rightsBeside(graph: StoreGraph, asked: Asked, withNames: boolean): Promise<Beside> {
  const found = await concerning(graph, asked, reached(graph, graph.areas(withNames)))
  const blocks = await blocksAmong(graph, asked, found)
  const gives = found.filter(({ by }) => !by.takesAway)
  const states = await statesOf(graph, asked, gives, blocks)
  const rights = gives.flatMap(one => byState(one, states.get(one.area)!))
  return { rights, blocks: blocks.map(one => coverOf(one, one.operations, 'yes')) }
}

/** Every tuple that says something in an area; what is said of a wider one is not said again. */
function reached(graph: StoreGraph, areas: readonly Area[]): Found[] {
  const all: Found[] = []
  const byTuple = new Map<string, Found[]>()
  for (const area of areas) {
    for (const operation of membersOf(SUPPORTED[area.resource])) {
      for (const by of graph.relatedIn(area, `can_${operationName(operation)}`)) {
        const key = JSON.stringify(by)
        const same = byTuple.get(key) ?? []
        const isSaid = same.some(one => one.area !== area && (one.operations & (1 << operation)) !== 0 && containsPattern(one.area, area))
        if (isSaid) continue
        const own = same.find(one => one.area === area)
        if (own !== undefined) own.operations |= 1 << operation
        else {
          const one = { area, by, operations: 1 << operation }
          all.push(one)
          byTuple.set(key, [...same, one])
        }
      }
    }
  }
  return all
}

/** Those that speak of the principal: by name, as one of all, or as a member. What got no answer may do so. */
async function concerning(graph: StoreGraph, { principal, address, nowMs }: Asked, found: readonly Found[]): Promise<Found[]> {
  const usersets = [...new Set(found.map(({ by }) => by.who).filter(who => parseUser(who).relation !== null))]
  const questions = usersets.map(who => {
    const { type, id, relation } = parseUser(who)
    return { relation: relation!, object: `${type}:${id}`, links: [] }
  })
  const answers = await graph.answers(principal, address, nowMs, questions)
  const mine = new Set([userOf(whoOf(principal)), `${principal.type}:*`, ...usersets.filter((_, i) => answers[i] !== false)])
  return found.filter(({ by }) => mine.has(by.who))
}

/** Those that take away, but for such as a condition keeps from it. */
async function blocksAmong(graph: StoreGraph, { principal, address, nowMs }: Asked, found: readonly Found[]): Promise<Found[]> {
  const blocks = found.filter(({ by }) => by.takesAway)
  const questions = blocks.map(({ by: { relation, object } }) => ({ relation, object, links: [] }))
  const answers = await graph.answers(principal, address, nowMs, questions)
  return blocks.filter((_, i) => answers[i] !== false)
}

type States = ReadonlyMap<Operation, State>

/** What the store says of each operation in each area; where all is taken away it is not asked. */
async function statesOf(
  graph: StoreGraph,
  { principal, address, nowMs }: Asked,
  gives: readonly Found[],
  blocks: readonly Found[],
): Promise<ReadonlyMap<Area, States>> {
  const wanted = new Map<Area, OperationSet>()
  for (const { area, operations } of gives) wanted.set(area, (wanted.get(area) ?? 0) | operations)
  const pairs = [...wanted].flatMap(([area, set]) => {
    const taken = blocks.filter(block => containsPattern(block.area, area)).reduce((all, { operations }) => all | operations, 0)
    return membersOf(set & ~taken).map(operation => ({ area, operation }))
  })
  const questions = pairs.map(({ area, operation }) => ({ ...area, relation: `can_${operationName(operation)}` }))
  const answers = await graph.answers(principal, address, nowMs, questions)
  const states = new Map([...wanted.keys()].map(area => [area, new Map<Operation, State>()]))
  for (const [i, { area, operation }] of pairs.entries()) states.get(area)!.set(operation, stateOf(answers[i], area))
  return states
}

/** Of a name that stands in the store as a hash it is not known which rules speak of it. */
function stateOf(answer: boolean | undefined, { prefix, object }: Area): State {
  if (answer === false) return 'no'
  const { id } = parseUser(object)
  return answer === undefined || (!prefix && decode(id.slice(id.indexOf('/') + 1)) === null) ? 'depends' : 'yes'
}

function byState(found: Found, states: States): RelatedCover[] {
  return (['yes', 'depends', 'no'] as const).flatMap(state => {
    const operations = membersOf(found.operations).filter(operation => (states.get(operation) ?? 'yes') === state)
    return operations.length === 0 ? [] : [coverOf(found, setOf(...operations), state)]
  })
}

function coverOf(
  { area: { resource, prefix, text }, by: { who, relation, object, condition } }: Found,
  operations: OperationSet,
  now: State,
) {
  return { resource, prefix, text, operations, who, relation, object, condition, now }
}
