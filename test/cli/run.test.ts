// `topicgate run` as a process: what it prints and where, how it ends, what it does without a cluster.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { stringify } from 'yaml'
import { type DevIssuer, startDevIssuer } from '../../src/auth/dev-issuer.ts'
import { AnsweringBroker, clusterAnswers } from '../fakes/answering-broker.ts'

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts')
const folder = mkdtempSync(join(tmpdir(), 'topicgate-run-'))
const brokers: AnsweringBroker[] = []
let issuer: DevIssuer
const children = new Set<ChildProcess>()

before(async () => {
  issuer = await startDevIssuer()
  brokers.push(await AnsweringBroker.start(clusterAnswers(() => brokers, { orders: '0123456789abcdef0123456789abcdef' })))
})
after(async () => {
  for (const child of children) child.kill('SIGKILL')
  await issuer.stop()
  for (const broker of brokers) await broker.stop()
  rmSync(folder, { recursive: true })
})

let files = 0
function write(config: object, policy = 'version: 1\ngrants: []\n'): string {
  const { issuer: url, audience, kind, jwks } = issuer.settings('corp')
  const name = `${++files}`
  writeFileSync(join(folder, `policy-${name}.yaml`), policy)
  const file = join(folder, `${name}.yaml`)
  const whole = {
    version: 1,
    cluster: { name: 'main', bootstrap: [`127.0.0.1:${brokers[0]!.port}`] },
    listeners: [{ name: 'clients', bind: '127.0.0.1:0', brokers: { ports: 'auto' } }],
    issuers: [{ alias: 'corp', issuer: url, audience, kind, jwks }],
    policy: `policy-${name}.yaml`,
    health: { bind: '127.0.0.1:0' },
    workers: 1,
    ...config,
  }
  writeFileSync(file, stringify(whole))
  return file
}

class Run {
  readonly child: ChildProcess
  stdout = ''
  stderr = ''
  readonly exit: Promise<number | null>
  #look: () => void = () => undefined

  constructor(...args: string[]) {
    this.child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    children.add(this.child)
    this.child.stdout!.on('data', text => (this.stdout += text))
    this.child.stderr!.on('data', text => {
      this.stderr += text
      this.#look()
    })
    this.exit = new Promise(resolve => {
      this.child.on('close', code => {
        children.delete(this.child)
        resolve(code)
        this.#look()
      })
    })
  }

  /** Resolves when stderr holds it. */
  async says(what: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = what.exec(this.stderr)
      if (found !== null) return found
      if (!children.has(this.child)) throw new Error(`ended without saying ${what}:\n${this.stderr}`)
      await new Promise<void>(resolve => {
        this.#look = resolve
      })
    }
  }
  async port(): Promise<number> {
    return Number((await this.says(/^listener clients {2}127\.0\.0\.1:(\d+)/m))[1])
  }
  async health(path: string): Promise<Response> {
    return fetch(`http://${(await this.says(/^health (\S+)$/m))[1]}${path}`)
  }
  async readyz(): Promise<any> {
    return (await this.health('/readyz')).json()
  }
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.child.kill(signal)
    return this.exit
  }
}

test('it says on stderr where it listens and that it is ready, keeps stdout clean, and ends with 0 on SIGTERM', async () => {
  const run = new Run('run', '-c', write({}))

  await run.says(/^ready$/m)
  const ready = await run.readyz()
  const live = await run.health('/livez')
  const metrics = await (await run.health('/metrics')).text()

  assert.match(run.stderr, /^listener clients {2}127\.0\.0\.1:\d+ {2}advertised 127\.0\.0\.1:\d+ {2}brokers 1:\d+$/m)
  assert.match(run.stderr, /^cluster main {2}test-cluster {2}1 broker$/m)
  assert.equal(ready.ready, true)
  assert.deepEqual(ready.cluster, { reachable: true, clusterId: 'test-cluster', brokers: 1, alive: 1, withoutPort: 0, problems: [] })
  assert.equal(live.status, 200)
  assert.match(metrics, /^topicgate_cluster_reachable 1$/m)
  assert.match(metrics, /^topicgate_requests_judged_total\{worker="0"\} 0$/m)
  assert.doesNotMatch(metrics, /openfga/)
  assert.equal(await run.stop(), 0)
  assert.equal(run.stdout, '')
})

test('without a cluster it is ready, says so in /readyz, and closes clients', async () => {
  const run = new Run('run', '-c', write({ cluster: { name: 'main', bootstrap: ['127.0.0.1:1'] } }))
  await run.says(/^ready$/m)

  const answer = await run.health('/readyz')
  const socket = net.connect(await run.port(), '127.0.0.1')
  await new Promise<void>(resolve => socket.on('error', () => undefined).on('close', () => resolve()))

  assert.equal(answer.status, 200)
  assert.equal(((await answer.json()) as any).cluster.reachable, false)
  assert.match(run.stderr, /^cluster main {2}unreachable$/m)
  assert.equal(await run.stop('SIGINT'), 0)
})

