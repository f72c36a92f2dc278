// Whom the command line shows a token: the admin API over TLS, or one on this machine.

import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { askAdmin } from '../../src/cli/admin-client.ts'
import { Exit, type ExitError } from '../../src/cli/exit.ts'

const token = join(mkdtempSync(join(tmpdir(), 'topicgate-')), 'token')
writeFileSync(token, 'a.b.c')

test('a token does not go over the network in the clear', async () => {
  for (const url of ['http://gate.example.com:9990', 'http://10.1.2.3:9990', 'http://localhost.example.com'])
    await assert.rejects(
      askAdmin({ url, token }, 'GET', '/v1/subscriptions'),
      (why: ExitError) => why.exit === Exit.usage && /tokens go over https only/.test(why.message),
    )
})

test('on this machine it may', async t => {
  const shown: (string | undefined)[] = []
  const server = createServer((request, response) => {
    shown.push(request.headers.authorization)
    response.end('{"ok":true}')
  }).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo

  assert.deepEqual(await askAdmin({ url: `http://127.0.0.1:${port}`, token }, 'GET', '/v1/subscriptions'), { ok: true })
  assert.deepEqual(shown, ['Bearer a.b.c'])
})
