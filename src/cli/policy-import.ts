// `topicgate policy import`: a policy file from Kafka's ACLs, or from Keycloak's authorization settings.

import type { Command } from 'commander'
import type { Acl } from '../policy/import-acls.ts'
import type { ImportedPolicy } from '../policy/imported.ts'
import { Exit, ExitError } from './exit.ts'
import { printJson } from './policy-options.ts'
import { policyCommand } from './policy-test.ts'

interface AclOptions {
  readonly bootstrap?: string
  readonly username?: string
  readonly passwordFile?: string
  readonly tls?: boolean
  readonly as: string
  readonly principals?: string
  readonly json?: boolean
}

const CLUSTER_MS = 10_000

export function register(program: Command): void {
  const command = policyCommand(program).command('import').description('make a policy file of the rules of another authorizer')
  command
    .command('acls')
    .description("of Kafka's ACLs: what `kafka-acls --list` printed, or what a cluster says")
    .argument('[file]', 'the print of kafka-acls --list')
    .option('--bootstrap <host:port>', 'ask this cluster instead')
    .option('--username <name>', 'log in to it by SASL/PLAIN')
    .option('--password-file <file>', 'with the password in this file')
    .option('--tls', 'by TLS')
    .option('--as <kind>', 'what a User: is: service or user', 'service')
    .option('--principals <file>', 'YAML with other principals by name: { "alice": "user:0b5c7a52" }')
    .option('--json', 'print { grants, rules, tests, remarks }')
    .action(importFromAcls)
  command
    .command('keycloak')
    .description("of Keycloak's exported authorization settings, with resources named Topic:, Group:, TransactionalId: or Cluster:")
    .argument('<file>', 'the exported JSON')
    .option('--json', 'print { grants, rules, tests, remarks }')
    .action(importFromKeycloak)
}

async function importFromAcls(file: string | undefined, options: AclOptions): Promise<void> {
  if ((file === undefined) === (options.bootstrap === undefined)) throw new ExitError(Exit.usage, 'name either a file or --bootstrap')
  const { importAcls, readAclDump } = await import('../policy/import-acls.ts')
  const mapped = await principalsOf(options)
  const { acls, remarks } = file === undefined ? { acls: await aclsOf(options), remarks: [] } : readAclDump(await textOf(file))
  const policy = importAcls(acls, mapped)
  await print(file ?? `the ACLs of ${options.bootstrap}`, { ...policy, remarks: [...remarks, ...policy.remarks] }, options)
}

async function importFromKeycloak(file: string, options: { readonly json?: boolean }): Promise<void> {
  const { importKeycloak, KeycloakSettings } = await import('../policy/import-keycloak.ts')
  const text = await textOf(file)
  const settings = (() => {
    try {
      return KeycloakSettings.parse(JSON.parse(text))
    } catch (why) {
      throw new ExitError(Exit.invalid, `${file} is not what Keycloak exports: ${(why as Error).message}`)
    }
  })()
  await print(file, importKeycloak(settings), options)
}

async function print(source: string, policy: ImportedPolicy, { json }: { readonly json?: boolean }): Promise<void> {
  const { importedText } = await import('../policy/imported.ts')
  if (json) printJson(policy)
  else process.stdout.write(importedText(source, policy))
  const { grants, rules, remarks } = policy
  process.stderr.write(`${grants.length} grants, ${rules.length} rules; ${remarks.length} could not be said\n`)
}

async function textOf(file: string): Promise<string> {
  const { readFileSync } = await import('node:fs')
  try {
    return readFileSync(file, 'utf8')
  } catch (why) {
    throw new ExitError(Exit.invalid, `${file}: ${(why as Error).message}`)
  }
}

/** Service accounts of Keycloak are known by their client. */
async function principalsOf({ as, principals }: AclOptions) {
  if (as !== 'service' && as !== 'user') throw new ExitError(Exit.usage, `--as ${as} is neither service nor user`)
  const { parse } = await import('yaml')
  const others = new Map(Object.entries((principals === undefined ? {} : parse(await textOf(principals))) as Record<string, unknown>))
  for (const [name, to] of others) {
    if (!/^(user|service):./.test(String(to))) throw new ExitError(Exit.invalid, `${principals}: ${name} is not user:… or service:…`)
  }
  return (principal: string): { kind: 'user' | 'service'; name: string } => {
    const own = principal.slice('User:'.length)
    const to = others.get(own)
    if (to !== undefined) {
      const [kind, ...name] = String(to).split(':') as ['user' | 'service', ...string[]]
      return { kind, name: name.join(':') }
    }
    return own.startsWith('service-account-') ? { kind: 'service', name: own.slice('service-account-'.length) } : { kind: as, name: own }
  }
}

/** Asks by DescribeAcls. */
async function aclsOf({ bootstrap, username, passwordFile, tls }: AclOptions): Promise<Acl[]> {
  const { aclOf } = await import('../policy/import-acls.ts')
  const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, Kafka, logLevel, ResourcePatternTypes } = (await import('kafkajs'))
    .default
  const sasl = username === undefined ? {} : { sasl: { mechanism: 'plain' as const, username, password: await password(passwordFile) } }
  const admin = new Kafka({
    clientId: 'topicgate',
    brokers: [bootstrap!],
    ssl: tls ?? false,
    logLevel: logLevel.NOTHING,
    connectionTimeout: CLUSTER_MS,
    retry: { retries: 1 },
    ...sasl,
  }).admin()
  try {
    await admin.connect()
    const { resources } = await admin.describeAcls({
      resourceType: AclResourceTypes.ANY,
      resourcePatternType: ResourcePatternTypes.ANY,
      operation: AclOperationTypes.ANY,
      permissionType: AclPermissionTypes.ANY,
    })
    return resources.flatMap(({ resourceType, resourceName: name, resourcePatternType: patternType, acls }) =>
      acls.map(({ principal, host, operation, permissionType: permission }) =>
        aclOf({ resourceType, name, patternType, principal, host, operation, permission }),
      ),
    )
  } catch (why) {
    throw new ExitError(Exit.unexpected, `${bootstrap}: ${(why as Error).message}`)
  } finally {
    await admin.disconnect()
  }
}

async function password(file: string | undefined): Promise<string> {
  if (file === undefined) throw new ExitError(Exit.usage, '--username needs --password-file')
  return (await textOf(file)).trim()
}
