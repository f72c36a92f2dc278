// `topicgate policy grants`: the grants of a policy, found by what stands in them: id, reason, owner, principal or name.

import type { Command } from 'commander'
import type { Grant } from '../policy/policy-document.ts'
import { collect, type PolicyOptions, printJson, readPolicyFor, withPolicy } from './policy-options.ts'
import { policyCommand } from './policy-test.ts'

interface Options extends PolicyOptions {
  readonly find: readonly string[]
  readonly owner?: string
  readonly json?: boolean
}

export function register(program: Command): void {
  withPolicy(policyCommand(program).command('grants'))
    .description('list grants, with whom they are given to, why, and who owns them')
    .argument('[path]', 'a policy file or folder; default: the one of --config')
    .option('--find <text>', 'only those in which it stands: id, why, owner, principal or name; may be repeated', collect, [])
    .option('--owner <name>', 'only those of this owner')
    .option('--json', 'print a list of { id, to, on, inForce, why, owner, at }')
    .action(run)
}

async function run(path: string | undefined, options: Options): Promise<void> {
  const { inForceText, patternText, placeText } = await import('../policy/pattern-text.ts')
  const { namesOf } = await import('../policy/operations.ts')
  const { subjectText } = await import('../policy/subjects.ts')
  const { document } = await readPolicyFor(path === undefined ? options : { ...options, policy: path })
  const lineOf = (grant: Grant) => ({
    id: grant.id,
    to: grant.to.map(subjectText),
    on: grant.covers.map(cover => `${namesOf(cover.operations).join(', ')} on ${patternText(cover)}`),
    inForce: inForceText(grant),
    why: grant.why,
    owner: grant.owner,
    at: placeText(grant.place),
  })
  const lines = document.grants
    .map(lineOf)
    .filter(({ owner }) => options.owner === undefined || owner === options.owner)
    .filter(({ id, to, on, why, owner }) => {
      const text = [id, ...to, ...on, why ?? '', owner ?? ''].join('\n').toLowerCase()
      return options.find.every(wanted => text.includes(wanted.toLowerCase()))
    })
  if (options.json) return printJson(lines)
  for (const { id, to, on, inForce, why, owner, at } of lines) {
    const notes = [inForce, why === null ? '' : `why ${why}`, owner === null ? '' : `owner ${owner}`].filter(note => note !== '')
    process.stdout.write(`${at}  ${id}  to ${to.join(', ')}: ${on.join('; ')}${notes.length === 0 ? '' : `  (${notes.join(', ')})`}\n`)
  }
}
