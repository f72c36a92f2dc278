// What people install from the registry: packed, installed in an empty folder, run; and what is installed beside it for those who need it.

import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { until } from './fakes/until.ts'

const root = join(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'topicgate-pack-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const home = join(folder, 'home')
const npm = (args: string[], cwd: string) => execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })

const install = (what: string) => npm(['install', '--no-audit', '--no-fund', '--prefer-offline', what], home)

test('the packed tarball installs and runs as compiled JavaScript', () => {
  // A copy, so that a test that is cut off leaves no changed manifest behind.
  const checkout = join(folder, 'checkout')
  mkdirSync(checkout)
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const parts = ['package.json', '.npmrc', 'tsconfig.json', 'tsconfig.build.json', 'src', 'scripts', ...manifest.files]
  for (const part of parts.filter(each => each !== 'dist' && existsSync(join(root, each)))) {
    cpSync(join(root, part), join(checkout, part), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'))
  const packed = npm(['pack', '--pack-destination', folder], checkout).trim().split('\n').at(-1)!

  mkdirSync(home)
  writeFileSync(join(home, 'package.json'), '{ "private": true }')
  install(join(folder, packed))
  const installed = join(home, 'node_modules', 'topicgate')
  const version = execFileSync(join(home, 'node_modules', '.bin', 'topicgate'), ['--version'], { encoding: 'utf8' })

  assert.equal(version.trim(), manifest.version)
  const { bin, engines } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
  assert.deepEqual(bin, { topicgate: 'dist/main.js' })
  assert.ok(readFileSync(join(installed, 'README.md'), 'utf8').includes(`needs Node ${engines.node.replace('>=', '≥ ')}.`))
  assert.equal(existsSync(join(installed, 'src')), false)
  assert.deepEqual(JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')), manifest)
})

test('what signs for Amazon MSK does not come with it; without it the configuration says what to install, and that is all', () => {
  const signer = 'aws-msk-iam-sasl-signer-js'
  const sasl = '{ mechanism: AWS_MSK_IAM, region: eu-central-1 }'
  const file = join(home, 'topicgate.yaml')
  writeFileSync(join(home, 'policy.yaml'), 'version: 1\n')
  writeFileSync(
    file,
    `version: 1
cluster:
  name: main
  bootstrap: ["b-1.example.com:9098"]
  tls: {}
  sasl: ${sasl}
listeners: [{ name: clients, bind: "127.0.0.1:0" }]
issuers: [{ alias: corp, issuer: "https://keycloak.example.com/realms/main", audience: kafka }]
policy: policy.yaml
`,
  )
  const run = (command: string) => {
    const { status, stderr } = spawnSync(join(home, 'node_modules', '.bin', 'topicgate'), [command, '-c', file], { encoding: 'utf8' })
    return { status, said: stderr.split('\n')[0] }
  }
  assert.equal(existsSync(join(home, 'node_modules', signer)), false)
  const problem = `AWS_MSK_IAM needs the package ${signer}, which is not installed  npm install ${signer}, beside topicgate`
  const refused = { status: 3, said: `${file}:6:22  cluster.sasl.mechanism  ${problem}` }
  assert.deepEqual([run('validate'), run('run')], [refused, refused])

  install(signer)

  assert.deepEqual(run('validate'), { status: 0, said: '' })
})

test('what is installed serves with worker threads, and ends in order', { timeout: 60_000 }, async () => {
  const file = join(home, 'serving.yaml')
  writeFileSync(
    file,
    `version: 1
cluster: { name: main, bootstrap: ["127.0.0.1:1"] }
listeners: [{ name: clients, bind: "127.0.0.1:0", brokers: { ports: auto }, clientAddress: direct }]
issuers: [{ alias: corp, issuer: "http://127.0.0.1:1", audience: kafka }]
policy: policy.yaml
health: { bind: "127.0.0.1:0" }
workers: 2
`,
  )
  const gate = spawn(join(home, 'node_modules', '.bin', 'topicgate'), ['run', '-c', file], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  gate.stderr.setEncoding('utf8').on('data', text => (said += text))
  const health = () => /^health (\S+)$/m.exec(said)?.[1]

  await until(() => /^ready$/m.test(said), 30_000)
  const { status } = await fetch(`http://${health()}/livez`)
  gate.kill('SIGTERM')
  const [code] = await once(gate, 'exit')

  assert.deepEqual([status, code], [200, 0], said)
})
