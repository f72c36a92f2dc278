// docs/vendors: every configuration there, in each of its ways to log in, is one that `topicgate validate` accepts, and the pages keep their form.

import assert from 'node:assert/strict'
import { copyFileSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { makeAuthority } from '../../scripts/stack/certificates.ts'
import { loadConfig } from '../../src/base/config.ts'
import { loadPolicy } from '../../src/policy/policy-file.ts'
import { policyContext } from '../../src/policy/watch.ts'
import { demandCertificates } from '../../src/proxy/listener-certificates.ts'

const index = readFileSync('docs/vendors/README.md', 'utf8')
const pages = globSync('docs/vendors/*.md')
  .filter(file => basename(file) !== 'README.md')
  .sort()

let folder: string
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'topicgate-vendors-'))
  const authority = await makeAuthority(folder)
  await authority.issue('gate', { names: ['DNS:gate.example.com', 'DNS:*.gate.example.com'] })
  const own = await authority.issue('topicgate')
  for (const ca of ['ca.pem', 'ca.crt']) copyFileSync(authority.ca, join(folder, ca))
  for (const cert of ['service.cert', 'user.crt']) copyFileSync(own.cert, join(folder, cert))
  for (const key of ['service.key', 'user.key']) copyFileSync(own.key, join(folder, key))
  writeFileSync(join(folder, 'policy.yaml'), 'version: 1\ngrants:\n  - { id: read, to: anyone, allow: consume, topics: ["*"] }\n')
})
after(() => rmSync(folder, { recursive: true }))

/** The configuration as it stands, and once more for each line that begins with `# or`, in place of the line with its key. */
function waysOf(text: string): string[] {
  const others = [...text.matchAll(/^ {2}# or (\w+): (.*)\n/gm)].map(([line, key, value]) => {
    const without = text.replace(line, '').replace(new RegExp(`^  ${key}: .*\n`, 'm'), '')
    return without.replace(/^listeners:$/m, `  ${key}: ${value}\n$&`)
  })
  return [text, ...others]
}

for (const page of pages) {
  const text = readFileSync(page, 'utf8')
  const name = basename(page, '.md')

  test(`${name}: validate accepts the configuration, in each of its ways to log in`, () => {
    const blocks = [...text.matchAll(/^```yaml\n(# topicgate\.yaml\n.*?)^```$/gms)].map(([, block]) => block!)
    assert.equal(blocks.length, 1)
    for (const [i, way] of waysOf(blocks[0]!).entries()) {
      for (const [, secret] of way.matchAll(/\$\{file:([^}]+)\}/g)) {
        mkdirSync(dirname(join(folder, secret!)), { recursive: true })
        writeFileSync(join(folder, secret!), 'not a secret\n')
      }
      const file = join(folder, `${name}-${i}.yaml`)
      writeFileSync(file, way)

      const config = loadConfig(file, [], {})
      demandCertificates(config)
      loadPolicy(config.policy, policyContext(config))
      assert.notEqual(config.cluster.tls, null)
      assert.ok(config.cluster.sasl !== null || config.cluster.tls?.cert !== null, 'the gate logs in')
    }
  })

  test(`${name}: the page says what was tried, what was only read and what the network must keep shut, and stands in the index`, () => {
    assert.ok(text.split('\n').length <= 60)
    const parts = [...text.matchAll(/^## (.*)$/gm)].map(([, part]) => part)
    assert.deepEqual(parts.slice(-3), ['Tried here', 'Only read', 'Network'])
    const tried = new RegExp(`\\(${name}\\.md\\) \\| [^|]* \\| (yes|no)\\b`).exec(index)?.[1]
    assert.equal(tried, /^## Tried here\nNothing: /m.test(text) ? 'no' : 'yes')
  })
}

test('the index names no page that is not there', () => {
  const named = [...index.matchAll(/\((\w[\w-]*)\.md\)/g)].map(([, name]) => name).sort()
  assert.deepEqual(
    named,
    pages.map(page => basename(page, '.md')),
  )
})
