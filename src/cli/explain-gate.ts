// What a running gate keeps, beside each step of an explanation: asked of its admin API, and told in a line or two.

import type { Command } from 'commander'
import type { KeptText } from '../proxy/admin-kept.ts'
import { Exit, ExitError } from './exit.ts'

export interface GateOptions {
  readonly gate?: string
  readonly gateToken?: string
  readonly gateCa?: string
}

/** What the gate answers, and whether it judges by the policy that was read here. */
export interface GateKept extends KeptText {
  readonly samePolicy: boolean
}

/** @param principal its id @throws {ExitError} when the gate does not answer, or refuses */
export type AskGate = (principal: string, resource: { readonly kind: string; readonly name: string }) => Promise<GateKept>

export function withGate(command: Command): Command {
  return command
    .option('--gate <url>', 'admin API of a running gate: what it keeps is told beside each step')
    .option('--gate-token <file>', 'file with your access token for it')
    .option('--gate-ca <file>', 'who signed its certificate')
}

/** Null: no gate is to be asked. @param hash of the policy that was read here */
export async function gateOf({ gate, gateToken, gateCa }: GateOptions, hash: string): Promise<AskGate | null> {
  if (gate === undefined && gateToken === undefined && gateCa === undefined) return null
  if (gate === undefined || gateToken === undefined) throw new ExitError(Exit.usage, '--gate and --gate-token stand together')
  const { askAdmin } = await import('./admin-client.ts')
  const options = { url: gate, token: gateToken, ...(gateCa !== undefined && { ca: gateCa }) }
  return async (principal, { kind, name }) => {
    const answer = (await askAdmin(options, 'GET', `/v1/kept?${new URLSearchParams({ principal, kind, name })}`)) as KeptText
    return { ...answer, samePolicy: hash.startsWith(answer.policy.hash) }
  }
}

/** What is to be known of the gate before what it keeps. */
export function gateLines({ policy, store, samePolicy }: GateKept): string[] {
  const { generation, hash, fresh } = policy
  return [
    ...(samePolicy ? [] : [`gate: it judges by other policy files than were read here: generation ${generation}, hash ${hash}`]),
    ...(fresh ? [] : [`gate: what its policy files hold now was refused: generation ${generation} stays in force`]),
    ...(store === null || (store.connected && !store.failing) ? [] : ['gate: OpenFGA does not answer it']),
  ]
}

/** @param resource as text */
export function keptLines({ engine, kept }: GateKept, operation: string, resource: string): string[] {
  if (engine === 'embedded') return ['gate: engine embedded: it judges by the policy alone']
  if (kept.length === 0) return ['gate: nothing is kept of this principal: it would be asked now']
  return kept.map(({ worker, address, given, resource: own }) => {
    const where = `gate: worker ${worker}${address === null ? '' : ` from ${address}`}`
    return `${where}: ${givenText(given)}; ${resource}: ${ownText(own, operation)}`
  })
}

type State = KeptText['kept'][number]

function givenText(given: State['given']): string {
  if (given === null) return 'what was given is not known, and would be asked'
  const { grants, roles, endsAt, stale } = given
  const all = [
    ...grants.map(id => `grant ${id}`),
    ...roles.cluster.map(role => `${role} of the cluster`),
    ...Object.entries(roles.namespaces).flatMap(([namespace, names]) => names.map(role => `${role} of ${namespace}`)),
  ]
  const until = stale ? `over since ${endsAt}, counts by cache.maxStale` : `until ${endsAt}`
  return `${all.length === 0 ? 'nothing is given' : all.join(', ')}, ${until}`
}

function ownText(own: State['resource'], operation: string): string {
  if (own === null) return 'nothing is kept of it by itself'
  const has = (list: readonly string[]): boolean => list.includes(operation)
  const said = own.blocked
    ? 'blocked'
    : has(own.allowed)
      ? `${operation} allowed`
      : has(own.answered)
        ? `${operation} refused`
        : has(own.undecided)
          ? `${operation} undecided`
          : `${operation} not asked`
  return `${said}, until ${own.endsAt}`
}
