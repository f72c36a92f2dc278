// The command line: one file a verb, each with a `register(program)`; here they meet, and their ends become exit codes.

import { Command, CommanderError } from 'commander'
import { InvalidFileError, problemText } from '../base/errors.ts'
import { Exit, ExitError } from './exit.ts'
import { version } from './version.ts'

/** Verbs import what they need when they run, so that no command waits for another's parts. */
const VERBS: readonly (() => Promise<{ register(program: Command): void }>)[] = [
  () => import('./run.ts'),
  () => import('./healthcheck.ts'),
  () => import('./validate.ts'),
  () => import('./schema.ts'),
  () => import('./apis.ts'),
  () => import('./token.ts'),
  () => import('./explain.ts'),
  () => import('./who.ts'),
  () => import('./policy-test.ts'),
  () => import('./policy-grants.ts'),
  () => import('./policy-lint.ts'),
  () => import('./policy-report.ts'),
  () => import('./policy-diff.ts'),
  () => import('./policy-init-store.ts'),
  () => import('./policy-plan.ts'),
  () => import('./policy-apply.ts'),
  () => import('./policy-watch.ts'),
  () => import('./policy-import.ts'),
  () => import('./subscription.ts'),
  () => import('./demo.ts'),
]

/** @param args without node and script. @returns the exit code */
export async function main(args: readonly string[]): Promise<number> {
  const program = new Command('topicgate')
    .description('An authorizing proxy for the Kafka wire protocol.')
    .version(version(), '-V, --version', 'print the version')
    .helpCommand(false)
    .exitOverride()
  for (const verb of VERBS) (await verb()).register(program)
  try {
    await program.parseAsync(args, { from: 'user' })
    return Number(process.exitCode ?? Exit.ok)
  } catch (why) {
    return exitOf(why)
  }
}

function exitOf(why: unknown): number {
  // Commander has written its own message.
  if (why instanceof CommanderError) return why.exitCode === 0 ? Exit.ok : Exit.usage
  if (why instanceof ExitError) {
    if (why.message !== '') process.stderr.write(`${why.message}\n`)
    return why.exit
  }
  if (why instanceof InvalidFileError) {
    for (const problem of why.problems) process.stderr.write(`${problemText(problem)}\n`)
    return why.name === 'PolicyTestsError' ? Exit.testsFailed : Exit.invalid
  }
  process.stderr.write(`topicgate: ${why instanceof Error ? why.message : String(why)}\n`)
  if (process.env['TOPICGATE_LOG_LEVEL'] === 'debug' && why instanceof Error) process.stderr.write(`${why.stack}\n`)
  return Exit.unexpected
}
