// Around `npm pack`: before, the sources are built and the manifest points at what was built; after, the manifest is as it was.

import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const manifest = join(root, 'package.json')
const kept = join(root, 'dist', '.package.json')

/** Node does not run TypeScript below node_modules, so what is installed is JavaScript, on a Node that the checkout need not have. */
function before(): void {
  rmSync(join(root, 'dist'), { recursive: true, force: true })
  execFileSync(join(root, 'node_modules', '.bin', 'tsc'), ['-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
  chmodSync(join(root, 'dist', 'main.js'), 0o755)
  const text = readFileSync(manifest, 'utf8')
  writeFileSync(kept, text)
  const packed = { ...JSON.parse(text), bin: { topicgate: 'dist/main.js' }, engines: { node: '>=24' } }
  writeFileSync(manifest, `${JSON.stringify(packed, null, 2)}\n`)
}

function after(): void {
  if (existsSync(kept)) renameSync(kept, manifest)
}

if (process.argv[2] === 'before') before()
else if (process.argv[2] === 'after') after()
else throw new Error('say before or after')
