// What a person can type while the demo is up.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { askForToken } from '../../src/cli/demo-state.ts'
import { toolLibs } from '../stack/jars.ts'
import type { World } from './world.ts'

const REFRESH_MS = 60_000

/** Writes the console client's properties, and says how to use them. */
export async function byHand(world: World): Promise<string> {
  const { tokenUrl, form } = world.people['lena']!
  const properties = join(world.folder, 'lena.properties')
  const login = 'org.apache.kafka.common.security.oauthbearer'
  const service = form['grant_type'] === 'client_credentials'
  const source = service ? tokenUrl : `file://${await tokenFile(world)}`
  const credentials = service ? ` clientId="${form['client_id']}" clientSecret="${form['client_secret']}"` : ''
  writeFileSync(
    properties,
    `security.protocol=SASL_PLAINTEXT
sasl.mechanism=OAUTHBEARER
sasl.login.callback.handler.class=${login}.OAuthBearerLoginCallbackHandler
sasl.oauthbearer.token.endpoint.url=${source}
sasl.jaas.config=${login}.OAuthBearerLoginModule required${credentials};
`,
    { mode: 0o600 },
  )
  return `
Try it by hand (Ctrl-C ends everything):

  bootstrap address   ${world.bootstrap}   SASL_PLAINTEXT, OAUTHBEARER
  a token             npx topicgate demo token --as orders        (also: ${Object.keys(world.people).join(', ')})
  the policy          ${join(world.folder, 'policy.yaml')}   edit it: TopicGate takes it up by itself
  the audit           tail -f ${join(world.folder, 'audit.ndjson')}
  the log             tail -f ${world.gate.logFile}
  metrics             ${world.gate.health}/metrics

  Kafka's own console consumer, as lena:

  java -Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${source} \\
    -cp '${await toolLibs()}/*' org.apache.kafka.tools.consumer.ConsoleConsumer \\
    --bootstrap-server ${world.bootstrap} --command-config ${properties} \\
    --topic orders.created --group audit-hand --from-beginning
`
}

/** A person's token comes by password, which Java's clients do not do: they read it from a file that is kept fresh here. */
async function tokenFile(world: World): Promise<string> {
  const file = join(world.folder, 'lena.token')
  const { tokenUrl, form } = world.people['lena']!
  const write = async () => writeFileSync(file, await askForToken(tokenUrl, form), { mode: 0o600 })
  await write()
  setInterval(() => void write().catch(() => {}), REFRESH_MS).unref()
  return file
}
