// `topicgate policy diff OLD NEW`: whose rights change, and which requests of an audit log would come out otherwise.

import type { Command } from 'commander'
import type { ChangedRequest, ChangedRight, ChangedRule } from '../policy/diff.ts'
import { readAudit } from './audit-log.ts'
import { printJson } from './policy-options.ts'
import { policyCommand } from './policy-test.ts'

interface Options {
  readonly config?: string
  readonly from?: string
  readonly json?: boolean
}

export function register(program: Command): void {
  policyCommand(program)
    .command('diff')
    .description('say whose rights change between two policies')
    .argument('<old>', 'policy file or folder')
    .argument('<new>', 'policy file or folder')
    .option('-c, --config <file>', 'topicgate.yaml, for the names of issuers and roles')
    .option('--from <file>', 'audit log: which of its requests would come out otherwise')
    .option('--json', 'print { rights, rules, requests }')
    .action(run)
}

async function run(oldPath: string, newPath: string, { config, from, json }: Options): Promise<void> {
  const { loadConfig } = await import('../base/config.ts')
  const { loadPolicy } = await import('../policy/policy-file.ts')
  const { policyContext } = await import('../policy/watch.ts')
  const { diffRights, diffRules, Replay } = await import('../policy/diff.ts')
  const context = config === undefined ? { issuers: null, generation: 1 } : policyContext(loadConfig(config))
  const [before, after] = [loadPolicy(oldPath, context), loadPolicy(newPath, context)]
  const replay = new Replay(before, after, Date.now())
  if (from !== undefined) for await (const line of readAudit(from)) replay.add(line)
  const [rights, rules, requests] = [diffRights(before, after), diffRules(before, after), replay.changes()]
  if (json) return printJson({ rights, rules, requests })
  const lines = [...rights.map(rightText), ...rules.map(ruleText), ...requests.map(requestText)]
  process.stdout.write(lines.length === 0 ? 'nobody gains or loses anything\n' : lines.join(''))
}

const rightText = ({ change, who, operations, on, inForce, grant, at }: ChangedRight): string =>
  `${change === 'gains' ? '+' : '-'} ${who} ${change} ${operations.join(', ')} on ${on}${inForce === '' ? '' : ` (${inForce})`}  grant ${grant} at ${at}\n`

const ruleText = ({ change, kind, id, at }: ChangedRule): string => `~ ${kind} ${id} ${change} at ${at}\n`

const requestText = ({ principal, operation, resource, was, will, count }: ChangedRequest): string =>
  `! ${principal} ${operation} ${resource.kind}:${resource.name} was ${was}, will be ${will}  ${count} times\n`
