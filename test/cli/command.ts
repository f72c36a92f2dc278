// The command line as people run it: in a process of its own, beside whatever the test itself serves.

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

export interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `topicgate` with these arguments. */
export function topicgate(...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, ['src/main.ts', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const text = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text.stdout += piece
  })
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    text.stderr += piece
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', status => resolve({ status, ...text }))
  })
}

/** A folder with these files in it, for the time of the test. Returns the path of each, by name. */
export function files(t: TestContext, texts: Readonly<Record<string, string>>): Record<string, string> {
  const folder = mkdtempSync(join(tmpdir(), 'topicgate-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const paths: Record<string, string> = {}
  for (const name of Object.keys(texts)) {
    paths[name] = join(folder, name)
    writeFileSync(paths[name], texts[name])
  }
  return paths
}

/** A configuration that names one issuer and the policy beside it. */
export const configText = (issuer: string, policy: string): string => `version: 1
cluster: { name: main, bootstrap: [127.0.0.1:1] }
listeners: [{ name: clients, bind: "127.0.0.1:0", clientAddress: direct, brokers: { ports: auto } }]
issuers:
  - alias: corp
    issuer: ${issuer}
    audience: kafka
    kind: keycloak
    roles: { realm: realm_access.roles, clients: { kafka: resource_access.kafka.roles } }
    organizations: { claim: organization, roles: { auditor: { group: "/orgs/{org}/auditors" } } }
policy: ${policy}
`
