// An explanation for people: one step a line, the verdict last.

import type { Tried } from '../policy/explain.ts'
import { resourceNamed } from '../policy/operations.ts'
import { resourceText } from '../policy/pattern-text.ts'
import type { Walked } from '../policy/store-walk.ts'
import type { Report, Step } from './explain.ts'
import { gateLines, keptLines } from './explain-gate.ts'
import { checkLines } from './token.ts'

/** Of what does not apply, so many are shown a step; --json has them all. */
const SHOWN = 20

export function explanationText(report: Report): string {
  const { token, principal, memberships, steps, needsToo, recorded, address, time } = report
  const lines: string[] = []
  if (recorded !== null) lines.push(`decision ${recorded.id}, ${recorded.time}: ${recorded.verdict}, ${recorded.reason}`)
  if (token !== null) lines.push('token', ...checkLines(token.checks).map(line => `  ${line}`))
  if (principal !== null) lines.push(`principal ${principal}`)
  if (memberships !== null) {
    for (const [name, value] of Object.entries(memberships)) {
      if (value !== null && Object.keys(value).length > 0) lines.push(`  ${name}: ${JSON.stringify(value)}`)
    }
  }
  lines.push(`at ${time}${address === null || address === '' ? ', from an address that was not given' : `, from ${address}`}`)
  const kept = steps[0]?.kept ?? null
  if (kept !== null) lines.push(...gateLines(kept))
  for (const step of steps) lines.push(...stepLines(step))
  for (const need of needsToo) lines.push(`${report.api} needs ${need} too, which was not asked`)
  lines.push(...verdictLines(report))
  return `${lines.join('\n')}\n`
}

function stepLines({ operation, resource, verdict, reason, tried, others, store, kept }: Step): string[] {
  const asked = resourceText(resourceNamed(resource.kind), resource.name)
  const applying = tried.filter(({ outcome }) => outcome !== 'does not apply')
  const missing = tried.filter(({ outcome }) => outcome === 'does not apply')
  const hidden = missing.length - SHOWN
  return [
    `${operation} ${asked}: ${verdict} (${reason})`,
    ...[...applying, ...missing.slice(0, SHOWN)].map(triedLine),
    ...(hidden > 0 ? [`  ${hidden} more do not apply; --json lists them`] : []),
    ...(others > 0 ? [`  ${others} rules and grants are about others and other names`] : []),
    ...(store === null ? [] : walkLines(store, 1)),
    ...(kept === null ? [] : keptLines(kept, operation, asked).map(line => `  ${line}`)),
  ]
}

function walkLines({ check, allowed, takesAway, tuple, by }: Walked, depth: number): string[] {
  const answer = allowed === null ? 'no answer' : allowed ? 'yes' : 'no'
  const how = `${takesAway ? 'but not: ' : ''}${depth === 1 ? 'store: ' : ''}`
  const line = tuple === null ? `${check}? ${answer}` : `tuple ${tuple}`
  const rest = tuple !== null && by.length === 0 ? [] : by.flatMap(one => walkLines(one, depth + 1))
  return [`${'  '.repeat(depth)}${how}${line}`, ...rest]
}

function triedLine({ kind, id, at, outcome, how, misses }: Tried): string {
  const why = misses.map(miss => `${miss.what}: ${miss.why}`).join('; ')
  return `  ${at ?? 'store'}  ${kind} ${id}  ${outcome}${why !== '' ? `  ${why}` : how === null ? '' : `  ${how}`}`
}

function verdictLines({ verdict, reason, grant, rule, shadow, at, error, told, engine, generation }: Report): string[] {
  const by = rule !== null ? `rule ${rule}` : grant !== null ? `grant ${grant}` : reason
  const judge = engine === null ? '' : `, engine ${engine}, generation ${generation}`
  const lines = [`${verdict}: ${by}${shadow === null ? '' : `, shadow ${shadow}`}${at === null ? '' : ` at ${at}`}${judge}`]
  if (error !== null) lines.push(`the client reads ${error}`)
  if (verdict === 'undecided' && error === null) lines.push('the connection of the client is closed')
  if (told !== null) lines.push(`  ${told}`)
  return lines
}
