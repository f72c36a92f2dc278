// `topicgate validate`: reads the configuration, the policy and its tests as `run` would, and says what is wrong, without serving.

import type { Command } from 'commander'
import type { Problem } from '../base/errors.ts'
import { InvalidFileError, problemText } from '../base/errors.ts'
import { Exit } from './exit.ts'
import { collect } from './policy-options.ts'

/** One thing that was looked at. */
interface Check {
  /** `config`, `policy`, `policy tests`; live: the step and what it was about. */
  readonly check: string
  readonly ok: boolean
  /** Of a live check, or where there is no policy: what was seen. */
  readonly seen?: string | null
  readonly problem: string | null
  readonly hint: string | null
  readonly file: string | null
  readonly line: number | null
  readonly col: number | null
  readonly path: string | null
}

const NO_POLICY = 'there is none: the store stands alone'

export function register(program: Command): void {
  program
    .command('validate')
    .description('check the configuration, the policy and its tests')
    .option('-c, --config <file>', 'the configuration', 'topicgate.yaml')
    .option('--set <key=value>', 'override one value of the file; may be repeated', collect, [])
    .option('--live', 'go the whole way to brokers, issuers and the store as well')
    .option('--json', 'print a list of { check, ok, problem, hint }')
    .action(async ({ config, set, live, json }: { config: string; set: string[]; live?: boolean; json?: boolean }) => {
      const checks = await validate(config, set, live ?? false)
      if (json) process.stdout.write(`${JSON.stringify(checks, null, 2)}\n`)
      else for (const [i, check] of checks.entries()) print(check, checks[i + 1]?.check !== check.check, checks)
      const wrong = checks.filter(({ ok }) => !ok)
      if (wrong.length > 0) process.exitCode = wrong.every(({ check }) => check === 'policy tests') ? Exit.testsFailed : Exit.invalid
    })
}

async function validate(file: string, sets: readonly string[], live: boolean): Promise<Check[]> {
  const { loadConfig, demandClientAddress } = await import('../base/config.ts')
  const { loadPolicyOf } = await import('../policy/watch.ts')
  const { demandTests } = await import('../policy/policy-tests.ts')
  const checks: Check[] = []
  const config = attempt(checks, 'config', () => loadConfig(file, sets))
  if (config === null) return checks
  if ([...config.listeners, config.admin].some(one => (one?.tls ?? null) !== null)) {
    const { demandCertificates } = await import('../proxy/listener-certificates.ts')
    attempt(checks, 'certificates', () => demandCertificates(config, Date.now()))
  }
  const { demandSigner, signsForMsk } = await import('../proxy/own-login.ts')
  // Live, the signer is asked for a token.
  if (signsForMsk(config) && !live) attempt(checks, 'signer', () => demandSigner(config))
  const policy = attempt(checks, 'policy', () => {
    const document = loadPolicyOf(config)
    if (document.readsAddress) demandClientAddress(config)
    return document
  })
  if (policy?.files.length === 0) checks.push({ ...checks.pop()!, seen: NO_POLICY })
  if (policy !== null) attempt(checks, 'policy tests', () => demandTests(policy, Date.now()))
  if (live) {
    const { liveChecks } = await import('./live.ts')
    for (const check of await liveChecks(config)) checks.push({ ...check, file: null, line: null, col: null, path: null })
  }
  return checks
}

function attempt<T>(checks: Check[], check: string, read: () => T): T | null {
  try {
    const value = read()
    checks.push({ check, ok: true, problem: null, hint: null, file: null, line: null, col: null, path: null })
    return value
  } catch (why) {
    if (!(why instanceof InvalidFileError)) throw why
    checks.push(...why.problems.map(problem => ({ check, ok: false, ...problem })))
    return null
  }
}

/** @param last of those that came from one thing that was looked at: what is wrong with its files is counted then */
function print(check: Check, last: boolean, checks: readonly Check[]): void {
  const { ok, seen, file, problem, hint } = check
  if (ok) process.stdout.write(`ok  ${check.check}${seen ? `  ${seen}` : ''}\n`)
  else if (file === null) process.stderr.write(`${[`not ok  ${check.check}`, problem, hint].filter(part => part !== null).join('  ')}\n`)
  else process.stderr.write(`${problemText(check as Check & Problem)}\n`)
  if (ok || file === null || !last) return
  const { length } = checks.filter(one => one.check === check.check)
  process.stderr.write(`not ok  ${check.check}  ${length} ${length === 1 ? 'problem' : 'problems'}\n`)
}
