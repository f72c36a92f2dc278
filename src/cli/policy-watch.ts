// `topicgate policy watch`: keeps the grants of an OpenFGA store those of the policy files, beside other watchers, until a signal ends it.

import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { Command } from 'commander'
import { DURATION, durationMs } from '../base/units.ts'
import type { WatchEvent } from '../policy/store-watch.ts'
import { Exit, ExitError } from './exit.ts'
import type { StoreOptions } from './openfga-options.ts'
import { openStore } from './openfga-options.ts'
import { MAX_REMOVED_PERCENT, percentOption } from './policy-apply.ts'
import { collect } from './policy-options.ts'
import { doneText, grantLines, planText } from './policy-plan.ts'
import { policyCommand } from './policy-test.ts'

interface Options extends StoreOptions {
  readonly every: string
  readonly lease: string
  readonly maxRemoved: string
  readonly yes?: boolean
  readonly json?: boolean
}

export function register(program: Command): void {
  policyCommand(program)
    .command('watch')
    .description('keep the grants in the OpenFGA store those of the policy; of several watchers one leads')
    .argument('[path]', 'a policy file or folder; default: the one of --config')
    .requiredOption('-c, --config <file>', 'topicgate.yaml')
    .option('--set <key=value>', 'override one value of the file; may be repeated', collect, [])
    .option('--every <duration>', 'hold the store against the policy so often, also when no file has changed', '30s')
    .option('--lease <duration>', 'take over from a watcher that has been silent for so long', '30s')
    .option('--max-removed <percent>', 'take away no more at once than so much of what the grants in the store say', MAX_REMOVED_PERCENT)
    .option('--yes', 'take away as much as the policy says')
    .option('--json', 'print one object a line: { time, event, … }')
    .action(run)
}

async function run(path: string | undefined, options: Options): Promise<void> {
  const [everyMs, leaseMs] = [durationOption('--every', options.every), durationOption('--lease', options.lease)]
  const maxRemovedPercent = options.yes ? 100 : percentOption(options.maxRemoved)
  const { FOR_WATCH } = await import('../policy/openfga-model.ts')
  const { StoreWatch } = await import('../policy/store-watch.ts')
  const { watchPolicy } = await import('../policy/watch.ts')
  const { store, document, settings } = await openStore(path, options, FOR_WATCH)
  const tell = options.json ? tellJson : tellPlain
  const name = `${hostname().replace(/[^A-Za-z0-9.-]/g, '-')}-${randomBytes(4).toString('hex')}`
  const watch = new StoreWatch(store, document, { cluster: settings.cluster.name, name, leaseMs, everyMs, maxRemovedPercent, tell })
  const files = watchPolicy(
    settings,
    document,
    next => watch.replace(next),
    why => tell({ event: 'failed', why: `policy refused, the one before stays: ${why.message}` }),
  )
  watch.start()
  // Nothing else keeps the process up while files and store are at rest.
  const awake = setInterval(() => undefined, 60_000)
  const hangUp = (): void => files.now()
  process.on('SIGHUP', hangUp)
  await new Promise<unknown>(resolve => process.once('SIGTERM', resolve).once('SIGINT', resolve))
  process.off('SIGHUP', hangUp)
  clearInterval(awake)
  files.stop()
  await watch.stop()
}

function durationOption(name: string, text: string): number {
  if (!DURATION.test(text) || durationMs(text) < 500) throw new ExitError(Exit.usage, `${name} ${text} is not a duration of 500ms or more`)
  return durationMs(text)
}

function tellJson(event: WatchEvent): void {
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`)
}

function tellPlain(event: WatchEvent): void {
  switch (event.event) {
    case 'leading':
      return void process.stdout.write('leading\n')
    case 'following':
      return void process.stdout.write(`following ${event.leader}\n`)
    case 'applied':
      return void process.stdout.write(
        `${[...grantLines(event.plan.grants, false), doneText(event.plan.grants)].join('\n')}; ${event.written} tuples written, ${event.deleted} deleted\n`,
      )
    case 'withheld': {
      const share = `${(event.plan.removedShare * 100).toFixed(1)} % of what the grants in the store say would go`
      return void process.stderr.write(`${planText(event.plan, false)}${share}: nothing was changed; apply --yes does it all the same\n`)
    }
    case 'failed':
      return void process.stderr.write(`${event.why}\n`)
  }
}
