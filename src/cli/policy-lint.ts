// `topicgate policy lint`: what is valid in a policy and yet hardly meant.

import type { Command } from 'commander'
import type { Config } from '../base/config.ts'
import { Exit, ExitError } from './exit.ts'
import { type PolicyOptions, printJson, readPolicyFor, withPolicy } from './policy-options.ts'
import { policyCommand } from './policy-test.ts'

interface Options extends PolicyOptions {
  readonly strict?: boolean
  readonly live?: boolean
  readonly json?: boolean
}

export function register(program: Command): void {
  withPolicy(policyCommand(program).command('lint'))
    .description('find rules that say nothing, grants that nobody can use, and rights wider than they look')
    .argument('[path]', 'a policy file or folder; default: the one of --config')
    .option('--strict', 'exit code 3 when something is found')
    .option('--live', 'ask the cluster of --config which topics there are')
    .option('--json', 'print a list of { code, file, line, col, path, problem, hint }')
    .action(async (path: string | undefined, options: Options) => {
      const { lint } = await import('../policy/lint.ts')
      const { problemText } = await import('../base/errors.ts')
      const { settings, document } = await readPolicyFor(path === undefined ? options : { ...options, policy: path })
      const engine = settings && { name: settings.authorizer.engine, hasStore: settings.authorizer.openfga !== null }
      const topics = options.live ? await topicsOf(settings) : null
      const findings = lint(document, Date.now(), engine, topics)
      if (options.json) printJson(findings)
      else for (const finding of findings) process.stdout.write(`${problemText(finding)}  [${finding.code}]\n`)
      if (options.strict && findings.length > 0) process.exitCode = Exit.invalid
    })
}

async function topicsOf(settings: Config | null): Promise<string[]> {
  if (settings === null) throw new ExitError(Exit.usage, '--live needs -c topicgate.yaml, which names the cluster')
  const { liveTopics } = await import('./live-topics.ts')
  try {
    return await liveTopics(settings)
  } catch (why) {
    throw new ExitError(
      Exit.unexpected,
      `the cluster does not say which topics there are: ${(why as Error).message}; validate --live looks closer`,
    )
  }
}
