// A real OpenFGA with its store in memory or in a database, and its command line, both built by Go from one list of modules.

import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { once, run } from './cache.ts'
import { dataFolder, onFreePorts, type Part, startPart, untilReady } from './part.ts'
import { startPostgres } from './postgres.ts'
import { versions } from './versions.ts'

export interface OpenFga {
  readonly url: string
  readonly pid: number
  /** Makes a store with a model, and tuples if given; the model is JSON as the API takes it. */
  createStore(name: string, model: object, tuples?: readonly Tuple[]): Promise<{ store: string; model: string }>
  /** One call of the HTTP API. @throws {Error} when the answer is not a success. */
  call(method: string, path: string, body?: unknown): Promise<any>
  stop(): Promise<void>
}

export interface Tuple {
  readonly user: string
  readonly relation: string
  readonly object: string
  readonly condition?: { readonly name: string; readonly context: object }
}

const modules = join(import.meta.dirname, 'openfga')
const READY_TIMEOUT_MS = 60_000
const TUPLES_PER_WRITE = 100

/** Flags that do not depend on where it runs; docker-compose.yml gives them by its environment. */
export const settings = { 'playground-enabled': 'false', 'log-format': 'json', 'log-level': 'warn' }

/** Where OpenFGA keeps its stores. */
export type Datastore = 'memory' | 'sqlite' | 'postgres'

/** Starts OpenFGA and returns once it serves. */
export async function startOpenFga(datastore: Datastore = 'memory'): Promise<OpenFga> {
  const binary = await openFgaBinary('openfga')
  const folder = dataFolder('openfga')
  const postgres = datastore === 'postgres' ? await startPostgres() : null
  const uri = datastore === 'memory' ? [] : ['--datastore-uri', postgres?.uri ?? `file:${join(folder, 'openfga.db')}`]
  const engine = ['--datastore-engine', datastore, ...uri]
  if (datastore !== 'memory') await run(binary, ['migrate', ...engine])
  const { part, url } = await onFreePorts(3, ports => launch(binary, folder, ports, engine))
  return openFgaAt(url, part.pid, async () => {
    await part.kill()
    await postgres?.stop()
  })
}

/** An OpenFGA that somebody started at this address. */
export function openFgaAt(url: string, pid: number, stop: () => Promise<void> = async () => {}): OpenFga {
  const call: OpenFga['call'] = async (method, path, body) => {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${url}${path}`, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) })
    const text = await response.text()
    if (!response.ok) throw new Error(`OpenFGA answered ${response.status} to ${method} ${path}: ${text}`)
    return text ? JSON.parse(text) : undefined
  }
  const createStore: OpenFga['createStore'] = async (name, model, tuples = []) => {
    const { id: store } = await call('POST', '/stores', { name })
    const { authorization_model_id } = await call('POST', `/stores/${store}/authorization-models`, model)
    for (let at = 0; at < tuples.length; at += TUPLES_PER_WRITE) {
      const writes = { tuple_keys: tuples.slice(at, at + TUPLES_PER_WRITE) }
      await call('POST', `/stores/${store}/write`, { authorization_model_id, writes })
    }
    return { store, model: authorization_model_id }
  }
  return { url, pid, createStore, call, stop }
}

/** A model or store file as the command line reads it, in the JSON that the API takes. */
export async function modelJson(file: string): Promise<object> {
  return JSON.parse(await run(await openFgaBinary('fga'), ['model', 'transform', '--file', file, '--output-format', 'json']))
}

/** Runs the OpenFGA command line and returns what it printed. */
export async function fga(...args: string[]): Promise<string> {
  return run(await openFgaBinary('fga'), args)
}

/** The path of a program, built from scripts/stack/openfga/go.mod: server and command line share one engine. */
export async function openFgaBinary(name: 'openfga' | 'fga'): Promise<string> {
  const { server, cli } = versions.openfga
  const folder = await once(`openfga-${server}-cli-${cli}`, `OpenFGA ${server} and its command line (Go builds them)`, async draft => {
    cpSync(modules, draft, { recursive: true })
    await run('go', ['build', '-o', draft, 'github.com/openfga/openfga/cmd/openfga', 'github.com/openfga/cli/cmd/fga'], { cwd: draft })
  })
  return join(folder, name)
}

async function launch(
  binary: string,
  folder: string,
  [http, grpc, metrics]: readonly number[],
  engine: readonly string[],
): Promise<{ part: Part; url: string }> {
  const addresses = ['--http-addr', `127.0.0.1:${http}`, '--grpc-addr', `127.0.0.1:${grpc}`, '--metrics-addr', `127.0.0.1:${metrics}`]
  const flags = Object.entries(settings).map(([name, value]) => `--${name}=${value}`)
  const part = startPart('openfga', binary, ['run', ...engine, ...addresses, ...flags], { folder })
  const url = `http://127.0.0.1:${http}`
  try {
    await untilReady(part, async () => (await fetch(`${url}/healthz`)).ok, READY_TIMEOUT_MS)
  } catch (error) {
    await part.kill()
    throw error
  }
  return { part, url }
}