test('without its OpenFGA it is ready, and says so in /readyz and in the metrics', async () => {
  const openfga = { url: 'http://127.0.0.1:1', store: '01ARZ3NDEKTSV4RRFFQ69G5FAV' }
  const run = new Run('run', '-c', write({ authorizer: { engine: 'openfga', openfga } }))
  await run.says(/^ready$/m)

  const { ready, engine } = await run.readyz()
  const text = await (await run.health('/metrics')).text()
  const shown = Object.fromEntries(
    Array.from(text.matchAll(/^topicgate_openfga_(\w+) (\S+)$/gm), ([, name, value]) => [name, Number(value)]),
  )

  const { lag_seconds: lag, ...others } = shown
  assert.deepEqual([ready, engine.name, engine.connected, engine.lagMs], [true, 'openfga', false, undefined])
  assert.deepEqual(others, { connected: 0, failing: 0 })
  assert.ok(lag! > 0 && lag! < 60, `${lag}`)
  assert.equal(await run.stop(), 0)
})

test('two workers share the port, and both know the brokers', async () => {
  const run = new Run('run', '-c', write({ workers: 2 }))
  await run.says(/^ready$/m)
  const port = await run.port()

  const sockets = await Promise.all(
    Array.from({ length: 24 }, () => new Promise<net.Socket>(resolve => resolve(net.connect(port, '127.0.0.1')))),
  )
  const opened = async () => {
    const text = await (await run.health('/metrics')).text()
    return ['0', '1'].map(worker => Number(new RegExp(`^topicgate_connections\\{worker="${worker}"\\} (\\d+)$`, 'm').exec(text)![1]))
  }
  let counts = await opened()
  while (counts[0]! + counts[1]! < 24) counts = await opened()

  assert.ok(counts[0]! > 0 && counts[1]! > 0, `spread ${counts}`)
  for (const socket of sockets) socket.destroy()
  assert.equal(await run.stop(), 0)
})

for (const workers of [1, 2]) {
  test(`a port that is taken is an error, not shared in silence (${workers} worker${workers > 1 ? 's' : ''})`, async () => {
    const first = new Run('run', '-c', write({ workers: 2 }))
    await first.says(/^ready$/m)
    const listeners = [{ name: 'clients', bind: `127.0.0.1:${await first.port()}`, brokers: { ports: 'auto' } }]

    const second = new Run('run', '-c', write({ workers, listeners }))

    assert.equal(await second.exit, 1)
    assert.match(second.stderr, /EADDRINUSE/)
    assert.equal(await first.stop(), 0)
  })
}

test('a policy that is replaced is judged by, one that is bad is not, and SIGHUP looks at once', async () => {
  const file = write({})
  const run = new Run('run', '-c', file)
  await run.says(/^ready$/m)
  const policy = join(folder, `policy-${files}.yaml`)

  writeFileSync(policy, 'version: 1\ngrants:\n  - { id: a, to: service:x, allow: produce, topics: [t] }\n')
  run.child.kill('SIGHUP')
  await run.says(/"generation":2.*policy replaced/)
  writeFileSync(policy, 'version: 1\ngrants: nonsense\n')
  await run.says(/"generation":2.*policy refused/)

  assert.equal((await run.readyz()).policy.generation, 2)
  assert.match(await (await run.health('/metrics')).text(), /^topicgate_policy_last_reload_successful 0$/m)
  assert.equal(await run.stop(), 0)
})

test('a configuration with problems names them all, and ends with 3', async () => {
  const run = new Run('run', '-c', write({ workers: 'many', health: { bindd: 1 } }))

  assert.equal(await run.exit, 3)
  assert.match(run.stderr, /\.yaml:\d+:\d+ {2}workers {2}/)
  assert.match(run.stderr, /\.yaml:\d+:\d+ {2}health/)
})

test('a policy whose own tests fail ends with 4', async () => {
  const policy = 'version: 1\ngrants: []\ntests:\n  - { as: { service: x }, can: ["produce topic:t"] }\n'

  assert.equal(await new Run('run', '-c', write({}, policy)).exit, 4)
})

test('usage errors end with 2, help and version with 0', async () => {
  const version = new Run('--version')

  assert.equal(await new Run('run').exit, 2)
  assert.equal(await new Run('nonsense').exit, 2)
  assert.equal(await new Run('--help').exit, 0)
  assert.equal(await version.exit, 0)
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/)
})

test('healthcheck ends with 0 when the gate is ready, and with 1 when nobody answers', async () => {
  const run = new Run('run', '-c', write({}))
  await run.says(/^ready$/m)
  const address = (await run.says(/^health (\S+)$/m))[1]

  assert.equal(await new Run('healthcheck', '--url', `http://${address}`).exit, 0)
  assert.equal(await run.stop(), 0)
  assert.equal(await new Run('healthcheck', '--url', `http://${address}`).exit, 1)
})
