// What Kafka's own class reads in the first message of a client by OAUTHBEARER.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { kafkaLibs } from '../../scripts/stack/jars.ts'

/** Token, authorization id and extensions of each message, in hex with tabs between; `!`: it refuses the message. */
export async function kafkaReads(messages: readonly Buffer[]): Promise<string[]> {
  const classPath = join(await kafkaLibs(), '*')
  return new Promise((resolve, reject) => {
    const java = execFile(
      'java',
      ['-XX:TieredStopAtLevel=1', '-cp', classPath, join(import.meta.dirname, 'InitialResponseOracle.java')],
      { maxBuffer: 64 << 20 },
      (error, stdout) => (error ? reject(error) : resolve(stdout.trimEnd().split('\n'))),
    )
    java.stdin!.end(`${messages.map(message => message.toString('hex')).join('\n')}\n`)
  })
}
