// `topicgate apis`: the rule table as it is in force: which APIs are served, what each needs, and how a refusal reads.

import type { Command } from 'commander'
import type { ApiLine } from '../policy/api-table.ts'

export function register(program: Command): void {
  program
    .command('apis')
    .description('list the APIs of Kafka: what is served, what each needs, how a refusal reads')
    .option('--json', 'print a list of { key, name, versions, needs, refused, undecided, differs }')
    .action(async ({ json }: { json?: boolean }) => {
      const { apiTable } = await import('../policy/api-table.ts')
      const table = apiTable()
      process.stdout.write(json ? `${JSON.stringify(table, null, 2)}\n` : table.map(textOf).join(''))
    })
}

function textOf({ key, name, versions, needs, refused, undecided, differs }: ApiLine): string {
  const head = `${String(key).padStart(2)}  ${name}`
  if (versions === null) return `${head}  not served: the connection is closed\n`
  const parts = [
    ['needs', needs],
    ['refused', refused],
    ['undecided', undecided],
    ['unlike Kafka', differs],
  ]
  const lines = parts.filter(([, text]) => text !== '').map(([label, text]) => `      ${label}: ${text}\n`)
  return `${head}  ${versions}\n${lines.join('')}`
}
