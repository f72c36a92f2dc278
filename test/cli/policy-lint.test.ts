// `topicgate policy lint --live`, as people run it, before a real cluster.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { makeTopics } from '../e2e/topics.ts'
import { sharedKafka, uniqueName } from '../parts.ts'

const kafka = await sharedKafka()
const topic = `${uniqueName('lint')}.orders`
await makeTopics(kafka, { [topic]: 1 })

async function lint(folder: string, ...options: string[]): Promise<[status: number, text: string]> {
  const child = spawn(process.execPath, [resolve('src/main.ts'), 'policy', 'lint', ...options], { cwd: folder })
  const [out, err, status] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number>(done => child.on('close', code => done(code ?? 1))),
  ])
  return [status, out + err]
}

test('topics that the cluster does not have are named, and a cluster that does not answer is no finding', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'topicgate-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const config = (bootstrap: string) => `version: 1
cluster: { name: main, bootstrap: [${bootstrap}] }
listeners: [{ name: clients, bind: 127.0.0.1:9092 }]
issuers: [{ alias: corp, issuer: https://keycloak.example.com/realms/main, audience: kafka, kind: keycloak }]
policy: policy.yaml
`
  writeFileSync(
    join(folder, 'policy.yaml'),
    `version: 1
grants:
  - { id: orders, to: role:a, allow: consume, topics: [${topic}, "${topic}s", "${topic}*"] }
tests: [{ as: { user: x }, cannot: ["consume topic:${topic}"] }]
`,
  )
  writeFileSync(join(folder, 'topicgate.yaml'), config(kafka.bootstrap))

  const [status, found] = await lint(folder, '-c', 'topicgate.yaml', '--live', '--strict')
  assert.equal(status, 3)
  assert.match(found, new RegExp(`grants\\.orders  there is no topic ${topic}s  did you mean ${topic}\\?  \\[unknown-topic\\]`))
  assert.equal(found.match(/unknown-topic/g)!.length, 1)
  assert.doesNotMatch((await lint(folder, '-c', 'topicgate.yaml'))[1], /unknown-topic/)

  writeFileSync(join(folder, 'topicgate.yaml'), config('127.0.0.1:1'))
  const [gone, why] = await lint(folder, '-c', 'topicgate.yaml', '--live')
  assert.equal(gone, 1)
  assert.match(why, /the cluster does not say which topics there are: .*ECONNREFUSED/)
  assert.deepEqual(await lint(folder, 'policy.yaml', '--live').then(([code]) => code), 2)
})
