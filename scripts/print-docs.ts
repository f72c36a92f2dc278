// Prints docs/apis.md from the rule table; with --check, says whether what stands there is what would be printed.

import { readFileSync, writeFileSync } from 'node:fs'
import { argv, exit, stderr } from 'node:process'
import { type ApiLine, apiTable } from '../src/policy/api-table.ts'

/** Pages that are printed, by their place in the repository. */
export const pages: { readonly [path: string]: () => string } = { 'docs/apis.md': apisPage }

export function apisPage(): string {
  const table = apiTable()
  const served = table.filter(line => line.versions !== null)
  const closed = table.filter(line => line.versions === null)
  return `# APIs

Printed from \`src/policy/rules.ts\` by \`npm run docs\`. Operations and errors are Kafka's own; what a client is told, in which order and
in which shape of each version, is what a broker with an authorizer tells it. *Undecided* is what a client reads when the policy engine
does not answer: never an authorization error, because clients take those for final.

A version is offered to a client if the broker behind it has it too. Everything else closes the connection, as a broker does.

| Key | API | Versions | Needs | Refused | Undecided |
|---:|---|---|---|---|---|
${served.map(row).join('\n')}

## Unlike Kafka, on purpose

A rule of the policy that denies is asked also where a right on the cluster would suffice.

${served
  .filter(line => line.differs !== '')
  .map(line => `- **${line.name}**: ${line.differs}.`)
  .join('\n')}
${notOffered(closed)}`
}

const notOffered = (closed: readonly ApiLine[]): string =>
  closed.length === 0 ? '' : `\n## Not offered\n\n${closed.map(line => `${line.name} (${line.key})`).join(', ')}.\n`

const row = ({ key, name, versions, needs, refused, undecided }: ApiLine): string =>
  `| ${[`${key}`, name, versions!.replace('-', '–'), needs, refused, undecided].map(cell => cell || '–').join(' | ')} |`

function main(): void {
  const root = new URL('../', import.meta.url)
  let stale = 0
  for (const [path, print] of Object.entries(pages)) {
    const at = new URL(path, root)
    const text = print()
    if (!argv.includes('--check')) writeFileSync(at, text)
    else if (read(at) !== text) {
      stale++
      stderr.write(`${path} is not what the code says: run npm run docs\n`)
    }
  }
  if (stale > 0) exit(1)
}

function read(at: URL): string | null {
  try {
    return readFileSync(at, 'utf8')
  } catch {
    return null
  }
}

if (import.meta.main) main()
