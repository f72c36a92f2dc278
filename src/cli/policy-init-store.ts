// `topicgate policy init-store`: makes an OpenFGA store with the model that comes with the gate, or gives that model to one that is there.

import type { Command } from 'commander'
import { Exit, ExitError } from './exit.ts'
import { COMMAND_MS, told } from './openfga-options.ts'
import { policyCommand } from './policy-test.ts'

interface Options {
  readonly url: string
  readonly token?: string
  readonly name: string
  readonly store?: string
  readonly json?: boolean
}

export function register(program: Command): void {
  policyCommand(program)
    .command('init-store')
    .description('make an OpenFGA store with the model, and print their ids for authorizer.openfga')
    .requiredOption('--url <url>', 'address of OpenFGA')
    .option('--token <file>', 'file with the token that OpenFGA asks for')
    .option('--name <name>', 'name of the store', 'topicgate')
    .option('--store <id>', 'a store that is there, whose model is older: it gets this one, and keeps all it holds')
    .option('--json', 'print { url, store, model }')
    .action(run)
}

async function run({ url, token, name, store, json }: Options): Promise<void> {
  if (!URL.canParse(url)) throw new ExitError(Exit.usage, `${url} is not an address | write http://HOST:PORT`)
  const { readFileSync } = await import('node:fs')
  const { createStore, writeModel } = await import('../policy/openfga-client.ts')
  const { shippedModel } = await import('../policy/openfga-model.ts')
  const address = { url, token: token === undefined ? null : readFileSync(token, 'utf8').trim() }
  const made = await told(address, async () =>
    store === undefined
      ? createStore(address, name, shippedModel(), COMMAND_MS)
      : { store, model: await writeModel(address, store, shippedModel(), COMMAND_MS) },
  )
  if (json) process.stdout.write(`${JSON.stringify({ url, ...made }, null, 2)}\n`)
  else process.stdout.write(`authorizer:\n  engine: openfga\n  openfga: { url: "${url}", store: ${made.store}, model: ${made.model} }\n`)
}
