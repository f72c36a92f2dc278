// `topicgate policy report`: who would break if shadows were enforced now, and the grants that would keep them working.

import type { Command } from 'commander'
import type { WouldBreak } from '../policy/report.ts'
import { readAudit } from './audit-log.ts'
import { printJson } from './policy-options.ts'
import { policyCommand } from './policy-test.ts'

interface Options {
  readonly from: string
  readonly since?: string
  readonly refused?: boolean
  readonly json?: boolean
}

export function register(program: Command): void {
  policyCommand(program)
    .command('report')
    .description('say from an audit log who would break without the shadows, and what grants are missing')
    .requiredOption('--from <file>', 'audit log, NDJSON; - for stdin')
    .option('--since <time>', 'only lines from then on')
    .option('--refused', 'count what was refused already, too')
    .option('--json', 'print { breaks, grants, rules }')
    .action(run)
}

async function run({ from, since, refused, json }: Options): Promise<void> {
  const { ShadowReport } = await import('../policy/report.ts')
  const { timeOption } = await import('./policy-options.ts')
  const sinceMs = timeOption(since)
  const shadows = new ShadowReport(refused === true)
  for await (const line of readAudit(from)) if (sinceMs === null || Date.parse(line.time) >= sinceMs) shadows.add(line)
  const report = shadows.report()
  if (json) return printJson(report)
  if (report.breaks.length === 0) process.stdout.write('nobody would break\n')
  for (const one of report.breaks) process.stdout.write(breakText(one))
  for (const [rule, principals] of Object.entries(report.rules)) {
    process.stdout.write(`# rule ${rule} would stop ${principals.join(', ')}: change them, or add them to its except\n`)
  }
  if (report.grants !== '') process.stdout.write(`# the grants that would keep the others working\n${report.grants}`)
}

const breakText = ({ principal, resource, operations, rule, reason, count, first, last }: WouldBreak): string =>
  `# ${principal}  ${operations.join(', ')} ${resource.kind}:${resource.name}  ${count} times, ${first} to ${last}  ${rule === null ? reason : `rule ${rule}`}\n`
