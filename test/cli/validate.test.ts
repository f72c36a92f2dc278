// The commands that read files and say what is wrong with them, run as people run them.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { makeAuthority } from '../../scripts/stack/certificates.ts'
import { schemaText } from '../../src/cli/schema.ts'

function topicgate(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['src/main.ts', ...args], { encoding: 'utf8' })
  return { status, stdout, stderr }
}

test('the files in config are what the schemas print', async () => {
  assert.equal(readFileSync('config/topicgate.schema.json', 'utf8'), await schemaText('config'), 'run: topicgate schema config')
  assert.equal(readFileSync('config/policy.schema.json', 'utf8'), await schemaText('policy'), 'run: topicgate schema policy')
  assert.equal(readFileSync('config/admin.openapi.json', 'utf8'), await schemaText('admin'), 'run: topicgate schema admin')
})

test('the examples are valid, and their tests pass', () => {
  assert.deepEqual(topicgate('validate', '-c', 'config/topicgate.example.yaml'), {
    status: 0,
    stdout: 'ok  config\nok  policy\nok  policy tests\n',
    stderr: '',
  })
  assert.deepEqual(topicgate('policy', 'test', '-c', 'config/topicgate.example.yaml'), {
    status: 0,
    stdout: '4 tests, 9 questions, 0 failed\n',
    stderr: '',
  })
})

test('what is wrong goes to stderr with exit code 3, or as a list', t => {
  const folder = mkdtempSync(join(tmpdir(), 'topicgate-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'topicgate.yaml')
  writeFileSync(file, 'version: 1\nclutser: {}\n')

  const { status, stderr } = topicgate('validate', '-c', file)
  const list = topicgate('validate', '-c', file, '--json')

  assert.equal(status, 3)
  assert.equal(
    stderr,
    [
      `${file}:1:1  cluster  is missing\n`,
      `${file}:1:1  listeners  is missing\n`,
      `${file}:1:1  issuers  is missing\n`,
      `${file}:2:1  clutser  unknown key  did you mean cluster?\n`,
      'not ok  config  4 problems\n',
    ].join(''),
  )
  assert.deepEqual(
    [list.status, JSON.parse(list.stdout)[3]],
    [3, { check: 'config', ok: false, problem: 'unknown key', hint: 'did you mean cluster?', file, line: 2, col: 1, path: 'clutser' }],
  )
})

test('a policy that is wrong, or fails its tests, is one line behind its problems; the configuration of the folder needs no name', t => {
  const folder = mkdtempSync(join(tmpdir(), 'topicgate-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const validate = (policy: string) => {
    writeFileSync(join(folder, 'policy.yaml'), policy)
    const { status, stdout, stderr } = spawnSync(process.execPath, [resolve('src/main.ts'), 'validate'], { encoding: 'utf8', cwd: folder })
    return [status, `${stdout}${stderr.replaceAll(`${realpathSync(folder)}/`, '')}`]
  }
  writeFileSync(
    join(folder, 'topicgate.yaml'),
    `version: 1
cluster: { name: main, bootstrap: [127.0.0.1:19092] }
listeners: [{ name: clients, bind: 127.0.0.1:9092 }]
issuers: [{ alias: corp, issuer: https://keycloak.example.com/realms/main, audience: kafka, kind: keycloak }]
policy: policy.yaml
`,
  )

  assert.deepEqual(validate('version: 1\nrules: [{ id: r, deny: all }]\n'), [
    3,
    'ok  config\npolicy.yaml:2:9  rules[0]  names no resource  add topics, consumerGroups, transactionalIds or cluster: true, or everything: true\nnot ok  policy  1 problem\n',
  ])
  assert.deepEqual(validate('version: 1\nshadow: [{ topics: [a], until: 2030-01-01T00:00:00Z, listeners: [client] }]\n'), [
    3,
    'ok  config\npolicy.yaml:2:66  shadow[0].listeners[0]  no listener has the name client  did you mean clients?\nnot ok  policy  1 problem\n',
  ])
  assert.deepEqual(validate('version: 1\ntests: [{ as: { service: x }, can: ["produce topic:a"] }]\n'), [
    4,
    'ok  config\nok  policy\npolicy.yaml:2:9  tests.can  service:x cannot produce topic:a: write is refused  no grant\nnot ok  policy tests  1 problem\n',
  ])
})

test('a certificate of a listener that is over is named with its date', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'topicgate-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const { cert } = await (await makeAuthority(folder)).issue('old', { names: ['DNS:localhost'], expired: true })
  const file = join(folder, 'topicgate.yaml')
  const listener = '{ name: clients, bind: "127.0.0.1:0", tls: { cert: old.pem, key: old.key } }'
  writeFileSync(join(folder, 'policy.yaml'), 'version: 1\n')
  writeFileSync(
    file,
    `version: 1
cluster: { name: main, bootstrap: ["127.0.0.1:1"] }
listeners: [${listener}]
issuers: [{ alias: corp, issuer: "https://keycloak.example.com/realms/main", audience: kafka }]
policy: policy.yaml
`,
  )

  const { status, stderr } = topicgate('validate', '-c', file)

  assert.equal(status, 3)
  assert.match(stderr, /:3:\d+ {2}listeners\[0\]\.tls\.cert {2}the certificate .*old\.pem expired on 2020-02-01T00:00:00\.000Z {2}renew it/)
  assert.ok(stderr.includes(cert))
})

test('a policy whose tests fail ends with exit code 4', t => {
  const folder = mkdtempSync(join(tmpdir(), 'topicgate-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'policy.yaml')
  writeFileSync(file, 'version: 1\ntests: [{ as: { service: x }, can: ["produce topic:a"] }]\n')

  assert.deepEqual(topicgate('policy', 'test', file), {
    status: 4,
    stdout: '1 tests, 1 questions, 1 failed\n',
    stderr: `${file}:2:9  tests.can  service:x cannot produce topic:a: write is refused  no grant\n`,
  })
  assert.deepEqual(JSON.parse(topicgate('policy', 'test', file, '--json').stdout), [
    { test: `${file}:2`, ok: false, key: 'can', question: 'produce topic:a', operation: 'write', grant: null, rule: null, why: 'no grant' },
  ])
})
