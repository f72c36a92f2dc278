// `topicgate who can OP KIND:NAME` and `topicgate what can PRINCIPAL`: access reviews.

import type { Command } from 'commander'
import type { Holder, Limit, Right } from '../policy/access-review.ts'
import type { Coverage, Question } from '../policy/policy-document.ts'
import type { StoreGraph } from '../policy/store-graph.ts'
import { openDeciding } from './deciding.ts'
import { Exit, ExitError } from './exit.ts'
import { type PolicyOptions, printJson, readPolicyFor, timeOption, withPolicy } from './policy-options.ts'
import { type PrincipalOptions, subjectPrincipal, withMemberships } from './principal-options.ts'

interface Options extends PolicyOptions {
  readonly at?: string
  readonly address?: string
  readonly listener?: string
  readonly json?: boolean
}

export function register(program: Command): void {
  const who = program.command('who').description('access reviews by resource')
  withMoment(withPolicy(who.command('can').description('list whom the policy lets do something')))
    .argument('<op>', 'a verb or an operation, as consume or read')
    .argument('<resource>', 'topic:NAME, consumerGroup:NAME, transactionalId:NAME or cluster')
    .action(whoCan)
  const what = program.command('what').description('access reviews by principal')
  withMemberships(withMoment(withPolicy(what.command('can').description('list what the policy lets a principal do'))))
    .argument('<principal>', 'user:, person:, service:; or group:, role:, client-role:, org:, anyone for whoever is just that')
    .action(whatCan)
}

const withMoment = (command: Command): Command =>
  command
    .option('--at <time>', 'as of then; default: now')
    .option('--address <ip>', 'as seen from this address')
    .option('--listener <name>', 'as seen by this listener')
    .option('--json', 'print a list')

async function whoCan(op: string, resource: string, options: Options): Promise<void> {
  const { readQuestion } = await import('../policy/policy-tests.ts')
  const { Wrong } = await import('../policy/policy-words.ts')
  const review = await import('../policy/access-review.ts')
  const { namesOf } = await import('../policy/operations.ts')
  const { subjectWords } = await import('../policy/store-plan.ts')
  const question = readQuestion(`${op} ${resource}`, 'can')
  if (question instanceof Wrong)
    throw new ExitError(Exit.usage, question.hint === null ? question.problem : `${question.problem}: ${question.hint}`)
  const policy = await readPolicyFor(options)
  const nowMs = timeOption(options.at) ?? Date.now()
  const deciding = await openDeciding(policy, nowMs)
  try {
    const moment = { nowMs, address: options.address ?? '', listener: options.listener ?? '' }
    const { graph, judged } = deciding
    const grantees = graph?.grantees()
    const inStore = (grant: Coverage) => (grantees?.get(grant.id) ?? []).map(user => granteeOf(subjectWords(user)))
    const byGrant = grantees === undefined ? review.whoCan(judged, question, moment) : review.whoCan(judged, question, moment, inStore)
    const related = graph === null ? [] : relatedTo(graph, question, namesOf(question.operations))
    if (options.json) return printJson([...byGrant, ...related])
    const lines = [...byGrant.map(holderText), ...related.map(relatedText)]
    process.stdout.write(lines.length === 0 ? 'nobody\n' : lines.join(''))
  } finally {
    deciding.stop()
  }
}

async function whatCan(text: string, options: Options & PrincipalOptions): Promise<void> {
  const review = await import('../policy/access-review.ts')
  const { keysOf } = await import('../policy/subjects.ts')
  const { rightsBeside } = await import('../policy/store-rights.ts')
  const { KIND_NAMES } = await import('../policy/operations.ts')
  const policy = await readPolicyFor(options)
  const principal = subjectPrincipal(text, options, policy)
  const nowMs = timeOption(options.at) ?? Date.now()
  const deciding = await openDeciding(policy, nowMs)
  try {
    const origin = { listener: options.listener ?? '', address: options.address ?? '' }
    const given = await deciding.given(principal, origin)
    const { graph, judged } = deciding
    const withNames = policy.settings?.authorizer.openfga?.objects !== 'never'
    const beside = graph === null ? undefined : await rightsBeside(graph, { principal, address: origin.address, nowMs }, withNames)
    const rights = review.whatCan(judged, { principal, keys: keysOf(principal), ...origin }, given, nowMs, beside)
    if (options.json) printJson(rights.map(({ kind, ...right }) => ({ kind: KIND_NAMES[kind], ...right })))
    else process.stdout.write(rights.length === 0 ? 'nothing\n' : rights.map(rightText).join(''))
  } finally {
    deciding.stop()
  }
}

/** `group:/eu of corp` -> both parts. */
function granteeOf(words: string): { who: string; issuer: string } {
  const at = words.lastIndexOf(' of ')
  return { who: words.slice(0, at), issuer: words.slice(at + 4) }
}

/** Whoever has it by relationships in the store, an entry for each of them and operation. */
function relatedTo(graph: StoreGraph, { resource, name }: Question, operations: readonly string[]) {
  return operations.flatMap(operation =>
    graph.related(`can_${operation}`, resource, name).map(one => ({
      who: one.who,
      by: one.takesAway ? ('blocked' as const) : ('relationship' as const),
      operations: [operation],
      relation: one.relation,
      object: one.object,
      condition: one.condition,
    })),
  )
}

const relatedText = ({ who, by, operations, relation, object, condition }: ReturnType<typeof relatedTo>[number]): string =>
  `${who}  ${operations.join(', ')}  ${by === 'blocked' ? 'refused, being' : 'as'} ${relation} of ${object}${condition === '' ? '' : `  (${condition})`}\n`

const NOW = { yes: '', no: '  not now', depends: '  depends' } as const

const holderText = (holder: Holder): string => `${holder.who}  ${holder.operations.join(', ')} on ${holder.on}${tail(holder)}`

function rightText(right: Right): string {
  const what = `${right.operations.join(', ')} on ${right.on}`
  if (right.by === 'blocked') return `${what}  refused, being ${wayText(right)}\n`
  const lost = right.blocked.map(({ on, relation, object }) => `    refused on ${on}, being ${relation} of ${object}\n`)
  if (right.by !== 'relationship') return `${what}${tail(right)}${lost.join('')}`
  return `${what}  as ${wayText(right)}${NOW[right.now]}\n${right.limits.map(limitText).join('')}${lost.join('')}`
}

/** `owner of namespace:main/payments, by team:corp/payments#member  (…)`; whoever is meant by name needs no word. */
function wayText({ who = '', relation, object, condition }: Right): string {
  return `${relation} of ${object}${/[#*]/.test(who) ? `, by ${who}` : ''}${condition ? `  (${condition})` : ''}`
}

type Said = Pick<Right, 'by' | 'id' | 'at' | 'inForce' | 'now' | 'limits' | 'why' | 'owner'>

function tail({ by, id, at, inForce, now, limits, why, owner }: Said): string {
  const about = [why === null ? null : `why ${why}`, owner === null ? null : `owner ${owner}`].filter(part => part !== null)
  const notes = [inForce, ...about].filter(part => part !== '').join(', ')
  return `  by ${by} ${id}${at === null ? '' : ` at ${at}`}${NOW[now]}${notes === '' ? '' : `  (${notes})`}\n${limits.map(limitText).join('')}`
}

const limitText = ({ rule, at, operations, on, binds, shadow }: Limit): string =>
  `    ${shadow ? 'in shadow, ' : ''}rule ${rule} at ${at} refuses ${operations.join(', ')} on ${on}${binds === '' ? '' : ` (${binds})`}\n`
