// `topicgate policy test`: runs the tests of policy files and of files beside them; exit code 4 when one fails.

import type { Command } from 'commander'
import type { Failure, TestRun } from '../policy/policy-tests.ts'
import { Exit, ExitError } from './exit.ts'
import { collect } from './policy-options.ts'

interface Options {
  readonly config?: string
  readonly tests: readonly string[]
  readonly format?: string
  readonly json?: boolean
}

export function register(program: Command): void {
  policyCommand(program)
    .command('test')
    .description("run the policy's own tests, and those of files beside it")
    .argument('[path]', 'a policy file or folder; default: the one of --config')
    .option('-c, --config <file>', 'topicgate.yaml', undefined)
    .option('--tests <path>', 'a file or folder with tests alone; may be repeated', collect, [])
    .option('--format <format>', 'summary, tree (with the grants that no test touches), junit or json', undefined)
    .option('--json', 'print a list of { test, name, ok, question, operation, grant, rule, why }')
    .action(run)
}

/** The command that all verbs about policies stand under. */
export function policyCommand(program: Command): Command {
  return program.commands.find(command => command.name() === 'policy') ?? program.command('policy').description('policy as code')
}

const FORMATS = ['summary', 'tree', 'junit', 'json']

async function run(path: string | undefined, { config, tests: testPaths, format, json }: Options): Promise<void> {
  const as = json ? 'json' : (format ?? 'summary')
  if (!FORMATS.includes(as)) throw new ExitError(Exit.usage, `--format ${as}: ${FORMATS.join(', ')}`)
  const { loadConfig } = await import('../base/config.ts')
  const { loadPolicy } = await import('../policy/policy-file.ts')
  const { policyContext } = await import('../policy/watch.ts')
  const { failureText, runTests } = await import('../policy/policy-tests.ts')
  const { asJson, asJunit, asTree } = await import('./test-reports.ts')
  const settings = config === undefined && path !== undefined ? null : loadConfig(config ?? 'topicgate.yaml')
  const context = settings === null ? { issuers: null, generation: 1 } : policyContext(settings)
  const document = loadPolicy(path ?? settings!.policy, context, testPaths)
  const results = runTests(document, Date.now(), as === 'tree')
  if (as === 'json') process.stdout.write(`${JSON.stringify(asJson(document, results), null, 2)}\n`)
  else if (as === 'junit') process.stdout.write(asJunit(document, results))
  else {
    if (as === 'tree') process.stdout.write(asTree(document, results))
    else for (const failure of results.failures) process.stderr.write(`${failureText(failure)}\n`)
    process.stdout.write(summaryText(results))
  }
  if (results.failures.length > 0) process.exitCode = Exit.testsFailed
}

const summaryText = ({ tests, questions, failures }: TestRun): string =>
  `${tests} tests, ${questions} questions, ${failures.length} failed\n`

/** What went wrong, in a few words. */
export function failureWords({ key, question, operation, reason }: Failure): string {
  const by = reason.rule !== null ? `rule ${reason.rule}` : reason.grant !== null ? `grant ${reason.grant}` : reason.why
  return `${key} ${question}: ${operation} is ${key === 'can' ? 'refused' : 'allowed'} (${by})`
}
