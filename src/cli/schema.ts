// `topicgate schema`: the JSON Schemas of the two files, for editors, and the description of the admin API, for its clients.

import { Argument, type Command } from 'commander'
import { version } from './version.ts'

const TITLES = { config: 'topicgate.yaml', policy: 'policy.yaml' } as const
type Described = keyof typeof TITLES | 'admin'

export function register(program: Command): void {
  program
    .command('schema')
    .description('print the JSON Schema of a file, for editors, or the OpenAPI description of the admin API')
    .usage('config|policy|admin')
    .addArgument(new Argument('<of>', 'what is described').choices([...Object.keys(TITLES), 'admin']))
    .action(async (file: Described) => {
      process.stdout.write(await schemaText(file))
    })
}

export async function schemaText(file: Described): Promise<string> {
  if (file === 'admin') {
    const { openApi } = await import('../proxy/openapi.ts')
    return `${JSON.stringify(openApi(version()), null, 2)}\n`
  }
  const { z } = await import('zod')
  const schema =
    file === 'config' ? (await import('../base/config-schema.ts')).ConfigSchema : (await import('../policy/policy-schema.ts')).PolicySchema
  const json = z.toJSONSchema(schema, { io: 'input', target: 'draft-7' })
  return `${JSON.stringify({ title: TITLES[file], ...json }, null, 2)}\n`
}
