// Go programs of the tests, each built once for each state of its source.

import { createHash } from 'node:crypto'
import { cpSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { once, run } from './cache.ts'

/** The binary of the program in `folder`, which holds nothing but it. @param version of the library that it is about */
export async function goProgram(folder: string, version: string, what: string): Promise<string> {
  const name = basename(folder)
  const built = await once(`${name}-${version}-${hashOf(folder)}`, what, async draft => {
    cpSync(folder, draft, { recursive: true })
    await run('go', ['build', '-o', join(draft, name), '.'], { cwd: draft })
  })
  return join(built, name)
}

/** Changes with every byte of the files in a folder. */
export function hashOf(folder: string): string {
  const hash = createHash('sha256')
  for (const file of readdirSync(folder).sort()) hash.update(file).update(readFileSync(join(folder, file)))
  return hash.digest('hex').slice(0, 12)
}
