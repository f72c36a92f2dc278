// A PostgreSQL of the machine's own packages, with its data in the folder of this run: what OpenFGA keeps its store in for figures.

import { spawnSync } from 'node:child_process'
import { chownSync, existsSync, globSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { dataFolder, onFreePorts, type Part, startPart, untilReady } from './part.ts'

const READY_TIMEOUT_MS = 60_000
/** PostgreSQL does not run as root. */
const NOBODY = 65_534
const asNobody = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--']

export interface Postgres {
  /** As OpenFGA's `--datastore-uri` takes it. */
  readonly uri: string
  stop(): Promise<void>
}

/** @throws {Error} when the machine has none */
export async function startPostgres(): Promise<Postgres> {
  const bin = programs()
  const folder = dataFolder('postgres')
  const data = join(folder, 'data')
  const user = process.getuid?.() === 0 ? asNobody : []
  if (user.length > 0) chownSync(folder, NOBODY, NOBODY)
  const [first, ...init] = [...user, join(bin, 'initdb'), '-D', data, '-U', 'openfga', '-A', 'trust', '-E', 'UTF8', '--locale=C']
  const made = spawnSync(first!, init, { encoding: 'utf8' })
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`)
  const { part, port } = await onFreePorts(1, async ([port]) => {
    const [command, ...args] = [...user, join(bin, 'postgres'), '-D', data, '-h', '127.0.0.1', '-p', String(port), '-k', folder]
    const part: Part = startPart('postgres', command!, args, { folder })
    const ready = async (): Promise<boolean> => spawnSync(join(bin, 'pg_isready'), ['-h', '127.0.0.1', '-p', String(port)]).status === 0
    await untilReady(part, ready, READY_TIMEOUT_MS)
    return { part, port }
  })
  return { uri: `postgres://openfga@127.0.0.1:${port}/postgres?sslmode=disable`, stop: () => part.stop() }
}

function programs(): string {
  const found = [...globSync('/usr/lib/postgresql/*/bin/postgres'), '/usr/local/bin/postgres', '/usr/bin/postgres'].find(existsSync)
  if (found === undefined) throw new Error('PostgreSQL is not on this machine (package postgresql)')
  return dirname(found)
}
