// Policy files that change under a running gate.

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadConfig } from '../../src/base/config.ts'
import type { PolicyDocument } from '../../src/policy/policy-document.ts'
import { readPolicyOf, watchPolicy } from '../../src/policy/watch.ts'

const CONFIG = `version: 1
cluster: { name: main, bootstrap: [127.0.0.1:9092] }
listeners: [{ name: clients, bind: 127.0.0.1:0 }]
issuers: [{ alias: corp, issuer: "https://keycloak.example.com", audience: kafka }]
policy: policy.yaml
`
const policy = (...ids: string[]) =>
  `version: 1\ngrants:\n${ids.map(id => `  - { id: ${id}, to: anyone, allow: produce, topics: [${id}] }\n`).join('')}`

interface Told {
  readonly folder: string
  /** The next document that is adopted, or the next reason why one is not. */
  next(): Promise<PolicyDocument | Error>
  now(): void
}

function watched(
  t: { after(end: () => void): void },
  prepare: (folder: string) => void,
  policyPath: string | null = 'policy.yaml',
  configText = CONFIG,
  adopting = () => {},
): Told {
  const folder = mkdtempSync(join(tmpdir(), 'topicgate-'))
  writeFileSync(join(folder, 'topicgate.yaml'), configText)
  prepare(folder)
  const config = loadConfig(join(folder, 'topicgate.yaml'), policyPath === null ? [] : [`policy=${policyPath}`])
  const told: (PolicyDocument | Error)[] = []
  let tell = () => {}
  const hear = (what: PolicyDocument | Error) => {
    told.push(what)
    tell()
  }
  const adopt = (document: PolicyDocument): void => {
    adopting()
    hear(document)
  }
  const watching = watchPolicy(config, readPolicyOf(config, 1), adopt, hear)
  // The watch lets a process end; a test that waits for it must not.
  const alive = setInterval(() => {}, 1000)
  t.after(() => {
    clearInterval(alive)
    watching.stop()
    rmSync(folder, { recursive: true })
  })
  return {
    folder,
    now: () => watching.now(),
    next: async () => {
      while (told.length === 0) await new Promise<void>(resolve => (tell = resolve))
      return told.shift()!
    },
  }
}

const ids = (what: PolicyDocument | Error) => {
  if (what instanceof Error) throw what
  return [what.generation, ...what.grants.map(({ id }) => id)]
}

test('a file that is written again is adopted; a bad one is told of and replaces nothing', async t => {
  const { folder, next } = watched(t, f => writeFileSync(join(f, 'policy.yaml'), policy('a')))
  const file = join(folder, 'policy.yaml')

  writeFileSync(file, policy('a', 'b'))
  assert.deepEqual(ids(await next()), [2, 'a', 'b'])

  writeFileSync(file, policy('Bad'))
  assert.match(String(await next()), /grants\[0\]\.id {2}is not an id/)

  writeFileSync(file, `${policy('a')}tests: [{ as: { service: x }, can: ["produce topic:b"] }]\n`)
  assert.match(String(await next()), /service:x cannot produce topic:b: write is refused/)

  writeFileSync(file, policy('a', 'b'))
  assert.deepEqual(ids(await next()), [3, 'a', 'b'])
})

test('a good policy that could not be adopted is tried again, though its file stays as it is', async t => {
  const real = globalThis.setTimeout
  const sooner = (call: () => void, ms?: number) => real(call, ms === 10_000 ? 20 : ms)
  t.mock.method(globalThis, 'setTimeout', sooner)
  let fails = 2
  const { folder, next } = watched(
    t,
    f => writeFileSync(join(f, 'policy.yaml'), policy('a')),
    'policy.yaml',
    CONFIG,
    () => {
      if (fails-- > 0) throw new Error('the store does not answer')
    },
  )

  writeFileSync(join(folder, 'policy.yaml'), policy('b'))

  assert.equal(String(await next()), 'Error: the store does not answer')
  assert.equal(String(await next()), 'Error: the store does not answer')
  assert.deepEqual(ids(await next()), [2, 'b'])
})

test('a file that an editor puts in place of the old one is adopted', async t => {
  const { folder, next } = watched(t, f => writeFileSync(join(f, 'policy.yaml'), policy('a')))

  writeFileSync(join(folder, 'policy.yaml.new'), policy('b'))
  renameSync(join(folder, 'policy.yaml.new'), join(folder, 'policy.yaml'))

  assert.deepEqual(ids(await next()), [2, 'b'])
})

test('a symlink that Kubernetes swaps is followed, and its folders are not read twice', async t => {
  const put = (folder: string, version: string, content: string) => {
    mkdirSync(join(folder, 'policies', version), { recursive: true })
    writeFileSync(join(folder, 'policies', version, 'teams.yaml'), content)
    symlinkSync(version, join(folder, 'policies', '..data.new'))
    renameSync(join(folder, 'policies', '..data.new'), join(folder, 'policies', '..data'))
  }
  const { folder, next } = watched(
    t,
    f => {
      put(f, '..2026_11_24', policy('a'))
      symlinkSync(join('..data', 'teams.yaml'), join(f, 'policies', 'teams.yaml'))
    },
    'policies',
  )

  put(folder, '..2026_11_25', policy('b', 'c'))

  assert.deepEqual(ids(await next()), [2, 'b', 'c'])
})

test('a file that is touched is none, and asking for a look at what did not change is harmless', async t => {
  const { folder, next, now } = watched(t, f => writeFileSync(join(f, 'policy.yaml'), policy('a')))

  writeFileSync(join(folder, 'policy.yaml'), policy('a'))
  now()
  writeFileSync(join(folder, 'policy.yaml'), policy('c'))

  assert.deepEqual(ids(await next()), [2, 'c'])
})

test('where none need be there, a policy that comes is adopted, and one that goes again is missed', async t => {
  const store = 'authorizer: { engine: openfga, openfga: { url: "http://127.0.0.1:1", store: 01J00000000000000000000000 } }\n'
  const { folder, next, now } = watched(t, () => {}, null, CONFIG.replace('policy: policy.yaml\n', store))
  const file = join(folder, 'policy.yaml')

  now()
  writeFileSync(file, policy('Bad'))
  assert.match(String(await next()), /grants\[0\]\.id {2}is not an id/)

  rmSync(file)
  assert.deepEqual(ids(await next()), [2])

  writeFileSync(file, policy('a'))
  assert.deepEqual(ids(await next()), [3, 'a'])

  rmSync(file)
  assert.match(String(await next()), /ENOENT|does not exist/)

  writeFileSync(file, policy('b'))
  assert.deepEqual(ids(await next()), [4, 'b'])
})
