// `topicgate token inspect`: what a token says, and what each of the gate's checks makes of it; the token itself is never printed.

import type { Command } from 'commander'
import type { TokenCheck, TokenVerifier } from '../auth/oauthbearer.ts'
import type { Config } from '../base/config.ts'
import { Exit, ExitError } from './exit.ts'

export function register(program: Command): void {
  program
    .command('token')
    .description('tokens of clients')
    .command('inspect')
    .description('show what a token says, and check it as a login would')
    .argument('<file>', 'file with the token; - for stdin')
    .option('-c, --config <file>', 'topicgate.yaml: whose issuers check it; without, nothing is checked')
    .option('--at <time>', 'check it as of then, as 2026-12-01T00:00:00Z')
    .option('--json', 'print { header, claims, checks, ok, why, principal }')
    .action(inspect)
}

interface Options {
  readonly config?: string
  readonly at?: string
  readonly json?: boolean
}

async function inspect(file: string, { config, at, json }: Options): Promise<void> {
  const token = await readToken(file)
  const report = config === undefined ? await decoded(token) : await checked(token, config, at)
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : textOf(report))
}

/** Stdin can be read once, and may be asked for again. */
let piped: string | undefined

/** The token that a file holds, or the whole of stdin for `-`. */
export async function readToken(file: string): Promise<string> {
  const { readFileSync } = await import('node:fs')
  let text: string
  try {
    text = (file === '-' ? (piped ??= readFileSync(0, 'utf8')) : readFileSync(file, 'utf8')).trim()
  } catch (why) {
    throw new ExitError(Exit.usage, `${file} cannot be read: ${(why as NodeJS.ErrnoException).code ?? (why as Error).message}`)
  }
  if (text === '') throw new ExitError(Exit.usage, `${file} holds no token`)
  return text.replace(/^Bearer\s+/i, '')
}

/** A verifier with the keys of every configured issuer; the caller stops it. */
export async function openVerifier(settings: Config, nowMs: number | null): Promise<TokenVerifier> {
  const { TokenVerifier } = await import('../auth/oauthbearer.ts')
  const verifier = new TokenVerifier(settings.issuers, nowMs === null ? {} : { now: () => nowMs })
  await verifier.start()
  return verifier
}

interface Report {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
  readonly checks: readonly TokenCheck[]
  /** null: nothing was checked. */
  readonly ok: boolean | null
  readonly why: string | null
  readonly principal: object | null
}

async function decoded(token: string): Promise<Report> {
  const { decodeJwt, decodeProtectedHeader } = await import('jose')
  try {
    const [header, claims] = [decodeProtectedHeader(token), decodeJwt(token)]
    return { header: { ...header }, claims, checks: [], ok: null, why: 'not checked: give -c topicgate.yaml', principal: null }
  } catch {
    throw new ExitError(Exit.invalid, 'this is no signed JWT: opaque and encrypted tokens cannot be looked into')
  }
}

async function checked(token: string, config: string, at: string | undefined): Promise<Report> {
  const { loadConfig } = await import('../base/config.ts')
  const { timeOption } = await import('./policy-options.ts')
  const settings = loadConfig(config)
  const verifier = await openVerifier(settings, timeOption(at))
  try {
    const aliases = settings.issuers.map(({ alias }) => alias)
    const { header, claims, checks, verified } = await verifier.inspect(token, aliases)
    if (verified.kind !== 'principal') return { header, claims, checks, ok: false, why: verified.why, principal: null }
    const { id, type, groups, realmRoles, clientRoles, organizations, acting, expiresAtMs } = verified.principal
    const memberships = { groups, realmRoles, clientRoles, organizations }
    const principal = { id, type, ...memberships, acting, expiresAt: new Date(expiresAtMs).toISOString() }
    return { header, claims, checks, ok: true, why: null, principal }
  } finally {
    verifier.stop()
  }
}

/** One line a check, for people. */
export function checkLines(checks: readonly TokenCheck[]): string[] {
  return checks.map(({ check, ok, problem }) => {
    const mark = ok === null ? '-   ' : ok ? 'ok  ' : 'NO  '
    return `${mark}${check}${problem === null ? '' : `: ${problem}`}`
  })
}

const TIMES = ['exp', 'iat', 'nbf', 'auth_time']

function textOf({ header, claims, checks, ok, why, principal }: Report): string {
  const shown = (name: string, value: unknown) =>
    TIMES.includes(name) && typeof value === 'number' ? `${value} (${new Date(value * 1000).toISOString()})` : JSON.stringify(value)
  const list = (of: object) => Object.entries(of).map(([name, value]) => `  ${name}: ${shown(name, value)}`)
  const verdict = ok === null ? why : ok ? 'accepted' : `refused: ${why}`
  const who = principal === null ? [] : ['principal', ...list(principal)]
  const lines = ['header', ...list(header), 'claims', ...list(claims), ...checkLines(checks), ...who, verdict]
  return `${lines.join('\n')}\n`
}
