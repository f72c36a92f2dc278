// Kafka's own command-line tools, run from the jars: what the scripts in Kafka's bin folder run.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { toolLibs } from './jars.ts'

/** The tools that are used here, by their main classes. */
export const tools = {
  topics: 'org.apache.kafka.tools.TopicCommand',
  producer: 'org.apache.kafka.tools.ConsoleProducer',
  consumer: 'org.apache.kafka.tools.consumer.ConsoleConsumer',
  groups: 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
  offsets: 'org.apache.kafka.tools.GetOffsetShell',
  acls: 'org.apache.kafka.tools.AclCommand',
} as const

export interface ToolRun {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs one tool to its end. `tokenEndpoint`: where it may fetch tokens from, which the Java client must be told by a system property. */
export async function runTool(
  tool: keyof typeof tools,
  args: readonly string[],
  options: { stdin?: string; tokenEndpoint?: string } = {},
): Promise<ToolRun> {
  const jvm = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
  if (options.tokenEndpoint) jvm.push(`-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${options.tokenEndpoint}`)
  const child = spawn('java', [...jvm, '-cp', join(await toolLibs(), '*'), tools[tool], ...args])
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', text => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', text => (stderr += text))
  child.stdin.on('error', () => {}).end(options.stdin ?? '')
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve))
  return { code, stdout, stderr }
}

/** Client properties for OAUTHBEARER by client credentials. */
export function oauthSettings(tokenEndpoint: string, clientId: string, clientSecret: string): Readonly<Record<string, string>> {
  return {
    'security.protocol': 'SASL_PLAINTEXT',
    'sasl.mechanism': 'OAUTHBEARER',
    'sasl.login.callback.handler.class': 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler',
    'sasl.oauthbearer.token.endpoint.url': tokenEndpoint,
    'sasl.oauthbearer.client.credentials.client.id': clientId,
    'sasl.oauthbearer.client.credentials.client.secret': clientSecret,
    'sasl.jaas.config': 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;',
  }
}

/** The same as a user of the tools writes them into a file. */
export function oauthProperties(tokenEndpoint: string, clientId: string, clientSecret: string): string {
  return propertiesText(oauthSettings(tokenEndpoint, clientId, clientSecret))
}

export function propertiesText(settings: Readonly<Record<string, string>>): string {
  const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`)
  return lines.join('')
}
