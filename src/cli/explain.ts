// `topicgate explain`: every step of one decision: token, principal, rules and grants that were tried, verdict, and what the client reads.

import type { Command } from 'commander'
import type { TokenCheck } from '../auth/oauthbearer.ts'
import type { Principal } from '../auth/principal.ts'
import type { AuditLine } from '../base/audit.ts'
import type { ApiNeeds } from '../policy/api-needs.ts'
import { Operation, type Origin, Resource } from '../policy/authorizer.ts'
import type { Explanation } from '../policy/explain.ts'
import { KIND_NAMES, OPERATION_NAMES, operationName, SUPPORTED } from '../policy/operations.ts'
import type { Walked } from '../policy/store-walk.ts'
import { type Deciding, openDeciding } from './deciding.ts'
import { Exit, ExitError } from './exit.ts'
import { type AskGate, type GateKept, type GateOptions, gateOf, withGate } from './explain-gate.ts'
import { type Asked, questionsOf, type Wanted } from './explain-questions.ts'
import { explanationText } from './explain-text.ts'
import { type PolicyOptions, printJson, type ReadPolicy, readPolicyFor, timeOption, withPolicy } from './policy-options.ts'
import { type PrincipalOptions, principalFor, withMemberships } from './principal-options.ts'

interface Options extends PolicyOptions, PrincipalOptions, Wanted, GateOptions {
  readonly token?: string
  readonly as?: string
  readonly decision?: string
  readonly from?: string
  readonly at?: string
  readonly address?: string
  readonly listener?: string
  readonly json?: boolean
}

export function register(program: Command): void {
  const command = program.command('explain').description('say step by step why something is allowed or refused')
  withPolicy(command)
    .option('--token <file>', 'file with the access token of the client; - for stdin')
    .option('--as <principal>', 'user:<sub>, person:<name> or service:<client id>, instead of a token')
    .option('--api <name>', 'the API of the request, as Fetch; or Fetch@13')
    .option('--version <n>', 'its version; default: the newest that is served')
    .option('--operation <op>', `instead of an API: ${OPERATION_NAMES.join(', ')}`)
    .option('--topic <name>', 'the topic that is asked for')
    .option('--group-id <name>', 'the consumer group that is asked for')
    .option('--transactional-id <name>', 'the transactional id that is asked for')
    .option('--cluster', 'the cluster is asked for')
    .option('--decision <id>', 'a decision of the audit log, instead of all of the above')
    .option('--from <file>', 'the audit log that has the decision')
    .option('--at <time>', 'as of then; default: now')
    .option('--address <ip>', 'the address of the client')
    .option('--listener <name>', 'the listener that it is connected to')
    .option('--json', 'print one object')
  withGate(withMemberships(command)).action(run)
}

/** One question, and what the store says to it step by step; null: there is no store, or it was not asked. */
export interface Step extends Explanation {
  readonly store: Walked | null
  /** What a running gate keeps of it; null: none was asked. */
  readonly kept: GateKept | null
}

/** What is printed. The first names are those of an audit line; `steps` holds every question by itself. */
export interface Report {
  readonly verdict: Explanation['verdict']
  readonly reason: string
  readonly principal: string | null
  readonly issuer: string | null
  readonly api: string | null
  readonly version: number | null
  readonly operation: string | null
  readonly resource: Explanation['resource'] | null
  readonly grant: string | null
  readonly rule: string | null
  readonly shadow: string | null
  readonly at: string | null
  readonly generation: number | null
  readonly engine: string | null
  readonly error: string | null
  /** How the API tells it. */
  readonly told: string | null
  readonly time: string
  readonly address: string | null
  readonly token: { readonly ok: boolean; readonly why: string | null; readonly checks: readonly TokenCheck[] } | null
  readonly memberships: Pick<Principal, 'groups' | 'realmRoles' | 'clientRoles' | 'organizations' | 'acting'> | null
  readonly steps: readonly Step[]
  /** What the API needs besides, which was not asked for. */
  readonly needsToo: readonly string[]
  /** The line of the audit log that was explained. */
  readonly recorded: AuditLine | null
}

