// The Node that runs everything is the one that is pinned, whatever the machine has.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8'))

test('tests run on the pinned Node', () => {
  assert.equal(process.version, `v${manifest.devDependencies.node}`)
})
