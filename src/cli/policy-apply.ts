// `topicgate policy apply`: writes the grants of the policy into the OpenFGA store that the configuration names.

import type { Command } from 'commander'
import { Exit, ExitError } from './exit.ts'
import type { StoreOptions } from './openfga-options.ts'
import { openStore, told } from './openfga-options.ts'
import { collect, printJson } from './policy-options.ts'
import { doneText, idsOf, planText } from './policy-plan.ts'
import { policyCommand } from './policy-test.ts'

/** More than so many percent of what the grants in the store say is not taken away unasked. */
export const MAX_REMOVED_PERCENT = '20'

interface Options extends StoreOptions {
  readonly maxRemoved: string
  readonly yes?: boolean
  readonly json?: boolean
}

export function register(program: Command): void {
  policyCommand(program)
    .command('apply')
    .description('write the grants of the policy into the OpenFGA store; what others wrote there stays')
    .argument('[path]', 'a policy file or folder; default: the one of --config')
    .requiredOption('-c, --config <file>', 'topicgate.yaml')
    .option('--set <key=value>', 'override one value of the file; may be repeated', collect, [])
    .option('--max-removed <percent>', 'take away no more than so much of what the grants in the store say', MAX_REMOVED_PERCENT)
    .option('--yes', 'take away as much as the policy says')
    .option('--json', 'print { grants, written, deleted, added, changed, removed }')
    .action(run)
}

async function run(path: string | undefined, options: Options): Promise<void> {
  const maxPercent = percentOption(options.maxRemoved)
  const { changesFor } = await import('../policy/apply.ts')
  const { planOf } = await import('../policy/store-plan.ts')
  const { address, store, document, cluster } = await openStore(path, options)
  const changes = await told(address, () => changesFor(store.tuples(), document.grants, cluster))
  const plan = planOf(changes)
  const percent = plan.removedShare * 100
  if (!options.yes && percent > maxPercent) {
    process.stderr.write(planText(plan, false))
    const share = `${percent.toFixed(1)} % of what the grants in the store say would go, more than ${maxPercent} %`
    throw new ExitError(Exit.usage, `${share}: nothing was changed; --yes does it all the same`)
  }
  await told(address, () => store.write(changes.deletes, changes.writes))
  const [grants, written, deleted] = [document.grants.length, changes.writes.length, changes.deletes.length]
  if (options.json) {
    const [added, changed, removed] = (['added', 'changed', 'removed'] as const).map(change => idsOf(plan.grants, change))
    printJson({ grants, written, deleted, added, changed, removed })
  } else process.stdout.write(`${grants} grants: ${doneText(plan.grants)}; ${written} tuples written, ${deleted} deleted\n`)
}

/** @throws {ExitError} */
export function percentOption(text: string): number {
  const percent = Number(text)
  if (!(percent >= 0 && percent <= 100)) throw new ExitError(Exit.usage, `--max-removed ${text} is not 0 to 100`)
  return percent
}
