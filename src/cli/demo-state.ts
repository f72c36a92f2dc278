// Where a running demo says what it is, so that `topicgate demo token` finds it: one file, readable by its owner alone.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

export interface DemoState {
  readonly pid: number
  readonly bootstrap: string
  /** By name: how to ask the issuer for a token (RFC 6749 §4.3, §4.4). */
  readonly people: Readonly<Record<string, { readonly tokenUrl: string; readonly form: Readonly<Record<string, string>> }>>
}

function stateFile(): string {
  return join(process.env['TOPICGATE_STACK'] ?? join(homedir(), '.cache', 'topicgate'), 'demo.json')
}

export function writeDemoState(state: DemoState): void {
  const file = stateFile()
  mkdirSync(dirname(file), { recursive: true })
  rmSync(file, { force: true })
  writeFileSync(file, JSON.stringify(state), { mode: 0o600, flag: 'wx' })
}

/** Forgets the demo of this process; another's is left alone. */
export function removeDemoState(): void {
  if (readDemoState()?.pid === process.pid) rmSync(stateFile(), { force: true })
}

/** The demo that runs now, or null. */
export function readDemoState(): DemoState | null {
  try {
    const state = JSON.parse(readFileSync(stateFile(), 'utf8')) as DemoState
    process.kill(state.pid, 0)
    return state
  } catch {
    return null
  }
}

/** A fresh access token for one of the demo's people. @throws when the issuer gives none */
export async function askForToken(tokenUrl: string, form: Readonly<Record<string, string>>): Promise<string> {
  const response = await fetch(tokenUrl, { method: 'POST', body: new URLSearchParams(form), signal: AbortSignal.timeout(10_000) })
  const answer = (await response.json()) as { access_token?: string; error?: string; error_description?: string }
  if (answer.access_token === undefined) {
    throw new Error(`${tokenUrl} answered ${response.status}: ${answer.error_description ?? answer.error ?? 'no token'}`)
  }
  return answer.access_token
}
