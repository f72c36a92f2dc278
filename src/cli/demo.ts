// `topicgate demo`: the whole of it on one machine, in a checkout; and `topicgate demo token`, for trying by hand while it runs.

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { askForToken, readDemoState } from './demo-state.ts'
import { Exit, ExitError } from './exit.ts'

export function register(program: Command): void {
  const demo = program
    .command('demo')
    .description('start a Kafka, an issuer and TopicGate, and show who may do what')
    .option('--once', 'end after the table; exit code 0 only if every line came out as expected')
    .option('--full', 'a real Keycloak as issuer and a real OpenFGA as engine')
    .action((options: { once?: boolean; full?: boolean }) => show(options))
  demo
    .command('token')
    .description('print an access token of a demo that runs')
    .requiredOption('--as <name>', 'whose token')
    .action(({ as }: { as: string }) => printToken(as))
}

/** The parts are started by the project's own scripts, which a package does not carry. */
async function show(options: { once?: boolean; full?: boolean }): Promise<void> {
  const script = new URL('../../scripts/demo/run.ts', import.meta.url)
  if (!existsSync(fileURLToPath(script))) {
    throw new ExitError(Exit.usage, 'the demo runs in a checkout of the project: npm ci && npm run demo')
  }
  const { runDemo } = (await import(script.href)) as { runDemo(options: { once: boolean; full: boolean }): Promise<boolean> }
  const asExpected = await runDemo({ once: options.once === true, full: options.full === true })
  if (!asExpected) throw new ExitError(Exit.unexpected)
}

async function printToken(name: string): Promise<void> {
  const state = readDemoState()
  if (state === null) throw new ExitError(Exit.unexpected, 'no demo is running: start one with npm run demo')
  const person = Object.hasOwn(state.people, name) ? state.people[name] : undefined
  if (person === undefined)
    throw new ExitError(Exit.usage, `nobody is called ${name} here; there are ${Object.keys(state.people).join(', ')}`)
  process.stdout.write(`${await askForToken(person.tokenUrl, person.form)}\n`)
}
