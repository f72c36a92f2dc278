// `topicgate policy plan`: shows what apply would change in the OpenFGA store, in words and as tuples.

import type { Command } from 'commander'
import type { Tuple } from '../policy/grant-tuples.ts'
import type { GrantChange, StorePlan } from '../policy/store-plan.ts'
import type { StoreOptions } from './openfga-options.ts'
import { openStore, told } from './openfga-options.ts'
import { collect, printJson } from './policy-options.ts'
import { policyCommand } from './policy-test.ts'

interface Options extends StoreOptions {
  readonly tuples?: boolean
  readonly json?: boolean
}

export function register(program: Command): void {
  policyCommand(program)
    .command('plan')
    .description('show what apply would change in the OpenFGA store')
    .argument('[path]', 'a policy file or folder; default: the one of --config')
    .requiredOption('-c, --config <file>', 'topicgate.yaml')
    .option('--set <key=value>', 'override one value of the file; may be repeated', collect, [])
    .option('--tuples', 'show the tuples, too')
    .option('--json', 'print { grants: [{ id, change, words, deletes, writes }], unchanged, removedShare }')
    .action(run)
}

async function run(path: string | undefined, options: Options): Promise<void> {
  const { changesFor } = await import('../policy/apply.ts')
  const { planOf } = await import('../policy/store-plan.ts')
  const { address, store, document, cluster } = await openStore(path, options)
  const plan = planOf(await told(address, () => changesFor(store.tuples(), document.grants, cluster)))
  if (options.json) printJson(plan)
  else process.stdout.write(planText(plan, options.tuples ?? false))
}

const SIGNS = { added: '+', changed: '~', removed: '-' } as const

/** A plan for people to read. */
export function planText({ grants, unchanged }: StorePlan, withTuples: boolean): string {
  return `${[...grantLines(grants, withTuples), summary(grants, unchanged)].join('\n')}\n`
}

export const grantLines = (grants: readonly GrantChange[], withTuples: boolean): string[] =>
  grants.flatMap(grant => [
    `${SIGNS[grant.change]} ${grant.id}  ${grant.change}`,
    ...grant.words.map(word => `    ${word}`),
    ...(withTuples ? tupleLines(grant) : []),
  ])

function summary(grants: readonly GrantChange[], unchanged: number): string {
  if (grants.length === 0) return `nothing to change: ${unchanged} grants stand in the store as the policy has them`
  const count = (change: GrantChange['change']): number => idsOf(grants, change).length
  return `${count('added')} to add, ${count('changed')} to change, ${count('removed')} to remove, ${unchanged} as they should be`
}

export const idsOf = (grants: readonly GrantChange[], change: GrantChange['change']): string[] =>
  grants.filter(grant => grant.change === change).map(({ id }) => id)

/** What was done, in words. */
export const doneText = (grants: readonly GrantChange[]): string =>
  `${idsOf(grants, 'added').length} added, ${idsOf(grants, 'changed').length} changed, ${idsOf(grants, 'removed').length} removed`

const tupleLines = ({ deletes, writes }: GrantChange): string[] => [
  ...deletes.map(tuple => `      - ${tupleText(tuple)}`),
  ...writes.map(tuple => `      + ${tupleText(tuple)}`),
]

const tupleText = ({ user, relation, object, condition }: Tuple): string =>
  `${user} ${relation} ${object}${condition === undefined ? '' : ` if ${condition.name} ${JSON.stringify(condition.context ?? {})}`}`