async function run(options: Options): Promise<void> {
  const report = options.decision === undefined ? await explainQuestion(options, null) : await explainDecision(options, options.decision)
  if (options.json) printJson(report)
  else process.stdout.write(explanationText(report))
}

/** The same question as the one that was recorded, to the policy as it is now. */
async function explainDecision(options: Options, id: string): Promise<Report> {
  if (options.from === undefined) throw new ExitError(Exit.usage, '--decision needs --from with the audit log')
  const { readAudit } = await import('./audit-log.ts')
  let line: AuditLine | null = null
  for await (const one of readAudit(options.from)) if (one.id === id) line = one
  if (line === null) throw new ExitError(Exit.usage, `${options.from} has no decision ${id}`)
  const { existsSync } = await import('node:fs')
  const hasPolicy = options.config !== undefined || options.policy !== undefined || existsSync('topicgate.yaml')
  if (!hasPolicy || line.resource === null || line.principal === null || line.operation === null) return onlyRecorded(line)
  const { kind, name } = line.resource
  const named = { topic: 'topic', consumerGroup: 'groupId', transactionalId: 'transactionalId', cluster: 'cluster' }[kind] ?? 'topic'
  const acting = options.acting ?? line.act?.kind
  const asked: Options = {
    ...options,
    as: options.as ?? line.principal,
    operation: line.operation,
    [named]: kind === 'cluster' ? true : name,
    at: options.at ?? line.time,
    ...((options.address ?? line.client.address) ? { address: options.address ?? line.client.address } : {}),
    listener: options.listener ?? line.client.listener,
    ...(acting === undefined ? {} : { acting }),
  }
  return explainQuestion(asked, line)
}

function onlyRecorded(line: AuditLine): Report {
  const { principal, issuer, api, version, operation, resource, grant, rule, generation, engine, error, reason, time } = line
  const recorded = { reason, principal, issuer, api, version, operation, resource, grant, rule, generation, engine, error, time }
  const verdict = line.verdict === 'hidden' ? 'refused' : line.verdict
  return { ...NOTHING, ...recorded, verdict, address: line.client.address, recorded: line }
}

/** Its names stand in the order in which they are printed. */
const NOTHING: Report = {
  verdict: 'refused',
  reason: '',
  principal: null,
  issuer: null,
  api: null,
  version: null,
  operation: null,
  resource: null,
  grant: null,
  rule: null,
  shadow: null,
  at: null,
  generation: null,
  engine: null,
  error: null,
  told: null,
  time: '',
  address: null,
  token: null,
  memberships: null,
  steps: [],
  needsToo: [],
  recorded: null,
}

async function explainQuestion(options: Options, recorded: AuditLine | null): Promise<Report> {
  const nowMs = timeOption(options.at) ?? Date.now()
  const policy = await readPolicyFor(options)
  const asked = await questionsOf(options)
  const who = await principalOf(options, policy, timeOption(options.at))
  const api = asked.api === null ? null : { api: asked.api.rule.api.name, version: asked.api.version }
  const base = {
    ...NOTHING,
    principal: who.principal?.id ?? null,
    issuer: who.principal?.issuer ?? null,
    api: api?.api ?? recorded?.api ?? null,
    version: api?.version ?? recorded?.version ?? null,
    time: new Date(nowMs).toISOString(),
    address: options.address ?? null,
    token: who.token,
    needsToo: asked.needsToo,
    recorded,
  }
  const { principal } = who
  if (principal === null) return { ...base, ...noPrincipal(who.token?.why ?? '') }
  const askGate = await gateOf(options, policy.document.hash)
  const deciding = await openDeciding(policy, nowMs)
  try {
    const origin = { listener: options.listener ?? '', address: options.address ?? '' }
    const steps = await withKept(await stepsOf(asked, principal, origin, nowMs, deciding), principal, askGate)
    const { groups, realmRoles, clientRoles, organizations, acting } = principal
    const { verdict, reason, operation, resource, grant, rule, shadow, at, error } = decisive(steps, asked)
    return {
      ...base,
      ...{ verdict, reason, operation, resource, grant, rule, shadow, at },
      generation: policy.document.generation,
      engine: deciding.authorizer.engine,
      error: verdict === 'undecided' ? await undecidedError(asked.api) : error,
      told: verdict === 'refused' ? await toldBy(api?.api ?? recorded?.api ?? null) : null,
      memberships: { groups, realmRoles, clientRoles, organizations, acting },
      steps,
    }
  } finally {
    deciding.stop()
  }
}

