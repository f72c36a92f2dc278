// `topicgate subscription`: asks the admin API of a running gate to list, request, approve, extend and revoke subscriptions.

import type { Command } from 'commander'
import type { AnswerText } from '../proxy/admin-shapes.ts'
import { printJson } from './policy-options.ts'

interface Options {
  readonly url: string
  readonly token: string
  readonly ca?: string
  readonly json?: boolean
}

interface RequestOptions extends Options {
  readonly subscriber?: string
  readonly issuer?: string
  readonly org: string
  readonly topic: string
  readonly group: string
  readonly until: string
  readonly why?: string
}

interface ListOptions extends Options {
  readonly stage?: string
  readonly org?: string
  readonly topic?: string
}

const PATH = '/v1/subscriptions'

export function register(program: Command): void {
  const parent = program.command('subscription').description('who may consume what until when, by the admin API of a running gate')
  verb(parent, 'list', 'list what you asked for, have, or may approve')
    .option('--stage <stage>', 'requested, approved, ended or revoked')
    .option('--org <alias>', 'of this organization')
    .option('--topic <name>', 'on this topic')
    .action(list)
  verb(parent, 'request', 'ask that somebody may consume a topic')
    .requiredOption('--topic <name>', 'the topic')
    .requiredOption('--group <id>', 'the consumer group')
    .requiredOption('--org <alias>', 'the organization whose auditors and admins may approve it')
    .requiredOption('--until <time>', 'its end, as 2026-12-01T00:00:00+01:00')
    .option('--subscriber <principal>', 'service:<client id> or user:<sub>; default: you')
    .option('--issuer <alias>', "whose names they are; default: your token's")
    .option('--why <text>', 'a ticket, or a reason')
    .action(request)
  step(parent, 'approve', 'approve what somebody else asked for')
  step(parent, 'extend', 'move the end of an approved one to a later time').requiredOption('--until <time>', 'the new end')
  step(parent, 'revoke', 'end one, or take a request back')
}

function verb(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .requiredOption('--token <file>', 'file with your access token; - for stdin')
    .option('--url <url>', 'address of the admin API', 'http://127.0.0.1:9990')
    .option('--ca <file>', 'who signed the certificate of the gate')
    .option('--json', 'print what the API answers')
}

function step(parent: Command, name: string, description: string): Command {
  return verb(parent, name, description)
    .argument('<id>', 'of the subscription')
    .option('--why <text>', 'a ticket, or a reason')
    .action(async (id: string, { until, why, ...options }: Options & { until?: string; why?: string }) => {
      show(await ask(options, 'POST', `${PATH}/${encodeURIComponent(id)}/${name}`, { until, why }), options)
    })
}

async function request({ url, token, ca, json, ...wish }: RequestOptions): Promise<void> {
  const options = { url, token, json: json ?? false, ...(ca !== undefined && { ca }) }
  show(await ask(options, 'POST', PATH, wish), options)
}

async function list({ stage, org, topic, ...options }: ListOptions): Promise<void> {
  const all: AnswerText[] = []
  const wanted = Object.entries({ stage, org, topic }).filter((one): one is [string, string] => one[1] !== undefined)
  for (let after: string | null = ''; after !== null; ) {
    const query = new URLSearchParams([...wanted, ...(after === '' ? [] : [['after', after]])])
    const page = await ask<{ subscriptions: AnswerText[]; next: string | null }>(options, 'GET', `${PATH}?${query}`)
    all.push(...page.subscriptions)
    after = page.next
  }
  if (options.json) return printJson(all)
  for (const one of all) process.stdout.write(lineOf(one))
  if (all.length === 0) process.stdout.write('no subscriptions\n')
}

async function ask<T = AnswerText>(options: Options, method: string, path: string, body?: object): Promise<T> {
  const { askAdmin } = await import('./admin-client.ts')
  return (await askAdmin(options, method, path, body)) as T
}

function show(one: AnswerText, { json }: Options): void {
  if (json) {
    printJson(one)
    return
  }
  process.stdout.write(lineOf(one))
  for (const { at, did, by, until, why } of one.history) {
    const more = [until === undefined ? '' : `  until ${until}`, why === undefined ? '' : `  ${why}`].join('')
    process.stdout.write(`  ${at}  ${did} by ${by}${more}\n`)
  }
}

const lineOf = ({ id, stage, subscriber, topic, group, org, until }: AnswerText): string =>
  `${id}  ${stage}  ${subscriber} consumes ${topic} with ${group} for ${org} until ${until}\n`