const noPrincipal = (why: string) => ({ reason: `login refused: ${why}`, error: 'SASL_AUTHENTICATION_FAILED' })

async function principalOf(options: Options, policy: ReadPolicy, atMs: number | null) {
  if ((options.token === undefined) === (options.as === undefined)) throw new ExitError(Exit.usage, 'one of --token and --as must stand')
  if (options.as !== undefined) return { principal: principalFor(options.as, options, policy), token: null }
  const { settings } = policy
  if (settings === null) throw new ExitError(Exit.usage, '--token needs -c topicgate.yaml, which names the issuers')
  const { openVerifier, readToken } = await import('./token.ts')
  const verifier = await openVerifier(settings, atMs)
  try {
    const aliases = settings.issuers.map(({ alias }) => alias)
    const { checks, verified } = await verifier.inspect(await readToken(options.token!), aliases)
    const isGood = verified.kind === 'principal'
    return { principal: isGood ? verified.principal : null, token: { ok: isGood, why: isGood ? null : verified.why, checks } }
  } finally {
    verifier.stop()
  }
}

async function stepsOf(
  asked: Asked,
  principal: Principal,
  origin: Origin,
  nowMs: number,
  deciding: Deciding,
): Promise<Omit<Step, 'kept'>[]> {
  const { explain, isAlsoByCluster } = await import('../policy/explain.ts')
  const { keysOf } = await import('../policy/subjects.ts')
  const given = await deciding.given(principal, origin)
  const asker = { principal, keys: keysOf(principal), ...origin }
  const steps: Omit<Step, 'kept'>[] = []
  const ask = async (operation: Operation, resource: Resource, name: string) => {
    const reason = await deciding.decide(principal, origin, operation, resource, name)
    const explanation = explain({ judged: deciding.judged, asker, given, nowMs, operation, resource, name }, reason)
    const permission = `can_${operationName(operation)}`
    const store = (await deciding.graph?.walk(principal, origin.address, nowMs, permission, resource, name)) ?? null
    steps.push({ ...explanation, store })
  }
  const { suffices } = asked.api ?? { suffices: null }
  if (suffices !== null && (SUPPORTED[Resource.Cluster] & (1 << suffices)) !== 0) await ask(suffices, Resource.Cluster, 'kafka-cluster')
  for (const { operation, resource, name } of asked.questions) {
    await ask(operation, resource, name)
    if (isAlsoByCluster(operation, resource) && steps.at(-1)!.verdict !== 'allowed')
      await ask(Operation.Create, Resource.Cluster, 'kafka-cluster')
  }
  return steps
}

const withKept = (steps: readonly Omit<Step, 'kept'>[], { id }: Principal, ask: AskGate | null): Promise<Step[]> =>
  Promise.all(steps.map(async step => ({ ...step, kept: ask === null ? null : await ask(id, step.resource) })))

/** The step that the answer hangs on: the first that is not allowed, unless a right on the cluster stands for it. */
function decisive(steps: readonly Explanation[], { questions, api }: Asked): Explanation {
  const wanted = steps.filter(({ resource, operation }) =>
    questions.some(q => KIND_NAMES[q.resource] === resource.kind && q.name === resource.name && operationName(q.operation) === operation),
  )
  const [first] = steps
  if (api?.suffices != null && first!.verdict === 'allowed') return first!
  return wanted.find(({ verdict }) => verdict === 'refused') ?? wanted.find(({ verdict }) => verdict !== 'allowed') ?? wanted[0] ?? first!
}

async function undecidedError(api: ApiNeeds | null): Promise<string | null> {
  const { errorName } = await import('../protocol/error-codes.ts')
  return api === null || api.rule.undecided === null ? null : errorName(api.rule.undecided)
}

async function toldBy(name: string | null): Promise<string | null> {
  const { apiTable } = await import('../policy/api-table.ts')
  return apiTable().find(api => api.name === name)?.refused || null
}
